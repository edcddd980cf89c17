//! Bringing the index up to the last batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::RecoveryResult;
use super::journals::Recovered;
use crate::commit::{Relocation, Shared};
use crate::index::apply::{Applier, Marks};
use crate::index::{Index, IndexError, Space, keys};
use crate::journal::{Entry, Logged};
use crate::segment::{Home, Segment, SegmentInfo, SegmentKind};

/// Entries of one index batch.
pub(super) const SLICE: usize = 1000;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Entries that the index had not seen.
    pub entries: u64,
    /// Segments whose TOC was read.
    pub segments: u64,
    /// The mark of the checkpoint that the index was made from; 0 for none.
    pub checkpoint: u64,
}

/// Applies what the index has not seen: entries of journals, and of TOCs where the index lags behind what was sealed.
///
/// # Errors
/// A TOC that can't be read, or a fault of the index, as is one that lags behind what was erased: the caller makes it
/// anew.
pub fn catch_up(shared: &Shared, recovered: &Recovered) -> RecoveryResult<Replayed> {
    let low = Marks::read(&*shared.index.snapshot())?.agreed()?;
    let mut done = Replayed::default();
    let mut missing: BTreeMap<u64, (u64, Entry)> = BTreeMap::new();
    for info in lagging(recovered, low).ok_or_else(too_far)? {
        done.segments += 1;
        for Logged { lsn, entry } in toc_of(shared, info)?.into_iter().filter(|logged| logged.lsn > low) {
            missing.insert(lsn, (info.id, entry));
        }
    }
    for (file, Logged { lsn, entry }) in recovered.entries.iter().filter(|(_, logged)| logged.lsn > low) {
        missing.entry(*lsn).or_insert_with(|| (*file, entry.clone()));
    }
    if missing.values().any(|(_, entry)| matches!(entry, Entry::Erased { .. })) {
        return Err(too_far().into());
    }
    done.entries = missing.len() as u64;
    let mut missing = missing.into_iter().peekable();
    while missing.peek().is_some() {
        let snapshot = shared.index.snapshot();
        let mut applier = Applier::new(&*snapshot);
        for taken in 0..SLICE {
            let fits = |(_, (_, entry)): &(u64, (u64, Entry))| taken == 0 || !Applier::begins_batch(entry);
            let Some((lsn, (home, entry))) = missing.next_if(fits) else { break };
            applier.apply(lsn, home, &entry)?;
        }
        shared.index.write(applier.finish())?;
    }
    Ok(done)
}

fn too_far() -> IndexError {
    IndexError("it lags behind what was erased".into())
}

/// What journals became whose entries the index may not have seen, without a gap up to the journals that are there;
/// `None` where there is one. Compaction's segments don't count: they carry no death whose victims they dropped, nor
/// what moved a row to them.
fn lagging(recovered: &Recovered, low: u64) -> Option<Vec<&SegmentInfo>> {
    let mut begins = recovered.entries.first().map_or(recovered.next_lsn, |(_, logged)| logged.lsn);
    let mut lagging = Vec::new();
    while low + 1 < begins {
        let mut own = recovered.segments.values().filter(|info| info.sources.is_empty());
        let before = own.find(|info| info.kind == SegmentKind::Packed && info.last_lsn + 1 == begins)?;
        begins = before.first_lsn;
        lagging.push(before);
    }
    Some(lagging)
}

pub(super) fn toc_of(shared: &Shared, info: &SegmentInfo) -> RecoveryResult<Vec<Logged>> {
    match shared.table.get(info.id) {
        Some(Home::Segment(segment)) => Ok(segment.read_toc()?),
        _ => Ok(Vec::new()),
    }
}

/// The moves that a compaction's output still asks for: rows whose entry it carries and that name a source.
///
/// # Errors
/// Its TOC can't be read.
pub fn relocations(segment: &Segment, index: &Arc<dyn Index>) -> RecoveryResult<Vec<Relocation>> {
    let snapshot = index.snapshot();
    let mut moves = Vec::new();
    for Logged { lsn, entry } in segment.read_toc()? {
        let Some(place) = entry.place() else { continue };
        let from = match place.find(&*snapshot, lsn)? {
            Some(standing) if standing.home == segment.info.id => continue,
            Some(standing) => standing.home,
            None => {
                let dead = |source: &&u64| matches!(snapshot.get(Space::Dead, &keys::dead(**source, lsn)), Ok(Some(_)));
                segment.info.sources.iter().find(dead).copied().unwrap_or(0)
            }
        };
        let extents = entry.record().map(|record| record.extents.clone());
        moves.push(Relocation { place, lsn, from, to: segment.info.id, extents });
    }
    Ok(moves)
}
