//! Reading a segment: one `pread` where all is well, parity where not.
//!
//! A record of a packed segment is checked by its hash alone; only when that fails, or a shard is missing, do block CRCs
//! say which shard is wrong. Pieces of a stream are always checked by block CRCs, since a range has no hash.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::shard::{self, Blocks};
use super::shards::Shards;
use super::stripe::stripe_at;
use super::{SegmentError, SegmentInfo, toc};
use crate::checksum::{BLOCK, record_hash};
use crate::drive::{DriveNumber, Member, Patience};
use crate::erasure::Code;
use crate::journal::Logged;
use crate::record::Extent;

/// Keeps the shard files of a segment where they are: shared by what stands for the segment in the table, open and sealed.
pub type Pin = Arc<()>;

#[derive(Debug)]
pub struct Segment {
    pub info: SegmentInfo,
    pub pin: Pin,
    shards: Arc<Shards>,
    code: Arc<Code>,
}

impl Segment {
    #[must_use]
    pub fn new(
        info: SegmentInfo,
        appliance: u128,
        members: &BTreeMap<DriveNumber, Arc<Member>>,
        code: Arc<Code>,
        pin: Pin,
    ) -> Self {
        let shards = Arc::new(Shards::new(&info, appliance, members));
        Self { info, pin, shards, code }
    }

    /// Whether anyone else holds the segment, be it as it was before it was sealed. No longer in the table, it finds no
    /// more holders.
    #[must_use]
    pub fn is_held(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1 || Arc::strong_count(&self.pin) > 1
    }

    fn data(&self) -> usize {
        usize::from(self.info.profile.data)
    }

    /// Reads a whole record of a packed segment from the page cache; `None` where that would wait for a drive, or the
    /// record needs more than a plain read.
    #[must_use]
    pub fn read_cached(&self, extent: &Extent) -> Option<Vec<u8>> {
        let mut buffer = vec![0; usize::try_from(extent.length).ok()?];
        let mut at = extent.offset;
        let mut rest = buffer.as_mut_slice();
        while !rest.is_empty() {
            let (shard, start, length) = self.packed_place(at, rest.len() as u64)?;
            let (piece, behind) = rest.split_at_mut(length);
            let read = self.shards.read_cached(shard, |read_at| read_at(BLOCK as u64 + start, piece));
            read?.ok()?;
            rest = behind;
            at += length as u64;
        }
        (record_hash(&buffer) == extent.hash).then_some(buffer)
    }

    /// The shard, the byte in it, and how much of `length` bytes from payload byte `at` it has.
    fn packed_place(&self, at: u64, length: u64) -> Option<(usize, u64, usize)> {
        let shard = at.checked_div(self.info.shard_length)?;
        let start = at % self.info.shard_length;
        let here = length.min(self.info.shard_length - start);
        if shard >= self.data() as u64 {
            return None;
        }
        Some((usize::try_from(shard).ok()?, start, usize::try_from(here).ok()?))
    }

    /// Reads a whole record of a packed segment, rebuilding what is lost or rotten.
    ///
    /// # Errors
    /// Too few shards, or no reading of them that gives the record's hash.
    pub fn read_record(&self, extent: &Extent) -> Result<Vec<u8>, SegmentError> {
        if let Ok(plain) = self.read_payload(extent.offset, extent.length, false)
            && record_hash(&plain) == extent.hash
        {
            return Ok(plain);
        }
        let checked = self.read_payload(extent.offset, extent.length, true)?;
        if record_hash(&checked) == extent.hash {
            Ok(checked)
        } else {
            Err(SegmentError::Rotten { segment: self.info.id })
        }
    }

