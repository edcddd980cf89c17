//! Drives that come and go while the node runs.
//!
//! A drive is told of the epoch that begins with it before anything is placed on it, as at a start; one that goes has nothing
//! left that anything names. What is between these two is the work of healing.

use std::sync::atomic::Ordering;

use super::{Core, is_open_stream, superblocks};
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
            let mut held = self.log.superblocks.lock();
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
            superblock.drives = superblock.drives.max(number + 1);
            held.insert(number, superblock);
        }
        let roster = self.shared.hardware.roster();
        let before = roster.members.get(&number);
        member.set_leaving(before.is_some_and(|before| before.is_leaving()));
        let mut next = roster.with(member);
        // Where several were missing it was a guess which of them belongs at which path.
        let path = member.drive.path();
        let guessed = roster.members.values().find(|other| other.number != number && other.drive.path() == path);
        if let (Some(guessed), Some(before)) = (guessed, before) {
            next = next.with(&absent(guessed, before.drive.path().to_owned(), &self.shared.hardware));
        }
        self.shared.hardware.reform(next);
        self.arrivals.push((number, self.shared.next_file.load(Ordering::Relaxed)));
        self.open_anew(number)?;
        let now = self.now();
        self.fence(now)
    }

    /// Has reads of what is on a drive go to the member that it is now. In streams that are still open it has no place any
    /// more: what others wrote meanwhile is missing there.
    fn open_anew(&mut self, number: DriveNumber) -> Result<()> {
        for info in self.living.segments.values_mut().filter(|info| info.drives.contains(&number)) {
            if is_open_stream(info) {
                info.drives.iter_mut().filter(|drive| **drive == number).for_each(|drive| *drive = NO_DRIVE);
            }
            self.shared.publish(info.clone()).map_err(|error| Error::Unavailable(error.to_string()))?;
        }
        Ok(())
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
        superblocks::dismiss(&self.shared, &self.log.superblocks, number)?;
        self.log.forget(number);
        self.shared.hardware.reform(Roster::clone(&next));
        self.fence_retired()
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
