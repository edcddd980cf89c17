//! Runs blocking jobs on several drives at once and waits for them, up to a time-out.
//!
//! [`Threads`] keeps threads that wait for work and makes more when all are busy: a job that hangs takes its thread
//! with it and nobody else's. [`Inline`] runs jobs one after the other on the caller's thread, which makes a simulated
//! run deterministic.

use std::cell::Cell;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub type Job = Box<dyn FnOnce() -> io::Result<()> + Send>;
/// A job's place among those that were started with it, and how it ended.
pub type Answer = (usize, io::Result<()>);

pub trait Executor: Send + Sync + Debug {
    /// Starts all jobs. Each answers once, in any order; nobody has to listen.
    fn start(&self, jobs: Vec<Job>) -> Receiver<Answer>;

    /// Runs all jobs and answers in their order; one that isn't done in time answers
    /// [`io::ErrorKind::TimedOut`] and may still be running.
    fn run(&self, jobs: Vec<Job>, timeout: Duration) -> Vec<io::Result<()>> {
        self.run_together(jobs, timeout, timeout)
    }

    /// The same where one that is done shows what the others should take: from then on these have so much `patience` left.
    fn run_together(&self, jobs: Vec<Job>, timeout: Duration, patience: Duration) -> Vec<io::Result<()>> {
        let began = Instant::now();
        let mut deadline = began + timeout;
        let mut results: Vec<Option<io::Result<()>>> = jobs.iter().map(|_| None).collect();
        let answers = self.start(jobs);
        for _ in 0..results.len() {
            match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((place, result)) => {
                    if result.is_ok() {
                        deadline = deadline.min(Instant::now() + patience);
                    }
                    if let Some(slot) = results.get_mut(place) {
                        *slot = Some(result);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(no_answer(deadline - began)))).collect()
    }
}

/// The fault of a drive that took too long.
pub(super) fn no_answer(timeout: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {timeout:?}"))
}

thread_local! {
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Whether the caller is a job: then whoever started it waits no longer than the time-out.
pub(super) fn at_work() -> bool {
    AT_WORK.get()
}

/// Runs a job on this thread; every executor runs its jobs by this.
pub(super) fn carry_out(job: Job) -> io::Result<()> {
    let before = AT_WORK.replace(true);
    let result = job();
    AT_WORK.set(before);
    result
}

/// A job that gives a value, once it is started.
#[derive(Debug)]
pub(super) struct Started<T> {
    answer: Receiver<Answer>,
    value: Arc<Mutex<Option<T>>>,
}

impl<T: Send + 'static> Started<T> {
    pub fn new(executor: &dyn Executor, job: impl FnOnce() -> io::Result<T> + Send + 'static) -> Self {
        let value: Arc<Mutex<Option<T>>> = Arc::default();
        let slot = value.clone();
        let job: Job = Box::new(move || {
            *slot.lock() = Some(job()?);
            Ok(())
        });
        Self { answer: executor.start(vec![job]), value }
    }

    /// What the job gave; `None` where it is not done within `patience`.
    pub fn wait(&self, patience: Duration) -> Option<io::Result<T>> {
        match self.answer.recv_timeout(patience) {
            Ok((_, Ok(()))) => self.value.lock().take().map(Ok),
            Ok((_, Err(error))) => Some(Err(error)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(io::Error::other("a job ended without an answer"))),
        }
    }
}

/// Runs one job that gives a value.
///
/// # Errors
/// The job's, or [`io::ErrorKind::TimedOut`]: then it may still be running.
pub fn within<T: Send + 'static>(
    executor: &dyn Executor,
    timeout: Duration,
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    Started::new(executor, job).wait(timeout).unwrap_or_else(|| Err(no_answer(timeout)))
}

#[derive(Debug)]
pub struct Inline;

impl Executor for Inline {
    fn start(&self, jobs: Vec<Job>) -> Receiver<Answer> {
        let (sender, receiver) = mpsc::channel();
        for answer in jobs.into_iter().map(carry_out).enumerate() {
            // Nobody listens where the caller only wants the jobs done.
            let _ = sender.send(answer);
        }
        receiver
    }
}

/// A job, where its answer goes, and the way back to the thread that runs it: only the idle list and the work under
/// way hold a thread's sender, so that its threads end with the [`Threads`].
struct Work {
    job: Job,
    place: usize,
    answer: Sender<Answer>,
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
    fn dispatch(&self, job: Job, place: usize, answer: Sender<Answer>) -> io::Result<()> {
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
                let result = carry_out(job);
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
    fn start(&self, jobs: Vec<Job>) -> Receiver<Answer> {
        let (sender, receiver) = mpsc::channel();
        for (place, job) in jobs.into_iter().enumerate() {
            if let Err(error) = self.dispatch(job, place, sender.clone()) {
                // The receiver is at hand: this can't fail.
                let _ = sender.send((place, Err(error)));
            }
        }
        receiver
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

    #[test]
    fn what_others_have_done_is_not_waited_for_as_long() {
        let threads = Threads::default();
        let (_held, never) = mpsc::channel::<()>();
        let hangs: Job = Box::new(move || never.recv().map_err(io::Error::other));
        let results = threads.run_together(
            vec![Box::new(|| Ok(())), hangs],
            Duration::from_secs(3600),
            Duration::from_millis(20),
        );
        assert!(results[0].is_ok());
        assert_eq!(results[1].as_ref().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn one_job_gives_its_value_its_fault_or_a_time_out() {
        let threads = Threads::default();
        let (_held, never) = mpsc::channel::<u8>();
        assert_eq!(within(&threads, Duration::from_secs(5), || Ok((7, at_work()))).unwrap(), (7, true));
        assert!(!at_work());
        let broken = within::<()>(&threads, Duration::from_secs(5), || Err(io::Error::other("broken")));
        assert_eq!(broken.unwrap_err().to_string(), "broken");
        let hangs = within(&threads, Duration::from_millis(20), move || never.recv().map_err(io::Error::other));
        assert_eq!(hangs.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
