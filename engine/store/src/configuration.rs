//! Documents of a bucket that the engine reads itself: whether it keeps versions, and whether they are locked.
//!
//! Versioning was never enabled where no document says so, and never is so again. Once object lock is on it stays on,
//! and versioning with it.

use crate::codec::{DecodeError, Reader, Writer};
use crate::error::{Error, Result};
use crate::quota::{MAX_OWNER, OWNER, QUOTA, Quota};
use crate::retention::{DefaultRetention, Mode, Period};

/// The kind of the document that holds [`Versioning`]; its name is empty.
pub const VERSIONING: &str = "versioning";
/// The kind of the document that holds [`ObjectLock`]; its name is empty.
pub const OBJECT_LOCK: &str = "object-lock";

/// The most bytes of one document.
pub const MAX_DOCUMENT: usize = 1 << 20;
/// The most documents of one bucket: it ends by one entry that names all.
pub const MAX_DOCUMENTS: usize = 4096;
/// The most bytes that the documents of one bucket have together: they are held in memory.
pub const MAX_DOCUMENT_BYTES: usize = 8 << 20;
/// The longest kind and the longest name, in bytes.
const MAX_KIND: usize = 64;
const MAX_NAME: usize = 1024;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versioning {
    /// It never was enabled: a key has one version, the null version.
    #[default]
    Never,
    Enabled,
    Suspended,
}

impl Versioning {
    /// As a document; `None` for what none says.
    #[must_use]
    pub fn encode(self) -> Option<Vec<u8>> {
        match self {
            Self::Never => None,
            Self::Enabled => Some(vec![1]),
            Self::Suspended => Some(vec![2]),
        }
    }

    /// # Errors
    /// A value that is no such document.
    pub fn decode(value: &[u8]) -> Result<Self> {
        match value {
            [1] => Ok(Self::Enabled),
            [2] => Ok(Self::Suspended),
            _ => Err(Error::InvalidDocument("it says neither enabled nor suspended")),
        }
    }
}

/// That a bucket's versions may be locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectLock {
    /// What a version gets that comes without a retention of its own.
    pub default: Option<DefaultRetention>,
}

impl ObjectLock {
    /// As a document.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut out = Writer::default();
        match self.default {
            None => out.u8(0),
            Some(DefaultRetention { mode, period }) => {
                let (unit, count) = match period {
                    Period::Days(days) => (1, days),
                    Period::Years(years) => (2, years),
                };
                out.u8(mode as u8);
                out.u8(unit);
                out.u32(count);
            }
        }
        out.0
    }

    /// # Errors
    /// A value that is no such document.
    pub fn decode(value: &[u8]) -> Result<Self> {
        let mut from = Reader(value);
        let mut read = || -> Result<Self, DecodeError> {
            let mode = from.u8()?;
            if mode == 0 {
                return Ok(Self { default: None });
            }
            let (mode, unit, count) = (Mode::try_from(mode)?, from.u8()?, from.u32()?);
            let period = match unit {
                1 => Period::Days(count),
                2 => Period::Years(count),
                other => return Err(DecodeError::Unknown("period", other)),
            };
            Ok(Self { default: Some(DefaultRetention { mode, period }) })
        };
        let lock = read().map_err(|_| Error::InvalidDocument("it is no object lock"))?;
        if !from.is_empty()
            || lock.default.is_some_and(|default| matches!(default.period, Period::Days(0) | Period::Years(0)))
        {
            return Err(Error::InvalidDocument("it is no object lock"));
        }
        Ok(lock)
    }
}

/// Whether a document can stand under that kind and name.
///
/// # Errors
/// [`Error::InvalidDocument`].
pub fn check_document(kind: &str, name: &str, value: Option<&[u8]>) -> Result<()> {
    if kind.is_empty() || kind.len() > MAX_KIND || kind.contains('\0') {
        return Err(Error::InvalidDocument("its kind has 1 to 64 bytes and no NUL"));
    }
    if name.len() > MAX_NAME {
        return Err(Error::InvalidDocument("its name is longer than 1024 bytes"));
    }
    if value.is_some_and(|value| value.len() > MAX_DOCUMENT) {
        return Err(Error::InvalidDocument("it is larger than 1 MiB"));
    }
    Ok(())
}

