//! Winning dead space back, and bringing what lives to the pool that it belongs to: [`choose`] says which segments, the rest
//! carries what lives to new ones.
//!
//! What is dead is known by presence alone: a row in the `dead` space, which only a kill that was journalled puts there.
//! What is not known to be dead is carried. Rules for each entry of a source:
//!
//! * dead, and it killed nothing that a live file may still hold: dropped;
//! * dead or a pure kill, and it did: its kills are carried as a `Grave` with the same LSN;
//! * it lives and its row says that it stands elsewhere (an earlier run was cut short): left to the other copy;
//! * otherwise carried with its LSN, record id and hash as they are.
//!
//! A kill may be forgotten when no live file can hold its target: the file it names is erased, and so is everything that
//! was made of that file by a compaction which had begun before the kill.
//!
//! Order: shards synced → `Sealed` of all that was made, in one batch → rows moved by compare-and-set in slices → index persisted → `Erased` → files
//! unlinked. Cut short before `Sealed` it leaves files that nothing names; after it, recovery moves the rest.

mod carry;
mod choose;
mod restream;

pub use carry::{Made, compact};
pub use choose::{Choice, FileFacts, choose};
pub use restream::{Tenant, copy, shared, tenants, together, walk};

use std::sync::Arc;

use crate::commit::Shared;
use crate::drive::Member;
use crate::index::{IndexResult, Space, keys};
use crate::journal::{Entry, Target};
use crate::segment::{Home, Segment, SegmentError, SegmentInfo, shard};

/// Whether some live file may hold `target` of a kill at `lsn`.
#[must_use]
pub fn may_hold(shared: &Shared, target: &Target, lsn: u64) -> bool {
    let table = shared.table.all();
    table.contains_key(&target.file)
        || table.values().any(|home| match home {
            Home::Segment(segment) => segment.info.sources.contains(&target.file) && lsn >= segment.info.begun_lsn,
            Home::Journal(_) => false,
        })
}

/// A compaction whose sources are still there though all that it made is sealed.
#[derive(Debug)]
pub struct CutShort {
    pub made: Vec<Arc<Segment>>,
    pub sources: Vec<u64>,
}

/// One that was cut short, if there is any: what is left of it is to move the rows to each of the segments that it made, and
/// only then to erase its sources.
#[must_use]
pub fn cut_short(shared: &Shared) -> Option<CutShort> {
    let sealed = shared.table.sealed();
    let is_there = |source: &&u64| shared.table.get(**source).is_some();
    let sources = sealed.iter().map(|made| made.info.sources.iter().filter(is_there).copied().collect::<Vec<_>>());
    let sources = sources.into_iter().find(|sources| !sources.is_empty())?;
    let is_of = |made: &Arc<Segment>| made.info.sources.iter().any(|source| sources.contains(source));
    Some(CutShort { made: sealed.into_iter().filter(is_of).collect(), sources })
}

/// Whether every entry that ever had bytes in a sealed stream is known to be dead.
///
/// # Errors
/// Its TOC can't be read, or the index.
pub fn stream_is_dead(shared: &Shared, segment: &Segment) -> Result<bool, SegmentError> {
    let index_fault = |error: crate::index::IndexError| SegmentError::Io(std::io::Error::other(error));
    let snapshot = shared.index.snapshot();
    for logged in segment.read_toc()? {
        let Entry::Claims(claims) = logged.entry else { return Ok(false) };
        for claim in claims {
            let dead = snapshot.get(Space::Dead, &keys::dead(segment.info.id, claim.lsn)).map_err(index_fault)?;
            if dead.is_none() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Unlinks the shard files of an erased segment.
pub fn unlink(shared: &Shared, info: &SegmentInfo) {
    for (number, place) in info.drives.iter().zip(0..) {
        let Some(member) = shared.hardware.in_use(*number) else { continue };
        let path = shard::path_of(info.id, place);
        if let Err(error) = member.drive.remove(&path) {
            note(&member, &path, &error);
        }
    }
}

fn note(member: &Member, path: &str, error: &std::io::Error) {
    member.note_fault(format!("{path}: {error}"));
}

/// Bytes that entries claimed of a sealed stream, by its TOC.
///
/// # Errors
/// That can't be read.
pub fn claimed(segment: &Segment) -> Result<u64, SegmentError> {
    let toc = segment.read_toc()?;
    let claims = toc.iter().filter_map(|logged| match &logged.entry {
        Entry::Claims(claims) => Some(claims.iter().map(|claim| claim.bytes).sum::<u64>()),
        _ => None,
    });
    Ok(claims.sum())
}

/// Live bytes and dead entries of a file, as the index counts them.
///
/// # Errors
/// A fault of the index.
pub fn tally(shared: &Shared, file: u64) -> IndexResult<crate::index::row::FileTally> {
    let held = shared.index.snapshot().get(Space::Tallies, &keys::file_tally(file))?;
    Ok(held.map(|value| crate::index::row::FileTally::decode(&value)).transpose()?.unwrap_or_default())
}
