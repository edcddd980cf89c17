//! Drives that come and go while the node runs.
//!
//! A drive is told of the epoch that begins with it before anything is placed on it, as at a start; one that goes has nothing
//! left that anything names. What is between these two is the work of healing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::log::check_strength;
use super::{Core, superblocks};
use crate::drive::superblock::MOST_REMOVED;
use crate::drive::{DriveNumber, NO_DRIVE, Superblock};
use crate::error::{Error, Result};
use crate::node::Roster;
use crate::pool::Pool;
use crate::recovery::admission::Admission;
use crate::recovery::drives::absent;
use crate::recovery::epochs::is_apart;
use crate::segment::{SegmentInfo, Wound};

impl Core {
    /// Takes a drive into use, in the place of the one of its number or as one more, and begins an epoch that it knows.
    pub(super) fn admit(&mut self, admission: &Admission) -> Result<()> {
        let member = &admission.member;
        let number = member.number;
        let refuse = |what: &str| Err(Error::InvalidDrive(format!("{} {what}", member.drive.path())));
        if self.shared.hardware.in_use(number).is_some() {
            return refuse("is in use already");
        }
        let mut superblock = admission.superblock.clone();
        {
            let held = self.log.superblocks.lock();
            let online = self.shared.hardware.online();
            let current: Vec<_> = online.iter().filter_map(|member| held.get(&member.number).cloned()).collect();
            let known: Vec<&Superblock> = current.iter().collect();
            if admission.begun.iter().any(|first| is_apart(&known, first)) {
                return refuse("and other drives took writes without each other: empty it, then replace it");
            }
            let given = current.iter().map(|known| known.drives).max().unwrap_or(0);
            if number > given || current.iter().any(|known| known.removed.contains(&number)) {
                return refuse("is none of the appliance's drives");
            }
            // Of epochs that ended it may know less than the others, or something else.
            superblock.fences = current.first().map(|known| known.fences.clone()).unwrap_or_default();
            superblock.removed = current.first().map(|known| known.removed.clone()).unwrap_or_default();
            superblock.drives = superblock.drives.max(number + 1);
            // The pool's may have changed while it was away.
            let pool = self.shared.hardware.pool(superblock.pool);
            superblock.profile = pool.map_or(superblock.profile, |pool| pool.profile);
        }
        // What only drives have that are out of use, a start reads from them: the members that they were are never asked again.
        if let Some(journal) = self.unreadable_journal() {
            return refuse(&format!(
                "is taken in by a restart: journal {journal:016x} is on drives that went out of use"
            ));
        }
        let roster = self.shared.hardware.roster();
        let before = roster.members.get(&number);
        member.set_leaving(before.is_some_and(|before| before.is_leaving()));
        let mut next = roster.with(member);
        // Where several were missing it was a guess which of them belongs at which path.
        let path = member.drive.path();
        let guessed = roster.members.values().find(|other| other.number != number && other.drive.path() == path);
        if let (Some(guessed), Some(before)) = (guessed, before) {
            next = next.with(&absent(guessed, before, &self.shared.hardware));
        }
        check_strength(&next)?;
        self.log.superblocks.lock().insert(number, superblock);
        self.shared.hardware.reform(next);
        self.arrivals.push((number, self.shared.next_file.load(Ordering::Relaxed)));
        self.open_anew(number)?;
        let now = self.now();
        if let Err(error) = self.fence(now) {
            // It is a member by now: the next commit begins the epoch, or says why not.
            tracing::warn!(%error, "no epoch could be begun with a drive that came");
        }
        Ok(())
    }

    /// Takes a pool into use that has no drives yet. The journal goes on with as many copies as the pool's parity takes,
    /// before a drive of it says that so many may be missing.
    pub(super) fn open_pool(&mut self, pool: &Pool) -> Result<()> {
        let before = Roster::clone(&self.shared.hardware.roster());
        let mut next = before.clone();
        next.pools.push(Arc::new(pool.clone()));
        let (needed, there) = (next.journal_copies(), next.place_journal().len());
        if there < needed {
            return Err(Error::InvalidDrive(format!(
                "the journal of a pool at {} stands on {needed} drives, and {there} are in use",
                pool.profile
            )));
        }
        self.shared.hardware.reform(next);
        self.rotate().inspect_err(|_| self.shared.hardware.reform(before))
    }

