//! Batches: what one commit writes, whole or not at all.
//!
//! A batch is a header of [`HEADER`] bytes, the encoded entries, the records' bytes, and zeros up to a whole block.
//! Every checksum is seeded by the file's [`FileKey`]. `chain` is BLAKE3 over the previous chain and this batch's header and
//! entries; entries hold the hashes of their records, so the chain covers every byte that was ever acknowledged.

use super::{Entry, Logged};
use crate::checksum::{BLOCK, block_align, seeded_crc64};
use crate::codec::{DecodeError, Reader, Writer};
use crate::epoch::Epoch;

/// Names a journal file and seeds its checksums.
///
/// A sealed journal's blocks come back in later files, and clients chose what the records in them hold. The seed depends
/// on the appliance's id, which no client knows, so nobody can store bytes that pass for a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileKey {
    pub file: u64,
    pub seed: u64,
}

impl FileKey {
    #[must_use]
    pub fn new(appliance: u128, file: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&appliance.to_le_bytes()).update(&file.to_le_bytes());
        let hash = hasher.finalize();
        let seed = hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Self { file, seed }
    }
}

/// BLAKE3 over everything journalled so far.
pub type Chain = [u8; 32];

pub const HEADER: usize = 128;
const MAGIC: u32 = u32::from_le_bytes(*b"PKSB");
const VERSION: u16 = 3;
/// No batch has more bytes of records.
const MOST_DATA: u64 = 1 << 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The file that it was written to; its seed is not encoded.
    pub key: FileKey,
    pub epoch: Epoch,
    pub first_lsn: u64,
    pub entries: u32,
    /// Bytes of encoded entries.
    pub meta_length: u32,
    /// Bytes of records behind them.
    pub data_length: u64,
    /// Where these bytes begin in the payload of the segment that the file becomes.
    pub data_offset: u64,
    /// When it was committed, Unix nanoseconds.
    pub time: i64,
    /// The chain before this batch.
    pub previous: Chain,
    pub meta_crc: u64,
    pub data_crc: u64,
}

impl BatchHeader {
    /// Bytes from the start of the batch to its records.
    #[must_use]
    pub fn data_start(&self) -> u64 {
        HEADER as u64 + u64::from(self.meta_length)
    }

    /// Bytes on the drive, padding included.
    #[must_use]
    pub fn length(&self) -> u64 {
        block_align(self.data_start().saturating_add(self.data_length))
    }

    #[must_use]
    pub fn last_lsn(&self) -> u64 {
        self.first_lsn + u64::from(self.entries) - 1
    }

    /// # Errors
    /// Bytes that are no header of a batch of that file.
    pub fn decode(block: &[u8], key: FileKey) -> Result<Self, DecodeError> {
        let header = block.get(..HEADER).ok_or(DecodeError::Short)?;
        let (covered, crc) = header.split_at(HEADER - 8);
        let mut from = Reader(header);
        if from.u32()? != MAGIC {
            return Err(DecodeError::Magic("batch"));
        }
        let version = from.u16()?;
        from.u16()?;
        if Reader(crc).u64()? != seeded_crc64(key.seed, &[covered]) {
            return Err(DecodeError::Checksum);
        }
        if version > VERSION {
            return Err(DecodeError::Newer("the journal", version));
        }
        let file = from.u64()?;
        let mut header = Self {
            key,
            epoch: Epoch { number: from.u64()?, nonce: 0 },
            first_lsn: from.u64()?,
            entries: from.u32()?,
            meta_length: from.u32()?,
            data_length: from.u64()?,
            data_offset: from.u64()?,
            time: from.i64()?,
            previous: from.array()?,
            meta_crc: from.u64()?,
            data_crc: from.u64()?,
        };
        // Zeros in version 1.
        header.epoch.nonce = from.u64()?;
        if file != key.file || header.entries == 0 {
            return Err(DecodeError::Inconsistent("a batch of another file, or empty"));
        }
        if header.data_length > MOST_DATA || header.first_lsn > u64::MAX / 2 {
            return Err(DecodeError::Inconsistent("a batch larger than any"));
        }
        Ok(header)
    }

