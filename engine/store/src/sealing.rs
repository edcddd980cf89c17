//! Turning what is closed into segments: journals and streams.
//!
//! Order of durability: shards and directories synced → `Sealed` journalled → index batch → index persisted with sync →
//! the journal's files given back, once no reader holds them. A crash before `Sealed` leaves shard files that nothing
//! names; after it, a journal file that nothing needs. Recovery removes both.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use crate::commit::Shared;
use crate::journal::file::Place;
use crate::journal::merge;
use crate::journal::{Claim, Entry, Journal, Logged};
use crate::placement::{Belongings, foremost};
use crate::pool::Pool;
use crate::record::{Extent, Record};
use crate::segment::pack::{Rest, write_packed};
use crate::segment::stream::OpenStream;
use crate::segment::toc::TocBuilder;
use crate::segment::{SegmentError, SegmentInfo, SegmentKind};

/// A batch of a closed journal, from whichever copy has it right.
fn read_batch(journal: &Journal, place: &Place) -> io::Result<(Vec<Logged>, Vec<u8>)> {
    let mut fault = io::Error::new(io::ErrorKind::NotFound, "no copy of the journal is in use");
    for copy in journal.copies.iter().filter(|copy| copy.member.online()) {
        match merge::read_whole(&*copy.file, journal.key, place.batch, place.batch_length) {
            Ok(read) => return Ok(read),
            Err(error) => {
                copy.member.note_fault(format!("journal {:016x}: {error}", journal.id));
                fault = error;
            }
        }
    }
    Err(fault)
}

/// All entries of a journal so far.
///
/// # Errors
/// A batch that no copy has right any more.
pub fn entries(journal: &Journal) -> io::Result<Vec<Logged>> {
    let mut entries = Vec::new();
    for place in journal.places() {
        entries.extend(read_batch(journal, &place)?.0);
    }
    Ok(entries)
}

/// What sealing a journal came to.
#[derive(Debug)]
pub enum SealedJournal {
    /// The segment, and what in it belongs to other pools than its own.
    Segment(SegmentInfo, Belongings),
    /// It held nothing that lasts.
    Empty,
}

/// Writes the segment that a closed journal becomes. Offsets stay, so no index entry changes.
///
/// # Errors
/// Too few drives, no space, or a batch that no copy has right any more.
pub fn seal_journal(shared: &Shared, journal: &Journal, rest: &Rest<'_>) -> Result<SealedJournal, SegmentError> {
    let places = journal.places();
    let mut toc = TocBuilder::default();
    let mut lasting = false;
    let several = shared.has_several_pools();
    let mut belongings = Belongings::new();
    for Logged { lsn, entry } in entries(journal)? {
        let matters = entry.lasts() || !entry.kills().is_empty();
        lasting |= matters;
        if several && let Some(pool) = shared.pool_of_entry(&entry) {
            *belongings.entry(pool.number).or_default() += entry.record().map_or(0, Record::stored);
        }
        // What was erased says to an index that lags what it can't be told any more.
        if matters || matches!(entry, Entry::Erased { .. }) {
            toc.push(lsn, &entry);
        }
    }
    if !lasting {
        return Ok(SealedJournal::Empty);
    }
    let info = blank(journal.id, shared.pool_to_seal_to(foremost(&belongings)).as_deref())?;
    belongings.remove(&info.pool);
    let mut held: Option<(Place, Vec<u8>)> = None;
    let mut source = |offset: u64, piece: &mut [u8]| read_payload(journal, &places, &mut held, offset, piece);
    let mut info = write_packed(&shared.hardware, info, journal.payload(), toc.finish()?, &mut source, rest)?;
    // All of the journal counts as seen once its TOC is.
    info.first_lsn = journal.first_lsn.load(std::sync::atomic::Ordering::Acquire);
    info.last_lsn = journal.last_lsn.load(std::sync::atomic::Ordering::Acquire);
    Ok(SealedJournal::Segment(info, belongings))
}

fn read_payload(
    journal: &Journal,
    places: &[Place],
    held: &mut Option<(Place, Vec<u8>)>,
    offset: u64,
    piece: &mut [u8],
) -> io::Result<()> {
    let end = offset + piece.len() as u64;
    let first = places.partition_point(|place| place.logical + place.length <= offset);
    for place in places.iter().skip(first).take_while(|place| place.logical < end) {
        if held.as_ref().is_none_or(|(had, _)| had != place) {
            *held = Some((*place, read_batch(journal, place)?.1));
        }
        let Some((_, data)) = held else { continue };
        let from = place.logical.max(offset);
        let to = (place.logical + place.length).min(end);
        let target = range_of(offset, from, to).and_then(|range| piece.get_mut(range));
        let found = range_of(place.logical, from, to).and_then(|range| data.get(range));
        match (target, found) {
            (Some(target), Some(found)) => target.copy_from_slice(found),
            _ => return Err(io::Error::other("a batch that is shorter than its place")),
        }
    }
    Ok(())
}

