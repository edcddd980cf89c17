//! Carrying out what `healing::choose` decides, one shard at a time, on a thread of its own.
//!
//! What is to be heard of it stands in [`HealingCounts`]. Cut short anywhere, the survey of the next start finds what is left.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Work;
use crate::commit::Outcome;
use crate::drive::{DriveNumber, Member};
use crate::error::{Error, Result};
use crate::healing::{self, Healed};
use crate::segment::rebuild::Pace;
use crate::segment::shard::path_of;
use crate::segment::{Home, Wound};

/// How long a shard is left alone that could not be made; twice as long each time, up to the second.
const BACK_OFF: Duration = Duration::from_secs(2);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);
/// A read that looked a shard up has opened it after so long.
const READ_ENDS: Duration = Duration::from_secs(10);
/// So long after a request the drives are left to requests for most of the time.
const QUIET: Duration = Duration::from_millis(200);

/// A shard that could not be made.
#[derive(Clone, Copy, Debug)]
struct Setback {
    /// When it is tried again.
    due: Instant,
    wait: Duration,
}

/// What is known to be open.
#[derive(Debug, Default)]
struct Ward {
    open: BTreeSet<Wound>,
    /// Of these, what is to be healed, in order; made anew when it is through, or more is found.
    order: VecDeque<Wound>,
    /// What could not be healed.
    stuck: HashMap<Wound, Setback>,
    /// Shards that were made with gaps, and whether that is put down.
    torn: BTreeSet<Wound>,
    torn_kept: bool,
    /// When that was tried last, and when objects were looked for last.
    put_down: Option<Instant>,
    examined: Option<Instant>,
    /// Segments of which something can't be read, or couldn't before.
    suspect: BTreeSet<u64>,
    /// The drives that were looked at.
    known: Vec<Arc<Member>>,
    /// The drives that are to be emptied, and whose shards were found.
    leaving: Vec<DriveNumber>,
    /// Their shards, as they were then.
    moves: BTreeSet<Wound>,
    /// Shards that are made elsewhere by now, the drive that has them still, and since when.
    departed: Vec<(Wound, DriveNumber, Instant)>,
    /// When nothing was found last that is better kept elsewhere.
    weighed: Option<Instant>,
}

impl Ward {
    /// Has a shard be left alone for a while.
    fn put_off(&mut self, wound: Wound) {
        let before = self.stuck.get(&wound).map(|setback| setback.wait * 2);
        let wait = before.unwrap_or(BACK_OFF).min(LONGEST_BACK_OFF);
        self.stuck.insert(wound, Setback { due: Instant::now() + wait, wait });
    }
}

/// How busy requests keep the drives.
#[derive(Debug)]
pub(super) struct Pulse {
    seen: u64,
    since: Instant,
}

impl Pulse {
    pub(super) fn new(seen: u64) -> Self {
        Self { seen, since: Instant::now() }
    }
}

impl Work {
    pub(super) fn heal_loop(&self) {
        let pulse = RefCell::new(Pulse::new(self.activity()));
        let pace = |took| self.yield_to_requests(&mut pulse.borrow_mut(), took);
        let torn = self.read_torn();
        let mut ward = Ward { open: torn.clone(), torn, torn_kept: true, ..Ward::default() };
        let mut round = self.resume_round();
        while !self.stopping() {
            self.look_at_drives(&mut ward, &pace);
            self.unlink_departed(&mut ward);
            let busy =
                self.heal_next(&mut ward, &pace) || self.scrub_suspect(&pace) || self.move_next(&mut ward, &pace);
            if !busy && !self.scrub_next(&mut round, &pace) {
                std::thread::park_timeout(super::TICK);
            }
        }
    }

    /// Looks at drives that came, and for what is on those that are to be emptied.
    fn look_at_drives(&self, ward: &mut Ward, pace: &Pace<'_>) {
        let online = self.shared.hardware.online();
        let is_known = |member: &Arc<Member>| ward.known.iter().any(|known| Arc::ptr_eq(known, member));
        let came: Vec<Arc<Member>> = online.iter().filter(|member| !is_known(member)).cloned().collect();
        if !came.is_empty() {
            let mut found = healing::survey(&self.shared, &came, pace);
            if !found.is_empty() {
                tracing::info!(shards = found.len(), "shards are missing: making them anew where there is a drive");
            }
            ward.open.append(&mut found);
            ward.order.clear();
            // What could not be made, or read, may have been for want of this drive.
            ward.stuck.clear();
            ward.open.extend(&ward.torn);
            ward.suspect.extend(self.shared.losses.segments());
            ward.examined = None;
        }
        ward.known = online;
        let roster = self.shared.hardware.roster();
        let leaving: Vec<DriveNumber> =
            roster.members.values().filter(|member| member.is_leaving()).map(|member| member.number).collect();
        if leaving != ward.leaving {
            for move_of in std::mem::take(&mut ward.moves) {
                ward.open.remove(&move_of);
            }
            ward.moves = healing::leaving(&self.shared);
            ward.open.extend(&ward.moves);
            ward.order.clear();
            ward.leaving = leaving;
        }
    }

