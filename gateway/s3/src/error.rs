//! From the store's errors to S3's, and the errors that the verbs make themselves.
//!
//! The map is exhaustive: a new error of the store doesn't compile until somebody has decided what clients see.

use std::borrow::Cow;

use hyper::StatusCode;
use packstone_access::Denied;
use packstone_store::Error;
use packstone_store::object::MIN_PART;
use s3s::{S3Error, S3ErrorCode};

use crate::detail::{Element, Saying as _};

/// The answer to an error of the store.
pub(crate) fn from_store(error: Error) -> S3Error {
    let code = match &error {
        Error::NoSuchBucket => S3ErrorCode::NoSuchBucket,
        Error::NoSuchKey => S3ErrorCode::NoSuchKey,
        Error::NoSuchVersion => S3ErrorCode::NoSuchVersion,
        // Who asked for the newest version finds none; the verbs that name versions say it in their own way.
        Error::DeleteMarker { .. } => S3ErrorCode::NoSuchKey,
        Error::Locked { .. } | Error::LegalHold => {
            return refused(S3ErrorCode::AccessDenied, "Access Denied because object protected by object lock.");
        }
        Error::NoObjectLock => return invalid_request("Bucket is missing Object Lock Configuration"),
        Error::CustomerKeyMissing => {
            return invalid_request(
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided \
                 to retrieve the object.",
            );
        }
        Error::CustomerKeyUnexpected => {
            return invalid_request("The encryption parameters are not applicable to this object.");
        }
        Error::CustomerKeyWrong => S3ErrorCode::AccessDenied,
        Error::CustomerKeyLocked => {
            return invalid_request(
                "An object that is protected by object lock can't be encrypted with a key that the client provides.",
            );
        }
        Error::NoSuchKmsKey => {
            return custom("KMS.NotFoundException", StatusCode::BAD_REQUEST, "The key does not exist");
        }
        Error::RetentionPast => return invalid_argument("The retain until date must be in the future!"),
        Error::InvalidBucketState(why) => return refused(S3ErrorCode::InvalidBucketState, *why),
        Error::InvalidDocument(why) | Error::InvalidApproval(why) => return invalid_request(*why),
        Error::DocumentChanged => S3ErrorCode::OperationAborted,
        Error::NoSuchUpload => S3ErrorCode::NoSuchUpload,
        Error::BucketExists => S3ErrorCode::BucketAlreadyOwnedByYou,
        Error::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
        Error::InvalidBucketName(_) => S3ErrorCode::InvalidBucketName,
        Error::InvalidKey => S3ErrorCode::KeyTooLongError,
        Error::InvalidPart(number) => {
            return S3Error::new(S3ErrorCode::InvalidPart).saying(Element::PartNumber, number);
        }
        Error::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
        Error::PartTooSmall { number, size } => {
            return S3Error::new(S3ErrorCode::EntityTooSmall)
                .saying(Element::ProposedSize, size)
                .saying(Element::MinSizeAllowed, MIN_PART)
                .saying(Element::PartNumber, number);
        }
        Error::PreconditionFailed => S3ErrorCode::PreconditionFailed,
        Error::Changed => S3ErrorCode::ConditionalRequestConflict,
        // No request of S3's renames a directory.
        Error::Renaming => S3ErrorCode::SlowDown,
        Error::TokenReused => {
            return custom(
                "IdempotencyParameterMismatch",
                StatusCode::BAD_REQUEST,
                "Parameters on this idempotent request are inconsistent with parameters used in previous request(s).",
            );
        }
        // AWS has no quotas: code and status are Ceph's.
        Error::QuotaExceeded => {
            return custom(
                "QuotaExceeded",
                StatusCode::FORBIDDEN,
                "The bucket, or its owner, may not hold more objects or bytes.",
            );
        }
        Error::InvalidWriteOffset { .. } => {
            return custom(
                "InvalidWriteOffset",
                StatusCode::BAD_REQUEST,
                "The write offset value that you specified does not match the current object size.",
            );
        }
        Error::TooManyParts => {
            return custom(
                "TooManyParts",
                StatusCode::BAD_REQUEST,
                "You have attempted to add more parts than the maximum of 10000 that are allowed for this object.",
            );
        }
        Error::TooManyNames => return invalid_request(error.to_string()),
        Error::TooLarge { limit } => {
            return S3Error::new(S3ErrorCode::EntityTooLarge).saying(Element::MaxSizeAllowed, limit);
        }
        Error::AttributesTooLarge(_) => S3ErrorCode::MetadataTooLarge,
        // AWS has no code for a full disk. A 503 would have every SDK try again and again, and nothing a client can
        // do makes space; 507 is HTTP's own answer, and the code is the one AWS gives where its capacity ends.
        Error::OutOfSpace => {
            return custom("InsufficientCapacity", StatusCode::INSUFFICIENT_STORAGE, error.to_string());
        }
        Error::Unavailable(_) | Error::ShuttingDown => S3ErrorCode::ServiceUnavailable,
        Error::Denied(_) => S3ErrorCode::AccessDenied,
        // What failed is for the operator: the client learns that it was not its fault.
        Error::Lost(_) | Error::Index(_) | Error::Io(_) | Error::InvalidDrive(_) => {
            tracing::error!(%error, "the store failed");
            S3ErrorCode::InternalError
        }
    };
    S3Error::new(code)
}

pub(crate) fn from_denied(_: Denied) -> S3Error {
    access_denied()
}

pub(crate) fn access_denied() -> S3Error {
    S3Error::new(S3ErrorCode::AccessDenied)
}

/// An error with words of its own.
pub(crate) fn refused(code: S3ErrorCode, message: impl Into<Cow<'static, str>>) -> S3Error {
    S3Error::with_message(code, message)
}

pub(crate) fn invalid_argument(message: impl Into<Cow<'static, str>>) -> S3Error {
    refused(S3ErrorCode::InvalidArgument, message)
}

/// An argument that is wrong, by its name in query or headers, from which the front tells its value.
pub(crate) fn argument(name: &str, message: impl Into<Cow<'static, str>>) -> S3Error {
    invalid_argument(message).saying(Element::ArgumentName, name)
}

pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> S3Error {
    refused(S3ErrorCode::InvalidRequest, message)
}

pub(crate) fn not_implemented() -> S3Error {
    refused(S3ErrorCode::NotImplemented, "A header you provided implies functionality that is not implemented")
}

/// An error whose code s3s doesn't have.
pub(crate) fn custom(code: &'static str, status: StatusCode, message: impl Into<Cow<'static, str>>) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(status);
    error
}

#[cfg(test)]
mod tests;