    /// Payload bytes of a packed segment; `checked` against block CRCs, and rebuilt where these say so. Unchecked only
    /// from drives that don't hesitate.
    fn read_payload(&self, offset: u64, length: u64, checked: bool) -> Result<Vec<u8>, SegmentError> {
        let mut out = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
        let end = offset + length;
        let mut at = offset;
        while at < end {
            let (shard, start, here) =
                self.packed_place(at, end - at).ok_or_else(|| self.malformed("a record beyond the payload"))?;
            if checked {
                let blocks = Blocks::of_packed(&self.info, start, start + here as u64);
                let data = self.read_blocks(shard, blocks)?;
                out.extend_from_slice(cut(&data, start - (blocks.offset - BLOCK as u64), here));
            } else {
                let mut plain = self.shards.read(shard, Patience::Prompt, move |read_at| {
                    let mut bytes = vec![0; here];
                    read_at(BLOCK as u64 + start, &mut bytes)?;
                    Ok(bytes)
                })?;
                out.append(&mut plain);
            }
            at += here as u64;
        }
        Ok(out)
    }

    /// Reads bytes of a stream's extent from `at` on, up to the end of the unit that holds it.
    ///
    /// # Errors
    /// Too few shards to rebuild what is missing.
    pub fn read_stream(&self, extent: &Extent, range: Range<u64>) -> Result<Vec<u8>, SegmentError> {
        let stripe = stripe_at(extent.offset, extent.length, self.info.profile.data, range.start);
        let within = range.start - stripe.start;
        let shard = within / stripe.unit;
        let start = within % stripe.unit;
        let length = (stripe.unit - start).min(stripe.length - within).min(range.end - range.start);
        let shard = usize::try_from(shard).map_err(io::Error::other)?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let blocks = Blocks::of_unit(stripe.row, stripe.unit, start, start + length as u64);
        let mut data = self.read_blocks(shard, blocks)?;
        let skip = usize::try_from(start % BLOCK as u64).unwrap_or(0);
        data.drain(..skip);
        data.truncate(length);
        Ok(data)
    }

    /// Blocks of a data shard, from it or from the others: of whichever drives don't hesitate, as long as these suffice.
    fn read_blocks(&self, shard: usize, blocks: Blocks) -> Result<Vec<u8>, SegmentError> {
        let prompt = self.read_blocks_with(Patience::Prompt, shard, blocks);
        match prompt {
            Err(SegmentError::TooFewShards { .. }) if self.shards.any_hesitates() => {
                self.read_blocks_with(Patience::Whole, shard, blocks)
            }
            other => other,
        }
    }

    fn read_blocks_with(&self, patience: Patience, shard: usize, blocks: Blocks) -> Result<Vec<u8>, SegmentError> {
        match self.read_shard(patience, shard, blocks) {
            Some(data) => Ok(data),
            None => self.rebuild(patience, shard, blocks),
        }
    }

    /// Blocks of a shard as it has them; `None` where it is not there, has them wrong, or is not waited for.
    fn read_shard(&self, patience: Patience, shard: usize, blocks: Blocks) -> Option<Vec<u8>> {
        let read = self.try_shard(patience, shard, blocks);
        read.inspect_err(|error| self.shards.note_fault(shard, error)).ok()
    }

    fn try_shard(&self, patience: Patience, shard: usize, blocks: Blocks) -> io::Result<Vec<u8>> {
        let id = self.info.id;
        self.shards.read(shard, patience, move |read_at| blocks.read(read_at, id, shard))
    }

    /// Blocks of a shard, from the same range of others that pass their checks.
    fn rebuild(&self, patience: Patience, lost: usize, blocks: Blocks) -> Result<Vec<u8>, SegmentError> {
        let mut range: Vec<Option<Vec<u8>>> = vec![None; self.shards.count()];
        let mut healthy = 0;
        for (shard, slot) in range.iter_mut().enumerate().filter(|(shard, _)| *shard != lost) {
            if healthy == self.data() {
                break;
            }
            *slot = self.read_shard(patience, shard, blocks);
            healthy += usize::from(slot.is_some());
        }
        if healthy < self.data() {
            return Err(SegmentError::TooFewShards { segment: self.info.id, healthy, needed: self.data() });
        }
        if lost < self.data() {
            self.code.reconstruct_data(&mut range)?;
        } else {
            self.code.reconstruct(&mut range)?;
        }
        range.into_iter().nth(lost).flatten().ok_or_else(|| self.malformed("a shard that the code does not know"))
    }

