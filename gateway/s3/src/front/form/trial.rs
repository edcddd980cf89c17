//! What must hold of the readers of forms whatever a form says; see `front/trial.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a trial says by a panic what doesn't hold")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use memchr::memmem;
use s3s::dto::Timestamp;
use serde_json::Value;

use super::fields::Fields;
use super::parts::{Event, Parts};
use super::policy::Policy;

const BOUNDARY: &str = "b0";

/// A form is the same whatever pieces it comes in; what lies between two boundaries, and nothing else, is in it; and of
/// what was taken nothing is held that can't be the beginning of a boundary.
pub fn form(body: &[u8], step: usize) {
    let whole = taken(body, body.len().max(1));
    let pieces = taken(body, step.max(1));
    assert_eq!(pieces, whole, "pieces of {step}");
    let framed = [b"\r\n", body].concat();
    let delimiter = format!("\r\n--{BOUNDARY}");
    for content in &whole.0 {
        let at = memmem::find_iter(&framed, &**content).next();
        assert!(at.is_some(), "bytes that weren't sent");
        assert!(memmem::find(content, delimiter.as_bytes()).is_none(), "a boundary inside a part");
    }
    let boundaries = memmem::find_iter(&framed, delimiter.as_bytes()).count();
    assert!(whole.0.len() <= boundaries);
}

/// The contents of all parts, and whether the form ended, or else was refused.
fn taken(body: &[u8], step: usize) -> (Vec<Vec<u8>>, bool, bool) {
    let mut parts = Parts::new(&format!("multipart/form-data; boundary={BOUNDARY}")).unwrap();
    let (mut contents, mut inside): (Vec<Vec<u8>>, bool) = (Vec::new(), false);
    for piece in body.chunks(step) {
        parts.feed(Bytes::copy_from_slice(piece));
        loop {
            match parts.next() {
                Ok(Some(Event::Part(head))) => {
                    assert!(!inside && !head.name.chars().any(char::is_uppercase));
                    inside = true;
                    contents.push(Vec::new());
                }
                Ok(Some(Event::Data(data))) => {
                    assert!(inside && !data.is_empty());
                    contents.last_mut().unwrap().extend_from_slice(&data);
                }
                Ok(Some(Event::Ended)) => inside = false,
                Ok(Some(Event::Closed)) => assert!(!inside),
                Ok(None) => break,
                Err(_) => return (contents, false, true),
            }
        }
        assert!(!inside || parts.held() < BOUNDARY.len() + 4, "{} bytes are held back", parts.held());
    }
    // A part that doesn't end is none: how much of it is passed on depends on the pieces.
    if inside {
        contents.pop();
    }
    (contents, parts.is_closed(), false)
}

/// A policy lets no form through that it doesn't speak of. `pairs` are lines of `name=value`.
pub fn policy(json: &[u8], pairs: &str) {
    let Ok(policy) = Policy::parse(&STANDARD.encode(json)) else { return };
    let mut fields = Fields::default();
    for (name, value) in pairs.lines().filter_map(|line| line.split_once('=')) {
        let _ = fields.add(name.to_lowercase(), value.as_bytes().to_vec());
    }
    let epoch = Timestamp::from(std::time::SystemTime::UNIX_EPOCH);
    if policy.check(&fields, "bucket", &epoch).is_err() {
        return;
    }
    let document: Value = serde_json::from_slice(json).unwrap();
    let conditions = document.get("conditions").unwrap().as_array().unwrap();
    for (name, value) in fields.iter() {
        let covered = conditions.iter().any(|condition| match condition {
            Value::Object(pairs) => pairs
                .iter()
                .any(|(of, is)| of.to_lowercase() == name && (name == "bucket" || is.as_str() == Some(value))),
            Value::Array(items) => {
                items.get(1).and_then(Value::as_str).is_some_and(|field| field.to_lowercase() == format!("${name}"))
            }
            _ => false,
        });
        let exempt = ["file", "policy", "x-amz-signature"].contains(&name) || name.starts_with("x-ignore-");
        assert!(covered || exempt, "{name} slipped through");
    }
}

#[cfg(test)]
mod tests;
