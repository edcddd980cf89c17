//! The PutObject that a form asks for: its fields as the headers of a PUT.

use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES, HeaderName,
    HeaderValue,
};
use hyper::{HeaderMap, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{ObjectLockLegalHoldStatus, ObjectLockMode, PutObjectInput, Tagging, Timestamp, TimestampFormat};
use s3s::xml::{Deserialize as _, Deserializer};

use super::fields::Fields;
use crate::front::features;
use crate::front::refusal::Refusal;

const TAGGING: HeaderName = HeaderName::from_static("x-amz-tagging");
const PREFIX: &str = "x-amz-";
const METADATA: &str = "x-amz-meta-";
/// Fields that are headers of the same name.
const PLAIN: [HeaderName; 6] =
    [CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES];
const MD5: HeaderName = HeaderName::from_static("content-md5");
/// How fields begin that are headers too, without `x-amz-`.
const TAKEN: [&str; 7] = [
    "meta-",
    "checksum-",
    "storage-class",
    "website-redirect-location",
    "object-lock-",
    "server-side-encryption",
    "grant-",
];
const ACL: &str = "x-amz-acl";

/// The headers that a PUT of the same object would have.
///
/// # Errors
/// For what can't be a header, asks for something that isn't served, or tags that can't be read.
pub fn headers(fields: &Fields) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    for (field, value) in fields.iter() {
        let Some(name) = header_of(field) else { continue };
        let invalid = || {
            Refusal::with(StatusCode::BAD_REQUEST, "InvalidArgument", format!("The field '{field}' can't be a header."))
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid())?;
        if let Some(amz) = name.as_str().strip_prefix(PREFIX) {
            features::check(amz, value.as_bytes())?;
        }
        headers.insert(name, value);
    }
    if let Some(document) = fields.get("tagging") {
        let tags = tags(document)?;
        headers.insert(TAGGING, HeaderValue::from_str(&tags).map_err(|_| malformed())?);
    }
    Ok(headers)
}

fn header_of(field: &str) -> Option<&str> {
    if field == "acl" || field == ACL {
        return Some(ACL);
    }
    let taken = match field.strip_prefix(PREFIX) {
        Some(amz) => TAKEN.iter().any(|begins| amz.starts_with(begins)),
        None => PLAIN.iter().chain([&MD5]).any(|name| name == field),
    };
    taken.then_some(field)
}

/// What PutObject is asked for, but for the body. The key and the bucket are told apart from the fields: a form may stand
/// for the one, and never decides the other.
///
/// # Errors
/// `InvalidArgument` for a date.
pub fn input(fields: &Fields, headers: &HeaderMap, (bucket, key): (String, String)) -> Result<PutObjectInput, Refusal> {
    let owned = |name: &str| fields.get(name).map(str::to_owned);
    let metadata = fields.iter().filter_map(|(name, value)| Some((name.strip_prefix(METADATA)?.into(), value.into())));
    let until = fields.get("x-amz-object-lock-retain-until-date").map(|text| {
        let time = Timestamp::parse(TimestampFormat::DateTime, text);
        time.map_err(|_| Refusal::invalid_argument("The retain until date must be provided in ISO 8601 format"))
    });
    Ok(PutObjectInput {
        bucket,
        key,
        metadata: Some(metadata.collect()),
        tagging: headers.get(TAGGING).and_then(|tags| tags.to_str().ok()).map(str::to_owned),
        expected_bucket_owner: owned("x-amz-expected-bucket-owner"),
        object_lock_mode: owned("x-amz-object-lock-mode").map(ObjectLockMode::from),
        object_lock_retain_until_date: until.transpose()?,
        object_lock_legal_hold_status: owned("x-amz-object-lock-legal-hold").map(ObjectLockLegalHoldStatus::from),
        ..PutObjectInput::default()
    })
}

/// Tags, which a form brings as a document and a PUT as a query.
fn tags(document: &str) -> Result<String, Refusal> {
    let mut reader = Deserializer::new(document.as_bytes());
    let tagging = Tagging::deserialize(&mut reader).map_err(|_| malformed())?;
    let pairs = tagging.tag_set.iter().map(|tag| {
        let (key, value) = tag.key.as_deref().zip(tag.value.as_deref())?;
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        Some(format!("{}={}", encoded(key), encoded(value)))
    });
    pairs.collect::<Option<Vec<_>>>().map(|pairs| pairs.join("&")).ok_or_else(malformed)
}

fn malformed() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "MalformedXML")
}

#[cfg(test)]
mod tests;
