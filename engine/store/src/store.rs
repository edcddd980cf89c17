//! One node's store: opening, closing, and what its verbs share.
//!
//! Threads: one commits (`commit::queue`), one seals, one keeps house (space, spare journal files, compaction); verbs run
//! on the callers' threads and send what blocks to the runtime's blocking ones. Locks are leaves: none is held while
//! another is taken or a drive is asked.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use time::OffsetDateTime;

use crate::cache::RecordCache;
use crate::commit::{CommitQueue, Shared};
use crate::compliance::{Clock, MachineClock, Reading};
use crate::compression::Counters;
use crate::crypto::{Keyring, MasterSecret};
use crate::dictionary::sampler::Sampler;
use crate::dictionary::trainer::Trainer;
use crate::drive::superblock::Superblock;
use crate::drive::{DirectoryDrive, Drive, Executor, Threads, within};
use crate::epoch::Epoch;
use crate::index::fjall::FjallIndex;
use crate::index::row::BucketTally;
use crate::index::{Index, Space, keys};
use crate::journal;
use crate::keeper::Keepers;
use crate::recovery::drives::{Candidate, PoolSettings};
use crate::recovery::{Progress, RecoveryError, RecoveryResult};
use crate::segment;
use crate::startup;
use crate::streams::StreamPool;
use crate::time::to_seconds;

/// What a store is opened with; sizes in bytes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of the index.
    pub index: PathBuf,
    pub pools: Vec<PoolSettings>,
    /// A journal file, and so the segment that it becomes.
    pub journal_size: u64,
    /// A stream segment is ended at so many bytes on the drives.
    pub stream_size: u64,
    /// Bodies up to this go to the journal whole.
    pub small_limit: u64,
    /// RAM for small records.
    pub cache_size: u64,
    /// Segments with a larger share of dead bytes are compacted.
    pub dead_share: f64,
    /// Left free on every device for deletes, sealing and the index.
    pub space_reserve: u64,
    /// A drive that takes longer for one call is taken out of use.
    pub io_timeout: Duration,
    /// Uploads that were opened so long ago are aborted; `None`: never.
    pub abandoned_after: Option<Duration>,
    /// Every segment is verified once in so long; `None`: never.
    pub scrub_period: Option<Duration>,
    /// Whether small objects are compressed with dictionaries trained from others like them. What was is read either way.
    pub dictionaries: bool,
    /// What the keys that objects are encrypted with are wrapped under; without one nothing is encrypted.
    pub master_key: Option<MasterSecret>,
}

/// One node's store. Cheap to clone; every verb acts on exactly the bucket and key of the grant it is given.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub struct Inner {
    pub shared: Arc<Shared>,
    pub queue: CommitQueue,
    pub streams: Arc<StreamPool>,
    pub cache: RecordCache,
    pub keyring: Keyring,
    pub small_limit: u64,
    pub sampler: Arc<Sampler>,
    pub compressed: Counters,
    keepers: Mutex<Option<Keepers>>,
    pub(crate) trainer: Mutex<Option<Trainer>>,
    /// Held as long as the store is open.
    _lock: DataLock,
}

/// Keeps a second process away from the same data: the index, and every drive by its superblock.
#[derive(Debug)]
pub(crate) struct DataLock(#[allow(dead_code, reason = "dropping the files is what unlocks them")] Vec<File>);

impl DataLock {
    pub(crate) fn take(settings: &Settings, executor: &Arc<dyn Executor>) -> RecoveryResult<Self> {
        let beside = settings.index.with_extension("lock");
        if let Some(parent) = beside.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut files = vec![lock(File::options().create(true).truncate(false).write(true).open(&beside)?, &beside)?];
        let mut seen = std::collections::HashSet::new();
        for path in settings.pools.iter().flat_map(|pool| &pool.drives) {
            let superblock = path.join(crate::drive::superblock::PATH);
            let at = superblock.clone();
            let opened = within(&**executor, settings.io_timeout, move || {
                let file = File::open(&at)?;
                let metadata = file.metadata()?;
                Ok((file, (metadata.dev(), metadata.ino())))
            });
            // One that is not there, or hangs, is told of later.
            if let Ok((file, identity)) = opened {
                // One drive that is configured twice is told apart later, with better words.
                if seen.insert(identity) {
                    files.push(lock(file, &superblock)?);
                }
            }
        }
        Ok(Self(files))
    }
}

fn lock(file: File, path: &Path) -> RecoveryResult<File> {
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(_) => Err(RecoveryError::Operator(format!(
            "another packstone process has this data open ({} is locked): stop it first",
            path.display()
        ))),
    }
}

