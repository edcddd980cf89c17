//! The steps of `recovery` in order, from opened drives to a core that can commit.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::checkpoint::CheckpointCounts;
use crate::commit::log::{self, Start};
use crate::commit::superblocks::{self, Superblocks};
use crate::commit::{BucketState, Buckets, Core, Living, Shared, is_open_stream};
use crate::compliance::{Clock, ComplianceClock, MachineClock, Reading};
use crate::configuration::VERSIONING;
use crate::drive::{DriveNumber, DriveState, Executor};
use crate::enclosure;
use crate::epoch::{Epoch, Fence};
use crate::healing::{HealingCounts, Losses};
use crate::index::apply::Marks;
use crate::index::row::{BucketRow, DocumentRow};
use crate::index::{Index, IndexError, IndexResult, Snapshot, Space, keys};
use crate::journal::LiveSet;
use crate::name_changes::NameChanges;
use crate::node::{Hardware, Roster};
use crate::object::{Bucket, Document};
use crate::placement::MovingCounts;
use crate::quota::{OWNER_QUOTA, Quota};
use crate::recovery::drives::{Candidate, Inventory, PoolSettings, take_inventory};
use crate::recovery::journals::{self, Recovered};
use crate::recovery::replay::{self, Replayed};
use crate::recovery::{Progress, RecoveryError, RecoveryResult, rebuild, returned};
use crate::roster::keep_places;
use crate::scrubbing::ScrubCounts;
use crate::segment::{self, Home, shard};
use crate::shortage::Shortage;
use crate::time::from_system_time;
use crate::time::to_system_time;
use crate::watch::Watched;

/// Drives and what their journals say.
#[derive(Debug)]
pub struct FoundNode {
    inventory: Inventory,
    recovered: Recovered,
    executor: Arc<dyn Executor>,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    /// Whether an index that is lost may be made from a checkpoint.
    from_checkpoints: bool,
}

impl FoundNode {
    /// The same with other clocks than the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The same, but an index that is lost is made from all TOCs and journals.
    #[must_use]
    pub fn without_checkpoints(self) -> Self {
        Self { from_checkpoints: false, ..self }
    }
}

/// Takes stock of the drives and reads the journals.
///
/// # Errors
/// Drives that don't belong together, too many absent, or journals with something missing.
pub fn find(
    pools: &[PoolSettings],
    candidates: Vec<Candidate>,
    executor: Arc<dyn Executor>,
    timeout: Duration,
) -> RecoveryResult<FoundNode> {
    let mut inventory = take_inventory(pools, candidates, &executor, timeout)?;
    let recovered = loop {
        let online = inventory.online();
        match read_journals(&mut inventory) {
            // What the drive that went out of use alone held is not there any more: the others say what is.
            Err(_) if inventory.online() < online => inventory.check_quorum()?,
            other => break other?,
        }
    };
    let clock = Arc::new(MachineClock::new()?);
    Ok(FoundNode { inventory, recovered, executor, timeout, clock, from_checkpoints: true })
}

fn read_journals(inventory: &mut Inventory) -> RecoveryResult<Recovered> {
    let found = journals::find_all(inventory)?;
    inventory.retire_stale(&found)?;
    inventory.check_quorum()?;
    let recovered = if is_fresh(inventory) { fresh() } else { journals::read(inventory, found)? };
    inventory.check_quorum()?;
    Ok(recovered)
}

/// Whether nothing was ever committed: no journal has a batch, no segment is there, and no epoch ended behind one. Crashes
/// at the very first starts leave epochs that ended at nothing.
fn is_fresh(inventory: &Inventory) -> bool {
    if inventory.effective.is_some() || inventory.fences.iter().any(|fence| fence.lsn > 0) {
        return false;
    }
    for member in inventory.members.values().filter(|member| member.online()) {
        match member.drive.list(segment::DIRECTORY) {
            Ok(names) if names.iter().any(|name| shard::parse_name(name).is_some()) => return false,
            Ok(_) => {}
            Err(error) => member.retire(DriveState::Failed, format!("{}: {error}", segment::DIRECTORY)),
        }
    }
    true
}

fn fresh() -> Recovered {
    Recovered {
        next_file: 1,
        next_bucket: 1,
        next_lsn: 1,
        chain: [0; 32],
        time: 0,
        epoch: Epoch::default(),
        journals: Vec::new(),
        segments: BTreeMap::new(),
        entries: Vec::new(),
    }
}

