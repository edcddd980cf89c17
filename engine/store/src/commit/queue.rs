//! The way into the commit loop: a queue that requests wait on, and the thread that empties it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::{Core, Op, Outcome};
use crate::error::{Error, Result};

/// Operations of one batch at most.
const MOST_OPS: usize = 512;
/// Bytes of one batch at most; one operation may be larger.
const MOST_BYTES: u64 = 4 << 20;

/// Where an operation's outcome goes.
type Answer = oneshot::Sender<Result<Outcome>>;

struct Waiting {
    op: Op,
    answer: Answer,
}

/// However the loop ends, nobody waits for it any more.
struct Ends<'a>(&'a CommitQueue);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A bug in the one place that decides: better no node than one that can't write and seems to live. The next
            // start replays what was acknowledged.
            tracing::error!("the commit loop panicked: ending the process");
            std::process::abort();
        }
        let mut state = self.0.0.state.lock();
        state.closed = true;
        state.waiting.clear();
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// No more is taken; the thread ends when the queue is empty.
    closed: bool,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

/// Clones share one loop.
#[derive(Clone, Default)]
pub struct CommitQueue(Arc<Queue>);

impl std::fmt::Debug for CommitQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitQueue").field("waiting", &self.0.state.lock().waiting.len()).finish()
    }
}

impl CommitQueue {
    /// Starts the thread that owns `core`.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(core: Core) -> std::io::Result<(Self, JoinHandle<Core>)> {
        let queue = Self::default();
        let own = queue.clone();
        let thread = std::thread::Builder::new().name("packstone-commit".into()).spawn(move || own.run(core))?;
        Ok((queue, thread))
    }

    /// Takes no more; the thread ends once all that waits is answered.
    pub fn close(&self) {
        self.0.state.lock().closed = true;
        self.0.filled.notify_one();
    }

    fn enqueue(&self, op: Op) -> Result<oneshot::Receiver<Result<Outcome>>> {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.0.state.lock();
        if state.closed {
            return Err(Error::ShuttingDown);
        }
        state.waiting.push_back(Waiting { op, answer });
        let first = state.waiting.len() == 1;
        drop(state);
        if first {
            self.0.filled.notify_one();
        }
        Ok(receiver)
    }

    /// Commits one operation: durable and visible when this answers `Ok`.
    ///
    /// # Errors
    /// Whatever stood against it.
    pub async fn commit(&self, op: Op) -> Result<Outcome> {
        self.enqueue(op)?.await.map_err(|_| Error::ShuttingDown)?
    }

    /// The same for a thread that may block.
    ///
    /// # Errors
    /// Whatever stood against it.
    pub fn commit_blocking(&self, op: Op) -> Result<Outcome> {
        self.enqueue(op)?.blocking_recv().map_err(|_| Error::ShuttingDown)?
    }

    fn run(&self, mut core: Core) -> Core {
        let _ends = Ends(self);
        while let Some((ops, answers)) = self.next_batch() {
            let outcomes = core.commit(&ops);
            for ((answer, op), mut outcome) in answers.into_iter().zip(ops).zip(outcomes) {
                if let Ok(Outcome::Unmoved(unmoved)) = &mut outcome {
                    unmoved.op = Some(Box::new(op));
                }
                // A client that went away does not undo what was committed.
                let _ = answer.send(outcome);
            }
        }
        core
    }

    /// Waits for work; `None` once closed and empty.
    fn next_batch(&self) -> Option<(Vec<Op>, Vec<Answer>)> {
        let mut state = self.0.state.lock();
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            self.0.filled.wait(&mut state);
        }
        let (mut ops, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(next) = state.waiting.front() {
            let alone = next.op.stands_alone();
            bytes += next.op.weight();
            if !ops.is_empty() && (alone || ops.len() >= MOST_OPS || bytes > MOST_BYTES) {
                break;
            }
            if let Some(taken) = state.waiting.pop_front() {
                ops.push(taken.op);
                answers.push(taken.answer);
            }
            if alone {
                break;
            }
        }
        Some((ops, answers))
    }
}
