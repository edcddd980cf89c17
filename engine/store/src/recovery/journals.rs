//! What the journals say: everything that lives, and every entry since the last seal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::drives::Inventory;
use super::{RecoveryError, RecoveryResult};
use crate::checksum::BLOCK;
use crate::drive::{Drive, DriveFile, DriveState};
use crate::enclosure::is_spread;
use crate::epoch::{Epoch, Fence};
use crate::journal::batch::Chain;
use crate::journal::file::{JournalCopy, path_of};
use crate::journal::merge::{self, Found, Merged, MergedBatch};
use crate::journal::{DIRECTORY, Entry, Journal, LiveSet, Logged, spare};
use crate::segment::SegmentInfo;

/// The state at the last batch.
#[derive(Debug)]
pub struct Recovered {
    pub next_file: u64,
    pub next_bucket: u32,
    pub next_lsn: u64,
    pub chain: Chain,
    /// Commit time of the last batch, Unix nanoseconds.
    pub time: i64,
    /// The epoch of the newest journal file, to be fenced at the last batch.
    pub epoch: Epoch,
    /// Journals that are not sealed, oldest first.
    pub journals: Vec<Arc<Journal>>,
    pub segments: BTreeMap<u64, SegmentInfo>,
    /// All entries of these journals in LSN order, with the file each stands in.
    pub entries: Vec<(u64, Logged)>,
}

/// Finds every journal file on the drives in use. A drive whose directory can't be read goes out of use.
///
/// # Errors
/// A journal that a newer release wrote.
pub fn find_all(inventory: &Inventory) -> RecoveryResult<Vec<Found>> {
    let mut found = Vec::new();
    for member in inventory.members.values().filter(|member| member.online()) {
        match spare::clean(&*member.drive).and_then(|()| merge::find(member, inventory.appliance)) {
            Ok(mut files) => found.append(&mut files),
            Err(error) if super::drives::is_newer(&error) => {
                return Err(RecoveryError::Operator(format!("{}: {error}", member.drive.path())));
            }
            Err(error) => member.retire(DriveState::Failed, format!("{DIRECTORY}: {error}")),
        }
    }
    found.sort_by_key(|copy| (copy.header.file, copy.member.number));
    Ok(found)
}

/// Reads the journals back.
///
/// # Errors
/// A live journal none of whose copies is there, or one with a hole.
pub fn read(inventory: &Inventory, found: Vec<Found>) -> RecoveryResult<Recovered> {
    let mut by_file: BTreeMap<u64, Vec<Found>> = BTreeMap::new();
    for copy in found.into_iter().filter(|copy| copy.member.online()) {
        by_file.entry(copy.header.file).or_default().push(copy);
    }
    let newest = newest(&by_file, &inventory.fences)?;
    let live = live_set_of(&newest)?;
    let (last, merged_last) = newest;
    let mut state = State::new(live);
    state.follow(&merged_last);
    let mut merged: BTreeMap<u64, Merged> = BTreeMap::new();
    for journal in state.live.journals.clone() {
        if state.sealed.contains(&journal.id) || journal.id == last {
            continue;
        }
        let copies = by_file.get(&journal.id).map(Vec::as_slice).unwrap_or_default();
        if copies.is_empty() {
            return Err(RecoveryError::Operator(format!(
                "no copy of journal {:016x} is there (drives {:?}): bring those drives back and start again",
                journal.id, journal.copies
            )));
        }
        merged.insert(journal.id, merge::merge(copies, &inventory.fences)?);
    }
    merged.insert(last, merged_last);
    check_chain(&merged)?;
    finish(inventory, state, merged, &by_file)
}

/// The newest journal file that took effect.
fn newest(by_file: &BTreeMap<u64, Vec<Found>>, fences: &[Fence]) -> RecoveryResult<(u64, Merged)> {
    for (file, copies) in by_file.iter().rev() {
        let merged = merge::merge(copies, fences)?;
        if !merged.batches.is_empty() {
            return Ok((*file, merged));
        }
    }
    Err(RecoveryError::Operator(
        "no journal is there: the drives were never used, or those that hold it are absent".into(),
    ))
}

fn live_set_of((file, merged): &(u64, Merged)) -> RecoveryResult<LiveSet> {
    let first = merged.batches.first().and_then(|batch| batch.entries.first());
    match first.map(|logged| &logged.entry) {
        Some(Entry::Live(live)) => Ok(live.clone()),
        _ => {
            Err(RecoveryError::Operator(format!("journal {file:016x} does not begin with the live set: it is damaged")))
        }
    }
}

