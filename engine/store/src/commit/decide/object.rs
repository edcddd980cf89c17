//! Objects: what comes, what ends for it, and by which rules of its bucket.

use std::sync::Arc;

use super::{Decider, attributes_of, expect_readable};
use crate::codec::Reader;
use crate::commit::BucketState;
use crate::commit::op::{Draft, Outcome};
use crate::configuration::Versioning;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::index::row::corrupt;
use crate::journal::{Entry, Removed, Target};
use crate::object::attributes::lock_of;
use crate::object::{Attributes, Deleted, Pending, Precondition};
use crate::record::Record;
use crate::retention;
use crate::time::to_seconds;
use crate::version::VersionId;

/// The bits of a mode that say what kind of file it is of: none for what no mount made.
const FILE_TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;

/// What gives way to a version that comes.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// The record of the version that ends where versions are kept: the null version, or the writer's own; 0 for none.
    pub replaces: u64,
    pub removed: Removed,
    pub kills: Vec<Target>,
}

impl Decider<'_, '_> {
    pub(super) fn put(
        &mut self,
        bucket: u32,
        key: &str,
        draft: &Draft,
        precondition: &Precondition,
    ) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        self.expect_live(draft)?;
        let held = self.applier.current(bucket, key)?;
        check(precondition, held.as_ref())?;
        self.check_lock(state, &draft.attributes)?;
        let attributes = match state.default_retention() {
            None => draft.attributes.clone(),
            Some(_) => {
                let mut attributes = Attributes::decode(&mut Reader(&draft.attributes)).map_err(corrupt)?;
                self.hold_as_made(state, draft.posix.mode, &mut attributes);
                attributes.to_bytes()?
            }
        };
        let way = self.make_way(state, key, held)?;
        let record = self.record(draft, attributes);
        self.bring(state, key, (0, Vec::new()), record, way)
    }

    /// A lock can be asked for only where the bucket has it, and for a time to come.
    pub(super) fn check_lock(&self, state: &BucketState, attributes: &[u8]) -> Result<()> {
        let lock = lock_of(attributes).map_err(corrupt)?;
        if lock.is_set() && !state.is_lockable() {
            return Err(Error::NoObjectLock);
        }
        expect_readable(lock, attributes)?;
        retention::may_change(None, lock.retention, self.site.compliance, false)
    }

    /// Gives what comes with that mode the retention of its bucket, or has it wait for that.
    pub(super) fn hold_as_made(&self, state: &BucketState, mode: u32, attributes: &mut Attributes) {
        match mode & FILE_TYPE {
            0 => self.hold(state, attributes),
            // A directory holds no record of its own.
            DIRECTORY => {}
            _ => self.await_lock(state, attributes),
        }
    }

    /// Gives a version that comes without a retention its bucket's.
    pub(super) fn hold(&self, state: &BucketState, attributes: &mut Attributes) {
        let default = state.default_retention().map(|default| default.from(self.site.compliance));
        attributes.retention = attributes.retention.or(default);
    }

    /// Has a file's content wait for the lock that its bucket, or else what it takes the place of, asks for.
    pub(super) fn await_lock(&self, state: &BucketState, attributes: &mut Attributes) {
        let rule = state.default_retention().or(attributes.pending.map(|held| held.rule));
        attributes.pending = rule.map(|rule| Pending { rule, since: self.site.compliance });
    }

    /// What ends when a version comes. `held` is the current one.
    pub(super) fn make_way(&mut self, state: &BucketState, key: &str, held: Option<Row>) -> Result<Way> {
        let ends = match state.versioning() {
            Versioning::Never => held,
            Versioning::Enabled => None,
            Versioning::Suspended => self.applier.null_version(state.bucket.id, key)?,
        };
        let Some(row) = ends else { return Ok(Way::default()) };
        let (removed, kills) = self.ending((state.bucket.id, key), &row, false)?;
        Ok(Way { replaces: row.record.id, removed, kills })
    }

    /// Makes a record the current version.
    pub(super) fn bring(
        &mut self,
        state: &Arc<BucketState>,
        key: &str,
        (upload, mut kills): (u128, Vec<Target>),
        record: Record,
        way: Way,
    ) -> Result<Outcome> {
        let (bucket, key) = (state.bucket.id, key.to_owned());
        let Way { replaces, removed, kills: ended } = way;
        self.expect_fits(state, record.size, removed)?;
        kills.extend(ended);
        let version = self.version_for(state, record.id);
        let row = Row { version, ..Row::plain(self.next_lsn(), self.site.file, record.clone()) };
        self.push(match state.versioning() {
            Versioning::Never => Entry::Put { bucket, key, upload, record, removed, kills },
            Versioning::Enabled | Versioning::Suspended => {
                Entry::PutVersion { bucket, key, upload, version, record, replaces, removed, kills }
            }
        })?;
        Ok(Outcome::Stored(row))
    }

    /// The id of a version that comes.
    pub(super) fn version_for(&self, state: &BucketState, record: u64) -> VersionId {
        match state.versioning() {
            Versioning::Enabled => VersionId::mint(self.site.appliance, record),
            Versioning::Never | Versioning::Suspended => VersionId::NULL,
        }
    }

    /// Counter changes and kills for a version that ends: the one way to end a version, and none does that is locked.
    pub(super) fn ending(
        &mut self,
        (bucket, key): (u32, &str),
        row: &Row,
        bypass: bool,
    ) -> Result<(Removed, Vec<Target>)> {
        if row.marker {
            return Ok((Removed::default(), row.targets()));
        }
        let lock = lock_of(&row.record.attributes).map_err(corrupt)?;
        retention::may_end(lock, self.site.compliance, bypass)?;
        Ok((Removed { objects: 1, bytes: row.record.size }, self.ended_targets(bucket, key, row)?))
    }

    pub(super) fn delete(
        &mut self,
        (bucket, key): (u32, &str),
        version: Option<VersionId>,
        precondition: &Precondition,
        bypass: Option<&str>,
        returning: usize,
    ) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        match (version, state.versioning()) {
            (None | Some(VersionId::NULL), Versioning::Never) => self.kill(state, key, precondition, bypass),
            (None, _) => self.mark(state, key, precondition),
            (Some(version), _) => self.kill_version(state, (key, version), precondition, bypass, returning),
        }
    }

    /// Ends the one version that a key has where versions were never kept.
    fn kill(
        &mut self,
        state: &BucketState,
        key: &str,
        precondition: &Precondition,
        bypass: Option<&str>,
    ) -> Result<Outcome> {
        let bucket = state.bucket.id;
        let held = self.applier.current(bucket, key)?;
        check(precondition, held.as_ref())?;
        let Some(row) = held else { return Ok(Outcome::Deleted(Deleted::Nothing)) };
        let (removed, kills) = self.ending((bucket, key), &row, bypass.is_some())?;
        self.push(Entry::Kill { bucket, key: key.to_owned(), removed, kills })?;
        self.note_end(state, key, &row, bypass)?;
        Ok(Outcome::Deleted(Deleted::Ended { version: VersionId::NULL, marker: false }))
    }

    /// Puts a delete marker in front of a key's versions, whether there are any or not.
    fn mark(&mut self, state: &BucketState, key: &str, precondition: &Precondition) -> Result<Outcome> {
        let held = self.applier.current(state.bucket.id, key)?;
        check(precondition, held.as_ref())?;
        let way = self.make_way(state, key, held)?;
        let version = self.bring_marker(state, key, way)?;
        Ok(Outcome::Deleted(Deleted::Marked { version }))
    }

    /// Makes a delete marker the newest version.
    pub(super) fn bring_marker(&mut self, state: &BucketState, key: &str, way: Way) -> Result<VersionId> {
        let Way { replaces, removed, kills } = way;
        let (record, modified) = (self.next_lsn(), self.site.now);
        let version = self.version_for(state, record);
        let (bucket, key) = (state.bucket.id, key.to_owned());
        self.push(Entry::Marker { bucket, key, version, record, modified, replaces, removed, kills })?;
        Ok(version)
    }

    /// Ends one version, or a delete marker, and says which one is current after it.
    fn kill_version(
        &mut self,
        state: &BucketState,
        (key, version): (&str, VersionId),
        precondition: &Precondition,
        bypass: Option<&str>,
        returning: usize,
    ) -> Result<Outcome> {
        let bucket = state.bucket.id;
        let held = self.named(bucket, key, version)?;
        check(precondition, held.as_ref())?;
        let Some(row) = held else { return Ok(Outcome::Deleted(Deleted::Nothing)) };
        let (removed, kills) = self.ending((bucket, key), &row, bypass.is_some())?;
        let record = row.record.id;
        let is_newest = self.applier.newest(bucket, key)?.is_some_and(|newest| newest.record.id == record);
        let next = if is_newest { self.applier.below(bucket, key, record)? } else { None };
        let next = next.filter(|next| !next.marker);
        let promoted = next.as_ref().map_or(0, |next| next.record.id);
        if let Some(next) = &next {
            self.number_anew((bucket, key), next, returning)?;
        }
        self.push(Entry::KillVersion { bucket, key: key.to_owned(), record, promoted, removed, kills })?;
        self.note_end(state, key, &row, bypass)?;
        Ok(Outcome::Deleted(Deleted::Ended { version, marker: row.marker }))
    }

    /// The version, or delete marker, of that id.
    pub(super) fn named(&mut self, bucket: u32, key: &str, version: VersionId) -> Result<Option<Row>> {
        if version.is_null() {
            return Ok(self.applier.null_version(bucket, key)?);
        }
        let held = self.applier.version(bucket, key, version.record())?;
        Ok(held.map(|(_, row)| row).filter(|row| row.version == version))
    }
}

/// Whether a precondition holds of a version; a delete marker is none.
pub(super) fn check(precondition: &Precondition, held: Option<&Row>) -> Result<()> {
    let holds = match (precondition, held.filter(|row| !row.marker)) {
        (Precondition::None, _)
        | (Precondition::Absent | Precondition::NoMatch(_), None)
        | (Precondition::Match(None), Some(_)) => true,
        (Precondition::Absent, Some(_)) => false,
        (Precondition::Match(_) | Precondition::Same { .. }, None) => return Err(Error::NoSuchKey),
        (Precondition::Match(Some(etag)), Some(row)) => attributes_of(row)?.etag == *etag,
        (Precondition::NoMatch(etag), Some(row)) => attributes_of(row)?.etag != *etag,
        (Precondition::Same { etag, modified, size }, Some(row)) => {
            let held = attributes_of(row)?.etag;
            let second = to_seconds(row.record.modified);
            etag.is_none_or(|etag| etag == held)
                && modified.is_none_or(|modified| modified == second)
                && size.is_none_or(|size| size == row.record.size)
        }
    };
    if holds { Ok(()) } else { Err(Error::PreconditionFailed) }
}
