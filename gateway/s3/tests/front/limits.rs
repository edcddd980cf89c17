//! Clients that send too much, too slowly, or not at all.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use packstone_s3::front::Settings;

use crate::client::{Answer, Request, connect, exchange, read_to_end};
use crate::memory::{server, server_with, settings};

fn hasty() -> Settings {
    Settings { header_timeout: Duration::from_millis(300), body_timeout: Duration::from_millis(300), ..settings() }
}

#[test]
fn ten_thousand_headers() {
    let server = server();
    let address = server.front.address();
    let mut text = String::from("GET / HTTP/1.1\r\nhost: a\r\n");
    for number in 0..10_000 {
        write!(text, "x-header-{number}: value\r\n").unwrap();
    }
    text.push_str("\r\n");
    let answer = exchange(address, text.as_bytes());
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(Request::new("GET", "/").send(address).status, 200);
}

#[test]
fn headers_that_are_too_long() {
    let server = server();
    let answer = Request::new("GET", "/").unsigned("cookie", &"c".repeat(17 << 10)).send(server.front.address());
    assert_eq!((answer.status, answer.element("Code")), (400, "RequestHeaderSectionTooLarge"));
}

#[test]
fn a_client_that_says_nothing_is_left() {
    let server = server_with(&hasty());
    for words in ["", "GET", "GET / HTTP/1.1\r\nhost: a\r\n"] {
        let mut stream = connect(server.front.address());
        stream.write_all(words.as_bytes()).unwrap();
        let began = Instant::now();
        read_to_end(&mut stream);
        assert!(began.elapsed() < Duration::from_secs(10), "{words:?} was waited for");
    }
}

#[test]
fn a_body_that_stalls_leaves_nothing() {
    let server = server_with(&hasty());
    let address = server.front.address();
    let request = Request::new("PUT", "/bucket/key").body(b"hello");
    let mut stream = connect(address);
    stream.write_all(request.head(&address.to_string()).as_bytes()).unwrap();
    stream.write_all(b"hel").unwrap();
    let answer = Answer::parse(&read_to_end(&mut stream));
    assert_eq!(answer.status, 400);
    assert_eq!(server.memory.len(), 0);
    assert_eq!(server.front.counts().in_flight, 0);
}

#[test]
fn a_document_that_stalls_is_a_timeout() {
    let server = server_with(&hasty());
    let address = server.front.address();
    let request = Request::new("POST", "/bucket?delete").body(b"<Delete><Object><Key>a</Key></Object></Delete>");
    let mut stream = connect(address);
    stream.write_all(request.head(&address.to_string()).as_bytes()).unwrap();
    stream.write_all(b"<Del").unwrap();
    let answer = Answer::parse(&read_to_end(&mut stream));
    assert_eq!((answer.status, answer.element("Code")), (400, "RequestTimeout"));
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing() {
    let server = server();
    let address = server.front.address();
    let request = Request::new("PUT", "/bucket/key").body(&[7; 100_000]);
    let mut stream = connect(address);
    stream.write_all(request.head(&address.to_string()).as_bytes()).unwrap();
    stream.write_all(&[7; 50_000]).unwrap();
    drop(stream);
    for _ in 0..500 {
        if server.front.counts().in_flight == 0 && server.front.counts().connections == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let counts = server.front.counts();
    assert_eq!((counts.in_flight, counts.connections, server.memory.len()), (0, 0, 0));
}

#[test]
fn a_client_that_does_not_read_is_left() {
    let server = server_with(&hasty());
    let address = server.front.address();
    let large = vec![7; 64 << 20];
    let put = Request { digest: Some("UNSIGNED-PAYLOAD".into()), ..Request::new("PUT", "/bucket/key").body(&large) };
    assert_eq!(put.send(address).status, 200);
    let mut stream = connect(address);
    stream.write_all(Request::new("GET", "/bucket/key").head(&address.to_string()).as_bytes()).unwrap();
    // First it must have been seen at all.
    let settles_at = |wanted: i64| {
        (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            server.front.counts().connections == wanted
        })
    };
    assert!(settles_at(1));
    assert!(settles_at(0));
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    assert!(received.len() < large.len());
}

#[test]
fn an_early_refusal_reaches_a_client_that_is_still_sending() {
    let server = server();
    let body = vec![7; 8 << 20];
    let request = Request::new("PUT", "/bucket/key?annotation").body(&body);
    let answer = request.send(server.front.address());
    assert_eq!((answer.status, answer.element("Code")), (501, "NotImplemented"));
}
