//! The content of a file anew: all that is said of it stays.

use super::object::Way;
use super::{Decider, attributes_of};
use crate::codec::Reader;
use crate::commit::op::{Beside, Draft, Outcome};
use crate::configuration::Versioning;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::index::row::corrupt;
use crate::object::{Attributes, FileFacts, MAX_NAMES_BYTES, Rewritten};
use crate::record::{Extent, Posix, Record};

impl Decider<'_, '_> {
    /// Where versions are kept the one that is there stays, unless its own writer made it for the time being.
    pub(super) fn rewrite(
        &mut self,
        (bucket, key): (u32, &str),
        place: &Rewritten,
        draft: &Draft,
        room: Beside,
    ) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        self.expect_live(draft)?;
        let held = self.applier.current(bucket, key)?.filter(|row| row.record.id == place.record);
        let held = held.ok_or(Error::Changed)?;
        let others = self.all_beside(bucket, key, &held, room)?;
        let (removed, kills) = self.ending((bucket, key), &held, false)?;
        let way = match state.versioning() {
            Versioning::Enabled if place.own => Way { replaces: held.record.id, removed, kills },
            _ => self.make_way(state, key, Some(held.clone()))?,
        };
        let said = Attributes::decode(&mut Reader(&draft.attributes)).map_err(corrupt)?;
        let others = self.carried_beside(others, &said)?;
        let mut attributes = self.carried(&held)?;
        (attributes.etag, attributes.checksum, attributes.encryption) = (said.etag, said.checksum, said.encryption);
        self.hold(state, &mut attributes);
        let posix = Posix { inode: held.record.inode(), mtime: 0, ..held.record.posix };
        let record = Record { posix, ..self.record(draft, attributes.to_bytes()?) };
        if !others.is_empty() {
            self.expect_fits_all(bucket, record.size, &held, others.len())?;
            expect_named(&record, others.len())?;
        }
        let outcome = self.bring(state, key, (0, Vec::new()), record.clone(), way)?;
        for (name, row, attributes) in others {
            let record = Record { id: self.next_lsn(), attributes, ..record.clone() };
            self.bring_beside(bucket, name, &row, record)?;
        }
        Ok(outcome)
    }

    /// What is said of a version that stays when its content changes, which is its last change.
    pub(super) fn carried(&self, held: &Row) -> Result<Attributes> {
        let attributes = attributes_of(held)?;
        let ctime = self.site.now;
        let file = attributes.file.map(|file| FileFacts { mtime: 0, ctime, ..file });
        Ok(Attributes { upload: None, renamed: None, retention: None, legal_hold: false, file, ..attributes })
    }
}

/// That the extents of a record can be said once more for each of the other names.
fn expect_named(record: &Record, others: usize) -> Result<()> {
    let each = record.extents.len() * Extent::ENCODED;
    let limit = record.size / others.max(1) as u64;
    if others * each > MAX_NAMES_BYTES { Err(Error::TooLarge { limit }) } else { Ok(()) }
}
