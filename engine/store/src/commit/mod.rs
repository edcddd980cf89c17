//! The one commit loop: decide, write, apply, answer.
//!
//! [`Core`] is owned by one thread; nothing else writes the journal or the index. One batch is in flight at a time:
//!
//! 1. every operation is decided against an index snapshot plus what its batch decided before ([`decide`]); what locks
//!    anything has every superblock say first until when ([`superblocks`]);
//! 2. the batch is written to every copy of the current journal file and synced ([`log`]);
//! 3. it is applied to the index, and so becomes visible;
//! 4. each operation gets its answer.
//!
//! A crash before 2 is done leaves a batch that nobody was told of: recovery keeps it if any copy has it whole. After 2
//! the batch survives; 3 is made good by replay. A copy that fails in 2 is fenced off (a new epoch and file), the batch
//! is decided again for its new place, and only then acknowledged.

pub mod buckets;
pub mod decide;
mod derived;
pub mod log;
pub mod op;
pub mod queue;
pub(crate) mod relocate;
mod roster;
pub mod superblocks;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
pub use buckets::{BucketState, Buckets};
pub use op::{Beside, Body, Draft, Op, Outcome, Relocation, Unmoved};
use parking_lot::Mutex;
pub use queue::CommitQueue;

use self::decide::{Decider, Site};
use self::log::Log;
use crate::checkpoint::CheckpointCounts;
use crate::compliance::ComplianceClock;
use crate::drive::{DriveNumber, Places};
use crate::erasure::ErasureError;
use crate::error::{Error, Result};
use crate::healing::{HealingCounts, Losses};
use crate::index::apply::Applier;
use crate::index::redirect::REDIRECT;
use crate::index::{Index, Namespace, Snapshot};
use crate::journal::batch::Batch;
use crate::journal::{Claim, Entry, Journal, LiveSet};
use crate::name_changes::NameChanges;
use crate::node::Hardware;
use crate::object::{Bucket, Document};
use crate::placement::MovingCounts;
use crate::quota::{OWNER_QUOTA, Quota};
use crate::record::Extent;
use crate::roster::LEAVING;
use crate::scrubbing::ScrubCounts;
use crate::segment::{Home, Pin, Segment, SegmentInfo, SegmentKind, SegmentTable};
use crate::shortage::Shortage;
use crate::time::{to_seconds, to_system_time};
use crate::watch::Watched;

/// What readers and workers share with the commit loop.
#[derive(Debug)]
pub struct Shared {
    pub hardware: Hardware,
    pub compliance: ComplianceClock,
    pub index: Arc<dyn Index>,
    pub table: SegmentTable,
    /// The next file id to give out.
    pub next_file: AtomicU64,
    /// The newest durable LSN.
    pub lsn: AtomicU64,
    pub epoch: AtomicU64,
    pub shortage: Shortage,
    /// Where drives stand, or stood when they were last there.
    pub places: Mutex<Places>,
    pub buckets: ArcSwap<Buckets>,
    /// Rows that deletes have taken out of the index since start: they slow scans down until it is compacted.
    pub removed_rows: AtomicU64,
    /// Requests that a quota refused since start.
    pub quota_refusals: AtomicU64,
    /// Uploads that were aborted since start because nobody completed them.
    pub abandoned_uploads: AtomicU64,
    pub healing: HealingCounts,
    /// Objects that healing found unreadable.
    pub losses: Losses,
    pub scrubbing: ScrubCounts,
    pub moving: MovingCounts,
    pub name_changes: NameChanges,
    pub watched: Watched,
    pub checkpoints: CheckpointCounts,
    /// Pieces of objects that were read since start.
    pub reads: AtomicU64,
    /// Closed journals that wait to be sealed, oldest first.
    pub closed: Mutex<VecDeque<Arc<Journal>>>,
    /// Who has bytes in each stream that is not sealed. An entry's claim is here before its commit is answered.
    pub claims: Mutex<HashMap<u64, Vec<Claim>>>,
}

impl Shared {
    /// Puts a segment into the table.
    ///
    /// # Errors
    /// A profile that the erasure code can't serve.
    pub fn publish(&self, info: SegmentInfo) -> Result<(), ErasureError> {
        self.publish_all([info].into_iter())
    }

