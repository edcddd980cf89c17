#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::front::ids::RequestIds;

proptest! {
    #[test]
    fn no_text_ends_its_field_or_its_line(text in any::<String>()) {
        let quoted = Quoted(&text).to_string();
        prop_assert!(quoted.is_ascii() && !quoted.contains(|character: char| character == '"' || character.is_control()));
        let bare = Bare(&text).to_string();
        prop_assert!(!bare.contains(|character: char| matches!(character, '"' | ' ') || character.is_control()));
        prop_assert_eq!(bare.replace("%20", " "), quoted.replace("%20", " "));
    }
}

#[test]
fn what_a_presigned_url_is_worth_is_not_written() {
    let uri = "/b/k?X-Amz-Date=1&X-Amz-Signature=abc&x-amz-security%2dtoken=def&versionId".parse().unwrap();
    assert_eq!(masked(&uri), "/b/k?X-Amz-Date=1&X-Amz-Signature=***&x-amz-security%2dtoken=***&versionId");
    assert_eq!(masked(&"/b/k".parse().unwrap()), "/b/k");
}

fn line(uri: &str) -> Line {
    let request = hyper::Request::get(uri).header(HOST, "s3.example").header(USER_AGENT, "a tool");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let ids = RequestIds::new();
    let secured = Secured { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256".into() };
    let client = ("[::ffff:192.0.2.3]:1234".parse().unwrap(), Some(Arc::new(secured)));
    Line::new(client, (ids.mint(), &HeaderValue::from_static("host")), &parts)
}

fn formatted(line: &Line) -> String {
    let mut text = String::new();
    line.format(&mut text);
    text
}

#[test]
fn fields_stand_in_the_order_of_aws() {
    let mut line = line("/ticks/a%20b?versionId=v1");
    (line.bucket, line.key) = (Some("ticks".into()), Some("a%20b".into()));
    let headers = HeaderMap::from_iter([(CONTENT_RANGE, HeaderValue::from_static("bytes 0-4/113"))]);
    line.answered(Verb::GetObject, &headers, Duration::from_millis(3));
    line.finish(Verb::GetObject, Some(StatusCode::PARTIAL_CONTENT), 5, Duration::from_millis(7));
    line.ended = SystemTime::UNIX_EPOCH + Duration::from_secs(1_549_411_238);
    let expected = format!(
        "{} ticks [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - {} REST.GET.OBJECT a%20b \"GET /ticks/a%20b?versionId=v1 \
         HTTP/1.1\" 206 - 5 113 7 3 \"-\" \"a tool\" v1 host - TLS_AES_128_GCM_SHA256 - s3.example TLSv1.3 - -\n",
        owner::CANONICAL_ID,
        line.id
    );
    assert_eq!(formatted(&line), expected);
}

#[test]
fn a_signer_is_named_once_the_signature_held() {
    let mut line = line("/ticks");
    let root = packstone_access::Principal::new(Kind::Root, owner::account().clone());
    let identity = Arc::new(packstone_access::Identity::new(root));
    let arrival = Arc::new(Arrival {
        bearer: Arc::new(Bearer { identity, ..Bearer::anonymous() }),
        remote: "192.0.2.3".parse().unwrap(),
        region: "us-east-1".into(),
        secure: true,
        signed: Signed::Url,
        headers: HeaderMap::new(),
        uri: "/ticks".parse().unwrap(),
        verified: std::sync::atomic::AtomicBool::new(false),
    });
    line.arrival = Some(arrival.clone());
    assert!(!formatted(&line).contains("SigV4"));
    arrival.verify();
    let text = formatted(&line);
    assert!(text.contains(&format!(" {} ", owner::CANONICAL_ID)) && text.contains(" SigV4 "), "{text}");
    assert!(text.contains(" QueryString "), "{text}");
}

#[test]
fn nobody_fills_the_log_with_one_request() {
    let text = "é".repeat(10_000);
    assert_eq!(cut(&text, LONGEST_FIELD).len(), LONGEST_FIELD);
    assert_eq!(cut(&text, 3).len(), 2, "at the end of a letter");
    assert_eq!(cut("short", LONGEST_FIELD), "short");
}
