//! Reading a segment: one `pread` where all is well, parity where not.
//!
//! A record of a packed segment is checked by its hash alone; only when that fails, or a shard is missing, do block CRCs
//! say which shard is wrong. Pieces of a stream are always checked by block CRCs, since a range has no hash.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::shard::{self, Blocks};
use super::stripe::stripe_at;
use super::{SegmentError, SegmentInfo, toc};
use crate::checksum::{BLOCK, record_hash};
use crate::drive::{DriveFile, DriveNumber, Member};
use crate::erasure::Code;
use crate::journal::Logged;
use crate::record::Extent;

#[derive(Debug)]
struct ShardHandle {
    member: Option<Arc<Member>>,
    /// Opened on first use; `None` where it could not be, or is not the shard it should be.
    file: OnceLock<Option<Arc<dyn DriveFile>>>,
}

#[derive(Debug)]
pub struct Segment {
    pub info: SegmentInfo,
    appliance: u128,
    shards: Vec<ShardHandle>,
    code: Arc<Code>,
}

impl Segment {
    #[must_use]
    pub fn new(
        info: SegmentInfo,
        appliance: u128,
        members: &BTreeMap<DriveNumber, Arc<Member>>,
        code: Arc<Code>,
    ) -> Self {
        let shards = info
            .drives
            .iter()
            .map(|number| ShardHandle { member: members.get(number).cloned(), file: OnceLock::new() })
            .collect();
        Self { info, appliance, shards, code }
    }

    fn data(&self) -> usize {
        usize::from(self.info.profile.data)
    }

    /// The shard's file, if its drive is in use and it is what it should be.
    fn file(&self, shard: usize) -> Option<&Arc<dyn DriveFile>> {
        let handle = self.shards.get(shard)?;
        let member = handle.member.as_ref().filter(|member| member.online())?;
        handle
            .file
            .get_or_init(|| {
                let path = shard::path_of(self.info.id, shard);
                let opened = member.drive.open(&path).and_then(|file| {
                    let mut block = vec![0; BLOCK];
                    file.read_at(0, &mut block)?;
                    shard::check_header(&block, self.appliance, &self.info, shard)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                    Ok(file)
                });
                opened.map_err(|error| member.note_fault(format!("{path}: {error}"))).ok()
            })
            .as_ref()
    }

    fn note_fault(&self, shard: usize, error: &io::Error) {
        if let Some(member) = self.shards.get(shard).and_then(|handle| handle.member.as_ref()) {
            member.note_fault(format!("{}: {error}", shard::path_of(self.info.id, shard)));
        }
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
            if !self.file(shard)?.read_cached_at(BLOCK as u64 + start, piece).ok()? {
                return None;
            }
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

    /// Payload bytes of a packed segment; `checked` against block CRCs, and rebuilt where these say so.
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
                let from = out.len();
                out.resize(from + here, 0);
                let file = self.file(shard).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
                file.read_at(BLOCK as u64 + start, out.get_mut(from..).unwrap_or_default())?;
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

    /// Blocks of a data shard, from it or from the others.
    fn read_blocks(&self, shard: usize, blocks: Blocks) -> Result<Vec<u8>, SegmentError> {
        if let Some(file) = self.file(shard) {
            match blocks.read(file, self.info.id, shard) {
                Ok(data) => return Ok(data),
                Err(error) => self.note_fault(shard, &error),
            }
        }
        self.rebuild(shard, blocks)
    }

    /// Blocks of a shard, from the same range of others that pass their checks.
    fn rebuild(&self, lost: usize, blocks: Blocks) -> Result<Vec<u8>, SegmentError> {
        let mut range: Vec<Option<Vec<u8>>> = vec![None; self.shards.len()];
        let mut healthy = 0;
        for (shard, slot) in range.iter_mut().enumerate().filter(|(shard, _)| *shard != lost) {
            if healthy == self.data() {
                break;
            }
            let Some(file) = self.file(shard) else { continue };
            match blocks.read(file, self.info.id, shard) {
                Ok(data) => {
                    *slot = Some(data);
                    healthy += 1;
                }
                Err(error) => self.note_fault(shard, &error),
            }
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
        for shard in 0..self.shards.len() {
            let whole = match (self.shards.get(shard).and_then(|handle| handle.member.as_ref()), self.file(shard)) {
                (None, _) => continue,
                (Some(member), None) => Err(io::Error::other(format!("not there ({})", member.drive.path()))),
                (Some(_), Some(file)) => self.scrub_shard(shard, file),
            };
            if let Err(error) = whole {
                self.note_fault(shard, &error);
                faults.push(format!("{}: {error}", shard::path_of(self.info.id, shard)));
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
            for shard in 0..self.shards.len() {
                let Some(file) = self.file(shard) else { continue };
                if let Err(error) = blocks.read(file, self.info.id, shard) {
                    self.note_fault(shard, &error);
                    faults.push(format!("{} at row {}: {error}", shard::path_of(self.info.id, shard), stripe.row));
                }
            }
            at += stripe.length;
        }
        faults
    }

    fn scrub_shard(&self, shard: usize, file: &Arc<dyn DriveFile>) -> io::Result<()> {
        if self.info.kind == super::SegmentKind::Stream {
            // Units of a stream are checked with the records that they belong to: see `scrub_extent`.
            return Ok(());
        }
        let step = 1 << 20;
        let mut at = 0;
        while at < self.info.shard_length {
            let end = (at + step).min(self.info.shard_length);
            Blocks::of_packed(&self.info, at, end).read(file, self.info.id, shard)?;
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
