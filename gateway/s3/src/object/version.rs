//! Versions as clients name them, and what they are told of delete markers.

use std::time::SystemTime;

use hyper::HeaderMap;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, LAST_MODIFIED};
use packstone_store::Error;
use packstone_store::object::{VersionId, Versioning};
use s3s::dto::TimestampFormat;
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::condition::whole_seconds;
use crate::detail::{Element, Saying as _};
use crate::error::{argument, from_store};
use crate::face::Face;

const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");
const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");

/// The version that a request names, if any.
///
/// # Errors
/// `InvalidArgument` for text that is no id, `NoSuchVersion` for an id that was not made here.
pub(crate) fn named(id: Option<&str>) -> S3Result<Option<VersionId>> {
    let Some(id) = id else { return Ok(None) };
    match id.parse() {
        Ok(version) => Ok(Some(version)),
        Err(_) if id.is_empty() => Err(argument("versionId", "Version id cannot be the empty string")),
        Err(_) if looks_like_version(id) => Err(S3Error::new(S3ErrorCode::NoSuchVersion)),
        Err(_) => Err(argument("versionId", "Invalid version id specified")),
    }
}

fn looks_like_version(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

impl Face {
    /// What a client is told of a version's id: nothing where a bucket never kept versions.
    pub(crate) fn told_version(&self, bucket: &str, version: VersionId) -> Option<String> {
        let keeps = || self.store.bucket_state(bucket).is_some_and(|state| state.versioning() != Versioning::Never);
        (!version.is_null() || keeps()).then(|| version.to_string())
    }
}

/// The id that a write is answered with: a null version is what there was before versions, and has none to tell.
pub(crate) fn told_written(version: VersionId) -> Option<String> {
    (!version.is_null()).then(|| version.to_string())
}

/// The answer to a read that failed. `is_named` says whether the client named the version.
pub(crate) fn unread(error: Error, is_named: bool) -> S3Error {
    let Error::DeleteMarker { version, modified } = error else { return from_store(error) };
    let code = if is_named { S3ErrorCode::MethodNotAllowed } else { S3ErrorCode::NoSuchKey };
    let mut told = S3Error::new(code);
    told.set_headers(of_marker(version, modified, is_named));
    if is_named { told.saying(Element::ResourceType, "DeleteMarker") } else { told }
}

fn of_marker(version: VersionId, modified: SystemTime, is_named: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(DELETE_MARKER, HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::from_str(&version.to_string()) {
        headers.insert(VERSION_ID, id);
    }
    if is_named {
        headers.insert(ALLOW, HeaderValue::from_static("DELETE"));
        headers.extend(http_date(modified).map(|date| (LAST_MODIFIED, date)));
    }
    headers
}

/// A time as a header holds it.
pub(crate) fn http_date(time: SystemTime) -> Option<HeaderValue> {
    let mut date = Vec::with_capacity(32);
    whole_seconds(time).format(TimestampFormat::HttpDate, &mut date).ok()?;
    HeaderValue::from_bytes(&date).ok()
}
