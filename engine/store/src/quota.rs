//! Quotas: how much a bucket may hold, or all buckets of one owner together.
//!
//! What counts are the bucket's counters, which change in the batch that changes what they count: every version, and
//! none of an upload's parts before the upload is completed. What is decided in one batch sees what came before it there,
//! so writers that race can't pass a quota together. What makes nothing larger is never refused, however much there is.

use crate::codec::{DecodeError, Reader, Writer};
use crate::error::{Error, Result};

/// The kind of the document that holds a bucket's [`Quota`]; its name is empty.
pub const QUOTA: &str = "quota";
/// The kind of the document that says whose a bucket is, as the face that made it names its users; its name is empty.
pub const OWNER: &str = "owner";
/// The kind of the node's documents that hold the [`Quota`] of an owner, by whom they are named.
pub const OWNER_QUOTA: &str = "owner-quota";
/// The longest name of an owner, in bytes.
pub const MAX_OWNER: usize = 128;

/// What stands for no limit in a document.
const UNLIMITED: u64 = u64::MAX;

/// The most that there may be; `None` for any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// As the clients sent them.
    pub bytes: Option<u64>,
    pub objects: Option<u64>,
}

/// What there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub bytes: u64,
    pub objects: u64,
}

impl Usage {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(other.bytes), objects: self.objects.saturating_add(other.objects) }
    }
}

impl Quota {
    #[must_use]
    pub fn is_unlimited(self) -> bool {
        self == Self::default()
    }

    /// As a document; `None` where it limits nothing.
    #[must_use]
    pub fn encode(self) -> Option<Vec<u8>> {
        if self.is_unlimited() {
            return None;
        }
        let mut out = Writer::default();
        out.u64(self.bytes.unwrap_or(UNLIMITED));
        out.u64(self.objects.unwrap_or(UNLIMITED));
        Some(out.0)
    }

    /// # Errors
    /// A value that is no such document.
    pub fn decode(value: &[u8]) -> Result<Self> {
        let mut from = Reader(value);
        let mut read = || -> Result<Self, DecodeError> {
            let limit = |number| Some(number).filter(|number| *number != UNLIMITED);
            Ok(Self { bytes: limit(from.u64()?), objects: limit(from.u64()?) })
        };
        let quota = read().map_err(|_| Error::InvalidDocument("it is no quota"))?;
        if from.is_empty() { Ok(quota) } else { Err(Error::InvalidDocument("it is no quota")) }
    }

    /// Whether `held` may become that much more and that much less at once.
    #[must_use]
    pub fn allows(self, held: Usage, added: Usage, removed: Usage) -> bool {
        let fits = |limit: Option<u64>, held: u64, added: u64, removed: u64| {
            added <= removed || limit.is_none_or(|limit| held.saturating_add(added - removed) <= limit)
        };
        fits(self.bytes, held.bytes, added.bytes, removed.bytes)
            && fits(self.objects, held.objects, added.objects, removed.objects)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn of(bytes: u64, objects: u64) -> Usage {
        Usage { bytes, objects }
    }

    #[test]
    fn what_is_written_is_read() {
        for quota in [
            Quota { bytes: Some(0), objects: None },
            Quota { bytes: None, objects: Some(7) },
            Quota { bytes: Some(1 << 50), objects: Some(1) },
        ] {
            assert_eq!(Quota::decode(&quota.encode().unwrap()).unwrap(), quota);
        }
        assert_eq!(Quota::default().encode(), None);
        for bytes in [&[][..], &[0; 15], &[0; 17]] {
            assert!(Quota::decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn the_last_byte_fits_and_what_shrinks_always_does() {
        let quota = Quota { bytes: Some(100), objects: Some(3) };
        let none = Usage::default();
        assert!(quota.allows(of(90, 2), of(10, 1), none));
        assert!(!quota.allows(of(90, 2), of(11, 1), none));
        assert!(!quota.allows(of(0, 3), of(0, 1), none));
        assert!(quota.allows(of(90, 3), of(20, 1), of(10, 1)), "what is replaced makes room");
        assert!(!quota.allows(of(90, 3), of(21, 1), of(10, 1)));
        assert!(quota.allows(of(500, 9), of(20, 1), of(20, 1)), "over the quota, and no larger");
        assert!(!quota.allows(of(500, 9), of(21, 1), of(20, 1)));
        assert!(!quota.allows(of(u64::MAX, 0), of(u64::MAX, 0), none));
        assert!(Quota::default().allows(of(u64::MAX, 9), of(1, 1), none));
    }
}
