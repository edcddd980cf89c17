//! Entity tags as text, and the conditions that name them.

use packstone_store::object::{Etag, Precondition};
use s3s::S3Result;
use s3s::dto::{ETag, ETagCondition};

use crate::error::not_implemented;
use crate::number::decimal;

/// The tag as s3s writes it: 32 hexadecimal digits, and `-N` when `N` parts made the object.
pub(crate) fn to_dto(etag: Etag) -> ETag {
    ETag::Strong(to_text(etag))
}

pub(crate) fn to_text(etag: Etag) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from);
    let mut text = String::with_capacity(38);
    for byte in etag.md5 {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    if etag.parts > 0 {
        text.push('-');
        text.push_str(&etag.parts.to_string());
    }
    text
}

/// Reads a tag, without its quotes; `None` for text that no object here can have as its tag.
pub(crate) fn parse(text: &str) -> Option<Etag> {
    let text = text.trim_matches('"');
    let (digits, parts) = match text.split_once('-') {
        Some((digits, parts)) => {
            (digits, decimal(parts).and_then(|parts| u16::try_from(parts).ok()).filter(|parts| *parts > 0)?)
        }
        None => (text, 0),
    };
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let md5 = u128::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some(Etag { md5, parts })
}

/// What no object has as its tag, having fewer parts.
pub(crate) const NOBODYS: Etag = Etag { md5: [0; 16], parts: u16::MAX };

/// The condition of a write. AWS knows `If-None-Match` with `*` only; with a tag it means here what HTTP says.
pub(crate) fn precondition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Precondition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::None),
        (None, Some(ETagCondition::Any)) => Ok(Precondition::Absent),
        (None, Some(ETagCondition::ETag(etag))) => {
            Ok(parse(etag.value()).map_or(Precondition::None, Precondition::NoMatch))
        }
        (Some(ETagCondition::Any), None) => Ok(Precondition::Match(None)),
        (Some(ETagCondition::ETag(etag)), None) => {
            Ok(Precondition::Match(Some(parse(etag.value()).unwrap_or(NOBODYS))))
        }
        _ => Err(not_implemented()),
    }
}

#[cfg(test)]
mod tests;
