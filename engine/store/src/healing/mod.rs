//! Making segments whole again: finding the shards that they lack, and making these anew. `docs/healing.md` has the states
//! and what a crash at each step leaves.
//!
//! Nothing here keeps state between calls: what is to be healed follows from the segment table and the drives, and
//! [`Wounds`](crate::segment::Wounds) only says where to look.

mod balance;
mod choose;
mod losses;
mod moves;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

pub use balance::{Fill, choose_move};
pub use choose::{Patient, choose};
pub use losses::{Losses, LostObject};
pub use moves::{Move, is_crowded, next_move};

use crate::commit::{Op, Shared};
use crate::compaction::tenants;
use crate::drive::{DriveNumber, Member, NO_DRIVE};
use crate::enclosure::tally;
use crate::segment::rebuild::Pace;
use crate::segment::shard::{parse_name, path_of};
use crate::segment::stripe::extent_rows;
use crate::segment::{DIRECTORY, Home, Segment, SegmentError, SegmentInfo, SegmentKind, Wound};

/// Segments and shards of the files on a drive.
type Names = HashSet<(u64, usize)>;

/// What healing came to since start.
#[derive(Debug, Default)]
pub struct HealingCounts {
    /// Shards that are known to be missing and have a drive to go to.
    pub open: AtomicU64,
    /// Of these, shards that could not be made lately.
    pub stuck: AtomicU64,
    /// Shards that were made anew, where they were missing or elsewhere, and their bytes.
    pub healed: AtomicU64,
    pub bytes: AtomicU64,
    /// Rows of these that live, and that too few shards had.
    pub lost: AtomicU64,
}

/// What is missing of what the segment table names: every shard without a drive, and on the drives that are looked at every one
/// without a file, or with one that is too short or, in a stream, has another table of contents. Blocks.
#[must_use]
pub fn survey(shared: &Shared, drives: &[Arc<Member>], pace: &Pace<'_>) -> BTreeSet<Wound> {
    let mut there: BTreeMap<DriveNumber, (&Arc<Member>, Names)> = BTreeMap::new();
    for member in drives {
        match member.drive.list(DIRECTORY) {
            Ok(names) => {
                let names = names.iter().filter_map(|name| parse_name(name)).collect();
                there.insert(member.number, (member, names));
            }
            Err(error) => member.note_fault(format!("{DIRECTORY}: {error}")),
        }
    }
    let mut wounds = BTreeSet::new();
    for held in shared.table.sealed() {
        let began = Instant::now();
        let segment = held.apart(&shared.hardware);
        for (shard, number) in segment.info.drives.iter().enumerate() {
            let is_whole = match there.get(number) {
                None => *number != NO_DRIVE,
                Some((member, held)) => held.contains(&(segment.info.id, shard)) && is_whole(&segment, shard, member),
            };
            if !is_whole {
                wounds.insert(Wound { segment: segment.info.id, shard });
            }
        }
        if !pace(began.elapsed()) {
            break;
        }
    }
    wounds
}

/// Whether a shard's file has the length and the table of contents that it should have. One that can't be asked is not said
/// to be wounded.
fn is_whole(segment: &Segment, shard: usize, member: &Member) -> bool {
    let path = path_of(segment.info.id, shard);
    // Not through the segment, which would keep the file open.
    let looked = member.drive.open(&path).and_then(|file| Ok((file.length()?, file)));
    match looked {
        Ok((length, _)) if length < segment.shard_file_length() => false,
        Ok((_, file)) if segment.info.kind.is_striped() => segment.has_toc(shard, &file).unwrap_or(true),
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::TimedOut,
    }
}

/// The shards on drives that are to be emptied.
#[must_use]
pub fn leaving(shared: &Shared) -> BTreeSet<Wound> {
    let roster = shared.hardware.roster();
    let numbers: Vec<DriveNumber> =
        roster.members.values().filter(|member| member.is_leaving()).map(|member| member.number).collect();
    if numbers.is_empty() {
        return BTreeSet::new();
    }
    let shards = |segment: &Arc<Segment>| {
        let shards = segment.info.drives.iter().enumerate().filter(|(_, drive)| numbers.contains(drive));
        shards.map(|(shard, _)| Wound { segment: segment.info.id, shard }).collect::<Vec<_>>()
    };
    shared.table.sealed().iter().flat_map(shards).collect()
}

/// The segments that wounds are in, as they stand: without what was healed or is gone meanwhile, or has no drive to go to.
#[must_use]
pub fn patients(shared: &Shared, wounds: &BTreeSet<Wound>) -> Vec<Patient> {
    let mut by_segment: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for wound in wounds {
        by_segment.entry(wound.segment).or_default().insert(wound.shard);
    }
    let mut patients = Vec::new();
    for (id, shards) in by_segment {
        let Some(Home::Segment(segment)) = shared.table.get(id) else { continue };
        let info = &segment.info;
        let is_away = |number: &&DriveNumber| is_away(shared, **number);
        let away = info.drives.iter().filter(is_away).count();
        let wounded: BTreeSet<usize> =
            shards.into_iter().filter(|shard| target(shared, info, *shard).is_some()).collect();
        if info.sealed && !wounded.is_empty() {
            let parity = usize::from(info.profile.parity);
            let is_whole = |shard: &&usize| {
                let drive = info.drives.get(**shard);
                drive.and_then(|number| shared.hardware.in_use(*number)).is_some_and(|member| member.is_leaving())
            };
            let moving = wounded.iter().filter(is_whole).count();
            patients.push(Patient { segment: id, parity, wounded, moving, away });
        }
    }
    patients
}

