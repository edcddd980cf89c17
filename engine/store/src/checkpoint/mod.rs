//! Checkpoints: states of the index in the pool, so that a lost index costs the replay of what came since the last one.
//!
//! A checkpoint is a segment of its own kind, striped and erasure-coded as streams are, so that it is healed, scrubbed and
//! moved like any other. It holds the pairs of all key spaces in order ([`frames`]) and, in its table of contents, a
//! [`Manifest`]. A *whole* one stands by itself; an *increment* holds what differs from a whole one, its base.
//!
//! What it stands for: of each file that its manifest names, the entries up to its mark. Everything else is read from tables
//! of contents and journals when an index is made from it (`recovery::base`): entries above the mark, and all of files
//! that compaction made since. A file is named only if everything that it holds had its place in the index by then, which is
//! so for journals, what they became, and compaction's segments once their sources are gone.
//!
//! Order: shards synced → opened and compared with the state it was taken of → `Sealed` journalled → older ones than the
//! newest two, and no base of these, `Erased` → files unlinked. So whatever checkpoint is live was verified. Cut short before
//! `Sealed` it leaves files that nothing names; after it, one more checkpoint than needed, which the next turn erases.

pub mod frames;
mod opening;
mod soundness;
mod taking;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

pub use opening::Opening;
pub use taking::{Taking, verify};

use crate::commit::Shared;
use crate::journal::{Entry, Manifest};
use crate::node::Hardware;
use crate::segment::{Home, Segment, SegmentError, SegmentInfo, SegmentKind};

/// Checkpoints that are kept, not counting what they are based on.
const KEPT: usize = 2;

/// What there is, and came of it since start.
#[derive(Debug, Default)]
pub struct CheckpointCounts {
    /// Checkpoints that stand.
    pub kept: AtomicU64,
    /// Their bytes, without parity.
    pub bytes: AtomicU64,
    /// The mark of the newest, and when it was taken, Unix nanoseconds; 0 where there is none.
    pub mark: AtomicU64,
    pub taken: AtomicI64,
    /// Entries that an index which is made from it has yet to be told.
    pub unseen: AtomicU64,
    /// Attempts that came to nothing.
    pub failures: AtomicU64,
}

impl CheckpointCounts {
    /// Notes what stands, newest first.
    pub fn note(&self, standing: &[Checkpoint]) {
        self.kept.store(standing.len() as u64, Ordering::Relaxed);
        let bytes = standing.iter().map(|held| held.manifest.length).sum();
        self.bytes.store(bytes, Ordering::Relaxed);
        let newest = standing.first().map(|held| &held.manifest);
        self.mark.store(newest.map_or(0, |manifest| manifest.mark), Ordering::Relaxed);
        self.taken.store(newest.map_or(0, |manifest| manifest.taken), Ordering::Relaxed);
    }
}

/// A checkpoint that is live, with the one that it is based on.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub segment: Arc<Segment>,
    pub manifest: Manifest,
    pub base: Option<Box<Checkpoint>>,
}

impl Checkpoint {
    /// Whether it stands for an entry of a file.
    #[must_use]
    pub fn has_seen(&self, file: u64, lsn: u64) -> bool {
        lsn <= self.manifest.mark && self.manifest.files.binary_search(&file).is_ok()
    }

    /// Whether it stands for all entries of a packed segment.
    #[must_use]
    pub fn has_seen_all(&self, info: &SegmentInfo) -> bool {
        self.has_seen(info.id, info.last_lsn)
    }

    /// The pairs of the index as it was, each as it is read.
    #[must_use]
    pub fn open(&self, hardware: &Hardware) -> Opening {
        Opening::new(self, hardware)
    }

    /// What the next increment is to be based on; `None` where the next one had better be whole.
    #[must_use]
    pub fn base_of_next(&self) -> Option<&Self> {
        match &self.base {
            None => Some(self),
            Some(base) => (self.manifest.length.saturating_mul(2) <= base.manifest.length).then_some(base),
        }
    }
}

/// The live checkpoints whose tables of contents can be read, and those of their bases, newest first.
#[must_use]
pub fn standing(shared: &Shared) -> Vec<Checkpoint> {
    let of_kind = |segment: &Arc<Segment>| segment.info.kind == SegmentKind::Checkpoint;
    let mut found = Vec::new();
    for segment in shared.table.sealed().into_iter().filter(of_kind) {
        match read_manifest(&segment.apart(&shared.hardware)) {
            Ok(manifest) => found.push(Checkpoint { segment, manifest, base: None }),
            Err(error) => tracing::warn!(%error, "a checkpoint of the index can't be read"),
        }
    }
    let whole: Vec<Checkpoint> = found.iter().filter(|held| held.manifest.base == 0).cloned().collect();
    let with_base = |held: Checkpoint| {
        let base = whole.iter().find(|base| base.segment.info.id == held.manifest.base).cloned().map(Box::new);
        (held.manifest.base == 0 || base.is_some()).then_some(Checkpoint { base, ..held })
    };
    let mut standing: Vec<Checkpoint> = found.into_iter().filter_map(with_base).collect();
    standing.sort_by_key(|held| std::cmp::Reverse((held.manifest.mark, held.segment.info.id)));
    standing
}

/// The checkpoints that may go: all but the newest two and what these are based on. None as long as there are no two.
#[must_use]
pub fn surplus(shared: &Shared, standing: &[Checkpoint]) -> Vec<u64> {
    let Some(kept) = standing.get(..KEPT) else { return Vec::new() };
    let needed = |id: u64| kept.iter().any(|held| held.segment.info.id == id || held.manifest.base == id);
    let all = shared.table.sealed().into_iter().filter(|segment| segment.info.kind == SegmentKind::Checkpoint);
    all.map(|segment| segment.info.id).filter(|id| !needed(*id)).collect()
}

/// How many entries an index that is made from a checkpoint, or from nothing, has yet to be told.
#[must_use]
pub fn unseen(shared: &Shared, newest: Option<&Checkpoint>) -> u64 {
    let mark = newest.map_or(0, |held| held.manifest.mark);
    let of_journals = crate::commit::log::durable_lsn(shared).saturating_sub(mark);
    let table = shared.table.all();
    let of_compaction = table.values().map(|home| match home {
        Home::Segment(segment) if !segment.info.sources.is_empty() => {
            let seen = newest.is_some_and(|held| held.has_seen_all(&segment.info));
            if seen { 0 } else { u64::from(segment.info.toc.entries) }
        }
        _ => 0,
    });
    of_journals + of_compaction.sum::<u64>()
}

fn read_manifest(segment: &Segment) -> Result<Manifest, SegmentError> {
    let mut entries = segment.read_toc()?.into_iter();
    match (entries.next().map(|logged| logged.entry), entries.next()) {
        (Some(Entry::Checkpoint(manifest)), None) => Ok(manifest),
        _ => Err(malformed(segment.info.id, "a checkpoint without a manifest")),
    }
}

fn malformed(segment: u64, what: impl ToString) -> SegmentError {
    SegmentError::Malformed { segment, what: what.to_string() }
}
