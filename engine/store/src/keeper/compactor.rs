//! Carrying out what `compaction::choose` decides, one step at a time, and finishing what a crash cut short.

use std::time::{Duration, Instant};

use super::{MOVES, Work};
use crate::commit::{Op, Outcome};
use crate::compaction::{self, Choice, Compacted, FileFacts, Tenant};
use crate::error::{Error, Result};
use crate::index::Space;
use crate::recovery::replay;
use crate::segment::{Home, Segment, SegmentKind};

/// How long a stream is left alone that could not be moved or proven dead.
const BACK_OFF: Duration = Duration::from_secs(600);

impl Work {
    /// Finishes a compaction that was cut short: moves the rows that are left, and erases its sources. Until then no
    /// source may be compacted again, since its rows stand elsewhere. Whether there was anything to do.
    fn finish_cut_short(&self) -> Result<bool> {
        for home in self.shared.table.all().values() {
            let Home::Segment(segment) = home else { continue };
            let still_there = |source: &&u64| self.shared.table.get(**source).is_some();
            let sources: Vec<u64> = segment.info.sources.iter().filter(still_there).copied().collect();
            if !sources.is_empty() {
                self.relocate(segment)?;
                self.erase(&sources)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn relocate(&self, segment: &Segment) -> Result<()> {
        let moves =
            replay::relocations(segment, &self.shared.index).map_err(|error| Error::Unavailable(error.to_string()))?;
        for slice in moves.chunks(MOVES) {
            match self.queue.commit_blocking(Op::Relocate(slice.to_vec()))? {
                Outcome::Moved(_) => {}
                _ => return Err(Error::Unavailable("an answer to something else".into())),
            }
        }
        Ok(self.shared.index.persist()?)
    }

    fn erase(&self, ids: &[u64]) -> Result<()> {
        // The index must not fall back behind what made them dead: their TOCs will not tell it again.
        self.shared.index.persist()?;
        for id in ids {
            let Some(Home::Segment(segment)) = self.shared.table.get(*id) else { continue };
            self.queue.commit_blocking(Op::Erase { id: *id })?;
            self.erased.lock().push(segment);
        }
        self.unlink_erased();
        Ok(self.shared.index.persist()?)
    }

    /// Unlinks the files of erased segments that no reader holds: one that looked a segment up before, perhaps when it was
    /// an open stream, may open a shard only now.
    pub(super) fn unlink_erased(&self) {
        let held = std::mem::take(&mut *self.erased.lock());
        let (free, busy): (Vec<_>, Vec<_>) = held.into_iter().partition(|segment| !segment.is_held());
        for segment in free {
            compaction::unlink(&self.shared, &segment.info);
        }
        self.erased.lock().extend(busy);
    }

    /// One step of compaction; whether there was anything to do.
    pub(super) fn compact_once(&self) -> Result<bool> {
        if self.finish_cut_short()? {
            return Ok(true);
        }
        let mut facts = Vec::new();
        for home in self.shared.table.all().values() {
            let Home::Segment(segment) = home else { continue };
            let info = &segment.info;
            if !info.sealed {
                continue;
            }
            let tally = compaction::tally(&self.shared, info.id)?;
            let (id, kind, payload) = (info.id, info.kind, info.payload);
            let entries = u64::from(info.toc.entries);
            facts.push(FileFacts { id, kind, payload, live: tally.live, entries, dead: tally.dead });
        }
        // What could not be done a while ago stands in nobody's way now.
        let mut passed_over = self.passed_over.lock();
        passed_over.retain(|_, since| since.elapsed() < BACK_OFF);
        facts.retain(|fact| !passed_over.contains_key(&fact.id));
        drop(passed_over);
        facts.sort_by_key(|fact| fact.id);
        match compaction::choose(&facts, self.dead_share, self.journal_size) {
            Choice::Nothing => Ok(false),
            Choice::EraseStream(id) => self.or_pass_over(id, self.erase_stream(id)),
            Choice::Restream(ids) => self.restream_all(&ids),
            Choice::Pack(sources) => self.pack(&sources).map(|()| true),
        }
    }

    /// Leaves a stream alone for a while when nothing came of trying.
    fn or_pass_over(&self, id: u64, outcome: Result<bool>) -> Result<bool> {
        if !matches!(outcome, Ok(true)) {
            self.passed_over.lock().insert(id, Instant::now());
        }
        outcome
    }

    fn erase_stream(&self, id: u64) -> Result<bool> {
        let Some(Home::Segment(segment)) = self.shared.table.get(id) else { return Ok(false) };
        if segment.info.kind != SegmentKind::Stream || !compaction::stream_is_dead(&self.shared, &segment)? {
            return Ok(false);
        }
        drop(segment);
        self.erase(&[id])?;
        Ok(true)
    }

    /// Moves what lives in some streams. Rows that change meanwhile stay as they are: each move is a compare-and-set.
    fn restream_all(&self, ids: &[u64]) -> Result<bool> {
        let mut tenants = compaction::tenants(&self.shared, ids)?;
        let mut moved = false;
        for id in ids {
            if self.stopping() {
                break;
            }
            let own = tenants.remove(id).unwrap_or_default();
            moved |= self.or_pass_over(*id, self.restream(*id, own))?;
        }
        Ok(moved)
    }

    /// Moves what lives in a stream to another one; it is erased when nothing claims it any more.
    fn restream(&self, id: u64, tenants: Vec<Tenant>) -> Result<bool> {
        let Some(Home::Segment(source)) = self.shared.table.get(id) else { return Ok(false) };
        let mut moved = false;
        for tenant in tenants {
            if self.stopping() {
                break;
            }
            let mut target = self.streams.take()?;
            let step = match compaction::copy(&self.shared, &source, &mut target, tenant) {
                Ok(step) => step,
                Err(error) => {
                    target.broken = true;
                    return Err(error.into());
                }
            };
            let outcome = self.queue.commit_blocking(Op::Restate(step));
            drop(target);
            moved |= matches!(outcome?, Outcome::Moved(1));
        }
        Ok(moved)
    }

    fn pack(&self, sources: &[u64]) -> Result<()> {
        match compaction::compact(&self.shared, sources, &|took| self.rest(took))? {
            Compacted::Nothing => {}
            Compacted::Segment(info) => {
                let id = info.id;
                self.queue.commit_blocking(Op::Sealed(info))?;
                if let Some(Home::Segment(segment)) = self.shared.table.get(id) {
                    self.relocate(&segment)?;
                }
            }
        }
        self.shared.index.compact(Space::Dead)?;
        self.erase(sources)
    }
}
