//! A shard file: a header block, the shard's bytes, and (packed) the CRC table of its blocks.

use std::io;

use super::{DIRECTORY, SegmentInfo, SegmentKind};
use crate::checksum::{BLOCK, block_align, block_crc, seeded_crc64};
use crate::codec::{DecodeError, Reader, Writer};
use crate::pool::Profile;

const MAGIC: &[u8; 8] = b"PKSTSHRD";
const VERSION: u16 = 1;

#[must_use]
pub fn path_of(segment: u64, shard: usize) -> String {
    format!("{DIRECTORY}/{segment:016x}.{shard:02}")
}

/// Takes a shard file's name apart.
#[must_use]
pub fn parse_name(name: &str) -> Option<(u64, usize)> {
    let (segment, shard) = name.split_once('.')?;
    Some((u64::from_str_radix(segment, 16).ok()?, shard.parse().ok()?))
}

/// The header block: who the shard is. Lengths stand in the journal, since a stream's are not known at its start.
#[must_use]
pub fn header(appliance: u128, info: &SegmentInfo, shard: usize) -> Vec<u8> {
    let mut out = Writer::with_capacity(BLOCK);
    out.bytes(MAGIC);
    out.u16(VERSION);
    out.u128(appliance);
    out.u64(info.id);
    out.u8(info.kind as u8);
    out.u8(info.profile.data);
    out.u8(info.profile.parity);
    out.u8(u8::try_from(shard).unwrap_or(u8::MAX));
    out.0.resize(BLOCK - 8, 0);
    let crc = seeded_crc64(info.id, &[&out.0]);
    out.u64(crc);
    out.0
}

/// What the shards of one segment have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub appliance: u128,
    pub segment: u64,
    pub kind: SegmentKind,
    pub profile: Profile,
}

impl Origin {
    #[must_use]
    pub fn of(appliance: u128, info: &SegmentInfo) -> Self {
        Self { appliance, segment: info.id, kind: info.kind, profile: info.profile }
    }
}

/// # Errors
/// A block that is not the header of that shard of that segment.
pub fn check_header(block: &[u8], origin: &Origin, shard: usize) -> Result<(), DecodeError> {
    let covered = block.get(..BLOCK - 8).ok_or(DecodeError::Short)?;
    let mut from = Reader(block);
    if from.array()? != *MAGIC {
        return Err(DecodeError::Magic("shard"));
    }
    let version = from.u16()?;
    if Reader(block.get(BLOCK - 8..).unwrap_or_default()).u64()? != seeded_crc64(origin.segment, &[covered]) {
        return Err(DecodeError::Checksum);
    }
    if version > VERSION {
        return Err(DecodeError::Newer("a shard", version));
    }
    let whose = (from.u128()?, from.u64()?, from.u8()?, from.u8()?, from.u8()?, from.u8()?);
    let expected = (
        origin.appliance,
        origin.segment,
        origin.kind as u8,
        origin.profile.data,
        origin.profile.parity,
        u8::try_from(shard).unwrap_or(u8::MAX),
    );
    if whose == expected { Ok(()) } else { Err(DecodeError::Inconsistent("a shard of another segment")) }
}

/// How bytes of a shard's file are had: fills the buffer from the offset.
pub type ReadAt<'a> = dyn FnMut(u64, &mut [u8]) -> io::Result<()> + 'a;

/// Where some whole blocks of a shard and their CRCs stand in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// First byte in the file.
    pub offset: u64,
    pub length: u64,
    /// First byte of the first block's CRC.
    pub table: u64,
}

impl Blocks {
    /// The blocks of a packed shard around `start..end` of its bytes.
    #[must_use]
    pub fn of_packed(info: &SegmentInfo, start: u64, end: u64) -> Self {
        let block = BLOCK as u64;
        let first = start / block * block;
        Self {
            offset: block + first,
            length: (block_align(end) - first).min(info.shard_length - first),
            table: block + info.shard_length + first / block * 4,
        }
    }

    /// The blocks around `start..end` of a stream's unit of `unit` data bytes at `row`.
    #[must_use]
    pub fn of_unit(row: u64, unit: u64, start: u64, end: u64) -> Self {
        let block = BLOCK as u64;
        let first = start / block * block;
        Self {
            offset: block + row + first,
            length: block_align(end) - first,
            table: block + row + unit + first / block * 4,
        }
    }

    /// Reads the blocks and checks each against its CRC.
    ///
    /// # Errors
    /// Those of `read_at`, or [`io::ErrorKind::InvalidData`] for a block that is rotten or in the wrong place.
    pub fn read(&self, read_at: &mut ReadAt<'_>, segment: u64, shard: usize) -> io::Result<Vec<u8>> {
        let length = usize::try_from(self.length).map_err(io::Error::other)?;
        let blocks = length / BLOCK;
        let mut data = vec![0; length];
        read_at(self.offset, &mut data)?;
        let mut table = vec![0; blocks * 4];
        read_at(self.table, &mut table)?;
        let number = u8::try_from(shard).unwrap_or(u8::MAX);
        let first = self.offset / BLOCK as u64;
        for ((block, crc), at) in data.chunks_exact(BLOCK).zip(table.chunks_exact(4)).zip(first..) {
            if crc != block_crc(segment, number, at, block).to_le_bytes() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("rotten block {at}")));
            }
        }
        Ok(data)
    }
}

/// The CRCs of `data`, whole blocks of which the first stands at byte `offset` of the shard's file.
pub fn crcs(segment: u64, shard: usize, offset: u64, data: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    let number = u8::try_from(shard).unwrap_or(u8::MAX);
    let blocks = data.chunks_exact(BLOCK).zip(offset / BLOCK as u64..);
    blocks.map(move |(block, at)| block_crc(segment, number, at, block).to_le_bytes())
}