    /// The same for any number of segments.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub fn publish_all(&self, infos: impl Iterator<Item = SegmentInfo>) -> Result<(), ErasureError> {
        let home = |info: SegmentInfo| {
            let code = self.hardware.codes.of(info.profile)?;
            let id = info.id;
            let pin = match self.table.get(id) {
                Some(Home::Segment(open)) => open.pin.clone(),
                _ => Pin::default(),
            };
            Ok((id, Home::Segment(Arc::new(Segment::new(info, &self.hardware, code, pin)))))
        };
        self.table.insert_all(&infos.map(home).collect::<Result<Vec<_>, ErasureError>>()?);
        Ok(())
    }

    /// The index as requests see it: with the renames of directories that are in effect.
    ///
    /// A redirect is in `buckets` before the index has its entry, and is taken from there after the index has the last row
    /// moved. So a snapshot that was taken while they stayed the same goes with them.
    #[must_use]
    pub fn namespace(&self) -> Box<dyn Snapshot> {
        loop {
            let before = self.buckets.load();
            let snapshot = self.index.snapshot();
            if !Arc::ptr_eq(before.redirects(), self.buckets.load().redirects()) {
                continue;
            }
            let redirects = before.redirects();
            return if redirects.is_empty() { snapshot } else { Box::new(Namespace::new(snapshot, redirects.clone())) };
        }
    }

    fn change_buckets(&self, change: impl Fn(&mut Buckets)) {
        self.buckets.rcu(|held| {
            let mut next = Buckets::clone(held);
            change(&mut next);
            next
        });
    }

    fn note_refusals(&self, answers: &[Result<Outcome>]) {
        let refused = answers.iter().filter(|answer| matches!(answer, Err(Error::QuotaExceeded))).count();
        self.quota_refusals.fetch_add(refused as u64, Ordering::Relaxed);
    }

    pub fn take_file_id(&self) -> u64 {
        self.next_file.fetch_add(1, Ordering::Relaxed)
    }
}

/// What lives, as the next live set will say it.
#[derive(Debug, Default)]
pub struct Living {
    pub next_bucket: u32,
    /// Closed journals that are not sealed yet.
    pub closed: BTreeMap<u64, Arc<Journal>>,
    pub segments: BTreeMap<u64, SegmentInfo>,
}

#[derive(Debug)]
pub struct Core {
    pub shared: Arc<Shared>,
    pub living: Living,
    pub log: Log,
    last_time: i64,
    /// Whether the current file must not be written again though no other could be opened in its place: it may hold a
    /// batch of this epoch that is void already, or an abandoned file may follow it.
    must_fence: bool,
    /// Whether the index lacks a batch that is durable. To decide or apply anything on top of that would hide the gap
    /// for good: only a restart, which replays the batch, ends this.
    lags: bool,
    /// Drives that came while the node runs, each with the first file id that was free then: of older segments that are sealed
    /// only now they may lack what they had.
    arrivals: Vec<(DriveNumber, u64)>,
}

impl Core {
    #[must_use]
    pub fn new(shared: Arc<Shared>, living: Living, log: Log) -> Self {
        let last_time = log.last_time;
        Self { shared, living, log, last_time, must_fence: false, lags: false, arrivals: Vec::new() }
    }

    /// Commit time: the wall clock's, and never the same or earlier twice.
    fn now(&mut self) -> i64 {
        self.read_clocks().0
    }

    /// Commit time, and the compliance clock's, Unix nanoseconds.
    fn read_clocks(&mut self) -> (i64, i64) {
        let now = self.shared.compliance.now();
        self.last_time = now.wall.max(self.last_time + 1);
        (self.last_time, now.compliance)
    }

