//! What a bucket's documents say of access, read and compiled once for as long as they stand.

use std::sync::{Arc, LazyLock};

use packstone_access::{Acl, ObjectOwnership, Policy, PolicyKind, PublicAccessBlock};
use packstone_store::object::BucketState;
use s3s::dto::ServerSideEncryptionConfiguration;

use crate::acl;
use crate::bound_policy::BoundPolicy;
use crate::bucket::access::{self, BLOCK, OWNERSHIP};
use crate::bucket::configuration::read;
use crate::encryption::Method;

/// Kinds of documents.
pub(crate) const POLICY: &str = "policy";
pub(crate) const ACL: &str = "acl";
pub(crate) const ENCRYPTION: &str = "encryption";

/// The rules of one bucket.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub policy: Option<Arc<Policy>>,
    pub acl: Option<Acl>,
    pub ownership: ObjectOwnership,
    pub block: PublicAccessBlock,
    /// What objects are encrypted with whose requests don't say.
    pub encryption: Option<Method>,
    /// What that is can't be read: nothing is written that doesn't say it.
    pub encryption_unread: bool,
    /// A document can't be read: nobody but root passes.
    pub broken: bool,
}

static NONE: LazyLock<Arc<Rules>> = LazyLock::new(Arc::default);

impl Rules {
    /// The rules of a bucket. They hang on its state, which the store replaces whole when a document changes.
    pub fn of(state: &BucketState) -> Arc<Self> {
        if state.count_documents() == 0 { NONE.clone() } else { state.derived(|| Self::new(state)) }
    }

    fn new(state: &BucketState) -> Self {
        let bytes = |kind| state.document(kind, "").map(|document| &*document.value);
        let name = &*state.bucket.name;
        let policy = bytes(POLICY).map(|bytes| {
            BoundPolicy::decode(bytes).and_then(|held| held.compile(PolicyKind::Bucket(name.into()), name).ok())
        });
        let acl = bytes(ACL).map(acl::decode);
        let (ownership, block) = (bytes(OWNERSHIP).map(access::ownership), bytes(BLOCK).map(access::block));
        let encryption = bytes(ENCRYPTION)
            .map(|bytes| {
                read::<ServerSideEncryptionConfiguration>(bytes).and_then(|held| Method::of_configuration(&held))
            })
            .transpose();
        let broken =
            matches!(policy, Some(None)) || acl == Some(None) || ownership == Some(None) || block == Some(None);
        if encryption.is_err() {
            tracing::error!(
                bucket = name,
                "its default encryption can't be carried out: nothing is written that doesn't say its own"
            );
        }
        if broken {
            tracing::error!(bucket = name, "what it says of access can't be read: only root is let in");
        }
        Self {
            policy: policy.flatten(),
            acl: acl.flatten(),
            ownership: ownership.flatten().unwrap_or_default(),
            block: block.flatten().unwrap_or_default(),
            encryption_unread: encryption.is_err(),
            encryption: encryption.ok().flatten().flatten(),
            broken,
        }
    }

    /// Whether ACLs count.
    pub fn has_acls(&self) -> bool {
        self.ownership.has_acls()
    }
}

#[cfg(test)]
mod tests;