    /// A journal that no drive in use has.
    fn unreadable_journal(&self) -> Option<u64> {
        let mut journals = self.living.closed.values().chain([&self.log.journal]);
        journals.find(|journal| !journal.copies.iter().any(|copy| copy.member.online())).map(|journal| journal.id)
    }

    /// Has reads of what is on a drive go to the member that it is now. In streams that are still open it keeps its place: a
    /// committed row is written once, so what passes its CRCs there is right, and what it missed does not pass.
    fn open_anew(&self, number: DriveNumber) -> Result<()> {
        let named = self.living.segments.values().filter(|info| info.drives.contains(&number)).cloned();
        self.shared.publish_all(named).map_err(|error| Error::Unavailable(error.to_string()))
    }

    /// Notes the shards of a segment that there was no drive for, that a drive may lack which came since it was begun, or that
    /// stand on one which is to be emptied.
    pub(super) fn note_wounds(&self, info: &SegmentInfo) {
        let hardware = &self.shared.hardware;
        let is_owed = |number: &DriveNumber| {
            *number == NO_DRIVE
                || self.arrivals.iter().any(|(came, first)| came == number && info.id < *first)
                || hardware.member(*number).is_some_and(|member| member.is_leaving())
        };
        let owed = info.drives.iter().enumerate().filter(|(_, number)| is_owed(number));
        owed.for_each(|(shard, _)| hardware.wounds.add(Wound { segment: info.id, shard }));
    }

    /// Has a drive be none of the appliance's any more.
    pub(super) fn dismiss(&mut self, number: DriveNumber) -> Result<()> {
        let roster = self.shared.hardware.roster();
        let Some(member) = roster.members.get(&number) else {
            return Err(Error::InvalidDrive(format!("there is no drive {number}")));
        };
        let path = member.drive.path();
        if self.log.superblocks.lock().values().any(|known| known.removed.len() >= MOST_REMOVED) {
            return Err(Error::InvalidDrive(format!(
                "{path}: no more than {MOST_REMOVED} drives can be removed: put another one in its place by `packstone drive replace`"
            )));
        }
        if let Some(left) = self.left_on(number) {
            return Err(Error::InvalidDrive(format!("{path} still has {left}: drain it first, and wait for the end")));
        }
        let next = roster.without(number);
        if let Some(pool) = next.pools.iter().find(|pool| has_too_few(pool)) {
            let (name, profile) = (&pool.name, pool.profile);
            return Err(Error::InvalidDrive(format!(
                "without {path} pool {name} has too few drives for {profile}: add or replace one first"
            )));
        }
        self.fence_retired()?;
        superblocks::dismiss(&self.shared, &self.log.superblocks, number, next.enclosures())?;
        self.log.forget(number);
        self.shared.hardware.reform(next);
        if let Err(error) = self.fence_retired() {
            tracing::warn!(%error, "a drive went out of use as another was removed");
        }
        Ok(())
    }

    /// What of the live set is on a drive, or would be looked for there.
    fn left_on(&self, number: DriveNumber) -> Option<String> {
        let segments = self.living.segments.values().filter(|info| info.drives.contains(&number)).count();
        let journals = self.living.closed.values().chain([&self.log.journal]);
        let journals =
            journals.filter(|journal| journal.copies.iter().any(|copy| copy.member.number == number)).count();
        match (segments, journals) {
            (0, 0) => None,
            (0, journals) => Some(format!("{journals} journals")),
            (segments, _) => Some(format!("shards of {segments} segments")),
        }
    }
}

fn has_too_few(pool: &Pool) -> bool {
    pool.members.iter().filter(|member| !member.is_leaving()).count() < pool.profile.shards()
}