/// Brings the index up to date, begins a new epoch, and hands over a core that can commit.
///
/// # Errors
/// TOCs that can't be read, a fault of the index, or no drive that takes a journal.
pub fn bring_up(found: FoundNode, index: Arc<dyn Index>, progress: &Progress) -> RecoveryResult<(Core, Replayed)> {
    let FoundNode { inventory, mut recovered, executor, timeout, clock, from_checkpoints } = found;
    let compliance = resume_clock(&inventory, recovered.time, clock)?;
    let enclosures_count = inventory.enclosures_count();
    let (fences, places) = (inventory.fences, inventory.places);
    let superblocks: Superblocks = Arc::new(Mutex::new(inventory.superblocks));
    let roster = Roster { members: inventory.members, pools: inventory.pools, enclosures_count };
    let hardware = Hardware::new(inventory.appliance, roster, executor, timeout);
    let shared = Arc::new(share(hardware, compliance, index, &recovered));
    for info in recovered.segments.values() {
        shared.publish(info.clone()).map_err(|error| RecoveryError::Operator(error.to_string()))?;
    }
    for journal in &recovered.journals {
        shared.table.insert(journal.id, &Home::Journal(journal.clone()));
    }
    let replayed = update_index(&shared, &recovered, from_checkpoints, progress)?;
    *shared.closed.lock() = recovered.journals.iter().cloned().collect::<VecDeque<_>>();
    let buckets = read_buckets(&shared)?;
    shared.buckets.store(Arc::new(buckets));
    shared
        .claims
        .lock()
        .extend(recovered.segments.values().filter(|info| is_open_stream(info)).map(|info| (info.id, Vec::new())));
    crate::roster::note_leaving(&shared)?;
    let back = returned::take_in(&shared.hardware, &superblocks);
    for info in returned::leave_streams(&mut recovered.segments, &back) {
        shared.publish(info).map_err(|error| RecoveryError::Operator(error.to_string()))?;
    }
    let fence = Fence { epoch: recovered.epoch, lsn: recovered.next_lsn - 1 };
    let told = shared.hardware.online();
    let epoch = begin_epoch(&shared, &superblocks, (fence, fences), &back)?;
    returned::sweep(&shared.hardware, &recovered);
    let live = LiveSet {
        next_file: recovered.next_file,
        next_bucket: recovered.next_bucket,
        journals: recovered.journals.iter().map(|journal| journal.info()).collect(),
        segments: recovered.segments.values().cloned().collect(),
    };
    let now = shared.compliance.now().wall.max(recovered.time + 1);
    let start = Start { epoch, told, next_lsn: recovered.next_lsn, chain: recovered.chain, now };
    let (log, batch) = log::open(&shared, start, live, &superblocks)?;
    let journals = || recovered.journals.iter().chain([&log.journal]);
    let copies = journals().map(|journal| journal.copies.len()).min().unwrap_or(0);
    superblocks::adopt_profiles(&shared, &superblocks, copies)?;
    let is_spread = journals().all(|journal| enclosure::is_spread(journal.copies.iter().map(|copy| &copy.member)));
    superblocks::adopt_enclosures(&shared, &superblocks, is_spread)?;
    let living = Living {
        next_bucket: recovered.next_bucket,
        closed: recovered.journals.into_iter().map(|journal| (journal.id, journal)).collect(),
        segments: recovered.segments,
    };
    shared.epoch.store(epoch.number, Ordering::Release);
    *shared.places.lock() = places;
    keep_places(&shared);
    shared.lsn.store(batch.header.last_lsn(), Ordering::Release);
    Ok((Core::new(shared, living, log), replayed))
}

/// Begins the epoch of this start, behind the one that ended at `fence`. Every drive hears of all fences that hold, and that
/// the epochs which some of them are in never took effect: a first batch of one may be on a drive that is not there.
fn begin_epoch(
    shared: &Shared,
    superblocks: &Superblocks,
    (fence, mut fences): (Fence, Vec<Fence>),
    back: &[DriveNumber],
) -> RecoveryResult<Epoch> {
    let newest = superblocks.lock().values().map(|superblock| superblock.epoch.number).max().unwrap_or(0);
    let epoch = Epoch::after(newest.max(fence.epoch.number))?;
    let online = shared.hardware.online().into_iter();
    let held: Vec<Epoch> =
        online.filter_map(|member| superblocks.lock().get(&member.number).map(|held| held.epoch)).collect();
    fences.push(fence);
    // One that took effect has its end among them, whoever was away since then, or nobody knows of it any more.
    let current: Vec<_> = superblocks.lock().values().filter(|held| !back.contains(&held.number)).cloned().collect();
    let ended = |epoch: &Epoch| {
        fences.iter().any(|fence| fence.epoch == *epoch) || current.iter().any(|held| held.forgot(epoch.number))
    };
    let idle: Vec<Fence> =
        held.into_iter().filter(|epoch| !ended(epoch)).map(|epoch| Fence { epoch, lsn: 0 }).collect();
    fences.extend(idle);
    superblocks::begin_epoch(shared, superblocks, epoch, &fences)?;
    Ok(epoch)
}