    /// Checks and decodes the entries.
    ///
    /// # Errors
    /// A checksum that does not match, or entries that can't be read.
    pub fn entries(&self, meta: &[u8]) -> Result<Vec<Logged>, DecodeError> {
        if seeded_crc64(self.key.seed, &[meta]) != self.meta_crc {
            return Err(DecodeError::Checksum);
        }
        let mut from = Reader(meta);
        (0..u64::from(self.entries))
            .map(|at| Ok(Logged { lsn: self.first_lsn + at, entry: Entry::decode(&mut from)? }))
            .collect()
    }

    /// # Errors
    /// [`DecodeError::Checksum`] where the records' bytes are not what was written.
    pub fn check_data(&self, data: &[u8]) -> Result<(), DecodeError> {
        if seeded_crc64(self.key.seed, &[data]) == self.data_crc { Ok(()) } else { Err(DecodeError::Checksum) }
    }
}

/// A batch ready to be written.
#[derive(Debug)]
pub struct Batch {
    pub header: BatchHeader,
    pub bytes: Vec<u8>,
    /// The chain with this batch.
    pub chain: Chain,
}

/// Where a batch goes and what it follows.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    pub key: FileKey,
    pub epoch: Epoch,
    pub first_lsn: u64,
    pub data_offset: u64,
    pub time: i64,
    pub previous: Chain,
}

impl Batch {
    /// Lays out `entries` and the records' bytes `data` as one batch.
    #[must_use]
    pub fn build(at: Position, entries: &[Entry], data: &[impl AsRef<[u8]>]) -> Self {
        let data_length: usize = data.iter().map(|piece| piece.as_ref().len()).sum();
        let mut out = Writer::with_capacity(HEADER + entries.len() * 512 + data_length + BLOCK);
        out.0.resize(HEADER, 0);
        for entry in entries {
            entry.encode(&mut out);
        }
        let meta_length = out.len() - HEADER;
        for piece in data {
            out.bytes(piece.as_ref());
        }
        let mut bytes = out.0;
        let (meta, records) = bytes.get(HEADER..).unwrap_or_default().split_at(meta_length);
        let mut header = BatchHeader {
            key: at.key,
            epoch: at.epoch,
            first_lsn: at.first_lsn,
            entries: u32::try_from(entries.len()).unwrap_or(u32::MAX),
            meta_length: u32::try_from(meta_length).unwrap_or(u32::MAX),
            data_length: data_length as u64,
            data_offset: at.data_offset,
            time: at.time,
            previous: at.previous,
            meta_crc: 0,
            data_crc: 0,
        };
        header.meta_crc = seeded_crc64(at.key.seed, &[meta]);
        header.data_crc = seeded_crc64(at.key.seed, &[records]);
        let encoded = encode_header(&header);
        let chain = advance(&at.previous, &encoded, meta);
        if let Some(slot) = bytes.get_mut(..HEADER) {
            slot.copy_from_slice(&encoded);
        }
        bytes.resize(usize::try_from(header.length()).unwrap_or(bytes.len()), 0);
        Self { header, bytes, chain }
    }
}

fn encode_header(header: &BatchHeader) -> [u8; HEADER] {
    let mut out = Writer::with_capacity(HEADER);
    out.u32(MAGIC);
    out.u16(VERSION);
    out.u16(0);
    out.u64(header.key.file);
    out.u64(header.epoch.number);
    out.u64(header.first_lsn);
    out.u32(header.entries);
    out.u32(header.meta_length);
    out.u64(header.data_length);
    out.u64(header.data_offset);
    out.i64(header.time);
    out.bytes(&header.previous);
    out.u64(header.meta_crc);
    out.u64(header.data_crc);
    out.u64(header.epoch.nonce);
    let crc = seeded_crc64(header.key.seed, &[&out.0]);
    out.u64(crc);
    out.0.try_into().unwrap_or([0; HEADER])
}

fn advance(previous: &Chain, header: &[u8], meta: &[u8]) -> Chain {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous).update(header).update(meta);
    *hasher.finalize().as_bytes()
}

/// The chain with a batch read back: `block` starts with its header.
#[must_use]
pub fn chain_of(header: &BatchHeader, block: &[u8], meta: &[u8]) -> Chain {
    advance(&header.previous, block.get(..HEADER).unwrap_or_default(), meta)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
