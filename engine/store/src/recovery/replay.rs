//! Bringing the index up to the last batch, or making it anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::journals::Recovered;
use super::{Progress, RecoveryResult};
use crate::commit::{Relocation, Shared};
use crate::index::apply::{Applier, Marks};
use crate::index::keys;
use crate::index::row;
use crate::index::{Index, IndexError, IndexResult, Space};
use crate::journal::{Entry, Logged, Target};
use crate::segment::{Home, Segment, SegmentInfo, SegmentKind};

/// Entries of one index batch.
const SLICE: usize = 1000;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Entries that the index had not seen.
    pub entries: u64,
    /// Segments whose TOC was read.
    pub segments: u64,
}

/// Applies what the index has not seen: entries of journals, and of TOCs where the index lags behind what was sealed.
///
/// # Errors
/// A TOC that can't be read, or a fault of the index, as is one that lags behind what was erased: the caller makes it
/// anew.
pub fn catch_up(shared: &Shared, recovered: &Recovered) -> RecoveryResult<Replayed> {
    let marks = Marks::read(&*shared.index.snapshot())?;
    let low = marks.lowest();
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
    let missing: Vec<_> = missing.into_iter().collect();
    for slice in missing.chunks(SLICE) {
        let snapshot = shared.index.snapshot();
        let mut applier = Applier::new(&*snapshot, marks.clone());
        for (lsn, (home, entry)) in slice {
            applier.apply(*lsn, *home, entry)?;
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

fn toc_of(shared: &Shared, info: &SegmentInfo) -> RecoveryResult<Vec<Logged>> {
    match shared.table.get(info.id) {
        Some(Home::Segment(segment)) => Ok(segment.read_toc()?),
        _ => Ok(Vec::new()),
    }
}

/// Makes an empty index from the live entries of all TOCs and journals.
///
/// # Errors
/// A TOC that can't be read even with parity, or a fault of the index.
pub fn rebuild(shared: &Shared, recovered: &Recovered, progress: &Progress) -> RecoveryResult<Replayed> {
    let packed: Vec<&SegmentInfo> =
        recovered.segments.values().filter(|info| info.kind == SegmentKind::Packed).collect();
    let of_how_many = packed.len() as u64 * 2;
    let mut gathered = Gathered::default();
    for (info, done) in packed.iter().zip(0..) {
        go_on(progress(done, of_how_many))?;
        gathered.take(info.id, &toc_of(shared, info)?);
    }
    for (file, logged) in &recovered.entries {
        gathered.take(*file, std::slice::from_ref(logged));
    }
    let mut writer = Writer { shared, gathered: &gathered, entries: 0 };
    for (info, done) in packed.iter().zip(packed.len() as u64..) {
        go_on(progress(done, of_how_many))?;
        let toc = toc_of(shared, info)?;
        writer.write(toc.into_iter().map(|logged| (info.id, logged)))?;
    }
    writer.write(recovered.entries.iter().cloned())?;
    let entries = writer.entries;
    let snapshot = shared.index.snapshot();
    let mut applier = Applier::new(&*snapshot, Marks::default());
    applier.note(recovered.next_lsn - 1);
    shared.index.write(applier.finish())?;
    shared.index.persist()?;
    progress(of_how_many, of_how_many);
    Ok(Replayed { entries, segments: packed.len() as u64 })
}

/// # Errors
/// [`crate::Error::ShuttingDown`] when whoever watches wants no more.
fn go_on(wanted: bool) -> crate::Result<()> {
    if wanted { Ok(()) } else { Err(crate::Error::ShuttingDown) }
}

/// What has to be known of all entries before any can be applied: LSNs that are dead, and where each live one stands.
#[derive(Default)]
struct Gathered {
    dead: HashSet<u64>,
    /// The youngest file of each LSN that stands in more than one.
    homes: HashMap<u64, u64>,
}

impl Gathered {
    fn take(&mut self, file: u64, entries: &[Logged]) {
        for Logged { lsn, entry } in entries {
            self.dead.extend(entry.kills().iter().map(|target| target.lsn));
            if entry.lasts() {
                let home = self.homes.entry(*lsn).or_insert(file);
                *home = (*home).max(file);
            }
        }
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    gathered: &'a Gathered,
    entries: u64,
}

impl Writer<'_> {
    /// Applies the live ones among `entries`, and notes what is dead where it stands.
    fn write(&mut self, entries: impl Iterator<Item = (u64, Logged)>) -> RecoveryResult<()> {
        let mut entries = entries.peekable();
        while entries.peek().is_some() {
            let snapshot = self.shared.index.snapshot();
            let mut applier = Applier::new(&*snapshot, Marks::default());
            for (file, Logged { lsn, entry }) in entries.by_ref().take(SLICE) {
                self.one(&mut applier, file, lsn, entry)?;
            }
            self.shared.index.write(applier.finish_part())?;
        }
        Ok(())
    }

    fn one(&mut self, applier: &mut Applier<'_>, file: u64, lsn: u64, entry: Entry) -> IndexResult<()> {
        // What ended in files that are still there is noted in each, as the kill named it.
        let kills = entry.kills().iter().filter(|target| self.shared.table.get(target.file).is_some());
        let mut buried: Vec<Target> = kills.copied().collect();
        let dead = self.gathered.dead.contains(&lsn);
        let elsewhere = self.gathered.homes.get(&lsn).is_some_and(|home| *home != file);
        if entry.lasts() && (dead || elsewhere) {
            buried.push(Target { file, lsn });
        }
        if !buried.is_empty() {
            applier.apply(lsn, file, &Entry::Grave { kills: buried })?;
        }
        if entry.lasts() && (dead || elsewhere) {
            return Ok(());
        }
        if entry.lasts() {
            self.entries += 1;
            applier.apply(lsn, file, &alone(entry))?;
        }
        Ok(())
    }
}

/// The entry without what it ended: that is dead already.
fn alone(entry: Entry) -> Entry {
    match entry {
        Entry::Put { bucket, key, record, .. } => {
            Entry::Put { bucket, key, upload: 0, record, removed: Default::default(), kills: Vec::new() }
        }
        Entry::Part { bucket, key, upload, number, record, .. } => {
            Entry::Part { bucket, key, upload, number, record, kills: Vec::new() }
        }
        other => other,
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
        let Some((space, key)) = entry.row_key() else { continue };
        let held = snapshot.get(space, &key)?.map(|value| row::identity(&value)).transpose()?;
        let from = match held {
            Some((row_lsn, home)) if row_lsn == lsn && home == segment.info.id => continue,
            Some((row_lsn, home)) if row_lsn == lsn => home,
            _ => {
                let dead = |source: &&u64| matches!(snapshot.get(Space::Dead, &keys::dead(**source, lsn)), Ok(Some(_)));
                segment.info.sources.iter().find(dead).copied().unwrap_or(0)
            }
        };
        let extents = entry.record().map(|record| record.extents.clone());
        moves.push(Relocation { space, key, lsn, from, to: segment.info.id, extents });
    }
    Ok(moves)
}
