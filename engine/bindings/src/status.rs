//! Facts for Python.

use packstone_store::compliance::Now;
use packstone_store::drive::DriveState;
use packstone_store::{healing, status, verify};
use pyo3::prelude::*;

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct DriveStatus {
    number: u16,
    path: String,
    uuid: String,
    pool: String,
    enclosure: Option<String>,
    drive_class: String,
    state: &'static str,
    reason: String,
    total: u64,
    free: u64,
    slow: bool,
    leaving: bool,
    files: u64,
    used: u64,
}

impl From<status::DriveStatus> for DriveStatus {
    fn from(drive: status::DriveStatus) -> Self {
        let state = match drive.state {
            DriveState::Online => "online",
            DriveState::Stale => "stale",
            DriveState::Failed => "failed",
            DriveState::Missing => "missing",
        };
        Self {
            number: drive.number,
            path: drive.path,
            uuid: format!("{:032x}", drive.uuid),
            pool: drive.pool,
            enclosure: drive.enclosure.as_deref().map(str::to_owned),
            drive_class: drive.class.to_string(),
            state,
            reason: drive.reason,
            total: drive.total,
            free: drive.free,
            slow: drive.slow,
            leaving: drive.leaving,
            files: drive.files,
            used: drive.used,
        }
    }
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct PoolStatus {
    name: String,
    drive_class: String,
    data: u8,
    parity: u8,
    drives: usize,
    online: usize,
    segments: usize,
    bytes: u64,
    dead: u64,
    degraded: usize,
    crowded: usize,
    storage_classes: Vec<&'static str>,
    room: bool,
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct MovingStatus {
    looking: bool,
    looked: u64,
    displaced: u64,
    moved: u64,
}

impl From<status::MovingStatus> for MovingStatus {
    fn from(moving: status::MovingStatus) -> Self {
        let status::MovingStatus { looking, looked, displaced, moved } = moving;
        Self { looking, looked, displaced, moved }
    }
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct HealingStatus {
    open: u64,
    stuck: u64,
    healed: u64,
    bytes: u64,
    lost: u64,
    lost_objects: u64,
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct ScrubStatus {
    done: u64,
    total: u64,
    last_ended: f64,
    segments: u64,
    faults: u64,
}

impl From<status::ScrubStatus> for ScrubStatus {
    fn from(scrub: status::ScrubStatus) -> Self {
        let status::ScrubStatus { done, total, last_ended, segments, faults } = scrub;
        Self { done, total, last_ended: seconds(last_ended), segments, faults }
    }
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct CheckpointStatus {
    kept: u64,
    bytes: u64,
    lsn: u64,
    taken: f64,
    unseen: u64,
    failures: u64,
}

impl From<status::CheckpointStatus> for CheckpointStatus {
    fn from(checkpoints: status::CheckpointStatus) -> Self {
        let status::CheckpointStatus { kept, bytes, lsn, taken, unseen, failures } = checkpoints;
        Self { kept, bytes, lsn, taken: seconds(taken), unseen, failures }
    }
}

impl From<status::HealingStatus> for HealingStatus {
    fn from(healing: status::HealingStatus) -> Self {
        let status::HealingStatus { open, stuck, healed, bytes, lost, lost_objects } = healing;
        Self { open, stuck, healed, bytes, lost, lost_objects }
    }
}

impl From<status::PoolStatus> for PoolStatus {
    fn from(pool: status::PoolStatus) -> Self {
        Self {
            name: pool.name,
            drive_class: pool.class.to_string(),
            data: pool.profile.data,
            parity: pool.profile.parity,
            drives: pool.drives,
            online: pool.online,
            segments: pool.segments,
            bytes: pool.bytes,
            dead: pool.dead,
            degraded: pool.degraded,
            crowded: pool.crowded,
            storage_classes: pool.storage_classes.iter().map(|class| class.name()).collect(),
            room: pool.room,
        }
    }
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct JournalStatus {
    epoch: u64,
    lsn: u64,
    files: usize,
    bytes: u64,
    copies: Vec<String>,
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct BucketUsage {
    name: String,
    objects: u64,
    bytes: u64,
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct ClockStatus {
    compliance: f64,
    lag: f64,
}

impl From<Now> for ClockStatus {
    fn from(now: Now) -> Self {
        Self { compliance: seconds(now.compliance), lag: seconds(now.lag()) }
    }
}

/// Seconds of nanoseconds.
pub fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

#[pyclass(module = "packstone_engine", frozen, get_all)]
pub struct Status {
    appliance: String,
    clock: ClockStatus,
    drives: Vec<DriveStatus>,
    pools: Vec<PoolStatus>,
    healing: HealingStatus,
    moving: MovingStatus,
    scrubbing: ScrubStatus,
    checkpoints: CheckpointStatus,
    journal: JournalStatus,
    buckets: Vec<BucketUsage>,
    segments: usize,
    objects: u64,
    bytes: u64,
    warnings: Vec<String>,
}

impl From<status::Status> for Status {
    fn from(status: status::Status) -> Self {
        let journal = status.journal;
        let usage = |bucket: status::BucketUsage| BucketUsage {
            name: bucket.name,
            objects: bucket.objects,
            bytes: bucket.bytes,
        };
        Self {
            appliance: format!("{:032x}", status.appliance),
            clock: status.clock.into(),
            drives: status.drives.into_iter().map(Into::into).collect(),
            pools: status.pools.into_iter().map(Into::into).collect(),
            healing: status.healing.into(),
            moving: status.moving.into(),
            scrubbing: status.scrubbing.into(),
            checkpoints: status.checkpoints.into(),
            journal: JournalStatus {
                epoch: journal.epoch,
                lsn: journal.lsn,
                files: journal.files,
                bytes: journal.bytes,
                copies: journal.copies,
            },
            buckets: status.buckets.into_iter().map(usage).collect(),
            segments: status.segments,
            objects: status.objects,
            bytes: status.bytes,
            warnings: status.warnings,
        }
    }
}

#[pyclass(module = "packstone_engine", frozen, get_all)]
pub struct VerifyReport {
    segments: u64,
    records: u64,
    bytes: u64,
    faults: Vec<String>,
    lost: Vec<String>,
}

impl From<verify::VerifyReport> for VerifyReport {
    fn from(report: verify::VerifyReport) -> Self {
        let verify::VerifyReport { segments, records, bytes, faults, lost } = report;
        Self { segments, records, bytes, faults, lost }
    }
}

/// An object that too few shards are left of.
#[pyclass(module = "packstone_engine", frozen, get_all)]
pub struct LostObject {
    bucket: String,
    key: String,
    version: Option<String>,
    bytes: u64,
    segment: String,
}

impl From<healing::LostObject> for LostObject {
    fn from(lost: healing::LostObject) -> Self {
        let healing::LostObject { bucket, key, version, bytes, segment } = lost;
        let version = version.map(|version| version.to_string());
        Self { bucket, key, version, bytes, segment: format!("{segment:016x}") }
    }
}

#[pyclass(module = "packstone_engine", frozen, get_all)]
pub struct RebuildReport {
    pub segments: u64,
    pub objects: u64,
    pub bytes: u64,
}
