//! Carrying out what `compaction::choose` decides, one step at a time, and finishing what a crash cut short.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{COMPACTION_PAUSE, MOVES, Work};
use crate::commit::{Op, Outcome};
use crate::compaction::{self, Choice, CutShort, FileFacts, Tenant};
use crate::error::{Error, Result};
use crate::index::row::FileTally;
use crate::index::{Place, Space};
use crate::recovery::replay;
use crate::segment::{Home, Segment, SegmentKind};

/// How long a stream is left alone that could not be moved or proven dead.
const BACK_OFF: Duration = Duration::from_secs(600);

impl Work {
    pub(super) fn compact_loop(&self) {
        while !self.stopping() {
            match self.compact_once() {
                // Where there was something to do there may be more.
                Ok(true) => continue,
                Ok(false) | Err(Error::ShuttingDown) => {}
                Err(error) => tracing::warn!(%error, "compaction failed: trying again"),
            }
            std::thread::park_timeout(COMPACTION_PAUSE);
        }
    }

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
            self.claims_of.lock().remove(id);
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
        let displaced = self.due_elsewhere();
        for home in self.shared.table.all().values() {
            let Home::Segment(segment) = home else { continue };
            let info = &segment.info;
            if !info.sealed {
                continue;
            }
            let tally = compaction::tally(&self.shared, info.id)?;
            let (id, kind, payload) = (info.id, info.kind, info.payload);
            let entries = u64::from(info.toc.entries);
            let displaced = displaced.get(&id).copied().unwrap_or(0);
            let claimed = self.claimed(segment, &tally)?;
            let (live, dead) = (tally.live, tally.dead);
            facts.push(FileFacts { id, kind, payload, live, claimed, entries, dead, displaced });
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
            Choice::Restream(ids) => self.restream_all(&ids, |_, _| true),
            Choice::Move(ids) => self.restream_all(&ids, |source, pool| source.info.pool != pool),
            Choice::Pack(sources) => self.pack(&sources).map(|()| true).inspect_err(|_| self.pass_over(&sources)),
        }
    }

    /// Bytes that are to be carried to other pools now, by the segment that has them.
    fn due_elsewhere(&self) -> HashMap<u64, u64> {
        let mut displaced = self.displaced.lock();
        displaced.retain(|id| self.shared.table.get(id).is_some());
        self.shared.moving.displaced.store(displaced.due(|_| true).values().sum(), Ordering::Relaxed);
        displaced.due(|pool| self.shared.can_take(pool))
    }

    /// Leaves segments alone for a while that nothing came of.
    fn pass_over(&self, ids: &[u64]) {
        self.passed_over.lock().extend(ids.iter().map(|id| (*id, Instant::now())));
    }

    /// The same of one where nothing came of trying.
    fn or_pass_over(&self, id: u64, outcome: Result<bool>) -> Result<bool> {
        if !matches!(outcome, Ok(true)) {
            self.pass_over(&[id]);
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
            let places = own.into_iter().map(|(place, _)| place).collect();
            moved |= self.or_pass_over(*id, self.restream(*id, places, &is_meant))?;
        }
        Ok(moved)
    }

    /// Moves what lives in a stream to others, each row to one of the pool that it belongs to; it is erased when nothing
    /// claims it any more.
    fn restream(&self, id: u64, places: Vec<Place>, is_meant: &dyn Fn(&Segment, u8) -> bool) -> Result<bool> {
        let Some(Home::Segment(source)) = self.shared.table.get(id) else { return Ok(false) };
        let wanted = |tenant: &Tenant| self.pool_of_tenant(tenant).unwrap_or(source.info.pool);
        let pool_of = |tenant: &Tenant| Some(wanted(tenant)).filter(|pool| self.shared.can_take(*pool));
        let tenants = self.as_they_stand(places, id)?;
        let mut is_left = tenants.iter().any(|tenant| pool_of(tenant).is_none());
        let mut moved = false;
        for (pool, names) in compaction::together(tenants, |tenant| pool_of(tenant).unwrap_or(source.info.pool)) {
            if self.stopping() {
                return Ok(moved);
            }
            if is_meant(&source, pool) {
                let has_moved = self.move_together(&source, pool, names)?;
                moved |= has_moved;
                is_left |= !has_moved;
            }
        }
        if !is_left {
            self.displaced.lock().forget(id);
        }
        Ok(moved)
    }

    /// The rows of these places that have bytes in a stream by now: what has bytes in several was stated anew when it left the
    /// one before.
    fn as_they_stand(&self, places: Vec<Place>, stream: u64) -> Result<Vec<Tenant>> {
        let snapshot = self.shared.index.snapshot();
        let mut tenants = Vec::with_capacity(places.len());
        for place in places {
            if let Some(row) = place.stands_in(&*snapshot, stream)? {
                tenants.push((place, row));
            }
        }
        Ok(tenants)
    }

    /// Moves what several names have in common to a stream of a pool; whether any of them is there now.
    fn move_together(&self, source: &Segment, pool: u8, mut names: Vec<Tenant>) -> Result<bool> {
        let Some(tenant) = names.pop() else { return Ok(false) };
        let own = tenant.1.record.extents.iter().filter(|extent| extent.segment == source.info.id);
        let bytes: u64 = own.map(|extent| extent.length).sum();
        let began = Instant::now();
        let mut target = self.streams.take_from_reserve(pool)?;
        let step = match compaction::copy(&self.shared, source, &mut target, tenant) {
            Ok(step) => step,
            Err(error) => {
                target.broken = true;
                return Err(error.into());
            }
        };
        let others: Vec<_> = names.into_iter().map(|other| compaction::shared(&step, other)).collect();
        // Held until each has its claim: a stream that is sealed takes no more of them.
        let mut moved = false;
        for step in std::iter::once(step).chain(others) {
            moved |= matches!(self.queue.commit_blocking(Op::Restate(step))?, Outcome::Moved(1));
        }
        drop(target);
        self.rest_in_background(began.elapsed(), !self.is_behind());
        if moved && pool != source.info.pool {
            self.shared.moving.moved.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(moved)
    }

    /// Bytes of a stream that were claimed, where that decides whether it is worth copying; else all that it has room for. What
    /// its TOC says is read once.
    fn claimed(&self, segment: &Segment, tally: &FileTally) -> Result<u64> {
        let info = &segment.info;
        let may_be_worth_it = (info.payload.saturating_sub(tally.live)) as f64 > self.dead_share * info.payload as f64;
        if info.kind != SegmentKind::Stream || tally.dead > 0 || !may_be_worth_it {
            return Ok(info.payload);
        }
        if let Some(known) = self.claims_of.lock().get(&info.id) {
            return Ok(*known);
        }
        let claimed = compaction::claimed(&segment.apart(&self.shared.hardware))?;
        self.claims_of.lock().insert(info.id, claimed);
        Ok(claimed)
    }

    fn pool_of_tenant(&self, (place, row): &Tenant) -> Option<u8> {
        let own = match place {
            Place::Version { bucket, key, .. } => self.shared.pool_of_record(*bucket, key, &row.record),
            Place::Row(..) | Place::Amendment { .. } => None,
        };
        own.map(|pool| pool.number)
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
