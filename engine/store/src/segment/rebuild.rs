//! Making one shard of a sealed segment anew from the others.
//!
//! Of a stream, the stripes are found as in [`super::stripes`]; its table of contents is written from what it says.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::shard::{Blocks, crcs, header};
use super::shards::Shards;
use super::stream::encode_stripe;
use super::stripe::{UNIT, rows};
use super::stripes::{STEP, Window};
use super::{Segment, SegmentError, SegmentKind};
use crate::checksum::{BLOCK, block_align};
use crate::drive::{DriveFile, Patience};
use crate::node::Hardware;

/// Called after each step with how long it took; `false` ends the work.
pub type Pace<'a> = dyn Fn(Duration) -> bool + 'a;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Bytes of the shard's file.
    pub bytes: u64,
    /// Rows (of a packed segment, bytes of the shard) that too few shards have right now, and that stay as they were. Perhaps
    /// nothing that lives was in them.
    pub gaps: Vec<Range<u64>>,
}

impl Segment {
    /// The bytes of a shard's file, whole.
    #[must_use]
    pub fn shard_file_length(&self) -> u64 {
        let table = match self.info.kind {
            SegmentKind::Packed => block_align(self.info.shard_length / BLOCK as u64 * 4),
            SegmentKind::Stream | SegmentKind::Checkpoint => 0,
        };
        BLOCK as u64 + self.info.shard_length + table
    }

    /// Writes what shard `lost` should hold to `file`, and syncs it: what it has right itself, and the rest from the others.
    ///
    /// # Errors
    /// A TOC that can't be read, a file that can't be written, or [`io::ErrorKind::Interrupted`] when `pace` said so.
    pub fn rebuild_shard(
        &self,
        hardware: &Hardware,
        lost: usize,
        file: &Arc<dyn DriveFile>,
        pace: &Pace<'_>,
    ) -> Result<Rebuilt, SegmentError> {
        write(file, 0, &header(hardware.appliance, &self.info, lost))?;
        let gaps = match self.info.kind {
            SegmentKind::Packed => self.rebuild_packed(hardware, lost, file, pace),
            SegmentKind::Stream | SegmentKind::Checkpoint => self.rebuild_stream(hardware, lost, file, pace),
        }?;
        file.sync()?;
        Ok(Rebuilt { bytes: self.shard_file_length(), gaps })
    }

    fn rebuild_packed(
        &self,
        hardware: &Hardware,
        lost: usize,
        file: &Arc<dyn DriveFile>,
        pace: &Pace<'_>,
    ) -> Result<Vec<Range<u64>>, SegmentError> {
        let (mut table, mut gaps, mut at) = (Vec::new(), Vec::new(), 0);
        while at < self.info.shard_length {
            let began = Instant::now();
            let end = (at + STEP).min(self.info.shard_length);
            let blocks = Blocks::of_packed(&self.info, at, end);
            let data = match self.solve(lost, self.gather(hardware, lost, blocks)) {
                Err(SegmentError::TooFewShards { .. }) => self.rebuild_blocks(hardware, lost, at..end, &mut gaps)?,
                other => other?,
            };
            let crcs = crcs(self.info.id, lost, BLOCK as u64 + at, &data);
            let is_gap = |at: u64| gaps.iter().any(|gap| gap.contains(&at));
            for (crc, at) in crcs.zip((at..).step_by(BLOCK)) {
                // What is not known must not pass for what was there.
                table.extend(if is_gap(at) { crc.map(|byte| !byte) } else { crc });
            }
            write(file, BLOCK as u64 + at, &data)?;
            at = end;
            keep_pace(pace, began)?;
        }
        table.resize(table.len().next_multiple_of(BLOCK), 0);
        write(file, BLOCK as u64 + self.info.shard_length, &table)?;
        Ok(gaps)
    }

