//! Renaming all that stands below a path, in one batch.

use std::collections::HashMap;

use super::{Decider, without_claims_of};
use crate::commit::op::Outcome;
use crate::configuration::Versioning;
use crate::error::{Error, Result};
use crate::index::{Row, Space, keys};
use crate::journal::{Entry, Removed};
use crate::object::{StoredCopy, TreeMove};
use crate::record::{Posix, Record};

impl Decider<'_, '_> {
    /// In a batch of its own: nothing below either path comes or goes in it beside this. What is to be moved must be all
    /// that there is, and nothing may stand below the destination but the object of that name itself.
    pub(super) fn rename_tree(&mut self, bucket: u32, tree: &TreeMove, copies: &[StoredCopy]) -> Result<Outcome> {
        if self.bucket(bucket)?.versioning() != Versioning::Never {
            return Err(Error::InvalidBucketState("objects can't be renamed where versions are kept, or were"));
        }
        let below = self.keys_below(bucket, &tree.from, tree.moves.len() + 1)?;
        if !below.iter().eq(tree.moves.iter().map(|(source, _)| source)) {
            return Err(Error::Changed);
        }
        if self.keys_below(bucket, &tree.to, 2)?.iter().any(|key| *key != tree.to) {
            return Err(Error::BucketNotEmpty);
        }
        let mut rows = Vec::with_capacity(tree.moves.len());
        for (source, _) in &tree.moves {
            let row = self.applier.current(bucket, source)?.ok_or(Error::Changed)?;
            self.ending((bucket, source), &row, false)?;
            rows.push(row);
        }
        let copies: HashMap<u64, &StoredCopy> = copies.iter().map(|copy| (copy.record, copy)).collect();
        let has_bytes = |row: &Row| row.record.small().is_none() || copies.contains_key(&row.record.id);
        if !rows.iter().all(has_bytes) {
            return Err(Error::Changed);
        }
        if let Some(row) = self.applier.current(bucket, &tree.to)? {
            self.ending((bucket, &tree.to), &row, false)?;
        }
        for ((source, destination), row) in tree.moves.iter().zip(rows) {
            let copy = copies.get(&row.record.id).copied();
            self.bring_over(bucket, (source, destination), row, copy)?;
        }
        Ok(Outcome::Moved(tree.moves.len()))
    }

    /// Nothing stands against it any more: whatever would, was asked before the first entry.
    pub(super) fn bring_over(
        &mut self,
        bucket: u32,
        (source, destination): (&str, &str),
        held: Row,
        copy: Option<&StoredCopy>,
    ) -> Result<()> {
        let (gone, targets) = self.ending((bucket, source), &held, false)?;
        let (removed, kills) = match self.applier.current(bucket, destination)? {
            Some(row) => self.ending((bucket, destination), &row, false)?,
            None => (Removed::default(), Vec::new()),
        };
        let extents = self.renamed_extents(&held.record, copy)?;
        let posix = Posix { inode: held.record.inode(), ..held.record.posix };
        let record = Record { id: self.next_lsn(), posix, extents, ..held.record };
        let targets = without_claims_of(targets, &record);
        let key = destination.to_owned();
        self.push(Entry::Put { bucket, key, upload: 0, record, removed, kills })?;
        self.push(Entry::Kill { bucket, key: source.to_owned(), removed: gone, kills: targets })
    }

    /// Up to so many keys that begin with a path.
    pub(super) fn keys_below(&self, bucket: u32, path: &str, limit: usize) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for pair in self.applier.snapshot().prefix(Space::Current, &keys::current(bucket, path)).take(limit) {
            found.extend(keys::object_key(&pair?.0).map(str::to_owned));
        }
        Ok(found)
    }
}