/// Opens every configured drive that is there.
pub(crate) fn candidates(settings: &Settings, executor: &Arc<dyn Executor>) -> Vec<Candidate> {
    let open = |path: &Path| {
        let path = path.to_owned();
        within(&**executor, settings.io_timeout, move || Ok(Arc::new(DirectoryDrive::open(&path)?) as Arc<dyn Drive>))
    };
    settings
        .pools
        .iter()
        .zip(0..)
        .flat_map(|(pool, number)| pool.drives.iter().map(move |path| (path, number)))
        .map(|(path, pool)| Candidate { path: path.display().to_string(), pool, drive: open(path) })
        .collect()
}

/// Whether any of the drives carries a superblock.
#[must_use]
pub fn is_initialised(settings: &Settings) -> bool {
    let executor: Arc<dyn Executor> = Arc::new(Threads::default());
    candidates(settings, &executor).into_iter().any(|candidate| {
        candidate.drive.is_ok_and(|drive| {
            within(&*executor, settings.io_timeout, move || drive.open(crate::drive::superblock::PATH)).is_ok()
        })
    })
}

/// Writes superblocks to empty drives, whose directories are made where they are missing. The compliance clock begins at
/// the machine's time, which the caller has had confirmed. Returns the appliance's id.
///
/// # Errors
/// A drive that isn't empty or holds what is locked, a profile that the drives can't meet, no parity without
/// `allow_no_parity`, or a machine's clock that can't be right.
pub fn initialise(settings: &Settings, allow_no_parity: bool) -> RecoveryResult<u128> {
    check_pools(&settings.pools, allow_no_parity)?;
    let machine: Arc<dyn Clock> = Arc::new(MachineClock::new()?);
    let reading = Reading::begin(machine.moment())?;
    for path in settings.pools.iter().flat_map(|pool| &pool.drives) {
        fs::create_dir_all(path).map_err(|error| RecoveryError::Operator(format!("{}: {error}", path.display())))?;
        let foreign = fs::read_dir(path)?.filter_map(Result::ok).map(|entry| entry.file_name());
        if let Some(name) = foreign.into_iter().find(|name| name != "lost+found") {
            refuse_locked(path, &machine)?;
            let what =
                if name == crate::drive::superblock::PATH { "belongs to an appliance already" } else { "is not empty" };
            return Err(RecoveryError::Operator(format!(
                "{} {what}: choose another drive, or empty it",
                path.display()
            )));
        }
    }
    let appliance = random_id()?;
    let drives = settings.pools.iter().map(|pool| pool.drives.len()).sum::<usize>();
    let mut number = 0;
    for (pool, place) in settings.pools.iter().zip(0..) {
        for path in &pool.drives {
            let drive = DirectoryDrive::open(path)?;
            format(&drive, pool, place, Identity { appliance, number, drives, reading, retain_until: 0 })?;
            number += 1;
        }
    }
    Ok(appliance)
}

