//! Carrying what lives out of some packed segments into a new one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::may_hold;
use crate::commit::Shared;
use crate::commit::log::durable_lsn;
use crate::index::{IndexError, Snapshot, Space, keys};
use crate::journal::{Entry, Logged};
use crate::record::Extent;
use crate::sealing::{blank, range_of};
use crate::segment::pack::{Rest, write_packed};
use crate::segment::toc::TocBuilder;
use crate::segment::{Home, Segment, SegmentError, SegmentInfo};

/// What compaction made; nothing names it yet.
#[derive(Debug)]
pub enum Compacted {
    Segment(SegmentInfo),
    /// Nothing in the sources had to be carried.
    Nothing,
}

/// An entry to be carried, and where its bytes come from.
struct Carried {
    entry: Entry,
    data: Option<(Arc<Segment>, Extent)>,
}

/// Copies what lives in `sources` to a new packed segment.
///
/// # Errors
/// A source that can't be read, too few drives, or no space; the sources are as they were.
pub fn compact(shared: &Shared, sources: &[u64], rest: &Rest<'_>) -> Result<Compacted, SegmentError> {
    let begun_lsn = durable_lsn(shared);
    let snapshot = shared.index.snapshot();
    let mut carried: BTreeMap<u64, Carried> = BTreeMap::new();
    for id in sources {
        let Some(Home::Segment(segment)) = shared.table.get(*id) else { continue };
        for Logged { lsn, entry } in segment.read_toc()? {
            if let Some(kept) = keep(shared, &*snapshot, &segment, lsn, entry).map_err(io::Error::other)? {
                carried.insert(lsn, kept);
            }
        }
    }
    if carried.is_empty() {
        return Ok(Compacted::Nothing);
    }
    let id = shared.take_file_id();
    let mut layout = Layout::default();
    let mut toc = TocBuilder::default();
    for (lsn, Carried { mut entry, data }) in carried {
        if let Some((segment, extent)) = data {
            let offset = layout.length;
            if let Some(record) = entry.record_mut() {
                for held in record.extents.iter_mut().filter(|held| held.segment == segment.info.id) {
                    *held = Extent { segment: id, offset, ..*held };
                }
            }
            layout.push(segment, extent);
        }
        toc.push(lsn, &entry);
    }
    let info = blank(shared, id)?;
    let payload = layout.length;
    let mut source = |offset: u64, piece: &mut [u8]| layout.read(offset, piece);
    let mut info = write_packed(&shared.hardware, info, payload, toc.finish()?, &mut source, rest)?;
    info.begun_lsn = begun_lsn;
    info.sources = sources.to_vec();
    Ok(Compacted::Segment(info))
}

/// The records of the new payload end to end, read from their sources when they are written: each against its hash.
#[derive(Default)]
struct Layout {
    records: Vec<(u64, Arc<Segment>, Extent)>,
    length: u64,
    /// The record that was read last, by its place.
    held: Option<(usize, Vec<u8>)>,
}

impl Layout {
    fn push(&mut self, segment: Arc<Segment>, extent: Extent) {
        self.records.push((self.length, segment, extent));
        self.length += extent.length;
    }

    fn read(&mut self, offset: u64, piece: &mut [u8]) -> io::Result<()> {
        let end = offset + piece.len() as u64;
        let first = self.records.partition_point(|(start, _, extent)| start + extent.length <= offset);
        for (place, (start, segment, extent)) in self.records.iter().enumerate().skip(first) {
            if *start >= end {
                break;
            }
            if self.held.as_ref().is_none_or(|(had, _)| *had != place) {
                self.held = Some((place, segment.read_record(extent).map_err(io::Error::other)?));
            }
            let Some((_, record)) = &self.held else { continue };
            let (from, to) = ((*start).max(offset), (start + extent.length).min(end));
            let target = range_of(offset, from, to).and_then(|range| piece.get_mut(range));
            let found = range_of(*start, from, to).and_then(|range| record.get(range));
            match (target, found) {
                (Some(target), Some(found)) => target.copy_from_slice(found),
                _ => return Err(io::Error::other("a record that is shorter than its extent")),
            }
        }
        Ok(())
    }
}

/// Applies the rules of the module above to one entry.
fn keep(
    shared: &Shared,
    snapshot: &dyn Snapshot,
    segment: &Arc<Segment>,
    lsn: u64,
    mut entry: Entry,
) -> Result<Option<Carried>, IndexError> {
    let dead = snapshot.get(Space::Dead, &keys::dead(segment.info.id, lsn))?.is_some();
    let kills: Vec<_> = entry.kills().iter().filter(|target| may_hold(shared, target, lsn)).copied().collect();
    if dead || !entry.lasts() {
        let grave = (!kills.is_empty()).then_some(Carried { entry: Entry::Grave { kills }, data: None });
        return Ok(grave);
    }
    if let Some(place) = entry.place() {
        let held = place.find(snapshot, lsn)?;
        if held.is_some_and(|standing| standing.home != segment.info.id) {
            return Ok(None);
        }
    }
    entry.set_kills(kills);
    let own = entry.record().and_then(|record| record.extents.iter().find(|extent| extent.segment == segment.info.id));
    let data = own.map(|extent| (segment.clone(), *extent));
    Ok(Some(Carried { entry, data }))
}
