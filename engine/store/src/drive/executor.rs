//! Runs blocking jobs on several drives at once and waits for them, up to a time-out.
//!
//! [`Threads`] keeps threads that wait for work and makes more when all are busy: a job that hangs takes its thread
//! with it and nobody else's. [`Inline`] runs jobs one after the other on the caller's thread, which makes a simulated
//! run deterministic.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub type Job = Box<dyn FnOnce() -> io::Result<()> + Send>;

pub trait Executor: Send + Sync + Debug {
    /// Runs all jobs and answers in their order; one that isn't done in time answers
    /// [`io::ErrorKind::TimedOut`] and may still be running.
    fn run(&self, jobs: Vec<Job>, timeout: Duration) -> Vec<io::Result<()>>;
}

#[derive(Debug)]
pub struct Inline;

impl Executor for Inline {
    fn run(&self, jobs: Vec<Job>, _timeout: Duration) -> Vec<io::Result<()>> {
        jobs.into_iter().map(|job| job()).collect()
    }
}

/// A job, where its answer goes, and the way back to the thread that runs it: only the idle list and the work under
/// way hold a thread's sender, so that its threads end with the [`Threads`].
struct Work {
    job: Job,
    place: usize,
    answer: Sender<(usize, io::Result<()>)>,
    thread: Sender<Work>,
}

/// Threads that wait for work, newest first: the warmest cache and stack.
#[derive(Debug, Default)]
pub struct Threads {
    idle: Arc<Mutex<Vec<Sender<Work>>>>,
}

/// More waiting threads than this are let go.
const MOST_IDLE: usize = 64;

impl Threads {
    fn dispatch(&self, job: Job, place: usize, answer: Sender<(usize, io::Result<()>)>) -> io::Result<()> {
        let mut job = job;
        loop {
            let Some(thread) = self.idle.lock().pop() else { break };
            match thread.send(Work { job, place, answer: answer.clone(), thread: thread.clone() }) {
                Ok(()) => return Ok(()),
                Err(returned) => job = returned.0.job,
            }
        }
        let (thread, receiver) = mpsc::channel();
        self.spawn(receiver)?;
        thread.send(Work { job, place, answer, thread: thread.clone() }).map_err(|_| io::Error::other("thread ended"))
    }

    fn spawn(&self, receiver: Receiver<Work>) -> io::Result<()> {
        let idle = Arc::downgrade(&self.idle);
        std::thread::Builder::new().name("packstone-drive".into()).spawn(move || {
            while let Ok(Work { job, place, answer, thread }) = receiver.recv() {
                let result = job();
                if let Some(idle) = idle.upgrade() {
                    let mut idle = idle.lock();
                    if idle.len() < MOST_IDLE {
                        idle.push(thread);
                    }
                }
                // Nobody listens any more when the caller gave up on this job: the answer comes too late to count.
                let _ = answer.send((place, result));
            }
        })?;
        Ok(())
    }
}

impl Executor for Threads {
    fn run(&self, jobs: Vec<Job>, timeout: Duration) -> Vec<io::Result<()>> {
        let deadline = Instant::now() + timeout;
        let mut results: Vec<io::Result<()>> = jobs.iter().map(|_| Err(io::ErrorKind::TimedOut.into())).collect();
        let mut waiting = 0;
        let (sender, receiver) = mpsc::channel();
        for (place, job) in jobs.into_iter().enumerate() {
            match self.dispatch(job, place, sender.clone()) {
                Ok(()) => waiting += 1,
                Err(error) => set(&mut results, place, Err(error)),
            }
        }
        drop(sender);
        while waiting > 0 {
            match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((place, result)) => set(&mut results, place, result),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
            waiting -= 1;
        }
        results
    }
}

fn set(results: &mut [io::Result<()>], place: usize, result: io::Result<()>) {
    if let Some(slot) = results.get_mut(place) {
        *slot = result;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_in_the_order_of_jobs_and_a_hang_is_a_time_out() {
        let threads = Threads::default();
        let (_held, never) = mpsc::channel::<()>();
        let jobs: Vec<Job> = vec![
            Box::new(|| Ok(())),
            Box::new(move || {
                let _ = never.recv();
                Ok(())
            }),
            Box::new(|| Err(io::Error::other("broken"))),
        ];
        let results = threads.run(jobs, Duration::from_millis(50));
        assert!(results[0].is_ok());
        assert_eq!(results[1].as_ref().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(results[2].as_ref().unwrap_err().to_string(), "broken");
        assert!(threads.run(vec![Box::new(|| Ok(()))], Duration::from_secs(5))[0].is_ok());
    }
}
