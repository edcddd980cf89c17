//! Reading a segment: one `pread` where all is well, parity where not.
//!
//! A record of a packed segment is checked by its hash alone; only when that fails, or a shard is missing, do block CRCs
//! say which shard is wrong. Pieces of a stream are always checked by block CRCs, since a range has no hash.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::shard::Blocks;
use super::shards::Shards;
use super::stripe::stripe_at;
use super::{SegmentError, SegmentInfo, toc};
use crate::checksum::{BLOCK, record_hash, truncate};
use crate::drive::Patience;
use crate::erasure::Code;
use crate::journal::Logged;
use crate::node::Hardware;
use crate::record::Extent;

/// Keeps the shard files of a segment where they are: shared by what stands for the segment in the table, open and sealed.
pub type Pin = Arc<()>;

#[derive(Debug)]
pub struct Segment {
    pub info: SegmentInfo,
    pub pin: Pin,
    pub(crate) shards: Arc<Shards>,
    pub(super) code: Arc<Code>,
}

impl Segment {
    #[must_use]
    pub fn new(info: SegmentInfo, hardware: &Hardware, code: Arc<Code>, pin: Pin) -> Self {
        let shards = Arc::new(Shards::new(&info, hardware));
        Self { info, pin, shards, code }
    }

    /// The same with files of its own, which are closed with it: who walks through all segments must not leave them open.
    /// The files stay where they are as long as `self` is held.
    #[must_use]
    pub fn apart(&self, hardware: &Hardware) -> Self {
        Self::new(self.info.clone(), hardware, self.code.clone(), Pin::default())
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

    /// Reads all bytes of an extent of a stream against its hash.
    ///
    /// # Errors
    /// Too few shards, or bytes that are not those that were written.
    pub fn check_stream(&self, extent: &Extent) -> Result<(), SegmentError> {
        let mut hasher = blake3::Hasher::new();
        let mut at = 0;
        while at < extent.length {
            let piece = self.read_stream(extent, at..extent.length)?;
            hasher.update(&piece);
            at += piece.len() as u64;
        }
        if truncate(&hasher.finalize()) == extent.hash {
            Ok(())
        } else {
            Err(SegmentError::Rotten { segment: self.info.id })
        }
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
            None => self.rebuild(patience, (shard, &[]), blocks),
        }
    }

    /// Blocks of a shard as it has them; `None` where it is not there, has them wrong, or is not waited for.
    pub(super) fn read_shard(&self, patience: Patience, shard: usize, blocks: Blocks) -> Option<Vec<u8>> {
        let read = self.try_shard(patience, shard, blocks);
        read.inspect_err(|error| self.shards.note_fault(shard, error)).ok()
    }

    pub(super) fn try_shard(&self, patience: Patience, shard: usize, blocks: Blocks) -> io::Result<Vec<u8>> {
        let id = self.info.id;
        self.shards.read(shard, patience, move |read_at| blocks.read(read_at, id, shard))
    }

    /// Blocks of a shard, from the same range of others that pass their checks, and of none that is left out.
    fn rebuild(
        &self,
        patience: Patience,
        (lost, left_out): (usize, &[usize]),
        blocks: Blocks,
    ) -> Result<Vec<u8>, SegmentError> {
        let mut range: Vec<Option<Vec<u8>>> = vec![None; self.shards.count()];
        let mut healthy = 0;
        for (shard, slot) in
            range.iter_mut().enumerate().filter(|(shard, _)| *shard != lost && !left_out.contains(shard))
        {
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
        toc::decode(&self.info.toc, &self.read_stored_toc()?).map_err(|error| self.malformed(&error.to_string()))
    }

    /// The TOC as it is stored.
    pub(super) fn read_stored_toc(&self) -> Result<Vec<u8>, SegmentError> {
        let at = &self.info.toc;
        match self.info.kind {
            super::SegmentKind::Packed => match self.read_payload(at.offset, at.length, false) {
                Ok(plain) if record_hash(&plain) == at.digest => Ok(plain),
                _ => self.expect_digest(self.read_payload(at.offset, at.length, true)?),
            },
            super::SegmentKind::Stream | super::SegmentKind::Checkpoint => {
                let plain = self.read_stream_toc(&[]).and_then(|stored| self.expect_digest(stored));
                // Drives that were away when the stream was sealed may have other rows there that pass their checks.
                let parity = usize::from(self.info.profile.parity);
                let mut without = (1..=parity).flat_map(|count| subsets(self.shards.count(), count));
                plain.or_else(|error| {
                    let right = |lying: Vec<usize>| self.expect_digest(self.read_stream_toc(&lying).ok()?).ok();
                    without.find_map(right).ok_or(error)
                })
            }
        }
    }

    fn expect_digest(&self, stored: Vec<u8>) -> Result<Vec<u8>, SegmentError> {
        if record_hash(&stored) == self.info.toc.digest {
            Ok(stored)
        } else {
            Err(self.malformed("a table of contents that is not its own"))
        }
    }

    /// The TOC of a stream as it is stored, from other shards than those left out.
    fn read_stream_toc(&self, left_out: &[usize]) -> Result<Vec<u8>, SegmentError> {
        let data = self.info.profile.data;
        let length = self.info.toc.length;
        let mut stored = Vec::new();
        while (stored.len() as u64) < length {
            let stripe = stripe_at(self.info.toc.offset, length, data, stored.len() as u64);
            let blocks = Blocks::of_unit(stripe.row, stripe.unit, 0, stripe.unit);
            let end = stored.len() as u64 + stripe.length;
            for shard in 0..self.data() {
                let asked = !left_out.contains(&shard);
                let held = asked.then(|| self.read_shard(Patience::Whole, shard, blocks)).flatten();
                stored.extend(match held {
                    Some(unit) => unit,
                    None => self.rebuild(Patience::Whole, (shard, left_out), blocks)?,
                });
            }
            stored.truncate(usize::try_from(end).map_err(io::Error::other)?);
        }
        Ok(stored)
    }

    fn malformed(&self, what: &str) -> SegmentError {
        SegmentError::Malformed { segment: self.info.id, what: what.to_owned() }
    }
}

/// Every choice of `count` numbers below `end`.
fn subsets(end: usize, count: usize) -> impl Iterator<Item = Vec<usize>> {
    let first: Vec<usize> = (0..count).collect();
    let next = move |held: &Vec<usize>| {
        let mut next = held.clone();
        let place = (0..count).rev().find(|place| next.get(*place).is_some_and(|at| *at < end - count + place))?;
        let start = next.get(place)? + 1;
        for (offset, slot) in next.iter_mut().skip(place).enumerate() {
            *slot = start + offset;
        }
        Some(next)
    };
    std::iter::successors((count <= end).then_some(first), next)
}

fn cut(data: &[u8], start: u64, length: usize) -> &[u8] {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    data.get(start..start.saturating_add(length)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::subsets;

    #[test]
    fn every_subset_is_named_once() {
        let of: Vec<Vec<usize>> = subsets(4, 2).collect();
        assert_eq!(of, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]].map(Vec::from));
        assert_eq!(subsets(11, 3).count(), 165);
        assert_eq!((subsets(3, 3).count(), subsets(2, 3).count()), (1, 0));
    }
}
