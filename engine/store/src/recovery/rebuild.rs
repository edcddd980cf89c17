//! Making the index anew: from a checkpoint, or from nothing, and the live entries that it has not seen.
//!
//! Entries are read in no order of LSNs. Those above the base's mark are laid out, and settled once all are there. Those
//! up to the mark stand in files that compaction made since: where their rows are there, they are moved to these files, as
//! compaction itself moves them; where not, they were dead already. `base` says which rows of a checkpoint are left out.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::base::{self, Base};
use super::journals::Recovered;
use super::replay::{Replayed, SLICE, toc_of};
use super::{Progress, RecoveryError, RecoveryResult};
use crate::checkpoint;
use crate::commit::relocate::move_row;
use crate::commit::{Relocation, Shared};
use crate::index::apply::{Applier, key_groups};
use crate::index::tallies::Tallies;
use crate::index::{IndexBatch, IndexResult, Mark, Place, Space, keys};
use crate::journal::{Entry, Logged, Target};
use crate::segment::{SegmentInfo, SegmentKind};

/// Makes an empty index from the newest checkpoint that can be opened and what it has not seen; where there is none, or none
/// is wanted, from all TOCs and journals.
///
/// # Errors
/// A TOC that can't be read even with parity, or a fault of the index.
pub fn rebuild(
    shared: &Shared,
    recovered: &Recovered,
    from_checkpoints: bool,
    progress: &Progress,
) -> RecoveryResult<Replayed> {
    let standing = if from_checkpoints { checkpoint::standing(shared) } else { Vec::new() };
    for held in standing.iter().filter(|held| held.manifest.mark < recovered.next_lsn) {
        match rebuild_on(&Base::of(held), shared, recovered, progress) {
            Err(RecoveryError::Segment(error)) => {
                tracing::warn!(%error, "the index can't be made from a checkpoint: going on with what there is else");
                base::clear(shared)?;
            }
            other => {
                tracing::info!(lsn = held.manifest.mark, "the index was made from a checkpoint and what came since");
                return other;
            }
        }
    }
    rebuild_on(&Base::nothing(), shared, recovered, progress)
}

fn rebuild_on(
    base: &Base<'_>,
    shared: &Shared,
    recovered: &Recovered,
    progress: &Progress,
) -> RecoveryResult<Replayed> {
    let sources = Sources::new(base, shared, recovered, progress);
    let mut gathered = Gathered::default();
    sources.each(0, |entries| {
        entries.for_each(|(file, logged)| gathered.take(file, &logged));
        Ok(())
    })?;
    let touched = base.lay(shared, &gathered, &|| progress(0, sources.turns()))?;
    let mut writer = Writer { shared, base, gathered: &gathered, touched, entries: 0, amendments: 0 };
    sources.each(1, |entries| writer.write(entries))?;
    writer.settle()?;
    if writer.amendments > 0 {
        sources.each(2, |entries| writer.amend(entries))?;
    }
    base.forget_gone(shared)?;
    let snapshot = shared.index.snapshot();
    let mut applier = Applier::new(&*snapshot);
    applier.note(recovered.next_lsn - 1);
    shared.index.write(applier.finish())?;
    shared.index.persist()?;
    progress(sources.turns(), sources.turns());
    Ok(Replayed { entries: writer.entries, segments: sources.packed.len() as u64, checkpoint: base.mark() })
}

/// # Errors
/// [`crate::Error::ShuttingDown`] when whoever watches wants no more.
pub(super) fn go_on(wanted: bool) -> crate::Result<()> {
    if wanted { Ok(()) } else { Err(crate::Error::ShuttingDown) }
}

/// The entries that the base has not seen, where they stand.
struct Sources<'a> {
    base: &'a Base<'a>,
    shared: &'a Shared,
    recovered: &'a Recovered,
    progress: &'a Progress,
    packed: Vec<&'a SegmentInfo>,
}

