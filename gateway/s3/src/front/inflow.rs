//! The body of a request as it comes in.
//!
//! Concurrency: the body is polled by one task. [`Inflow`] is what other code sees of it: atomics written by that
//! task and read by the verb, and the kept bytes under a mutex that is never contended.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::HeaderMap;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::chunks::{ChunkError, Chunks};
use super::counters::Counters;

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// Nothing came for as long as a client may be silent.
    Stalled = 1,
    /// The connection ended, or its framing was wrong.
    Broken = 2,
    /// A signed chunk was larger than may be held.
    Oversized = 3,
    /// It should be in chunks, and is not.
    Malformed = 4,
}

/// What is known of a request's body while and after it is read. Every request with a body carries one in its
/// extensions, as `Arc<Inflow>`.
#[derive(Debug, Default)]
pub struct Inflow {
    received: AtomicU64,
    fault: AtomicU8,
    ended: AtomicBool,
    kept: Mutex<Vec<Bytes>>,
    trailers: Mutex<Option<HeaderMap>>,
}

impl Inflow {
    /// Bytes that came, as framed by HTTP: chunk headers of `aws-chunked` count.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Whether the body came to its proper end.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Why it did not.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        match self.fault.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Fault::Stalled),
            2 => Some(Fault::Broken),
            3 => Some(Fault::Oversized),
            _ => Some(Fault::Malformed),
        }
    }

    /// The bytes of a document that s3s parsed, in pieces; empty for any other body.
    #[must_use]
    pub fn kept(&self) -> Vec<Bytes> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The trailers of chunks that were decoded on the way in, once they have come.
    #[must_use]
    pub fn trailers(&self) -> Option<HeaderMap> {
        self.trailers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, piece: &Bytes) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(piece.clone());
    }
}

/// A request's body under a time-out, counted, its chunks cut to size.
pub struct RequestBody {
    inner: Incoming,
    inflow: Arc<Inflow>,
    counters: Arc<Counters>,
    /// Set when the connection holds bytes of this body that nobody will read.
    unread: Arc<AtomicBool>,
    /// Whether the pieces are kept, which is for documents only: s3s bounds their length.
    keeps: bool,
    /// For a body in chunks: who follows them, and what it has passed on that wasn't asked for yet.
    chunks: Option<Chunks>,
    cut: VecDeque<Bytes>,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new(
        inner: Incoming,
        keeps: bool,
        chunks: Option<Chunks>,
        patience: Duration,
        counters: Arc<Counters>,
        unread: Arc<AtomicBool>,
    ) -> (Self, Arc<Inflow>) {
        let inflow = Arc::new(Inflow::default());
        let body = Self {
            inner,
            inflow: Arc::clone(&inflow),
            counters,
            unread,
            keeps,
            chunks,
            cut: VecDeque::new(),
            patience,
            deadline: None,
        };
        (body, inflow)
    }

    /// Nothing has come: has the client been silent for too long? The timer is made at the first wait of a body and
    /// moved on at the later ones, so that a body that is there already costs none.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience;
        self.deadline.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx)
    }

    fn progressed(&mut self) {
        if let Some(deadline) = &mut self.deadline {
            deadline.as_mut().reset(Instant::now() + self.patience);
        }
    }

    /// The next frame as the connection brings it.
    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, InflowError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.progressed();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.fail(Fault::Broken);
                Poll::Ready(Some(Err(InflowError::Broken(error))))
            }
            Poll::Ready(None) => {
                let trailers = self.chunks.as_ref().map(Chunks::trailers);
                *self.inflow.trailers.lock().unwrap_or_else(PoisonError::into_inner) = trailers;
                self.inflow.ended.store(true, Ordering::Release);
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(self.poll_patience(cx));
                self.fail(Fault::Stalled);
                Poll::Ready(Some(Err(InflowError::Stalled)))
            }
        }
    }

    /// Counts a piece and passes it on; `None` when its chunk passes on otherwise, or later.
    fn follow(&mut self, piece: Bytes) -> Result<Option<Bytes>, InflowError> {
        self.inflow.received.fetch_add(piece.len() as u64, Ordering::Relaxed);
        if self.keeps {
            self.inflow.keep(&piece);
        }
        let Some(chunks) = &mut self.chunks else { return Ok(Some(piece)) };
        if let Err(error) = chunks.take(piece, &mut self.cut) {
            self.fail(match error {
                ChunkError::Oversized => Fault::Oversized,
                ChunkError::Malformed => Fault::Malformed,
            });
            return Err(error.into());
        }
        Ok(None)
    }

    fn fail(&mut self, fault: Fault) {
        self.inflow.fault.store(fault as u8, Ordering::Release);
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = InflowError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        loop {
            if let Some(piece) = self.cut.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let frame = match ready!(self.poll_inner(cx)) {
                Some(frame) => frame?,
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                Ok(piece) => {
                    let Some(out) = self.follow(piece)? else { continue };
                    return Poll::Ready(Some(Ok(Frame::data(out))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.cut.is_empty() && self.inner.is_end_stream()
    }

    /// Cutting chunks makes a body longer, and nobody asks for the length of one in chunks.
    fn size_hint(&self) -> SizeHint {
        if self.chunks.is_some() { SizeHint::default() } else { self.inner.size_hint() }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.counters.received(self.inflow.received());
        if !self.inflow.ended() && !self.inner.is_end_stream() {
            self.unread.store(true, Ordering::Release);
        }
    }
}

/// Why a piece of a body could not be had.
#[derive(Debug, thiserror::Error)]
pub enum InflowError {
    #[error("the client stalled")]
    Stalled,
    #[error("the body broke off: {0}")]
    Broken(#[source] hyper::Error),
    #[error(transparent)]
    Chunks(#[from] ChunkError),
}
