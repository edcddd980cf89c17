//! Which verb a request asks for, decided before s3s sees it.
//!
//! s3s matches sub-resources one method at a time and runs the plain verb when none fits: `DELETE bucket?uploads`
//! would delete the bucket. Here a sub-resource in a place where S3 has no verb for it is refused.

use hyper::Method;

use super::query::{Query, Subresources};
use super::refusal::Refusal;

macro_rules! verbs {
    ($($verb:ident)+) => {
        /// The verbs served, by the names that AWS gives the operations; `IdentityQuery` is any call of IAM or STS,
        /// `MountFiles` begins a connection of a mount on another machine.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Verb {
            $($verb,)+
            /// Refused before it named a verb that is served.
            Unserved,
        }

        impl Verb {
            /// Every verb, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$verb,)+ Self::Unserved];

            /// The name that AWS gives the operation.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$verb => stringify!($verb),)+
                    Self::Unserved => "Unserved",
                }
            }
        }
    };
}

verbs! {
    ListBuckets CreateBucket HeadBucket DeleteBucket GetBucketLocation ListObjects ListObjectsV2 ListObjectVersions
    DeleteObjects ListMultipartUploads

    PutObject CopyObject GetObject HeadObject GetObjectAttributes DeleteObject CreateMultipartUpload UploadPart
    UploadPartCopy CompleteMultipartUpload AbortMultipartUpload ListParts RenameObject

    GetObjectTagging PutObjectTagging DeleteObjectTagging GetObjectRetention PutObjectRetention GetObjectLegalHold
    PutObjectLegalHold

    GetBucketVersioning PutBucketVersioning GetObjectLockConfiguration PutObjectLockConfiguration
    GetBucketAccelerateConfiguration PutBucketAccelerateConfiguration
    GetBucketCors PutBucketCors DeleteBucketCors
    GetBucketEncryption PutBucketEncryption DeleteBucketEncryption
    GetBucketLifecycleConfiguration PutBucketLifecycleConfiguration DeleteBucketLifecycle
    GetBucketLogging PutBucketLogging
    GetBucketNotificationConfiguration PutBucketNotificationConfiguration
    GetBucketOwnershipControls PutBucketOwnershipControls DeleteBucketOwnershipControls
    GetPublicAccessBlock PutPublicAccessBlock DeletePublicAccessBlock
    GetBucketReplication PutBucketReplication DeleteBucketReplication
    GetBucketRequestPayment PutBucketRequestPayment
    GetBucketTagging PutBucketTagging DeleteBucketTagging

    GetBucketAnalyticsConfiguration PutBucketAnalyticsConfiguration DeleteBucketAnalyticsConfiguration
    ListBucketAnalyticsConfigurations
    GetBucketIntelligentTieringConfiguration PutBucketIntelligentTieringConfiguration
    DeleteBucketIntelligentTieringConfiguration ListBucketIntelligentTieringConfigurations
    GetBucketInventoryConfiguration PutBucketInventoryConfiguration DeleteBucketInventoryConfiguration
    ListBucketInventoryConfigurations
    GetBucketMetricsConfiguration PutBucketMetricsConfiguration DeleteBucketMetricsConfiguration
    ListBucketMetricsConfigurations

    GetBucketPolicy PutBucketPolicy DeleteBucketPolicy GetBucketPolicyStatus
    GetBucketAcl PutBucketAcl GetObjectAcl PutObjectAcl
    IdentityQuery

    PostObject Preflight MountFiles
}

/// The verbs that read, put and take away what a sub-resource names.
struct Row {
    subresource: Subresources,
    get: Verb,
    put: Verb,
    delete: Option<Verb>,
}

const fn row(subresource: Subresources, get: Verb, put: Verb, delete: Option<Verb>) -> Row {
    Row { subresource, get, put, delete }
}

