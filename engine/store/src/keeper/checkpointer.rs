//! Taking checkpoints of the index, on a thread of its own, and letting the older ones go.
//!
//! One is taken where the newest is old enough and what it has not seen is worth it. Cut short anywhere it begins anew;
//! `checkpoint` says what is left behind then.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Work;
use super::healer::Pulse;
use crate::checkpoint::{self, Checkpoint, Taking};
use crate::commit::{Op, Shared};
use crate::error::{Error, Result};
use crate::segment::rebuild::Pace;
use crate::segment::{Home, SegmentError, SegmentInfo};

/// Whether one is due is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After one that failed nothing is tried for so long.
const BACK_OFF: Duration = Duration::from_secs(60);
/// Fewer entries are read from journals and TOCs in a second.
const WORTH_IT: u64 = 10_000;

impl Work {
    pub(super) fn checkpoint_loop(&self) {
        let pulse = RefCell::new(Pulse::new(self.activity()));
        let pace = |took| self.yield_to_requests(&mut pulse.borrow_mut(), took);
        let mut newest = self.note_checkpoints();
        let mut failed: Option<Instant> = None;
        while !self.stopping() {
            if self.is_checkpoint_due(newest.as_ref()) && failed.is_none_or(|when| when.elapsed() >= BACK_OFF) {
                failed = match self.checkpoint(&pace) {
                    Ok(()) => None,
                    Err(_) if self.stopping() => return,
                    Err(error) => {
                        self.shared.checkpoints.failures.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!(%error, "no checkpoint of the index could be taken: trying again");
                        Some(Instant::now())
                    }
                };
                newest = self.note_checkpoints();
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
    }

    fn is_checkpoint_due(&self, newest: Option<&Checkpoint>) -> bool {
        let unseen = checkpoint::unseen(&self.shared, newest);
        self.shared.checkpoints.unseen.store(unseen, Ordering::Relaxed);
        let Some(period) = self.checkpoint_period else { return false };
        // A clock that was set back makes one too many.
        let age = newest.map(|held| self.shared.compliance.now().wall.abs_diff(held.manifest.taken));
        let is_old = age.is_none_or(|age| u128::from(age) >= period.as_nanos());
        is_old && unseen >= WORTH_IT && self.shared.shortage.takes_growth()
    }

    /// Takes a checkpoint, and erases those that are not needed beside it.
    ///
    /// # Errors
    /// An index that can't be read, too few drives, no space, or the store is shutting down.
    fn checkpoint(&self, pace: &Pace<'_>) -> Result<()> {
        let _one = self.checkpointing.lock();
        if !self.shared.shortage.takes_growth() {
            return Err(Error::OutOfSpace);
        }
        let taking = Taking::begin(&self.shared)?;
        let standing = checkpoint::standing(&self.shared);
        let base = standing.first().and_then(Checkpoint::base_of_next);
        let info = write(&self.shared, &taking, base, pace)?;
        self.queue.commit_blocking(Op::Sealed(info))?;
        self.own_entries.fetch_add(1, Ordering::Relaxed);
        self.erase_checkpoints()
    }

    fn erase_checkpoints(&self) -> Result<()> {
        for id in checkpoint::surplus(&self.shared, &checkpoint::standing(&self.shared)) {
            let Some(Home::Segment(segment)) = self.shared.table.get(id) else { continue };
            // An index that falls back behind an erasure is made anew.
            self.shared.index.persist()?;
            self.queue.commit_blocking(Op::Erase { id })?;
            self.own_entries.fetch_add(1, Ordering::Relaxed);
            self.erased.lock().push(segment);
        }
        Ok(self.shared.index.persist()?)
    }

    /// Tells an operator what there is; the newest of it.
    fn note_checkpoints(&self) -> Option<Checkpoint> {
        let standing = checkpoint::standing(&self.shared);
        self.shared.checkpoints.note(&standing);
        let unseen = checkpoint::unseen(&self.shared, standing.first());
        self.shared.checkpoints.unseen.store(unseen, Ordering::Relaxed);
        standing.into_iter().next()
    }
}

/// Takes a checkpoint for somebody who waits, and so without rests.
#[derive(Debug)]
pub struct Checkpointer(pub(super) Arc<Work>);

impl Checkpointer {
    /// Blocks.
    ///
    /// # Errors
    /// An index that can't be read, too few drives, no space, or the store is shutting down.
    pub fn take(&self) -> Result<()> {
        let taken = self.0.checkpoint(&|_| !self.0.stopping());
        self.0.note_checkpoints();
        if self.0.stopping() { Err(Error::ShuttingDown) } else { taken }
    }
}

/// Writes a checkpoint on its base, or a whole one where that can't be read.
fn write(shared: &Shared, taking: &Taking, base: Option<&Checkpoint>, pace: &Pace<'_>) -> Result<SegmentInfo, Error> {
    match taking.write(shared, base, pace) {
        Err(error) if base.is_some() && !matches!(error, SegmentError::Io(_)) => {
            tracing::warn!(%error, "no checkpoint can be based on the one before: taking a whole one");
            Ok(taking.write(shared, None, pace)?)
        }
        other => Ok(other?),
    }
}
