//! Versions of objects.
//!
//! Each version stands once: the newest of its key (by the record's id) in `Current` if it is an object, everything else
//! in `Versions`. So a GET is one look-up and a listing passes over no delete marker. A key's null version that stands in
//! `Versions` has a pointer there, so that nothing searches for it.

use std::ops::Bound;

use super::Applier;
use crate::index::{IndexError, IndexResult, Row, Space, keys};
use crate::journal::{Entry, Target};
use crate::record::Record;

/// Greater than every record's id.
const NEWEST: u64 = u64::MAX;

impl Applier<'_> {
    pub(super) fn apply_version(&mut self, lsn: u64, home: u64, entry: &Entry) -> IndexResult<()> {
        match entry {
            Entry::Put { bucket, key, upload, record, removed, .. } => {
                if *upload != 0 {
                    self.end_upload(*bucket, key, *upload)?;
                }
                if record.id == lsn {
                    self.replace(
                        Space::Current,
                        keys::current(*bucket, key),
                        Some(Row::plain(lsn, home, record.clone())),
                    )?;
                } else {
                    self.restate(lsn, home, (*bucket, key), record)?;
                }
                self.count(*bucket, *removed, Some(record))
            }
            Entry::PutVersion { bucket, key, upload, version, record, replaces, removed, .. } => {
                if *upload != 0 {
                    self.end_upload(*bucket, key, *upload)?;
                }
                if record.id == lsn {
                    let row = Row { version: *version, ..Row::plain(lsn, home, record.clone()) };
                    self.end(*bucket, key, *replaces)?;
                    self.displace(*bucket, key)?;
                    self.replace(Space::Current, keys::current(*bucket, key), Some(row))?;
                    self.enter_pending(*bucket, key, record)?;
                } else {
                    self.restate(lsn, home, (*bucket, key), record)?;
                }
                self.count(*bucket, *removed, Some(record))
            }
            Entry::Marker { bucket, key, replaces, removed, .. } => {
                self.end(*bucket, key, *replaces)?;
                self.displace(*bucket, key)?;
                if let Some(row) = marker(lsn, home, entry) {
                    self.put_version(*bucket, key, row);
                }
                self.count(*bucket, *removed, None)
            }
            Entry::Kill { bucket, key, removed, .. } => {
                self.replace(Space::Current, keys::current(*bucket, key), None)?;
                self.count(*bucket, *removed, None)
            }
            Entry::KillVersion { bucket, key, record, promoted, removed, .. } => {
                self.end(*bucket, key, *record)?;
                self.promote(*bucket, key, *promoted)?;
                self.count(*bucket, *removed, None)
            }
            Entry::Amend { bucket, key, record, attributes, .. } => {
                let amendment = Target { lsn, file: home };
                self.amend(*bucket, key, *record, attributes, amendment)
            }
            _ => Ok(()),
        }
    }

    /// The current version of a key.
    ///
    /// # Errors
    /// A fault of the index, as for every method here.
    pub fn current(&mut self, bucket: u32, key: &str) -> IndexResult<Option<Row>> {
        self.row(Space::Current, &keys::current(bucket, key))
    }

    /// The version, or delete marker, that a record's id names, and the space that it stands in.
    pub fn version(&mut self, bucket: u32, key: &str, record: u64) -> IndexResult<Option<(Space, Row)>> {
        if let Some(row) = self.current(bucket, key)?.filter(|row| row.record.id == record) {
            return Ok(Some((Space::Current, row)));
        }
        let place = keys::version(bucket, key, record);
        let row = match self.versions.get(&place) {
            Some(row) => row.clone(),
            None if record == 0 => None,
            None => self.stored(Space::Versions, &place)?,
        };
        Ok(row.map(|row| (Space::Versions, row)))
    }

    /// The newest version or delete marker of a key.
    pub fn newest(&mut self, bucket: u32, key: &str) -> IndexResult<Option<Row>> {
        match self.current(bucket, key)? {
            Some(row) => Ok(Some(row)),
            None => self.below(bucket, key, NEWEST),
        }
    }

    /// The newest version or delete marker in `Versions` that is older than the one of that record.
    pub fn below(&self, bucket: u32, key: &str, record: u64) -> IndexResult<Option<Row>> {
        let (from, end) = (keys::version(bucket, key, record), keys::null_pointer(bucket, key));
        let fresh = self
            .versions
            .range::<[u8], _>((Bound::Excluded(from.as_slice()), Bound::Excluded(end.as_slice())))
            .find_map(|(place, row)| Some((place, row.as_ref()?)));
        for pair in self.snapshot.range(Space::Versions, Bound::Excluded(&from), Bound::Excluded(&end)) {
            let (place, value) = pair?;
            if self.versions.contains_key(&*place) {
                continue;
            }
            if fresh.is_some_and(|(held, _)| held.as_slice() < &*place) {
                break;
            }
            return Ok(Some(Row::decode_whole(&value, self.snapshot)?));
        }
        Ok(fresh.map(|(_, row)| row.clone()))
    }

    /// The null version of a key, an object or a delete marker.
    pub fn null_version(&mut self, bucket: u32, key: &str) -> IndexResult<Option<Row>> {
        if let Some(row) = self.current(bucket, key)?.filter(|row| row.version.is_null()) {
            return Ok(Some(row));
        }
        let pointer = keys::null_pointer(bucket, key);
        let record = match self.nulls.get(&pointer) {
            Some(record) => *record,
            None => self.snapshot.get(Space::Versions, &pointer)?.map(|value| pointed(&value)).transpose()?,
        };
        let Some(record) = record else { return Ok(None) };
        Ok(self.version(bucket, key, record)?.map(|(_, row)| row))
    }

    /// Ends the version of a record; 0 stands for none.
    fn end(&mut self, bucket: u32, key: &str, record: u64) -> IndexResult<()> {
        match self.version(bucket, key, record)? {
            Some((Space::Current, row)) => {
                self.leave_pending(&row.record)?;
                self.replace(Space::Current, keys::current(bucket, key), None)
            }
            Some((_, row)) => {
                self.leave_pending(&row.record)?;
                self.release(&row)?;
                self.take_version(bucket, key, &row);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Moves the current version to `Versions`: something newer comes.
    pub(super) fn displace(&mut self, bucket: u32, key: &str) -> IndexResult<()> {
        let Some(row) = self.current(bucket, key)? else { return Ok(()) };
        let place = keys::current(bucket, key);
        self.leave_inode(&row, &place)?;
        self.batch.remove(Space::Current, place.clone());
        self.rows.insert((Space::Current, place), None);
        self.put_version(bucket, key, row);
        Ok(())
    }

    /// Moves the version of a record to `Current`: nothing newer is left. 0 stands for none.
    pub(super) fn promote(&mut self, bucket: u32, key: &str, record: u64) -> IndexResult<()> {
        let Some((Space::Versions, row)) = self.version(bucket, key, record)? else { return Ok(()) };
        self.take_version(bucket, key, &row);
        let place = keys::current(bucket, key);
        self.enter_inode(&row, &place)?;
        self.batch.put(Space::Current, place.clone(), row.encode().0);
        self.rows.insert((Space::Current, place), Some(row));
        Ok(())
    }

    /// States a version anew where it stands, with its bytes elsewhere.
    fn restate(&mut self, lsn: u64, home: u64, (bucket, key): (u32, &str), record: &Record) -> IndexResult<()> {
        let Some((space, held)) = self.version(bucket, key, record.id)? else { return Ok(()) };
        self.release(&held)?;
        self.tallies.claim(self.snapshot, &record.extents, true)?;
        // What amended it is part of the record that is stated.
        let row = Row { lsn, home, amendment: None, record: record.clone(), ..held };
        self.rewrite(space, bucket, key, row);
        Ok(())
    }

    /// Gives a version other attributes where it stands.
    fn amend(&mut self, bucket: u32, key: &str, record: u64, with: &[u8], by: Target) -> IndexResult<()> {
        let Some((space, mut row)) = self.version(bucket, key, record)? else { return Ok(()) };
        self.leave_pending(&row.record)?;
        let before = row.clone();
        row.record.attributes = with.to_vec();
        row.amendment = Some(by);
        self.enter_pending(bucket, key, &row.record)?;
        if space == Space::Current && row.record.inode() != before.record.inode() {
            let place = keys::current(bucket, key);
            self.leave_inode(&before, &place)?;
            self.enter_inode(&row, &place)?;
        }
        self.rewrite(space, bucket, key, row);
        Ok(())
    }

    /// Writes a row again that stands in `space` already.
    fn rewrite(&mut self, space: Space, bucket: u32, key: &str, row: Row) {
        if space == Space::Current {
            let place = keys::current(bucket, key);
            self.write(space, place.clone(), &row);
            self.rows.insert((space, place), Some(row));
        } else {
            let place = keys::version(bucket, key, row.record.id);
            self.write(space, place.clone(), &row);
            self.versions.insert(place, Some(row));
        }
    }

    /// Puts a row into `Versions`, with the pointer to it if it is the null version.
    pub(super) fn put_version(&mut self, bucket: u32, key: &str, row: Row) {
        let place = keys::version(bucket, key, row.record.id);
        self.write(Space::Versions, place.clone(), &row);
        if row.version.is_null() {
            let pointer = keys::null_pointer(bucket, key);
            self.batch.put(Space::Versions, pointer.clone(), row.record.id.to_le_bytes().to_vec());
            self.nulls.insert(pointer, Some(row.record.id));
        }
        self.versions.insert(place, Some(row));
    }

    /// Takes a row out of `Versions`, and the pointer to it.
    pub(super) fn take_version(&mut self, bucket: u32, key: &str, row: &Row) {
        let place = keys::version(bucket, key, row.record.id);
        self.batch.remove(Space::Versions, place.clone());
        self.versions.insert(place, None);
        if row.version.is_null() {
            let pointer = keys::null_pointer(bucket, key);
            self.batch.remove(Space::Versions, pointer.clone());
            self.nulls.insert(pointer, None);
        }
    }
}

/// The row of a delete marker; `None` for another entry.
pub(super) fn marker(lsn: u64, home: u64, entry: &Entry) -> Option<Row> {
    let Entry::Marker { version, record, modified, .. } = entry else { return None };
    let record = Record::empty(*record, *modified);
    Some(Row { version: *version, marker: true, ..Row::plain(lsn, home, record) })
}

/// The record that a pointer names.
///
/// # Errors
/// A value that is no pointer.
pub fn pointed(value: &[u8]) -> IndexResult<u64> {
    let bytes = value.try_into().map_err(|_| IndexError("a pointer that can't be read".into()))?;
    Ok(u64::from_le_bytes(bytes))
}
