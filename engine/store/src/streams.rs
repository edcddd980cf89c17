//! Stream segments that may be written: each is held by one request at a time.
//!
//! A request takes an idle stream or opens a new one (`StreamOpen` is durable before the first stripe), appends, syncs,
//! commits, and only then gives it back: a stream is sealed with the claims that are known when nobody holds it. One
//! that is full or whose drives failed is retired, to be sealed by a worker.

use std::ops::{Deref, DerefMut};
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

/// A stream that the holder alone may write; it goes back to its pool when dropped.
#[derive(Debug)]
pub struct Lease {
    pool: Arc<StreamPool>,
    /// `Some` until dropped.
    stream: Option<OpenStream>,
    /// Whether a write failed: it must not be written again.
    pub broken: bool,
}

impl Lease {
    /// Whether it has taken as much as it should.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| self.pool.is_full(stream))
    }
}

impl Deref for Lease {
    type Target = OpenStream;
    #[allow(clippy::expect_used, reason = "the stream is taken out by drop alone")]
    fn deref(&self) -> &OpenStream {
        self.stream.as_ref().expect("a lease holds its stream until it is dropped")
    }
}

impl DerefMut for Lease {
    #[allow(clippy::expect_used, reason = "the stream is taken out by drop alone")]
    fn deref_mut(&mut self) -> &mut OpenStream {
        self.stream.as_mut().expect("a lease holds its stream until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        let end = self.broken || self.pool.is_full(&stream) || self.pool.is_outdone(&stream);
        let list = if end { &self.pool.retired } else { &self.pool.idle };
        list.lock().push(stream);
    }
}

impl StreamPool {
    #[must_use]
    pub fn new(shared: Arc<Shared>, queue: CommitQueue, size: u64) -> Self {
        Self { shared, queue, size, idle: Mutex::default(), retired: Mutex::default() }
    }

    fn is_full(&self, stream: &OpenStream) -> bool {
        stream.next_row() * stream.info.profile.shards() as u64 >= self.size
    }

    /// Whether a new stream would have drives for more shards.
    fn is_outdone(&self, stream: &OpenStream) -> bool {
        let lacking = stream.lacking();
        lacking > 0
            && self.shared.hardware.pool(stream.info.pool).is_some_and(|pool| {
                let takers = pool.members.iter().filter(|member| member.takes_shards()).count();
                lacking > pool.profile.shards().saturating_sub(takers)
            })
    }

    /// A stream of a pool for the caller alone. Blocks while a new one is opened.
    ///
    /// # Errors
    /// Too few drives, no space, or the store is shutting down.
    pub fn take(self: &Arc<Self>, pool: u8) -> Result<Lease> {
        let shortage = &self.shared.shortage;
        if !shortage.takes_growth() || !shortage.has_room(pool) {
            return Err(Error::OutOfSpace);
        }
        self.take_from_reserve(pool)
    }

    /// The same for what wins space back, which the reserve is for.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn take_from_reserve(self: &Arc<Self>, pool: u8) -> Result<Lease> {
        self.retire_outdone();
        let idle = {
            let mut idle = self.idle.lock();
            let at = idle.iter().rposition(|held| held.info.pool == pool);
            at.map(|at| idle.remove(at))
        };
        let stream = match idle {
            Some(stream) => stream,
            None => self.open(pool)?,
        };
        Ok(Lease { pool: self.clone(), stream: Some(stream), broken: false })
    }

    fn open(&self, pool: u8) -> Result<OpenStream> {
        let id = self.shared.take_file_id();
        let unavailable = || Error::Unavailable("the pool has too few drives in use".into());
        let pool = self.shared.hardware.pool(pool).ok_or_else(unavailable)?;
        let drives = pool.place(id).ok_or_else(unavailable)?;
        let mut stream = OpenStream::create(&self.shared.hardware, &pool, id, drives)?;
        self.queue.commit_blocking(Op::OpenStream(stream.info.clone()))?;
        if let Some(crate::segment::Home::Segment(opened)) = self.shared.table.get(id) {
            stream.info.first_lsn = opened.info.first_lsn;
        }
        Ok(stream)
    }

    /// Retires the idle streams for which a new one would be better.
    pub fn retire_outdone(&self) {
        let outdone: Vec<_> = self.idle.lock().extract_if(.., |held| self.is_outdone(held)).collect();
        self.retired.lock().extend(outdone);
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