    /// The entries of the TOC.
    ///
    /// # Errors
    /// A TOC that can't be read whole even with parity.
    pub fn read_toc(&self) -> Result<Vec<Logged>, SegmentError> {
        let at = &self.info.toc;
        let stored = match self.info.kind {
            super::SegmentKind::Packed => match self.read_payload(at.offset, at.length, false) {
                Ok(plain) if record_hash(&plain) == at.digest => plain,
                _ => self.read_payload(at.offset, at.length, true)?,
            },
            super::SegmentKind::Stream => {
                let extent = Extent {
                    segment: self.info.id,
                    offset: at.offset,
                    length: at.length,
                    part: 0,
                    claim: 0,
                    hash: at.digest,
                };
                let mut stored = Vec::new();
                while (stored.len() as u64) < at.length {
                    stored.extend(self.read_stream(&extent, stored.len() as u64..at.length)?);
                }
                stored
            }
        };
        toc::decode(at, &stored).map_err(|error| self.malformed(&error.to_string()))
    }

    /// Reads every block of every shard that should be there; one line for each shard that is not whole.
    #[must_use]
    pub fn scrub(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for shard in 0..self.shards.count() {
            let Some(member) = self.shards.member(shard) else { continue };
            if let Err(error) = self.scrub_shard(shard) {
                self.shards.note_fault(shard, &error);
                faults.push(match error.kind() {
                    io::ErrorKind::NotFound => {
                        format!("{}: not there ({})", shard::path_of(self.info.id, shard), member.drive.path())
                    }
                    _ => format!("{}: {error}", shard::path_of(self.info.id, shard)),
                });
            }
        }
        faults
    }

    /// Reads every unit of a stream's extent on every shard, parity too; one line for each that is not whole.
    #[must_use]
    pub fn scrub_extent(&self, extent: &Extent) -> Vec<String> {
        let mut faults = Vec::new();
        let mut at = 0;
        while at < extent.length {
            let stripe = stripe_at(extent.offset, extent.length, self.info.profile.data, at);
            let blocks = Blocks::of_unit(stripe.row, stripe.unit, 0, stripe.unit);
            for shard in 0..self.shards.count() {
                match self.try_shard(Patience::Whole, shard, blocks) {
                    Ok(_) => {}
                    // What is not there is said once, of the whole segment.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        self.shards.note_fault(shard, &error);
                        let path = shard::path_of(self.info.id, shard);
                        faults.push(format!("{path} at row {}: {error}", stripe.row));
                    }
                }
            }
            at += stripe.length;
        }
        faults
    }

    /// Reads a shard to its end; of a stream's only that it is there, since its units are checked with the records that
    /// they belong to (see [`Self::scrub_extent`]).
    fn scrub_shard(&self, shard: usize) -> io::Result<()> {
        if self.info.kind == super::SegmentKind::Stream {
            return self.shards.read(shard, Patience::Whole, |_| Ok(()));
        }
        let step = 1 << 20;
        let mut at = 0;
        while at < self.info.shard_length {
            let end = (at + step).min(self.info.shard_length);
            self.try_shard(Patience::Whole, shard, Blocks::of_packed(&self.info, at, end))?;
            at = end;
        }
        Ok(())
    }

    fn malformed(&self, what: &str) -> SegmentError {
        SegmentError::Malformed { segment: self.info.id, what: what.to_owned() }
    }
}

fn cut(data: &[u8], start: u64, length: usize) -> &[u8] {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    data.get(start..start.saturating_add(length)).unwrap_or_default()
}
