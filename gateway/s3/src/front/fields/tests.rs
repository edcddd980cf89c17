use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::{amend, expect_source};
use crate::front::route::Verb;

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field =
        |(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    fields.iter().map(field).collect()
}

const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request,SignedHeaders=host;range,Signature=0";
const PRESIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=5\
                         &X-Amz-SignedHeaders=host&X-Amz-Signature=c";

#[test]
fn what_cannot_be_read_is_passed_over() {
    const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    for (name, value, stays) in [
        ("range", "bytes=0-1", true),
        ("range", "bytes=0-1,3-4", false),
        ("range", "bytes=9-2", false),
        ("range", "chars=0-1", false),
        ("if-modified-since", DATE, true),
        ("if-modified-since", "yesterday", false),
        ("if-unmodified-since", "0", false),
        ("if-match", "nonsense", true),
    ] {
        let mut held = headers(&[(name, value)]);
        amend(&mut held, Some(PRESIGNED), Verb::GetObject);
        assert_eq!(held.contains_key(name), stays, "{name}: {value}");
    }
}

#[test]
fn what_is_signed_stays() {
    let mut held = headers(&[("authorization", SIGNED), ("range", "chars=0-1"), ("if-modified-since", "yesterday")]);
    amend(&mut held, None, Verb::GetObject);
    assert!(held.contains_key("range"));
    assert!(!held.contains_key("if-modified-since"));
}

#[test]
fn only_reads_are_amended() {
    let mut held = headers(&[("range", "chars=0-1")]);
    amend(&mut held, Some(PRESIGNED), Verb::PutObject);
    assert!(held.contains_key("range"));
}

#[test]
fn a_date_stands_for_the_signing_date() {
    let amended = |fields: &[(&'static str, &'static str)]| {
        let mut held = headers(fields);
        amend(&mut held, None, Verb::PutObject);
        held.get("x-amz-date").map(|date| date.to_str().unwrap().to_owned())
    };
    const DATE: (&str, &str) = ("date", "Sat, 21 Nov 2026 05:06:07 GMT");
    const AUTHORIZATION: (&str, &str) = ("authorization", SIGNED);
    assert_eq!(amended(&[AUTHORIZATION, DATE]).as_deref(), Some("20261121T050607Z"));
    let elsewhere = ("date", "Sat, 21 Nov 2026 06:06:07 +0100");
    assert_eq!(amended(&[AUTHORIZATION, elsewhere]).as_deref(), Some("20261121T050607Z"));
    let nowhere = ("date", "Sat, 21 Nov 2026 05:06:07 -0000");
    assert_eq!(amended(&[AUTHORIZATION, nowhere]).as_deref(), Some("20261121T050607Z"));
    assert_eq!(amended(&[AUTHORIZATION, ("date", "20261121T050607Z")]).as_deref(), Some("20261121T050607Z"));
    assert_eq!(amended(&[AUTHORIZATION, DATE, ("x-amz-date", "another")]).as_deref(), Some("another"));
    assert_eq!(amended(&[DATE]), None);
}

#[test]
fn a_copy_has_a_source() {
    for (source, is_one) in [
        ("bucket/key", true),
        ("/bucket/a/b?versionId=null", true),
        ("bucket", false),
        ("bucket/%FF", false),
        ("/", false),
    ] {
        let held = headers(&[("x-amz-copy-source", source)]);
        let told = expect_source(&held, Verb::CopyObject).map_err(|refusal| refusal.code);
        assert_eq!(told, if is_one { Ok(()) } else { Err("InvalidArgument") }, "{source}");
    }
}
