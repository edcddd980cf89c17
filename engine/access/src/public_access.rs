//! The public access block: what keeps a slip from opening a bucket to everybody.

use crate::acl::Acl;
use crate::policy::Policy;

/// Four switches, each of its own. A bucket's and its account's count together.
#[allow(clippy::struct_excessive_bools, reason = "the four settings of AWS, which are independent")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PublicAccessBlock {
    /// Public ACLs can't be set.
    pub block_public_acls: bool,
    /// Public ACLs don't count.
    pub ignore_public_acls: bool,
    /// Public policies can't be set.
    pub block_public_policy: bool,
    /// A bucket with a public policy is for its own account alone.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All that either blocks.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }

    /// Whether `policy` may not be set.
    #[must_use]
    pub fn refuses_policy(self, policy: &Policy) -> bool {
        self.block_public_policy && policy.is_public()
    }

    /// Whether `acl` may not be set.
    #[must_use]
    pub fn refuses_acl(self, acl: &Acl) -> bool {
        self.block_public_acls && acl.is_public()
    }
}
