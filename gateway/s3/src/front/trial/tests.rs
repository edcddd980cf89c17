use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{PRESIGNED, SUBRESOURCES, WHOLE};

/// A query of the names that mean something, beside others.
fn query() -> impl Strategy<Value = String> {
    let known = ["partNumber", "versionId", "acl", "prefix", "Signature", "%75ploads", "list%2Dtype", "upload+Id"];
    let name = prop_oneof![select(SUBRESOURCES.to_vec()), select(PRESIGNED.to_vec()), select(known.to_vec())];
    let pair = prop_oneof![
        8 => (name, "(=(|2|null|%32|[0-9]{1,9}|-1|%2B5))?").prop_map(|(name, value)| format!("{name}{value}")),
        1 => "[^&#]{0,12}".prop_map(String::from),
    ];
    vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

fn method() -> impl Strategy<Value = Method> {
    select(vec![Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS])
}

/// A path whose slashes are written in every way there is.
fn path() -> impl Strategy<Value = String> {
    prop_oneof!["/(bucket|(/|%2F|%2f|%252f|%|[a-z.]|%2e|é|%C3%A9|%FF){0,6})((/|%2F|%2f)[a-z%/ +.]{0,12})?", "/.{0,32}"]
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof!["([A-Za-z.é-]{0,12}\\.)?[sS]3\\.example(:[0-9a]{0,5})?", ".{0,24}"]
}

/// Headers of a signed request, of which little is wrong.
fn headers() -> impl Strategy<Value = HeaderMap> {
    let credential = "(K|a/b|)/(20260101|)/(us-east-1|eu)/(s3|iam)/(aws4_request|x)";
    let signed = "(host|)(;x-amz-date)?(;x-amz-meta-a)?(;x-amz-acl)?";
    let claim = (credential, signed).prop_map(|(credential, signed)| {
        format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed}, Signature=0")
    });
    let authorization = prop_oneof![3 => claim, 1 => "AWS4?[ -~]{0,60}".prop_map(String::from)];
    let other = (
        select(vec!["x-amz-date", "x-amz-meta-a", "x-amz-acl", "x-amz-content-sha256", "content-type"]),
        "(private|[ -~]{0,12})",
    );
    (proptest::option::of(authorization), vec(other, 0..4)).prop_map(|(authorization, others)| {
        let mut headers = HeaderMap::new();
        for (name, value) in others {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        if let Some(value) = authorization {
            headers.insert("authorization", HeaderValue::from_str(&value).unwrap());
        }
        headers
    })
}

/// The query of a presigned request, of which little is wrong.
fn presigned() -> impl Strategy<Value = String> {
    let credential =
        select(vec!["K%2F20260101%2Fus-east-1%2Fs3%2Faws4_request", "K%2F%2Fus-east-1%2Fs3%2Faws4_request"]);
    let life = prop_oneof!["[0-9]{1,3}", "6048[0-9]{2}", "[%2B0-9 -]{0,24}"];
    (credential, life, "host(;x-amz-date)?(%3Bx-amz-meta-a)?", "(&X-Amz-Expires=[0-9]{0,8})?").prop_map(
        |(credential, life, signed, again)| {
            format!(
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date=20260101T000000Z\
                 &X-Amz-Expires={life}&X-Amz-SignedHeaders={signed}&X-Amz-Signature=0{again}"
            )
        },
    )
}

/// A body in chunks, most of which are what they should be.
fn chunked() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        12 => (0usize..400).prop_map(|size| (format!("{size:x}"), size)),
        2 => (0usize..40).prop_map(|size| (format!("{size:08X}"), size)),
        1 => (WHOLE as usize..WHOLE as usize + 3).prop_map(|size| (format!("{size:x}"), size)),
        1 => "[0-9a-fz+]{0,18}".prop_map(|digits| (digits, 5)),
    ];
    let end = prop_oneof![20 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("")];
    let chunk = (size, prop_oneof![Just(""), Just(";chunk-signature=ab")], end.clone(), end).prop_map(
        |((digits, size), signature, line_end, end)| {
            [format!("{digits}{signature}{line_end}").as_bytes(), &vec![b'\n'; size], end.as_bytes()].concat()
        },
    );
    (vec(chunk, 0..5), vec(any::<u8>(), 0..40)).prop_map(|(chunks, rest)| [chunks.concat(), rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_request_is_what_s3s_takes_it_for(
        method in method(), host in host(), path in path(), query in query(), copies: bool
    ) {
        super::route(&method, &host, &path, &query, copies);
    }

    #[test]
    fn what_is_let_through_is_signed(headers in headers(), query in prop_oneof![query(), presigned(), Just(String::new())]) {
        super::signature(&headers, &query);
    }

    #[test]
    fn no_name_breaks_an_error(resource in any::<String>()) {
        super::refusal(&resource);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn chunks_hold_what_they_say(body in chunked(), step in prop_oneof![1usize..9, 100usize..70_000], signed: bool) {
        super::chunks(&body, step, signed);
    }

    #[test]
    fn bytes_that_are_no_chunks(body in vec(any::<u8>(), 0..3000), step in 1usize..100, signed: bool) {
        super::chunks(&body, step, signed);
    }
}

/// The strategies reach what they are there for.
#[test]
fn a_good_signature_is_let_through() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=K%2F20260101%2Fus-east-1%2Fs3%2Faws4_request\
                 &X-Amz-Date=20260101T000000Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=0";
    assert!(super::signature(&HeaderMap::new(), query));
    assert!(!super::signature(&HeaderMap::new(), &query.replace("604800", "604801")));
    assert!(!super::signature(&HeaderMap::new(), &query.replace("604800", "%2B5")));
    let value = "AWS4-HMAC-SHA256 Credential=a/b/20260101/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0";
    let mut headers =
        HeaderMap::from_iter([(HeaderName::from_static("authorization"), HeaderValue::from_static(value))]);
    assert!(super::signature(&headers, ""));
    headers.insert("x-amz-meta-a", HeaderValue::from_static("1"));
    assert!(!super::signature(&headers, ""));
}

/// XML has no such character, not even as a reference.
#[test]
fn characters_that_xml_does_not_have() {
    for resource in ["/\u{0}", "/\u{1b}", "/\u{fffe}", "/\u{ffff}", "/<&>\"", "/\u{7f}"] {
        super::refusal(resource);
    }
}
