//! A drive that is to be taken in while the node runs: examined here, off the commit loop, which alone admits it.
//!
//! Until [`Op::Admit`](crate::commit::Op::Admit) is committed nothing on the drive is changed but the file of its superblock: what
//! else is there may be all that is left of something. `docs/drives.md` has the steps and what a crash leaves after each.

use std::io;
use std::sync::Arc;

use super::epochs::Begun;
use super::returned::sweep_drive;
use super::{RecoveryError, RecoveryResult};
use crate::commit::Shared;
use crate::drive::{Drive, Member, Superblock, TimedDrive};
use crate::journal::merge;
use crate::segment::Home;

/// A drive that was examined, as it wants to be admitted.
#[derive(Clone, Debug)]
pub struct Admission {
    pub member: Arc<Member>,
    pub superblock: Superblock,
    /// First batches of the journals that it came with: they tell whether it took writes without the others.
    pub begun: Vec<Begun>,
}

/// Examines a drive of this appliance that is not in use. Its superblock gets another file, so that calls which still hang in the
/// drive from before can't write into it. Blocks.
///
/// # Errors
/// The drive does not answer, belongs elsewhere, or is one that is in use; [`io::ErrorKind::NotFound`] where there is none.
pub fn examine(shared: &Shared, drive: Arc<dyn Drive>, enclosure: Option<Arc<str>>) -> RecoveryResult<Admission> {
    let hardware = &shared.hardware;
    let timed = TimedDrive::new(drive, hardware.executor.clone(), hardware.timeout);
    let path = timed.path().to_owned();
    let operator = |what: String| RecoveryError::Operator(format!("{path}: {what}"));
    let Some(superblock) = timed.superblock()? else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no superblock").into());
    };
    if superblock.appliance != hardware.appliance {
        return Err(operator(format!("belongs to appliance {:032x}: take it out", superblock.appliance)));
    }
    let number = superblock.number;
    if hardware.in_use(number).is_some() {
        return Err(operator(format!("drive {number} is in use already: one of the two is a copy")));
    }
    let pool = hardware.roster().pools.iter().find(|pool| pool.name == superblock.pool_name).cloned();
    let Some(pool) = pool else {
        return Err(operator(format!(
            "was initialised for pool {:?}, which isn't there: a restart takes it in where the configuration names it",
            superblock.pool_name
        )));
    };
    let member = Member::new(number, superblock.drive, superblock.class, pool.number, timed).in_enclosure(enclosure);
    let member = Arc::new(member);
    let begun = read_journals(&member, hardware.appliance)?;
    superblock.store_anew(&*member.drive)?;
    Ok(Admission { member, superblock, begun })
}

/// Removes from a drive that was admitted what is left of segments and journals that are no more: of what was begun before `first`,
/// the file id that was free then. Whether that was all: journals stay until they are sealed. Blocks.
///
/// # Errors
/// The drive's.
pub fn clear_leftovers(shared: &Shared, member: &Member, first: u64) -> io::Result<bool> {
    let unsealed = |id| matches!(shared.table.get(id), Some(Home::Journal(_)));
    // A shard that stands elsewhere by the table may be about to be placed here: the next start removes those.
    let is_there = |id| shared.table.get(id).is_some();
    // What has another name is being made now.
    let is_kept = |shard: Option<(u64, usize)>| shard.is_none_or(|(id, _)| id >= first || is_there(id));
    sweep_drive(member, &is_kept, &|journal| journal.is_none_or(|id| id >= first || unsealed(id)))?;
    let table = shared.table.all();
    Ok(!table.iter().any(|(id, home)| *id < first && matches!(home, Home::Journal(_))))
}

fn read_journals(member: &Arc<Member>, appliance: u128) -> io::Result<Vec<Begun>> {
    let found = merge::find(member, appliance)?;
    let begun = found.iter().filter_map(|copy| {
        let first_lsn = merge::first_lsn(copy)?;
        Some(Begun { drive: member.number, epoch: copy.header.epoch, first_lsn })
    });
    Ok(begun.collect())
}
