//! What every answer has, and how errors look.

use std::collections::HashSet;
use std::io::Write;

use packstone_s3::front::{Outcome, Settings, Verb};

use crate::client::{Answer, Request, connect, exchange, read_to_end};
use crate::memory::{self, server, server_with, settings};

#[test]
fn an_object_goes_in_and_comes_out() {
    let server = server();
    let address = server.front.address();
    assert_eq!(Request::new("PUT", "/bucket/key").body(b"hello").send(address).status, 200);
    let answer = Request::new("GET", "/bucket/key").send(address);
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert_eq!(answer.headers["content-length"], "5");
}

#[test]
fn a_body_of_one_large_chunk() {
    let server = server();
    let address = server.front.address();
    let content: String = (0..300_000).map(|number| format!("{number} ")).collect();
    let body = format!("{:x}\r\n{content}\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", content.len());
    let mut request = Request::new("PUT", "/bucket/key")
        .body(body.as_bytes())
        .header("x-amz-decoded-content-length", &content.len().to_string())
        .header("x-amz-trailer", "x-amz-checksum-crc32");
    request.digest = Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER".into());
    assert_eq!(request.send(address).status, 200);
    assert!(Request::new("GET", "/bucket/key").send(address).body == content);
}

#[test]
fn chunks_of_who_did_not_sign() {
    let server = server();
    let address = server.front.address();
    let chunked = Request::new("PUT", "/bucket/key")
        .body(b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
        .unsigned("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .unsigned("x-amz-decoded-content-length", "11");
    assert_eq!(chunked.send_anonymous(address).status, 200);
    assert_eq!(Request::new("GET", "/bucket/key").send(address).body, "hello world");
}

#[test]
fn every_answer_has_an_id_of_its_own() {
    let server = server();
    let address = server.front.address();
    let ids: HashSet<String> = (0..20)
        .map(|round| {
            let answer = match round % 4 {
                0 => Request::new("GET", "/").send(address),
                1 => Request::new("GET", "/bucket/absent").send(address),
                2 => Request::new("GET", "/bucket?website").send(address),
                _ => Request::new("GET", "/").send_anonymous(address),
            };
            assert!(!answer.headers["x-amz-id-2"].is_empty());
            answer.headers["x-amz-request-id"].clone()
        })
        .collect();
    assert_eq!(ids.len(), 20);
    assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
}

#[test]
fn an_error_names_its_request() {
    let server = server();
    let answer = Request::new("GET", "/bucket/a%26b").send(server.front.address());
    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["content-type"], "application/xml");
    assert_eq!(answer.element("Code"), "NoSuchKey");
    assert_eq!(answer.element("Message"), "The specified key does not exist.");
    assert_eq!(answer.element("Resource"), "/bucket/a%26b");
    assert_eq!(answer.element("RequestId"), answer.headers["x-amz-request-id"]);
    assert_eq!(answer.element("HostId"), answer.headers["x-amz-id-2"]);
}

#[test]
fn an_error_to_head_has_no_body() {
    let server = server();
    for answer in [
        Request::new("HEAD", "/bucket/absent").send(server.front.address()),
        Request::new("HEAD", "/bucket/absent").send_anonymous(server.front.address()),
    ] {
        assert!(answer.status >= 400);
        assert_eq!(answer.body, "");
        assert!(answer.headers.contains_key("x-amz-request-id"));
    }
}

#[test]
fn several_requests_share_a_connection() {
    let server = server();
    let address = server.front.address();
    let head = Request::new("GET", "/").head(&address.to_string()).replace("connection: close\r\n", "");
    let last = Request::new("GET", "/").head(&address.to_string());
    let mut stream = connect(address);
    stream.write_all(format!("{head}{head}{last}").as_bytes()).unwrap();
    let raw = read_to_end(&mut stream);
    assert_eq!(String::from_utf8_lossy(&raw).matches("HTTP/1.1 200 OK").count(), 3);
}

#[test]
fn a_bucket_may_stand_in_the_host() {
    let server = server_with(&Settings { domains: vec!["s3.example.com".into()], ..settings() });
    let address = server.front.address();
    assert_eq!(Request::new("PUT", "/bucket/key").body(b"hello").send(address).status, 200);
    let ask = |host: &str, path: &str| exchange(address, Request::new("GET", path).head(host).as_bytes());
    assert_eq!(ask("bucket.s3.example.com", "/key").body, "hello");
    assert_eq!(ask("Bucket.S3.Example.Com:9000", "/key").body, "hello");
    assert_eq!(ask("s3.example.com", "/bucket/key").body, "hello");
    // An unknown host is path style.
    assert_eq!(ask("storage.elsewhere.org", "/bucket/key").body, "hello");
}

#[test]
fn requests_are_counted_by_verb_and_outcome() {
    let server = server();
    let address = server.front.address();
    Request::new("PUT", "/bucket/key").body(b"hello").send(address);
    Request::new("GET", "/bucket/key").send(address);
    Request::new("GET", "/bucket/absent").send(address);
    Request::new("GET", "/bucket?website").send(address);
    let counts = server.front.counts();
    let count = |verb: Verb, outcome: Outcome| {
        counts.verbs.iter().find(|counts| counts.verb == verb).unwrap().requests[outcome as usize]
    };
    assert_eq!(count(Verb::PutObject, Outcome::Success), 1);
    assert_eq!(count(Verb::GetObject, Outcome::Success), 1);
    assert_eq!(count(Verb::GetObject, Outcome::ClientError), 1);
    assert_eq!(count(Verb::Unserved, Outcome::ServerError), 1);
    assert_eq!(counts.bytes_in, 5);
    assert!(counts.bytes_out > 5);
    assert_eq!(counts.in_flight, 0);
    for verb in &counts.verbs {
        assert_eq!(verb.latency.iter().sum::<u64>(), verb.requests.iter().sum::<u64>());
    }
}

#[test]
fn the_root_credentials_can_be_changed() {
    let server = server();
    let address = server.front.address();
    server.front.set_root(memory::ACCESS, "another secret", None);
    let answer = Request::new("GET", "/").send(address);
    assert_eq!((answer.status, answer.element("Code")), (403, "SignatureDoesNotMatch"));
    let renewed = Request { secret: "another secret", ..Request::new("GET", "/") };
    assert_eq!(renewed.send(address).status, 200);
    server.front.set_root("SOMEBODY", "another secret", None);
    assert_eq!(renewed.send(address).element("Code"), "InvalidAccessKeyId");
}

#[test]
fn the_access_log_has_a_line_for_each_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let server = server_with(&Settings { access_log: Some(path.clone()), ..settings() });
    let address = server.front.address();
    Request::new("PUT", "/bucket/key").body(b"hello").send(address);
    Request::new("GET", "/bucket/key").unsigned("user-agent", "say \"cheese\"").send(address);
    Request::new("GET", "/bucket/absent").send(address);
    let lines = eventually(|| {
        let text = std::fs::read_to_string(&path).unwrap();
        (text.lines().count() == 3).then_some(text)
    });
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines[0].contains("REST.PUT.OBJECT key \"PUT /bucket/key HTTP/1.1\" 200 - "), "{}", lines[0]);
    assert!(lines[1].contains(" 200 - 5 ") && lines[1].contains("\"say %22cheese%22\""), "{}", lines[1]);
    assert!(lines[2].contains(" 404 NoSuchKey "), "{}", lines[2]);
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it never came about");
}

#[test]
fn an_answer_is_parsed_by_the_client_of_these_tests() {
    let answer = Answer::parse(b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n<E><Code>c</Code></E>");
    assert_eq!((answer.status, answer.headers["x-a"].as_str(), answer.element("Code")), (200, "b", "c"));
}
