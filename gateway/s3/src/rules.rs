//! What a bucket's documents say of access, read and compiled once for as long as they stand.

use std::sync::{Arc, LazyLock};

use packstone_access::{Acl, ObjectOwnership, Policy, PolicyKind, PublicAccessBlock};
use packstone_store::object::BucketState;

use crate::acl;
use crate::bucket::access::{self, BLOCK, OWNERSHIP};

/// Kinds of documents.
pub(crate) const POLICY: &str = "policy";
pub(crate) const ACL: &str = "acl";

/// The rules of one bucket.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub policy: Option<Arc<Policy>>,
    pub acl: Option<Acl>,
    pub ownership: ObjectOwnership,
    pub block: PublicAccessBlock,
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
        let policy = bytes(POLICY).map(|text| {
            Policy::parse(PolicyKind::Bucket(name.into()), name, std::str::from_utf8(text).unwrap_or_default())
        });
        let acl = bytes(ACL).map(acl::decode);
        let (ownership, block) = (bytes(OWNERSHIP).map(access::ownership), bytes(BLOCK).map(access::block));
        let broken =
            matches!(policy, Some(Err(_))) || acl == Some(None) || ownership == Some(None) || block == Some(None);
        if broken {
            tracing::error!(bucket = name, "what it says of access can't be read: only root is let in");
        }
        Self {
            policy: policy.and_then(Result::ok),
            acl: acl.flatten(),
            ownership: ownership.flatten().unwrap_or_default(),
            block: block.flatten().unwrap_or_default(),
            broken,
        }
    }

    /// Whether ACLs count.
    pub fn has_acls(&self) -> bool {
        self.ownership != ObjectOwnership::BucketOwnerEnforced
    }
}

#[cfg(test)]
mod tests;
