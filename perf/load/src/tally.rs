//! What the workers counted.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use hdrhistogram::Histogram;

use crate::{
    client::Failure,
    scenario::{Done, Kind},
};

/// The longest latency that is told apart, in nanoseconds (ten minutes).
const LONGEST: u64 = 600_000_000_000;
/// Digits of a latency that are kept.
const DIGITS: u8 = 3;
/// How many failures are printed in full, by worker.
const PRINTED: u64 = 3;

/// Requests of one kind that succeeded.
pub struct Count {
    pub ops: u64,
    /// Objects that were written, read, listed or deleted; common prefixes count as objects.
    pub objects: u64,
    /// Bytes of object content.
    pub bytes: u64,
    /// Nanoseconds.
    pub latency: Histogram<u64>,
}

impl Count {
    fn new() -> Result<Self, hdrhistogram::CreationError> {
        let latency = Histogram::new_with_bounds(1_000, LONGEST, DIGITS)?;
        Ok(Self { ops: 0, objects: 0, bytes: 0, latency })
    }

    fn add(&mut self, other: &Self) {
        self.ops += other.ops;
        self.objects += other.objects;
        self.bytes += other.bytes;
        // Both histograms have the same bounds, so nothing falls outside.
        let _ = self.latency.add(&other.latency);
    }
}

/// What one worker counted, or all of them together.
#[derive(Default)]
pub struct Tally {
    pub kinds: BTreeMap<Kind, Count>,
    /// How often each failure came, by its text.
    pub failures: BTreeMap<String, u64>,
}

impl Tally {
    pub fn done(&mut self, done: &Done) -> Result<(), hdrhistogram::CreationError> {
        let count = self.count(done.kind)?;
        count.ops += 1;
        count.objects += done.objects;
        count.bytes += done.bytes;
        count.latency.saturating_record(nanoseconds(done.latency));
        Ok(())
    }

    pub fn failed(&mut self, failure: &Failure) {
        let text = failure.to_string();
        let seen: u64 = self.failures.values().sum();
        if seen < PRINTED {
            eprintln!("packstone-load: {text}");
        }
        let kind = match failure {
            Failure::Wrong(_) => "wrong answer".to_owned(),
            Failure::Connection(_) | Failure::Refused { .. } => text,
        };
        *self.failures.entry(kind).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) -> Result<(), hdrhistogram::CreationError> {
        for (kind, count) in &other.kinds {
            self.count(*kind)?.add(count);
        }
        for (text, times) in &other.failures {
            *self.failures.entry(text.clone()).or_default() += times;
        }
        Ok(())
    }

    /// All kinds as one.
    pub fn total(&self) -> Result<Count, hdrhistogram::CreationError> {
        let mut total = Count::new()?;
        for count in self.kinds.values() {
            total.add(count);
        }
        Ok(total)
    }

    fn count(&mut self, kind: Kind) -> Result<&mut Count, hdrhistogram::CreationError> {
        Ok(match self.kinds.entry(kind) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Count::new()?),
        })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
