//! Shards that are moved though they are whole: out of enclosures that hold too many of a segment, and from full drives to
//! empty ones.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Fill, choose_move};
use crate::commit::Shared;
use crate::drive::{DriveNumber, Member};
use crate::enclosure::{Domain, tally};
use crate::node::Roster;
use crate::pool::Pool;
use crate::segment::{Segment, SegmentInfo, Wound};

/// A shard and the drive that it is to be moved to.
pub type Move = (Wound, DriveNumber);

/// What is to be moved next; `None` where all is as it should be. `freed` are bytes that will be removed from drives soon.
#[must_use]
pub fn next_move(shared: &Shared, freed: &HashMap<DriveNumber, u64>) -> Option<Move> {
    let roster = shared.hardware.roster();
    let segments = shared.table.sealed();
    let pools: Vec<&Arc<Pool>> = roster
        .pools
        .iter()
        // With a shard of each segment on every drive there is nowhere to move one to.
        .filter(|pool| pool.members.len() > pool.profile.shards() && shared.shortage.has_room(pool.number))
        .collect();
    let crowded = pools.iter().filter(|pool| pool.members.iter().any(|member| member.enclosure.is_some()));
    let mut crowded = crowded.flat_map(|pool| of_pool(&segments, pool).map(move |segment| (pool, segment)));
    let out_of_crowd = crowded.find_map(|(pool, segment)| leave_crowd(&roster, pool, &segment.info));
    out_of_crowd.or_else(|| pools.iter().find_map(|pool| level(&roster, pool, &segments, freed)))
}

fn of_pool<'a>(segments: &'a [Arc<Segment>], pool: &Pool) -> impl Iterator<Item = &'a Arc<Segment>> {
    let number = pool.number;
    segments.iter().filter(move |segment| segment.info.pool == number)
}

/// A shard of an enclosure whose loss would be that of the segment, to where fewer are.
fn leave_crowd(roster: &Roster, pool: &Pool, info: &SegmentInfo) -> Option<Move> {
    let held = holders(roster, info);
    let (crowd, count) = held.iter().max_by_key(|(_, count)| **count)?;
    if *count <= usize::from(info.profile.parity) {
        return None;
    }
    let is_better = |member: &&Arc<Member>| held.get(&member.domain()).is_none_or(|other| other + 1 < *count);
    let takers = pool.members.iter().filter(|member| member.takes_shards() && !info.drives.contains(&member.number));
    let free = |member: &Member| member.drive.space().map_or(0, |space| space.free);
    let to = takers.filter(is_better).min_by_key(|member| (held.get(&member.domain()), Reverse(free(member))))?;
    let sits_there = |number: &DriveNumber| roster.members.get(number).is_some_and(|member| member.domain() == *crowd);
    let shard = info.drives.iter().position(sits_there)?;
    Some((Wound { segment: info.id, shard }, to.number))
}

/// A shard from the fullest drive of a pool to the emptiest, if that brings no more of its segment together.
fn level(roster: &Roster, pool: &Pool, segments: &[Arc<Segment>], freed: &HashMap<DriveNumber, u64>) -> Option<Move> {
    let fill = |member: &Arc<Member>| {
        let space = member.drive.space().ok().filter(|space| space.total > 0)?;
        let free = space.free + freed.get(&member.number).copied().unwrap_or(0);
        let full = 1.0 - free as f64 / space.total as f64;
        Some(Fill { drive: member.number, full, takes: member.takes_shards() && !member.is_sluggish() })
    };
    let fills: Vec<Fill> = pool.members.iter().filter(|member| member.online()).filter_map(fill).collect();
    let (from, to) = choose_move(&fills)?;
    let (source, target) = (roster.members.get(&from)?.domain(), roster.members.get(&to)?.domain());
    of_pool(segments, pool).find_map(|segment| {
        let info = &segment.info;
        let shard = info.drives.iter().position(|drive| *drive == from).filter(|_| !info.drives.contains(&to))?;
        let held = holders(roster, info);
        let count = |domain| held.get(&domain).copied().unwrap_or(0);
        let stays_spread = source == target || count(target) < count(source);
        stays_spread.then_some((Wound { segment: info.id, shard }, to))
    })
}

/// Whether the loss of one enclosure would be that of the segment.
#[must_use]
pub fn is_crowded(roster: &Roster, info: &SegmentInfo) -> bool {
    let most = holders(roster, info).into_values().max().unwrap_or(0);
    // One drive alone is no enclosure.
    most > usize::from(info.profile.parity).max(1)
}

/// How many shards of a segment are in each domain.
fn holders<'a>(roster: &'a Roster, info: &SegmentInfo) -> HashMap<Domain<'a>, usize> {
    tally(info.drives.iter().filter_map(|number| roster.members.get(number)))
}
