use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};

use super::Request;
use crate::detail::{Detail, Element};
use crate::front::route::Target;

fn said(code: &str, uri: &'static str, headers: &[(&'static str, &'static str)], known: &[(Element, &str)]) -> String {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
    let uri = Uri::from_static(uri);
    let target = Target::parse(uri.path(), None);
    let request = Request { method: &Method::GET, uri: &uri, headers: &headers, target, verified: false };
    let known = known.iter().map(|(element, text)| Detail { element: *element, text: (*text).into() });
    let mut details: Vec<Detail> = known.collect();
    request.complete(code, &mut details);
    details.iter().map(|detail| format!("{}={}", detail.element.name(), detail.text)).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_missing_is_named_as_it_was_asked_for() {
    let of = |code| said(code, "/b%2Du/k%20e/y?versionId=v%2b1&uploadId=u+1&partNumber=9", &[], &[]);
    assert_eq!(of("NoSuchBucket"), "BucketName=b-u");
    assert_eq!(of("NoSuchKey"), "Key=k e/y");
    assert_eq!(of("NoSuchVersion"), "Key=k e/y VersionId=v+1");
    assert_eq!(of("NoSuchUpload"), "UploadId=u 1");
    assert_eq!(of("InvalidPartNumber"), "PartNumberRequested=9");
    assert_eq!(of("MethodNotAllowed"), "Method=GET ResourceType=OBJECT");
    assert_eq!(of("KeyTooLongError"), "Size=5 MaxSizeAllowed=1024");
    assert_eq!(of("AccessDenied"), "");
    assert_eq!(of("NotImplemented"), "");
}

#[test]
fn what_the_verb_knows_better_stays() {
    assert_eq!(said("NoSuchKey", "/b/target", &[], &[(Element::Key, "source")]), "Key=source");
    assert_eq!(
        said("MethodNotAllowed", "/b/k", &[], &[(Element::ResourceType, "DeleteMarker")]).matches('=').count(),
        2
    );
}

#[test]
fn an_argument_has_the_value_that_was_sent() {
    let named = |name| [(Element::ArgumentName, name)];
    let of = |name: &'static str| said("InvalidArgument", "/b?max-keys=-1", &[("x-amz-acl", "odd")], &named(name));
    assert_eq!(of("max-keys"), "ArgumentName=max-keys ArgumentValue=-1");
    assert_eq!(of("x-amz-acl"), "ArgumentName=x-amz-acl ArgumentValue=odd");
    assert_eq!(of("marker"), "ArgumentName=marker");
    assert_eq!(said("InvalidArgument", "/b", &[], &[]), "");
}

#[test]
fn a_condition_is_the_header_that_was_sent() {
    let of = |headers: &[(&'static str, &'static str)]| said("PreconditionFailed", "/b/k", headers, &[]);
    assert_eq!(of(&[("if-none-match", "*")]), "Condition=If-None-Match");
    assert_eq!(of(&[("if-match", "a"), ("if-unmodified-since", "b")]), "Condition=If-Match");
    assert_eq!(of(&[]), "");
}

/// A wrong chunk of a body is answered with the same code; what its headers were signed as isn't what was wrong.
#[test]
fn who_has_proven_the_signature_of_the_headers_is_not_told_of_it() {
    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, \
                                 Signature=00";
    let headers = [
        (HeaderName::from_static("authorization"), AUTHORIZATION),
        (HeaderName::from_static("host"), "h"),
        (HeaderName::from_static("x-amz-date"), "20260101T000000Z"),
        (HeaderName::from_static("x-amz-content-sha256"), "UNSIGNED-PAYLOAD"),
    ];
    let headers: HeaderMap = headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    let uri = Uri::from_static("/b/k");
    for (verified, count) in [(true, 1), (false, 6)] {
        let target = Target::parse(uri.path(), None);
        let request = Request { method: &Method::PUT, uri: &uri, headers: &headers, target, verified };
        let mut details = Vec::new();
        request.complete("SignatureDoesNotMatch", &mut details);
        assert_eq!(details.len(), count);
        assert_eq!((details[0].element, &*details[0].text), (Element::AccessKeyId, "K"));
    }
}