/// Sub-resources of buckets that are configurations.
const BUCKET: &[Row] = &[
    row(Subresources::ACL, Verb::GetBucketAcl, Verb::PutBucketAcl, None),
    row(Subresources::ACCELERATE, Verb::GetBucketAccelerateConfiguration, Verb::PutBucketAccelerateConfiguration, None),
    row(Subresources::CORS, Verb::GetBucketCors, Verb::PutBucketCors, Some(Verb::DeleteBucketCors)),
    row(
        Subresources::ENCRYPTION,
        Verb::GetBucketEncryption,
        Verb::PutBucketEncryption,
        Some(Verb::DeleteBucketEncryption),
    ),
    row(
        Subresources::LIFECYCLE,
        Verb::GetBucketLifecycleConfiguration,
        Verb::PutBucketLifecycleConfiguration,
        Some(Verb::DeleteBucketLifecycle),
    ),
    row(Subresources::LOGGING, Verb::GetBucketLogging, Verb::PutBucketLogging, None),
    row(
        Subresources::NOTIFICATION,
        Verb::GetBucketNotificationConfiguration,
        Verb::PutBucketNotificationConfiguration,
        None,
    ),
    row(Subresources::OBJECT_LOCK, Verb::GetObjectLockConfiguration, Verb::PutObjectLockConfiguration, None),
    row(
        Subresources::OWNERSHIP_CONTROLS,
        Verb::GetBucketOwnershipControls,
        Verb::PutBucketOwnershipControls,
        Some(Verb::DeleteBucketOwnershipControls),
    ),
    row(Subresources::POLICY, Verb::GetBucketPolicy, Verb::PutBucketPolicy, Some(Verb::DeleteBucketPolicy)),
    row(
        Subresources::PUBLIC_ACCESS_BLOCK,
        Verb::GetPublicAccessBlock,
        Verb::PutPublicAccessBlock,
        Some(Verb::DeletePublicAccessBlock),
    ),
    row(
        Subresources::REPLICATION,
        Verb::GetBucketReplication,
        Verb::PutBucketReplication,
        Some(Verb::DeleteBucketReplication),
    ),
    row(Subresources::REQUEST_PAYMENT, Verb::GetBucketRequestPayment, Verb::PutBucketRequestPayment, None),
    row(Subresources::TAGGING, Verb::GetBucketTagging, Verb::PutBucketTagging, Some(Verb::DeleteBucketTagging)),
    row(Subresources::VERSIONING, Verb::GetBucketVersioning, Verb::PutBucketVersioning, None),
];

/// Sub-resources of buckets of which there are many, told apart by `id`.
const NAMED: &[Row] = &[
    row(
        Subresources::ANALYTICS,
        Verb::GetBucketAnalyticsConfiguration,
        Verb::PutBucketAnalyticsConfiguration,
        Some(Verb::DeleteBucketAnalyticsConfiguration),
    ),
    row(
        Subresources::INTELLIGENT_TIERING,
        Verb::GetBucketIntelligentTieringConfiguration,
        Verb::PutBucketIntelligentTieringConfiguration,
        Some(Verb::DeleteBucketIntelligentTieringConfiguration),
    ),
    row(
        Subresources::INVENTORY,
        Verb::GetBucketInventoryConfiguration,
        Verb::PutBucketInventoryConfiguration,
        Some(Verb::DeleteBucketInventoryConfiguration),
    ),
    row(
        Subresources::METRICS,
        Verb::GetBucketMetricsConfiguration,
        Verb::PutBucketMetricsConfiguration,
        Some(Verb::DeleteBucketMetricsConfiguration),
    ),
];

/// Sub-resources of objects, each of which takes a `versionId`.
const OBJECT: &[Row] = &[
    row(Subresources::ACL, Verb::GetObjectAcl, Verb::PutObjectAcl, None),
    row(Subresources::LEGAL_HOLD, Verb::GetObjectLegalHold, Verb::PutObjectLegalHold, None),
    row(Subresources::RETENTION, Verb::GetObjectRetention, Verb::PutObjectRetention, None),
    row(Subresources::TAGGING, Verb::GetObjectTagging, Verb::PutObjectTagging, Some(Verb::DeleteObjectTagging)),
];

