//! Where inode numbers lead: to the keys whose current versions have them, the names of a file. And which versions wait for
//! their lock: where those are kept alone, so that only entries that know of versions are asked.

use super::Applier;
use crate::index::names::Names;
use crate::index::row::corrupt;
use crate::index::{IndexResult, Row, Space, keys};
use crate::object::attributes::is_pending;
use crate::record::Record;

impl Applier<'_> {
    /// The names of a file after everything applied so far.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn names(&mut self, inode: u64) -> IndexResult<&mut Names> {
        use std::collections::hash_map::Entry;
        match self.inodes.entry(inode) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(place) => {
                let held = self.snapshot.get(Space::Inodes, &keys::inode(inode))?;
                Ok(place.insert(held.map(|value| Names::decode(&value)).transpose()?.unwrap_or_default()))
            }
        }
    }

    /// A row becomes current under `place`, a key of `Current`.
    pub(super) fn enter_inode(&mut self, row: &Row, place: &[u8]) -> IndexResult<()> {
        let inode = row.record.inode();
        let names = self.names(inode)?;
        if names.insert(place) && names.count() > 1 {
            self.count_links(place, |links| links + 1)?;
        }
        Ok(())
    }

    /// The same of a record that this entry makes, whose own number it is: nothing else can have it.
    pub(super) fn enter_new_inode(&mut self, row: &Row, place: &[u8]) {
        self.inodes.entry(row.record.inode()).or_default().insert(place);
    }

    /// A row is current under `place` no more. A rename brings its record to the destination before it ends the source.
    pub(super) fn leave_inode(&mut self, row: &Row, place: &[u8]) -> IndexResult<()> {
        let names = self.names(row.record.inode())?;
        if names.remove(place) && names.count() > 0 {
            self.count_links(place, |links| links.saturating_sub(1))?;
        }
        Ok(())
    }

    fn count_links(&mut self, place: &[u8], change: impl FnOnce(u64) -> u64) -> IndexResult<()> {
        let Some((bucket, _)) = keys::parse_current(place) else { return Ok(()) };
        let tally = self.tallies.bucket(self.snapshot, bucket)?;
        tally.links = change(tally.links);
        Ok(())
    }

    /// A version comes: if it waits for its lock, that is noted.
    pub(super) fn enter_pending(&mut self, bucket: u32, key: &str, record: &Record) -> IndexResult<()> {
        if is_pending(&record.attributes).map_err(corrupt)? {
            self.batch.put(Space::Inodes, keys::pending(record.id), keys::current(bucket, key));
        }
        Ok(())
    }

    /// A version ends, or is about to be another: if it waited for its lock, that is noted no more.
    pub(super) fn leave_pending(&mut self, record: &Record) -> IndexResult<()> {
        if is_pending(&record.attributes).map_err(corrupt)? {
            self.batch.remove(Space::Inodes, keys::pending(record.id));
        }
        Ok(())
    }

    pub(super) fn write_inodes(&mut self) {
        for (inode, names) in self.inodes.drain() {
            match names.encode() {
                Some(value) => self.batch.put(Space::Inodes, keys::inode(inode), value),
                None => self.batch.remove(Space::Inodes, keys::inode(inode)),
            }
        }
    }
}
