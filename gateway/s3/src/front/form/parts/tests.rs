use bytes::Bytes;

use super::{Event, Head, Malformed, Parts};

/// All events of a body that comes in pieces of `step` bytes, data joined.
fn events(body: &[u8], step: usize) -> Result<Vec<Event>, Malformed> {
    let mut parts = Parts::new("multipart/form-data; boundary=b").unwrap();
    let mut events: Vec<Event> = Vec::new();
    for piece in body.chunks(step) {
        parts.feed(Bytes::copy_from_slice(piece));
        while let Some(event) = parts.next()? {
            match (event, events.last_mut()) {
                (Event::Data(more), Some(Event::Data(data))) => *data = [&**data, &more].concat().into(),
                (event, _) => events.push(event),
            }
        }
    }
    Ok(events)
}

fn part(name: &str, filename: Option<&str>) -> Event {
    Event::Part(Head { name: name.to_owned(), filename: filename.map(str::to_owned) })
}

fn data(bytes: &'static [u8]) -> Event {
    Event::Data(Bytes::from_static(bytes))
}

#[test]
fn a_form_is_the_same_in_any_pieces() {
    let body = b"--b\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\nk\r\n--b  \r\ncontent-type: text/plain\r\n\
                 content-disposition: form-data; filename=\"C:\\dir\\a;b.txt\"; name=file\r\n\r\n\r\n--\r\n-\r\r\n--a\r\n\
                 --b\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--b--\r\nepilogue";
    let expected = vec![
        part("key", None),
        data(b"k"),
        Event::Ended,
        part("file", Some("C:\\dir\\a;b.txt")),
        data(b"\r\n--\r\n-\r\r\n--a"),
        Event::Ended,
        part("empty", None),
        Event::Ended,
        Event::Closed,
    ];
    for step in [1, 2, 3, 5, 7, 64, body.len()] {
        assert_eq!(events(body, step).as_ref(), Ok(&expected), "pieces of {step}");
    }
}

#[test]
fn what_stands_before_the_first_boundary_means_nothing() {
    let body = b"--B\r\n--\r\n--b--";
    assert_eq!(events(body, 4), Ok(vec![Event::Closed]));
}

#[test]
fn bodies_that_are_no_forms() {
    for body in [
        &b"--b:\r\n"[..],
        b"--b-\r\n",
        b"--b\r\n\r\ncontent",
        b"--b\r\nContent-Type: text/plain\r\n\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\n",
        b"--b\r\nContent-Disposition: attachment; name=a\r\n\r\n",
        b"--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\n",
        b"--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n",
        b"--b\r\nContent-Disposition: form-data; name=\xff\r\n\r\n",
    ] {
        assert_eq!(events(body, 3), Err(Malformed), "{}", String::from_utf8_lossy(body));
    }
    for body in [&b"no boundary"[..], b"--b", b"--b\r\nContent-Disposition: form-data; name=a\r\n"] {
        assert_eq!(events(body, 3), Ok(vec![]));
    }
}

#[test]
fn boundaries() {
    for content_type in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a"] {
        assert!(Parts::new(content_type).is_none(), "{content_type}");
    }
    assert!(Parts::new(&format!("multipart/form-data; boundary={}", "x".repeat(71))).is_none());
    assert!(Parts::new("multipart/form-data; charset=utf-8; Boundary=\"a; b\"").is_some());
}

#[test]
fn quotes_in_names() {
    let body = b"--b\r\nContent-Disposition: form-data; name=\"a\\\"b\"; filename=\"c:\\\"\r\n\r\n\r\n--b--";
    let expected = [part("a\"b", Some("c:\\")), Event::Ended, Event::Closed];
    assert_eq!(events(body, 100).as_deref(), Ok(&expected[..]));
}
