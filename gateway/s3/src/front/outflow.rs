//! The answer's body as it goes out, and the record of the request that ends with it.
//!
//! Concurrency: a record belongs to one request. It is counted and logged when it is dropped, which happens once,
//! however the request ends: answered, refused, or left by its client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::StatusCode;
use s3s::StdError;

use super::Recorder;
use super::access_log::AccessLog;
use super::counters::{Counters, Outcome};
use super::line::Line;
use super::route::Verb;

/// One request from its arrival to the last byte of its answer.
pub(super) struct Record {
    pub verb: Verb,
    pub status: Option<StatusCode>,
    pub sent: u64,
    pub started: Instant,
    pub counters: Arc<Counters>,
    /// Only when there is an access log, or the bucket has one.
    pub line: Option<Box<Line>>,
    pub log: Option<AccessLog>,
    pub recorder: Option<Box<dyn Recorder>>,
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let outcome = self.status.map_or(Outcome::Aborted, Outcome::of);
        self.counters.ended(self.verb, outcome, took, self.sent);
        let Some(mut line) = self.line.take() else { return };
        line.finish(self.verb, self.status, self.sent, took);
        let line: Arc<Line> = Arc::from(line);
        if let Some(log) = &self.log {
            log.write(line.clone());
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.record(line);
        }
    }
}

/// An answer's body, with the record that ends when it does.
pub struct ResponseBody {
    inner: s3s::Body,
    record: Record,
}

impl ResponseBody {
    pub(super) fn new(inner: s3s::Body, record: Record) -> Self {
        Self { inner, record }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(piece) = frame.data_ref()
        {
            self.record.sent += piece.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
