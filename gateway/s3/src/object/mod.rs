//! The verbs on objects, one file a family.

mod attributes;
mod copy;
mod delete;
mod get;
pub(crate) mod list;
mod multipart;
mod part;
mod put;
pub(crate) mod range;
mod uploads;
pub(crate) mod url;

use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::error::invalid_argument;

/// Buckets keep one version of each key, and its id is `null`. Any other id names nothing.
pub(crate) fn expect_version(id: Option<&str>) -> S3Result<()> {
    match id {
        None | Some("null") => Ok(()),
        Some("") => Err(invalid_argument("Version id cannot be the empty string")),
        Some(id) if looks_like_version(id) => Err(S3Error::new(S3ErrorCode::NoSuchVersion)),
        Some(_) => Err(invalid_argument("Invalid version id specified")),
    }
}

fn looks_like_version(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
