//! What the front counts, for `/metrics`.
//!
//! Concurrency: relaxed atomics that any task adds to; a snapshot reads them one by one, so its figures may be of
//! slightly different moments.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use hyper::StatusCode;

use super::route::Verb;

/// Upper bounds of the latency histogram's buckets, in microseconds; what is slower falls into one more.
pub const LATENCY_BOUNDS: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000];

/// How requests ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Redirect,
    ClientError,
    ServerError,
    /// The client was gone before it had an answer.
    Aborted,
}

impl Outcome {
    /// All outcomes, in the order in which [`VerbCounts::requests`] counts them.
    pub const ALL: [Self; 5] = [Self::Success, Self::Redirect, Self::ClientError, Self::ServerError, Self::Aborted];

    /// The label that metrics carry.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Aborted => "aborted",
        }
    }

    pub(super) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            0..=299 => Self::Success,
            300..=399 => Self::Redirect,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

#[derive(Debug, Default)]
struct VerbCounters {
    requests: [AtomicU64; Outcome::ALL.len()],
    /// One for each of [`LATENCY_BOUNDS`], and one for what is slower.
    latency: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    latency_sum: AtomicU64,
}

/// Counters of one front.
#[derive(Debug)]
pub struct Counters {
    verbs: [VerbCounters; Verb::ALL.len()],
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    in_flight: AtomicI64,
    connections: AtomicI64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            verbs: std::array::from_fn(|_| VerbCounters::default()),
            bytes_in: AtomicU64::default(),
            bytes_out: AtomicU64::default(),
            in_flight: AtomicI64::default(),
            connections: AtomicI64::default(),
        }
    }
}

impl Counters {
    pub(super) fn began(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, verb: Verb, outcome: Outcome, took: Duration, sent: u64) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.bytes_out.fetch_add(sent, Ordering::Relaxed);
        let Some(counters) = self.verbs.get(verb as usize) else { return };
        if let Some(count) = counters.requests.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counters.latency_sum.fetch_add(micros, Ordering::Relaxed);
        if let Some(bucket) = counters.latency.get(LATENCY_BOUNDS.partition_point(|bound| *bound < micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn received(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn connected(&self, change: i64) {
        self.connections.fetch_add(change, Ordering::Relaxed);
    }

    /// The figures as they stand.
    #[must_use]
    pub fn snapshot(&self) -> Counts {
        Counts {
            verbs: Verb::ALL
                .iter()
                .zip(&self.verbs)
                .map(|(verb, counters)| VerbCounts {
                    verb: *verb,
                    requests: read(&counters.requests),
                    latency: read(&counters.latency),
                    latency_sum: counters.latency_sum.load(Ordering::Relaxed),
                })
                .collect(),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            lines_delivered: 0,
            lines_lost: 0,
        }
    }
}

fn read<const N: usize>(counters: &[AtomicU64; N]) -> [u64; N] {
    counters.each_ref().map(|counter| counter.load(Ordering::Relaxed))
}

/// A reading of [`Counters`].
#[derive(Clone, Debug)]
pub struct Counts {
    pub verbs: Vec<VerbCounts>,
    /// Bytes of request bodies, and of answers' bodies.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Requests whose answers aren't sent yet.
    pub in_flight: i64,
    pub connections: i64,
    /// Lines of buckets' access logs, which others than the front count.
    pub lines_delivered: u64,
    pub lines_lost: u64,
}

/// What is counted of one verb.
#[derive(Clone, Debug)]
pub struct VerbCounts {
    pub verb: Verb,
    /// Requests by outcome, in the order of [`Outcome::ALL`].
    pub requests: [u64; Outcome::ALL.len()],
    /// Requests by how long they took until their answer was sent: not cumulative, one for each of
    /// [`LATENCY_BOUNDS`] and one for what is slower.
    pub latency: [u64; LATENCY_BOUNDS.len() + 1],
    /// The sum of it, in microseconds.
    pub latency_sum: u64,
}
