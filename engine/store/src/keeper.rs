//! The store's own workers: sealing, healing, scrubbing, checkpoints, spare journal files, space, compaction, abandoned uploads.
//!
//! All run on threads that wake a few times a second: one seals (`sealer`), one heals and scrubs (`healer`, `scrubber`), one
//! takes drives in that come back (`returns`), one looks for what stands in another pool than its own (`mover`), one carries it
//! there and wins dead space back (`compactor`), one takes checkpoints of the index (`checkpointer`), one does the rest
//! (`abandoned`, and what stands here). Each step can be cut
//! short by the end of the process anywhere; what is half done then is swept or resumed at the next start.

mod abandoned;
mod checkpointer;
mod compactor;
mod healer;
mod mover;
mod redirector;
mod returns;
mod scrubber;
mod sealer;
pub(crate) mod torn;

pub use checkpointer::Checkpointer;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::commit::{CommitQueue, Core, Op, Shared};
use crate::compliance::{KEPT_EVERY, WORTH_TELLING};
use crate::drive::{Member, Vitals, sluggish};
use crate::error::Result;
use crate::index::Space;
use crate::intake::Intake;
use crate::journal::{Journal, spare};
use crate::segment::{Segment, SegmentInfo};
use crate::store::{Inner, Settings};
use crate::streams::StreamPool;
use crate::time::to_seconds;

const TICK: Duration = Duration::from_millis(100);
/// Journal files kept ready on each drive that takes part in the journal.
const SPARES: usize = 1;
/// So many removed rows are worth a compaction of the index.
const REMOVED_ROWS: u64 = 20_000;
/// Rows moved by one commit.
const MOVES: usize = 500;
/// A seal or compaction leaves the drives to requests for so many times as long as it used them, and at most
/// `LONGEST_REST` at a time: a journal's sync waits for everything that a device has in its queue.
const RESTS: u32 = 2;
const LONGEST_REST: Duration = Duration::from_millis(100);
/// A drive that is much slower than others is judged anew after so long.
const PASSED_OVER: Duration = Duration::from_secs(60);
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
    abandoned_after: Option<Duration>,
    scrub_period: Option<Duration>,
    checkpoint_period: Option<Duration>,
    retry_failed: Duration,
    background_share: f64,
    intake: Arc<Intake>,
    stopping: AtomicBool,
    /// Somebody waits for seals: no rests.
    hurried: AtomicBool,
    /// Whether the operator was told that the compliance clock lags.
    lagging: AtomicBool,
    /// Entries that healing, scrubbing and checkpoints have committed.
    own_entries: AtomicU64,
    /// Drives in use when they were last counted.
    online: AtomicUsize,
    /// Removed rows when the index was last looked at, and when it was last compacted.
    seen_removed: AtomicU64,
    tidied_removed: AtomicU64,
    /// One sealer at a time.
    sealing: Mutex<()>,
    /// One checkpoint at a time.
    checkpointing: Mutex<()>,
    /// Sealed journals that a reader still holds.
    retiring: Mutex<Vec<Arc<Journal>>>,
    /// One compaction at a time.
    compacting: Mutex<()>,
    /// What stands in another pool than the one that it belongs to.
    displaced: Mutex<mover::Displaced>,
    /// Streams that compaction could do nothing about, and since when.
    passed_over: Mutex<HashMap<u64, Instant>>,
    /// Bytes that were claimed of streams, as their TOCs say, of those that were asked.
    claims_of: Mutex<HashMap<u64, u64>>,
    /// Streams that are whole, but whose `Sealed` could not be committed yet.
    finished: Mutex<Vec<SegmentInfo>>,
    /// Erased segments that a reader may still hold.
    erased: Mutex<Vec<Arc<Segment>>>,
    /// Streams that the last run left open, or that could not be sealed yet.
    left_open: Mutex<Vec<SegmentInfo>>,
    /// Streams that were sealed from what a crash left: a drive may have missed rows of them, so they are verified next.
    suspects: Mutex<Vec<u64>>,
}

