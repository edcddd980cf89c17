//! The content of a file anew: all that is said of it stays.

use super::object::Way;
use super::{Decider, attributes_of, without_claims_of};
use crate::codec::Reader;
use crate::commit::op::{Beside, Draft, Outcome};
use crate::configuration::Versioning;
use crate::crypto::plain_length;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::index::row::corrupt;
use crate::object::attributes::is_pending;
use crate::object::pieces::expect_changeable;
use crate::object::{Attributes, FileChange, FileFacts, Kept, MAX_NAMES_BYTES, Rewritten};
use crate::record::{Extent, Posix, Record};

impl Decider<'_, '_> {
    /// Where versions are kept the one that is there stays, unless its own writer made it for the time being, or it waits for
    /// its lock.
    pub(super) fn rewrite(
        &mut self,
        (bucket, key): (u32, &str),
        place: &Rewritten,
        (draft, kept): (&Draft, Option<&Kept>),
        room: Beside,
    ) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        self.expect_live(draft)?;
        let held = self.applier.current(bucket, key)?.filter(|row| row.record.id == place.record);
        let held = held.ok_or(Error::Changed)?;
        if kept.is_some() {
            expect_changeable(state.versioning(), &held)?;
        }
        let others = self.all_beside(bucket, key, &held, room)?;
        let (removed, kills) = self.ending((bucket, key), &held, false)?;
        let is_pending = is_pending(&held.record.attributes).map_err(corrupt)?;
        let way = match state.versioning() {
            Versioning::Enabled if place.own || is_pending => Way { replaces: held.record.id, removed, kills },
            _ => self.make_way(state, key, Some(held.clone()))?,
        };
        let said = Attributes::decode(&mut Reader(&draft.attributes)).map_err(corrupt)?;
        let others = self.carried_beside(others, &said, place.mtime)?;
        let mut attributes = self.carried(&held, place.mtime)?;
        (attributes.etag, attributes.checksum, attributes.encryption) = (said.etag, said.checksum, said.encryption);
        self.await_lock(state, &mut attributes);
        let record = self.content(&held.record, (draft, kept), attributes.to_bytes()?)?;
        if !others.is_empty() {
            self.expect_fits_all(bucket, record.size, &held, others.len())?;
            expect_named(&record, others.len())?;
        }
        // What it keeps lives on under the claims that it has.
        let way = Way { kills: without_claims_of(way.kills, &record), ..way };
        let outcome = self.bring(state, key, (0, Vec::new()), record.clone(), way)?;
        for (name, row, attributes) in others {
            let record = match kept {
                // Each name has its own claims on what is kept.
                Some(_) => self.content(&row.record, (draft, kept), attributes)?,
                None => Record { id: self.next_lsn(), attributes, ..record.clone() },
            };
            self.bring_beside(bucket, name, &row, record)?;
        }
        Ok(outcome)
    }

    /// The record of new content under one name of the file, which `held` is.
    fn content(
        &mut self,
        held: &Record,
        (draft, kept): (&Draft, Option<&Kept>),
        attributes: Vec<u8>,
    ) -> Result<Record> {
        let posix = Posix { inode: held.inode(), mtime: 0, ..held.posix };
        let body = Record { posix, ..self.record(draft, attributes) };
        let Some(kept) = kept else { return Ok(body) };
        // By a number that meant another piece the wrong one would be kept.
        let is_same = held.extents.len() <= kept.extents && held.pieces().count() == kept.pieces;
        if !is_same || (held.key_id, held.chunking) != (draft.key_id, body.chunking) {
            return Err(Error::Changed);
        }
        let extents = kept.with(&held.extents, &body.extents).ok_or(Error::Changed)?;
        let record = Record { size: kept.size, extents, ..body };
        let plain = |stored| if held.chunking == 0 { stored } else { plain_length(stored) };
        let size = record.pieces().map(plain).fold(0, u64::saturating_add);
        if size == kept.size { Ok(record) } else { Err(Error::Changed) }
    }

    /// What is said of a version that stays when its content changes, which is its last change unless a time is said.
    pub(super) fn carried(&self, held: &Row, mtime: Option<i64>) -> Result<Attributes> {
        let attributes = attributes_of(held)?;
        let now = self.site.now;
        let file = match mtime {
            None => attributes.file.map(|file| FileFacts { mtime: 0, ctime: now, ..file }),
            said => {
                let change = FileChange { mtime: said, ..FileChange::default() };
                Some(change.apply(FileFacts::of(&held.record, &attributes), now))
            }
        };
        Ok(Attributes {
            upload: None,
            renamed: None,
            retention: None,
            legal_hold: false,
            file,
            inode: None,
            ..attributes
        })
    }
}

/// That the extents of a record can be said once more for each of the other names.
fn expect_named(record: &Record, others: usize) -> Result<()> {
    let each = record.extents.len() * Extent::ENCODED;
    let limit = record.size / others.max(1) as u64;
    if others * each > MAX_NAMES_BYTES { Err(Error::TooLarge { limit }) } else { Ok(()) }
}
