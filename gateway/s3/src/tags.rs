//! Tags of objects and buckets: what AWS allows in them.

use percent_encoding::percent_decode_str;
use s3s::dto::Tag;
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::error::{argument, refused};

/// The longest key and the longest value, in characters.
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;
/// What keys begin with that AWS keeps for itself.
const SYSTEM: &str = "aws:";

/// What tags are put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tagged {
    Object,
    Bucket,
}

/// Tags as they are stored.
pub(crate) type Tags = Vec<(String, String)>;

/// The tags of a document.
///
/// # Errors
/// `MalformedXML` for a tag without a key or a value, `InvalidTag` for what AWS doesn't allow.
pub(crate) fn of_document(set: Vec<Tag>, tagged: Tagged) -> S3Result<Tags> {
    let pair = |tag: Tag| tag.key.zip(tag.value).ok_or_else(|| S3Error::new(S3ErrorCode::MalformedXML));
    checked(set.into_iter().map(pair).collect::<S3Result<_>>()?, tagged)
}

/// The tags of an `x-amz-tagging` header, which is written like a query.
///
/// # Errors
/// `InvalidArgument` for text that is no query or names a tag twice, else as [`of_document`].
pub(crate) fn of_header(text: &str) -> S3Result<Tags> {
    let malformed = || {
        argument(
            "x-amz-tagging",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
             name duplicates.",
        )
    };
    let mut tags = Tags::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = decoded(key).zip(decoded(value)).ok_or_else(malformed)?;
        if tags.iter().any(|(held, _)| *held == key) {
            return Err(malformed());
        }
        tags.push((key, value));
    }
    checked(tags, Tagged::Object)
}

/// The tags that come with an object.
///
/// # Errors
/// As [`of_header`].
pub(crate) fn brought(header: Option<&str>) -> S3Result<Tags> {
    Ok(header.map(of_header).transpose()?.unwrap_or_default())
}

fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// In the order of their keys: the same tags always take the same bytes.
fn checked(mut tags: Tags, tagged: Tagged) -> S3Result<Tags> {
    let invalid = |message| Err(refused(S3ErrorCode::InvalidTag, message));
    match tagged {
        Tagged::Object if tags.len() > 10 => return invalid("Object tags cannot be greater than 10"),
        Tagged::Bucket if tags.len() > 50 => return invalid("Bucket tag count cannot be greater than 50"),
        Tagged::Object | Tagged::Bucket => {}
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > MAX_KEY || !key.chars().all(is_allowed) {
            return invalid("The TagKey you have provided is invalid");
        }
        if value.chars().count() > MAX_VALUE || !value.chars().all(is_allowed) {
            return invalid("The TagValue you have provided is invalid");
        }
        if key.get(..SYSTEM.len()).is_some_and(|start| start.eq_ignore_ascii_case(SYSTEM)) {
            return invalid(match tagged {
                Tagged::Object => "Your TagKey cannot be prefixed with aws:",
                Tagged::Bucket => "System tags cannot be added/updated by requester",
            });
        }
        if tags.iter().take(at).any(|(held, _)| held == key) {
            return invalid("Cannot provide multiple Tags with the same key");
        }
    }
    tags.sort_unstable();
    Ok(tags)
}

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character)
}

/// Tags as a document has them.
pub(crate) fn to_document(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

#[cfg(test)]
mod tests;
