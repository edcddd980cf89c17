//! Who owns what: the node is one account, and everything in it is the account's.

use std::sync::LazyLock;

use packstone_access::Owner as Account;
use s3s::dto::{Initiator, Owner};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// The account's canonical id, as listings and ACLs show it.
pub(crate) const CANONICAL_ID: &str = "7061636b73746f6e652d726f6f740000000000000000000000000000000000aa";
/// The account's id, as ARNs and `x-amz-expected-bucket-owner` name it.
pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const NAME: &str = "root";

static OWN: LazyLock<Account> =
    LazyLock::new(|| Account { account: ACCOUNT.into(), canonical_id: CANONICAL_ID.into() });

/// The node's account.
pub(crate) fn account() -> &'static Account {
    &OWN
}

pub(crate) fn owner() -> Owner {
    Owner { display_name: Some(NAME.into()), id: Some(CANONICAL_ID.into()) }
}

pub(crate) fn initiator() -> Initiator {
    Initiator { display_name: Some(NAME.into()), id: Some(CANONICAL_ID.into()) }
}

/// Refuses a request that expects its bucket to be somebody else's.
pub(crate) fn expect(account: Option<&str>) -> S3Result<()> {
    match account {
        Some(account) if account != ACCOUNT => Err(S3Error::new(S3ErrorCode::AccessDenied)),
        _ => Ok(()),
    }
}