    /// Heals one shard; whether there was one.
    fn heal_next(&self, ward: &mut Ward, pace: &Pace<'_>) -> bool {
        let mut found = self.shared.hardware.wounds.take();
        if ward.order.is_empty() || !found.is_empty() {
            ward.open.append(&mut found);
            self.put_in_order(ward);
        }
        let room = self.shared.shortage.takes_growth();
        let next = if room { ward.order.pop_front() } else { None };
        self.shared.healing.open.store(ward.open.len() as u64, Ordering::Relaxed);
        self.shared.healing.stuck.store(ward.stuck.len() as u64, Ordering::Relaxed);
        let Some(wound) = next else {
            self.name_losses(ward, pace);
            return false;
        };
        let Wound { segment, shard } = wound;
        if !self.has_room_for(wound) {
            ward.put_off(wound);
            return true;
        }
        let before = self.drive_of(wound);
        match self.heal(wound, pace) {
            Ok(0) => {
                ward.open.remove(&wound);
                ward.stuck.remove(&wound);
                ward.torn_kept &= !ward.torn.remove(&wound);
                if self.shared.losses.knows(segment) {
                    ward.suspect.insert(segment);
                }
                self.note_departed(ward, wound, before);
                // Where it is now, something else may be better kept elsewhere.
                ward.weighed = None;
            }
            Ok(lost) => {
                tracing::error!("shard {shard} of segment {segment:016x} lacks {lost} places that too few others have");
                ward.suspect.insert(segment);
                if ward.torn.insert(wound) {
                    ward.torn_kept = false;
                    self.shared.healing.lost.fetch_add(lost, Ordering::Relaxed);
                }
                ward.put_off(wound);
            }
            Err(Error::ShuttingDown) => {}
            Err(_) if self.stopping() => {}
            Err(error) => {
                tracing::warn!(%error, "shard {shard} of segment {segment:016x} can't be made anew: trying again later");
                if matches!(error, Error::Lost(_)) {
                    ward.suspect.insert(segment);
                }
                ward.put_off(wound);
            }
        }
        true
    }

    /// Finds out which objects can't be read for what could not be healed, and puts down what was made with gaps.
    fn name_losses(&self, ward: &mut Ward, pace: &Pace<'_>) {
        let losses = &self.shared.losses;
        // A look is a walk through the index: what is known already is not looked at each time that it is tried again.
        let was_just_now = ward.examined.is_some_and(|at| at.elapsed() < LONGEST_BACK_OFF);
        let is_news = ward.suspect.iter().any(|segment| !losses.knows(*segment));
        if !ward.suspect.is_empty() && (is_news || !was_just_now) {
            match losses.examine(&self.shared, &ward.suspect, pace) {
                Ok(()) => ward.suspect.clear(),
                Err(error) => tracing::warn!(%error, "which objects can't be read could not be found out"),
            }
            ward.examined = Some(Instant::now());
        }
        let is_there = |wound: &Wound| self.shared.table.get(wound.segment).is_some();
        let before = ward.torn.len();
        ward.torn.retain(is_there);
        ward.torn_kept &= ward.torn.len() == before;
        if !ward.torn_kept && ward.put_down.is_none_or(|at| at.elapsed() >= READ_ENDS) {
            ward.torn_kept = self.keep_torn(&ward.torn);
            ward.put_down = Some(Instant::now());
        }
    }

    /// Whether the pool of a segment takes one more shard.
    fn has_room_for(&self, wound: Wound) -> bool {
        match self.shared.table.get(wound.segment) {
            Some(Home::Segment(segment)) => self.shared.shortage.has_room(segment.info.pool),
            _ => true,
        }
    }

    fn drive_of(&self, wound: Wound) -> Option<DriveNumber> {
        match self.shared.table.get(wound.segment) {
            Some(Home::Segment(segment)) => segment.info.drives.get(wound.shard).copied(),
            _ => None,
        }
    }

    fn note_departed(&self, ward: &mut Ward, wound: Wound, before: Option<DriveNumber>) {
        if let Some(before) = before.filter(|before| self.drive_of(wound).is_some_and(|now| now != *before)) {
            ward.departed.push((wound, before, Instant::now()));
        }
    }

    /// Removes shards from drives that they were moved away from, once no read that looked them up before is under way.
    fn unlink_departed(&self, ward: &mut Ward) {
        let (gone, stay): (Vec<_>, Vec<_>) =
            std::mem::take(&mut ward.departed).into_iter().partition(|(.., since)| since.elapsed() >= READ_ENDS);
        ward.departed = stay;
        for (wound, number, _) in gone {
            if self.drive_of(wound) != Some(number)
                && let Some(member) = self.shared.hardware.in_use(number)
            {
                // The next start removes what this can't.
                let _ = member.drive.remove(&path_of(wound.segment, wound.shard));
            }
        }
    }

