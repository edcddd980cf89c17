//! Where inode numbers lead: to the key whose current version has them.

use super::Applier;
use crate::index::{IndexResult, Space, keys};
use crate::record::Record;

impl Applier<'_> {
    /// A record becomes current under `place`, a key of `Current`.
    pub(super) fn enter_inode(&mut self, record: &Record, place: &[u8]) {
        self.inodes.insert(record.inode(), Some(place.to_vec()));
    }

    /// A record is current under `place` no more. Its number may lead elsewhere already: a rename brings it to its
    /// destination before it ends the source.
    pub(super) fn leave_inode(&mut self, record: &Record, place: &[u8]) -> IndexResult<()> {
        let inode = record.inode();
        let leads_here = match self.inodes.get(&inode) {
            Some(held) => held.as_deref() == Some(place),
            None => self.snapshot.get(Space::Inodes, &keys::inode(inode))?.is_some_and(|held| *held == *place),
        };
        if leads_here {
            self.inodes.insert(inode, None);
        }
        Ok(())
    }

    pub(super) fn write_inodes(&mut self) {
        for (inode, place) in self.inodes.drain() {
            match place {
                Some(place) => self.batch.put(Space::Inodes, keys::inode(inode), place),
                None => self.batch.remove(Space::Inodes, keys::inode(inode)),
            }
        }
    }
}
