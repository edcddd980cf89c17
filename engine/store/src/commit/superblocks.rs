//! What every drive in use is told at once. The commit loop alone writes superblocks while a store is open.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Shared;
use crate::drive::{DriveNumber, DriveState, Job, Superblock};
use crate::enclosure;
use crate::epoch::{Epoch, Fence};
use crate::error::{Error, Result};
use crate::node::{Hardware, Roster};
use crate::pool::Profile;

/// Superblocks of the drives, as they stand on those in use.
pub type Superblocks = Arc<Mutex<HashMap<DriveNumber, Superblock>>>;

/// Writes an epoch and fences to the superblock of every drive in use; drives that can't take it go out of use.
///
/// # Errors
/// No drive is left.
pub fn begin_epoch(shared: &Shared, superblocks: &Superblocks, epoch: Epoch, fences: &[Fence]) -> Result<()> {
    let fences = fences.to_vec();
    // A drive that was away while another was told to retain longer is told with the next epoch that it takes part in.
    let known: Vec<Superblock> = superblocks.lock().values().cloned().collect();
    let enclosures = shared.hardware.roster().enclosures();
    write(shared, superblocks, move |superblock| {
        superblock.advance(epoch, &fences);
        for other in &known {
            superblock.retain_until = superblock.retain_until.max(other.retain_until);
            superblock.learn_drives(other);
        }
        // Journals of the epoch are placed by who sits where now: what was known before says nothing of them.
        superblock.enclosures = enclosures.unwrap_or(0);
    })
}

/// Has every drive in use know the profile of its pool as it is configured, where every journal stands on drives enough for
/// as many to be missing as that says: `copies` is the fewest that one has. Drives that can't take it go out of use.
///
/// # Errors
/// No drive is left.
pub fn adopt_profiles(shared: &Shared, superblocks: &Superblocks, copies: usize) -> Result<()> {
    let roster = shared.hardware.roster();
    let mut profiles: HashMap<u8, Profile> = roster.pools.iter().map(|pool| (pool.number, pool.profile)).collect();
    profiles.retain(|_, profile| usize::from(profile.parity) < copies);
    let is_told =
        |superblock: &Superblock| profiles.get(&superblock.pool).is_none_or(|held| *held == superblock.profile);
    if superblocks.lock().values().all(is_told) {
        return Ok(());
    }
    write(shared, superblocks, move |superblock| {
        superblock.profile = profiles.get(&superblock.pool).copied().unwrap_or(superblock.profile);
    })
}

/// Has every drive in use know which drives are in which enclosure, as they are configured, where every live journal is spread
/// over them: `is_spread`; else that this isn't known. The commit loop counts on it just as long. Drives that can't take it
/// go out of use.
///
/// # Errors
/// No drive is left.
pub fn adopt_enclosures(shared: &Shared, superblocks: &Superblocks, is_spread: bool) -> Result<()> {
    let roster = Roster::clone(&shared.hardware.roster());
    let digest = if is_spread { enclosure::digest(&roster.members) } else { 0 };
    let is_news = {
        let held = superblocks.lock();
        let mut told = roster.members.values().filter(|member| member.online()).map(|member| held.get(&member.number));
        told.any(|held| held.is_some_and(|superblock| superblock.enclosures != digest))
    };
    if is_news {
        write(shared, superblocks, move |superblock| superblock.enclosures = digest)?;
    }
    if roster.enclosures_count != (digest != 0) {
        // Not the roster as it was before: a drive may have gone out of use by the write.
        let roster = Roster::clone(&shared.hardware.roster());
        shared.hardware.reform(Roster { enclosures_count: digest != 0, ..roster });
    }
    Ok(())
}

/// Has every drive in use know that a drive is none of the appliance's any more, and which enclosures the others are in.
/// Drives that can't take it go out of use.
///
/// # Errors
/// No drive is left.
pub fn dismiss(shared: &Shared, superblocks: &Superblocks, number: DriveNumber, enclosures: Option<u64>) -> Result<()> {
    write(shared, superblocks, move |superblock| {
        superblock.enclosures = enclosures.unwrap_or(0);
        superblock.removed.push(number);
        superblock.removed.sort_unstable();
        superblock.removed.dedup();
    })
}

/// The time until which every drive in use is known to hold locked records, Unix nanoseconds.
#[must_use]
pub fn retained(hardware: &Hardware, superblocks: &Superblocks) -> i64 {
    let held = superblocks.lock();
    let online = hardware.online().into_iter();
    online.map(|member| held.get(&member.number).map_or(0, |superblock| superblock.retain_until)).min().unwrap_or(0)
}

/// Has every drive in use know that it holds records that are locked until then, Unix nanoseconds. Drives that can't
/// take it go out of use.
///
/// # Errors
/// No drive is left.
pub fn retain(shared: &Shared, superblocks: &Superblocks, until: i64) -> Result<()> {
    write(shared, superblocks, move |superblock| superblock.retain_until = superblock.retain_until.max(until))
}

/// Keeps the compliance clock's reading, as every write of superblocks does.
///
/// # Errors
/// No drive is left.
pub fn keep_time(shared: &Shared, superblocks: &Superblocks) -> Result<()> {
    write(shared, superblocks, |_| {})
}

fn write(
    shared: &Shared,
    superblocks: &Superblocks,
    change: impl Fn(&mut Superblock) + Clone + Send + 'static,
) -> Result<()> {
    let hardware = &shared.hardware;
    let reading = shared.compliance.reading();
    let online = hardware.online();
    let jobs = online.iter().map(|member| -> Job {
        let (member, superblocks, change) = (member.clone(), superblocks.clone(), change.clone());
        Box::new(move || {
            let held = superblocks.lock().get(&member.number).cloned();
            let mut superblock = held.ok_or_else(|| io::Error::other("no superblock"))?;
            change(&mut superblock);
            superblock.clock = Some(reading);
            superblock.store(&*member.drive)?;
            // Where this took too long, the drive may be another member by now.
            let mut held = superblocks.lock();
            if member.online() {
                held.insert(member.number, superblock);
            }
            Ok(())
        })
    });
    let results = hardware.executor.run(jobs.collect(), hardware.timeout);
    for (member, result) in online.iter().zip(results) {
        if let Err(error) = result {
            member.retire(DriveState::Failed, format!("superblock: {error}"));
        }
    }
    if online.iter().any(|member| member.online()) {
        Ok(())
    } else {
        Err(Error::Unavailable("no drive is left".into()))
    }
}
