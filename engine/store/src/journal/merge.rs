//! Reading a journal file back from copies that may have diverged or rotted, batch by batch.
//!
//! A batch counts if any copy has it whole. The log ends only where no copy has that batch or a later one: a later one
//! proves that something acknowledged is missing, and start-up must stop and say so.

use std::io;
use std::sync::Arc;

use super::batch::{BatchHeader, Chain, FileKey, HEADER, chain_of};
use super::file::{FileHeader, Place};
use super::{DIRECTORY, Logged};
use crate::checksum::BLOCK;
use crate::codec::DecodeError;
use crate::drive::{DriveFile, Member};
use crate::epoch::Fence;

/// One copy of a journal file as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub member: Arc<Member>,
    pub file: Arc<dyn DriveFile>,
    pub header: FileHeader,
    pub length: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    #[error(
        "journal {file:016x}: no copy has batch {lsn} whole, but a later one is there: something acknowledged is missing. \
         Bring back the drives that are absent and start again"
    )]
    Hole { file: u64, lsn: u64 },
    #[error("journal {file:016x} can't be read: {error}")]
    Format { file: u64, error: DecodeError },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A batch that counts.
#[derive(Debug)]
pub struct MergedBatch {
    pub header: BatchHeader,
    pub place: Place,
    pub entries: Vec<Logged>,
    pub chain: Chain,
}

#[derive(Debug)]
pub struct Merged {
    pub header: FileHeader,
    pub batches: Vec<MergedBatch>,
    /// Which copies have every batch, in the order they were given.
    pub whole: Vec<bool>,
    /// Which copies have which batch.
    pub have: Vec<Vec<bool>>,
}

/// Finds the journal files on a drive.
///
/// # Errors
/// The drive's. A file that is no journal is passed over: a crash can leave one whose header was never synced.
pub fn find(member: &Arc<Member>, appliance: u128) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for name in member.drive.list(DIRECTORY)? {
        let Some(id) = name.strip_suffix(".journal").and_then(|id| u64::from_str_radix(id, 16).ok()) else { continue };
        let file = member.drive.open(&format!("{DIRECTORY}/{name}"))?;
        let length = file.length()?;
        if length < BLOCK as u64 {
            continue;
        }
        let mut block = vec![0; BLOCK];
        file.read_at(0, &mut block)?;
        let header = match FileHeader::decode(&block) {
            Ok(header) if header.file == id && header.appliance == appliance => Some(header),
            // A crash leaves a spare that was renamed and not yet given its header.
            Ok(_) => None,
            Err(error @ DecodeError::Newer(..)) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            Err(_) => None,
        };
        // Where the header rotted, batches still say what file they are of.
        let header = match header {
            Some(header) => Some(header),
            None => header_of_batches(&*file, id, appliance, length)?,
        };
        found.extend(header.map(|header| Found { member: member.clone(), file, header, length }));
    }
    Ok(found)
}

/// The header of a file that lost it, from any batch of that file; `None` where there is none.
fn header_of_batches(file: &dyn DriveFile, id: u64, appliance: u128, length: u64) -> io::Result<Option<FileHeader>> {
    let mut block = vec![0; BLOCK];
    for number in 1..length / BLOCK as u64 {
        file.read_at(number * BLOCK as u64, &mut block)?;
        if let Ok(batch) = BatchHeader::decode(&block, FileKey::new(appliance, id)) {
            return Ok(Some(FileHeader { appliance, file: id, epoch: batch.epoch, capacity: length }));
        }
    }
    Ok(None)
}

/// A batch as one copy has it.
struct Read {
    header: BatchHeader,
    entries: Vec<Logged>,
    chain: Chain,
}

/// The batch at `offset`, if this copy has it whole.
///
/// # Errors
/// A batch that a newer release wrote: to take it for the log's end would cut off what was acknowledged.
fn read_batch(copy: &Found, offset: u64) -> Result<Option<Read>, MergeError> {
    let mut block = vec![0; BLOCK];
    if offset + BLOCK as u64 > copy.length || copy.file.read_at(offset, &mut block).is_err() {
        return Ok(None);
    }
    let newer = |error| MergeError::Format { file: copy.header.file, error };
    let header = match BatchHeader::decode(&block, copy.header.key()) {
        Ok(header) => header,
        Err(error @ DecodeError::Newer(..)) => return Err(newer(error)),
        Err(_) => return Ok(None),
    };
    if offset.saturating_add(header.length()) > copy.length {
        return Ok(None);
    }
    let used = usize::try_from(header.data_start() + header.data_length).map_err(io::Error::other)?;
    let mut bytes = vec![0; used];
    if copy.file.read_at(offset, &mut bytes).is_err() {
        return Ok(None);
    }
    let Some((meta, data)) = bytes.get(HEADER..).and_then(|rest| rest.split_at_checked(header.meta_length as usize))
    else {
        return Ok(None);
    };
    if header.check_data(data).is_err() {
        return Ok(None);
    }
    let chain = chain_of(&header, &bytes, meta);
    match header.entries(meta) {
        Ok(entries) => Ok(Some(Read { header, entries, chain })),
        Err(DecodeError::Checksum) => Ok(None),
        // The checksum holds, so these are the bytes that were written.
        Err(error) => Err(newer(error)),
    }
}

