//! Quotas of users: what all buckets of one may hold together. A bucket is its maker's.

use packstone_access::{Grant, Kind};
use packstone_store::Error;
use packstone_store::object::NewDocument;
use packstone_store::quota::{OWNER, Quota, Usage};

use crate::Server;
use crate::asker::Asker;
use crate::identity::Class;

/// What can't be said of a user's quota.
#[derive(Debug)]
pub enum QuotaError {
    NoSuchUser,
    Store(Error),
}

impl Server {
    /// What a user's buckets may hold together, and what they hold.
    ///
    /// # Errors
    /// No such user, or the store's.
    pub fn user_quota(&self, grant: &Grant, user: &str) -> Result<(Quota, Usage), QuotaError> {
        self.store.owner_quota(grant, &self.user_id(user)?).map_err(QuotaError::Store)
    }

    /// Sets it. Blocks.
    ///
    /// # Errors
    /// As [`Self::user_quota`].
    pub fn set_user_quota(&self, grant: &Grant, user: &str, quota: Quota) -> Result<(), QuotaError> {
        self.store.set_owner_quota(grant, &self.user_id(user)?, quota).map_err(QuotaError::Store)
    }

    /// A user that is removed and made again under its name is another one.
    fn user_id(&self, user: &str) -> Result<String, QuotaError> {
        let records = self.ring.records();
        records.named(Class::User, user).map(|known| known.record.id.clone()).ok_or(QuotaError::NoSuchUser)
    }
}

/// That a new bucket is its maker's; root and roles have no quota.
pub(crate) fn owned_by(asker: &Asker) -> Option<NewDocument> {
    match asker.bearer.identity.principal.kind() {
        Kind::User { id, .. } => {
            let value = id.as_bytes().to_vec().into();
            Some(NewDocument { kind: OWNER.to_owned(), name: String::new(), value })
        }
        Kind::Root
        | Kind::Role { .. }
        | Kind::FederatedUser { .. }
        | Kind::Federated { .. }
        | Kind::Service { .. }
        | Kind::Anonymous => None,
    }
}