    /// Bytes of a packed shard block by block, where no others have them all: the shard's own that pass, too.
    fn rebuild_blocks(
        &self,
        hardware: &Hardware,
        lost: usize,
        range: Range<u64>,
        gaps: &mut Vec<Range<u64>>,
    ) -> Result<Vec<u8>, SegmentError> {
        let mut data = Vec::new();
        for at in range.step_by(BLOCK) {
            let blocks = Blocks::of_packed(&self.info, at, at + BLOCK as u64);
            match self.solve(lost, self.gather(hardware, lost, blocks)) {
                Ok(block) => data.extend(block),
                Err(SegmentError::TooFewShards { .. }) => match self.read_shard(Patience::Whole, lost, blocks) {
                    Some(block) => data.extend(block),
                    None => {
                        data.extend([0; BLOCK]);
                        gaps.push(at..at + BLOCK as u64);
                    }
                },
                Err(error) => return Err(error),
            }
        }
        Ok(data)
    }

    fn rebuild_stream(
        &self,
        hardware: &Hardware,
        lost: usize,
        file: &Arc<dyn DriveFile>,
        pace: &Pace<'_>,
    ) -> Result<Vec<Range<u64>>, SegmentError> {
        let all: Vec<usize> = (0..self.shards.count()).collect();
        let (mut window, mut gaps, mut row) = (Window::default(), Vec::<Range<u64>>::new(), 0);
        while row < self.info.toc.offset {
            let began = Instant::now();
            self.slide(hardware, &all, &mut window, row);
            let Some(unit) = all.iter().find_map(|shard| self.unit_at(*shard, &window, row)) else {
                self.leave_gap(lost, file, row..row + BLOCK as u64, &mut gaps)?;
                row += BLOCK as u64;
                continue;
            };
            let of = |shard: &usize| self.unit_of(*shard, &window, row, unit).map(<[u8]>::to_vec);
            let held = self.solve(lost, all.iter().map(of).collect());
            match held.or_else(|_| self.solve_unit(lost, row, unit)) {
                Ok(data) => write(file, BLOCK as u64 + row, &self.with_table(lost, row, data))?,
                Err(SegmentError::TooFewShards { .. }) => {
                    self.leave_gap(lost, file, row..row + rows(unit), &mut gaps)?;
                }
                Err(error) => return Err(error),
            }
            row += rows(unit);
            keep_pace(pace, began)?;
        }
        self.rebuild_toc(lost, file)?;
        Ok(gaps)
    }

    /// One unit, of every shard that gives it by itself: a fault elsewhere in a window costs all of the window. What a crash
    /// tore is no fault of a shard's, so none is noted.
    fn solve_unit(&self, lost: usize, row: u64, unit: u64) -> Result<Vec<u8>, SegmentError> {
        let blocks = Blocks::of_unit(row, unit, 0, unit);
        let read = |shard| self.try_shard(Patience::Whole, shard, blocks).ok();
        match read(lost) {
            Some(own) => Ok(own),
            None => self.solve(lost, (0..self.shards.count()).map(read).collect()),
        }
    }

    /// Rows that can't be made anew stay as they are: single blocks of them may pass.
    fn leave_gap(
        &self,
        lost: usize,
        file: &Arc<dyn DriveFile>,
        gap: Range<u64>,
        gaps: &mut Vec<Range<u64>>,
    ) -> Result<(), SegmentError> {
        for row in gap.clone().step_by(BLOCK) {
            if let Ok(own) = self.shards.read_up_to(lost, BLOCK as u64 + row, BLOCK) {
                write(file, BLOCK as u64 + row, &own)?;
            }
        }
        match gaps.last_mut() {
            Some(last) if last.end == gap.start => last.end = gap.end,
            _ => gaps.push(gap),
        }
        Ok(())
    }

    /// The rows of the TOC, from the TOC itself: what a drive that was away has there may pass its checks and be another.
    fn rebuild_toc(&self, lost: usize, file: &Arc<dyn DriveFile>) -> Result<(), SegmentError> {
        for (row, unit) in self.toc_units(lost)? {
            write(file, BLOCK as u64 + row, &unit)?;
        }
        Ok(())
    }

