//! The WORM ledger: who loosened what held a version, and who had the compliance clock go on.
//!
//! An event is a document of the node, made by the commit loop in the batch that does what it tells of: neither is there
//! without the other. No verb changes or removes one, so each is carried for as long as the appliance lives.

use crate::codec::{DecodeError, Reader, Writer};
use crate::retention::Retention;
use crate::version::VersionId;

/// The kind of the documents that hold [`Event`]s, named by their LSN in 16 hexadecimal digits.
pub(crate) const EVENT: &str = "worm-event";
/// The kind of the documents that hold the standing [`Approval`] of an administrator, by whose user id they are named.
pub(crate) const APPROVAL: &str = "clock-approval";

const VERSION: u8 = 1;

/// How long an approval stands, by the compliance clock, in seconds.
pub const APPROVAL_STANDS: i64 = 7 * 86_400;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who did it, as grants name who asks.
    pub actor: String,
    /// Commit time, Unix nanoseconds.
    pub at: i64,
    /// The compliance clock's time, Unix seconds.
    pub compliance: i64,
    pub deed: Deed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Ended a version that GOVERNANCE held.
    Ended { held: Held, retention: Retention },
    /// Took off the retention of a version that GOVERNANCE held, or changed it to one that holds less.
    Loosened { held: Held, from: Retention, to: Option<Retention> },
    /// Took a legal hold off.
    Released { held: Held },
    /// Approved that the compliance clock go on to a time, Unix nanoseconds; `second` where another administrator had
    /// approved the same, so that it goes on next.
    Approved { time: i64, second: bool },
}

/// A version that was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub bucket: String,
    pub key: String,
    pub version: VersionId,
}

/// That an administrator would have the compliance clock go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Approval {
    /// To when, Unix nanoseconds.
    pub time: i64,
    /// When it was given by the compliance clock, Unix seconds.
    pub given: i64,
}

impl Approval {
    pub fn encode(self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(VERSION);
        out.i64(self.time);
        out.i64(self.given);
        out.0
    }

    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader(value);
        expect_version(&mut from)?;
        Ok(Self { time: from.i64()?, given: from.i64()? })
    }

    /// Whether it is for that time, and stands at `now`, Unix seconds of the compliance clock.
    pub fn stands_for(self, time: i64, now: i64) -> bool {
        self.time == time && now - self.given < APPROVAL_STANDS
    }
}

const ENDED: u8 = 1;
const LOOSENED: u8 = 2;
const RELEASED: u8 = 3;
const APPROVED: u8 = 4;

impl Event {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(VERSION);
        out.short(self.actor.as_bytes());
        out.i64(self.at);
        out.i64(self.compliance);
        match &self.deed {
            Deed::Ended { held, retention } => {
                out.u8(ENDED);
                held.encode(&mut out);
                retention.encode(&mut out);
            }
            Deed::Loosened { held, from, to } => {
                out.u8(LOOSENED);
                held.encode(&mut out);
                from.encode(&mut out);
                out.u8(u8::from(to.is_some()));
                to.iter().for_each(|to| to.encode(&mut out));
            }
            Deed::Released { held } => {
                out.u8(RELEASED);
                held.encode(&mut out);
            }
            Deed::Approved { time, second } => {
                out.u8(APPROVED);
                out.i64(*time);
                out.u8(u8::from(*second));
            }
        }
        out.0
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader(value);
        expect_version(&mut from)?;
        let (actor, at, compliance) = (from.short_str()?, from.i64()?, from.i64()?);
        let deed = match from.u8()? {
            ENDED => Deed::Ended { held: Held::decode(&mut from)?, retention: Retention::decode(&mut from)? },
            LOOSENED => {
                let (held, before) = (Held::decode(&mut from)?, Retention::decode(&mut from)?);
                let to = if from.u8()? == 0 { None } else { Some(Retention::decode(&mut from)?) };
                Deed::Loosened { held, from: before, to }
            }
            RELEASED => Deed::Released { held: Held::decode(&mut from)? },
            APPROVED => Deed::Approved { time: from.i64()?, second: from.u8()? != 0 },
            other => return Err(DecodeError::Unknown("WORM event", other)),
        };
        Ok(Self { actor, at, compliance, deed })
    }
}

impl Held {
    fn encode(&self, out: &mut Writer) {
        out.short(self.bucket.as_bytes());
        out.short(self.key.as_bytes());
        out.u128(self.version.0);
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { bucket: from.short_str()?, key: from.short_str()?, version: VersionId(from.u128()?) })
    }
}

fn expect_version(from: &mut Reader<'_>) -> Result<(), DecodeError> {
    match from.u8()? {
        VERSION => Ok(()),
        other => Err(DecodeError::Unknown("version of the WORM ledger", other)),
    }
}

#[cfg(test)]
mod tests;
