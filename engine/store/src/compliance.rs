//! The compliance clock: the time that retention is computed and compared by, which nobody can set.
//!
//! It goes with the machine's `CLOCK_BOOTTIME` and is drawn towards the wall clock within bounds that are constants
//! ([`reading`]). The commit loop keeps it in every superblock, and a start goes on from the highest reading of the
//! drives in use, so that a crash costs no more than what passed since the last one was kept, and only if the machine
//! went down with it.
//!
//! Any thread may read it. Its lock is a leaf, held for two system calls that don't block.

mod machine;
mod reading;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

pub use machine::MachineClock;
use parking_lot::Mutex;
pub use reading::{MAX_ALLOWANCE, Reading};

/// The day on which this library was built, Unix nanoseconds.
pub const BUILD_DAY: i64 = include!(concat!(env!("OUT_DIR"), "/build_day.in")) * 1_000_000_000;
/// A superblock is no older than this while the node runs.
pub(crate) const KEPT_EVERY: Duration = Duration::from_secs(60);
/// From this lag behind the wall clock on the operator is told, nanoseconds.
pub(crate) const WORTH_TELLING: i64 = 3600 * 1_000_000_000;

/// What the machine's clocks say at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Unix nanoseconds, as the machine was told.
    pub wall: i64,
    /// Nanoseconds since the machine started, sleep included.
    pub boottime: i64,
    /// Which start of the machine `boottime` counts from.
    pub boot: u128,
}

/// The clocks of a machine.
pub trait Clock: Debug + Send + Sync {
    fn moment(&self) -> Moment;
}

/// Both times at one moment, Unix nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub wall: i64,
    /// The compliance clock's.
    pub compliance: i64,
}

impl Now {
    /// How far the compliance clock is behind the wall clock, nanoseconds; negative where it is ahead.
    #[must_use]
    pub fn lag(self) -> i64 {
        self.wall.saturating_sub(self.compliance)
    }
}

#[derive(Debug)]
pub struct ComplianceClock {
    machine: Arc<dyn Clock>,
    reading: Mutex<Reading>,
}

impl ComplianceClock {
    /// Goes on from what a superblock holds.
    #[must_use]
    pub fn resume(machine: Arc<dyn Clock>, reading: Reading) -> Self {
        Self { machine, reading: Mutex::new(reading) }
    }

    pub fn now(&self) -> Now {
        let (reading, wall) = self.advance();
        Now { wall, compliance: reading.time }
    }

    /// What a superblock is to hold.
    pub fn reading(&self) -> Reading {
        self.advance().0
    }

    /// Goes on to `time`, Unix nanoseconds, though no further than the wall clock.
    pub(crate) fn go_on_to(&self, time: i64) {
        let mut held = self.reading.lock();
        let moment = self.machine.moment();
        *held = held.at(moment).gone_on_to(time.min(moment.wall));
    }

    fn advance(&self) -> (Reading, i64) {
        let mut held = self.reading.lock();
        // Under the lock: a moment that another thread has overtaken would look like a machine that was restarted.
        let moment = self.machine.moment();
        *held = held.at(moment);
        (*held, moment.wall)
    }
}

#[cfg(test)]
mod tests;
