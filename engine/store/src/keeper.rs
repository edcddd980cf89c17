//! The store's own workers: sealing, spare journal files, space, compaction.
//!
//! All run on two threads that wake a few times a second or when told. Each step can be cut short by the end of the
//! process anywhere; what is half done then is swept or resumed at the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::commit::{CommitQueue, Core, Op, Outcome, Shared};
use crate::compaction::{self, Choice, Compacted, FileFacts};
use crate::error::{Error, Result};
use crate::index::Space;
use crate::journal::{Journal, spare};
use crate::recovery::replay;
use crate::sealing::{self, SealedJournal};
use crate::segment::stream::OpenStream;
use crate::segment::{Home, Segment, SegmentInfo, SegmentKind};
use crate::store::{Inner, Settings};
use crate::streams::StreamPool;

const TICK: Duration = Duration::from_millis(100);
/// Journal files kept ready on each drive that takes part in the journal.
const SPARES: usize = 2;
/// So many removed rows are worth a compaction of the index.
const REMOVED_ROWS: u64 = 20_000;
/// Rows moved by one commit.
const MOVES: usize = 500;
/// Compaction looks around this often.
const COMPACTION_PAUSE: Duration = Duration::from_secs(2);

/// What the workers share.
#[derive(Debug)]
struct Work {
    shared: Arc<Shared>,
    queue: CommitQueue,
    streams: Arc<StreamPool>,
    journal_size: u64,
    dead_share: f64,
    space_reserve: u64,
    stopping: AtomicBool,
    /// Removed rows when the index was last looked at, and when it was last compacted.
    seen_removed: AtomicU64,
    tidied_removed: AtomicU64,
    /// One sealer at a time.
    sealing: Mutex<()>,
    /// Sealed journals that a reader still holds.
    retiring: Mutex<Vec<Arc<Journal>>>,
    /// Streams that the last run left open.
    left_open: Mutex<Vec<SegmentInfo>>,
}

#[derive(Debug)]
pub struct Keepers {
    work: Arc<Work>,
    threads: Vec<JoinHandle<()>>,
    committer: JoinHandle<Core>,
}

impl Keepers {
    /// Starts the worker threads.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(
        settings: &Settings,
        shared: &Arc<Shared>,
        queue: &CommitQueue,
        streams: &Arc<StreamPool>,
        committer: JoinHandle<Core>,
        left_open: Vec<SegmentInfo>,
    ) -> std::io::Result<Self> {
        let work = Arc::new(Work {
            shared: shared.clone(),
            queue: queue.clone(),
            streams: streams.clone(),
            journal_size: settings.journal_size,
            dead_share: settings.dead_share,
            space_reserve: settings.space_reserve,
            stopping: AtomicBool::new(false),
            seen_removed: AtomicU64::new(0),
            tidied_removed: AtomicU64::new(0),
            sealing: Mutex::new(()),
            retiring: Mutex::default(),
            left_open: Mutex::new(left_open),
        });
        work.watch_space();
        let mut threads = Vec::new();
        let run = |name: &str, body: fn(&Work)| {
            let work = work.clone();
            std::thread::Builder::new().name(name.into()).spawn(move || body(&work))
        };
        threads.push(run("packstone-seal", Work::seal_loop)?);
        threads.push(run("packstone-keep", Work::keep_loop)?);
        Ok(Self { work, threads, committer })
    }

    /// Seals every open journal and stream.
    ///
    /// # Errors
    /// Too few drives, no space, or the store is shutting down.
    pub fn seal_all(&self) -> Result<u64> {
        self.work.queue.commit_blocking(Op::CloseJournal)?;
        self.work.streams.retire_idle();
        self.work.seal_pending()
    }

    /// Ends everything in order, so that the next start has little to do.
    pub fn stop(self, inner: &Inner) {
        inner.streams.retire_idle();
        if let Err(error) = self.work.seal_streams() {
            tracing::warn!(%error, "a stream stays open until the next start");
        }
        self.end();
        if let Err(error) = inner.shared.index.persist() {
            tracing::warn!(%error, "the index could not be synced");
        }
    }

    /// Ends the threads without finishing anything.
    pub fn abandon(self, queue: &CommitQueue) {
        queue.close();
        self.end();
    }

    fn end(self) {
        self.work.stopping.store(true, Ordering::Release);
        for thread in self.threads {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
        self.work.queue.close();
        if self.committer.join().is_err() {
            tracing::error!("the commit loop panicked");
        }
    }
}

impl Work {
    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn seal_loop(&self) {
        while !self.stopping() {
            if let Err(error) = self.seal_pending() {
                tracing::warn!(%error, "sealing failed: trying again");
                std::thread::park_timeout(TICK * 10);
            }
            std::thread::park_timeout(TICK);
        }
    }

