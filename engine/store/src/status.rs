//! What an operator asks of a store: drives, pools, journal, usage.

use std::sync::Arc;

use packstone_access::{Action, Grant};

use crate::commit::log::durable_lsn;
use crate::compaction;
use crate::compliance::{Now, WORTH_TELLING};
use crate::compression::{Compressed, Method};
use crate::dictionary::trainer::Trainer;
use crate::drive::{DriveNumber, DriveState};
use crate::error::Result;
use crate::healing::{self, LostObject};
use crate::index::tallies;
use crate::placement::StorageClass;
use crate::pool::{DriveClass, Profile};
use crate::quota::Quota;
use crate::segment::{Home, SegmentKind};
use crate::store::Store;
use crate::time::to_seconds;

#[derive(Clone, Debug)]
pub struct DriveStatus {
    pub number: DriveNumber,
    pub path: String,
    pub uuid: u128,
    pub pool: String,
    /// Where it sits together with others.
    pub enclosure: Option<Arc<str>>,
    pub class: DriveClass,
    pub state: DriveState,
    /// Why it is not online, or the latest fault that parity made good; empty where all is well.
    pub reason: String,
    /// Faults since start.
    pub faults: u64,
    pub total: u64,
    pub free: u64,
    /// Whether it is passed over for being much slower than others.
    pub slow: bool,
    /// Whether it is to be emptied.
    pub leaving: bool,
    /// Shards and journals that are named there.
    pub files: u64,
    /// Bytes of these.
    pub used: u64,
}

#[derive(Clone, Debug)]
pub struct PoolStatus {
    pub name: String,
    pub class: DriveClass,
    pub profile: Profile,
    pub drives: usize,
    pub online: usize,
    pub segments: usize,
    /// Bytes of records, without parity, in its segments.
    pub bytes: u64,
    /// Of these, bytes that no live record claims.
    pub dead: u64,
    /// Segments that lack a shard, or have one on a drive that is out of use.
    pub degraded: usize,
    /// Segments of which one enclosure has more shards than parity makes good.
    pub crowded: usize,
    /// Whose records belong to it.
    pub storage_classes: Vec<StorageClass>,
    /// Whether it takes new data.
    pub room: bool,
}

/// What moving between pools has to do, and did since start.
#[derive(Clone, Copy, Debug)]
pub struct MovingStatus {
    /// Whether it is being found out what has to be moved, and how many rows of the index were looked at for that.
    pub looking: bool,
    pub looked: u64,
    /// Bytes that are known to stand in another pool than the one that they belong to.
    pub displaced: u64,
    /// Bytes that were moved.
    pub moved: u64,
}

/// What healing has to do, and did since start.
#[derive(Clone, Copy, Debug)]
pub struct HealingStatus {
    /// Shards that are known to be missing and have a drive to go to.
    pub open: u64,
    /// Of these, shards that could not be made lately.
    pub stuck: u64,
    pub healed: u64,
    /// Bytes of the shards that were healed.
    pub bytes: u64,
    /// Places in these that too few shards had.
    pub lost: u64,
    /// Objects that can't be read because of that.
    pub lost_objects: u64,
}

/// How far verification of all segments came.
#[derive(Clone, Copy, Debug)]
pub struct ScrubStatus {
    /// Bytes of shards that this pass has verified, of how many.
    pub done: u64,
    pub total: u64,
    /// When the pass before ended, Unix nanoseconds by the compliance clock; 0 for none.
    pub last_ended: i64,
    /// Segments that were verified since start, and shards and records that were found wrong.
    pub segments: u64,
    pub faults: u64,
}

/// Checkpoints of the index.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointStatus {
    /// How many there are, and their bytes without parity.
    pub kept: u64,
    pub bytes: u64,
    /// The LSN that the newest stands for, and when it was taken, Unix nanoseconds; 0 where there is none.
    pub lsn: u64,
    pub taken: i64,
    /// Entries that a start without an index would read beside it.
    pub unseen: u64,
    /// Attempts since start that came to nothing.
    pub failures: u64,
}

