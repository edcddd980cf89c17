//! Which version of a key: an id that the commit loop mints and no client can guess ahead.

use std::fmt;
use std::str::FromStr;

/// The null version, or the record's id above 64 bits that only its appliance can make of it: so a version is found by
/// its id without a search, and an id that was made up names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct VersionId(pub u128);

impl VersionId {
    /// What is written while versioning is not enabled; a key has one at most.
    pub const NULL: Self = Self(0);

    /// The id of a version that the entry `record` brings.
    #[must_use]
    pub fn mint(appliance: u128, record: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&appliance.to_le_bytes());
        hasher.update(&record.to_le_bytes());
        let low = hasher.finalize().as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Self(u128::from(record) << 64 | u128::from(low))
    }

    #[must_use]
    pub fn is_null(self) -> bool {
        self == Self::NULL
    }

    /// The record that it names; 0 for the null version, which names none.
    #[must_use]
    pub fn record(self) -> u64 {
        u64::try_from(self.0 >> 64).unwrap_or(0)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_null() { f.write_str("null") } else { write!(f, "{:032x}", self.0) }
    }
}

/// Text that no version has as its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a version")]
pub struct NoVersionId;

impl FromStr for VersionId {
    type Err = NoVersionId;

    fn from_str(text: &str) -> Result<Self, NoVersionId> {
        if text == "null" {
            return Ok(Self::NULL);
        }
        let digits = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let id = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().ok_or(NoVersionId)?;
        // The null version has one name alone.
        if id == 0 { Err(NoVersionId) } else { Ok(Self(id)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_its_text_and_back() {
        for id in [VersionId::NULL, VersionId::mint(7, 1), VersionId::mint(7, u64::MAX)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(VersionId::NULL.to_string(), "null");
        assert_eq!(VersionId::mint(7, 12).record(), 12);
    }

    #[test]
    fn appliances_make_different_ids() {
        assert_ne!(VersionId::mint(7, 12), VersionId::mint(8, 12));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "NULL", "0", &"0".repeat(32), &"F".repeat(32), &"1".repeat(31), &"1".repeat(33)] {
            assert_eq!(text.parse::<VersionId>(), Err(NoVersionId), "{text}");
        }
    }
}
