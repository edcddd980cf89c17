//! What an index is made from: a checkpoint, or nothing.
//!
//! A checkpoint's rows are right for the LSN of its mark. Of what came since, two things make a row one that ended, and both
//! are known before it is laid:
//!
//! * a kill that names its entry stands in what the checkpoint has not seen;
//! * the file that the row names is no more, and its entry stands in no file that the checkpoint has not seen. What is not
//!   known to be dead is carried by compaction, so what no file holds any more was dead, and its kill was dropped with it.
//!
//! What ended is noted in each file that still holds it: the kill may name another that a compaction, cut short, made of it.
//! Rows whose file is no more and whose entry was carried are laid as they are, and moved by `rebuild`.

use std::collections::BTreeSet;

use super::RecoveryResult;
use super::rebuild::{Gathered, go_on};
use super::replay::SLICE;
use crate::checkpoint::Checkpoint;
use crate::commit::Shared;
use crate::index::apply::Applier;
use crate::index::row::{amendment, identity};
use crate::index::{IndexBatch, IndexResult, Mark, Space, keys};
use crate::journal::{Entry, Target};
use crate::segment::SegmentInfo;

pub(super) struct Base<'a>(Option<&'a Checkpoint>);

impl<'a> Base<'a> {
    pub(super) fn of(checkpoint: &'a Checkpoint) -> Self {
        Self(Some(checkpoint))
    }

    pub(super) fn nothing() -> Self {
        Self(None)
    }

    /// The LSN of the last entry that it has seen, of the files that it has seen.
    pub(super) fn mark(&self) -> u64 {
        self.0.map_or(0, |held| held.manifest.mark)
    }

    pub(super) fn has_seen(&self, file: u64, lsn: u64) -> bool {
        self.0.is_some_and(|held| held.has_seen(file, lsn))
    }

    pub(super) fn has_seen_all(&self, info: &SegmentInfo) -> bool {
        self.0.is_some_and(|held| held.has_seen_all(info))
    }

    /// Lays out its rows but for those that ended since. Keys of versions that ended; `None` where it has no rows.
    ///
    /// # Errors
    /// A checkpoint that can't be read, which leaves a part of it in the index, or a fault of that.
    pub(super) fn lay(
        &self,
        shared: &Shared,
        gathered: &Gathered,
        wanted: &dyn Fn() -> bool,
    ) -> RecoveryResult<Option<BTreeSet<(u32, String)>>> {
        let Some(checkpoint) = self.0 else { return Ok(None) };
        let mut ended = Ended::default();
        // Whatever a crash leaves must not pass for an index.
        let mut batch = IndexBatch::default();
        batch.put(Space::Buckets, keys::MARK.to_vec(), Mark(1).encode());
        shared.index.write(batch)?;
        shared.index.persist()?;
        let mut pairs = checkpoint.open(&shared.hardware).peekable();
        while let Some(pair) = pairs.peek() {
            let Ok((space, ..)) = pair else { break };
            let space = *space;
            let (mut looked, mut count) = (Ok(()), 0_usize);
            let mut of_space = std::iter::from_fn(|| {
                let (_, key, value) = pairs.next_if(|pair| matches!(pair, Ok((held, ..)) if *held == space))?.ok()?;
                looked = ended.look(shared, gathered, (space, &key, &value));
                count += 1;
                (looked.is_ok() && (!count.is_multiple_of(SLICE) || wanted())).then_some((key, value))
            });
            shared.index.fill(space, &mut of_space)?;
            looked?;
            go_on(wanted())?;
        }
        if let Some(fault) = pairs.next() {
            fault?;
        }
        ended.retire(shared)?;
        Ok(Some(ended.rows.iter().filter_map(|(space, key)| version_key(*space, key)).collect()))
    }