    /// Commits operations as one batch (or, for one that stands alone, as a batch of its own: the caller sees to it)
    /// and answers each in order.
    pub fn commit(&mut self, ops: &[Op]) -> Vec<Result<Outcome>> {
        let outcome = match ops {
            _ if self.lags => Err(Error::Unavailable("the index failed: restart to bring it up again".into())),
            [Op::Relocate(moves)] => self.relocate(moves).map(|moved| vec![Ok(Outcome::Moved(moved))]),
            [Op::CloseJournal] => self.close_journal().map(|()| vec![Ok(Outcome::Done)]),
            [op @ Op::ApproveTime { time, .. }] => self.approve_time(op, *time),
            [Op::Admit(admission)] => self.admit(admission).map(|()| vec![Ok(Outcome::Done)]),
            [Op::OpenPool(pool)] => self.open_pool(pool).map(|()| vec![Ok(Outcome::Done)]),
            [Op::Dismiss { number }] => self.dismiss(*number).map(|()| vec![Ok(Outcome::Done)]),
            [Op::KeepTime] => self.keep_time().map(|()| vec![Ok(Outcome::Done)]),
            ops => self.commit_batch(ops),
        };
        outcome.unwrap_or_else(|error| {
            let text = error.to_string();
            let mut first = Some(error);
            ops.iter().map(|_| Err(first.take().unwrap_or_else(|| Error::Unavailable(text.clone())))).collect()
        })
    }

    fn commit_batch(&mut self, ops: &[Op]) -> Result<Vec<Result<Outcome>>> {
        self.fence_retired()?;
        let weight: u64 = ops.iter().map(Op::weight).sum();
        if self.must_fence || !self.log.fits(weight) {
            self.rotate()?;
        }
        let (now, compliance) = self.read_clocks();
        loop {
            let snapshot = self.shared.index.snapshot();
            let site = Site {
                file: self.log.journal.id,
                first_lsn: self.log.next_lsn,
                data_offset: self.log.journal.payload(),
                now,
                compliance: to_seconds(compliance),
                next_bucket: self.living.next_bucket,
                room: self.shared.shortage.takes_growth(),
                appliance: self.shared.hardware.appliance,
                roster: self.shared.hardware.roster().clone(),
            };
            let buckets = self.shared.buckets.load();
            let mut decider = Decider::new(site, &buckets, &self.living.segments, &*snapshot);
            let answers: Vec<_> = ops.iter().map(|op| decider.decide(op)).collect();
            if answers.iter().any(|answer| matches!(answer, Err(Error::Index(_)))) {
                return Err(Error::Index("the batch could not be decided".into()));
            }
            if decider.entries.is_empty() {
                self.shared.note_refusals(&answers);
                return Ok(answers);
            }
            if decider.retain_until > superblocks::retained(&self.shared.hardware, &self.log.superblocks) {
                superblocks::retain(&self.shared, &self.log.superblocks, decider.retain_until)?;
                if self.log.lost_a_drive() {
                    self.fence(now)?;
                    continue;
                }
            }
            let batch = Batch::build(self.log.position(now), &decider.entries, &decider.data);
            let written = self.log.write(&self.shared.hardware, &batch);
            self.must_fence |= written.is_err();
            if written? {
                let entries = std::mem::take(&mut decider.entries);
                let applier = decider.into_applier();
                self.conclude(&batch, &entries, applier)?;
                self.shared.note_refusals(&answers);
                return Ok(answers);
            }
            // A copy failed: what was written is void, and the file is never written again.
            self.fence(now)?;
        }
    }

    /// Begins a new epoch when a drive went out of use elsewhere: a restart must know that it missed something.
    fn fence_retired(&mut self) -> Result<()> {
        if self.log.lost_a_drive() {
            let now = self.now();
            self.fence(now)?;
        }
        Ok(())
    }

    /// Makes a durable batch visible.
    fn conclude(&mut self, batch: &Batch, entries: &[Entry], applier: Applier<'_>) -> Result<()> {
        self.log.advance(batch);
        self.lags = true;
        for (entry, lsn) in entries.iter().zip(batch.header.first_lsn..) {
            self.absorb(lsn, entry)?;
        }
        self.shared.index.write(applier.finish())?;
        self.lags = false;
        self.shared.lsn.store(batch.header.last_lsn(), Ordering::Release);
        let buckets = self.shared.buckets.load();
        for entry in entries {
            self.shared.name_changes.note(entry, self.last_time);
            self.note_redirected(&buckets, entry);
        }
        self.shared.watched.tell(entries);
        Ok(())
    }

