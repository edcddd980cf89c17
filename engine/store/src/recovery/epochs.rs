//! Which epoch took effect last, which drives missed it, and whose fences hold.
//!
//! A drive is told of an epoch before the epoch's first batch is written anywhere, and at most M drives are out of use then
//! and at any later start. Where that leaves one drive in common (k > M), each start sees every epoch that took effect, by
//! its journal or by a superblock, and takes a higher number. So:
//!
//! - the epoch in effect is the one with the highest number that has a first batch no fence voids;
//! - a drive is current if it [knows](Superblock::knows) that epoch. Its number proves nothing: starts and fences that reached
//!   it alone gave it numbers that others took for epochs of their own;
//! - fences of current drives hold. A stale one may say of an epoch that it ended earlier than it did for the others;
//! - an epoch that took effect and that no current drive knows means that two sets of drives, each without the other, took
//!   writes (k ≤ M allows it). Neither may be thrown away unasked.

use std::collections::HashMap;

use crate::drive::{DriveNumber, Superblock};
use crate::epoch::{Epoch, Fence};

/// The first batch of a journal file, on a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    pub drive: DriveNumber,
    pub epoch: Epoch,
    pub first_lsn: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The epoch in effect; `None` where none ever was.
    pub effective: Option<Epoch>,
    pub stale: Vec<DriveNumber>,
    /// Of drives that are current.
    pub fences: Vec<Fence>,
    /// A drive with an epoch of its own that took effect.
    pub apart: Option<Begun>,
}

#[must_use]
pub fn judge(superblocks: &HashMap<DriveNumber, Superblock>, begun: &[Begun]) -> Verdict {
    let all = || superblocks.values().flat_map(|superblock| &superblock.fences);
    let counts = |first: &&Begun| !all().any(|fence| fence.voids(first.epoch, first.first_lsn));
    let effective = begun.iter().filter(counts).map(|first| first.epoch).max();
    let is_current = |superblock: &Superblock| effective.is_none_or(|epoch| superblock.knows(epoch));
    let mut verdict = Verdict { effective, ..Verdict::default() };
    let mut current = Vec::new();
    for (number, superblock) in superblocks {
        if is_current(superblock) {
            verdict.fences.extend_from_slice(&superblock.fences);
            current.push(superblock);
        } else {
            verdict.stale.push(*number);
        }
    }
    verdict.stale.sort_unstable();
    verdict.fences.sort_unstable();
    verdict.fences.dedup();
    let apart = begun.iter().find(|first| is_apart(&current, first));
    verdict.apart = if current.is_empty() { None } else { apart.copied() };
    verdict
}

/// Whether an epoch took effect without any of the current drives.
#[must_use]
pub fn is_apart(current: &[&Superblock], first: &Begun) -> bool {
    let known = |superblock: &&Superblock| superblock.knows(first.epoch) || superblock.forgot(first.epoch.number);
    first.epoch.nonce != 0 && !current.iter().any(known)
}

#[cfg(test)]
#[path = "epochs_tests.rs"]
mod tests;
