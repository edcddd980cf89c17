//! A drive that is to be taken in while the node runs: examined here, off the commit loop, which alone admits it.
//!
//! Until [`Op::Admit`](crate::commit::Op::Admit) is committed the drive is no member, so nothing else touches it. `docs/healing.md`
//! has the steps and what a crash leaves after each.

use std::io;
use std::sync::Arc;

use super::epochs::Begun;
use super::returned::sweep_drive;
use super::{RecoveryError, RecoveryResult};
use crate::commit::Shared;
use crate::drive::{Drive, Member, Superblock, TimedDrive};
use crate::journal::{merge, spare};
use crate::segment::Home;

/// A drive that was examined, as it wants to be admitted.
#[derive(Clone, Debug)]
pub struct Admission {
    pub member: Arc<Member>,
    pub superblock: Superblock,
    /// First batches of the journals that it came with: they tell whether it took writes without the others.
    pub begun: Vec<Begun>,
}

/// Examines a drive of this appliance that is not in use, and takes from it what nobody needs. Blocks.
///
/// # Errors
/// The drive does not answer, belongs elsewhere, or is one that is in use.
pub fn examine(shared: &Shared, drive: Arc<dyn Drive>) -> RecoveryResult<Admission> {
    let hardware = &shared.hardware;
    let timed = TimedDrive::new(drive, hardware.executor.clone(), hardware.timeout);
    let path = timed.path().to_owned();
    let operator = |what: String| RecoveryError::Operator(format!("{path}: {what}"));
    let Some(superblock) = timed.superblock()? else {
        return Err(operator("has no superblock: `packstone drive replace` or `add` takes an empty drive in".into()));
    };
    if superblock.appliance != hardware.appliance {
        return Err(operator(format!("belongs to appliance {:032x}: take it out", superblock.appliance)));
    }
    let number = superblock.number;
    if hardware.in_use(number).is_some() {
        return Err(operator(format!("drive {number} is in use already: one of the two is a copy")));
    }
    let pool = hardware.roster().pools.iter().find(|pool| pool.name == superblock.pool_name).cloned();
    let Some(pool) = pool.filter(|pool| pool.profile == superblock.profile) else {
        return Err(operator(format!("was initialised for pool {:?}, which is another here", superblock.pool_name)));
    };
    let member = Arc::new(Member::new(number, superblock.drive, superblock.class, pool.number, timed));
    spare::clean(&*member.drive)?;
    let begun = read_journals(&member, hardware.appliance)?;
    // Its journals are void or complete elsewhere, and a crash may have cut them short: none is ever read from it.
    let segment_of = |id| match shared.table.get(id) {
        Some(Home::Segment(segment)) => Some(segment.info.clone()),
        _ => None,
    };
    sweep_drive(&member, &segment_of, &|_| false)?;
    Ok(Admission { member, superblock, begun })
}

fn read_journals(member: &Arc<Member>, appliance: u128) -> io::Result<Vec<Begun>> {
    let found = merge::find(member, appliance)?;
    let begun = found.iter().filter_map(|copy| {
        let first_lsn = merge::first_lsn(copy)?;
        Some(Begun { drive: member.number, epoch: copy.header.epoch, first_lsn })
    });
    Ok(begun.collect())
}