impl<'a> Sources<'a> {
    fn new(base: &'a Base<'a>, shared: &'a Shared, recovered: &'a Recovered, progress: &'a Progress) -> Self {
        let packed = recovered.segments.values().filter(|info| info.kind == SegmentKind::Packed);
        let packed = packed.filter(|info| !base.has_seen_all(info)).collect();
        Self { base, shared, recovered, progress, packed }
    }

    /// Amendments are applied last, to settled rows: then every TOC is read once more.
    fn turns(&self) -> u64 {
        self.packed.len() as u64 * 3
    }

    /// Hands over the entries of each TOC, and then of all journals.
    fn each(
        &self,
        round: u64,
        mut take: impl FnMut(&mut dyn Iterator<Item = (u64, Logged)>) -> RecoveryResult<()>,
    ) -> RecoveryResult<()> {
        let is_unseen = |(file, logged): &(u64, Logged)| !self.base.has_seen(*file, logged.lsn);
        for (info, done) in self.packed.iter().zip(self.packed.len() as u64 * round..) {
            go_on((self.progress)(done, self.turns()))?;
            let entries = toc_of(self.shared, info)?.into_iter();
            take(&mut entries.map(|logged| (info.id, logged)).filter(is_unseen))?;
        }
        take(&mut self.recovered.entries.iter().filter(|entry| is_unseen(entry)).cloned())
    }
}

/// What has to be known of all entries before any can be applied: LSNs that are dead, and where each live one stands.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) dead: HashSet<u64>,
    /// The youngest file of each LSN, of those that were read.
    pub(super) homes: HashMap<u64, u64>,
}

impl Gathered {
    fn take(&mut self, file: u64, Logged { lsn, entry }: &Logged) {
        self.dead.extend(entry.kills().iter().map(|target| target.lsn));
        if entry.lasts() {
            let home = self.homes.entry(*lsn).or_insert(file);
            *home = (*home).max(file);
        }
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    base: &'a Base<'a>,
    gathered: &'a Gathered,
    /// Keys whose versions are not as the base has them; `None` where all are to be settled.
    touched: Option<BTreeSet<(u32, String)>>,
    entries: u64,
    /// Live ones among these, which wait for their rows.
    amendments: u64,
}

impl Writer<'_> {
    /// Applies the live ones among `entries`, and notes what is dead where it stands.
    fn write(&mut self, entries: &mut dyn Iterator<Item = (u64, Logged)>) -> RecoveryResult<()> {
        loop {
            let slice: Vec<(u64, Logged)> = entries.take(SLICE).collect();
            if slice.is_empty() {
                return Ok(());
            }
            let (carried, fresh): (Vec<_>, Vec<_>) =
                slice.into_iter().partition(|(_, logged)| logged.lsn <= self.base.mark());
            // An amendment stands in the row of its version, which may be moved here, too: one after the other.
            let (amendments, rows): (Vec<_>, Vec<_>) =
                carried.into_iter().partition(|(_, logged)| matches!(logged.entry, Entry::Amend { .. }));
            self.follow(&rows)?;
            self.follow(&amendments)?;
            let snapshot = self.shared.index.snapshot();
            let mut applier = Applier::new(&*snapshot);
            for (file, Logged { lsn, entry }) in fresh {
                self.one(&mut applier, file, lsn, entry)?;
            }
            self.shared.index.write(applier.finish_part())?;
        }
    }

    fn one(&mut self, applier: &mut Applier<'_>, file: u64, lsn: u64, entry: Entry) -> IndexResult<()> {
        // What ended in files that are still there is noted in each, as the kill named it.
        let kills = entry.kills().iter().filter(|target| self.shared.table.get(target.file).is_some());
        let mut buried: Vec<Target> = kills.copied().collect();
        let lives = self.lives(file, lsn, &entry);
        if entry.lasts() && !lives {
            buried.push(Target { file, lsn });
        }
        if !buried.is_empty() {
            applier.apply(lsn, file, &Entry::Grave { kills: buried })?;
        }
        if !lives {
            return Ok(());
        }
        self.entries += 1;
        if matches!(entry, Entry::Amend { .. }) {
            self.amendments += 1;
            return Ok(());
        }
        if let (Some(touched), Some(Place::Version { bucket, key, .. })) = (&mut self.touched, entry.place()) {
            touched.insert((bucket, key));
        }
        applier.lay(lsn, file, &entry)
    }