/// How long to rest after a step, so that steps take that share of the time.
fn rest_of_share(took: Duration, share: f64) -> Duration {
    let rest = took.as_secs_f64() * (1.0 / share.clamp(0.001, 1.0) - 1.0);
    Duration::try_from_secs_f64(rest).unwrap_or(Duration::ZERO)
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
        intake: &Arc<Intake>,
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
            abandoned_after: settings.abandoned_after,
            scrub_period: settings.scrub_period,
            checkpoint_period: settings.checkpoint_period,
            retry_failed: settings.retry_failed,
            background_share: settings.background_share,
            intake: intake.clone(),
            stopping: AtomicBool::new(false),
            hurried: AtomicBool::new(false),
            lagging: AtomicBool::new(false),
            own_entries: AtomicU64::new(0),
            online: AtomicUsize::new(shared.hardware.online().len()),
            seen_removed: AtomicU64::new(0),
            tidied_removed: AtomicU64::new(0),
            sealing: Mutex::new(()),
            checkpointing: Mutex::new(()),
            retiring: Mutex::default(),
            compacting: Mutex::new(()),
            displaced: Mutex::default(),
            passed_over: Mutex::default(),
            claims_of: Mutex::default(),
            finished: Mutex::default(),
            erased: Mutex::default(),
            left_open: Mutex::new(left_open),
            suspects: Mutex::default(),
        });
        work.watch_space();
        let mut threads = Vec::new();
        let run = |name: &str, body: fn(&Work)| {
            let work = work.clone();
            std::thread::Builder::new().name(name.into()).spawn(move || body(&work))
        };
        threads.push(run("packstone-seal", Work::seal_loop)?);
        threads.push(run("packstone-keep", Work::keep_loop)?);
        threads.push(run("packstone-heal", Work::heal_loop)?);
        threads.push(run("packstone-return", Work::return_loop)?);
        threads.push(run("packstone-move", Work::move_loop)?);
        threads.push(run("packstone-compact", Work::compact_loop)?);
        threads.push(run("packstone-mark", Work::checkpoint_loop)?);
        threads.push(run("packstone-rename", Work::redirect_loop)?);
        Ok(Self { work, threads, committer })
    }

    /// Seals every open journal and stream.
    ///
    /// # Errors
    /// Too few drives, no space, or the store is shutting down.
    pub fn seal_all(&self) -> Result<u64> {
        self.work.queue.commit_blocking(Op::CloseJournal)?;
        self.work.streams.retire_idle();
        self.work.hurried.store(true, Ordering::Relaxed);
        let sealed = self.work.seal_pending();
        self.work.hurried.store(false, Ordering::Relaxed);
        sealed
    }

    /// Who takes a checkpoint of the index; [`Self::stop`] cuts that short.
    #[must_use]
    pub fn checkpointer(&self) -> Checkpointer {
        Checkpointer(self.work.clone())
    }

    /// Ends everything in order, so that the next start has little to do.
    pub fn stop(self, inner: &Inner) {
        inner.streams.retire_idle();
        if let Err(error) = self.work.seal_streams() {
            tracing::warn!(%error, "a stream stays open until the next start");
        }
        self.work.keep_time();
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

    /// Rests after a step of what can wait: as long as its share of the time asks for, and where `polite` as [`Self::rest`] does.
    fn rest_in_background(&self, took: Duration, polite: bool) {
        let polite = if polite { (took * RESTS).min(LONGEST_REST) } else { Duration::ZERO };
        let until = Instant::now() + polite.max(rest_of_share(took, self.background_share));
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.stopping() {
                break;
            }
            // Not longer than the end of the store can wait.
            std::thread::sleep(left.min(LONGEST_REST));
        }
    }

    /// Rests after a step that took so long, unless somebody waits or closed journals pile up.
    fn rest(&self, took: Duration) {
        if !self.is_behind() && !self.stopping() {
            std::thread::sleep((took * RESTS).min(LONGEST_REST));
        }
    }

    /// Whether somebody waits for seals, or closed journals pile up.
    fn is_behind(&self) -> bool {
        self.hurried.load(Ordering::Relaxed) || self.shared.closed.lock().len() > 1
    }

    fn seal_loop(&self) {
        while !self.stopping() {
            self.seal_or_say();
            std::thread::park_timeout(TICK);
        }
    }

    fn keep_loop(&self) {
        let mut time_kept = Instant::now();
        let mut uploads = abandoned::Look::new();
        while !self.stopping() {
            self.watch_space();
            self.watch_clock();
            if time_kept.elapsed() >= KEPT_EVERY {
                self.keep_time();
                time_kept = Instant::now();
            }
            self.keep_spares();
            self.tidy_index();
            self.unlink_erased();
            self.report_retired();
            self.watch_latency();
            self.streams.retire_outdone();
            self.abort_abandoned(&mut uploads);
            std::thread::park_timeout(TICK);
        }
    }

    /// Which pools may take what grows: those whose devices all have more than the reserve.
    fn watch_space(&self) {
        let hardware = &self.shared.hardware;
        let mut short = hardware.online();
        short.retain(|member| {
            member.drive.space().is_ok_and(|space| space.free < self.space_reserve.min(space.total / 10))
        });
        let (landing, journal) = (hardware.landing_pool(), hardware.place_journal());
        let is_needed = |member: &&Arc<Member>| {
            landing.as_ref().is_some_and(|pool| pool.number == member.pool)
                || journal.iter().any(|held| held.number == member.number)
        };
        let needed = short.iter().find(is_needed);
        if !self.shared.shortage.note(needed.is_some(), short.iter().map(|member| member.pool)) {
            return;
        }
        match (needed, short.first()) {
            (Some(member), _) => {
                tracing::warn!(drive = member.drive.path(), "no space: writes are refused, deletes work");
            }
            (None, Some(member)) => {
                tracing::warn!(drive = member.drive.path(), "no space: its pool takes nothing more, the others do");
            }
            (None, None) => tracing::info!("there is space again: writes are taken"),
        }
    }

    /// Tells when the compliance clock falls behind: what is locked stays so for longer than its dates say.
    fn watch_clock(&self) {
        let lag = self.shared.compliance.now().lag();
        let lagging = lag > WORTH_TELLING;
        if self.lagging.swap(lagging, Ordering::Relaxed) != lagging && lagging {
            tracing::warn!(seconds = to_seconds(lag), "the compliance clock lags behind the wall clock");
        }
    }

    fn keep_time(&self) {
        if let Err(error) = self.queue.commit_blocking(Op::KeepTime) {
            tracing::warn!(%error, "the compliance clock could not be kept on the drives");
        }
    }

    /// Keeps spare journal files on the drives that the next journal will stand on.
    fn keep_spares(&self) {
        for member in self.shared.hardware.place_journal() {
            let drive = &*member.drive;
            let wanting = spare::count(drive).is_ok_and(|count| count < SPARES);
            if wanting
                && self.shared.shortage.has_room(member.pool)
                && !self.stopping()
                && let Err(error) = spare::prepare(drive, self.journal_size)
            {
                member.note_fault(format!("preparing a journal file: {error}"));
            }
        }
    }

    /// Takes drives out of use that a read waits for too long, and has the loop begin a new epoch when one went and
    /// nothing else is committed.
    fn report_retired(&self) {
        for member in self.shared.hardware.roster().members.values().filter(|member| member.hesitates()) {
            tracing::debug!(drive = member.drive.path(), "reads pass a drive over that hesitates");
        }
        let online = self.shared.hardware.online().len();
        let lost = self.online.swap(online, Ordering::Relaxed) > online;
        if lost && let Err(error) = self.queue.commit_blocking(Op::CloseJournal) {
            tracing::warn!(%error, "no new epoch could be begun");
        }
    }

    /// Passes drives over that are much slower than the others of their pool: reads take the bytes from those, and where there
    /// are enough nothing is written to it.
    fn watch_latency(&self) {
        let roster = self.shared.hardware.roster().clone();
        for pool in &roster.pools {
            let watched = pool.members.iter().filter(|member| member.online() && !member.is_sluggish());
            let vitals: Vec<Vitals> = watched.filter_map(|member| member.vitals()).collect();
            // Where more are slow than parity makes good, it is the load.
            let slow = sluggish(&vitals);
            let passed_over = pool.members.iter().filter(|member| member.is_sluggish()).count();
            if slow.is_empty() || slow.len() + passed_over > usize::from(pool.profile.parity) {
                continue;
            }
            for member in pool.members.iter().filter(|member| slow.contains(&member.number)) {
                tracing::warn!(
                    drive = member.drive.path(),
                    vitals = ?member.vitals(),
                    "the drive is much slower than the others: passing it over"
                );
                member.pass_over(PASSED_OVER);
            }
            if let Err(error) = self.queue.commit_blocking(Op::CloseJournal) {
                tracing::debug!(%error, "the journal stays where it is");
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
        for space in [Space::Current, Space::Versions] {
            if let Err(error) = self.shared.index.compact(space) {
                tracing::warn!(%error, "the index could not be compacted");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_time_is_kept_by_rests() {
        let step = Duration::from_millis(30);
        assert_eq!(rest_of_share(step, 1.0), Duration::ZERO);
        assert_eq!(rest_of_share(step, 0.75).as_millis(), 10);
        assert_eq!(rest_of_share(step, 0.1).as_millis(), 270);
        assert_eq!(rest_of_share(Duration::from_secs(1), 0.0).as_secs(), 999);
    }
}
