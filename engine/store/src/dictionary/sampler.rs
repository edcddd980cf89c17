//! Samples of small bodies, by bucket and family, until a dictionary is trained from them.
//!
//! One lock, a leaf: who finds it held gives no sample. A body is looked at once in [`EVERY`] on a thread, and copied only
//! where a sample of its family is due, so a PUT pays for a counter.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{Family, LARGEST, LEAST};

/// Of so many bodies one is looked at.
const EVERY: u32 = 4;
/// A reservoir is full with so many samples, or so many bytes.
const SAMPLES: usize = 512;
const BYTES: usize = 2 << 20;
/// Families that are sampled at a time, on the whole node.
const RESERVOIRS: usize = 32;
/// One that nothing came to for so long gives way to another.
const IDLE: Duration = Duration::from_secs(60);
/// Of what is looked at one in so many is taken where a dictionary does what it promised. Where none would help it is
/// one in four times as many each time, up to the most.
const SETTLED: u32 = 16;
const MOST_SETTLED: u32 = 4096;

/// A bucket's id, and keys in it.
pub type Place = (u32, Family);

#[derive(Debug)]
struct Reservoir {
    samples: Vec<Arc<[u8]>>,
    bytes: usize,
    /// Of so many that are looked at one is taken.
    stride: u32,
    seen: u32,
    fed: Instant,
}

impl Reservoir {
    fn new() -> Self {
        Self { samples: Vec::new(), bytes: 0, stride: 1, seen: 0, fed: Instant::now() }
    }

    fn is_full(&self) -> bool {
        self.samples.len() >= SAMPLES || self.bytes >= BYTES
    }
}

/// All samples of a node; of one that is off there are none.
#[derive(Debug)]
pub struct Sampler {
    is_on: bool,
    held: Mutex<HashMap<Place, Reservoir>>,
}

thread_local! {
    static LOOKED: Cell<u32> = const { Cell::new(0) };
}

impl Sampler {
    #[must_use]
    pub fn new(is_on: bool) -> Self {
        Self { is_on, held: Mutex::default() }
    }

    /// Whether dictionaries are trained and written with at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Takes a sample of a body, if one is due.
    pub fn offer(&self, bucket: u32, key: &str, plain: &[u8]) {
        if !self.is_on || !(LEAST..=LARGEST).contains(&plain.len()) {
            return;
        }
        let looked = LOOKED.get().wrapping_add(1);
        LOOKED.set(looked);
        if !looked.is_multiple_of(EVERY) {
            return;
        }
        let Some(mut held) = self.held.try_lock() else { return };
        let own = Family::of(key);
        let of_bucket = own.of_bucket();
        let mut copy: Option<Arc<[u8]>> = None;
        let families = if own == of_bucket { vec![own] } else { vec![own, of_bucket] };
        for family in families {
            let Some(reservoir) = admitted(&mut held, (bucket, family)) else { continue };
            reservoir.fed = Instant::now();
            reservoir.seen = reservoir.seen.wrapping_add(1);
            if reservoir.seen.is_multiple_of(reservoir.stride) && !reservoir.is_full() {
                let sample = copy.get_or_insert_with(|| plain.into());
                reservoir.bytes += sample.len();
                reservoir.samples.push(sample.clone());
            }
        }
    }

    /// The samples of a place that has enough of them, those of whole buckets before those of folders; it begins anew,
    /// and slowly, until [`Self::settle`] says how.
    pub fn take_full(&self) -> Option<(Place, Vec<Arc<[u8]>>)> {
        let mut held = self.held.lock();
        let full = held.iter_mut().filter(|(_, reservoir)| reservoir.is_full());
        let (place, reservoir) = full.min_by_key(|((_, family), _)| !family.folder.is_empty())?;
        reservoir.bytes = 0;
        reservoir.stride = reservoir.stride.max(SETTLED);
        Some((place.clone(), std::mem::take(&mut reservoir.samples)))
    }

    /// Says what became of samples: whether a dictionary `serves` the place, or none would.
    pub fn settle(&self, place: &Place, serves: bool) {
        if let Some(reservoir) = self.held.lock().get_mut(place) {
            let stride = if serves { SETTLED } else { reservoir.stride.saturating_mul(4) };
            reservoir.stride = stride.min(MOST_SETTLED);
        }
    }

    /// Forgets places that are no more.
    pub fn retain(&self, stands: impl Fn(u32) -> bool) {
        self.held.lock().retain(|(bucket, _), _| stands(*bucket));
    }
}

/// The reservoir of a place; `None` where all are taken by others that need theirs.
fn admitted(held: &mut HashMap<Place, Reservoir>, place: Place) -> Option<&mut Reservoir> {
    if !held.contains_key(&place) && held.len() >= RESERVOIRS {
        let spare = held.iter().filter(|(_, one)| one.stride > 1 || one.fed.elapsed() > IDLE);
        let (evicted, _) = spare.max_by_key(|(_, one)| (one.fed.elapsed() > IDLE, one.stride))?;
        let evicted = evicted.clone();
        held.remove(&evicted);
    }
    Some(held.entry(place).or_insert_with(Reservoir::new))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn fill(sampler: &Sampler, bucket: u32, key: &str) {
        (0..SAMPLES as u32 * EVERY).for_each(|_| sampler.offer(bucket, key, &[7; 100]));
    }

    #[test]
    fn whole_buckets_come_before_folders_and_begin_anew() {
        let sampler = Sampler::new(true);
        assert!(sampler.take_full().is_none());
        fill(&sampler, 1, "fx/a.csv");
        let ((bucket, family), samples) = sampler.take_full().unwrap();
        assert_eq!((bucket, &*family.folder, &*family.ending, samples.len()), (1, "", "csv", SAMPLES));
        assert_eq!(&*sampler.take_full().unwrap().0.1.folder, "fx");
        assert!(sampler.take_full().is_none());
        fill(&sampler, 1, "fx/a.csv");
        assert!(sampler.take_full().is_none(), "what is settled is sampled slowly");
    }

    #[test]
    fn memory_is_bounded_and_new_families_take_the_place_of_settled_ones() {
        let sampler = Sampler::new(true);
        for folder in 0..2 * RESERVOIRS {
            fill(&sampler, 1, &format!("{folder}/a.csv"));
        }
        assert_eq!(sampler.held.lock().len(), RESERVOIRS);
        while let Some((place, _)) = sampler.take_full() {
            sampler.settle(&place, true);
        }
        fill(&sampler, 2, "a.csv");
        assert_eq!(sampler.take_full().unwrap().0.0, 2);
        assert_eq!(sampler.held.lock().len(), RESERVOIRS);
        sampler.retain(|_| false);
        assert_eq!(sampler.held.lock().len(), 0);
    }

    #[test]
    fn nothing_is_held_where_dictionaries_are_off_or_bodies_are_too_long() {
        let (off, on) = (Sampler::new(false), Sampler::new(true));
        fill(&off, 1, "a.csv");
        (0..64).for_each(|_| on.offer(1, "a.csv", &vec![7; LARGEST + 1]));
        assert!(off.held.lock().is_empty() && on.held.lock().is_empty());
    }
}
