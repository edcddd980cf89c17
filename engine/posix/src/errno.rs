//! What a verb can fail with, as POSIX numbers it.

use packstone_store::Error;
use packstone_store::codec::DecodeError;

/// An error number of POSIX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error {0}")]
pub struct Errno(pub i32);

impl Errno {
    pub const ACCESS: Self = Self(libc::EACCES);
    pub const BAD_HANDLE: Self = Self(libc::EBADF);
    pub const CROSS_BUCKET: Self = Self(libc::EXDEV);
    pub const EXISTS: Self = Self(libc::EEXIST);
    pub const INVALID: Self = Self(libc::EINVAL);
    pub const IO: Self = Self(libc::EIO);
    pub const IS_DIRECTORY: Self = Self(libc::EISDIR);
    pub const NAME_TOO_LONG: Self = Self(libc::ENAMETOOLONG);
    /// Of a greeting alone: there is no such user.
    pub const NO_USER: Self = Self(libc::ENOKEY);
    pub const NO_ATTRIBUTE: Self = Self(libc::ENODATA);
    pub const NO_MEMORY: Self = Self(libc::ENOMEM);
    pub const NO_SPACE: Self = Self(libc::ENOSPC);
    pub const NOT_DIRECTORY: Self = Self(libc::ENOTDIR);
    pub const NOT_EMPTY: Self = Self(libc::ENOTEMPTY);
    pub const NOT_FOUND: Self = Self(libc::ENOENT);
    pub const NOT_PERMITTED: Self = Self(libc::EPERM);
    pub const NOT_SUPPORTED: Self = Self(libc::EOPNOTSUPP);
    pub const NOT_TEXT: Self = Self(libc::EILSEQ);
    pub const PROTOCOL: Self = Self(libc::EPROTO);
    pub const RANGE: Self = Self(libc::ERANGE);
    pub const BUSY: Self = Self(libc::EBUSY);
    pub const READ_ONLY: Self = Self(libc::EROFS);
    pub const STALE: Self = Self(libc::ESTALE);
    pub const TOO_LARGE: Self = Self(libc::EFBIG);
}

impl From<DecodeError> for Errno {
    fn from(_: DecodeError) -> Self {
        Self::PROTOCOL
    }
}

impl From<Error> for Errno {
    fn from(error: Error) -> Self {
        let errno = match &error {
            Error::NoSuchBucket | Error::NoSuchKey | Error::NoSuchVersion | Error::DeleteMarker { .. } => libc::ENOENT,
            Error::BucketExists | Error::PreconditionFailed => libc::EEXIST,
            Error::BucketNotEmpty => libc::ENOTEMPTY,
            Error::InvalidBucketName(_) => libc::EINVAL,
            Error::InvalidKey => libc::ENAMETOOLONG,
            Error::Locked { .. } | Error::LegalHold => libc::EPERM,
            Error::CustomerKeyMissing
            | Error::CustomerKeyUnexpected
            | Error::CustomerKeyWrong
            | Error::CustomerKeyLocked
            | Error::NoSuchKmsKey
            | Error::Denied(_) => libc::EACCES,
            Error::InvalidBucketState(_) => libc::EOPNOTSUPP,
            Error::Changed | Error::DocumentChanged => libc::ESTALE,
            Error::Renaming => libc::EBUSY,
            Error::QuotaExceeded => libc::EDQUOT,
            Error::TooLarge { .. } | Error::TooManyParts => libc::EFBIG,
            Error::TooManyNames => libc::EMLINK,
            Error::AttributesTooLarge(_) | Error::OutOfSpace => libc::ENOSPC,
            Error::NoSuchUpload
            | Error::InvalidPart(_)
            | Error::InvalidPartOrder
            | Error::PartTooSmall { .. }
            | Error::NoObjectLock
            | Error::InvalidDrive(_)
            | Error::RetentionPast
            | Error::InvalidApproval(_)
            | Error::InvalidDocument(_)
            | Error::TokenReused
            | Error::InvalidWriteOffset { .. }
            | Error::Unavailable(_)
            | Error::Lost(_)
            | Error::ShuttingDown
            | Error::Index(_)
            | Error::Io(_) => libc::EIO,
        };
        if errno == libc::EIO {
            tracing::warn!(%error, "a mount was answered EIO");
        }
        Self(errno)
    }
}