    /// Seals what is closed, oldest first; answers with how many segments that made.
    fn seal_pending(&self) -> Result<u64> {
        let _one = self.sealing.lock();
        let mut sealed = 0;
        loop {
            let Some(journal) = self.shared.closed.lock().front().cloned() else { break };
            sealed += self.seal_journal(&journal)?;
            self.shared.closed.lock().pop_front();
            self.retiring.lock().push(journal);
            self.give_back();
            if self.stopping() {
                return Ok(sealed);
            }
        }
        self.give_back();
        Ok(sealed + self.seal_streams()?)
    }

    fn seal_journal(&self, journal: &Journal) -> Result<u64> {
        let (op, made) = match sealing::seal_journal(&self.shared, journal)? {
            SealedJournal::Segment(info) => (Op::Sealed(info), 1),
            SealedJournal::Empty => (Op::Erase { id: journal.id }, 0),
        };
        self.queue.commit_blocking(op)?;
        self.shared.index.persist()?;
        Ok(made)
    }

    /// Gives journal files back that no reader holds any more.
    fn give_back(&self) {
        let held = std::mem::take(&mut *self.retiring.lock());
        let busy: Vec<_> = held.into_iter().filter_map(|journal| sealing::give_back(journal, SPARES).err()).collect();
        self.retiring.lock().extend(busy);
    }

    /// Seals streams that nobody writes any more.
    fn seal_streams(&self) -> Result<u64> {
        let mut sealed = 0;
        for stream in self.streams.take_retired() {
            let claims = self.shared.claims.lock().get(&stream.info.id).cloned().unwrap_or_default();
            sealed += self.seal_stream(stream, claims)?;
        }
        let left: Vec<SegmentInfo> = std::mem::take(&mut *self.left_open.lock());
        for info in left {
            let mut claims = sealing::find_claims(&self.shared, &info)?;
            // Completing an upload may have claimed its bytes since the start.
            for claim in self.shared.claims.lock().get(&info.id).into_iter().flatten() {
                if !claims.iter().any(|held| held.lsn == claim.lsn) {
                    claims.push(*claim);
                }
            }
            sealed += self.seal_stream(OpenStream::reopen(&self.shared.hardware, info)?, claims)?;
        }
        Ok(sealed)
    }

    fn seal_stream(&self, stream: OpenStream, claims: Vec<crate::journal::Claim>) -> Result<u64> {
        let info = sealing::seal_stream(&self.shared, stream, claims)?;
        self.queue.commit_blocking(Op::Sealed(info))?;
        Ok(1)
    }

    fn keep_loop(&self) {
        let mut compacted = Instant::now();
        self.resume_relocations();
        while !self.stopping() {
            self.watch_space();
            self.keep_spares();
            self.tidy_index();
            if compacted.elapsed() >= COMPACTION_PAUSE {
                match self.compact_once() {
                    // Where there was something to do there may be more.
                    Ok(true) => {}
                    Ok(false) => compacted = Instant::now(),
                    Err(error) => {
                        tracing::warn!(%error, "compaction failed: trying again");
                        compacted = Instant::now();
                    }
                }
            }
            std::thread::park_timeout(TICK);
        }
    }

    /// Whether what grows may be taken: every device has more than the reserve.
    fn watch_space(&self) {
        let short = self.shared.hardware.members.values().filter(|member| member.online()).find(|member| {
            member.drive.space().is_ok_and(|space| space.free < self.space_reserve.min(space.total / 10))
        });
        let room = short.is_none();
        if self.shared.room.swap(room, Ordering::Relaxed) != room {
            match short {
                Some(member) => {
                    tracing::warn!(drive = member.drive.path(), "no space: writes are refused, deletes work")
                }
                None => tracing::info!("there is space again: writes are taken"),
            }
        }
    }

    /// Keeps spare journal files on the drives that the next journal will stand on.
    fn keep_spares(&self) {
        for member in self.shared.hardware.place_journal(0) {
            let drive = &*member.drive;
            let wanting = spare::count(drive).is_ok_and(|count| count < SPARES);
            if wanting
                && self.shared.room.load(Ordering::Relaxed)
                && !self.stopping()
                && let Err(error) = spare::prepare(drive, self.journal_size)
            {
                member.note_fault(format!("preparing a journal file: {error}"));
            }
        }
    }

    /// Compacts the index once deletes have left many rows behind and pause: a scan would pass over each of them.
    fn tidy_index(&self) {
        let removed = self.shared.removed_rows.load(Ordering::Relaxed);
        let before = self.seen_removed.swap(removed, Ordering::Relaxed);
        let pending = removed - self.tidied_removed.load(Ordering::Relaxed);
        if pending < REMOVED_ROWS || (removed != before && pending < REMOVED_ROWS * 50) {
            return;
        }
        self.tidied_removed.store(removed, Ordering::Relaxed);
        if let Err(error) = self.shared.index.compact(Space::Current) {
            tracing::warn!(%error, "the index could not be compacted");
        }
    }

