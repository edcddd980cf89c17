//! The checksums of the single parts that an upload made an object of.

use bytes::Bytes;

use super::{Checksum, ChecksumAlgorithm, ChecksumKind};
use crate::codec::DecodeError;

/// One for each part, in the order in which the parts make the object, all by one algorithm.
///
/// 10,000 of them outgrow what attributes may take, so they stand with a record as its extents do: at the end of its
/// entry, and apart from its row where the extents are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartChecksums {
    algorithm: ChecksumAlgorithm,
    /// The raw digests, end to end.
    digests: Bytes,
}

impl PartChecksums {
    /// The most bytes that one takes.
    pub const MOST: usize = 32;

    /// The checksums of parts by `algorithm`; `None` where a part has none, or another one.
    #[must_use]
    pub fn of<'p>(algorithm: ChecksumAlgorithm, parts: impl IntoIterator<Item = Option<&'p Checksum>>) -> Option<Self> {
        let mut digests = Vec::new();
        for checksum in parts {
            let Checksum { algorithm: by, value, .. } = checksum?;
            if *by != algorithm || value.len() != algorithm.length() {
                return None;
            }
            digests.extend_from_slice(value);
        }
        Some(Self { algorithm, digests: digests.into() })
    }

    /// The checksum of the part at a place, from 0.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<Checksum> {
        let length = self.algorithm.length();
        let value = self.digests.chunks_exact(length).nth(place)?.to_vec();
        Some(Checksum { algorithm: self.algorithm, kind: ChecksumKind::FullObject, value })
    }

    /// As a record holds them.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        [&[self.algorithm as u8], self.digests.as_ref()].concat().into()
    }

    /// What a record holds; `None` for a record without any.
    ///
    /// # Errors
    /// An algorithm that only a newer release knows, or digests that are cut short.
    pub fn decode(bytes: &Bytes) -> Result<Option<Self>, DecodeError> {
        let Some(algorithm) = bytes.first() else { return Ok(None) };
        let algorithm = ChecksumAlgorithm::try_from(*algorithm)?;
        let digests = bytes.slice(1..);
        match digests.len() % algorithm.length() {
            0 => Ok(Some(Self { algorithm, digests })),
            _ => Err(DecodeError::Short),
        }
    }
}

#[cfg(test)]
mod tests;