fn is_away(shared: &Shared, number: DriveNumber) -> bool {
    shared.hardware.member(number).is_some_and(|member| !member.online())
}

/// The drive that a shard is to be made on: its own while that is in use and stays; where it never had one, or that is to be
/// emptied, another of the pool that holds no shard of the segment, in the domain with the fewest of it, with the most space.
fn target(shared: &Shared, info: &SegmentInfo, shard: usize) -> Option<Arc<Member>> {
    let own = info.drives.get(shard)?;
    if *own != NO_DRIVE && !shared.hardware.member(*own).is_some_and(|member| member.is_leaving()) {
        return shared.hardware.in_use(*own);
    }
    let free = |member: &Member| member.drive.space().map_or(0, |space| space.free);
    let pool = shared.hardware.pool(info.pool)?;
    let stay = info.drives.iter().enumerate().filter(|(place, _)| *place != shard);
    let stay: Vec<_> = stay.filter_map(|(_, number)| shared.hardware.member(*number)).collect();
    let held = tally(stay.iter());
    let others = pool.members.iter().filter(|member| member.takes_shards() && !info.drives.contains(&member.number));
    others.min_by_key(|member| (held.get(&member.domain()), Reverse(free(member)))).cloned()
}

/// A shard that was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Healed {
    pub wound: Wound,
    /// Where it is.
    pub drive: DriveNumber,
    /// Of its file.
    pub bytes: u64,
    /// Places in it that live, and that too few others have right now.
    pub lost: u64,
}

impl Healed {
    /// What has it read there, once it is committed.
    #[must_use]
    pub fn place(&self) -> Op {
        Op::Place { id: self.wound.segment, shard: self.wound.shard, drive: self.drive }
    }
}

/// Makes a shard anew, under its name and durable. What stood under that name stays there until then, and what of it was
/// right stands in the new one. `None` where there is nothing to heal any more, or no drive for it. Blocks.
///
/// # Errors
/// The drive takes no file, a TOC or the index can't be read, or `pace` ended it.
pub fn heal(shared: &Shared, wound: Wound, pace: &Pace<'_>) -> Result<Option<Healed>, SegmentError> {
    let Some(Home::Segment(segment)) = shared.table.get(wound.segment) else { return Ok(None) };
    match target(shared, &segment.info, wound.shard).filter(|_| segment.info.sealed) {
        Some(member) => make(shared, &segment, wound.shard, &member, pace).map(Some),
        None => Ok(None),
    }
}

/// Makes a shard on another drive than its own, as [`heal`] does. Blocks.
///
/// # Errors
/// As [`heal`].
pub fn move_shard(
    shared: &Shared,
    wound: Wound,
    to: DriveNumber,
    pace: &Pace<'_>,
) -> Result<Option<Healed>, SegmentError> {
    let Some(Home::Segment(segment)) = shared.table.get(wound.segment) else { return Ok(None) };
    match shared.hardware.in_use(to).filter(|_| segment.info.sealed && !segment.info.drives.contains(&to)) {
        Some(member) => make(shared, &segment, wound.shard, &member, pace).map(Some),
        None => Ok(None),
    }
}

fn make(
    shared: &Shared,
    segment: &Segment,
    shard: usize,
    member: &Arc<Member>,
    pace: &Pace<'_>,
) -> Result<Healed, SegmentError> {
    let id = segment.info.id;
    let wound = Wound { segment: id, shard };
    let path = path_of(id, shard);
    let beside = format!("{path}.heal");
    let made = member.drive.create(&beside).map_err(SegmentError::from).and_then(|file| {
        let rebuilt = segment.apart(&shared.hardware).rebuild_shard(&shared.hardware, shard, &file, pace)?;
        let lost = lost_rows(shared, &segment.info, &rebuilt.gaps)?;
        member.drive.rename(&beside, &path)?;
        member.drive.sync_directory(DIRECTORY)?;
        Ok((rebuilt.bytes, lost))
    });
    match made {
        Ok((bytes, lost)) => {
            shared.hardware.wounds.forget(wound);
            Ok(Healed { wound, drive: member.number, bytes, lost })
        }
        Err(error) => {
            // The next start removes what this can't.
            let _ = member.drive.remove(&beside);
            Err(error)
        }
    }
}

/// How many gaps of a shard something that lives may be in. Of a stream a crash leaves some that nobody was told of.
fn lost_rows(shared: &Shared, info: &SegmentInfo, gaps: &[Range<u64>]) -> Result<u64, SegmentError> {
    match info.kind {
        SegmentKind::Packed => return Ok(gaps.len() as u64),
        // What it tells stands in tables of contents and journals, too.
        SegmentKind::Checkpoint => return Ok(0),
        SegmentKind::Stream if gaps.is_empty() => return Ok(0),
        SegmentKind::Stream => {}
    }
    let tenants = tenants(shared, &[info.id]).map_err(|error| io::Error::other(error.to_string()))?;
    let extents = tenants.values().flatten().flat_map(|(_, row)| &row.record.extents);
    let rows: Vec<Range<u64>> = extents
        .filter(|extent| extent.segment == info.id)
        .map(|extent| extent.offset..extent.offset + extent_rows(extent.length, info.profile.data))
        .collect();
    let lives = |gap: &&Range<u64>| rows.iter().any(|held| held.start < gap.end && gap.start < held.end);
    Ok(gaps.iter().filter(lives).count() as u64)
}

/// Removes a shard that was made for a segment which is gone by now.
pub fn discard(shared: &Shared, healed: &Healed) {
    if let Some(member) = shared.hardware.in_use(healed.drive) {
        // The next start removes what this can't.
        let _ = member.drive.remove(&path_of(healed.wound.segment, healed.wound.shard));
    }
}