    /// Moves one shard that is better kept elsewhere; whether there was one.
    fn move_next(&self, ward: &mut Ward, pace: &Pace<'_>) -> bool {
        if ward.weighed.is_some_and(|weighed| weighed.elapsed() < READ_ENDS) || !self.shared.shortage.takes_growth() {
            return false;
        }
        let Some((wound, to)) = healing::next_move(&self.shared, &self.freed_soon(ward)) else {
            ward.weighed = Some(Instant::now());
            return false;
        };
        let before = self.drive_of(wound);
        let made = healing::move_shard(&self.shared, wound, to, pace).map_err(Error::from);
        if let Err(error) = made.and_then(|made| self.settle(made)) {
            tracing::debug!(%error, ?wound, "the shard can't be moved: trying again later");
        }
        self.note_departed(ward, wound, before);
        if self.drive_of(wound) != Some(to) {
            // It would be chosen again at once.
            ward.weighed = Some(Instant::now());
        }
        true
    }

    /// Bytes that shards which were moved away take on their drives until they are removed.
    fn freed_soon(&self, ward: &Ward) -> HashMap<DriveNumber, u64> {
        let mut freed = HashMap::new();
        for (wound, drive, _) in &ward.departed {
            if let Some(Home::Segment(segment)) = self.shared.table.get(wound.segment) {
                *freed.entry(*drive).or_default() += segment.shard_file_length();
            }
        }
        freed
    }

    /// What was stuck for long enough is tried again.
    fn put_in_order(&self, ward: &mut Ward) {
        let now = Instant::now();
        let waits = |wound: &Wound| ward.stuck.get(wound).is_some_and(|setback| setback.due > now);
        ward.open.retain(|wound| !self.note_return(*wound));
        let due: BTreeSet<Wound> = ward.open.iter().filter(|wound| !waits(wound)).copied().collect();
        // Found out before who is to be healed: a stream that is sealed in between is neither lost nor healed this time.
        let unsealed: BTreeSet<Wound> = due.iter().filter(|wound| self.is_unsealed(wound.segment)).copied().collect();
        ward.order = healing::choose(&healing::patients(&self.shared, &due)).into();
        if ward.order.is_empty() {
            // What is left has no drive to go to, or is gone: the next start looks again. Open streams are sealed some day.
            ward.open.retain(|wound| waits(wound) || unsealed.contains(wound));
            ward.stuck.retain(|wound, _| ward.open.contains(wound));
        }
    }

    fn is_unsealed(&self, segment: u64) -> bool {
        matches!(self.shared.table.get(segment), Some(Home::Segment(held)) if !held.info.sealed)
    }

    /// Whether a shard of an open stream needs no healing: its drive was away for a moment, and missed nothing.
    fn note_return(&self, Wound { segment, shard }: Wound) -> bool {
        let Some(Home::Segment(held)) = self.shared.table.get(segment) else { return false };
        !held.info.sealed && held.shards.note_return(shard)
    }

    /// Heals a shard; how many places of it could not be.
    fn heal(&self, wound: Wound, pace: &Pace<'_>) -> Result<u64> {
        self.settle(healing::heal(&self.shared, wound, pace)?)
    }

    /// Has a shard that was made be read where it is.
    fn settle(&self, healed: Option<Healed>) -> Result<u64> {
        let Some(healed) = healed else { return Ok(0) };
        match self.queue.commit_blocking(healed.place())? {
            Outcome::Placed(true) => {
                self.own_entries.fetch_add(1, Ordering::Relaxed);
                let counts = &self.shared.healing;
                counts.healed.fetch_add(1, Ordering::Relaxed);
                counts.bytes.fetch_add(healed.bytes, Ordering::Relaxed);
                Ok(healed.lost)
            }
            _ => {
                healing::discard(&self.shared, &healed);
                Ok(0)
            }
        }
    }

    /// What requests have read and written so far, in steps of no set size: what the threads commit that yield to them is none of theirs.
    pub(super) fn activity(&self) -> u64 {
        let entries = self.shared.lsn.load(Ordering::Relaxed);
        let own = self.own_entries.load(Ordering::Relaxed);
        self.shared.reads.load(Ordering::Relaxed) + entries.saturating_sub(own)
    }

    /// Rests after a step, if requests came lately: a drive that reads for healing answers others later. Whether to go on.
    pub(super) fn yield_to_requests(&self, pulse: &mut Pulse, took: Duration) -> bool {
        let now = self.activity();
        if now != pulse.seen {
            *pulse = Pulse::new(now);
        }
        self.rest_in_background(took, pulse.since.elapsed() <= QUIET);
        !self.stopping()
    }
}