    /// Names also change where a redirect has them seen.
    fn note_redirected(&self, buckets: &Buckets, entry: &Entry) {
        let (changes, now) = (&self.shared.name_changes, self.last_time);
        match entry {
            Entry::Document { scope, kind, .. } if kind == REDIRECT => {
                for redirect in buckets.redirects().of(*scope) {
                    changes.note_key(*scope, &redirect.from, now);
                    changes.note_key(*scope, &redirect.to, now);
                }
            }
            Entry::Kill { bucket, key, .. } => {
                for destination in buckets.redirects().of(*bucket).filter_map(|held| held.destination_of(key)) {
                    changes.note_key(*bucket, &destination, now);
                }
            }
            _ => {}
        }
    }

    /// Follows what an entry does to the live set.
    fn absorb(&mut self, lsn: u64, entry: &Entry) -> Result<()> {
        match entry {
            Entry::BucketCreate { id, name, created } => {
                self.living.next_bucket = self.living.next_bucket.max(id + 1);
                let bucket = Bucket { id: *id, name: name.as_str().into(), created: to_system_time(*created) };
                self.shared.change_buckets(|buckets| buckets.insert(BucketState::new(bucket.clone())));
            }
            Entry::Document { scope: 0, kind, name, value, .. } if kind == OWNER_QUOTA => {
                // What is no quota was refused when it was decided.
                let quota = value.as_deref().and_then(|value| Quota::decode(value).ok());
                self.shared.change_buckets(|buckets| buckets.set_owner_quota(name, quota));
            }
            Entry::Document { scope: 0, kind, name, value, .. } if kind == LEAVING => {
                let member = name.parse().ok().and_then(|number| self.shared.hardware.member(number));
                if let Some(member) = member {
                    member.set_leaving(value.is_some());
                }
            }
            Entry::Document { scope, kind, name, value, .. } => {
                let document = value.as_ref().map(|value| Document { lsn, value: value.clone().into() });
                self.shared.change_buckets(|buckets| {
                    let held = buckets.by_id(*scope);
                    // What is not as it should be was refused when it was decided.
                    if let Some(Ok(next)) = held.map(|held| held.with(kind, name, document.clone())) {
                        buckets.insert(next);
                    }
                });
                if kind == REDIRECT {
                    self.shared.buckets.load().redirects().note_begun(*scope, name);
                }
            }
            Entry::BucketDelete { name, .. } => self.shared.change_buckets(|buckets| buckets.remove(name)),
            Entry::StreamOpen(info) => {
                self.shared.publish(info.clone()).map_err(|error| Error::Unavailable(error.to_string()))?;
                self.shared.claims.lock().insert(info.id, Vec::new());
                self.living.segments.insert(info.id, info.clone());
            }
            Entry::Sealed(info) => {
                let info = SegmentInfo { sealed_lsn: lsn, ..info.clone() };
                self.shared.publish(info.clone()).map_err(|error| Error::Unavailable(error.to_string()))?;
                self.note_wounds(&info);
                self.living.closed.remove(&info.id);
                self.shared.claims.lock().remove(&info.id);
                self.living.segments.insert(info.id, info);
            }
            Entry::Placed { id, shard, drive } => {
                if let Some(info) = self.living.segments.get_mut(id)
                    && let Some(place) = info.drives.get_mut(usize::from(*shard))
                {
                    *place = *drive;
                    let info = info.clone();
                    self.shared.publish(info).map_err(|error| Error::Unavailable(error.to_string()))?;
                }
            }
            Entry::Erased { id } => {
                self.living.closed.remove(id);
                self.living.segments.remove(id);
                self.shared.table.remove(*id);
            }
            Entry::Kill { .. } | Entry::KillVersion { .. } | Entry::Marker { .. } => {
                self.shared.removed_rows.fetch_add(1, Ordering::Relaxed);
            }
            Entry::Put { bucket, key, record, .. } => {
                self.shared.buckets.load().redirects().note_put(*bucket, key);
                note_claims(&mut self.shared.claims.lock(), lsn, &record.extents);
            }
            Entry::PutVersion { record, .. } | Entry::Part { record, .. } => {
                note_claims(&mut self.shared.claims.lock(), lsn, &record.extents);
            }
            _ => {}
        }
        Ok(())
    }

