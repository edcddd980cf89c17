//! Renaming a key: its version comes under another one, and ends under its own, in one batch.

use super::{Decider, attributes_of, without_claims_of};
use crate::commit::op::Outcome;
use crate::configuration::Versioning;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::journal::{Entry, Removed};
use crate::object::{Attributes, Conditions, Etag, RenameTerms, RenameToken, StoredCopy, StreamedCopy};
use crate::record::{Extent, Posix, Record};
use crate::time::to_seconds;

impl Decider<'_, '_> {
    /// A batch is there whole or not at all, so the two entries are: the version that comes takes over the claims that
    /// the one which ends has on streams.
    pub(super) fn rename(
        &mut self,
        bucket: u32,
        (source, destination): (&str, &str),
        terms: &RenameTerms,
        copies: (Option<&StoredCopy>, Option<&StreamedCopy>),
    ) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        let is_versioned = state.versioning() != Versioning::Never;
        let replaced = self.applier.current(bucket, destination)?;
        if let Some(row) = &replaced
            && was_asked_before(terms.token, row)?
        {
            return Ok(Outcome::Stored(row.clone()));
        }
        let held = self.applier.current(bucket, source)?.ok_or(Error::NoSuchKey)?;
        let attributes = attributes_of(&held)?;
        if terms.carried.as_ref().is_some_and(|carried| *carried != attributes) {
            return Err(Error::Changed);
        }
        if !holds(&terms.source, Some(&held))? || !holds(&terms.destination, replaced.as_ref())? {
            return Err(Error::PreconditionFailed);
        }
        let (gone, targets) = self.ending((bucket, source), &held, false)?;
        let (removed, kills) = match &replaced {
            Some(row) => self.ending((bucket, destination), row, false)?,
            None => (Removed::default(), Vec::new()),
        };
        if is_versioned && !terms.is_of_files {
            return Err(Error::InvalidBucketState("objects can't be renamed where versions are kept, or were"));
        }
        if source == destination {
            return Ok(Outcome::Stored(held));
        }
        if is_versioned {
            return self.rename_version(state, (source, destination), (held, replaced), copies);
        }
        let attributes = Attributes { renamed: terms.token, ..attributes }.to_bytes()?;
        let extents = self.renamed_extents(&held.record, copies.0)?;
        let posix = Posix { inode: held.record.inode(), ..held.record.posix };
        let record = Record { id: self.next_lsn(), posix, attributes, extents, ..held.record };
        let targets = without_claims_of(targets, &record);
        let row = Row::plain(record.id, self.site.file, record.clone());
        let key = destination.to_owned();
        self.push(Entry::Put { bucket, key, upload: 0, record, removed, kills })?;
        self.push(Entry::Kill { bucket, key: source.to_owned(), removed: gone, kills: targets })?;
        Ok(Outcome::Stored(row))
    }

    /// Where the bytes of a renamed record are: in streams as they were, else at the end of this batch.
    pub(super) fn renamed_extents(&mut self, record: &Record, copy: Option<&StoredCopy>) -> Result<Vec<Extent>> {
        let Some(held) = record.small() else { return Ok(record.extents.clone()) };
        let copy = copy.filter(|copy| copy.record == record.id).ok_or(Error::Changed)?;
        Ok(vec![Extent { part: held.part, ..self.place(&copy.stored, copy.hash) }])
    }
}

/// Whether a rename to this key by that token is done.
fn was_asked_before(token: Option<RenameToken>, replaced: &Row) -> Result<bool> {
    let Some(asked) = token else { return Ok(false) };
    match attributes_of(replaced)?.renamed {
        Some(done) if done == asked => Ok(true),
        Some(done) if done.token == asked.token => Err(Error::TokenReused),
        _ => Ok(false),
    }
}

fn holds(conditions: &Conditions, held: Option<&Row>) -> Result<bool> {
    if *conditions == Conditions::default() {
        return Ok(true);
    }
    let said = |row: &Row| -> Result<(Etag, i64)> { Ok((attributes_of(row)?.etag, to_seconds(row.record.modified))) };
    Ok(conditions.hold(held.map(said).transpose()?))
}
