use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Version};

use super::check;
use crate::front::query::Query;

fn parts(uri: &str, version: Version, headers: &[(&'static str, &'static str)]) -> Parts {
    let mut request = Request::builder().uri(uri).version(version).body(()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    request.into_parts().0
}

fn refused(uri: &str, version: Version, headers: &[(&'static str, &'static str)]) -> Option<&'static str> {
    let parts = parts(uri, version, headers);
    let query = parts.uri.query().map(Query::parse).unwrap_or_default();
    check(&parts, &query).err().map(|refusal| refusal.code)
}

#[test]
fn a_value_is_one() {
    let one = |headers: &[(&'static str, &'static str)]| {
        refused("/b/k", Version::HTTP_11, &[&[("host", "h")], headers].concat()).is_some()
    };
    for name in ["x-amz-acl", "x-amz-date", "authorization", "host", "content-md5", "content-type", "range"] {
        assert!(one(&[(name, "a"), (name, "a")]), "{name}");
    }
    for name in ["x-amz-meta-a", "x-amz-object-attributes", "accept-encoding", "cookie", "x-forwarded-for"] {
        assert!(!one(&[(name, "a"), (name, "b")]), "{name}");
    }
    assert!(one(&[("content-length", "1"), ("transfer-encoding", "chunked")]));
    assert!(!one(&[("content-length", "1"), ("x-amz-meta-a", "a"), ("x-amz-meta-b", "b")]));
}

#[test]
fn a_host_is_one() {
    let host = [("host", "H:1")];
    for (uri, version, headers, ok) in [
        ("/k", Version::HTTP_11, &host[..], true),
        ("http://h:1/k", Version::HTTP_11, &host, true),
        ("http://h:2/k", Version::HTTP_11, &host, false),
        ("http://u@h:1/k", Version::HTTP_11, &host, false),
        ("http://h:1/k", Version::HTTP_11, &[], false),
        ("/k", Version::HTTP_11, &[], false),
        ("http://h:1/k", Version::HTTP_2, &[], true),
        ("http://h:1/k", Version::HTTP_2, &host, true),
        ("http://other/k", Version::HTTP_2, &host, false),
    ] {
        assert_eq!(refused(uri, version, headers).is_none(), ok, "{uri} {version:?} {headers:?}");
    }
}

#[test]
fn a_parameter_is_one() {
    let of = |query: &str| refused(&format!("/b?{query}"), Version::HTTP_11, &[("host", "h")]);
    for query in ["a&a", "prefix=1&%70refix=2", "versionId=1&x=2&versionId=1", "X-Amz-Date=1&X-Amz-Date=1", "=1&=2"] {
        assert_eq!(of(query), Some("InvalidArgument"), "{query}");
    }
    for query in ["", "a", "a&A", "prefix=a&prefix2=a", "&&"] {
        assert_eq!(of(query), None, "{query}");
    }
}
