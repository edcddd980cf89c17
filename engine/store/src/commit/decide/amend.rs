//! Changing what is said of a version.

use super::{Decider, attributes_of};
use crate::commit::op::{Beside, Outcome};
use crate::error::{Error, Result};
use crate::index::Row;
use crate::index::row::corrupt;
use crate::journal::Target;
use crate::object::attributes::lock_of;
use crate::object::{AttributeChange, is_marker};
use crate::retention;
use crate::version::VersionId;

impl Decider<'_, '_> {
    pub(super) fn amend(
        &mut self,
        bucket: u32,
        key: &str,
        version: Option<VersionId>,
        change: &AttributeChange,
        (actor, bypass): (&str, bool),
        room: Beside,
    ) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        let held = match version {
            Some(version) => self.named(bucket, key, version)?.ok_or(Error::NoSuchVersion)?,
            None => self.applier.newest(bucket, key)?.ok_or(Error::NoSuchKey)?,
        };
        if held.marker {
            return Err(is_marker(&held));
        }
        let before = attributes_of(&held)?;
        if let AttributeChange::Retention(_) | AttributeChange::LegalHold(_) | AttributeChange::Lock = change
            && !state.is_lockable()
        {
            return Err(Error::NoObjectLock);
        }
        if let AttributeChange::Retention(to) = change {
            retention::may_change(before.retention, *to, self.site.compliance, bypass)?;
        }
        if change.is_of_file() {
            let lock = lock_of(&held.record.attributes).map_err(corrupt)?;
            retention::may_end(lock, self.site.compliance, false)?;
        }
        let attributes = change.apply(&held.record, before, self.site.now, self.site.compliance).to_bytes()?;
        if attributes == held.record.attributes {
            return Ok(Outcome::Stored(held));
        }
        let others = if change.is_of_file() { self.all_beside(bucket, key, &held, room)? } else { Vec::new() };
        let amended = self.amended(bucket, change, (key, &held), &others)?;
        let amendment = Target { lsn: self.next_lsn(), file: self.site.file };
        amended.into_iter().try_for_each(|entry| self.push(entry))?;
        self.note_change(state, key, &held, (change, actor))?;
        let mut row = Row { amendment: Some(amendment), ..held };
        row.record.attributes = attributes;
        Ok(Outcome::Stored(row))
    }
}
