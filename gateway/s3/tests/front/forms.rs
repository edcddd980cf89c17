//! Uploads by forms, as far as the front alone answers them.

use std::io::{Read, Write};
use std::time::Duration;

use packstone_s3::front::{Outcome, Settings, Verb};

use crate::client::{Answer, Request, connect, read_to_end};
use crate::memory::{server, server_with, settings};

const FIELDS: &str = "--b\r\ncontent-disposition: form-data; name=key\r\n\r\nkey\r\n\
                      --b\r\ncontent-disposition: form-data; name=file\r\n\r\n";

fn form(body: &str) -> Request {
    Request::new("POST", "/bucket").unsigned("content-type", "multipart/form-data; boundary=b").body(body.as_bytes())
}

fn head(length: u64) -> String {
    format!(
        "POST /bucket HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=b\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    )
}

#[test]
fn a_form_is_refused_before_its_file() {
    let server = server();
    let unsigned = "--b\r\ncontent-disposition: form-data; name=policy\r\n\r\ne30=\r\n";
    let mut stream = connect(server.front.address());
    stream.write_all(format!("{}{unsigned}{FIELDS}", head(600 << 20)).as_bytes()).unwrap();
    let answer = Answer::parse(&read_to_end(&mut stream));
    assert_eq!((answer.status, answer.element("Code")), (400, "InvalidArgument"));
    let counts = server.front.counts();
    let post = counts.verbs.iter().find(|counts| counts.verb == Verb::PostObject).unwrap();
    assert_eq!(post.requests[Outcome::ClientError as usize], 1);
    assert_eq!(server.memory.len(), 0);
}

/// Who may do what is up to the verbs.
#[test]
fn a_form_that_nobody_signed() {
    let server = server();
    let answer = form(&format!("{FIELDS}text\r\n--b--\r\n")).send_anonymous(server.front.address());
    assert_eq!(answer.status, 204);
    assert_eq!(Request::new("GET", "/bucket/key").send(server.front.address()).body, "text");
}

#[test]
fn a_form_that_no_object_can_fill_is_refused_unread() {
    let server = server();
    let mut stream = connect(server.front.address());
    stream.write_all(head(1 << 40).as_bytes()).unwrap();
    let answer = Answer::parse(&read_to_end(&mut stream));
    assert_eq!((answer.status, answer.element("Code")), (400, "EntityTooLarge"));
}

#[test]
fn a_form_says_how_long_it_is() {
    let server = server();
    let chunked = form("").unsigned("transfer-encoding", "chunked");
    let answer = chunked.send_anonymous(server.front.address());
    assert_eq!((answer.status, answer.element("Code")), (411, "MissingContentLength"));
}

#[test]
fn a_form_that_stalls() {
    let patience = Duration::from_millis(300);
    let server = server_with(&Settings { header_timeout: patience, body_timeout: patience, ..settings() });
    let mut stream = connect(server.front.address());
    stream.write_all(format!("{}--b\r\n", head(1000)).as_bytes()).unwrap();
    let answer = Answer::parse(&read_to_end(&mut stream));
    assert_eq!((answer.status, answer.element("Code")), (400, "RequestTimeout"));
}

#[test]
fn headers_of_a_part_without_an_end() {
    let server = server();
    let mut stream = connect(server.front.address());
    stream.write_all(format!("{}--b\r\na: ", head(600 << 20)).as_bytes()).unwrap();
    // The server may answer, and close, before all is sent.
    let _ = stream.write_all(&vec![b'x'; 1 << 20]);
    let mut raw = Vec::new();
    let _ = stream.read_to_end(&mut raw);
    let answer = Answer::parse(&raw);
    assert_eq!((answer.status, answer.element("Code")), (400, "MaxPostPreDataLengthExceededError"));
}

#[test]
fn a_form_is_signed_by_its_policy_alone() {
    let server = server();
    let address = server.front.address();
    let body = format!("{FIELDS}text\r\n--b--\r\n");
    let answer = form(&body).send(address);
    assert_eq!((answer.status, answer.element("Code")), (400, "InvalidArgument"));
    assert_eq!(server.memory.len(), 0);
    let elsewhere = Request { path: "/bucket/key".into(), ..form(&body) };
    assert_eq!(elsewhere.send(address).status, 501);
}
