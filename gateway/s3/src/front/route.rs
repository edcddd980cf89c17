//! Which verb a request asks for, decided before s3s sees it.
//!
//! s3s matches sub-resources one method at a time and runs the plain verb when none fits: `DELETE bucket?uploads`
//! would delete the bucket. Here a sub-resource in a place where S3 has no verb for it is refused.

use hyper::Method;

use super::query::{Query, Subresources};
use super::refusal::Refusal;

/// The verbs served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Verb {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    ListObjects,
    ListObjectsV2,
    DeleteObjects,
    ListMultipartUploads,
    PutObject,
    CopyObject,
    GetObject,
    HeadObject,
    GetObjectAttributes,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    /// Refused before it named a verb that is served.
    Unserved,
}

impl Verb {
    /// Every verb, in the order of their numbers.
    pub const ALL: [Self; 22] = [
        Self::ListBuckets,
        Self::CreateBucket,
        Self::HeadBucket,
        Self::DeleteBucket,
        Self::GetBucketLocation,
        Self::ListObjects,
        Self::ListObjectsV2,
        Self::DeleteObjects,
        Self::ListMultipartUploads,
        Self::PutObject,
        Self::CopyObject,
        Self::GetObject,
        Self::HeadObject,
        Self::GetObjectAttributes,
        Self::DeleteObject,
        Self::CreateMultipartUpload,
        Self::UploadPart,
        Self::UploadPartCopy,
        Self::CompleteMultipartUpload,
        Self::AbortMultipartUpload,
        Self::ListParts,
        Self::Unserved,
    ];

    /// The name that AWS gives the operation.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ListBuckets => "ListBuckets",
            Self::CreateBucket => "CreateBucket",
            Self::HeadBucket => "HeadBucket",
            Self::DeleteBucket => "DeleteBucket",
            Self::GetBucketLocation => "GetBucketLocation",
            Self::ListObjects => "ListObjects",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::DeleteObjects => "DeleteObjects",
            Self::ListMultipartUploads => "ListMultipartUploads",
            Self::PutObject => "PutObject",
            Self::CopyObject => "CopyObject",
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::GetObjectAttributes => "GetObjectAttributes",
            Self::DeleteObject => "DeleteObject",
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::UploadPartCopy => "UploadPartCopy",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
            Self::ListParts => "ListParts",
            Self::Unserved => "Unserved",
        }
    }

    /// Whether s3s reads the body whole, as an XML document.
    #[must_use]
    pub fn takes_document(self) -> bool {
        matches!(self, Self::CreateBucket | Self::DeleteObjects | Self::CompleteMultipartUpload)
    }
}

/// What a path names, still percent-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    Service,
    Bucket(&'a str),
    Object { bucket: &'a str, key: &'a str },
}

impl<'a> Target<'a> {
    /// Reads `path`; `virtual_bucket` is the bucket that the host names, if any.
    #[must_use]
    pub fn parse(path: &'a str, virtual_bucket: Option<&'a str>) -> Self {
        let rest = path.strip_prefix('/').unwrap_or(path);
        if let Some(bucket) = virtual_bucket {
            return if rest.is_empty() { Self::Bucket(bucket) } else { Self::Object { bucket, key: rest } };
        }
        // s3s decodes before it splits, so an encoded slash ends the bucket's name as well.
        match split_at_slash(rest) {
            None if rest.is_empty() => Self::Service,
            None => Self::Bucket(rest),
            Some((bucket, "")) => Self::Bucket(bucket),
            Some((bucket, key)) => Self::Object { bucket, key },
        }
    }

    /// The bucket named, if any.
    #[must_use]
    pub fn bucket(self) -> Option<&'a str> {
        match self {
            Self::Service => None,
            Self::Bucket(bucket) | Self::Object { bucket, .. } => Some(bucket),
        }
    }

    /// The key named, if any, as it stands in the URL.
    #[must_use]
    pub fn key(self) -> Option<&'a str> {
        match self {
            Self::Service | Self::Bucket(_) => None,
            Self::Object { key, .. } => Some(key),
        }
    }
}

