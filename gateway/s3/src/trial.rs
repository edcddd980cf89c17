//! What must hold of every request, whatever it says: see [`crate::front::trial`], and here for what the verbs read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a trial says by a panic what doesn't hold")]

mod document;

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use hyper::http::Extensions;
use packstone_store::object::{Attributes, Etag, File, MAX_PUT, Version, VersionId};
use packstone_store::record::Posix;
use s3s::dto;

use crate::body::{Announcement, verify_document};
use crate::checksum::{self, Announced};
use crate::object::range::{copied, select};
use crate::{etag, headers};

pub use document::{document, is_kept};

pub use crate::front::trial::{chunks, form, policy, refusal, route, signature};
pub use crate::oidc::trial::token;

/// A read gives the bytes that its range names, of those that the object has, or refuses it.
pub fn range(text: &str, size: u64) {
    let version = version(size, Vec::new());
    let parsed = dto::Range::parse(text).ok();
    if let Some(range) = parsed {
        let asked = match range {
            dto::Range::Int { first, last } => {
                u128::from(first)..last.map_or(u128::MAX, |last| u128::from(last) + 1).min(u128::from(size))
            }
            dto::Range::Suffix { length } => u128::from(size.saturating_sub(length))..u128::from(size),
        };
        match select(&version, Some(range), None) {
            Ok(selection) => {
                assert_eq!(u128::from(selection.range.start)..u128::from(selection.range.end), asked);
                assert!(!asked.is_empty());
                let named = format!("bytes {}-{}/{size}", asked.start, asked.end - 1);
                assert_eq!(selection.content_range, Some(named));
            }
            Err(error) => {
                assert!(asked.is_empty(), "{text} of {size}");
                assert_eq!(error.code().as_str(), "InvalidRange");
            }
        }
    }
    let Ok(range) = copied(text, size) else { return };
    assert!(!range.is_empty() && range.end <= size);
    let digits = text.strip_prefix("bytes=").unwrap();
    assert!(digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'), "{text}");
    // s3s refuses numbers that no object reaches.
    if size <= i64::MAX as u64 {
        assert_eq!(parsed, Some(dto::Range::Int { first: range.start, last: Some(range.end - 1) }), "{text}");
    }
}

/// Parts lie end to end in the order of their numbers.
pub fn part(sizes: &[u32], number: i32) {
    let sizes: Vec<u64> = sizes.iter().map(|size| u64::from(*size)).collect();
    let version = version(sizes.iter().sum(), sizes.clone());
    let before = usize::try_from(i64::from(number) - 1).ok().filter(|before| *before < sizes.len().max(1));
    match (select(&version, None, Some(number)), before) {
        (Ok(selection), Some(before)) => {
            let start: u64 = sizes.iter().take(before).sum();
            assert_eq!(selection.range, start..start + sizes.get(before).copied().unwrap_or(version.size));
            assert!(selection.range.end <= version.size);
        }
        (Err(_), None) => {}
        (selection, _) => panic!("part {number} of {sizes:?}: {selection:?}"),
    }
}

fn version(size: u64, parts: Vec<u64>) -> Version {
    Version {
        record: 1,
        version: VersionId::NULL,
        latest: true,
        size,
        modified: SystemTime::UNIX_EPOCH,
        posix: Posix::default(),
        attributes: Attributes::default(),
        parts,
        part_checksums: None,
        file: File::default(),
    }
}

/// What headers announce of a body, and what of them is kept with the object.
pub fn announcement(headers: &HeaderMap, content_length: Option<i64>) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Ok(announced) = Announcement::parse(headers, &Extensions::new(), content_length, None) {
        assert!(announced.length <= MAX_PUT);
        let expected = match headers.get("x-amz-content-sha256").map(HeaderValue::as_bytes) {
            Some(digest) if digest.starts_with(b"STREAMING-") => {
                text("x-amz-decoded-content-length").unwrap().to_owned()
            }
            _ => content_length.unwrap().to_string(),
        };
        assert_eq!(announced.length.to_string(), expected.trim_start_matches('0').to_owned() + zero(&expected));
    }
    if let Ok(Some(Announced { algorithm, value })) = Announced::parse(headers) {
        let named = format!("x-amz-checksum-{}", checksum::name(algorithm).to_ascii_lowercase());
        match value {
            Some(value) => {
                let sent = text(&named).unwrap();
                assert!(sent.starts_with(&STANDARD.encode(&value)), "{sent}");
                assert_eq!(value.len(), crate::digest::checksum(algorithm, b"").len());
            }
            None => assert!(text("x-amz-trailer").unwrap().to_ascii_lowercase().contains(&named)),
        }
    }
    let _ = verify_document(headers, &Extensions::new(), true);
    kept(headers);
}

/// What [`str::trim_start_matches`] leaves of nothing but zeros.
fn zero(digits: &str) -> &'static str {
    if digits.bytes().all(|digit| digit == b'0') { "0" } else { "" }
}

fn kept(fields: &HeaderMap) {
    let Ok(attributes) = headers::described(fields, None) else { return };
    for (header, value) in &attributes.headers {
        assert!(!value.is_empty());
        assert_eq!(attributes.header(*header), Some(value.as_str()), "kept twice");
        assert!(fields.values().any(|sent| {
            let sent = std::str::from_utf8(sent.as_bytes()).unwrap_or_default();
            sent == value || value.split(',').all(|coding| sent.split(',').any(|sent| sent.trim() == coding))
        }));
    }
    let _ = headers::expires(&attributes);
}

/// A tag that is read is written as it was, but for the case of its letters and zeros in front of its number.
pub fn tag(text: &str) {
    let Some(Etag { md5, parts }) = etag::parse(text) else { return };
    let plain = text.trim_matches('"').to_ascii_lowercase();
    let (digits, number) = plain.split_once('-').unwrap_or((&plain, ""));
    assert_eq!(etag::to_text(Etag { md5, parts: 0 }), digits);
    assert_eq!(number.trim_start_matches('0'), if parts == 0 { String::new() } else { parts.to_string() });
}

#[cfg(test)]
mod tests;