/// The verb that a table has for a method on a sub-resource.
fn looked_up(table: &[Row], method: &Method, subresource: Subresources) -> Option<Verb> {
    let row = table.iter().find(|row| row.subresource == subresource)?;
    match *method {
        Method::GET => Some(row.get),
        Method::PUT => Some(row.put),
        Method::DELETE => row.delete,
        _ => None,
    }
}

impl Verb {
    /// Whether s3s reads the body whole, as an XML document.
    #[must_use]
    pub fn takes_document(self) -> bool {
        matches!(self, Self::CreateBucket | Self::DeleteObjects | Self::CompleteMultipartUpload)
            || [BUCKET, NAMED, OBJECT].into_iter().flatten().any(|row| row.put == self)
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
            Err(Refusal::argument("list-type", "Invalid List Type specified in Query"))
        }
        (&Method::GET, Subresources::LOCATION) => Ok(Verb::GetBucketLocation),
        (&Method::GET, Subresources::UPLOADS) => Ok(Verb::ListMultipartUploads),
        (&Method::GET, Subresources::VERSIONS) => Ok(Verb::ListObjectVersions),
        (&Method::GET, Subresources::POLICY_STATUS) => Ok(Verb::GetBucketPolicyStatus),
        (&Method::HEAD, Subresources::NONE) => Ok(Verb::HeadBucket),
        (&Method::PUT, Subresources::NONE) => Ok(Verb::CreateBucket),
        (&Method::DELETE, Subresources::NONE) => Ok(Verb::DeleteBucket),
        (&Method::POST, Subresources::DELETE) => Ok(Verb::DeleteObjects),
        (&Method::GET, subresource)
            if !query.id
                && let Some(verb) = listing(subresource) =>
        {
            Ok(verb)
        }
        (method, subresource) => {
            let verb = looked_up(BUCKET, method, subresource);
            verb.or_else(|| looked_up(NAMED, method, subresource)).ok_or_else(Refusal::not_implemented)
        }
    }
}

/// The verb that lists all of a sub-resource that has ids.
fn listing(subresource: Subresources) -> Option<Verb> {
    match subresource {
        Subresources::ANALYTICS => Some(Verb::ListBucketAnalyticsConfigurations),
        Subresources::INTELLIGENT_TIERING => Some(Verb::ListBucketIntelligentTieringConfigurations),
        Subresources::INVENTORY => Some(Verb::ListBucketInventoryConfigurations),
        Subresources::METRICS => Some(Verb::ListBucketMetricsConfigurations),
        _ => None,
    }
}

fn object_verb(method: &Method, query: &Query<'_>, copies: bool) -> Result<Verb, Refusal> {
    if let Some(verb) = looked_up(OBJECT, method, query.subresources) {
        return Ok(verb);
    }
    match (method, query.subresources) {
        (&Method::GET, Subresources::NONE) => Ok(Verb::GetObject),
        (&Method::GET, Subresources::ATTRIBUTES) => Ok(Verb::GetObjectAttributes),
        (&Method::GET, Subresources::UPLOAD_ID) => Ok(Verb::ListParts),
        (&Method::HEAD, Subresources::NONE) => Ok(Verb::HeadObject),
        (&Method::PUT, _) if query.version_id => {
            Err(Refusal::argument("versionId", "This operation does not accept a version-id."))
        }
        (&Method::PUT, Subresources::NONE) if query.part_number => {
            Err(Refusal::argument("partNumber", "This operation does not accept partNumber without uploadId."))
        }
        (&Method::PUT, Subresources::NONE) => Ok(if copies { Verb::CopyObject } else { Verb::PutObject }),
        (&Method::PUT, Subresources::RENAME) if !copies => Ok(Verb::RenameObject),
        (&Method::PUT, Subresources::UPLOAD_ID) if query.part_number => {
            Ok(if copies { Verb::UploadPartCopy } else { Verb::UploadPart })
        }
        (&Method::PUT, Subresources::UPLOAD_ID) => {
            Err(Refusal::argument("uploadId", "This operation does not accept uploadId without partNumber."))
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