    /// Forgets what it knew of files that are no more.
    pub(super) fn forget_gone(&self, shared: &Shared) -> IndexResult<()> {
        if self.0.is_none() {
            return Ok(());
        }
        let snapshot = shared.index.snapshot();
        let mut applier = Applier::new(&*snapshot);
        for pair in snapshot.prefix(Space::Tallies, keys::FILE_TALLIES) {
            let (key, _) = pair?;
            if let Some(id) = keys::tallied_file(&key).filter(|id| shared.table.get(*id).is_none()) {
                applier.apply(0, 0, &Entry::Erased { id })?;
            }
        }
        shared.index.write(applier.finish_part())
    }
}

/// What of a checkpoint ended since.
#[derive(Default)]
struct Ended {
    rows: Vec<(Space, Vec<u8>)>,
    /// Entries of rows and amendments, in files that are live.
    entries: Vec<Target>,
}

impl Ended {
    fn look(
        &mut self,
        shared: &Shared,
        gathered: &Gathered,
        (space, key, value): (Space, &[u8], &[u8]),
    ) -> IndexResult<()> {
        if !is_row(space, key) {
            return Ok(());
        }
        let is_live = |held: &Target| shared.table.get(held.file).is_some();
        let (lsn, file) = identity(value)?;
        let entry = Target { file, lsn };
        let is_gone = !is_live(&entry) && !gathered.homes.contains_key(&lsn);
        if gathered.dead.contains(&lsn) || is_gone {
            self.rows.push((space, key.to_vec()));
            self.entries.extend(Some(entry).filter(is_live));
        }
        if matches!(space, Space::Current | Space::Versions) {
            let amended = amendment(value)?.filter(|held| gathered.dead.contains(&held.lsn));
            self.entries.extend(amended.filter(is_live));
        }
        Ok(())
    }

    /// Takes the rows away, and notes the entries as dead where they stand.
    fn retire(&self, shared: &Shared) -> IndexResult<()> {
        for slice in self.entries.chunks(SLICE) {
            let snapshot = shared.index.snapshot();
            let mut applier = Applier::new(&*snapshot);
            slice.iter().try_for_each(|of| applier.apply(of.lsn, of.file, &Entry::Grave { kills: vec![*of] }))?;
            shared.index.write(applier.finish_part())?;
        }
        for slice in self.rows.chunks(SLICE) {
            let snapshot = shared.index.snapshot();
            let mut applier = Applier::new(&*snapshot);
            slice.iter().try_for_each(|(space, key)| applier.retire(*space, key))?;
            shared.index.write(applier.finish_part())?;
        }
        Ok(())
    }
}

/// Removes everything from an index that could not be made but the mark that says so: whatever a crash leaves of it must not
/// pass for an empty one.
///
/// # Errors
/// A fault of the index.
pub(super) fn clear(shared: &Shared) -> IndexResult<()> {
    for space in Space::ALL {
        loop {
            let snapshot = shared.index.snapshot();
            let mut batch = IndexBatch::default();
            let is_mark = |key: &[u8]| space == Space::Buckets && key == keys::MARK;
            for pair in snapshot.prefix(space, &[]).take(SLICE) {
                let (key, _) = pair?;
                if !is_mark(&key) {
                    batch.remove(space, key.to_vec());
                }
            }
            if batch.writes.is_empty() {
                break;
            }
            shared.index.write(batch)?;
        }
    }
    Ok(())
}

/// Whether a pair is a row that an entry brought.
fn is_row(space: Space, key: &[u8]) -> bool {
    match space {
        Space::Current | Space::Uploads | Space::Buckets | Space::Documents => true,
        Space::Versions => keys::parse_version(key).is_some_and(|(_, _, record)| record != 0),
        Space::Inodes | Space::Extents | Space::Dead | Space::Tallies => false,
    }
}

fn version_key(space: Space, key: &[u8]) -> Option<(u32, String)> {
    match space {
        Space::Current => keys::parse_current(key).map(|(bucket, key)| (bucket, key.to_owned())),
        Space::Versions => keys::parse_version(key).map(|(bucket, key, _)| (bucket, key)),
        _ => None,
    }
}
