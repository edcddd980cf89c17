//! Sealing what is closed. Each journal and stream fails or succeeds alone: one that can't be sealed now is kept and tried
//! again, and stands in nobody's way.

use std::sync::Arc;

use super::{SPARES, Work};
use crate::commit::Op;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::sealing::{self, SealedJournal};
use crate::segment::stream::OpenStream;
use crate::segment::{Home, SegmentInfo};

impl Work {
    /// Seals what is closed, oldest first; answers with how many segments that made.
    ///
    /// # Errors
    /// The first failure, after everything else was tried.
    pub(super) fn seal_pending(&self) -> Result<u64> {
        let _one = self.sealing.lock();
        let (mut sealed, mut fault) = (0, None);
        let closed: Vec<Arc<Journal>> = self.shared.closed.lock().iter().cloned().collect();
        for journal in closed {
            if self.stopping() {
                return Ok(sealed);
            }
            match self.seal_journal(&journal) {
                Ok(made) => {
                    sealed += made;
                    self.shared.closed.lock().retain(|held| held.id != journal.id);
                    self.retiring.lock().push(journal);
                }
                Err(error) => fault = fault.or(Some(error)),
            }
            self.give_back();
        }
        match self.seal_streams() {
            Ok(made) => sealed += made,
            Err(error) => fault = fault.or(Some(error)),
        }
        fault.map_or(Ok(sealed), Err)
    }

    /// Seals one journal. What is durable already is not done twice: its shards may be read by now.
    fn seal_journal(&self, journal: &Journal) -> Result<u64> {
        let mut made = 0;
        if matches!(self.shared.table.get(journal.id), Some(Home::Journal(_))) {
            let op = match sealing::seal_journal(&self.shared, journal, &|took| self.rest(took))? {
                SealedJournal::Segment(info, elsewhere) => {
                    made = 1;
                    self.displaced.lock().note_sealed(info.id, elsewhere);
                    Op::Sealed(info)
                }
                SealedJournal::Empty => Op::Erase { id: journal.id },
            };
            self.queue.commit_blocking(op)?;
        }
        self.shared.index.persist()?;
        Ok(made)
    }

    /// Gives journal files back that no reader holds any more.
    fn give_back(&self) {
        let held = std::mem::take(&mut *self.retiring.lock());
        let busy = held.into_iter().filter_map(|journal| sealing::give_back(journal, SPARES, self.journal_size).err());
        let busy: Vec<_> = busy.collect();
        self.retiring.lock().extend(busy);
    }

    /// Seals streams that nobody writes any more.
    ///
    /// # Errors
    /// The first failure; what failed waits among those that were left open.
    pub(super) fn seal_streams(&self) -> Result<u64> {
        let (mut sealed, mut fault) = (0, self.commit_finished().err());
        for stream in self.streams.take_retired() {
            let info = stream.info.clone();
            let claims = self.shared.claims.lock().get(&info.id).cloned().unwrap_or_default();
            match self.seal_stream(stream, claims) {
                Ok(()) => sealed += 1,
                Err(error) => {
                    if !self.is_finished(info.id) {
                        self.left_open.lock().push(info);
                    }
                    fault = fault.or(Some(error));
                }
            }
        }
        for info in std::mem::take(&mut *self.left_open.lock()) {
            match self.seal_left_open(&info) {
                Ok(()) => sealed += 1,
                Err(error) => {
                    if !self.is_finished(info.id) {
                        self.left_open.lock().push(info);
                    }
                    fault = fault.or(Some(error));
                }
            }
        }
        fault.map_or(Ok(sealed), Err)
    }

    fn seal_left_open(&self, info: &SegmentInfo) -> Result<()> {
        // As it stands by now.
        let Some(Home::Segment(open)) = self.shared.table.get(info.id) else { return Ok(()) };
        if open.info.sealed {
            return Ok(());
        }
        let claims = sealing::find_claims(&self.shared, &open.info)?;
        self.seal_stream(OpenStream::reopen(&self.shared.hardware, open.info.clone())?, claims)?;
        self.suspects.lock().push(info.id);
        Ok(())
    }

    fn seal_stream(&self, stream: OpenStream, claims: Vec<crate::journal::Claim>) -> Result<()> {
        self.finished.lock().push(sealing::seal_stream(&self.shared, stream, claims)?);
        self.commit_finished()
    }

    /// Has the streams that are whole take their place.
    fn commit_finished(&self) -> Result<()> {
        for info in std::mem::take(&mut *self.finished.lock()) {
            if let Err(error) = self.queue.commit_blocking(Op::Sealed(info.clone())) {
                self.finished.lock().push(info);
                return Err(error);
            }
        }
        Ok(())
    }

    fn is_finished(&self, id: u64) -> bool {
        self.finished.lock().iter().any(|info| info.id == id)
    }

    /// What an operator should know of journals that wait.
    pub(super) fn seal_or_say(&self) {
        if let Err(error) = self.seal_pending() {
            if !matches!(error, Error::ShuttingDown) {
                tracing::warn!(%error, "sealing failed: trying again");
            }
            std::thread::park_timeout(super::TICK * 10);
        }
    }
}
