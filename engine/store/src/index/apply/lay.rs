//! Making an index from nothing: live entries in any order, settled when all are there.

use std::ops::Bound;

use super::Applier;
use super::version::marker;
use crate::index::{IndexResult, Row, Snapshot, Space, keys};
use crate::journal::{Entry, Removed};

impl Applier<'_> {
    /// Lays out what a live entry brings. Versions stand in `Versions` until [`Self::settle`], those of entries that know
    /// of no versions in `Current`; an amendment is applied only to settled rows.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn lay(&mut self, lsn: u64, home: u64, entry: &Entry) -> IndexResult<()> {
        self.note(lsn);
        self.is_laid = true;
        let none = Removed::default();
        match entry {
            Entry::Put { bucket, key, record, .. } => {
                let row = Row::plain(lsn, home, record.clone());
                self.replace(Space::Current, keys::current(*bucket, key), Some(row))?;
                self.count(*bucket, none, Some(record))
            }
            Entry::PutVersion { bucket, key, version, record, .. } => {
                let row = Row { version: *version, ..Row::plain(lsn, home, record.clone()) };
                self.tallies.claim(self.snapshot, &record.extents, true)?;
                self.put_version(*bucket, key, row);
                self.enter_pending(*bucket, key, record)?;
                self.count(*bucket, none, Some(record))
            }
            Entry::Marker { bucket, key, .. } => {
                if let Some(row) = marker(lsn, home, entry) {
                    self.put_version(*bucket, key, row);
                }
                Ok(())
            }
            Entry::Part { .. } | Entry::UploadOpen { .. } => self.apply_upload(lsn, home, entry),
            other => {
                let mut other = other.clone();
                other.set_kills(Vec::new());
                self.apply(lsn, home, &other)
            }
        }
    }

    /// Takes away a row that ended, with what it holds beside itself.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn retire(&mut self, space: Space, key: &[u8]) -> IndexResult<()> {
        let one = |row: &Row| Removed { objects: 1, bytes: row.record.size };
        match space {
            Space::Current => {
                let (Some((bucket, _)), Some(row)) = (keys::parse_current(key), self.row(space, key)?) else {
                    return Ok(());
                };
                self.leave_pending(&row.record)?;
                self.replace(space, key.to_vec(), None)?;
                self.count(bucket, one(&row), None)
            }
            Space::Versions => {
                let Some((bucket, name, record)) = keys::parse_version(key) else { return Ok(()) };
                let Some((Space::Versions, row)) = self.version(bucket, &name, record)? else { return Ok(()) };
                self.release(&row)?;
                self.leave_pending(&row.record)?;
                self.take_version(bucket, &name, &row);
                if row.marker { Ok(()) } else { self.count(bucket, one(&row), None) }
            }
            Space::Uploads if keys::parse_part(key).is_some() => self.replace(space, key.to_vec(), None),
            Space::Uploads => {
                self.batch.remove(space, key.to_vec());
                let Some(bucket) = keys::bucket_of_upload(key) else { return Ok(()) };
                let tally = self.tallies.bucket(self.snapshot, bucket)?;
                tally.uploads = tally.uploads.saturating_sub(1);
                Ok(())
            }
            Space::Buckets => std::str::from_utf8(key).map_or(Ok(()), |name| self.delete_bucket(name)),
            Space::Documents => {
                self.batch.remove(space, key.to_vec());
                Ok(())
            }
            Space::Inodes | Space::Extents | Space::Dead | Space::Tallies => Ok(()),
        }
    }

    /// Brings the newest version of a key where it belongs, once all of them are laid out.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn settle(&mut self, bucket: u32, key: &str) -> IndexResult<()> {
        let Some(top) = self.below(bucket, key, u64::MAX)? else { return Ok(()) };
        if self.current(bucket, key)?.is_some_and(|row| row.record.id > top.record.id) {
            return Ok(());
        }
        self.displace(bucket, key)?;
        if top.marker { Ok(()) } else { self.promote(bucket, key, top.record.id) }
    }
}

/// Up to `limit` (bucket, key) that have rows in `Versions`, in order, after the one given.
///
/// # Errors
/// A fault of the index.
pub fn key_groups(
    snapshot: &dyn Snapshot,
    after: Option<&(u32, String)>,
    limit: usize,
) -> IndexResult<Vec<(u32, String)>> {
    let mut groups: Vec<(u32, String)> = Vec::new();
    let behind = |(bucket, key): &(u32, String)| keys::after_prefix(&keys::versions(*bucket, key)).unwrap_or_default();
    let mut from = after.map(behind).unwrap_or_else(|| 1u32.to_be_bytes().to_vec());
    while groups.len() < limit {
        let next = snapshot.range(Space::Versions, Bound::Included(&from), Bound::Unbounded).next().transpose()?;
        let Some((bucket, key, _)) = next.and_then(|(place, _)| keys::parse_version(&place)) else { break };
        groups.push((bucket, key));
        from = groups.last().map(behind).unwrap_or_default();
    }
    Ok(groups)
}