/// The live set as the entries behind it change it.
struct State {
    live: LiveSet,
    segments: BTreeMap<u64, SegmentInfo>,
    sealed: BTreeSet<u64>,
    next_file: u64,
    next_bucket: u32,
}

impl State {
    fn new(live: LiveSet) -> Self {
        let segments = live.segments.iter().map(|info| (info.id, info.clone())).collect();
        let (next_file, next_bucket) = (live.next_file, live.next_bucket);
        Self { live, segments, sealed: BTreeSet::new(), next_file, next_bucket }
    }

    fn follow(&mut self, merged: &Merged) {
        for logged in merged.batches.iter().flat_map(|batch| &batch.entries) {
            match &logged.entry {
                Entry::StreamOpen(info) => {
                    self.next_file = self.next_file.max(info.id + 1);
                    self.segments.insert(info.id, info.clone());
                }
                Entry::Sealed(info) => {
                    self.next_file = self.next_file.max(info.id + 1);
                    self.sealed.insert(info.id);
                    self.segments.insert(info.id, SegmentInfo { sealed_lsn: logged.lsn, ..info.clone() });
                }
                Entry::Erased { id } => {
                    self.segments.remove(id);
                    self.sealed.insert(*id);
                }
                Entry::Placed { id, shard, drive } => {
                    let info = self.segments.get_mut(id);
                    if let Some(place) = info.and_then(|info| info.drives.get_mut(usize::from(*shard))) {
                        *place = *drive;
                    }
                }
                Entry::BucketCreate { id, .. } => self.next_bucket = self.next_bucket.max(id + 1),
                _ => {}
            }
        }
    }
}

/// Batches of all files form one chain.
fn check_chain(merged: &BTreeMap<u64, Merged>) -> RecoveryResult<()> {
    let mut before: Option<(u64, u64, Chain)> = None;
    for (file, journal) in merged {
        let (Some(first), Some(last)) = (journal.batches.first(), journal.batches.last()) else { continue };
        if let Some((earlier, lsn, chain)) = before
            && (first.header.first_lsn != lsn + 1 || first.header.previous != chain)
        {
            return Err(RecoveryError::Operator(format!(
                "journal {file:016x} does not follow {earlier:016x}: batches after LSN {lsn} are missing. \
                     Bring back the drives that are absent and start again"
            )));
        }
        before = Some((*file, last.header.last_lsn(), last.chain));
    }
    Ok(())
}

fn finish(
    inventory: &Inventory,
    state: State,
    merged: BTreeMap<u64, Merged>,
    by_file: &BTreeMap<u64, Vec<Found>>,
) -> RecoveryResult<Recovered> {
    let mut recovered = Recovered {
        next_file: state.next_file,
        next_bucket: state.next_bucket,
        next_lsn: 1,
        chain: [0; 32],
        time: 0,
        epoch: Epoch::default(),
        journals: Vec::new(),
        segments: state.segments,
        entries: Vec::new(),
    };
    for (file, mut journal) in merged {
        let copies = by_file.get(&file).map(Vec::as_slice).unwrap_or_default();
        recovered.next_file = recovered.next_file.max(file + 1);
        let mut whole = make_whole(&journal, copies)?;
        replicate(inventory, &journal, copies, &mut whole);
        let held = Journal::new(journal.header.key(), journal.header.epoch, journal.header.capacity, whole);
        for batch in &mut journal.batches {
            held.note(batch.place, batch.header.first_lsn, batch.header.last_lsn());
            recovered.next_lsn = batch.header.last_lsn() + 1;
            recovered.chain = batch.chain;
            recovered.time = batch.header.time;
            recovered.epoch = recovered.epoch.max(batch.header.epoch);
            recovered.entries.extend(std::mem::take(&mut batch.entries).into_iter().map(|logged| (file, logged)));
        }
        recovered.journals.push(Arc::new(held));
    }
    Ok(recovered)
}

