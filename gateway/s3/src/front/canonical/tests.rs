use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};

use super::Calculated;

fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
    list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

/// AWS's example of a GET with a header of its own ("Authenticating Requests: Using the Authorization Header").
#[test]
fn the_example_that_aws_gives() {
    let headers = headers(&[
        ("host", "examplebucket.s3.amazonaws.com"),
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("x-amz-date", "20130524T000000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb8",
        ),
    ]);
    let told = Calculated::of(&Method::GET, &Uri::from_static("/test.txt"), &headers).unwrap();
    assert_eq!((&*told.access_key, &*told.signature), ("AKIAIOSFODNN7EXAMPLE", "f0e8bdb8"));
    assert_eq!(
        told.string_to_sign,
        "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n\
         7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    );
}

/// AWS's example of a presigned GET ("Authenticating Requests: Using Query Parameters").
#[test]
fn the_presigned_example_that_aws_gives() {
    let uri = Uri::from_static(
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3\
         %2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeee",
    );
    let told = Calculated::of(&Method::GET, &uri, &headers(&[("host", "examplebucket.s3.amazonaws.com")])).unwrap();
    assert_eq!(told.signature, "aeee");
    assert!(told.string_to_sign.ends_with("\n3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04"));
}

#[test]
fn an_access_key_may_hold_slashes_and_nobody_signs_nothing() {
    let signed = headers(&[
        ("host", "h"),
        ("x-amz-date", "20260101T000000Z"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/b/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ]);
    let uri = Uri::from_static("/b/a%20b?y=2&x=%2f&x=1");
    let told = Calculated::of(&Method::PUT, &uri, &signed).unwrap();
    assert_eq!(told.access_key, "a/b");
    assert_eq!(told.canonical_request, "PUT\n/b/a%20b\nx=%2F&x=1&y=2\nhost:h\n\nhost\nUNSIGNED-PAYLOAD");
    assert_eq!(Calculated::of(&Method::PUT, &uri, &headers(&[("host", "h")])), None);
}
