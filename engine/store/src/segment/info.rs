//! What is known of a segment without opening it; stands in `StreamOpen`, `Sealed` and live-set entries.

use crate::checksum::Hash;
use crate::codec::{DecodeError, Reader, Writer};
use crate::drive::DriveNumber;
use crate::pool::{Pool, Profile};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SegmentKind {
    Packed = 1,
    Stream = 2,
    /// A state of the index, laid out as a stream; no record stands in it.
    Checkpoint = 3,
}

impl SegmentKind {
    /// Whether its bytes lie in stripes across the shards.
    #[must_use]
    pub fn is_striped(self) -> bool {
        self != Self::Packed
    }
}

/// The table of contents: entries in LSN order, compressed with zstd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Toc {
    /// In the payload (packed) or the row it begins at (stream).
    pub offset: u64,
    /// Bytes as stored; 0 while a stream is open.
    pub length: u64,
    pub raw_length: u64,
    pub entries: u32,
    /// 128 bits of BLAKE3 over the stored bytes.
    pub digest: Hash,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    pub id: u64,
    pub kind: SegmentKind,
    /// Whether a stream may still be written; packed segments are born sealed.
    pub sealed: bool,
    pub pool: u8,
    pub profile: Profile,
    /// The drive of each shard, [`crate::drive::NO_DRIVE`] where there is none.
    pub drives: Vec<DriveNumber>,
    /// Bytes of each shard, without its header and block table: whole blocks.
    pub shard_length: u64,
    /// Bytes of records in it (packed), or what its stripes have room for (stream).
    pub payload: u64,
    pub toc: Toc,
    /// Of the entries in its TOC.
    pub first_lsn: u64,
    pub last_lsn: u64,
    /// The LSN of its `Sealed` entry; 0 before.
    pub sealed_lsn: u64,
    /// The newest LSN when compaction began to read `sources`: later kills may name a source and mean a record here.
    pub begun_lsn: u64,
    /// The segments that compaction made it from.
    pub sources: Vec<u64>,
}

impl SegmentInfo {
    /// A segment that has an id and drives, and nothing in it.
    #[must_use]
    pub fn new(id: u64, kind: SegmentKind, pool: &Pool, drives: Vec<DriveNumber>) -> Self {
        Self {
            id,
            kind,
            sealed: false,
            pool: pool.number,
            profile: pool.profile,
            drives,
            shard_length: 0,
            payload: 0,
            toc: Toc::default(),
            first_lsn: 0,
            last_lsn: 0,
            sealed_lsn: 0,
            begun_lsn: 0,
            sources: Vec::new(),
        }
    }

    /// Bytes that an encoded one takes at least.
    pub const LEAST: usize = 110;

    pub fn encode(&self, out: &mut Writer) {
        out.u64(self.id);
        out.u8(self.kind as u8);
        out.u8(u8::from(self.sealed));
        out.u8(self.pool);
        out.u8(self.profile.data);
        out.u8(self.profile.parity);
        out.u64(self.shard_length);
        out.u64(self.payload);
        out.u64(self.toc.offset);
        out.u64(self.toc.length);
        out.u64(self.toc.raw_length);
        out.u32(self.toc.entries);
        out.bytes(&self.toc.digest);
        out.u64(self.first_lsn);
        out.u64(self.last_lsn);
        out.u64(self.sealed_lsn);
        out.u64(self.begun_lsn);
        out.u16(u16::try_from(self.drives.len()).unwrap_or(u16::MAX));
        for drive in &self.drives {
            out.u16(*drive);
        }
        out.u32(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        for source in &self.sources {
            out.u64(*source);
        }
    }

    /// # Errors
    /// Bytes that describe no segment.
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut info = Self {
            id: from.u64()?,
            kind: match from.u8()? {
                1 => SegmentKind::Packed,
                2 => SegmentKind::Stream,
                3 => SegmentKind::Checkpoint,
                other => return Err(DecodeError::Unknown("segment kind", other)),
            },
            sealed: from.u8()? != 0,
            pool: from.u8()?,
            profile: Profile { data: from.u8()?, parity: from.u8()? },
            shard_length: from.u64()?,
            payload: from.u64()?,
            toc: Toc {
                offset: from.u64()?,
                length: from.u64()?,
                raw_length: from.u64()?,
                entries: from.u32()?,
                digest: from.array()?,
            },
            first_lsn: from.u64()?,
            last_lsn: from.u64()?,
            sealed_lsn: from.u64()?,
            begun_lsn: from.u64()?,
            drives: Vec::new(),
            sources: Vec::new(),
        };
        for _ in 0..from.u16()? {
            info.drives.push(from.u16()?);
        }
        for _ in 0..from.count(8)? {
            info.sources.push(from.u64()?);
        }
        if info.profile.data == 0 || info.drives.len() != info.profile.shards() {
            return Err(DecodeError::Inconsistent("a segment whose drives do not fit its profile"));
        }
        Ok(info)
    }

    /// Payload and TOC together, in bytes.
    #[must_use]
    pub fn content(&self) -> u64 {
        self.payload.saturating_add(self.toc.length)
    }
}