/// Reads one batch of a file that is known to stand at `offset`: its entries and its records' bytes.
///
/// # Errors
/// The drive's, or [`io::ErrorKind::InvalidData`] where it isn't what was written.
pub fn read_whole(file: &dyn DriveFile, key: FileKey, offset: u64, length: u64) -> io::Result<(Vec<Logged>, Vec<u8>)> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_at(offset, &mut bytes)?;
    let header = BatchHeader::decode(&bytes, key).map_err(invalid)?;
    let start = HEADER + header.meta_length as usize;
    let end = start.saturating_add(usize::try_from(header.data_length).map_err(io::Error::other)?);
    let (Some(meta), Some(data)) = (bytes.get(HEADER..start), bytes.get(start..end)) else {
        return Err(invalid(DecodeError::Short));
    };
    header.check_data(data).map_err(invalid)?;
    let entries = header.entries(meta).map_err(invalid)?;
    bytes.truncate(end);
    bytes.drain(..start);
    Ok((entries, bytes))
}

/// The LSN that a copy begins with, if its first batch is there: then its epoch took effect, unless a fence says otherwise.
#[must_use]
pub fn first_lsn(copy: &Found) -> Option<u64> {
    match read_batch(copy, BLOCK as u64) {
        Ok(read) => read.map(|read| read.header.first_lsn),
        // One that can't be read by this release took effect too, and nothing voids it.
        Err(_) => Some(0),
    }
}

fn is_void(header: &BatchHeader, fences: &[Fence]) -> bool {
    fences.iter().any(|fence| fence.voids(header.epoch, header.first_lsn))
}

/// Merges the copies of one file.
///
/// # Errors
/// [`MergeError::Hole`] where something that was acknowledged is missing.
pub fn merge(copies: &[Found], fences: &[Fence]) -> Result<Merged, MergeError> {
    let header =
        copies.iter().map(|copy| copy.header.clone()).next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let mut merged = Merged { header, batches: Vec::new(), whole: vec![true; copies.len()], have: Vec::new() };
    let mut offset = BLOCK as u64;
    loop {
        let follows = |read: &Read| {
            !is_void(&read.header, fences)
                && merged.batches.last().is_none_or(|last: &MergedBatch| {
                    read.header.previous == last.chain && read.header.first_lsn == last.header.last_lsn() + 1
                })
        };
        let reads: Vec<Option<Read>> = copies
            .iter()
            .map(|copy| Ok(read_batch(copy, offset)?.filter(&follows)))
            .collect::<Result<_, MergeError>>()?;
        let have: Vec<bool> = reads.iter().map(Option::is_some).collect();
        let Some(read) = reads.into_iter().flatten().next() else { break };
        for (whole, has) in merged.whole.iter_mut().zip(&have) {
            *whole &= has;
        }
        let length = read.header.length();
        let place = Place {
            logical: read.header.data_offset,
            physical: offset + read.header.data_start(),
            length: read.header.data_length,
            batch: offset,
            batch_length: length,
        };
        merged.have.push(have);
        merged.batches.push(MergedBatch { header: read.header, place, entries: read.entries, chain: read.chain });
        offset += length;
    }
    let next = merged.batches.last().map_or(0, |last| last.header.last_lsn() + 1);
    for copy in copies {
        if later_batch(copy, offset, next, fences)? {
            return Err(MergeError::Hole { file: copy.header.file, lsn: next });
        }
    }
    Ok(merged)
}

/// Whether a copy has a valid batch somewhere behind `offset` with an LSN above `next`.
fn later_batch(copy: &Found, offset: u64, next: u64, fences: &[Fence]) -> Result<bool, MergeError> {
    let key = copy.header.key();
    const STEP: u64 = 1 << 20;
    let mut at = offset;
    while at < copy.length {
        let here = usize::try_from(STEP.min(copy.length - at)).unwrap_or(BLOCK);
        let mut bytes = vec![0; here];
        // What can't be read can't prove anything; another copy may.
        if copy.file.read_at(at, &mut bytes).is_ok() {
            for (block, number) in bytes.chunks_exact(BLOCK).zip(0u64..) {
                let Ok(header) = BatchHeader::decode(block, key) else { continue };
                let place = at + number * BLOCK as u64;
                if header.first_lsn > next && !is_void(&header, fences) && read_batch(copy, place)?.is_some() {
                    return Ok(true);
                }
            }
        }
        at += STEP;
    }
    Ok(false)
}
