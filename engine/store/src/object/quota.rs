//! Quotas as the administrator sets and sees them, and the early refusal of what can't fit.

use std::sync::atomic::Ordering;

use packstone_access::{Action, Grant};

use super::destination::Destination;
use super::{Replaces, Versioning};
use crate::commit::{BucketState, Op};
use crate::error::{Error, Result};
use crate::index::{Row, Snapshot, Space, keys};
use crate::quota::{OWNER_QUOTA, QUOTA, Quota, Usage};
use crate::store::Store;

impl Store {
    /// Sets what a bucket may hold. What it holds already stays. Blocks.
    ///
    /// # Errors
    /// No such bucket.
    pub fn set_bucket_quota(&self, grant: &Grant, bucket: &str, quota: Quota) -> Result<()> {
        grant.covers(Action::Administer)?;
        let state = self.bucket_state(bucket).ok_or(Error::NoSuchBucket)?;
        self.put_quota(state.bucket.id, QUOTA, "", quota)
    }

    /// What a bucket may hold, and what it holds.
    ///
    /// # Errors
    /// No such bucket.
    pub fn bucket_quota(&self, grant: &Grant, bucket: &str) -> Result<(Quota, Usage)> {
        grant.covers(Action::Administer)?;
        let state = self.bucket_state(bucket).ok_or(Error::NoSuchBucket)?;
        let usage = usage_of(&*self.inner.shared.namespace(), state.bucket.id)?;
        Ok((state.quota().unwrap_or_default(), usage))
    }

    /// Sets what all buckets of an owner may hold together. Blocks.
    ///
    /// # Errors
    /// A name that no owner has.
    pub fn set_owner_quota(&self, grant: &Grant, owner: &str, quota: Quota) -> Result<()> {
        grant.covers(Action::Administer)?;
        self.put_quota(0, OWNER_QUOTA, owner, quota)
    }

    /// What all buckets of an owner may hold together, and what they hold.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn owner_quota(&self, grant: &Grant, owner: &str) -> Result<(Quota, Usage)> {
        grant.covers(Action::Administer)?;
        let buckets = self.inner.shared.buckets.load();
        let snapshot = self.inner.shared.namespace();
        let mut usage = Usage::default();
        for bucket in buckets.owned_by(owner) {
            usage = usage.plus(usage_of(&*snapshot, bucket)?);
        }
        Ok((buckets.quota_of(owner).unwrap_or_default(), usage))
    }

    /// Whether anything bounds what a bucket may hold.
    #[must_use]
    pub fn has_quota(&self, state: &BucketState) -> bool {
        !self.inner.shared.buckets.load().quotas(state).is_empty()
    }

    /// Whether there is room for more than what space is won back with.
    #[must_use]
    pub fn takes_growth(&self) -> bool {
        self.inner.shared.shortage.takes_growth()
    }

    fn put_quota(&self, scope: u32, kind: &str, name: &str, quota: Quota) -> Result<()> {
        let op = Op::PutDocument {
            scope,
            kind: kind.to_owned(),
            name: name.to_owned(),
            value: quota.encode().map(Into::into),
            replaces: Replaces::Anything,
        };
        self.inner.queue.commit_blocking(op).map(|_| ())
    }

    /// Refuses a body of that length before it is sent where it can't fit as things stand. The commit loop decides; this
    /// refuses nothing that would be taken now.
    pub(super) fn expect_fits(
        &self,
        state: &BucketState,
        key: &str,
        destination: &Destination,
        length: u64,
    ) -> Result<()> {
        let buckets = self.inner.shared.buckets.load();
        let limits = buckets.quotas(state);
        if limits.is_empty() {
            return Ok(());
        }
        let snapshot = self.inner.shared.namespace();
        let bucket = state.bucket.id;
        let removed = match destination {
            // The loop knows which version ends when the object comes, or the upload that a part is of; a piece ends none.
            Destination::Object | Destination::Part { .. } if state.versioning() == Versioning::Suspended => {
                return Ok(());
            }
            Destination::File(_) | Destination::Changed(..) => return Ok(()),
            Destination::Object | Destination::Part { .. } if state.versioning() == Versioning::Never => {
                let held = snapshot.get(Space::Current, &keys::current(bucket, key))?;
                let row = held.map(|value| Row::decode_brief(&value)).transpose()?;
                row.map_or_else(Usage::default, |row| Usage { bytes: row.record.size, objects: 1 })
            }
            _ => Usage::default(),
        };
        let objects = u64::from(matches!(destination, Destination::Object));
        for (quota, owned) in limits {
            let mut held = Usage::default();
            for bucket in owned {
                held = held.plus(usage_of(&*snapshot, bucket)?);
            }
            if !quota.allows(held, Usage { bytes: length, objects }, removed) {
                self.inner.shared.quota_refusals.fetch_add(1, Ordering::Relaxed);
                return Err(Error::QuotaExceeded);
            }
        }
        Ok(())
    }
}

fn usage_of(snapshot: &dyn Snapshot, bucket: u32) -> Result<Usage> {
    Ok(crate::index::tallies::read(snapshot, bucket)?.into())
}
