//! How a large body lies in a stream segment.
//!
//! A stripe gives each shard one *unit*: data, then the CRC table of its blocks, padded to a whole block. All stripes of
//! an extent but its last have units of [`UNIT`] bytes; the last spreads what is left evenly, in whole blocks. Rows
//! count bytes from the end of the shard's header and are the same on every shard.

use crate::checksum::{BLOCK, block_align};

/// Data bytes of a full unit.
pub const UNIT: u64 = 1 << 20;

/// Bytes of the block table behind a unit of `unit` data bytes.
#[must_use]
pub const fn table_length(unit: u64) -> u64 {
    block_align(unit / BLOCK as u64 * 4)
}

/// Rows that a stripe of units of `unit` data bytes takes.
#[must_use]
pub const fn rows(unit: u64) -> u64 {
    unit + table_length(unit)
}

/// The unit that spreads `length` bytes over `data` shards.
#[must_use]
pub const fn unit_for(length: u64, data: u8) -> u64 {
    let unit = block_align(length.div_ceil(data as u64));
    if unit > UNIT { UNIT } else { unit }
}

/// One stripe of an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stripe {
    /// Where it begins in every shard.
    pub row: u64,
    /// Data bytes a shard.
    pub unit: u64,
    /// Its first byte in the extent.
    pub start: u64,
    /// How many of the extent's bytes it has; the rest of its units is zeros.
    pub length: u64,
}

/// The stripe that holds byte `at` of an extent of `length` bytes that begins at `row`.
#[must_use]
pub fn stripe_at(row: u64, length: u64, data: u8, at: u64) -> Stripe {
    let full = UNIT * u64::from(data);
    let number = at / full;
    let start = number * full;
    let here = (length - start).min(full);
    Stripe { row: row + number * rows(UNIT), unit: unit_for(here, data), start, length: here }
}

/// Rows that an extent of `length` bytes takes.
#[must_use]
pub fn extent_rows(length: u64, data: u8) -> u64 {
    let full = UNIT * u64::from(data);
    let tail = length % full;
    length / full * rows(UNIT) + if tail == 0 { 0 } else { rows(unit_for(tail, data)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Stripes cover an extent end to end and take just the rows they should.
        #[test]
        fn stripes_tile_an_extent(length in 1u64..200_000_000, data in 1u8..=16, row in 0u64..1000) {
            let row = row * BLOCK as u64;
            let (mut at, mut next) = (0, row);
            while at < length {
                let stripe = stripe_at(row, length, data, at);
                prop_assert_eq!((stripe.start, stripe.row), (at, next));
                prop_assert!(stripe.length <= stripe.unit * u64::from(data));
                prop_assert_eq!(stripe.unit % BLOCK as u64, 0);
                prop_assert_eq!(stripe_at(row, length, data, at + stripe.length - 1), stripe);
                at += stripe.length;
                next += rows(stripe.unit);
            }
            prop_assert_eq!((at, next), (length, row + extent_rows(length, data)));
        }
    }
}
