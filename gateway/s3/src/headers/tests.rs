use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use packstone_store::object::SystemHeader;

use super::{DEFAULT_TYPE, content_type, described, expires};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

#[test]
fn what_stands_with_an_object() {
    let attributes = described(
        &headers(&[
            ("content-type", "text/plain"),
            ("cache-control", "no-cache"),
            ("expires", "Tue, 01 Jan 2030 00:00:00 GMT"),
            ("x-amz-website-redirect-location", "/elsewhere"),
            ("host", "example"),
        ]),
        Some([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into()),
    )
    .unwrap();
    assert_eq!(content_type(&attributes), "text/plain");
    assert_eq!(attributes.header(SystemHeader::CacheControl), Some("no-cache"));
    assert_eq!(attributes.header(SystemHeader::WebsiteRedirectLocation), Some("/elsewhere"));
    assert!(expires(&attributes).is_some());
    assert_eq!(attributes.user, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    assert_eq!(attributes.headers.len(), 4);
}

#[test]
fn the_default_type_takes_no_space() {
    for pairs in [&[][..], &[("content-type", DEFAULT_TYPE)]] {
        let attributes = described(&headers(pairs), None).unwrap();
        assert!(attributes.headers.is_empty());
        assert_eq!(content_type(&attributes), DEFAULT_TYPE);
    }
}

#[test]
fn how_a_body_came_is_not_kept() {
    for (sent, kept) in [
        ("aws-chunked", None),
        ("aws-chunked,gzip", Some("gzip")),
        ("gzip, aws-chunked", Some("gzip")),
        ("deflate,aws-chunked, gzip", Some("deflate, gzip")),
        ("deflate, gzip", Some("deflate, gzip")),
    ] {
        let attributes = described(&headers(&[("content-encoding", sent)]), None).unwrap();
        assert_eq!(attributes.header(SystemHeader::ContentEncoding), kept, "{sent}");
    }
}

#[test]
fn what_is_refused() {
    let long = Some([("name".to_owned(), "v".repeat(2045))].into());
    assert_eq!(described(&HeaderMap::new(), long).unwrap_err().code().as_str(), "MetadataTooLarge");
    let most = Some([("name".to_owned(), "v".repeat(2044))].into());
    assert!(described(&HeaderMap::new(), most).is_ok());
    let redirect = headers(&[("x-amz-website-redirect-location", "ftp://elsewhere")]);
    assert_eq!(described(&redirect, None).unwrap_err().code().as_str(), "InvalidRedirectLocation");
}
