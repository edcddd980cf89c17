//! What holds a version: retention and legal hold. Every end of a version and every loosening of its lock passes through
//! here, whoever asks; nothing else in the engine decides it. `now` is the compliance clock's throughout.
//!
//! Extending is always allowed. COMPLIANCE ends or is shortened for nobody before its time; GOVERNANCE for who may
//! bypass it; a legal hold ends only by being taken off.

use crate::codec::{DecodeError, Reader, Writer};
use crate::error::{Error, Result};

const DAY: i64 = 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    Governance = 1,
    Compliance = 2,
}

impl TryFrom<u8> for Mode {
    type Error = DecodeError;
    fn try_from(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            1 => Ok(Self::Governance),
            2 => Ok(Self::Compliance),
            other => Err(DecodeError::Unknown("retention mode", other)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub mode: Mode,
    /// Unix seconds; from then on it holds nothing.
    pub until: i64,
}

impl Retention {
    pub(crate) fn encode(self, out: &mut Writer) {
        out.u8(self.mode as u8);
        out.i64(self.until);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { mode: Mode::try_from(from.u8()?)?, until: from.i64()? })
    }
}

/// How long a bucket's new versions are held where nothing else is said with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Days(u32),
    /// Of 365 days.
    Years(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultRetention {
    pub mode: Mode,
    pub period: Period,
}

impl DefaultRetention {
    /// The retention of a version that comes at `now`, Unix seconds.
    #[must_use]
    pub fn from(self, now: i64) -> Retention {
        let days = match self.period {
            Period::Days(days) => i64::from(days),
            Period::Years(years) => i64::from(years) * 365,
        };
        Retention { mode: self.mode, until: now.saturating_add(days * DAY) }
    }
}

/// What holds one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    pub retention: Option<Retention>,
    pub legal_hold: bool,
}

impl Lock {
    /// Whether anything is said at all, expired or not.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.retention.is_some() || self.legal_hold
    }

    /// Until when a drive that holds such a version must be kept, Unix nanoseconds: the end of the day on which its
    /// retention ends, so that superblocks change once a day at most; `i64::MAX` for a hold, 0 where nothing is said.
    #[must_use]
    pub fn retain_until(self) -> i64 {
        match self.retention {
            _ if self.legal_hold => i64::MAX,
            Some(Retention { until, .. }) => {
                until.div_euclid(DAY).saturating_add(1).saturating_mul(DAY).saturating_mul(1_000_000_000)
            }
            None => 0,
        }
    }
}

/// Whether a version with that lock may end at `now`, Unix seconds.
///
/// # Errors
/// [`Error::LegalHold`], or [`Error::Locked`].
pub fn may_end(lock: Lock, now: i64, bypass: bool) -> Result<()> {
    if lock.legal_hold {
        return Err(Error::LegalHold);
    }
    match lock.retention {
        Some(Retention { mode: Mode::Governance, .. }) if bypass => Ok(()),
        Some(Retention { until, .. }) if until > now => Err(Error::Locked { until }),
        _ => Ok(()),
    }
}

/// Whether a version's retention may change from `old` to `new` at `now`, Unix seconds.
///
/// # Errors
/// [`Error::Locked`] where that would loosen what holds, [`Error::RetentionPast`] for one that would hold nothing.
pub fn may_change(old: Option<Retention>, new: Option<Retention>, now: i64, bypass: bool) -> Result<()> {
    if new.is_some_and(|new| new.until <= now) {
        return Err(Error::RetentionPast);
    }
    let Some(old) = old.filter(|old| old.until > now) else { return Ok(()) };
    let extends = new.is_some_and(|new| new.mode == old.mode && new.until >= old.until);
    let bypassed = old.mode == Mode::Governance && bypass;
    if extends || bypassed { Ok(()) } else { Err(Error::Locked { until: old.until }) }
}

#[cfg(test)]
mod tests;