/// Makes every copy hold every batch, durably: one that does not is written anew beside itself and renamed.
fn make_whole(merged: &Merged, copies: &[Found]) -> RecoveryResult<Vec<JournalCopy>> {
    let mut out = Vec::new();
    for (copy, whole) in copies.iter().zip(&merged.whole) {
        let settled = if *whole {
            // It was read from the page cache; only a sync makes sure of the device.
            copy.file.sync().map(|()| copy.file.clone()).map_err(RewriteError::Unwritten)
        } else {
            rewrite(merged, copies, &*copy.member.drive)
        };
        match settled {
            Ok(file) => out.push(JournalCopy { member: copy.member.clone(), file }),
            Err(RewriteError::Unread(error)) => return Err(error),
            Err(RewriteError::Unwritten(error)) => {
                let path = path_of(merged.header.file);
                copy.member.retire(DriveState::Failed, format!("{path}: {error}"));
            }
        }
    }
    if out.is_empty() {
        let file = merged.header.file;
        return Err(RecoveryError::Operator(format!("journal {file:016x}: no copy could be made whole")));
    }
    Ok(out)
}

/// Makes up for copies that are lost, where drives are left: the journal is to stand on M+1 again, in two domains at least.
/// What fails here fails no more than the copy.
fn replicate(inventory: &Inventory, merged: &Merged, copies: &[Found], whole: &mut Vec<JournalCopy>) {
    let most = inventory.pools.iter().map(|pool| usize::from(pool.profile.parity)).max().unwrap_or(0);
    let mut others: Vec<_> = inventory.members.values().filter(|member| member.online()).collect();
    others.sort_by_key(|member| (member.class, member.number));
    for member in others {
        let is_enough = whole.len() > most;
        if is_enough && is_spread(whole.iter().map(|copy| &copy.member)) {
            return;
        }
        let is_there = whole.iter().any(|copy| copy.member.number == member.number);
        let brings_nothing = || whole.iter().any(|copy| copy.member.domain() == member.domain());
        if is_there || (is_enough && brings_nothing()) {
            continue;
        }
        match rewrite(merged, copies, &*member.drive) {
            Ok(file) => whole.push(JournalCopy { member: member.clone(), file }),
            Err(RewriteError::Unread(error)) => tracing::warn!(%error, "a journal could not be replicated"),
            Err(RewriteError::Unwritten(error)) => {
                member.note_fault(format!("{}: {error}", path_of(merged.header.file)));
            }
        }
    }
}

/// Whose fault it is that a copy could not be written anew.
#[derive(Debug)]
enum RewriteError {
    /// No other copy gives a batch any more.
    Unread(RecoveryError),
    /// The drive's that was to hold it.
    Unwritten(std::io::Error),
}

impl From<std::io::Error> for RewriteError {
    fn from(error: std::io::Error) -> Self {
        Self::Unwritten(error)
    }
}

fn rewrite(merged: &Merged, copies: &[Found], drive: &dyn Drive) -> Result<Arc<dyn DriveFile>, RewriteError> {
    let path = path_of(merged.header.file);
    let beside = format!("{path}.whole");
    let file = drive.create(&beside)?;
    file.write_at(0, &merged.header.encode())?;
    for (batch, have) in merged.batches.iter().zip(&merged.have) {
        let donors = copies.iter().zip(have).filter(|(_, has)| **has).map(|(copy, _)| copy);
        let bytes = batch_bytes(batch, donors).map_err(RewriteError::Unread)?;
        file.write_at(batch.place.batch, &bytes)?;
    }
    if merged.batches.is_empty() {
        file.write_at(BLOCK as u64, &vec![0; BLOCK])?;
    }
    file.sync()?;
    drive.rename(&beside, &path)?;
    drive.sync_directory(DIRECTORY)?;
    Ok(drive.open(&path)?)
}

/// A batch from the first copy that gives it. A drive that gave it before and does not any more goes out of use: what
/// it alone held nobody was told of.
fn batch_bytes<'a>(batch: &MergedBatch, donors: impl Iterator<Item = &'a Found>) -> RecoveryResult<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(batch.place.batch_length).map_err(std::io::Error::other)?];
    for donor in donors {
        match donor.file.read_at(batch.place.batch, &mut bytes) {
            Ok(()) => return Ok(bytes),
            Err(error) => {
                let path = path_of(donor.header.file);
                donor.member.retire(DriveState::Failed, format!("{path}: {error}"));
            }
        }
    }
    let lsn = batch.header.first_lsn;
    Err(RecoveryError::Operator(format!("no copy of a journal gives batch {lsn} any more: start again")))
}
