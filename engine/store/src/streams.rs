//! Stream segments that may be written: each is held by one request at a time.
//!
//! A request takes an idle stream or opens a new one (`StreamOpen` is durable before the first stripe), appends, syncs,
//! commits, and gives it back. One that is full or whose drives failed is retired, to be sealed by a worker.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::commit::{CommitQueue, Op, Shared};
use crate::error::{Error, Result};
use crate::segment::SegmentError;
use crate::segment::stream::OpenStream;

#[derive(Debug)]
pub struct StreamPool {
    shared: Arc<Shared>,
    queue: CommitQueue,
    /// A stream is retired when its shards have so many bytes together.
    size: u64,
    idle: Mutex<Vec<OpenStream>>,
    retired: Mutex<Vec<OpenStream>>,
}

impl From<SegmentError> for Error {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => Self::OutOfSpace,
            SegmentError::Io(error) => Self::Io(error),
            SegmentError::TooFewShards { .. } | SegmentError::Rotten { .. } => Self::Lost(error.to_string()),
            SegmentError::Malformed { .. } | SegmentError::Erasure(_) => Self::Unavailable(error.to_string()),
        }
    }
}

impl StreamPool {
    #[must_use]
    pub fn new(shared: Arc<Shared>, queue: CommitQueue, size: u64) -> Self {
        Self { shared, queue, size, idle: Mutex::default(), retired: Mutex::default() }
    }

    /// A stream for the caller alone. Blocks while a new one is opened.
    ///
    /// # Errors
    /// Too few drives, no space, or the store is shutting down.
    pub fn take(&self) -> Result<OpenStream> {
        if let Some(stream) = self.idle.lock().pop() {
            return Ok(stream);
        }
        if !self.shared.room.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::OutOfSpace);
        }
        let id = self.shared.take_file_id();
        let unavailable = || Error::Unavailable("the pool has too few drives in use".into());
        let pool = self.shared.hardware.landing_pool().ok_or_else(unavailable)?;
        let drives = pool.place(id).ok_or_else(unavailable)?;
        let mut stream = OpenStream::create(&self.shared.hardware, pool, id, drives)?;
        self.queue.commit_blocking(Op::OpenStream(stream.info.clone()))?;
        stream.info.first_lsn = crate::commit::log::durable_lsn(&self.shared);
        Ok(stream)
    }

    /// Takes a stream back, to be written again unless it is full.
    pub fn give(&self, stream: OpenStream) {
        let full = stream.next_row() * stream.info.profile.shards() as u64 >= self.size;
        if full { self.retire(stream) } else { self.idle.lock().push(stream) }
    }

    /// Takes a stream back that must not be written again.
    pub fn retire(&self, stream: OpenStream) {
        self.retired.lock().push(stream);
    }

    /// Retires every idle stream.
    pub fn retire_idle(&self) {
        let mut idle = std::mem::take(&mut *self.idle.lock());
        self.retired.lock().append(&mut idle);
    }

    /// Streams that wait to be sealed.
    #[must_use]
    pub fn take_retired(&self) -> Vec<OpenStream> {
        std::mem::take(&mut *self.retired.lock())
    }
}
