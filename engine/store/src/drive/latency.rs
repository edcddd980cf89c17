//! How long calls of a drive take, and which drives are much slower than their peers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::DriveNumber;

/// A sample counts for one part in so many of the average.
const WEIGHT: u64 = 8;
/// A drive that takes less on average is never called sluggish.
const SLOW: Duration = Duration::from_millis(100);
/// Nor is one that takes less than so many times as long as its peers.
const TIMES: u32 = 8;

/// A moving average. Two samples at once may count as one: it is there to tell 1 ms from 500.
#[derive(Debug, Default)]
pub struct Latency(AtomicU64);

impl Latency {
    pub fn note(&self, took: Duration) {
        let held = self.0.load(Ordering::Relaxed);
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX >> 8).max(1);
        let next = held.saturating_sub(held / WEIGHT).saturating_add(took / WEIGHT).max(1);
        self.0.store(next, Ordering::Relaxed);
    }

    /// `None` where there was no call.
    #[must_use]
    pub fn average(&self) -> Option<Duration> {
        Some(self.0.load(Ordering::Relaxed)).filter(|micros| *micros > 0).map(Duration::from_micros)
    }

    pub fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What was seen of one drive.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    pub number: DriveNumber,
    /// Drives of one device can't be told apart by how long they take.
    pub device: u64,
    pub read: Option<Duration>,
    pub sync: Option<Duration>,
}

/// The drives that are much slower than their peers in reading or in syncing.
#[must_use]
pub fn sluggish(vitals: &[Vitals]) -> Vec<DriveNumber> {
    let is_slow = |own: &&Vitals| {
        [|drive: &Vitals| drive.read, |drive: &Vitals| drive.sync].iter().any(|kind| {
            let others = vitals.iter().filter(|other| other.device != own.device);
            let mut others: Vec<Duration> = others.filter_map(kind).collect();
            others.sort_unstable();
            let median = others.get(others.len() / 2);
            kind(own).is_some_and(|took| took >= SLOW && median.is_some_and(|median| took >= *median * TIMES))
        })
    };
    vitals.iter().filter(is_slow).map(|drive| drive.number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: [DriveNumber; 0] = [];

    const fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    fn drive(number: DriveNumber, read: Option<Duration>, sync: Option<Duration>) -> Vitals {
        Vitals { number, device: u64::from(number), read, sync }
    }

    #[test]
    fn a_drive_is_slow_only_beside_others() {
        let fast = [drive(0, millis(1), millis(3)), drive(1, millis(2), None), drive(2, millis(1), millis(2))];
        assert_eq!(sluggish(&fast), NOBODY);
        let with = |read, sync| sluggish(&[&fast[..], &[drive(3, read, sync)]].concat());
        assert_eq!(with(millis(500), None), [3]);
        assert_eq!(with(millis(1), millis(500)), [3]);
        assert_eq!(with(millis(80), millis(80)), NOBODY, "too fast to matter");
        assert_eq!(sluggish(&[drive(0, millis(500), None), drive(1, millis(400), None)]), NOBODY, "all are busy");
        assert_eq!(sluggish(&[drive(0, millis(500), None)]), NOBODY, "there is none to compare with");
        let together = [Vitals { device: 1, ..drive(0, millis(500), None) }, drive(1, millis(1), None)];
        assert_eq!(sluggish(&together), NOBODY, "both are one device");
    }

    #[test]
    fn a_few_slow_calls_are_enough_and_one_is_not() {
        let latency = Latency::default();
        assert_eq!(latency.average(), None);
        for _ in 0..1000 {
            latency.note(Duration::from_millis(1));
        }
        latency.note(Duration::from_millis(500));
        assert!(latency.average().unwrap() < SLOW);
        latency.note(Duration::from_millis(500));
        assert!(latency.average().unwrap() >= SLOW);
        latency.forget();
        assert_eq!(latency.average(), None);
    }
}
