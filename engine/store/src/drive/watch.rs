//! What is known of a drive while it is used: whether it may be, and how promptly it answers.
//!
//! A call takes the drive out of use when it gets no answer within the time-out. A read does not wait that long where
//! the bytes stand elsewhere too: after a fraction of it, its *hedge*, the caller turns to the others and the call stays
//! under way. As long as one is under way for longer than that the drive *hesitates*, and prompt reads pass it over: so
//! no more threads hang in a drive than had asked it before the first hedge was over. Locks are leaves.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::executor::{Executor, Started, no_answer};
use super::latency::Latency;
use super::{DriveState, executor};

/// The hedge is this part of the time-out.
const HEDGE: u32 = 20;

/// How long a read waits for one drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as a drive that works takes: the bytes stand elsewhere too.
    Prompt,
    /// As long as a drive may take at all.
    Whole,
}

#[derive(Debug)]
pub struct Watch {
    path: String,
    executor: Arc<dyn Executor>,
    timeout: Duration,
    state: AtomicU8,
    reason: Mutex<String>,
    /// When each prompt read that has no answer yet was begun, oldest first.
    under_way: Mutex<BTreeMap<u64, Instant>>,
    next: AtomicU64,
    pub reads: Latency,
    pub syncs: Latency,
    /// Until when it is passed over for being much slower than others.
    sluggish: Mutex<Option<Instant>>,
}

impl Watch {
    #[must_use]
    pub fn new(path: &str, executor: Arc<dyn Executor>, timeout: Duration) -> Self {
        Self {
            path: path.to_owned(),
            executor,
            timeout,
            state: AtomicU8::new(DriveState::Online as u8),
            reason: Mutex::default(),
            under_way: Mutex::default(),
            next: AtomicU64::new(0),
            reads: Latency::default(),
            syncs: Latency::default(),
            sluggish: Mutex::default(),
        }
    }

    #[must_use]
    pub fn state(&self) -> DriveState {
        match self.state.load(Ordering::Acquire) {
            0 => DriveState::Online,
            1 => DriveState::Stale,
            2 => DriveState::Failed,
            _ => DriveState::Missing,
        }
    }

    #[must_use]
    pub fn reason(&self) -> String {
        self.reason.lock().clone()
    }

    /// Takes the drive out of use; the first reason stays.
    pub fn retire(&self, state: DriveState, reason: String) {
        let mut held = self.reason.lock();
        if self.state() == DriveState::Online && state != DriveState::Online {
            tracing::warn!(drive = self.path, ?state, reason, "drive taken out of use");
            *held = reason;
            self.state.store(state as u8, Ordering::Release);
        }
    }

    /// Takes a drive in again that was away; for starts alone, before anybody reads.
    pub fn take_in(&self) {
        let mut held = self.reason.lock();
        if self.state() == DriveState::Stale {
            tracing::info!(drive = self.path, was = *held, "drive taken in again");
            held.clear();
            self.state.store(DriveState::Online as u8, Ordering::Release);
        }
    }

    /// Has the drive be passed over for so long, and be judged anew then.
    pub fn pass_over(&self, duration: Duration) {
        *self.sluggish.lock() = Some(Instant::now() + duration);
        self.reads.forget();
        self.syncs.forget();
    }

    /// Whether it is passed over for being much slower than others.
    #[must_use]
    pub fn is_sluggish(&self) -> bool {
        self.sluggish.lock().is_some_and(|until| Instant::now() < until)
    }

    /// Whether it is passed over: for being much slower than others, or since a prompt read waits for longer than its hedge. One that waits for longer than the time-out takes the
    /// drive out of use.
    pub fn hesitates(&self) -> bool {
        let oldest = self.under_way.lock().values().next().map(Instant::elapsed);
        if oldest.is_some_and(|waited| waited >= self.timeout) {
            self.retire(DriveState::Failed, no_answer(self.timeout).to_string());
        }
        oldest.is_some_and(|waited| waited >= self.hedge()) || self.is_sluggish()
    }

    fn hedge(&self) -> Duration {
        self.timeout / HEDGE
    }

    /// Makes one call of the drive. A job's calls are made on its own thread: whoever started the job keeps the time.
    ///
    /// # Errors
    /// The drive's. After [`io::ErrorKind::TimedOut`] it is out of use, and one that failed is not asked again.
    pub fn call<T: Send + 'static>(&self, job: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        if executor::at_work() {
            return job();
        }
        self.check_in_use()?;
        self.settle(executor::within(&*self.executor, self.timeout, job))
    }

    /// Reads something of the drive, as [`Self::call`] does or promptly.
    ///
    /// # Errors
    /// As [`Self::call`]; [`io::ErrorKind::WouldBlock`] where the drive hesitates and is not waited for.
    pub fn read<T: Send + 'static>(
        self: &Arc<Self>,
        patience: Patience,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        if patience == Patience::Whole || executor::at_work() {
            return self.call(job);
        }
        let hesitation = || Err(io::Error::new(io::ErrorKind::WouldBlock, "the drive hesitates"));
        if self.hesitates() {
            return hesitation();
        }
        self.check_in_use()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.under_way.lock().insert(number, Instant::now());
        let over = Over(self.clone(), number);
        let started = Started::new(&*self.executor, move || {
            let _over = over;
            job()
        });
        started.wait(self.hedge()).map_or_else(hesitation, |result| self.settle(result))
    }

    fn check_in_use(&self) -> io::Result<()> {
        match self.state() {
            DriveState::Failed => Err(io::Error::new(io::ErrorKind::NotConnected, "the drive is out of use")),
            DriveState::Online | DriveState::Stale | DriveState::Missing => Ok(()),
        }
    }

    fn settle<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::TimedOut
        {
            self.retire(DriveState::Failed, error.to_string());
        }
        result
    }
}

/// Ends a prompt read's being under way, however the read ends.
struct Over(Arc<Watch>, u64);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.under_way.lock().remove(&self.1);
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