#[derive(Clone, Debug)]
pub struct JournalStatus {
    pub epoch: u64,
    pub lsn: u64,
    /// Files that are not sealed, the current one included.
    pub files: usize,
    pub bytes: u64,
    /// Drives that the newest file stands on.
    pub copies: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct BucketUsage {
    pub name: String,
    pub objects: u64,
    pub bytes: u64,
    /// Uploads that are open.
    pub uploads: u64,
    /// What it may hold.
    pub quota: Quota,
}

#[derive(Clone, Debug)]
pub struct Status {
    pub appliance: u128,
    /// What retention goes by, and the machine's own time.
    pub clock: Now,
    pub drives: Vec<DriveStatus>,
    pub pools: Vec<PoolStatus>,
    pub healing: HealingStatus,
    pub moving: MovingStatus,
    pub scrubbing: ScrubStatus,
    pub checkpoints: CheckpointStatus,
    pub journal: JournalStatus,
    pub buckets: Vec<BucketUsage>,
    pub segments: usize,
    pub objects: u64,
    pub bytes: u64,
    /// Bytes of the index on its drive.
    pub index_bytes: u64,
    pub cache_hits: u64,
    pub cache_misses: u64,
    /// Whether writes are taken.
    pub room: bool,
    /// Requests that a quota refused since start.
    pub quota_refusals: u64,
    /// Uploads that were aborted since start because nobody completed them.
    pub abandoned_uploads: u64,
    /// Renames of directories whose keys have not all moved.
    pub redirects: u64,
    /// Dictionaries of all buckets, and how many of them were put since start.
    pub dictionaries: u64,
    pub trained_dictionaries: u64,
    /// Small bodies since start.
    pub compressed: [(Method, Compressed); 3],
    pub warnings: Vec<String>,
}

impl Store {
    /// Objects that can't be read any more, of segments that too few shards are left of, as healing found them.
    ///
    /// # Errors
    /// A grant for something else.
    pub fn lost_objects(&self, grant: &Grant) -> Result<Vec<LostObject>> {
        grant.covers(Action::Administer)?;
        Ok(self.inner.shared.losses.named(&self.inner.shared))
    }

    /// Everything at once; costs a look at every segment's counters.
    ///
    /// # Errors
    /// A grant for something else, or a fault of the index.
    pub fn status(&self, grant: &Grant) -> Result<Status> {
        grant.covers(Action::Administer)?;
        let shared = &self.inner.shared;
        let drives = self.drives();
        let buckets = self.usage()?;
        let held = shared.buckets.load();
        let (cache_hits, cache_misses) = self.inner.cache.counts();
        let clock = shared.compliance.now();
        let room = shared.shortage.takes_growth();
        let segments = shared.table.all().values().filter(|home| matches!(home, Home::Segment(_))).count();
        Ok(Status {
            appliance: shared.hardware.appliance,
            clock,
            warnings: warnings(&drives, room, clock, self.inner.keyring.is_foreign(), self.healing()),
            drives,
            pools: self.pools()?,
            healing: self.healing(),
            moving: self.moving(),
            scrubbing: self.scrubbing(),
            checkpoints: self.checkpoints(),
            journal: self.journal(),
            segments,
            objects: buckets.iter().map(|bucket| bucket.objects).sum(),
            bytes: buckets.iter().map(|bucket| bucket.bytes).sum(),
            buckets,
            index_bytes: shared.index.disk_space(),
            cache_hits,
            cache_misses,
            room,
            quota_refusals: shared.quota_refusals.load(std::sync::atomic::Ordering::Relaxed),
            dictionaries: held.states().map(|state| state.dictionaries().iter().count() as u64).sum(),
            trained_dictionaries: self.inner.trainer.lock().as_ref().map_or(0, Trainer::trained),
            compressed: self.inner.compressed.read(),
            redirects: shared.buckets.load().redirects().count() as u64,
            abandoned_uploads: shared.abandoned_uploads.load(std::sync::atomic::Ordering::Relaxed),
        })
    }

