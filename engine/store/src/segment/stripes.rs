//! Finding the stripes of a stream segment on its shards.
//!
//! How long its stripes are stands nowhere in a stream segment: the records that it holds know where theirs begin. But every
//! unit has its table of CRCs behind it, so the next stripe is found by looking where the CRC of the first block at a row
//! stands behind that block, and is believed if the whole table fits. Where no shard has a stripe at a row, the search goes
//! on a block further: a crash may have torn what nobody was told of.

use std::sync::Arc;

use super::Segment;
use super::shard::crcs;
use super::shards::Shards;
use super::stripe::{UNIT, rows};
use crate::checksum::BLOCK;
use crate::node::Hardware;

/// Bytes of each shard that are read at a time.
pub(super) const STEP: u64 = 2 << 20;
/// The most rows that one stripe takes.
const LONGEST: u64 = rows(UNIT);

/// The bytes of some shards from some row on, as their files have them.
#[derive(Debug, Default)]
pub(super) struct Window {
    start: u64,
    /// Behind the last row that was asked for.
    end: u64,
    /// By shard; shorter where its file ends, and empty where it can't be read.
    shards: Vec<Vec<u8>>,
}

impl Window {
    fn from(&self, shard: usize, row: u64) -> &[u8] {
        let skip = row.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        self.shards.get(shard).zip(skip).and_then(|(bytes, skip)| bytes.get(skip..)).unwrap_or_default()
    }
}

impl Segment {
    /// Reads on, of these shards, where a stripe at `row` may reach beyond the window.
    pub(super) fn slide(&self, hardware: &Hardware, of: &[usize], window: &mut Window, row: u64) {
        if window.start <= row && (row + LONGEST).min(self.info.toc.offset) <= window.end {
            return;
        }
        let end = (row + STEP.max(LONGEST)).min(self.info.toc.offset);
        let length = usize::try_from(end - row).unwrap_or(0);
        let read = move |shards: &Arc<Shards>, shard| {
            let bytes = shards.read_up_to(shard, BLOCK as u64 + row, length);
            if bytes.is_ok() {
                // While these are worked on, the drive reads what comes next.
                shards.will_read(shard, BLOCK as u64 + end, STEP);
            }
            bytes
        };
        *window = Window { start: row, end, shards: vec![Vec::new(); self.shards.count()] };
        for (shard, bytes) in self.shards.ask(hardware, of, read) {
            if let (Some(slot), Ok(bytes)) = (window.shards.get_mut(shard), bytes) {
                *slot = bytes;
            }
        }
    }

    /// The unit of the stripe at `row`, if the shard has one there that is whole.
    pub(super) fn unit_at(&self, shard: usize, window: &Window, row: u64) -> Option<u64> {
        let bytes = window.from(shard, row);
        let first = crcs(self.info.id, shard, BLOCK as u64 + row, bytes.get(..BLOCK)?).next()?;
        let behind = bytes.chunks(BLOCK).skip(1).take(usize::try_from(UNIT).ok()? / BLOCK);
        let fits = behind.zip(1_u64..).filter(|(block, _)| block.starts_with(&first));
        fits.map(|(_, blocks)| blocks * BLOCK as u64).find(|unit| self.unit_of(shard, window, row, *unit).is_some())
    }

    /// A unit of that length at `row`, if every block of it fits the table behind it.
    pub(super) fn unit_of<'w>(&self, shard: usize, window: &'w Window, row: u64, unit: u64) -> Option<&'w [u8]> {
        let (data, behind) = window.from(shard, row).split_at_checked(usize::try_from(unit).ok()?)?;
        let expected: Vec<u8> = crcs(self.info.id, shard, BLOCK as u64 + row, data).flatten().collect();
        behind.starts_with(&expected).then_some(data)
    }
}