/// Refuses a drive that holds records which are still locked, by the appliance's own clock: what the machine's was set
/// to counts no more than it does while the appliance runs.
fn refuse_locked(path: &Path, machine: &Arc<dyn Clock>) -> RecoveryResult<()> {
    // One that can't be read is refused as it is.
    let Ok(Some(superblock)) = Superblock::load(&DirectoryDrive::open(path)?) else { return Ok(()) };
    let until = superblock.retain_until;
    let now = superblock.clock.map_or(i64::MIN, |reading| reading.at(machine.moment()).time);
    if until == 0 || until <= now {
        return Ok(());
    }
    let what = match OffsetDateTime::from_unix_timestamp(to_seconds(until)) {
        Ok(end) if until < i64::MAX => format!("are locked until {}", end.date()),
        _ => "are under legal hold or locked for ever".into(),
    };
    Err(RecoveryError::Operator(format!("{} holds records that {what}: it can't be initialised", path.display())))
}

/// What tells a new drive from the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub appliance: u128,
    pub number: u16,
    pub drives: usize,
    /// Where the compliance clock begins.
    pub reading: Reading,
    /// Until when the appliance's drives must be kept, Unix nanoseconds.
    pub retain_until: i64,
}

/// Gives a drive its directories and superblock.
pub(crate) fn format(drive: &dyn Drive, pool: &PoolSettings, place: u8, own: Identity) -> RecoveryResult<()> {
    drive.create_directory(journal::DIRECTORY)?;
    drive.create_directory(segment::DIRECTORY)?;
    let mut superblock = Superblock {
        appliance: own.appliance,
        drive: random_id()?,
        number: own.number,
        drives: u16::try_from(own.drives).unwrap_or(u16::MAX),
        pool: place,
        pool_name: pool.name.clone(),
        class: pool.class,
        profile: pool.profile,
        epoch: Epoch::default(),
        fences: Vec::new(),
        retain_until: own.retain_until,
        formatted: own.reading.time,
        clock: Some(own.reading),
        change: 0,
    };
    Ok(superblock.store(drive)?)
}

fn random_id() -> RecoveryResult<u128> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| RecoveryError::Operator(error.to_string()))?;
    Ok(u128::from_le_bytes(id))
}

/// # Errors
/// A pool whose profile can't be, or has too few drives.
pub fn check_pools(pools: &[PoolSettings], allow_no_parity: bool) -> RecoveryResult<()> {
    let wrong = |text: String| Err(RecoveryError::Operator(text));
    if pools.is_empty() {
        return wrong("no pool is configured: name at least one, with its drives".into());
    }
    for pool in pools {
        let profile = pool.profile;
        if !(1..=16).contains(&profile.data) || profile.parity > 8 {
            return wrong(format!("pool {:?}: profile {profile} can't be: k is 1 to 16, m is 0 to 8", pool.name));
        }
        if profile.parity == 0 && !allow_no_parity {
            return wrong(format!(
                "pool {:?}: profile {profile} survives the loss of no drive: say --allow-no-parity if you mean it",
                pool.name
            ));
        }
        if pool.drives.len() < profile.shards() {
            return wrong(format!(
                "pool {:?}: profile {profile} needs {} drives and has {}",
                pool.name,
                profile.shards(),
                pool.drives.len()
            ));
        }
    }
    Ok(())
}

/// Opens the index; one that won't open is set aside to be made anew.
fn open_index(path: &Path) -> RecoveryResult<Arc<dyn Index>> {
    match FjallIndex::open(path) {
        Ok(index) => Ok(Arc::new(index)),
        Err(error) => {
            tracing::warn!(%error, "the index will not open: making it anew from journals and TOCs");
            remove_index(path)?;
            Ok(Arc::new(FjallIndex::open(path)?))
        }
    }
}

fn remove_index(path: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// What an index was made anew from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildReport {
    /// Whose TOCs were read.
    pub segments: u64,
    pub objects: u64,
    /// Of these objects, as the clients sent them.
    pub bytes: u64,
}

