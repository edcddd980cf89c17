//! The report of a run, as it is printed.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::{CreationError, Histogram};
use serde::Serialize;

use crate::{
    options::Options,
    process::{CpuTime, Memory},
    scenario::Kind,
    tally::{Count, Tally},
};

/// Microseconds from the first byte sent to the last byte received.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    #[serde(rename = "p99.9")]
    pub p999: f64,
    pub max: f64,
}

/// Requests of one kind, or of all.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub ops: u64,
    pub objects: u64,
    pub bytes: u64,
    pub ops_per_second: f64,
    /// 10^6 bytes of object content a second.
    pub mb_per_second: f64,
    pub latency_us: Latency,
}

/// What the processes given by `--pid` spent within the measured window.
#[derive(Debug, Serialize)]
pub struct Server {
    pub pids: Vec<i32>,
    pub cpu_seconds: CpuTime,
    pub cpu_us_per_op: f64,
    /// At the end of the window.
    pub memory_bytes: Memory,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub connections: usize,
    /// Bytes of an object.
    pub size: u64,
    /// The measured window: from the end of the warm-up to the last answer.
    pub seconds: f64,
    pub errors: u64,
    pub failures: BTreeMap<String, u64>,
    /// Requests that were begun, those of the warm-up included: a put has written the keys from `--first` to
    /// `--first` + this, unless it had errors.
    pub requests: u64,
    #[serde(flatten)]
    pub all: Summary,
    /// Only when the scenario mixes kinds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<Kind, Summary>,
    /// None without `--pid`, or when such a process ended before the run did.
    pub server: Option<Server>,
    /// What the generator itself took from the machine.
    pub client_cpu_us_per_op: f64,
}

/// What the run measured around its workers.
#[derive(Debug)]
pub struct Window {
    pub length: Duration,
    pub requests: u64,
    pub server: Option<(CpuTime, Memory)>,
    pub client: CpuTime,
}

impl Report {
    pub fn new(options: &Options, tally: &Tally, window: &Window) -> Result<Self, CreationError> {
        let seconds = window.length.as_secs_f64();
        let total = tally.total()?;
        let per_op = |cpu: CpuTime| ratio(cpu.total * 1e6, total.ops as f64);
        let mixed = tally.kinds.len() > 1;
        let kinds = tally.kinds.iter().filter(|_| mixed).map(|(kind, count)| (*kind, summary(count, seconds)));
        Ok(Self {
            scenario: options.scenario.name(),
            connections: options.load.connections,
            size: options.size(),
            seconds,
            errors: tally.failures.values().sum(),
            failures: tally.failures.clone(),
            requests: window.requests,
            all: summary(&total, seconds),
            kinds: kinds.collect(),
            server: window.server.map(|(cpu, memory)| Server {
                pids: options.load.pids.clone(),
                cpu_seconds: cpu,
                cpu_us_per_op: per_op(cpu),
                memory_bytes: memory,
            }),
            client_cpu_us_per_op: per_op(window.client),
        })
    }
}

fn summary(count: &Count, seconds: f64) -> Summary {
    Summary {
        ops: count.ops,
        objects: count.objects,
        bytes: count.bytes,
        ops_per_second: ratio(count.ops as f64, seconds),
        mb_per_second: ratio(count.bytes as f64 / 1e6, seconds),
        latency_us: latency(&count.latency),
    }
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Latency {
        mean: histogram.mean() / 1e3,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: histogram.max() as f64 / 1e3,
    }
}

/// 0 where nothing was counted, since JSON has no infinity.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
