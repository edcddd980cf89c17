//! Who owns what: root, for now the only actor, owns everything.

use s3s::dto::{Initiator, Owner};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// Root's canonical id, as listings show it.
const ID: &str = "7061636b73746f6e652d726f6f740000000000000000000000000000000000aa";
/// Root's account id, as `x-amz-expected-bucket-owner` names it.
const ACCOUNT: &str = "000000000000";
const NAME: &str = "root";

pub(crate) fn owner() -> Owner {
    Owner { display_name: Some(NAME.into()), id: Some(ID.into()) }
}

pub(crate) fn initiator() -> Initiator {
    Initiator { display_name: Some(NAME.into()), id: Some(ID.into()) }
}

/// Refuses a request that expects its bucket to be somebody else's.
pub(crate) fn expect(account: Option<&str>) -> S3Result<()> {
    match account {
        Some(account) if account != ACCOUNT => Err(S3Error::new(S3ErrorCode::AccessDenied)),
        _ => Ok(()),
    }
}