    fn drives(&self) -> Vec<DriveStatus> {
        let shared = &self.inner.shared;
        let table = shared.table.all();
        let roster = shared.hardware.roster();
        let of = |member: &std::sync::Arc<crate::drive::Member>| {
            let sizes = table.values().filter_map(|home| match home {
                Home::Segment(segment) => {
                    segment.info.drives.contains(&member.number).then_some(segment.info.shard_length)
                }
                Home::Journal(journal) => {
                    journal.copies.iter().any(|copy| copy.member.number == member.number).then_some(journal.capacity)
                }
            });
            let (files, used) = sizes.fold((0, 0), |(files, used), size| (files + 1, used + size));
            let space = member.drive.space().ok();
            let (faults, last_fault) = member.faults();
            DriveStatus {
                number: member.number,
                path: member.drive.path().to_owned(),
                uuid: member.uuid,
                pool: shared.hardware.pool(member.pool).map(|pool| pool.name.clone()).unwrap_or_default(),
                enclosure: member.enclosure.clone(),
                class: member.class,
                state: member.state(),
                reason: if member.online() { last_fault } else { member.reason() },
                faults,
                total: space.map_or(0, |space| space.total),
                free: space.map_or(0, |space| space.free),
                slow: member.is_sluggish(),
                leaving: member.is_leaving(),
                files,
                used,
            }
        };
        roster.members.values().map(of).collect()
    }

    fn pools(&self) -> Result<Vec<PoolStatus>> {
        let shared = &self.inner.shared;
        let mut pools = Vec::new();
        let roster = shared.hardware.roster();
        for pool in &roster.pools {
            let classes = StorageClass::ALL.into_iter();
            let is_seated = pool.members.iter().any(|member| member.enclosure.is_some());
            let is_own = |class| roster.pool_of(class).is_some_and(|held| held.number == pool.number);
            let mut status = PoolStatus {
                name: pool.name.clone(),
                class: pool.class,
                profile: pool.profile,
                drives: pool.members.len(),
                online: pool.members.iter().filter(|member| member.online()).count(),
                segments: 0,
                bytes: 0,
                dead: 0,
                degraded: 0,
                crowded: 0,
                storage_classes: classes.filter(|class| is_own(*class)).collect(),
                room: shared.shortage.takes_growth() && shared.can_take(pool.number),
            };
            for home in shared.table.all().values() {
                let Home::Segment(segment) = home else { continue };
                if segment.info.pool != pool.number {
                    continue;
                }
                let live = match segment.info.kind {
                    SegmentKind::Checkpoint => segment.info.payload,
                    _ => compaction::tally(shared, segment.info.id)?.live,
                };
                let bytes = match (segment.info.kind, segment.info.sealed) {
                    // What an open stream holds is known by who claims it.
                    (SegmentKind::Stream, false) => live,
                    _ => segment.info.payload,
                };
                let in_use = |number: &DriveNumber| shared.hardware.in_use(*number).is_some();
                status.degraded += usize::from(!segment.info.drives.iter().all(in_use));
                status.crowded += usize::from(is_seated && healing::is_crowded(&roster, &segment.info));
                status.segments += 1;
                status.bytes += bytes;
                status.dead += bytes.saturating_sub(live);
            }
            pools.push(status);
        }
        Ok(pools)
    }

    fn healing(&self) -> HealingStatus {
        let counts = &self.inner.shared.healing;
        let read = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        HealingStatus {
            open: read(&counts.open),
            stuck: read(&counts.stuck),
            healed: read(&counts.healed),
            bytes: read(&counts.bytes),
            lost: read(&counts.lost),
            lost_objects: self.inner.shared.losses.count(&self.inner.shared),
        }
    }

