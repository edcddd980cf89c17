//! One node's store: opening, closing, and what its verbs share.
//!
//! Threads: one commits (`commit::queue`), those of the workers (`keeper`), one trains dictionaries; verbs run
//! on the callers' threads and send what blocks to the runtime's blocking ones. Locks are leaves: none is held while
//! another is taken or a drive is asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::arrivals::Arriving;
use crate::cache::RecordCache;
use crate::commit::{CommitQueue, Shared};
use crate::compression::Counters;
use crate::crypto::{Keyring, MasterSecret};
use crate::data_lock::DataLock;
use crate::dictionary::sampler::Sampler;
use crate::dictionary::trainer::Trainer;
use crate::drive::{Executor, Threads};
use crate::enclosure::Enclosures;
use crate::index::fjall::FjallIndex;
use crate::index::row::BucketTally;
use crate::index::{Index, Space, keys};
use crate::initialisation::check_pools;
use crate::intake::{Intake, Opener, candidates, open_directory};
use crate::keeper::Keepers;
use crate::recovery::drives::PoolSettings;
use crate::recovery::{Progress, RecoveryError, RecoveryResult};
use crate::startup;
use crate::streams::StreamPool;

/// What a store is opened with; sizes in bytes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of the index.
    pub index: PathBuf,
    pub pools: Vec<PoolSettings>,
    /// Which drives go at once.
    pub enclosures: Enclosures,
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
    /// A checkpoint of the index is taken this often; `None`: never.
    pub checkpoint_period: Option<Duration>,
    /// A drive that failed is tried again after so long, and then after twice as long each time.
    pub retry_failed: Duration,
    /// The share of the time that healing, scrubbing, moving and compaction may keep drives busy, over 0 to 1.
    pub background_share: f64,
    /// Whether small objects are compressed with dictionaries trained from others like them. What was is read either way.
    pub dictionaries: bool,
    /// What the keys that objects are encrypted with are wrapped under; without one nothing is encrypted.
    pub master_key: Option<MasterSecret>,
}

impl Settings {
    /// With what suits small stores, encrypting nothing.
    #[must_use]
    pub fn small(index: PathBuf, pools: Vec<PoolSettings>) -> Self {
        Self {
            index,
            pools,
            enclosures: Enclosures::default(),
            journal_size: 8 << 20,
            stream_size: 64 << 20,
            small_limit: 1 << 20,
            cache_size: 1 << 20,
            dead_share: 0.25,
            space_reserve: 1 << 20,
            io_timeout: Duration::from_secs(10),
            abandoned_after: None,
            scrub_period: None,
            checkpoint_period: None,
            retry_failed: Duration::from_secs(60),
            background_share: 1.0,
            dictionaries: true,
            master_key: None,
        }
    }
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
    pub(crate) intake: Arc<Intake>,
    pub(crate) arriving: Arriving,
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
    let opener: Arc<Opener> = Arc::new(open_directory);
    let drives = candidates(settings, &executor, &opener);
    let found = startup::find(&settings.pools, drives, executor, settings.io_timeout)?.without_checkpoints();
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
        Self::open_on(settings, Arc::new(open_directory))
    }

    /// The same on drives that the caller opens; they may be opened any number of times.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(settings: &Settings, opener: Arc<Opener>) -> RecoveryResult<Self> {
        let executor: Arc<dyn Executor> = Arc::new(Threads::default());
        let lock = DataLock::take(settings, &executor)?;
        let silent: Progress = Arc::new(|_, _| true);
        let drives = || candidates(settings, &executor, &opener);
        let find = || startup::find(&settings.pools, drives(), executor.clone(), settings.io_timeout);
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
        let intake = Arc::new(Intake::new(settings, opener.clone(), lock));
        let keepers = Keepers::start(settings, &shared, &queue, &streams, &intake, committer, left_open)?;
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
                intake,
                arriving: Arriving::default(),
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

    /// Takes a checkpoint of the index. Blocks.
    ///
    /// # Errors
    /// An index that can't be read, too few drives, no space, or the store is shutting down.
    pub fn checkpoint(&self) -> crate::error::Result<()> {
        let checkpointer = self.inner.keepers.lock().as_ref().map(Keepers::checkpointer);
        checkpointer.ok_or(crate::error::Error::ShuttingDown)?.take()
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