/// Makes the index anew from journals and TOCs, with the store closed.
///
/// # Errors
/// Whatever keeps the store from being opened.
pub fn rebuild_index(settings: &Settings, progress: &Progress) -> RecoveryResult<RebuildReport> {
    let executor: Arc<dyn Executor> = Arc::new(Threads::default());
    let _lock = DataLock::take(settings, &executor)?;
    remove_index(&settings.index)?;
    let index = open_index(&settings.index)?;
    let drives = candidates(settings, &executor);
    let found = startup::find(&settings.pools, drives, executor, settings.io_timeout)?;
    let (core, replayed) = startup::bring_up(found, index, progress)?;
    let mut report = RebuildReport { segments: replayed.segments, objects: 0, bytes: 0 };
    let snapshot = core.shared.index.snapshot();
    for bucket in core.shared.buckets.load().iter() {
        let held = snapshot.get(Space::Tallies, &keys::bucket_tally(bucket.id))?;
        let tally = held.map(|value| BucketTally::decode(&value)).transpose()?.unwrap_or_default();
        report.objects += tally.objects;
        report.bytes += tally.bytes;
    }
    core.shared.index.persist()?;
    Ok(report)
}

impl Store {
    /// Recovers and starts the threads.
    ///
    /// # Errors
    /// What stands against it, in one line for the operator.
    pub fn open(settings: &Settings) -> RecoveryResult<Self> {
        check_pools(&settings.pools, true)?;
        Self::open_on(settings, &|executor| candidates(settings, executor))
    }

    /// The same on drives that the caller opens; they may be opened twice.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(settings: &Settings, drives: &dyn Fn(&Arc<dyn Executor>) -> Vec<Candidate>) -> RecoveryResult<Self> {
        let executor: Arc<dyn Executor> = Arc::new(Threads::default());
        let lock = DataLock::take(settings, &executor)?;
        let silent: Progress = Arc::new(|_, _| true);
        let find = || startup::find(&settings.pools, drives(&executor), executor.clone(), settings.io_timeout);
        let (core, _) = match startup::bring_up(find()?, open_index(&settings.index)?, &silent) {
            // A rotten index shows only when it is read: it is derived, and made anew once.
            Err(RecoveryError::Index(error)) => {
                tracing::warn!(%error, "the index can't be read: making it anew from journals and TOCs");
                remove_index(&settings.index)?;
                startup::bring_up(find()?, open_index(&settings.index)?, &silent)?
            }
            other => other?,
        };
        let shared = core.shared.clone();
        let keyring = crate::object::keyring(settings.master_key.as_ref(), &*shared.index)?;
        let left_open =
            core.living.segments.values().filter(|info| crate::commit::is_open_stream(info)).cloned().collect();
        let (queue, committer) = CommitQueue::start(core)?;
        let streams = Arc::new(StreamPool::new(shared.clone(), queue.clone(), settings.stream_size));
        let sampler = Arc::new(Sampler::new(settings.dictionaries));
        let trainer = Trainer::start(&shared, &queue, &sampler)?;
        let keepers = Keepers::start(settings, &shared, &queue, &streams, committer, left_open)?;
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                queue,
                streams,
                cache: RecordCache::new(settings.cache_size),
                keyring,
                small_limit: settings.small_limit.min(crate::segment::stripe::UNIT),
                sampler,
                compressed: Counters::default(),
                keepers: Mutex::new(Some(keepers)),
                trainer: Mutex::new(Some(trainer)),
                _lock: lock,
            }),
        })
    }

    /// Seals every open journal and stream; answers with how many segments that made. Blocks.
    ///
    /// # Errors
    /// Too few drives, no space, or the store is shutting down.
    pub fn seal(&self) -> crate::error::Result<u64> {
        match &*self.inner.keepers.lock() {
            Some(keepers) => keepers.seal_all(),
            None => Err(crate::error::Error::ShuttingDown),
        }
    }

    /// Answers what waits, seals streams, syncs the index and ends the threads. Further verbs answer
    /// [`crate::Error::ShuttingDown`]. Blocks.
    pub fn close(&self) {
        let trainer = self.inner.trainer.lock().take();
        drop(trainer);
        if let Some(keepers) = self.inner.keepers.lock().take() {
            keepers.stop(&self.inner);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.trainer.get_mut().take());
        if let Some(keepers) = self.keepers.get_mut().take() {
            keepers.abandon(&self.queue);
        }
    }
}