    /// Moves the rows that a compaction had not moved when the last run ended.
    fn resume_relocations(&self) {
        for home in self.shared.table.all().values() {
            let Home::Segment(segment) = home else { continue };
            let sources: Vec<u64> = segment
                .info
                .sources
                .iter()
                .copied()
                .filter(|source| self.shared.table.get(*source).is_some())
                .collect();
            if sources.is_empty() {
                continue;
            }
            if let Err(error) = self.relocate(segment).and_then(|()| self.erase(&sources)) {
                tracing::warn!(%error, segment = segment.info.id, "a compaction could not be resumed");
            }
        }
    }

    fn relocate(&self, segment: &Segment) -> Result<()> {
        let moves =
            replay::relocations(segment, &self.shared.index).map_err(|error| Error::Unavailable(error.to_string()))?;
        for slice in moves.chunks(MOVES) {
            match self.queue.commit_blocking(Op::Relocate(slice.to_vec()))? {
                Outcome::Moved(_) => {}
                _ => return Err(Error::Unavailable("an answer to something else".into())),
            }
        }
        Ok(self.shared.index.persist()?)
    }

    fn erase(&self, ids: &[u64]) -> Result<()> {
        // The index must not fall back behind what made them dead: their TOCs will not tell it again.
        self.shared.index.persist()?;
        for id in ids {
            let Some(Home::Segment(segment)) = self.shared.table.get(*id) else { continue };
            self.queue.commit_blocking(Op::Erase { id: *id })?;
            let info = segment.info.clone();
            let deadline = Instant::now() + Duration::from_secs(60);
            // A reader that looked the segment up before may open a shard only now.
            while Arc::strong_count(&segment) > 1 && Instant::now() < deadline && !self.stopping() {
                std::thread::park_timeout(TICK);
            }
            compaction::unlink(&self.shared, &info);
        }
        Ok(self.shared.index.persist()?)
    }

    /// One step of compaction; whether there was anything to do.
    fn compact_once(&self) -> Result<bool> {
        let mut facts = Vec::new();
        for home in self.shared.table.all().values() {
            let Home::Segment(segment) = home else { continue };
            let info = &segment.info;
            if !info.sealed {
                continue;
            }
            let tally = compaction::tally(&self.shared, info.id)?;
            let (id, kind, payload) = (info.id, info.kind, info.payload);
            let entries = u64::from(info.toc.entries);
            facts.push(FileFacts { id, kind, payload, live: tally.live, entries, dead: tally.dead });
        }
        facts.sort_by_key(|fact| fact.id);
        match compaction::choose(&facts, self.dead_share, self.journal_size) {
            Choice::Nothing => Ok(false),
            Choice::EraseStream(id) => self.erase_stream(id),
            Choice::Restream(id) => self.restream(id),
            Choice::Pack(sources) => self.pack(&sources).map(|()| true),
        }
    }

    fn erase_stream(&self, id: u64) -> Result<bool> {
        let Some(Home::Segment(segment)) = self.shared.table.get(id) else { return Ok(false) };
        if segment.info.kind != SegmentKind::Stream || !compaction::stream_is_dead(&self.shared, &segment)? {
            return Ok(false);
        }
        drop(segment);
        self.erase(&[id])?;
        Ok(true)
    }

    /// Moves what lives in a stream to another one; it is erased when nothing claims it any more.
    fn restream(&self, id: u64) -> Result<bool> {
        let Some(Home::Segment(source)) = self.shared.table.get(id) else { return Ok(false) };
        let tenants = compaction::tenants(&self.shared, id)?;
        let mut moved = false;
        for tenant in tenants {
            if self.stopping() {
                break;
            }
            let mut target = self.streams.take()?;
            let step = match compaction::copy(&self.shared, &source, &mut target, tenant) {
                Ok(step) => step,
                Err(error) => {
                    self.streams.retire(target);
                    return Err(error.into());
                }
            };
            let outcome = self.queue.commit_blocking(Op::Restate(step));
            self.streams.give(target);
            moved |= matches!(outcome?, Outcome::Moved(1));
        }
        Ok(moved)
    }

    fn pack(&self, sources: &[u64]) -> Result<()> {
        match compaction::compact(&self.shared, sources)? {
            Compacted::Nothing => {}
            Compacted::Segment(info) => {
                let id = info.id;
                self.queue.commit_blocking(Op::Sealed(info))?;
                if let Some(Home::Segment(segment)) = self.shared.table.get(id) {
                    self.relocate(&segment)?;
                }
            }
        }
        self.shared.index.compact(Space::Dead)?;
        self.erase(sources)
    }
}
