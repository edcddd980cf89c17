//! Renaming a file where versions are kept, or were: its content comes as a version of its own under the new key, and the
//! old key ends as by a delete, in one batch.
//!
//! | what is renamed | what is left at its key | where the new version's bytes are |
//! |---|---|---|
//! | a version that waits for its lock | nothing of it; a delete marker where an older version would come back | where they were: their claims go with it |
//! | the null version, versioning suspended | a delete marker in its place | where they were |
//! | any other version | that version, behind a delete marker | copied before |
//!
//! * What is under the new key stays as an older version, unless it waits for its lock, or is the null version where
//!   versioning is suspended: then it ends.
//! * What is locked is neither renamed nor renamed over: that is asked before anything is decided here.
//! * What waits for its lock waits on, by the rule and since the time that it had. Anything else that comes is locked, or
//!   waits, by the rule of its bucket, as what is put; a retention that is over counts for nothing.
//! * The file keeps its number. An older version that had the same one and comes back, when the delete marker in front of
//!   it goes, is given another ([`Decider::number_anew`]): no two keys of such a bucket ever have one number, since a
//!   change of the file would be a change of both.
//! * The version counts as made now, so that what it takes the place of counts as older since now; what `stat` says of it
//!   stays.

use std::sync::Arc;

use super::object::Way;
use super::{Decider, attributes_of, claimed, without_claims_of};
use crate::commit::BucketState;
use crate::commit::op::Outcome;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::journal::{Entry, Removed};
use crate::object::rename::is_handed_on;
use crate::object::{Attributes, FileFacts, StoredCopy, StreamedCopy};
use crate::record::{Extent, Posix, Record};

impl Decider<'_, '_> {
    /// `held` is what is renamed, `replaced` what is there: neither is locked.
    pub(super) fn rename_version(
        &mut self,
        state: &Arc<BucketState>,
        (source, destination): (&str, &str),
        (held, replaced): (Row, Option<Row>),
        copies: (Option<&StoredCopy>, Option<&StreamedCopy>),
    ) -> Result<Outcome> {
        let bucket = state.bucket.id;
        let way = self.way_of_file(state, destination, replaced)?;
        let left = self.way_of_file(state, source, Some(held.clone()))?;
        let removed = Removed {
            objects: way.removed.objects + left.removed.objects,
            bytes: way.removed.bytes + left.removed.bytes,
        };
        self.expect_fits(state, held.record.size, removed)?;
        let attributes = self.renamed_attributes(state, &held)?.to_bytes()?;
        let is_waiting = attributes_of(&held)?.pending.is_some();
        let below = self.applier.below(bucket, source, held.record.id)?;
        let is_marked = !is_waiting || below.is_some_and(|below| !below.marker);
        let extents = match left.replaces == held.record.id {
            true => self.renamed_extents(&held.record, copies.0)?,
            false => self.copied_extents(&held.record, copies)?,
        };
        let (id, modified) = (self.next_lsn(), self.site.now);
        let posix = Posix { inode: held.record.inode(), ..held.record.posix };
        let record = Record { id, modified, posix, attributes, extents, ..held.record };
        let left = Way { kills: without_claims_of(left.kills, &record), ..left };
        let version = self.version_for(state, id);
        let row = Row { version, ..Row::plain(id, self.site.file, record.clone()) };
        let Way { replaces, removed, kills } = way;
        let key = destination.to_owned();
        self.push(Entry::PutVersion { bucket, key, upload: 0, version, record, replaces, removed, kills })?;
        self.leave(state, source, left, is_marked)?;
        Ok(Outcome::Stored(row))
    }

    /// What ends where a file comes to a key, or goes from it. `held` is the current version there.
    fn way_of_file(&mut self, state: &BucketState, key: &str, held: Option<Row>) -> Result<Way> {
        match held {
            Some(row) if is_handed_on(state.versioning(), &row)? => {
                let (removed, kills) = self.ending((state.bucket.id, key), &row, false)?;
                Ok(Way { replaces: row.record.id, removed, kills })
            }
            held => self.make_way(state, key, held),
        }
    }

    /// A key ends: as a file that leaves no trace, or by a delete marker.
    fn leave(&mut self, state: &BucketState, key: &str, way: Way, is_marked: bool) -> Result<()> {
        if is_marked {
            return self.bring_marker(state, key, way).map(drop);
        }
        let Way { replaces: record, removed, kills } = way;
        let (bucket, key) = (state.bucket.id, key.to_owned());
        self.push(Entry::KillVersion { bucket, key, record, promoted: 0, removed, kills })
    }

    /// What is said of a version under its new key.
    fn renamed_attributes(&self, state: &BucketState, held: &Row) -> Result<Attributes> {
        let said = attributes_of(held)?;
        let file = FileFacts::of(&held.record, &said);
        let mtime = if file.mtime == 0 { held.record.modified } else { file.mtime };
        let file = Some(FileFacts { mtime, ..file });
        let mut attributes =
            Attributes { retention: None, legal_hold: false, renamed: None, inode: None, file, ..said };
        if attributes.pending.is_none() {
            self.hold_as_made(state, held.record.posix.mode, &mut attributes);
        }
        Ok(attributes)
    }

    /// The bytes of a record that stays, once more.
    fn copied_extents(
        &mut self,
        record: &Record,
        (small, streamed): (Option<&StoredCopy>, Option<&StreamedCopy>),
    ) -> Result<Vec<Extent>> {
        if record.extents.is_empty() || record.small().is_some() {
            return self.renamed_extents(record, small);
        }
        let copy = streamed.filter(|copy| copy.record == record.id && self.are_live(&copy.extents));
        let copy = copy.ok_or(Error::Changed)?;
        let id = self.next_lsn();
        Ok(copy.extents.iter().map(|extent| claimed(*extent, id)).collect())
    }

    /// Gives a version that comes back under a key a number of its own, where a file under another one has the number that
    /// it had. `room` is what was left in the journal for what is said of it.
    pub(super) fn number_anew(&mut self, (bucket, key): (u32, &str), row: &Row, room: usize) -> Result<()> {
        let is_free = self.applier.names(row.record.inode())?.iter().all(|name| name == (bucket, key));
        if is_free {
            return Ok(());
        }
        // An entry that makes no record: no file ever has its LSN for a number.
        let attributes = Attributes { inode: Some(self.next_lsn()), ..attributes_of(row)? }.to_bytes()?;
        if attributes.len() > room {
            return Err(Error::Changed);
        }
        let (key, record, kills) = (key.to_owned(), row.record.id, row.amendment.into_iter().collect());
        self.push(Entry::Amend { bucket, key, record, attributes, kills })
    }
}
