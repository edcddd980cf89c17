//! Finding what stands in another pool than the one that it belongs to.
//!
//! Nothing is kept of it: a walk through the index finds everything after a start and whenever rules, configuration or pools
//! have changed, and sealing tells of what it puts into the segment of another pool. `compactor` carries it over, as it
//! carries what lives out of what is dead.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Work;
use crate::compaction::{Tenant, walk};
use crate::index::{IndexError, Place, Space};
use crate::placement::{Belongings, Rules, StorageClass};
use crate::segment::Home;

/// What sealing put into another pool waits for so long: more may come, and some of it may go.
const SETTLED: Duration = Duration::from_secs(600);
/// What a change overtook is found by then.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Rows between two rests.
const STRIDE: u64 = 1000;

/// Bytes of segments that belong to other pools.
#[derive(Debug, Default)]
pub(super) struct Displaced(HashMap<u64, Held>);

#[derive(Debug)]
struct Held {
    belongings: Belongings,
    /// From when on they are carried over.
    due: Instant,
}

impl Displaced {
    pub fn note_sealed(&mut self, segment: u64, belongings: Belongings) {
        if !belongings.is_empty() {
            self.0.insert(segment, Held { belongings, due: Instant::now() + SETTLED });
        }
    }

    /// Takes the place of all that was known before a walk began.
    fn note_found(&mut self, found: HashMap<u64, Belongings>, since: &[u64]) {
        let now = Instant::now();
        self.0.retain(|segment, _| !since.contains(segment));
        self.0.extend(found.into_iter().map(|(segment, belongings)| (segment, Held { belongings, due: now })));
    }

    /// Bytes of a segment that are to be carried over now, of those pools that `counts`.
    pub fn due(&self, segment: u64, counts: impl Fn(u8) -> bool) -> u64 {
        let held = self.0.get(&segment).filter(|held| held.due <= Instant::now());
        let pools = held.into_iter().flat_map(|held| &held.belongings);
        pools.filter(|(pool, _)| counts(**pool)).map(|(_, bytes)| bytes).sum()
    }

    /// Drops what is gone, and tells how many bytes are to be carried over now.
    pub fn settle(&mut self, is_there: impl Fn(u64) -> bool) -> u64 {
        let now = Instant::now();
        self.0.retain(|segment, _| is_there(*segment));
        self.0.values().filter(|held| held.due <= now).flat_map(|held| held.belongings.values()).sum()
    }

    pub fn forget(&mut self, segment: u64) {
        self.0.remove(&segment);
    }

    fn segments(&self) -> Vec<u64> {
        self.0.keys().copied().collect()
    }
}

/// All that says which pool a record belongs to.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    pools: Vec<(u8, String, Vec<StorageClass>)>,
    rules: Vec<(u32, Rules)>,
}

impl Work {
    pub(super) fn move_loop(&self) {
        let mut seen: Option<(Signature, Instant)> = None;
        while !self.stopping() {
            let signature = self.signature();
            let known = seen.as_ref().is_some_and(|(held, at)| *held == signature && at.elapsed() < LOOK_EVERY);
            if !known {
                self.shared.moving.looking.store(true, Ordering::Relaxed);
                match self.find_displaced() {
                    Ok(()) => seen = Some((signature, Instant::now())),
                    Err(error) => {
                        tracing::warn!(%error, "what belongs to other pools can't be found: trying again");
                        std::thread::park_timeout(super::COMPACTION_PAUSE);
                    }
                }
            }
            let settled = seen.as_ref().is_some_and(|(held, _)| *held == self.signature());
            self.shared.moving.looking.store(!settled, Ordering::Relaxed);
            std::thread::park_timeout(super::TICK);
        }
    }

    fn signature(&self) -> Signature {
        let roster = self.shared.hardware.roster();
        let pools = roster.pools.iter().map(|pool| (pool.number, pool.name.clone(), pool.storage_classes.clone()));
        let buckets = self.shared.buckets.load();
        let rules = buckets.states().filter(|state| !state.placement().is_empty());
        Signature {
            pools: pools.collect(),
            rules: rules.map(|state| (state.bucket.id, state.placement().clone())).collect(),
        }
    }

    /// Walks through the index for all that stands in another pool than its own.
    fn find_displaced(&self) -> Result<(), IndexError> {
        if !self.shared.has_several_pools() {
            return Ok(());
        }
        let moving = &self.shared.moving;
        // What was begun by other rules is over before the walk begins, so that it is seen.
        drop(self.sealing.lock());
        drop(self.compacting.lock());
        let before = self.displaced.lock().segments();
        let mut found: HashMap<u64, Belongings> = HashMap::new();
        let (mut rows, mut began) = (0, Instant::now());
        let whole = walk(&*self.shared.index.snapshot(), &[Space::Current, Space::Versions], &mut |tenant| {
            self.note_displaced(&tenant, &mut found);
            rows += 1;
            if rows % STRIDE == 0 {
                moving.looked.fetch_add(STRIDE, Ordering::Relaxed);
                self.rest_in_background(began.elapsed(), true);
                began = Instant::now();
            }
            !self.stopping()
        })?;
        if whole {
            let mut displaced = self.displaced.lock();
            displaced.note_found(found, &before);
            moving.displaced.store(displaced.settle(|_| true), Ordering::Relaxed);
        }
        Ok(())
    }

    fn note_displaced(&self, (place, row): &Tenant, found: &mut HashMap<u64, Belongings>) {
        let Place::Version { bucket, key, .. } = place else { return };
        let Some(own) = self.shared.pool_of_record(*bucket, key, &row.record) else { return };
        for extent in &row.record.extents {
            match self.shared.table.get(extent.segment) {
                Some(Home::Segment(segment)) if segment.info.pool != own.number => {
                    *found.entry(extent.segment).or_default().entry(own.number).or_default() += extent.length;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_waits_and_what_was_found_does_not() {
        let mut displaced = Displaced::default();
        displaced.note_sealed(1, Belongings::from([(2, 10)]));
        displaced.note_sealed(2, Belongings::new());
        assert_eq!(displaced.due(1, |_| true), 0);
        assert_eq!(displaced.settle(|_| true), 0);
        let before = displaced.segments();
        displaced.note_sealed(3, Belongings::from([(2, 7)]));
        displaced.note_found(HashMap::from([(4, Belongings::from([(2, 5), (3, 4)]))]), &before);
        assert_eq!(displaced.due(4, |_| true), 9);
        assert_eq!(displaced.due(4, |pool| pool == 3), 4);
        assert_eq!(displaced.segments().len(), 2, "segment 3 was sealed while the walk went on");
        assert_eq!(displaced.settle(|_| true), 9);
        displaced.forget(4);
        assert_eq!(displaced.settle(|segment| segment != 3), 0);
        assert!(displaced.segments().is_empty());
    }
}
