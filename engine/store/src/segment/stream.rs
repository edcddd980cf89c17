//! A stream segment that is being written, by one request at a time.
//!
//! The request that holds it appends stripes and, before its commit is queued, syncs every shard. Rows of a request that
//! never commits are lost to the segment and dead from the start.

use std::sync::Arc;

use super::pack::ShardWriters;
use super::shard::append_crcs;
use super::stripe::{rows, table_length, unit_for};
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
        let mut info = SegmentInfo::new(id, SegmentKind::Stream, pool, drives);
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

    /// Appends one stripe with `data`, at most `UNIT` bytes a data shard. Durable only after [`Self::sync`].
    ///
    /// # Errors
    /// Too few drives, or no space: the stream is then of no more use.
    pub fn write_stripe(&mut self, hardware: &Hardware, data: &[u8]) -> Result<(), SegmentError> {
        let unit = unit_for(data.len() as u64, self.info.profile.data);
        let size = usize::try_from(unit).map_err(std::io::Error::other)?;
        let mut units: Vec<Vec<u8>> = Vec::with_capacity(self.info.profile.shards());
        let whole = size + usize::try_from(table_length(unit)).map_err(std::io::Error::other)?;
        let mut pieces = data.chunks(size);
        for _ in 0..self.info.profile.data {
            let mut piece = Vec::with_capacity(whole);
            piece.extend_from_slice(pieces.next().unwrap_or_default());
            piece.resize(size, 0);
            units.push(piece);
        }
        let mut parity = vec![vec![0; size]; usize::from(self.info.profile.parity)];
        let slices: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
        self.code.encode(&slices, &mut parity)?;
        units.append(&mut parity);
        let offset = BLOCK as u64 + self.next_row;
        for (shard, piece) in units.iter_mut().enumerate() {
            let mut table = Vec::with_capacity(whole - size);
            append_crcs(&mut table, self.info.id, shard, offset, piece);
            piece.append(&mut table);
            piece.resize(whole, 0);
        }
        let pieces = units.into_iter().map(|piece| (offset, Arc::new(piece))).collect();
        self.writers.write(hardware, &mut self.info, pieces)?;
        self.next_row += rows(unit);
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
