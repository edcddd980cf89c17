use hyper::HeaderMap;
use s3s::{S3Error, S3ErrorCode};

use super::{Detail, Element, Saying as _, take};

#[test]
fn what_is_said_comes_out_as_it_went_in_and_leaves_no_header() {
    let texts = ["", "plain", "100 %", "a=b&c", "two\nlines\r\tand a tab", "ключ\u{0}\u{7f}", "%25"];
    let error = texts.iter().fold(S3Error::new(S3ErrorCode::NoSuchKey), |error, text| error.saying(Element::Key, text));
    let mut headers: HeaderMap = error.headers().cloned().unwrap_or_default();
    let said: Vec<Detail> = take(&mut headers);
    assert_eq!(said.iter().map(|detail| &*detail.text).collect::<Vec<_>>(), texts);
    assert!(headers.is_empty());
}

#[test]
fn headers_that_an_error_has_stay() {
    let mut error = S3Error::new(S3ErrorCode::InvalidRange);
    error.set_headers(HeaderMap::from_iter([(hyper::header::ALLOW, hyper::header::HeaderValue::from_static("GET"))]));
    let mut headers = error.saying(Element::Size, 7).headers().cloned().unwrap_or_default();
    assert_eq!(take(&mut headers), [Detail { element: Element::Size, text: "7".into() }]);
    assert_eq!(headers.len(), 1);
}
