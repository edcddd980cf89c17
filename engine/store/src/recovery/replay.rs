//! Bringing the index up to the last batch, or making it anew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::journals::Recovered;
use super::{Progress, RecoveryResult};
use crate::commit::{Relocation, Shared};
use crate::index::apply::{Applier, Marks, key_groups};
use crate::index::{Index, IndexError, IndexResult, Space, keys};
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
    // Amendments are applied last, to settled rows: then every TOC is read once more.
    let of_how_many = packed.len() as u64 * 3;
    let mut gathered = Gathered::default();
    for (info, done) in packed.iter().zip(0..) {
        go_on(progress(done, of_how_many))?;
        gathered.take(info.id, &toc_of(shared, info)?);
    }
    for (file, logged) in &recovered.entries {
        gathered.take(*file, std::slice::from_ref(logged));
    }
    let mut writer = Writer { shared, gathered: &gathered, entries: 0, amendments: 0 };
    for (info, done) in packed.iter().zip(packed.len() as u64..) {
        go_on(progress(done, of_how_many))?;
        let toc = toc_of(shared, info)?;
        writer.write(toc.into_iter().map(|logged| (info.id, logged)))?;
    }
    writer.write(recovered.entries.iter().cloned())?;
    settle(shared)?;
    if writer.amendments > 0 {
        for (info, done) in packed.iter().zip(packed.len() as u64 * 2..) {
            go_on(progress(done, of_how_many))?;
            let toc = toc_of(shared, info)?;
            writer.amend(toc.into_iter().map(|logged| (info.id, logged)))?;
        }
        writer.amend(recovered.entries.iter().cloned())?;
    }
    let entries = writer.entries;
    let snapshot = shared.index.snapshot();
    let mut applier = Applier::new(&*snapshot);
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

/// Brings the newest version of each key where it belongs.
fn settle(shared: &Shared) -> RecoveryResult<()> {
    let mut last = None;
    loop {
        let snapshot = shared.index.snapshot();
        let groups = key_groups(&*snapshot, last.as_ref(), SLICE)?;
        let mut applier = Applier::new(&*snapshot);
        for (bucket, key) in &groups {
            applier.settle(*bucket, key)?;
        }
        shared.index.write(applier.finish_part())?;
        match groups.into_iter().last() {
            Some(group) => last = Some(group),
            None => return Ok(()),
        }
    }
}

struct Writer<'a> {
    shared: &'a Shared,
    gathered: &'a Gathered,
    entries: u64,
    /// Live ones among these, which wait for their rows.
    amendments: u64,
}

impl Writer<'_> {
    /// Applies the live ones among `entries`, and notes what is dead where it stands.
    fn write(&mut self, entries: impl Iterator<Item = (u64, Logged)>) -> RecoveryResult<()> {
        let mut entries = entries.peekable();
        while entries.peek().is_some() {
            let snapshot = self.shared.index.snapshot();
            let mut applier = Applier::new(&*snapshot);
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
        let lives = self.lives(file, lsn, &entry);
        if entry.lasts() && !lives {
            buried.push(Target { file, lsn });
        }
        if !buried.is_empty() {
            applier.apply(lsn, file, &Entry::Grave { kills: buried })?;
        }
        if !lives {
            return Ok(());
        }
        self.entries += 1;
        if matches!(entry, Entry::Amend { .. }) {
            self.amendments += 1;
            return Ok(());
        }
        applier.lay(lsn, file, &entry)
    }

    /// Whether an entry states what lasts, nothing ended it, and this is the copy that counts.
    fn lives(&self, file: u64, lsn: u64, entry: &Entry) -> bool {
        let elsewhere = self.gathered.homes.get(&lsn).is_some_and(|home| *home != file);
        entry.lasts() && !elsewhere && !self.gathered.dead.contains(&lsn)
    }

    /// Applies the live amendments among `entries`; their rows are settled.
    fn amend(&mut self, entries: impl Iterator<Item = (u64, Logged)>) -> RecoveryResult<()> {
        let is_amendment = |(_, logged): &(u64, Logged)| matches!(logged.entry, Entry::Amend { .. });
        let mut entries = entries.filter(is_amendment).peekable();
        while entries.peek().is_some() {
            let snapshot = self.shared.index.snapshot();
            let mut applier = Applier::new(&*snapshot);
            for (file, Logged { lsn, entry }) in entries.by_ref().take(SLICE) {
                if self.lives(file, lsn, &entry) {
                    applier.lay(lsn, file, &entry)?;
                }
            }
            self.shared.index.write(applier.finish_part())?;
        }
        Ok(())
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