    fn moving(&self) -> MovingStatus {
        let counts = &self.inner.shared.moving;
        let read = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        MovingStatus {
            looking: counts.is_looking(),
            looked: read(&counts.looked),
            displaced: read(&counts.displaced),
            moved: read(&counts.moved),
        }
    }

    fn scrubbing(&self) -> ScrubStatus {
        let counts = &self.inner.shared.scrubbing;
        let read = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        ScrubStatus {
            done: read(&counts.done),
            total: read(&counts.total),
            last_ended: counts.last_ended.load(std::sync::atomic::Ordering::Relaxed),
            segments: read(&counts.segments),
            faults: read(&counts.faults),
        }
    }

    fn checkpoints(&self) -> CheckpointStatus {
        let counts = &self.inner.shared.checkpoints;
        let read = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        CheckpointStatus {
            kept: read(&counts.kept),
            bytes: read(&counts.bytes),
            lsn: read(&counts.mark),
            taken: counts.taken.load(std::sync::atomic::Ordering::Relaxed),
            unseen: read(&counts.unseen),
            failures: read(&counts.failures),
        }
    }

    fn journal(&self) -> JournalStatus {
        let shared = &self.inner.shared;
        let table = shared.table.all();
        let journals = table.values().filter_map(|home| match home {
            Home::Journal(journal) => Some(journal),
            Home::Segment(_) => None,
        });
        let newest = journals.clone().max_by_key(|journal| journal.id);
        JournalStatus {
            epoch: shared.epoch.load(std::sync::atomic::Ordering::Acquire),
            lsn: durable_lsn(shared),
            files: journals.clone().count(),
            bytes: journals.map(|journal| journal.written()).sum(),
            copies: newest
                .map(|journal| journal.copies.iter().map(|copy| copy.member.drive.path().to_owned()).collect())
                .unwrap_or_default(),
        }
    }

    fn usage(&self) -> Result<Vec<BucketUsage>> {
        let shared = &self.inner.shared;
        let snapshot = shared.index.snapshot();
        let mut usage = Vec::new();
        let buckets = shared.buckets.load();
        for bucket in buckets.iter() {
            let tally = tallies::read(&*snapshot, bucket.id)?;
            let quota = buckets.by_id(bucket.id).and_then(|state| state.quota()).unwrap_or_default();
            let name = bucket.name.to_string();
            let (objects, bytes, uploads) = (tally.objects, tally.bytes, tally.uploads);
            usage.push(BucketUsage { name, objects, bytes, uploads, quota });
        }
        usage.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(usage)
    }
}

fn warnings(
    drives: &[DriveStatus],
    room: bool,
    clock: Now,
    foreign_master: bool,
    healing: HealingStatus,
) -> Vec<String> {
    let mut warnings: Vec<String> = drives
        .iter()
        .filter_map(|drive| match drive.state {
            DriveState::Online if drive.faults > 0 => {
                Some(format!("{}: {} faults, the latest: {}", drive.path, drive.faults, drive.reason))
            }
            DriveState::Online if drive.slow => {
                Some(format!("{} is much slower than the others: passed over", drive.path))
            }
            DriveState::Online => None,
            state => Some(format!("{} is {state:?}: {}", drive.path, drive.reason)),
        })
        .collect();
    if !room {
        warnings.push("no space: writes are refused, deletes work".into());
    }
    if clock.lag() > WORTH_TELLING {
        let lag = to_seconds(clock.lag());
        warnings.push(format!("the compliance clock is {lag} s behind the wall clock: locks hold so much longer"));
    }
    if healing.stuck > 0 {
        warnings.push(format!("{} shards can't be made anew: the log says why", healing.stuck));
    }
    if healing.lost_objects > 0 {
        warnings.push(format!("{} objects can't be read: `packstone lost` names them", healing.lost_objects));
    }
    if foreign_master {
        warnings.push(crate::crypto::FOREIGN_MASTER.into());
    }
    warnings
}
