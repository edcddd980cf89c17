//! The rule by which the compliance clock goes. No clock is read here.
//!
//! While the machine is up the clock goes with its boot time, at most 500 ppm faster or slower to follow the wall clock,
//! whatever steps that takes. How long the machine was down only the wall clock says, and who sets that may lie: so
//! down-time is caught up from an allowance that grows by a week in 365 days of up-time and holds a week at most.
//! It never goes back.

use super::{BUILD_DAY, Moment};
use crate::codec::{DecodeError, Reader, Writer};
use crate::recovery::{RecoveryError, RecoveryResult};

const DAY: i64 = 86_400 * 1_000_000_000;
/// Of `elapsed` time: 500 ppm.
const SLEW_DIVISOR: i64 = 2000;
/// Days of up-time that earn `ALLOWED_DAYS` of catching up.
const ALLOWED_PER_DAYS: i128 = 365;
const ALLOWED_DAYS: i128 = 7;
/// The most down-time that may be caught up at once, nanoseconds.
pub const MAX_ALLOWANCE: i64 = 7 * DAY;

/// Where the compliance clock stood at one moment, and what it may still catch up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The compliance clock's time, Unix nanoseconds; never 0.
    pub time: i64,
    /// The machine's boot time then, nanoseconds.
    pub boottime: i64,
    /// Which start of the machine that counts from.
    pub boot: u128,
    /// Down-time that may be caught up, nanoseconds; at most [`MAX_ALLOWANCE`].
    pub allowance: i64,
    /// Down-time that was seen and is not caught up yet, nanoseconds.
    pub owed: i64,
}

impl Reading {
    /// The bytes that [`Self::encode`] writes.
    pub const ENCODED: usize = 48;

    /// The first reading ever, by the wall clock.
    ///
    /// # Errors
    /// The wall clock says a time before this release was built.
    pub fn begin(moment: Moment) -> RecoveryResult<Self> {
        if moment.wall < BUILD_DAY {
            return Err(RecoveryError::Operator(
                "the machine's clock says a time before this release was built: set it, retention is counted from it"
                    .into(),
            ));
        }
        Ok(Self { time: moment.wall, boottime: moment.boottime, boot: moment.boot, allowance: 0, owed: 0 })
    }

    /// What it reads at a later moment.
    #[must_use]
    pub fn at(self, moment: Moment) -> Self {
        // A boot time that went back is another machine's, or that of a snapshot: nobody knows how long it was away.
        let same_boot = moment.boot == self.boot && moment.boottime >= self.boottime;
        let elapsed = if same_boot { moment.boottime - self.boottime } else { 0 };
        let ahead = |time: i64| moment.wall.saturating_sub(time);

        let most = elapsed / SLEW_DIVISOR;
        let unslewed = self.time.saturating_add(elapsed);
        let slewed = unslewed.saturating_add(ahead(unslewed).clamp(-most, most));

        let earned = i64::try_from(i128::from(elapsed) * ALLOWED_DAYS / ALLOWED_PER_DAYS).unwrap_or(i64::MAX);
        let allowance = self.allowance.saturating_add(earned).min(MAX_ALLOWANCE);
        let behind = ahead(slewed).max(0);
        let owed = if same_boot { self.owed.min(behind) } else { behind };
        let caught_up = owed.min(allowance);
        Self {
            time: slewed.saturating_add(caught_up),
            boottime: moment.boottime,
            boot: moment.boot,
            allowance: allowance - caught_up,
            owed: owed - caught_up,
        }
    }

    /// The same moment with the clock at `time`, if it isn't there yet: down-time that this makes good is owed no more.
    #[must_use]
    pub fn gone_on_to(self, time: i64) -> Self {
        let gone = time.saturating_sub(self.time).max(0);
        Self { time: self.time + gone, owed: self.owed.saturating_sub(gone).max(0), ..self }
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        out.i64(self.time);
        out.i64(self.boottime);
        out.u128(self.boot);
        out.i64(self.allowance);
        out.i64(self.owed);
    }

    /// `None` where the clock had not begun.
    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let read = Self {
            time: from.i64()?,
            boottime: from.i64()?,
            boot: from.u128()?,
            allowance: from.i64()?,
            owed: from.i64()?,
        };
        if read.time == 0 {
            return Ok(None);
        }
        if read.time < 0 || read.boottime < 0 || read.owed < 0 || !(0..=MAX_ALLOWANCE).contains(&read.allowance) {
            return Err(DecodeError::Inconsistent("a reading of the compliance clock that can't be"));
        }
        Ok(Some(read))
    }
}
