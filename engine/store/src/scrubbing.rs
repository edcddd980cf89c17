//! Verifying every sealed segment in a set period: when the next one is due, and how far the pass has come.
//!
//! A pass goes through the segments in the order of their ids. How far it came is a document of the node, put every few
//! minutes, so that a restart goes on from there. What it finds rotten becomes a wound, and is healed.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use crate::codec::{DecodeError, Reader, Writer};

/// The kind of the document that holds the [`Pass`]; its name is empty.
pub(crate) const SCRUB: &str = "scrub";
const VERSION: u8 = 1;

/// How far scrubbing came.
#[derive(Debug, Default)]
pub struct ScrubCounts {
    /// Bytes of shards that this pass has verified, of how many.
    pub done: AtomicU64,
    pub total: AtomicU64,
    /// When the pass before ended, Unix nanoseconds by the compliance clock; 0 for none.
    pub last_ended: AtomicI64,
    /// Segments that were verified since start, and shards that were found wrong.
    pub segments: AtomicU64,
    pub faults: AtomicU64,
}

/// Where verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// When it began by the compliance clock, Unix nanoseconds: that one never goes back.
    pub began: i64,
    /// The last segment that it has verified; 0 for none yet.
    pub after: u64,
    /// When the one before ended; 0 for none.
    pub last_ended: i64,
}

impl Pass {
    #[must_use]
    pub fn begin(now: i64, last_ended: i64) -> Self {
        Self { began: now, after: 0, last_ended }
    }

    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(VERSION);
        out.i64(self.began);
        out.u64(self.after);
        out.i64(self.last_ended);
        out.0
    }

    /// # Errors
    /// Bytes that are no such document.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader(value);
        match from.u8()? {
            VERSION => Ok(Self { began: from.i64()?, after: from.u64()?, last_ended: from.i64()? }),
            other => Err(DecodeError::Unknown("version of a scrub", other)),
        }
    }

    /// Whether the next segment is due at `now`, with `done` of `total` bytes verified: the pass takes just the period.
    #[must_use]
    pub fn is_due(self, now: i64, period: Duration, done: u64, total: u64) -> bool {
        let elapsed = u128::from(u64::try_from(now.saturating_sub(self.began)).unwrap_or(0));
        elapsed * u128::from(total) >= period.as_nanos() * u128::from(done)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const DAY: i64 = 86_400 * 1_000_000_000;

    #[test]
    fn a_pass_takes_the_period() {
        let pass = Pass::begin(100 * DAY, 0);
        let period = Duration::from_secs(14 * 86_400);
        let due = |days: i64, done: u64| pass.is_due((100 + days) * DAY, period, done, 1400);
        assert!(due(0, 0), "it begins at once");
        assert!(!due(0, 1));
        assert!(due(1, 100) && !due(1, 101));
        assert!(due(14, 1400));
        assert!(!pass.is_due(0, period, 1, 1400), "a clock that reads less than at the beginning");
        assert!(Pass::begin(0, 0).is_due(i64::MAX, Duration::MAX, 0, u64::MAX), "nothing overflows");
    }

    #[test]
    fn what_is_written_is_read() {
        let pass = Pass { began: 5, after: 7, last_ended: -1 };
        assert_eq!(Pass::decode(&pass.encode()).unwrap(), pass);
        for length in 0..pass.encode().len() {
            assert!(Pass::decode(&pass.encode()[..length]).is_err());
        }
        assert!(Pass::decode(&[2; 25]).is_err());
    }
}
