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

/// What sealing puts into other pools waits until it is so much, or a walk finds it: carried over one by one, it would leave a
/// tiny segment for every journal.
const WORTH: u64 = 16 << 20;
/// What a change overtook is found by then, and what waits.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Rows between two rests.
const STRIDE: u64 = 1000;

/// Bytes of segments that belong to other pools.
#[derive(Debug, Default)]
pub(super) struct Displaced {
    /// What a walk found.
    found: HashMap<u64, Belongings>,
    /// What sealing told of since.
    sealed: HashMap<u64, Belongings>,
}

impl Displaced {
    pub fn note_sealed(&mut self, segment: u64, belongings: Belongings) {
        if !belongings.is_empty() {
            self.sealed.insert(segment, belongings);
        }
    }

    /// Takes the place of all that was known before a walk began.
    fn note_found(&mut self, found: HashMap<u64, Belongings>, before: &[u64]) {
        self.sealed.retain(|segment, _| !before.contains(segment));
        self.found = found;
    }

    /// What is to be carried over now, by segment, to pools that count.
    pub fn due(&self, counts: impl Fn(u8) -> bool) -> HashMap<u64, u64> {
        let bytes = |belongings: &Belongings| -> u64 {
            belongings.iter().filter(|(pool, _)| counts(**pool)).map(|(_, bytes)| bytes).sum()
        };
        let of = |held: &HashMap<u64, Belongings>| -> HashMap<u64, u64> {
            held.iter().map(|(segment, belongings)| (*segment, bytes(belongings))).filter(|(_, due)| *due > 0).collect()
        };
        let (mut due, sealed) = (of(&self.found), of(&self.sealed));
        if sealed.values().sum::<u64>() >= WORTH {
            due.extend(sealed);
        }
        due
    }

    /// Drops what is gone.
    pub fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        self.found.retain(|segment, _| is_there(*segment));
        self.sealed.retain(|segment, _| is_there(*segment));
    }

    pub fn forget(&mut self, segment: u64) {
        self.found.remove(&segment);
        self.sealed.remove(&segment);
    }
}

/// All that says which pool a record belongs to.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    pools: Vec<(u8, String)>,
    classes: [Option<u8>; 5],
    rules: Vec<(u32, Rules)>,
}

impl Work {
    pub(super) fn move_loop(&self) {
        let moving = &self.shared.moving;
        let mut seen: Option<(Signature, Instant)> = None;
        while !self.stopping() {
            let changes = moving.changes.load(Ordering::Acquire);
            let signature = self.signature();
            let mut known = seen.as_ref().is_some_and(|(held, at)| *held == signature && at.elapsed() < LOOK_EVERY);
            if !known {
                match self.find_displaced() {
                    Ok(()) => {
                        seen = Some((signature, Instant::now()));
                        known = true;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "what belongs to other pools can't be found: trying again");
                        std::thread::park_timeout(super::COMPACTION_PAUSE);
                    }
                }
            }
            if known {
                moving.answered.store(changes, Ordering::Release);
            }
            std::thread::park_timeout(super::TICK);
        }
    }

    fn signature(&self) -> Signature {
        let roster = self.shared.hardware.roster();
        // One that is being made counts once it can take anything.
        let of = |class| roster.pool_of(class).map(|pool| pool.number);
        let names = roster.pools.iter().map(|pool| (pool.number, pool.name.clone()));
        let buckets = self.shared.buckets.load();
        let rules = buckets.states().filter(|state| !state.placement().is_empty());
        Signature {
            pools: names.collect(),
            classes: StorageClass::ALL.map(of),
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
        let before: Vec<u64> = self.displaced.lock().sealed.keys().copied().collect();
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
            moving.displaced.store(displaced.due(|_| true).values().sum(), Ordering::Relaxed);
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
        assert_eq!(displaced.due(|_| true), HashMap::new());
        // What was sealed while the walk went on stays.
        displaced.note_sealed(3, Belongings::from([(2, WORTH - 1)]));
        displaced.note_found(HashMap::from([(4, Belongings::from([(2, 5), (3, 4)]))]), &[1]);
        assert_eq!(displaced.due(|_| true), HashMap::from([(4, 9)]));
        assert_eq!(displaced.due(|pool| pool == 3), HashMap::from([(4, 4)]));
        displaced.note_sealed(5, Belongings::from([(2, 1)]));
        assert_eq!(displaced.due(|_| true), HashMap::from([(3, WORTH - 1), (4, 9), (5, 1)]));
        displaced.retain(|segment| segment != 3);
        displaced.forget(4);
        assert_eq!(displaced.due(|_| true), HashMap::new());
    }
}