fn split_at_slash(path: &str) -> Option<(&str, &str)> {
    for (at, byte) in path.bytes().enumerate() {
        let (head, tail) = path.split_at_checked(at)?;
        match byte {
            b'/' => return Some((head, tail.strip_prefix('/')?)),
            b'%' => {
                if let Some(key) = tail.strip_prefix("%2F").or_else(|| tail.strip_prefix("%2f")) {
                    return Some((head, key));
                }
            }
            _ => {}
        }
    }
    None
}

/// The verb of a request, or why there is none.
///
/// # Errors
/// `NotImplemented` for whatever isn't served, `InvalidArgument` for parameters that contradict one another.
pub fn verb(method: &Method, target: Target<'_>, query: &Query<'_>, copies: bool) -> Result<Verb, Refusal> {
    if query.foreign {
        return Err(Refusal::not_implemented());
    }
    match target {
        Target::Service => service_verb(method, query),
        Target::Bucket(_) => bucket_verb(method, query),
        Target::Object { .. } => object_verb(method, query, copies),
    }
}

fn service_verb(method: &Method, query: &Query<'_>) -> Result<Verb, Refusal> {
    if *method == Method::GET && query.subresources == Subresources::NONE {
        return Ok(Verb::ListBuckets);
    }
    Err(Refusal::not_implemented())
}

fn bucket_verb(method: &Method, query: &Query<'_>) -> Result<Verb, Refusal> {
    match (method, query.subresources) {
        (&Method::GET, Subresources::NONE) => Ok(Verb::ListObjects),
        (&Method::GET, Subresources::LIST_TYPE) if query.list_type.as_deref() == Some("2") => Ok(Verb::ListObjectsV2),
        (&Method::GET, Subresources::LIST_TYPE) => {
            Err(Refusal::invalid_argument("Invalid List Type specified in Query"))
        }
        (&Method::GET, Subresources::LOCATION) => Ok(Verb::GetBucketLocation),
        (&Method::GET, Subresources::UPLOADS) => Ok(Verb::ListMultipartUploads),
        (&Method::HEAD, Subresources::NONE) => Ok(Verb::HeadBucket),
        (&Method::PUT, Subresources::NONE) => Ok(Verb::CreateBucket),
        (&Method::DELETE, Subresources::NONE) => Ok(Verb::DeleteBucket),
        (&Method::POST, Subresources::DELETE) => Ok(Verb::DeleteObjects),
        _ => Err(Refusal::not_implemented()),
    }
}

fn object_verb(method: &Method, query: &Query<'_>, copies: bool) -> Result<Verb, Refusal> {
    match (method, query.subresources) {
        (&Method::GET, Subresources::NONE) => Ok(Verb::GetObject),
        (&Method::GET, Subresources::ATTRIBUTES) => Ok(Verb::GetObjectAttributes),
        (&Method::GET, Subresources::UPLOAD_ID) => Ok(Verb::ListParts),
        (&Method::HEAD, Subresources::NONE) => Ok(Verb::HeadObject),
        (&Method::PUT, _) if query.version_id => {
            Err(Refusal::invalid_argument("This operation does not accept a version-id."))
        }
        (&Method::PUT, Subresources::NONE) if query.part_number => {
            Err(Refusal::invalid_argument("This operation does not accept partNumber without uploadId."))
        }
        (&Method::PUT, Subresources::NONE) => Ok(if copies { Verb::CopyObject } else { Verb::PutObject }),
        (&Method::PUT, Subresources::UPLOAD_ID) if query.part_number => {
            Ok(if copies { Verb::UploadPartCopy } else { Verb::UploadPart })
        }
        (&Method::PUT, Subresources::UPLOAD_ID) => {
            Err(Refusal::invalid_argument("This operation does not accept uploadId without partNumber."))
        }
        (&Method::POST, Subresources::UPLOADS) => Ok(Verb::CreateMultipartUpload),
        (&Method::POST, Subresources::UPLOAD_ID) => Ok(Verb::CompleteMultipartUpload),
        (&Method::DELETE, Subresources::NONE) => Ok(Verb::DeleteObject),
        (&Method::DELETE, Subresources::UPLOAD_ID) => Ok(Verb::AbortMultipartUpload),
        _ => Err(Refusal::not_implemented()),
    }
}

#[cfg(test)]
mod tests;
