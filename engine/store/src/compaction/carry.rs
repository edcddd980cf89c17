//! Carrying what lives out of some packed segments into new ones, one in each pool that it belongs to.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::{may_hold, unlink};
use crate::commit::Shared;
use crate::commit::log::durable_lsn;
use crate::index::{IndexError, Place, Snapshot, Space, keys};
use crate::journal::{Entry, Logged};
use crate::placement::{Belongings, foremost};
use crate::record::Extent;
use crate::sealing::{blank, range_of};
use crate::segment::pack::{Rest, write_packed};
use crate::segment::toc::TocBuilder;
use crate::segment::{Home, Segment, SegmentError, SegmentInfo};

/// A segment that compaction made.
#[derive(Debug)]
pub struct Made {
    pub info: SegmentInfo,
    /// Bytes in it that stood in another pool.
    pub moved: u64,
}

/// An entry to be carried, and where its bytes come from.
struct Carried {
    entry: Entry,
    data: Option<(Arc<Segment>, Extent)>,
}

/// Copies what lives in `sources` to new packed segments, one in each pool that some of it belongs to; none where nothing had
/// to be carried. Nothing names them yet: they are committed together, since each holds a part of the sources.
///
/// # Errors
/// A source that can't be read, too few drives, or no space; the sources are as they were.
pub fn compact(shared: &Shared, sources: &[u64], rest: &Rest<'_>) -> Result<Vec<Made>, SegmentError> {
    let begun_lsn = durable_lsn(shared);
    let carried = carried(shared, sources)?;
    let mut made = Vec::new();
    for (pool, carried) in by_pool(shared, carried) {
        let came = carried.values().filter_map(|carried| carried.data.as_ref());
        let moved = came.filter(|(from, _)| from.info.pool != pool).map(|(_, extent)| extent.length).sum();
        match write(shared, pool, carried, rest) {
            Ok(info) => made.push(Made { info: SegmentInfo { begun_lsn, sources: sources.to_vec(), ..info }, moved }),
            Err(error) => {
                // Nothing will ever name what is whole already.
                made.iter().for_each(|made| unlink(shared, &made.info));
                return Err(error);
            }
        }
    }
    Ok(made)
}

/// What has to be carried, by LSN.
fn carried(shared: &Shared, sources: &[u64]) -> Result<BTreeMap<u64, Carried>, SegmentError> {
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
    Ok(carried)
}

/// The same by pool. What has no bytes goes where most bytes go.
fn by_pool(shared: &Shared, carried: BTreeMap<u64, Carried>) -> BTreeMap<u8, BTreeMap<u64, Carried>> {
    let landing = shared.hardware.landing_pool().map_or(0, |pool| pool.number);
    if carried.is_empty() {
        return BTreeMap::new();
    }
    let (mut pools, mut others) = (BTreeMap::<u8, BTreeMap<u64, Carried>>::new(), BTreeMap::new());
    let mut belongings = Belongings::new();
    for (lsn, carried) in carried {
        let Some((from, extent)) = &carried.data else {
            others.insert(lsn, carried);
            continue;
        };
        // Where its own pool can't take it, it stays in the one that it is in: that has the reserve for it.
        let own = shared.pool_of_entry(&carried.entry).map(|pool| pool.number);
        let pool = own.filter(|number| shared.can_take(*number)).unwrap_or(from.info.pool);
        *belongings.entry(pool).or_default() += extent.length;
        pools.entry(pool).or_default().insert(lsn, carried);
    }
    if !others.is_empty() {
        pools.entry(foremost(&belongings).unwrap_or(landing)).or_default().append(&mut others);
    }
    pools
}

/// Writes one segment: its TOC in the order of LSNs, its records folder by folder.
fn write(
    shared: &Shared,
    pool: u8,
    mut carried: BTreeMap<u64, Carried>,
    rest: &Rest<'_>,
) -> Result<SegmentInfo, SegmentError> {
    let id = shared.take_file_id();
    let mut layout = Layout::default();
    for lsn in by_folder(&carried) {
        let Some(Carried { entry, data }) = carried.get_mut(&lsn) else { continue };
        let Some((segment, extent)) = data.take() else { continue };
        let offset = layout.length;
        if let Some(record) = entry.record_mut() {
            for held in record.extents.iter_mut().filter(|held| held.segment == segment.info.id) {
                *held = Extent { segment: id, offset, ..*held };
            }
        }
        layout.push(segment, extent);
    }
    let mut toc = TocBuilder::default();
    carried.iter().for_each(|(lsn, carried)| toc.push(*lsn, &carried.entry));
    let pool = shared.hardware.pool(pool).or_else(|| shared.hardware.landing_pool());
    let info = blank(id, pool.as_deref())?;
    let payload = layout.length;
    let mut source = |offset: u64, piece: &mut [u8]| layout.read(offset, piece);
    write_packed(&shared.hardware, info, payload, toc.finish()?, &mut source, rest)
}

/// What has bytes, so that what is in one folder of a bucket comes together: it is read and moved together. Within a folder it
/// stays in the order of LSNs, which is that of the sources: each of them is read from end to end, once for each folder.
fn by_folder(carried: &BTreeMap<u64, Carried>) -> Vec<u64> {
    let folder = |entry: &Entry| match entry.place() {
        Some(Place::Version { bucket, mut key, .. }) => {
            key.truncate(key.rfind('/').map_or(0, |slash| slash + 1));
            Some((bucket, key))
        }
        _ => None,
    };
    let with_bytes = carried.iter().filter(|(_, carried)| carried.data.is_some());
    let mut order: Vec<_> = with_bytes.map(|(lsn, carried)| (folder(&carried.entry), *lsn)).collect();
    order.sort();
    order.into_iter().map(|(_, lsn)| lsn).collect()
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
