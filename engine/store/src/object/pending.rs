//! Files that wait for their lock.
//!
//! What S3 puts into a bucket with default retention is locked as it comes: it is whole. What a mount writes comes piece by
//! piece, from the empty object of `creat` on, so its version is *pending* first: it says by which rule it will be locked,
//! and since when nothing was published.
//!
//! | state | what ends it |
//! |---|---|
//! | pending: no retention yet, listed in the index by its record | new content of the same file takes its place, pending in turn. Deleting the version, as of any that isn't locked |
//! | locked: retention from the moment of locking on, by that rule | as for any locked version |
//!
//! A pending version is locked by [`AttributeChange::Lock`], which whoever watches over idle files asks for; by a change
//! of its mode that leaves nobody leave to write; and by a retention that S3 sets, which counts then. Each is one entry,
//! with the lock in it: a crash leaves the version pending, listed as before, or locked. A directory is no record, and
//! never waits for a lock. Another version that comes over a pending one leaves it pending, and it is locked when it is due.
//!
//! The rule is that of the bucket when the content was published: taking the default away later unlocks nothing.

use std::ops::Bound;

use packstone_access::{Action, Grant};

use super::{AttributeChange, Version};
use crate::codec::{DecodeError, Reader, Writer};
use crate::error::Result;
use crate::index::{Row, Space, keys};
use crate::retention::{DefaultRetention, Mode, Period, Retention};
use crate::store::Store;

/// What a version waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    pub rule: DefaultRetention,
    /// When the content was published, by the compliance clock, Unix seconds.
    pub since: i64,
}

impl Pending {
    /// The retention of a version that is locked at `now`, Unix seconds.
    pub(crate) fn lock(self, now: i64) -> Retention {
        self.rule.from(now)
    }

    pub(crate) fn encode(self, out: &mut Writer) {
        let (unit, count) = match self.rule.period {
            Period::Days(days) => (1, days),
            Period::Years(years) => (2, years),
        };
        out.u8(self.rule.mode as u8);
        out.u8(unit);
        out.u32(count);
        out.i64(self.since);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mode = Mode::try_from(from.u8()?)?;
        let (unit, count) = (from.u8()?, from.u32()?);
        let period = match unit {
            1 => Period::Days(count),
            2 => Period::Years(count),
            other => return Err(DecodeError::Unknown("period", other)),
        };
        Ok(Self { rule: DefaultRetention { mode, period }, since: from.i64()? })
    }
}

/// A version that waits for its lock.
#[derive(Clone, Debug)]
pub struct PendingFile {
    pub bucket: String,
    pub key: String,
    pub version: Version,
}

impl Store {
    /// Up to `limit` versions that wait for their lock, those published first before others, behind that record; and the
    /// record to go on behind, `None` at the end.
    ///
    /// # Errors
    /// A grant for something else, or a fault of the index.
    pub fn pending(&self, grant: &Grant, after: u64, limit: usize) -> Result<(Vec<PendingFile>, Option<u64>)> {
        grant.covers(Action::Administer)?;
        let snapshot = self.inner.shared.index.snapshot();
        let buckets = self.inner.shared.buckets.load();
        let (from, end) = (keys::pending(after), keys::pending(u64::MAX));
        let listed = snapshot.range(Space::Inodes, Bound::Excluded(&from), Bound::Excluded(&end));
        let (mut found, mut next) = (Vec::new(), None);
        for (seen, pair) in listed.take(limit).enumerate() {
            let (place, value) = pair?;
            let (Some(record), Some((bucket, key))) = (keys::parse_pending(&place), keys::parse_current(&value)) else {
                continue;
            };
            next = Some(record).filter(|_| seen + 1 == limit);
            let current = snapshot.get(Space::Current, &value)?;
            let current = current.map(|row| Row::decode_whole(&row, &*snapshot)).transpose()?;
            let row = match current.filter(|row| row.record.id == record) {
                Some(row) => Some((row, true)),
                None => {
                    let older = snapshot.get(Space::Versions, &keys::version(bucket, key, record))?;
                    older.map(|row| Row::decode_whole(&row, &*snapshot)).transpose()?.map(|row| (row, false))
                }
            };
            let (Some((row, latest)), Some(state)) = (row, buckets.by_id(bucket)) else { continue };
            let (bucket, key) = (state.bucket.name.to_string(), key.to_owned());
            found.push(PendingFile { bucket, key, version: Version::from_row(&row, latest)? });
        }
        Ok((found, next))
    }

    /// Locks a version that waits for it; of any other nothing changes.
    ///
    /// # Errors
    /// As [`Self::amend`].
    pub async fn lock_pending(&self, grant: &Grant, version: &Version) -> Result<Version> {
        self.amend(grant, Some(version.version), AttributeChange::Lock, None).await
    }
}
