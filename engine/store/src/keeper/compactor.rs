//! Carrying out what `compaction::choose` decides, one step at a time, and finishing what a crash cut short.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{MOVES, Work};
use crate::commit::{Op, Outcome};
use crate::compaction::{self, Choice, CutShort, FileFacts, Tenant};
use crate::error::{Error, Result};
use crate::index::{Place, Space};
use crate::recovery::replay;
use crate::segment::{Home, Segment, SegmentKind};

/// How long a stream is left alone that could not be moved or proven dead.
const BACK_OFF: Duration = Duration::from_secs(600);

impl Work {
    /// Finishes a compaction that was cut short: moves the rows that are left, and erases its sources. Until then no
    /// source may be compacted again, since its rows stand elsewhere. Whether there was anything to do.
    fn finish_cut_short(&self) -> Result<bool> {
        let Some(CutShort { made, sources }) = compaction::cut_short(&self.shared) else { return Ok(false) };
        made.iter().try_for_each(|segment| self.relocate(segment))?;
        self.erase(&sources)?;
        Ok(true)
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
        let _one = self.compacting.lock();
        if self.finish_cut_short()? {
            return Ok(true);
        }
        let mut facts = Vec::new();
        let mut displaced = self.displaced.lock();
        let left = displaced.settle(|id| self.shared.table.get(id).is_some());
        self.shared.moving.displaced.store(left, Ordering::Relaxed);
        for home in self.shared.table.all().values() {
            let Home::Segment(segment) = home else { continue };
            let info = &segment.info;
            if !info.sealed {
                continue;
            }
            let tally = compaction::tally(&self.shared, info.id)?;
            let (id, kind, payload) = (info.id, info.kind, info.payload);
            let entries = u64::from(info.toc.entries);
            let displaced = displaced.due(id, |pool| pool != info.pool && self.shared.can_take(pool));
            facts.push(FileFacts { id, kind, payload, live: tally.live, entries, dead: tally.dead, displaced });
        }
        drop(displaced);
        // What could not be done a while ago stands in nobody's way now.
        let mut passed_over = self.passed_over.lock();
        passed_over.retain(|_, since| since.elapsed() < BACK_OFF);
        facts.retain(|fact| !passed_over.contains_key(&fact.id));
        drop(passed_over);
        facts.sort_by_key(|fact| fact.id);
        match compaction::choose(&facts, self.dead_share, self.journal_size) {
            Choice::Nothing => Ok(false),
            Choice::EraseStream(id) => self.or_pass_over(id, self.erase_stream(id)),
            Choice::Restream(ids) => self.restream_all(&ids, |_, _| true),
            Choice::Move(ids) => self.restream_all(&ids, |source, pool| source.info.pool != pool),
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
    /// Of each, those that `is_meant` says so of, by the segment and the pool that the row belongs to.
    fn restream_all(&self, ids: &[u64], is_meant: impl Fn(&Segment, u8) -> bool) -> Result<bool> {
        let mut tenants = compaction::tenants(&self.shared, ids)?;
        let mut moved = false;
        for id in ids {
            if self.stopping() {
                break;
            }
            let own = tenants.remove(id).unwrap_or_default();
            moved |= self.or_pass_over(*id, self.restream(*id, own, &is_meant))?;
            self.displaced.lock().forget(*id);
        }
        Ok(moved)
    }

    /// Moves what lives in a stream to others, each row to one of the pool that it belongs to; it is erased when nothing
    /// claims it any more.
    fn restream(&self, id: u64, tenants: Vec<Tenant>, is_meant: &dyn Fn(&Segment, u8) -> bool) -> Result<bool> {
        let Some(Home::Segment(source)) = self.shared.table.get(id) else { return Ok(false) };
        let mut moved = false;
        for tenant in tenants {
            if self.stopping() {
                break;
            }
            let pool = self.pool_of_tenant(&tenant).unwrap_or(source.info.pool);
            if !is_meant(&source, pool) {
                continue;
            }
            let own = tenant.1.record.extents.iter().filter(|extent| extent.segment == id);
            let bytes: u64 = own.map(|extent| extent.length).sum();
            let began = Instant::now();
            let mut target = self.streams.take_from_reserve(pool)?;
            let step = match compaction::copy(&self.shared, &source, &mut target, tenant) {
                Ok(step) => step,
                Err(error) => {
                    target.broken = true;
                    return Err(error.into());
                }
            };
            let outcome = self.queue.commit_blocking(Op::Restate(step));
            self.rest_in_background(began.elapsed(), false);
            drop(target);
            if matches!(outcome?, Outcome::Moved(1)) {
                moved = true;
                self.shared.moving.moved.fetch_add(if pool == source.info.pool { 0 } else { bytes }, Ordering::Relaxed);
            }
        }
        Ok(moved)
    }

    fn pool_of_tenant(&self, (place, row): &Tenant) -> Option<u8> {
        let own = match place {
            Place::Version { bucket, key, .. } => self.shared.pool_of_record(*bucket, key, &row.record),
            Place::Row(..) | Place::Amendment { .. } => None,
        };
        own.map(|pool| pool.number).filter(|number| self.shared.can_take(*number))
    }

    fn pack(&self, sources: &[u64]) -> Result<()> {
        let made =
            compaction::compact(&self.shared, sources, &|took| self.rest_in_background(took, !self.is_behind()))?;
        let ids: Vec<u64> = made.iter().map(|made| made.info.id).collect();
        let moved: u64 = made.iter().map(|made| made.moved).sum();
        if !made.is_empty() {
            self.queue.commit_blocking(Op::Compacted(made.into_iter().map(|made| made.info).collect()))?;
        }
        for id in ids {
            if let Some(Home::Segment(segment)) = self.shared.table.get(id) {
                self.relocate(&segment)?;
            }
        }
        self.shared.index.compact(Space::Dead)?;
        self.erase(sources)?;
        self.shared.moving.moved.fetch_add(moved, Ordering::Relaxed);
        Ok(())
    }
}
