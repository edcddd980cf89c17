//! The thread that trains dictionaries: it takes samples where there are enough, judges them, and has the commit loop put
//! what is worth it.
//!
//! It alone writes dictionaries, so ids are given out by one. A dictionary is in force once its document is durable: the
//! commit loop replaces the bucket's state then. Cut short before that, there is none, and the samples are gathered
//! again; cut short behind it, the bucket has it at the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::sampler::{Place, Sampler};
use super::training::{Verdict, judge};
use super::{DICTIONARY, MOST_OF_BUCKET};
use crate::commit::{CommitQueue, Op, Shared};
use crate::error::{Error, Result};
use crate::object::Replaces;

const TICK: Duration = Duration::from_millis(500);
/// Training leaves the processor to requests for so many times as long as it used it.
const RESTS: u32 = 4;
/// The most dictionaries that the node has: each one in use takes some hundred KiB of memory.
const MOST_OF_NODE: usize = 512;

#[derive(Debug)]
struct Work {
    shared: Arc<Shared>,
    queue: CommitQueue,
    sampler: Arc<Sampler>,
    stopping: AtomicBool,
    /// Dictionaries that were put since start.
    trained: AtomicU64,
}

#[derive(Debug)]
pub struct Trainer {
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

impl Trainer {
    /// Starts the thread, unless dictionaries are off.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(shared: &Arc<Shared>, queue: &CommitQueue, sampler: &Arc<Sampler>) -> std::io::Result<Self> {
        let work = Arc::new(Work {
            shared: shared.clone(),
            queue: queue.clone(),
            sampler: sampler.clone(),
            stopping: AtomicBool::new(false),
            trained: AtomicU64::new(0),
        });
        let own = work.clone();
        let spawn = || std::thread::Builder::new().name("packstone-train".into()).spawn(move || own.run());
        let thread = sampler.is_on().then(spawn).transpose()?;
        Ok(Self { work, thread })
    }

    /// Dictionaries that were put since start.
    #[must_use]
    pub fn trained(&self) -> u64 {
        self.work.trained.load(Ordering::Relaxed)
    }

    /// Ends the thread.
    pub fn stop(&mut self) {
        self.work.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the trainer of dictionaries panicked");
            }
        }
    }
}

impl Drop for Trainer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Work {
    fn run(&self) {
        while !self.stopping.load(Ordering::Acquire) {
            std::thread::park_timeout(TICK);
            let Some((place, samples)) = self.sampler.take_full() else { continue };
            let began = Instant::now();
            match self.train(&place, &samples) {
                Ok(serves) => self.sampler.settle(&place, serves),
                Err(Error::ShuttingDown) => return,
                Err(error) => tracing::warn!(%error, "a dictionary could not be put: it is trained again later"),
            }
            if !self.stopping.load(Ordering::Acquire) {
                std::thread::park_timeout(began.elapsed() * RESTS);
            }
        }
    }

    /// Puts a dictionary if one is worth it; whether there is one then that serves.
    fn train(&self, place: &Place, samples: &[Arc<[u8]>]) -> Result<bool> {
        let (bucket, family) = place;
        let buckets = self.shared.buckets.load();
        self.sampler.retain(|bucket| buckets.by_id(bucket).is_some());
        let Some(state) = buckets.by_id(*bucket) else { return Ok(false) };
        let of_node: usize = buckets.states().map(|state| state.documents(DICTIONARY).count()).sum();
        let names = || state.documents(DICTIONARY).map(|(name, _)| name);
        // What can't be read keeps its id, too.
        let id = names().filter_map(|name| name.parse::<u32>().ok()).max().unwrap_or(0).saturating_add(1);
        let held = state.dictionaries().of_family(family);
        let dictionary = match judge(samples, family, held.map(|held| &**held), id) {
            Verdict::Serves => return Ok(true),
            Verdict::Futile => return Ok(false),
            Verdict::Train(_) if names().count() >= MOST_OF_BUCKET || of_node >= MOST_OF_NODE => return Ok(false),
            Verdict::Train(dictionary) => dictionary,
        };
        let op = Op::PutDocument {
            scope: *bucket,
            kind: DICTIONARY.to_owned(),
            name: id.to_string(),
            value: Some(dictionary.encode(*bucket).into()),
            replaces: Replaces::Nothing,
        };
        match self.queue.commit_blocking(op) {
            // It went meanwhile.
            Err(Error::NoSuchBucket) => return Ok(false),
            other => other?,
        };
        self.trained.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            bucket = &*state.bucket.name,
            folder = &*family.folder,
            ending = &*family.ending,
            dictionary = id,
            bytes = dictionary.length(),
            stored_per_thousand = dictionary.promised,
            "a dictionary was trained"
        );
        Ok(true)
    }
}