/// `from..to` as a range of a slice whose first byte stands at `base`.
pub(crate) fn range_of(base: u64, from: u64, to: u64) -> Option<std::ops::Range<usize>> {
    Some(usize::try_from(from.checked_sub(base)?).ok()?..usize::try_from(to.checked_sub(base)?).ok()?)
}

/// A packed segment that has an id and drives of a pool, and nothing in it.
///
/// # Errors
/// There is no pool, or it has too few drives in use.
pub fn blank(id: u64, pool: Option<&Pool>) -> Result<SegmentInfo, SegmentError> {
    let too_few = |needed| SegmentError::TooFewShards { segment: id, healthy: 0, needed };
    let pool = pool.ok_or_else(|| too_few(1))?;
    let drives = pool.place(id).ok_or_else(|| too_few(usize::from(pool.profile.data)))?;
    Ok(SegmentInfo::new(id, SegmentKind::Packed, pool, drives))
}

/// Ends a stream that no request holds, with who has bytes in it.
///
/// # Errors
/// Too few drives, or no space.
pub fn seal_stream(shared: &Shared, stream: OpenStream, claims: Vec<Claim>) -> Result<SegmentInfo, SegmentError> {
    let last_lsn = claims.iter().map(|claim| claim.lsn).max();
    let mut toc = TocBuilder::default();
    toc.push(last_lsn.unwrap_or(stream.info.first_lsn), &Entry::Claims(claims));
    let first_lsn = stream.info.first_lsn;
    let mut info = stream.finish(&shared.hardware, toc.finish()?)?;
    // Room that stripes take, since claims name the same bytes once for a part and again for the object.
    info.payload = info.toc.offset * u64::from(info.profile.data);
    info.first_lsn = first_lsn;
    Ok(info)
}

/// Who has bytes in a stream that a crash left open: by every entry since it was opened, from TOCs and journals. The entry
/// that claimed them may be gone, as that of a part is once compaction has dropped it; what took its bytes over names the
/// claim.
///
/// # Errors
/// A TOC or journal that can't be read.
pub fn find_claims(shared: &Shared, info: &SegmentInfo) -> Result<Vec<Claim>, SegmentError> {
    let mut claims = BTreeMap::new();
    let mut take = |logged: &Logged| {
        let extents = logged.entry.record().map(|record| record.extents.as_slice()).unwrap_or_default();
        note_claims(&mut claims, info.id, extents);
    };
    let table: BTreeMap<_, _> = shared.table.all().iter().map(|(id, home)| (*id, home.clone())).collect();
    for home in table.values() {
        match home {
            crate::segment::Home::Segment(segment) => {
                if segment.info.kind == SegmentKind::Packed && segment.info.last_lsn >= info.first_lsn {
                    segment.read_toc()?.iter().for_each(&mut take);
                }
            }
            crate::segment::Home::Journal(journal) => {
                entries(journal)?.iter().for_each(&mut take);
            }
        }
    }
    Ok(claims.into_iter().map(|(lsn, bytes)| Claim { lsn, bytes }).collect())
}

/// Notes what one record names of a stream's bytes, by claim; of several records that name a claim, the one with most of it
/// tells how much it is.
fn note_claims(claims: &mut BTreeMap<u64, u64>, stream: u64, extents: &[Extent]) {
    let mut named: BTreeMap<u64, u64> = BTreeMap::new();
    for extent in extents.iter().filter(|extent| extent.segment == stream && extent.claim != 0) {
        *named.entry(extent.claim).or_default() += extent.length;
    }
    for (claim, bytes) in named {
        let held = claims.entry(claim).or_default();
        *held = bytes.max(*held);
    }
}

/// Gives the files of a sealed journal back for new journals; `Err` returns it while a reader holds it.
///
/// # Errors
/// The journal, to be tried again later.
pub fn give_back(journal: Arc<Journal>, most_spares: usize, least: u64) -> Result<(), Arc<Journal>> {
    let journal = Arc::try_unwrap(journal)?;
    for copy in journal.copies {
        if copy.member.online()
            && let Err(error) = crate::journal::spare::give_back(&*copy.member.drive, journal.id, most_spares, least)
        {
            copy.member.note_fault(format!("journal {:016x}: {error}", journal.id));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_outlives_the_entry_that_made_it() {
        let extent = |segment, claim, length| Extent { segment, offset: 0, length, part: 1, claim, hash: [0; 16] };
        let mut claims = BTreeMap::new();
        // An upload that was completed; of its part 5, whose entry is gone, it took all, of 6 it shares a stream.
        note_claims(&mut claims, 9, &[extent(9, 5, 100), extent(9, 5, 20), extent(8, 6, 7), extent(9, 6, 3)]);
        note_claims(&mut claims, 9, &[extent(9, 6, 4), extent(9, 0, 50)]);
        note_claims(&mut claims, 9, &[extent(9, 6, 2)]);
        assert_eq!(claims, BTreeMap::from([(5, 120), (6, 4)]));
    }
}
