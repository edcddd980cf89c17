//! The one type of error that the store's verbs answer with.

use std::time::SystemTime;

use packstone_access::Denied;

use crate::version::VersionId;

/// What a verb of the store can fail with. Every face maps each of these, without a wildcard.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the bucket does not exist")]
    NoSuchBucket,
    #[error("the key does not exist")]
    NoSuchKey,
    #[error("the version does not exist")]
    NoSuchVersion,
    /// The newest version of the key, or the one that was named, is a delete marker.
    #[error("a delete marker stands in the object's place")]
    DeleteMarker { version: VersionId, modified: SystemTime },
    #[error("the upload does not exist: it was never opened, was completed, or was aborted")]
    NoSuchUpload,
    #[error("a bucket of this name exists")]
    BucketExists,
    #[error("the bucket holds objects or uploads")]
    BucketNotEmpty,
    #[error("this is not a bucket name: {0}")]
    InvalidBucketName(&'static str),
    #[error("the key is too long, or empty")]
    InvalidKey,
    /// The named part was not uploaded, or its ETag or checksum is another.
    #[error("part {0} was not uploaded, or its ETag differs")]
    InvalidPart(u16),
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is under 5 MiB.
    #[error("part {number} has {size} bytes: all but the last need 5 MiB")]
    PartTooSmall { number: u16, size: u64 },
    /// Retention holds the version, until Unix second `until` at least.
    #[error("the version is locked until second {until} of 1970")]
    Locked { until: i64 },
    #[error("a legal hold is on the version")]
    LegalHold,
    /// Retention or a legal hold is asked for in a bucket without object lock.
    #[error("object lock is not on in this bucket")]
    NoObjectLock,
    #[error("the time to retain until is past")]
    RetentionPast,
    #[error("this time can't be approved: {0}")]
    InvalidApproval(&'static str),
    #[error("the object is encrypted with a key that the request must bring")]
    CustomerKeyMissing,
    #[error("the request brings a key, and the object is not encrypted with one")]
    CustomerKeyUnexpected,
    #[error("the key that the request brings is not the object's")]
    CustomerKeyWrong,
    /// Who holds the only key could make a locked version unreadable.
    #[error("a version that is locked can't be encrypted with a key that only the client has")]
    CustomerKeyLocked,
    #[error("the KMS has no such key")]
    NoSuchKmsKey,
    /// What the bucket is does not allow the change.
    #[error("the bucket does not allow that: {0}")]
    InvalidBucketState(&'static str),
    #[error("this document can't be: {0}")]
    InvalidDocument(&'static str),
    /// Another change came first.
    #[error("the document has changed meanwhile")]
    DocumentChanged,
    #[error("a precondition of the request does not hold")]
    PreconditionFailed,
    /// Something else came between reading what was asked for and deciding it.
    #[error("the object has changed meanwhile")]
    Changed,
    /// A directory at, above or below one of the paths was renamed, and its keys have not all moved.
    #[error("an earlier rename of a directory is still being carried out: try again")]
    Renaming,
    /// The token of a request is that of another one.
    #[error("this token was given with another request")]
    TokenReused,
    /// The bucket, or all buckets of its owner, would hold more than they may.
    #[error("the quota of the bucket or of its owner is exceeded")]
    QuotaExceeded,
    /// A body is appended where the object doesn't end.
    #[error("the object ends at byte {size}")]
    InvalidWriteOffset { size: u64 },
    #[error("the object has 10,000 parts: a copy of it has one")]
    TooManyParts,
    #[error("the file has as many names as there may be")]
    TooManyNames,
    /// The part's length, or the object's, is over what is allowed.
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("attributes take {0} bytes: 64 KiB at most")]
    AttributesTooLarge(usize),
    #[error("no space left: deletes still work, writes come back when space does")]
    OutOfSpace,
    /// A drive that can't be taken in, or can't be removed.
    #[error("{0}")]
    InvalidDrive(String),
    /// Fewer drives answer than the pool's profile needs.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// More shards are lost or rotten than parity can mend. What was stored is never answered wrong.
    #[error("lost: {0}")]
    Lost(String),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the server is shutting down")]
    ShuttingDown,
    /// A fault of the index, which is derived and can be rebuilt.
    #[error("index: {0}")]
    Index(String),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl From<crate::index::IndexError> for Error {
    fn from(error: crate::index::IndexError) -> Self {
        Self::Index(error.0)
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
