//! Files with several names.
//!
//! Each name is an object of its own, with a record, attributes and bytes that it claims or carries: S3 reads, lists and
//! counts it like any other. What makes them one file is their inode number, which the index leads back to all of them.
//! Every change that a mount makes of the file is an entry for each name, all in one batch; what S3 puts over a name has
//! a number of its own, and so leaves the file.
//!
//! * All names of a file hold the same bytes, ETag, owner, mode, times and extended attributes. Tags and ACL are each
//!   name's own, since leave to change them is given by the key.
//! * Names share claims on streams, and of small content the bytes in the journal that brought it. A claim ends with the
//!   last name that has it ([`Decider::ended_targets`]), and nothing but names of one file shares any: S3 appends to no
//!   such file. Moving what lives in a stream gives each name a claim of its own, on bytes that are copied once.
//! * A bucket that has such files begins to keep no versions: an older version that comes back would be a name with
//!   other bytes.

use super::{Decider, attributes_of, without_claims_of};
use crate::commit::op::{Beside, Outcome};
use crate::configuration::Versioning;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::index::row::corrupt;
use crate::journal::{Entry, Removed, Target};
use crate::object::attributes::{MAX_EXTENDED, lock_of};
use crate::object::{AttributeChange, Attributes, FileChange, MAX_NAMES, MAX_NAMES_BYTES, StoredCopy};
use crate::record::{Extent, Posix, Record};
use crate::retention;

impl Decider<'_, '_> {
    /// What is current under the other names of the file that a row is.
    pub(super) fn beside(&mut self, bucket: u32, key: &str, row: &Row) -> Result<Vec<(String, Row)>> {
        let names = self.applier.names(row.record.inode())?.iter();
        let others = names.filter(|(of, name)| (*of, *name) != (bucket, key)).map(|(_, name)| name.to_owned());
        let others: Vec<String> = others.collect();
        let mut found = Vec::with_capacity(others.len());
        for name in others {
            if let Some(row) = self.applier.current(bucket, &name)? {
                found.push((name, row));
            }
        }
        Ok(found)
    }

    /// The same for a change of all of them, for which there is room in the journal for as many as were counted.
    pub(super) fn all_beside(&mut self, bucket: u32, key: &str, row: &Row, room: Beside) -> Result<Vec<(String, Row)>> {
        let others = self.beside(bucket, key, row)?;
        if others.len() > room.names { Err(Error::Changed) } else { Ok(others) }
    }

    /// What ends with a row: not the claims that it shares with other names of its file.
    pub(super) fn ended_targets(&mut self, bucket: u32, key: &str, row: &Row) -> Result<Vec<Target>> {
        let mut targets = row.targets();
        if row.record.extents.iter().any(|extent| extent.claim != 0) {
            for (_, other) in self.beside(bucket, key, row)? {
                targets = without_claims_of(targets, &other.record);
            }
        }
        Ok(targets)
    }

    /// Makes a key one more name of the file that `source` is.
    pub(super) fn link(
        &mut self,
        bucket: u32,
        (source, destination): (&str, &str),
        inode: u64,
        copy: Option<&StoredCopy>,
        room: Beside,
    ) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        if state.versioning() != Versioning::Never {
            return Err(Error::InvalidBucketState("a file has one name where versions are kept, or were"));
        }
        let held = self.applier.current(bucket, source)?.filter(|row| row.record.inode() == inode);
        let held = held.ok_or(Error::NoSuchKey)?;
        retention::may_end(lock_of(&held.record.attributes).map_err(corrupt)?, self.site.compliance, false)?;
        if self.applier.current(bucket, destination)?.is_some() {
            return Err(Error::PreconditionFailed);
        }
        let others = self.all_beside(bucket, source, &held, room)?;
        let each = destination.len() + held.record.attributes.len() + held.record.extents.len() * Extent::ENCODED;
        let names = others.len() + 2;
        if names > MAX_NAMES || names * each > MAX_NAMES_BYTES {
            return Err(Error::TooManyNames);
        }
        self.expect_fits(state, held.record.size, Removed::default())?;
        let said = AttributeChange::File(FileChange::default());
        let carried = Attributes { renamed: None, ..attributes_of(&held)? };
        let attributes = said.apply(&held.record, carried, self.site.now, self.site.compliance).to_bytes()?;
        let amended = self.amended(bucket, &said, (source, &held), &others)?;
        let extents = self.renamed_extents(&held.record, copy)?;
        let posix = Posix { inode, ..held.record.posix };
        let record = Record { id: self.next_lsn(), posix, attributes, extents, ..held.record.clone() };
        let row = Row::plain(record.id, self.site.file, record.clone());
        let (key, removed) = (destination.to_owned(), Removed::default());
        self.push(Entry::Put { bucket, key, upload: 0, record, removed, kills: Vec::new() })?;
        amended.into_iter().try_for_each(|entry| self.push(entry))?;
        Ok(Outcome::Stored(row))
    }

    /// The entries that change what is said of all names of a file alike.
    pub(super) fn amended(
        &self,
        bucket: u32,
        change: &AttributeChange,
        first: (&str, &Row),
        others: &[(String, Row)],
    ) -> Result<Vec<Entry>> {
        let others = others.iter().map(|(name, row)| (name.as_str(), row));
        let rows: Vec<(&str, &Row)> = std::iter::once(first).chain(others).collect();
        let names = rows.len();
        let amend = |(key, row): (&str, &Row)| {
            let before = attributes_of(row)?;
            let attributes = change.apply(&row.record, before, self.site.now, self.site.compliance).to_bytes()?;
            let is_extended = matches!(change, AttributeChange::Extended(..));
            if is_extended && (attributes.len() > MAX_EXTENDED || names * attributes.len() > MAX_NAMES_BYTES) {
                return Err(Error::AttributesTooLarge(attributes.len()));
            }
            let (key, record, kills) = (key.to_owned(), row.record.id, row.amendment.into_iter().collect());
            Ok(Entry::Amend { bucket, key, record, attributes, kills })
        };
        rows.into_iter().map(amend).collect()
    }

    /// The attributes that other names have with new content, each its own with what is said of the content.
    pub(super) fn carried_beside(
        &self,
        others: Vec<(String, Row)>,
        said: &Attributes,
        mtime: Option<i64>,
    ) -> Result<Vec<(String, Row, Vec<u8>)>> {
        let carry = |(name, row): (String, Row)| {
            let held = self.carried(&row, mtime)?;
            let Attributes { etag, checksum, encryption, .. } = said.clone();
            let attributes = Attributes { etag, checksum, encryption, ..held }.to_bytes()?;
            Ok((name, row, attributes))
        };
        others.into_iter().map(carry).collect()
    }

    /// That content fits under all names of a file, in place of what they hold.
    pub(super) fn expect_fits_all(&self, bucket: u32, size: u64, held: &Row, others: usize) -> Result<()> {
        let names = others as u64 + 1;
        let removed = Removed { objects: u32::try_from(names).unwrap_or(u32::MAX), bytes: held.record.size * names };
        self.expect_fits(self.bucket(bucket)?, size.saturating_mul(names), removed)
    }

    /// Puts a record under another name of the file in place of what that held.
    pub(super) fn bring_beside(&mut self, bucket: u32, name: String, row: &Row, record: Record) -> Result<()> {
        let (removed, targets) = self.ending((bucket, &name), row, false)?;
        let kills = without_claims_of(targets, &record);
        self.push(Entry::Put { bucket, key: name, upload: 0, record, removed, kills })
    }
}