    /// Whether a file of a stream's shard has the rows of the TOC as they should be.
    ///
    /// # Errors
    /// The TOC can't be read from the others either.
    pub fn has_toc(&self, shard: usize, file: &Arc<dyn DriveFile>) -> Result<bool, SegmentError> {
        for (row, unit) in self.toc_units(shard)? {
            let mut held = vec![0; unit.len()];
            if file.read_at(BLOCK as u64 + row, &mut held).is_err() || held != unit {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What a shard should hold of the TOC: rows, and the unit with its table at each.
    fn toc_units(&self, shard: usize) -> Result<Vec<(u64, Vec<u8>)>, SegmentError> {
        let stored = self.read_stored_toc()?;
        let mut row = self.info.toc.offset;
        let mut units = Vec::new();
        let full = usize::try_from(UNIT).map_err(io::Error::other)? * usize::from(self.info.profile.data);
        for piece in stored.chunks(full) {
            let (stripe, whole) = encode_stripe(&self.info, &self.code, row, piece)?;
            let unit = stripe.get(shard * whole..(shard + 1) * whole).unwrap_or_default().to_vec();
            let length = unit.len() as u64;
            units.push((row, unit));
            row += length;
        }
        Ok(units)
    }

    fn with_table(&self, shard: usize, row: u64, data: Vec<u8>) -> Vec<u8> {
        let mut unit = data;
        let table: Vec<u8> = crcs(self.info.id, shard, BLOCK as u64 + row, &unit).flatten().collect();
        unit.extend(table);
        unit.resize(unit.len().next_multiple_of(BLOCK), 0);
        unit
    }

    /// The lost shard's bytes from as many of the others as the code needs.
    fn solve(&self, lost: usize, mut shards: Vec<Option<Vec<u8>>>) -> Result<Vec<u8>, SegmentError> {
        let needed = usize::from(self.info.profile.data);
        let healthy = shards.iter().flatten().count();
        let too_few = SegmentError::TooFewShards { segment: self.info.id, healthy, needed };
        if healthy < needed {
            return Err(too_few);
        }
        if lost < needed {
            self.code.reconstruct_data(&mut shards)?;
        } else {
            self.code.reconstruct(&mut shards)?;
        }
        shards.into_iter().nth(lost).flatten().ok_or(too_few)
    }

    /// The same blocks of as many shards as the code needs, and of others for those that don't give them.
    fn gather(&self, hardware: &Hardware, lost: usize, blocks: Blocks) -> Vec<Option<Vec<u8>>> {
        let needed = usize::from(self.info.profile.data);
        let mut given: Vec<Option<Vec<u8>>> = vec![None; self.shards.count()];
        let mut left = (0..self.shards.count()).filter(|shard| *shard != lost);
        loop {
            let missing = needed.saturating_sub(given.iter().flatten().count());
            let next: Vec<usize> = left.by_ref().take(missing).collect();
            if next.is_empty() {
                return given;
            }
            let id = self.info.id;
            let read = move |shards: &Arc<Shards>, shard| {
                let bytes = shards.read(shard, Patience::Whole, move |read_at| blocks.read(read_at, id, shard));
                if bytes.is_ok() && blocks.length >= STEP {
                    // While these are worked on, the drive reads what comes next.
                    shards.will_read(shard, blocks.offset + blocks.length, STEP);
                }
                bytes
            };
            for (shard, bytes) in self.shards.ask(hardware, &next, read) {
                if let Some(slot) = given.get_mut(shard) {
                    *slot = bytes.ok();
                }
            }
        }
    }
}

fn keep_pace(pace: &Pace<'_>, began: Instant) -> Result<(), SegmentError> {
    if pace(began.elapsed()) { Ok(()) } else { Err(io::Error::from(io::ErrorKind::Interrupted).into()) }
}

/// Writes, and has the drive begin with it while the next step is read: the sync has little left to wait for.
fn write(file: &Arc<dyn DriveFile>, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_at(offset, bytes)?;
    file.start_writeback(offset, bytes.len() as u64);
    Ok(())
}
