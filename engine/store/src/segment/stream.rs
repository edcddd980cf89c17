//! A stream segment that is being written, by one request at a time.
//!
//! The request that holds it appends stripes and, before its commit is queued, syncs every shard. Rows of a request that
//! never commits are lost to the segment and dead from the start.

use std::sync::Arc;

use aligned_vec::{AVec, ConstAlign};
use bytes::Bytes;

use super::pack::ShardWriters;
use super::shard::crcs;
use super::stripe::{rows, unit_for};
use super::toc::FinishedToc;
use super::{SegmentError, SegmentInfo, SegmentKind};
use crate::checksum::BLOCK;
use crate::drive::DriveNumber;
use crate::erasure::Code;
use crate::node::Hardware;
use crate::pool::Pool;

#[derive(Debug)]
pub struct OpenStream {
    pub info: SegmentInfo,
    writers: ShardWriters,
    code: Arc<Code>,
    next_row: u64,
}

impl OpenStream {
    /// Creates the shard files of stream segment `id`, durable with their headers; it may be written once `StreamOpen` is journalled.
    ///
    /// # Errors
    /// Too few drives, or no space.
    pub fn create(hardware: &Hardware, pool: &Pool, id: u64, drives: Vec<DriveNumber>) -> Result<Self, SegmentError> {
        Self::begin(hardware, SegmentInfo::new(id, SegmentKind::Stream, pool, drives))
    }

    /// Creates the shard files of a segment that is striped and has an id and drives.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn begin(hardware: &Hardware, mut info: SegmentInfo) -> Result<Self, SegmentError> {
        let code = hardware.codes.of(info.profile)?;
        let mut writers = ShardWriters::create(hardware, &mut info)?;
        // A stream that nobody ever writes is sealed too, and read by its headers.
        writers.sync(hardware, &mut info)?;
        writers.sync_directories(hardware, &mut info)?;
        Ok(Self { info, writers, code, next_row: 0 })
    }

    /// The row at which the next stripe will begin.
    #[must_use]
    pub fn next_row(&self) -> u64 {
        self.next_row
    }

    /// How many shards have no drive, or one that went out of use or is to be emptied.
    #[must_use]
    pub fn lacking(&self) -> usize {
        self.writers.lacking()
    }

    /// Appends one stripe with `data`, at most `UNIT` bytes a data shard. Durable only after [`Self::sync`].
    ///
    /// # Errors
    /// Too few drives, or no space: the stream is then of no more use.
    pub fn write_stripe(&mut self, hardware: &Hardware, data: &[u8]) -> Result<(), SegmentError> {
        let (stripe, whole) = encode_stripe(&self.info, &self.code, self.next_row, data)?;
        let offset = BLOCK as u64 + self.next_row;
        self.writers.write_stripe(hardware, &mut self.info, offset, &Bytes::from_owner(stripe), whole)?;
        self.next_row += whole as u64;
        self.info.shard_length = self.next_row;
        Ok(())
    }

    /// Makes every stripe so far durable.
    ///
    /// # Errors
    /// As [`Self::write_stripe`].
    pub fn sync(&mut self, hardware: &Hardware) -> Result<(), SegmentError> {
        self.writers.sync(hardware, &mut self.info)
    }

    /// Ends the stream with its TOC, durable and ready for its `Sealed` entry.
    ///
    /// # Errors
    /// As [`Self::write_stripe`].
    pub fn finish(mut self, hardware: &Hardware, finished: FinishedToc) -> Result<SegmentInfo, SegmentError> {
        self.info.toc = finished.toc;
        self.info.toc.offset = self.next_row;
        let stripe = usize::try_from(super::stripe::UNIT).unwrap_or(1) * usize::from(self.info.profile.data);
        for piece in finished.stored.chunks(stripe) {
            self.write_stripe(hardware, piece)?;
        }
        self.sync(hardware)?;
        self.info.first_lsn = finished.first_lsn;
        self.info.last_lsn = finished.last_lsn;
        self.info.sealed = true;
        Ok(self.info)
    }

    /// Takes up a stream that a crash left open, behind everything that its shards hold.
    ///
    /// # Errors
    /// Too few of its shards can be opened.
    pub fn reopen(hardware: &Hardware, mut info: SegmentInfo) -> Result<Self, SegmentError> {
        let code = hardware.codes.of(info.profile)?;
        let (writers, length) = ShardWriters::reopen(hardware, &mut info)?;
        Ok(Self { info, writers, code, next_row: length })
    }
}

/// Each shard's unit of a stripe with its table, one behind the other, where direct I/O can take them from; and how many
/// bytes each takes.
pub(super) fn encode_stripe(
    info: &SegmentInfo,
    code: &Code,
    row: u64,
    data: &[u8],
) -> Result<(AVec<u8, ConstAlign<BLOCK>>, usize), SegmentError> {
    let unit = unit_for(data.len() as u64, info.profile.data);
    let size = usize::try_from(unit).map_err(std::io::Error::other)?;
    let whole = usize::try_from(rows(unit)).map_err(std::io::Error::other)?;
    let shards = usize::from(info.profile.data);
    let mut stripe: AVec<u8, ConstAlign<BLOCK>> = AVec::with_capacity(BLOCK, whole * info.profile.shards());
    let mut pieces = data.chunks(size);
    for filled in 1..=shards {
        stripe.extend_from_slice(pieces.next().unwrap_or_default());
        stripe.resize(filled * whole, 0);
    }
    stripe.resize(whole * info.profile.shards(), 0);
    let (units, parity) = stripe.split_at_mut(shards * whole);
    let units: Vec<&[u8]> = units.chunks_exact(whole).filter_map(|unit| unit.get(..size)).collect();
    let mut parity: Vec<&mut [u8]> = parity.chunks_exact_mut(whole).filter_map(|unit| unit.get_mut(..size)).collect();
    code.encode(&units, &mut parity)?;
    for (shard, unit) in stripe.chunks_exact_mut(whole).enumerate() {
        let (unit, table) = unit.split_at_mut(size);
        for (to, crc) in table.chunks_exact_mut(4).zip(crcs(info.id, shard, BLOCK as u64 + row, unit)) {
            to.copy_from_slice(&crc);
        }
    }
    Ok((stripe, whole))
}
