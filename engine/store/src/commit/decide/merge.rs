//! Stating a version anew in fewer pieces.

use super::{Decider, attributes_of, claimed, without_claims_of};
use crate::commit::op::{Beside, Outcome};
use crate::error::{Error, Result};
use crate::index::Row;
use crate::journal::{Entry, Removed};
use crate::object::merge::{Merged, expect_mergeable};
use crate::record::{Extent, Record};

impl Decider<'_, '_> {
    /// The same records under new LSNs, one for each name of the file, with runs of their pieces merged: ids and commit times
    /// stay. It is no end, and no change to anybody. Each name claims the merged pieces for itself.
    pub(super) fn merge(&mut self, (bucket, key): (u32, &str), merged: &Merged, room: Beside) -> Result<Outcome> {
        let versioning = self.bucket(bucket)?.versioning();
        let held = self.applier.current(bucket, key)?.filter(|row| row.record.inode() == merged.inode);
        let held = held.ok_or(Error::Changed)?;
        let is_upload = attributes_of(&held)?.upload.is_some();
        expect_mergeable(versioning, &held.record, is_upload)?;
        if !merged.runs.iter().all(|run| self.are_live(&run.piece)) {
            return Err(Error::Changed);
        }
        let mut names = vec![(key.to_owned(), held.clone())];
        names.extend(self.all_beside(bucket, key, &held, room)?);
        let mut stated = Vec::with_capacity(names.len());
        for (name, row) in names {
            let record = &row.record;
            if record.extents.len() > merged.extents
                || (record.key_id, record.chunking) != (merged.key_id, merged.chunking)
            {
                return Err(Error::Changed);
            }
            let (extents, fewer) = merged.of(record);
            stated.push((name, row, extents, fewer));
        }
        let fewer = stated.first().map_or(0, |(.., fewer)| *fewer);
        if fewer == 0 || stated.iter().any(|(.., of_name)| *of_name != fewer) {
            return Ok(Outcome::Moved(0));
        }
        for (name, row, extents, _) in stated {
            self.state_merged(bucket, name, row, extents)?;
        }
        Ok(Outcome::Moved(fewer))
    }

    fn state_merged(&mut self, bucket: u32, key: String, row: Row, extents: Vec<Extent>) -> Result<()> {
        let targets = self.ended_targets(bucket, &key, &row)?;
        let extents = extents.into_iter().map(|extent| claimed(extent, self.next_lsn())).collect();
        let record = Record { extents, ..row.record };
        let kills = without_claims_of(targets, &record);
        let removed = Removed { objects: 1, bytes: record.size };
        self.push(Entry::Put { bucket, key, upload: 0, record, removed, kills })
    }
}