    /// Moves the base's rows to where compaction carried their entries, which stand in different rows. What their kills ended
    /// the base has noted.
    fn follow(&mut self, carried: &[(u64, Logged)]) -> RecoveryResult<()> {
        if carried.is_empty() {
            return Ok(());
        }
        let snapshot = self.shared.index.snapshot();
        let mut batch = IndexBatch::default();
        let mut tallies = Tallies::default();
        let mut buried = Vec::new();
        for (file, Logged { lsn, entry }) in carried {
            let (file, lsn) = (*file, *lsn);
            let Some(place) = entry.place() else { continue };
            let held = if self.lives(file, lsn, entry) { place.find(&*snapshot, lsn)? } else { None };
            let Some(standing) = held else {
                buried.push(Target { file, lsn });
                continue;
            };
            if standing.home == file {
                continue;
            }
            if self.shared.table.get(standing.home).is_some() {
                buried.push(Target { file: standing.home, lsn });
            }
            let extents = entry.record().map(|record| record.extents.clone());
            let step = Relocation { place, lsn, from: standing.home, to: file, extents };
            self.entries += 1;
            move_row(&step, standing, &*snapshot, &mut batch, &mut tallies)?;
        }
        for target in buried {
            batch.put(Space::Dead, keys::dead(target.file, target.lsn), target.lsn.to_le_bytes().to_vec());
            tallies.file(&*snapshot, target.file)?.dead += 1;
        }
        tallies.write(&mut batch);
        batch.put(Space::Buckets, keys::MARK.to_vec(), Mark(1).encode());
        Ok(self.shared.index.write(batch)?)
    }

    /// Whether an entry states what lasts, nothing ended it, and this is the copy that counts.
    fn lives(&self, file: u64, lsn: u64, entry: &Entry) -> bool {
        let elsewhere = self.gathered.homes.get(&lsn).is_some_and(|home| *home != file);
        entry.lasts() && !elsewhere && !self.gathered.dead.contains(&lsn)
    }

    /// Brings the newest version of each key where it belongs, once all are laid out.
    fn settle(&mut self) -> RecoveryResult<()> {
        match self.touched.take() {
            Some(touched) => {
                let touched: Vec<_> = touched.into_iter().collect();
                touched.chunks(SLICE).try_for_each(|groups| self.settle_keys(groups))
            }
            None => {
                let mut last = None;
                loop {
                    let groups = key_groups(&*self.shared.index.snapshot(), last.as_ref(), SLICE)?;
                    self.settle_keys(&groups)?;
                    match groups.into_iter().last() {
                        Some(group) => last = Some(group),
                        None => return Ok(()),
                    }
                }
            }
        }
    }

    fn settle_keys(&self, groups: &[(u32, String)]) -> RecoveryResult<()> {
        let snapshot = self.shared.index.snapshot();
        let mut applier = Applier::new(&*snapshot);
        for (bucket, key) in groups {
            applier.settle(*bucket, key)?;
        }
        Ok(self.shared.index.write(applier.finish_part())?)
    }

    /// Applies the live amendments among `entries` that the base has not seen; their rows are settled.
    fn amend(&mut self, entries: &mut dyn Iterator<Item = (u64, Logged)>) -> RecoveryResult<()> {
        let mark = self.base.mark();
        let is_fresh = |logged: &Logged| logged.lsn > mark && matches!(logged.entry, Entry::Amend { .. });
        let mut entries = entries.filter(|(_, logged)| is_fresh(logged)).peekable();
        while entries.peek().is_some() {
            let snapshot = self.shared.index.snapshot();
            let mut applier = Applier::new(&*snapshot);
            for (file, Logged { lsn, entry }) in entries.by_ref().take(SLICE) {
                if self.lives(file, lsn, &entry) {
                    applier.lay(lsn, file, &entry)?;
                }
            }
            self.shared.index.write(applier.finish_part())?;
        }
        Ok(())
    }
}
