//! Stating a record anew whose bytes compaction copied.

use super::{Decider, claimed, without_claims_of};
use crate::commit::op::{Outcome, Relocation};
use crate::configuration::Versioning;
use crate::error::{Error, Result};
use crate::index::{Place, Row, Space, keys};
use crate::journal::{Entry, Removed};
use crate::record::Record;

impl Decider<'_, '_> {
    /// The same record under a new LSN with its bytes elsewhere: its id, hashes and commit time stay. It is no end: the
    /// version lives on, with its lock.
    pub(super) fn restate(&mut self, step: &Relocation) -> Result<Outcome> {
        let held = match &step.place {
            Place::Version { bucket, key, record } => self.applier.version(*bucket, key, *record)?.map(|(_, row)| row),
            Place::Row(space, key) => self.applier.row(*space, key)?,
            Place::Amendment { .. } => None,
        };
        let (Some(row), Some(extents)) = (held.filter(|row| row.lsn == step.lsn), &step.extents) else {
            return Ok(Outcome::Moved(0));
        };
        let targets = match &step.place {
            Place::Version { bucket, key, .. } => self.ended_targets(*bucket, key, &row)?,
            Place::Row(..) | Place::Amendment { .. } => row.targets(),
        };
        let extents = extents.iter().map(|extent| claimed(*extent, self.next_lsn())).collect();
        let Row { version, record, .. } = row;
        let record = Record { extents, ..record };
        let kills = without_claims_of(targets, &record);
        let entry = match &step.place {
            Place::Version { bucket, key, .. } => {
                let (bucket, key, upload) = (*bucket, key.clone(), 0);
                let removed = Removed { objects: 1, bytes: record.size };
                match self.bucket(bucket)?.versioning() {
                    Versioning::Never => Entry::Put { bucket, key, upload, record, removed, kills },
                    _ => Entry::PutVersion { bucket, key, upload, version, record, replaces: 0, removed, kills },
                }
            }
            Place::Row(Space::Uploads, key) => {
                let (upload, number) = keys::parse_part(key).ok_or(Error::InvalidKey)?;
                Entry::Part { bucket: 0, key: String::new(), upload, number, record, kills }
            }
            Place::Row(..) | Place::Amendment { .. } => return Ok(Outcome::Moved(0)),
        };
        self.push(entry)?;
        Ok(Outcome::Moved(1))
    }
}
