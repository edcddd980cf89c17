//! Enclosures: drives that go at once, with the shelf, controller or power supply that they share. `docs/pools.md` says what of
//! that the appliance bears.
//!
//! An enclosure, or a drive that is in none, is a *domain*. Segments and journals are placed so that each domain has as few of
//! their shards and copies as can be. What a start and the commit loop may do without is M drives at most, or the drives of one
//! enclosure, and the latter only where
//!
//! - more than M drives are outside of it, in two domains at least. Then any two sets of drives that may be missing leave one drive in
//!   common, which was told of every epoch that took effect;
//! - every live journal stands in two domains at least. That is known where one of the drives that know the newest epoch has the
//!   [`digest`] of who sits where in its superblock. It is forgotten with each epoch that begins by another one, before a journal is placed by
//!   that, and noted once all journals that live are spread by it. Where none has it, M drives are the most.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checksum::seeded_crc64;
use crate::codec::Writer;
use crate::drive::{DriveNumber, Member};

/// The names of enclosures by the paths of the drives in them.
#[derive(Clone, Debug, Default)]
pub struct Enclosures(BTreeMap<PathBuf, Arc<str>>);

impl Enclosures {
    /// The drive at `path` is in that one.
    pub fn note(&mut self, path: PathBuf, name: &str) {
        self.0.insert(path, name.into());
    }

    #[must_use]
    pub fn of(&self, path: &Path) -> Option<Arc<str>> {
        self.0.get(path).cloned()
    }
}

/// What goes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain<'a> {
    Enclosure(&'a str),
    Drive(DriveNumber),
}

impl Member {
    #[must_use]
    pub fn domain(&self) -> Domain<'_> {
        self.enclosure.as_deref().map_or(Domain::Drive(self.number), Domain::Enclosure)
    }
}

/// How many of some drives are in each domain.
#[must_use]
pub fn tally<'a>(members: impl Iterator<Item = &'a Arc<Member>>) -> HashMap<Domain<'a>, usize> {
    let mut tally = HashMap::new();
    members.for_each(|member| *tally.entry(member.domain()).or_default() += 1);
    tally
}

/// Whether drives are in two domains at least.
#[must_use]
pub fn is_spread<'a>(members: impl Iterator<Item = &'a Arc<Member>>) -> bool {
    tally(members).len() > 1
}

/// Which drive is in which enclosure; 0 where none is in any.
#[must_use]
pub fn digest(members: &BTreeMap<DriveNumber, Arc<Member>>) -> u64 {
    if members.values().all(|member| member.enclosure.is_none()) {
        return 0;
    }
    let mut out = Writer::default();
    for (number, member) in members {
        out.u16(*number);
        out.short(member.enclosure.as_deref().unwrap_or_default().as_bytes());
    }
    seeded_crc64(0, &[&out.0]).max(1)
}

/// Whether the drives that are out of use are all of one enclosure that the appliance does without, where `most` drives
/// may be missing else.
#[must_use]
pub fn is_one_that_may_go(members: &BTreeMap<DriveNumber, Arc<Member>>, most: usize) -> bool {
    let out: BTreeSet<Domain<'_>> =
        members.values().filter(|member| !member.online()).map(|member| member.domain()).collect();
    let (Some(gone @ Domain::Enclosure(_)), 1) = (out.first(), out.len()) else { return false };
    let rest: Vec<_> = members.values().filter(|member| member.domain() != *gone).collect();
    most > 0 && rest.len() > most && is_spread(rest.into_iter())
}

/// Takes `wanted` of some drives: by `order` those that come first, but one of each domain before a second of any.
#[must_use]
pub fn spread<Order: Ord>(
    members: Vec<Arc<Member>>,
    wanted: usize,
    order: impl Fn(&Member) -> Order,
) -> Vec<Arc<Member>> {
    let mut left: Vec<_> = members.into_iter().map(|member| (order(&member), member)).collect();
    left.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut left: Vec<_> = left.into_iter().map(|(_, member)| member).collect();
    let mut taken: Vec<Arc<Member>> = Vec::new();
    while taken.len() < wanted {
        let held = tally(taken.iter());
        let next = (0..left.len()).min_by_key(|place| left.get(*place).and_then(|member| held.get(&member.domain())));
        let Some(place) = next else { break };
        taken.push(left.remove(place));
    }
    taken
}
