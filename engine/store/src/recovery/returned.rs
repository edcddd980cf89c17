//! Drives that were away, taken in again at a start: `docs/healing.md` says in what order, and what a crash leaves.

use std::collections::BTreeMap;
use std::io;

use super::journals::Recovered;
use crate::commit::is_open_stream;
use crate::commit::superblocks::Superblocks;
use crate::drive::{DriveNumber, DriveState, Member, NO_DRIVE};
use crate::journal;
use crate::node::Hardware;
use crate::segment::{self, SegmentInfo, shard};

/// Takes in the drives that are there and missed an epoch; which ones. They are told of the epochs that ended as the others
/// know it, and of nothing that they knew themselves: an epoch may have gone on without them.
pub fn take_in(hardware: &Hardware, superblocks: &Superblocks) -> Vec<DriveNumber> {
    let mut returned = Vec::new();
    for member in hardware.roster().members.values().filter(|member| member.state() == DriveState::Stale) {
        if let Some(superblock) = superblocks.lock().get_mut(&member.number) {
            superblock.fences.clear();
            superblock.removed.clear();
            member.take_in();
            returned.push(member.number);
        }
    }
    returned
}

/// Takes drives that came back out of the streams that are still open, and says which those are: what others wrote meanwhile is
/// missing there, and the file is about to be written on. Once such a stream is sealed its shard is made anew.
pub fn leave_streams(segments: &mut BTreeMap<u64, SegmentInfo>, back: &[DriveNumber]) -> Vec<SegmentInfo> {
    let mut changed = Vec::new();
    for info in segments.values_mut().filter(|info| is_open_stream(info)) {
        let before = info.drives.clone();
        for drive in info.drives.iter_mut().filter(|drive| back.contains(drive)) {
            *drive = NO_DRIVE;
        }
        if info.drives != before {
            changed.push(info.clone());
        }
    }
    changed
}

/// Removes files that nothing names from the drives in use: what a crash left of segments and journals that were never
/// sealed or are no more, and what a drive still has that was away.
pub fn sweep(hardware: &Hardware, recovered: &Recovered) {
    for member in hardware.online() {
        let has_journal = |id: u64| {
            let journal = recovered.journals.iter().find(|journal| journal.id == id);
            journal.is_some_and(|journal| journal.copies.iter().any(|copy| copy.member.number == member.number))
        };
        let is_named = |id: u64, place: usize| {
            recovered.segments.get(&id).is_some_and(|info| info.drives.get(place) == Some(&member.number))
        };
        // What is neither was left behind half made.
        let is_live = |name: Option<(u64, usize)>| name.is_some_and(|(id, place)| is_named(id, place));
        let has_journal = |id: Option<u64>| id.is_some_and(has_journal);
        if let Err(error) = sweep_drive(&member, &is_live, &has_journal) {
            member.note_fault(format!("sweeping leftovers: {error}"));
        }
    }
}

/// The same for one drive, by which shards of segments and which journals live on it; `None` for files of other names.
///
/// # Errors
/// The drive's.
pub fn sweep_drive(
    member: &Member,
    is_live: &dyn Fn(Option<(u64, usize)>) -> bool,
    has_journal: &dyn Fn(Option<u64>) -> bool,
) -> io::Result<()> {
    let is_live_shard = |name: &str| is_live(shard::parse_name(name));
    let is_live_journal = |name: &str| {
        let id = name.strip_suffix(".journal").and_then(|id| u64::from_str_radix(id, 16).ok());
        name.starts_with("spare-") || has_journal(id)
    };
    remove_others(member, segment::DIRECTORY, is_live_shard)?;
    remove_others(member, journal::DIRECTORY, is_live_journal)
}

/// Removes every file of a drive that is none any more, but for its superblock.
///
/// # Errors
/// The drive's.
pub fn clear_drive(member: &Member) -> io::Result<()> {
    remove_others(member, segment::DIRECTORY, |_| false)?;
    remove_others(member, journal::DIRECTORY, |_| false)
}

fn remove_others(member: &Member, directory: &str, is_live: impl Fn(&str) -> bool) -> io::Result<()> {
    for name in member.drive.list(directory)?.iter().filter(|name| !is_live(name)) {
        member.drive.remove(&format!("{directory}/{name}"))?;
    }
    Ok(())
}