/// What a bucket's versioning, lock and quota are, as its documents say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub versioning: Versioning,
    pub lock: Option<ObjectLock>,
    pub quota: Option<Quota>,
}

impl Rules {
    /// The rules once a document stands in the bucket, or none does.
    ///
    /// # Errors
    /// [`Error::InvalidDocument`], or [`Error::InvalidBucketState`] for a change that must not be.
    pub fn changed(self, kind: &str, name: &str, value: Option<&[u8]>) -> Result<Self> {
        let refused = |why| Err(Error::InvalidBucketState(why));
        match (kind, value) {
            (VERSIONING | OBJECT_LOCK | QUOTA | OWNER, _) if !name.is_empty() => {
                Err(Error::InvalidDocument("it has a name"))
            }
            (VERSIONING, None) => refused("versioning can be suspended, not taken off"),
            (VERSIONING, Some(value)) => {
                let versioning = Versioning::decode(value)?;
                if versioning == Versioning::Suspended && self.lock.is_some() {
                    return refused("versioning can't be suspended where object lock is on");
                }
                Ok(Self { versioning, ..self })
            }
            (OBJECT_LOCK, None) => refused("object lock can't be taken off"),
            (OBJECT_LOCK, Some(_)) if self.versioning != Versioning::Enabled => {
                refused("object lock needs versioning to be enabled")
            }
            (OBJECT_LOCK, Some(value)) => Ok(Self { lock: Some(ObjectLock::decode(value)?), ..self }),
            (QUOTA, value) => Ok(Self { quota: value.map(Quota::decode).transpose()?, ..self }),
            (OWNER, Some(value)) => check_owner(value).map(|_| self),
            _ => Ok(self),
        }
    }
}

/// Whose a bucket is, or who has a quota.
///
/// # Errors
/// [`Error::InvalidDocument`] for what is no name.
pub fn check_owner(value: &[u8]) -> Result<&str> {
    let name = std::str::from_utf8(value).ok().filter(|name| (1..=MAX_OWNER).contains(&name.len()));
    name.ok_or(Error::InvalidDocument("it names no owner"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for versioning in [Versioning::Enabled, Versioning::Suspended] {
            assert_eq!(Versioning::decode(&versioning.encode().unwrap()).unwrap(), versioning);
        }
        for period in [Period::Days(30), Period::Years(7)] {
            let lock = ObjectLock { default: Some(DefaultRetention { mode: Mode::Compliance, period }) };
            assert_eq!(ObjectLock::decode(&lock.encode()).unwrap(), lock);
        }
        assert_eq!(ObjectLock::decode(&ObjectLock::default().encode()).unwrap(), ObjectLock::default());
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&b""[..], b"\x03", b"\x01\x01"] {
            assert!(Versioning::decode(bytes).is_err() && ObjectLock::decode(bytes).is_err(), "{bytes:?}");
        }
        assert!(ObjectLock::decode(&[1, 1, 0, 0, 0, 0]).is_err(), "no days at all");
        assert!(ObjectLock::decode(&[0, 0]).is_err(), "something behind it");
    }

    #[test]
    fn a_lock_stays_and_versioning_with_it() {
        let (enabled, suspended) = (Versioning::Enabled.encode(), Versioning::Suspended.encode());
        let lock = ObjectLock::default().encode();
        let never = Rules::default();
        assert!(never.changed(OBJECT_LOCK, "", Some(&lock)).is_err());
        let kept = never.changed(VERSIONING, "", enabled.as_deref()).unwrap();
        assert!(kept.changed(VERSIONING, "", suspended.as_deref()).is_ok());
        assert!(kept.changed(VERSIONING, "", None).is_err());
        let locked = kept.changed(OBJECT_LOCK, "", Some(&lock)).unwrap();
        assert!(locked.changed(VERSIONING, "", suspended.as_deref()).is_err());
        assert!(locked.changed(OBJECT_LOCK, "", None).is_err());
        assert_eq!(locked.changed("policy", "", None).unwrap(), locked);
    }
}
