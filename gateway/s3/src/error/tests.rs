use std::time::UNIX_EPOCH;

use packstone_store::Error;
use packstone_store::object::VersionId;

use super::from_store;

#[test]
fn what_clients_see_of_the_stores_errors() {
    for (error, status, code) in [
        (Error::NoSuchBucket, 404, "NoSuchBucket"),
        (Error::NoSuchKey, 404, "NoSuchKey"),
        (Error::NoSuchVersion, 404, "NoSuchVersion"),
        (Error::DeleteMarker { version: VersionId::NULL, modified: UNIX_EPOCH }, 404, "NoSuchKey"),
        (Error::Locked { until: 7 }, 403, "AccessDenied"),
        (Error::LegalHold, 403, "AccessDenied"),
        (Error::NoObjectLock, 400, "InvalidRequest"),
        (Error::RetentionPast, 400, "InvalidArgument"),
        (Error::InvalidBucketState("locked"), 409, "InvalidBucketState"),
        (Error::InvalidDocument("empty"), 400, "InvalidRequest"),
        (Error::DocumentChanged, 409, "OperationAborted"),
        (Error::NoSuchUpload, 404, "NoSuchUpload"),
        (Error::BucketExists, 409, "BucketAlreadyOwnedByYou"),
        (Error::BucketNotEmpty, 409, "BucketNotEmpty"),
        (Error::InvalidBucketName("short"), 400, "InvalidBucketName"),
        (Error::InvalidKey, 400, "KeyTooLongError"),
        (Error::InvalidPart(3), 400, "InvalidPart"),
        (Error::InvalidPartOrder, 400, "InvalidPartOrder"),
        (Error::PartTooSmall { number: 1, size: 2 }, 400, "EntityTooSmall"),
        (Error::PreconditionFailed, 412, "PreconditionFailed"),
        (Error::TooLarge { limit: 1 }, 400, "EntityTooLarge"),
        (Error::AttributesTooLarge(70_000), 400, "MetadataTooLarge"),
        (Error::OutOfSpace, 507, "InsufficientCapacity"),
        (Error::Unavailable("two drives".into()), 503, "ServiceUnavailable"),
        (Error::ShuttingDown, 503, "ServiceUnavailable"),
        (Error::Lost("a record".into()), 500, "InternalError"),
        (Error::Index("torn".into()), 500, "InternalError"),
    ] {
        let answer = from_store(error);
        let answered = answer.status_code().map(|status| status.as_u16());
        assert_eq!((answered, answer.code().as_str()), (Some(status), code));
    }
}

#[test]
fn what_failed_inside_stays_inside() {
    let answer = from_store(Error::Lost("segment 7 on /srv/drive3".into()));
    assert_eq!(answer.message(), None);
}
