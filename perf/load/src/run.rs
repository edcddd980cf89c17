//! A run: threads, the warm-up, the measured window.
//!
//! Workers share three atomics and nothing else; each keeps its own tally, and the tallies meet after the last answer.
//! A request belongs to the window when it began in it.

use std::{
    io,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use hdrhistogram::CreationError;
use thiserror::Error;

use crate::{
    client::{Body, Client, Failure, Request},
    options::Options,
    process::{self, CpuTime},
    report::{Report, Window},
    scenario,
    tally::Tally,
};

/// Why a run could not be made. Requests that fail within a run are in its report.
#[derive(Debug, Error)]
pub enum Error {
    #[error("the bucket cannot be made: {0}")]
    Bucket(Failure),
    #[error("the server's processes cannot be read: {0}")]
    Process(io::Error),
    #[error("a histogram cannot be made: {0}")]
    Histogram(#[from] CreationError),
    #[error("no connection to {0}: {1}")]
    Connect(String, io::Error),
    #[error("a worker died")]
    Worker,
}

/// What the workers share.
struct Course {
    /// The next request's number.
    next: AtomicU64,
    /// Numbers from here on are not sent.
    limit: u64,
    measuring: AtomicBool,
    stop: AtomicBool,
}

/// Runs the scenario to its end.
pub fn run(options: &Options) -> Result<Report, Error> {
    // A wrong --pid is told before an hour of load, not after.
    processor_times(&options.load.pids).map_err(Error::Process)?;
    let mut first = client(options);
    first.open().map_err(|error| Error::Connect(options.load.endpoint.authority.clone(), error))?;
    if options.load.create_bucket {
        create_bucket(&mut first)?;
    }
    drop(first);
    let course = Course {
        next: AtomicU64::new(0),
        limit: options.request_limit(),
        measuring: AtomicBool::new(false),
        stop: AtomicBool::new(false),
    };
    let (tally, window) = measure(options, &course)?;
    Ok(Report::new(options, &tally, &window)?)
}

fn client(options: &Options) -> Client {
    Client::new(&options.load.endpoint, &options.credentials(), &options.load.bucket)
}

fn create_bucket(client: &mut Client) -> Result<(), Error> {
    let mut path = String::new();
    client.write_path("", &mut path);
    match client.exchange(&Request::bodiless("PUT", &path, ""), Body::Bytes(&[]), &mut |_| {}) {
        Ok(_) | Err(Failure::Refused { status: 409, .. }) => Ok(()),
        Err(failure) => Err(Error::Bucket(failure)),
    }
}

fn measure(options: &Options, course: &Course) -> Result<(Tally, Window), Error> {
    let load = &options.load;
    let start = Barrier::new(load.connections + 1);
    let (finished, all_finished) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..load.connections as u64)
            .map(|worker| {
                // Dropped at the worker's end, however it ends: the channel closes behind the last one.
                let finished = finished.clone();
                let start = &start;
                scope.spawn(move || {
                    let tally = work(options, course, worker, start);
                    drop(finished);
                    tally
                })
            })
            .collect();
        drop(finished);
        let wait = |seconds: f64| match all_finished.recv_timeout(Duration::from_secs_f64(seconds)) {
            Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        };
        if load.warmup > 0.0 {
            start.wait();
            wait(load.warmup);
        }
        let before = processor_times(&load.pids).map_err(Error::Process);
        let began = Instant::now();
        course.measuring.store(true, Ordering::Relaxed);
        if load.warmup <= 0.0 {
            start.wait();
        }
        match options.time_limit() {
            Some(seconds) => wait(seconds),
            None => drop(all_finished.recv()),
        }
        course.stop.store(true, Ordering::Relaxed);
        let tally = join(workers)?;
        let length = began.elapsed();
        let (server_before, client_before) = before?;
        let after = processor_times(&load.pids).ok();
        let memory = process::memory(&load.pids).ok();
        let server = after.and_then(|(server, _)| Some((server - server_before, memory?)));
        let requests = course.next.load(Ordering::Relaxed).min(course.limit);
        Ok((
            tally,
            Window {
                length,
                requests,
                server: server.filter(|_| !load.pids.is_empty()),
                client: after.map(|(_, client)| client - client_before).unwrap_or_default(),
            },
        ))
    })
}

/// Of the server's processes and of this one.
fn processor_times(pids: &[i32]) -> io::Result<(CpuTime, CpuTime)> {
    let own = nix::unistd::getpid().as_raw();
    Ok((process::cpu_time(pids)?, process::cpu_time(&[own])?))
}

fn join(workers: Vec<ScopedJoinHandle<'_, Result<Tally, Error>>>) -> Result<Tally, Error> {
    let mut all = Tally::default();
    for worker in workers {
        let tally = worker.join().map_err(|_| Error::Worker)??;
        all.add(&tally)?;
    }
    Ok(all)
}

/// One worker, from its connection to its last answer.
fn work(options: &Options, course: &Course, worker: u64, start: &Barrier) -> Result<Tally, Error> {
    let mut client = client(options);
    let mut scenario = scenario::build(options, worker);
    let mut tally = Tally::default();
    let opened = client.open();
    start.wait();
    opened.map_err(|error| Error::Connect(options.load.endpoint.authority.clone(), error))?;
    while !course.stop.load(Ordering::Relaxed) {
        let number = course.next.fetch_add(1, Ordering::Relaxed);
        if number >= course.limit {
            break;
        }
        let measured = course.measuring.load(Ordering::Relaxed);
        match scenario.step(&mut client, number) {
            Ok(done) if measured => tally.done(&done)?,
            Ok(_) => {}
            Err(failure) => {
                tally.failed(&failure);
                if matches!(failure, Failure::Connection(_)) {
                    // A server that is gone would otherwise be asked as fast as the loop turns.
                    thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
    Ok(tally)
}
