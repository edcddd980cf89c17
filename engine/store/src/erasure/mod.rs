//! The erasure code: parity for shards, and lost shards from the others, byte range by byte range.
//!
//! Reed–Solomon over GF(2^8) works on each byte position alone, so any range of a shard can be rebuilt from the same
//! range of `data` others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use reed_solomon_erasure::galois_8::ReedSolomon;

use crate::pool::Profile;

#[derive(Debug, thiserror::Error)]
#[error("erasure code: {0}")]
pub struct ErasureError(String);

impl From<reed_solomon_erasure::Error> for ErasureError {
    fn from(error: reed_solomon_erasure::Error) -> Self {
        Self(error.to_string())
    }
}

/// The code of one profile. Making one inverts a matrix, so they are kept: see [`Codes`].
#[derive(Debug)]
pub struct Code {
    profile: Profile,
    /// `None` at parity 0, which has nothing to compute.
    matrix: Option<ReedSolomon>,
}

impl Code {
    /// # Errors
    /// A profile that the code can't serve (no data shards, or more than 256 in all).
    pub fn new(profile: Profile) -> Result<Self, ErasureError> {
        let matrix = match profile.parity {
            0 => None,
            parity => Some(ReedSolomon::new(usize::from(profile.data), usize::from(parity))?),
        };
        Ok(Self { profile, matrix })
    }

    /// Fills `parity` from `data`: all slices of one length, `data` of them and `parity` of them.
    ///
    /// # Errors
    /// Slices of other numbers or lengths.
    pub fn encode(&self, data: &[&[u8]], parity: &mut [impl AsRef<[u8]> + AsMut<[u8]>]) -> Result<(), ErasureError> {
        match &self.matrix {
            Some(matrix) => Ok(matrix.encode_sep(data, parity)?),
            None => Ok(()),
        }
    }

    /// Fills in the data shards that are `None` from whatever else is there.
    ///
    /// # Errors
    /// Fewer than `data` shards present.
    pub fn reconstruct_data(&self, shards: &mut [Option<Vec<u8>>]) -> Result<(), ErasureError> {
        match &self.matrix {
            Some(matrix) => Ok(matrix.reconstruct_data(shards)?),
            None if shards.iter().all(Option::is_some) => Ok(()),
            None => Err(ErasureError(format!("profile {} can't rebuild a shard", self.profile))),
        }
    }

    /// As [`Self::reconstruct_data`], parity shards too.
    ///
    /// # Errors
    /// Fewer than `data` shards present.
    pub fn reconstruct(&self, shards: &mut [Option<Vec<u8>>]) -> Result<(), ErasureError> {
        match &self.matrix {
            Some(matrix) => Ok(matrix.reconstruct(shards)?),
            None => self.reconstruct_data(shards),
        }
    }
}

/// The codes in use, one a profile.
#[derive(Debug, Default)]
pub struct Codes(Mutex<HashMap<Profile, Arc<Code>>>);

impl Codes {
    /// # Errors
    /// As [`Code::new`].
    pub fn of(&self, profile: Profile) -> Result<Arc<Code>, ErasureError> {
        let mut held = self.0.lock();
        if let Some(code) = held.get(&profile) {
            return Ok(code.clone());
        }
        let code = Arc::new(Code::new(profile)?);
        held.insert(profile, code.clone());
        Ok(code)
    }
}

#[cfg(test)]
mod tests;