    /// The live set as a new journal file will open with it.
    fn live_set(&self) -> LiveSet {
        LiveSet {
            next_file: self.shared.next_file.load(Ordering::Relaxed),
            next_bucket: self.living.next_bucket,
            journals: self.living.closed.values().map(|journal| journal.info()).collect(),
            segments: self.living.segments.values().cloned().collect(),
        }
    }

    /// Closes the current journal file and opens the next.
    ///
    /// # Errors
    /// No drive takes a new file, or there is no space: the current file stays.
    pub fn rotate(&mut self) -> Result<()> {
        let now = self.now();
        if self.must_fence {
            return self.fence(now);
        }
        let live = self.live_set_with(&self.log.journal);
        let before = self.shared.next_file.load(Ordering::Relaxed);
        let opened = self.log.open_next(&self.shared, live, now);
        // A file was tried: what it may hold follows the last batch of this one.
        self.must_fence = opened.is_err() && self.shared.next_file.load(Ordering::Relaxed) > before;
        let (log, batch) = opened?;
        self.adopt(log, &batch)?;
        self.fence_retired()
    }

    fn live_set_with(&self, closing: &Journal) -> LiveSet {
        let mut live = self.live_set();
        live.journals.push(closing.info());
        live
    }

    /// Takes up a new current file, whose first batch is durable.
    fn adopt(&mut self, log: Log, batch: &Batch) -> Result<()> {
        let closed = std::mem::replace(&mut self.log, log);
        self.shared.closed.lock().push_back(closed.journal.clone());
        self.living.closed.insert(closed.journal.id, closed.journal);
        let snapshot = self.shared.index.snapshot();
        let mut applier = Applier::new(&*snapshot);
        applier.note(batch.header.last_lsn());
        self.lags = true;
        self.shared.index.write(applier.finish())?;
        self.lags = false;
        self.shared.lsn.store(batch.header.last_lsn(), Ordering::Release);
        self.shared.epoch.store(self.log.journal.epoch.number, Ordering::Release);
        Ok(())
    }

    /// Begins a new epoch without the copies that failed.
    fn fence(&mut self, now: i64) -> Result<()> {
        self.must_fence = true;
        let live = self.live_set_with(&self.log.journal);
        let (log, batch) = self.log.fence(&self.shared, live, now)?;
        self.must_fence = false;
        self.adopt(log, &batch)?;
        // A drive that failed on the way knows the epoch all the same: it takes one more, without that drive.
        self.fence_retired()
    }

    /// Keeps the compliance clock's reading on the drives.
    fn keep_time(&mut self) -> Result<()> {
        self.fence_retired()?;
        superblocks::keep_time(&self.shared, &self.log.superblocks)?;
        self.fence_retired()
    }

    /// Has the compliance clock go on once it is journalled who wants it so: a crash in between leaves it where it was.
    fn approve_time(&mut self, op: &Op, time: i64) -> Result<Vec<Result<Outcome>>> {
        // By the clock as it is, and not by commit time, which stays where a clock that was set back had been.
        if time > self.shared.compliance.now().wall {
            return Ok(vec![Err(Error::InvalidApproval("by the machine's clock that time has not come"))]);
        }
        let answers = self.commit_batch(std::slice::from_ref(op))?;
        if let [Ok(Outcome::Approved { second: true })] = &*answers {
            self.shared.compliance.go_on_to(time);
            self.keep_time()?;
        }
        Ok(answers)
    }

    /// Closes the current journal if it holds more than its live set.
    fn close_journal(&mut self) -> Result<()> {
        self.fence_retired()?;
        if self.must_fence || self.log.batches > 1 { self.rotate() } else { Ok(()) }
    }
}

/// Notes which open streams an entry has bytes in.
pub fn note_claims(claims: &mut HashMap<u64, Vec<Claim>>, lsn: u64, extents: &[Extent]) {
    for extent in extents.iter().filter(|extent| extent.claim == lsn) {
        let Some(held) = claims.get_mut(&extent.segment) else { continue };
        match held.last_mut() {
            Some(last) if last.lsn == lsn => last.bytes += extent.length,
            _ => held.push(Claim { lsn, bytes: extent.length }),
        }
    }
}

/// Whether a segment is a stream that may still be written.
#[must_use]
pub fn is_open_stream(info: &SegmentInfo) -> bool {
    info.kind == SegmentKind::Stream && !info.sealed
}
