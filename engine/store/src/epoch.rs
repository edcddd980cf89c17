//! Epochs: generations of the journal and of the live set.
//!
//! Every start and every fence begins one: it goes to the superblock of each drive in use, and takes effect with the first
//! batch of its first journal file. Its number is the next after the newest that is seen. A drive that is not there then
//! may have been given that number already, by a start or a fence that a crash cut off, so each epoch has a nonce too, and
//! is the same as another only if both agree.

use std::{fmt, io};

use crate::codec::{DecodeError, Reader, Writer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch {
    /// Counts up along the epochs that took effect; 0 before the first start.
    pub number: u64,
    /// Drawn at random; 0 in what formats of version 1 wrote, and before the first start.
    pub nonce: u64,
}

impl Epoch {
    /// An epoch that nobody ever began, with the number after `number`.
    ///
    /// # Errors
    /// The machine has no random numbers to give.
    pub fn after(number: u64) -> io::Result<Self> {
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { number: number + 1, nonce: u64::from_le_bytes(nonce).max(1) })
    }

    pub fn encode(self, out: &mut Writer) {
        out.u64(self.number);
        out.u64(self.nonce);
    }

    /// # Errors
    /// [`DecodeError::Short`].
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { number: from.u64()?, nonce: from.u64()? })
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:016x})", self.number, self.nonce)
    }
}

/// Batches of `epoch` above `lsn` are void for ever. An epoch that never took effect ends at LSN 0: all of it is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence {
    pub epoch: Epoch,
    pub lsn: u64,
}

impl Fence {
    #[must_use]
    pub fn voids(&self, epoch: Epoch, first_lsn: u64) -> bool {
        self.epoch == epoch && first_lsn > self.lsn
    }
}
