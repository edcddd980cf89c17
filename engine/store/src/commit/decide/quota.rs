//! Whether what comes fits into the quotas that it counts towards.

use super::Decider;
use crate::commit::BucketState;
use crate::error::{Error, Result};
use crate::journal::Removed;
use crate::quota::Usage;

impl Decider<'_, '_> {
    /// Asked of every version that comes, with the one that ends for it.
    pub(super) fn expect_fits(&self, state: &BucketState, size: u64, removed: Removed) -> Result<()> {
        let added = Usage { bytes: size, objects: 1 };
        let removed = Usage { bytes: removed.bytes, objects: u64::from(removed.objects) };
        for (quota, buckets) in self.buckets.quotas(state) {
            let mut held = Usage::default();
            for bucket in buckets {
                held = held.plus(self.applier.tally(bucket)?.into());
            }
            if !quota.allows(held, added, removed) {
                return Err(Error::QuotaExceeded);
            }
        }
        Ok(())
    }
}
