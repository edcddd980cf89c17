//! What a checkpoint says of itself: which entries it stands for, and what opening it must give.

use crate::checksum::Hash;
use crate::codec::{DecodeError, Reader, Writer};

/// A release that has other key spaces, or other rows in them, has another version.
const VERSION: u16 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The LSN of the last entry that the index had seen.
    pub mark: u64,
    /// When it was taken, Unix nanoseconds.
    pub taken: i64,
    /// The checkpoint that this one changes; 0 where it is whole by itself.
    pub base: u64,
    /// Bytes of its frames.
    pub length: u64,
    /// Pairs that opening it gives, with its base.
    pub pairs: u64,
    /// Over all of these, in order.
    pub digest: Hash,
    /// The files whose entries up to the mark it stands for, ascending.
    pub files: Vec<u64>,
}

impl Manifest {
    pub fn encode(&self, out: &mut Writer) {
        out.u16(VERSION);
        out.u64(self.mark);
        out.i64(self.taken);
        out.u64(self.base);
        out.u64(self.length);
        out.u64(self.pairs);
        out.bytes(&self.digest);
        out.u32(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        for file in &self.files {
            out.u64(*file);
        }
    }

    /// # Errors
    /// Bytes that are no manifest, or one of a newer release.
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = from.u16()?;
        if version > VERSION {
            return Err(DecodeError::Newer("a checkpoint", version));
        }
        let mut manifest = Self {
            mark: from.u64()?,
            taken: from.i64()?,
            base: from.u64()?,
            length: from.u64()?,
            pairs: from.u64()?,
            digest: from.array()?,
            files: Vec::new(),
        };
        for _ in 0..from.count(8)? {
            manifest.files.push(from.u64()?);
        }
        if !manifest.files.is_sorted() {
            return Err(DecodeError::Inconsistent("a checkpoint whose files are in no order"));
        }
        Ok(manifest)
    }
}
