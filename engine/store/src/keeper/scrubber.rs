//! Verifying one segment after the other, where nothing waits to be healed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Work;
use crate::commit::Op;
use crate::index::row::DocumentRow;
use crate::index::{Space, keys};
use crate::object::Replaces;
use crate::scrubbing::{Pass, SCRUB};
use crate::segment::rebuild::Pace;
use crate::segment::{Home, Segment};

/// How far a pass came is put down this often.
const KEPT_EVERY: Duration = Duration::from_secs(600);
/// Looked for this often where nothing is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A pass with what it has to go through.
#[derive(Debug)]
pub(super) struct Round {
    pass: Pass,
    kept: Instant,
    looked: Option<Instant>,
}

impl Work {
    /// The pass that the last run was in, or a new one.
    pub(super) fn resume_round(&self) -> Round {
        let held = self.shared.index.snapshot().get(Space::Documents, &keys::document(0, SCRUB, ""));
        let held = held.ok().flatten().and_then(|value| DocumentRow::decode(&value).ok());
        // One that can't be read is begun anew.
        let pass = held.and_then(|row| Pass::decode(&row.value).ok());
        let pass = pass.unwrap_or_else(|| Pass::begin(self.shared.compliance.now().compliance, 0));
        self.shared.scrubbing.last_ended.store(pass.last_ended, Ordering::Relaxed);
        Round { pass, kept: Instant::now(), looked: None }
    }

    /// Verifies the next segment, if it is due; whether there was one.
    pub(super) fn scrub_next(&self, round: &mut Round, pace: &Pace<'_>) -> bool {
        let Some(period) = self.scrub_period else { return false };
        if round.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return false;
        }
        let segments = self.shared.table.sealed();
        let of = |segment: &Arc<Segment>| segment.shard_file_length();
        let total: u64 = segments.iter().map(of).sum();
        let next = segments.partition_point(|segment| segment.info.id <= round.pass.after);
        let done: u64 = segments.iter().take(next).map(of).sum();
        let counts = &self.shared.scrubbing;
        counts.done.store(done, Ordering::Relaxed);
        counts.total.store(total, Ordering::Relaxed);
        let now = self.shared.compliance.now().compliance;
        if !round.pass.is_due(now, period, done, total) {
            round.looked = Some(Instant::now());
            return false;
        }
        let Some(segment) = segments.get(next) else {
            if total > 0 {
                tracing::info!(segments = segments.len(), "every segment was verified");
                counts.last_ended.store(now, Ordering::Relaxed);
            }
            // Where there was nothing to verify there is nothing to put down either.
            round.pass = Pass::begin(now, if total > 0 { now } else { round.pass.last_ended });
            round.looked = Some(Instant::now());
            if total > 0 {
                self.keep_round(round);
            }
            return false;
        };
        self.scrub(segment, pace);
        if !self.stopping() {
            round.pass.after = segment.info.id;
        }
        if round.kept.elapsed() >= KEPT_EVERY {
            self.keep_round(round);
        }
        true
    }

    /// Verifies a stream that a crash left open; whether there was one.
    pub(super) fn scrub_suspect(&self, pace: &Pace<'_>) -> bool {
        let Some(id) = self.suspects.lock().pop() else { return false };
        if let Some(Home::Segment(segment)) = self.shared.table.get(id) {
            self.scrub(&segment, pace);
        }
        true
    }

    fn scrub(&self, segment: &Segment, pace: &Pace<'_>) {
        let faults = segment.apart(&self.shared.hardware).scrub(&self.shared.hardware, pace);
        for fault in &faults {
            tracing::warn!("found by scrubbing: {fault}");
        }
        let counts = &self.shared.scrubbing;
        counts.segments.fetch_add(1, Ordering::Relaxed);
        counts.faults.fetch_add(faults.len() as u64, Ordering::Relaxed);
    }

    fn keep_round(&self, round: &mut Round) {
        round.kept = Instant::now();
        let value = Some(round.pass.encode().into());
        let (kind, name) = (SCRUB.to_owned(), String::new());
        let put = Op::PutDocument { scope: 0, kind, name, value, replaces: Replaces::Anything };
        match self.queue.commit_blocking(put) {
            Ok(_) => {
                self.own_entries.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => tracing::debug!(%error, "how far scrubbing came could not be put down"),
        }
    }
}
