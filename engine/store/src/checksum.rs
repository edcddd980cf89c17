//! The three checks of the formats, each for its own job.
//!
//! * [`record_hash`]: 128 bits of BLAKE3 over a record as stored. Taken at ingest, carried for ever, never recomputed.
//! * [`seeded_crc64`]: guards headers, journal batches and TOCs. The seed is the file's id, so that a block left over
//!   from another file never passes.
//! * [`block_crc`]: guards each [`BLOCK`] of a shard, bound to its segment, shard and place.

use crc_fast::{CrcAlgorithm, Digest, crc32_iscsi};

/// The unit of alignment on drives and of block checksums, in bytes.
pub const BLOCK: usize = 4096;

pub type Hash = [u8; 16];

/// BLAKE3, cut to 128 bits.
#[must_use]
pub fn record_hash(stored: &[u8]) -> Hash {
    truncate(&blake3::hash(stored))
}

#[must_use]
pub fn truncate(hash: &blake3::Hash) -> Hash {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    out
}

/// CRC-64/NVME over `seed` and the pieces in order.
#[must_use]
pub fn seeded_crc64(seed: u64, pieces: &[&[u8]]) -> u64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&seed.to_le_bytes());
    for piece in pieces {
        digest.update(piece);
    }
    digest.finalize()
}

/// CRC-32C of one block, bound to where it must stand. `block` counts [`BLOCK`]s from the start of the shard.
#[must_use]
pub fn block_crc(segment: u64, shard: u8, block: u64, data: &[u8]) -> u32 {
    crc32_iscsi(data) ^ place(segment, shard, block)
}

/// Spreads a place over 32 bits (the finaliser of SplitMix64), so that neighbours differ in about half of them.
fn place(segment: u64, shard: u8, block: u64) -> u32 {
    let mut x = segment.rotate_left(40) ^ (u64::from(shard) << 56) ^ block.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) & u64::from(u32::MAX)) as u32
}

/// Rounds up to whole blocks.
#[must_use]
pub const fn block_align(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK as u64) * BLOCK as u64
}