/// The compliance clock goes on from the highest reading of the drives in use: one that was away may have been put back
/// from any time. Drives of a release that had no such clock compared retention with the wall clock, and so it begins there.
fn resume_clock(inventory: &Inventory, last_commit: i64, clock: Arc<dyn Clock>) -> RecoveryResult<ComplianceClock> {
    let online = inventory.members.values().filter(|member| member.online());
    let kept = online.filter_map(|member| inventory.superblocks.get(&member.number)?.clock);
    let reading = match kept.max_by_key(|reading| (reading.time, Reverse(reading.allowance))) {
        Some(reading) => reading,
        None => {
            let first = Reading::begin(clock.moment())?;
            Reading { time: first.time.max(last_commit), ..first }
        }
    };
    Ok(ComplianceClock::resume(clock, reading))
}

fn share(hardware: Hardware, compliance: ComplianceClock, index: Arc<dyn Index>, recovered: &Recovered) -> Shared {
    Shared {
        hardware,
        compliance,
        index,
        table: segment::SegmentTable::default(),
        next_file: AtomicU64::new(recovered.next_file),
        lsn: AtomicU64::new(recovered.next_lsn - 1),
        epoch: AtomicU64::new(recovered.epoch.number),
        moving: MovingCounts::default(),
        name_changes: NameChanges::new(from_system_time(SystemTime::now()).max(recovered.time)),
        watched: Watched::default(),
        shortage: Shortage::default(),
        places: Mutex::default(),
        buckets: ArcSwap::default(),
        removed_rows: AtomicU64::new(0),
        quota_refusals: AtomicU64::new(0),
        abandoned_uploads: AtomicU64::new(0),
        healing: HealingCounts::default(),
        losses: Losses::default(),
        scrubbing: ScrubCounts::default(),
        checkpoints: CheckpointCounts::default(),
        reads: AtomicU64::new(0),
        closed: Mutex::default(),
        claims: Mutex::default(),
    }
}

/// Replays what the index lacks; one that has nothing, or more than the journals know of, is made anew.
fn update_index(
    shared: &Arc<Shared>,
    recovered: &Recovered,
    from_checkpoints: bool,
    progress: &Progress,
) -> RecoveryResult<Replayed> {
    let marks = Marks::read(&*shared.index.snapshot())?;
    if marks.highest >= recovered.next_lsn && recovered.next_lsn > 1 {
        return Err(RecoveryError::Index(IndexError("it is ahead of the journal".into())));
    }
    let replayed = if marks.highest == 0 && recovered.next_lsn > 1 {
        rebuild::rebuild(shared, recovered, from_checkpoints, progress)?
    } else if marks.lowest == 0 && recovered.next_lsn > 1 {
        return Err(RecoveryError::Index(IndexError("a key space is empty, or it was never finished".into())));
    } else {
        replay::catch_up(shared, recovered)?
    };
    Ok(replayed)
}

fn read_buckets(shared: &Shared) -> IndexResult<Buckets> {
    let mut buckets = Buckets::default();
    let snapshot = shared.index.snapshot();
    for pair in snapshot.prefix(Space::Buckets, &[]) {
        let (key, value) = pair?;
        if *key == *keys::MARK {
            continue;
        }
        let Ok(name) = std::str::from_utf8(&key) else { continue };
        let row = BucketRow::decode(&value)?;
        let bucket = Bucket { id: row.id, name: name.into(), created: to_system_time(row.created) };
        buckets.insert(read_documents(&*snapshot, BucketState::new(bucket))?);
    }
    for pair in snapshot.prefix(Space::Documents, &keys::documents(0, OWNER_QUOTA)) {
        let (key, value) = pair?;
        let Some((_, _, owner)) = keys::parse_document(&key) else { continue };
        let quota = Quota::decode(&DocumentRow::decode(&value)?.value);
        buckets.set_owner_quota(owner, Some(quota.map_err(|error| IndexError(error.to_string()))?));
    }
    Ok(buckets)
}

fn read_documents(snapshot: &dyn Snapshot, mut state: BucketState) -> IndexResult<BucketState> {
    let mut held = Vec::new();
    for pair in snapshot.prefix(Space::Documents, &state.bucket.id.to_be_bytes()) {
        let (key, value) = pair?;
        let Some((_, kind, name)) = keys::parse_document(&key) else { continue };
        let DocumentRow { lsn, value, .. } = DocumentRow::decode(&value)?;
        held.push((kind.to_owned(), name.to_owned(), Document { lsn, value: value.into() }));
    }
    // As they came: object lock stands only on versioning.
    held.sort_by_key(|(kind, _, document)| (kind != VERSIONING, document.lsn));
    for (kind, name, document) in held {
        state = state.with(&kind, &name, Some(document)).map_err(|error| IndexError(error.to_string()))?;
    }
    Ok(state)
}
