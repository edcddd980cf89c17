//! An empty drive in the place of one that is gone: it gets the number of the missing one, and no epoch. The next start finds
//! it stale, takes it in, and heals it.

use std::path::Path;
use std::sync::Arc;

use crate::data_lock::DataLock;
use crate::drive::{DirectoryDrive, DriveNumber, DriveState, Executor, Member, Superblock, Threads};
use crate::initialisation::{Identity, Membership, expect_empty, format};
use crate::intake::{Opener, candidates, open_directory};
use crate::recovery::drives::{Inventory, take_inventory};
use crate::recovery::{RecoveryError, RecoveryResult};
use crate::store::Settings;

/// Gives the empty directory at `path` the place of the drive that is configured there, with the store closed; the number
/// that it has now.
///
/// # Errors
/// No drive is configured there, the one that is answers, or the directory isn't there or isn't empty.
pub fn replace_drive(settings: &Settings, path: &Path) -> RecoveryResult<DriveNumber> {
    let Some(pool) = settings.pools.iter().find(|pool| pool.drives.iter().any(|drive| drive == path)) else {
        return Err(operator(path, "is configured for no pool: name it in the configuration, in the old one's place"));
    };
    let executor: Arc<dyn Executor> = Arc::new(Threads::default());
    let _lock = DataLock::take(settings, &executor)?;
    let opener: Arc<Opener> = Arc::new(open_directory);
    let drives = candidates(settings, &executor, &opener);
    let inventory = take_inventory(&settings.pools, drives, &executor, settings.io_timeout)?;
    let member = missing(&inventory, path)?;
    expect_empty(path)?;
    // The others know until when drives must be kept, and the compliance clock.
    let others: Vec<Superblock> = inventory.superblocks.values().cloned().collect();
    let Some(own) = Identity::joining(&others, Some(member.number)) else {
        return Err(operator(
            path,
            "can't be made a drive before the others were opened by this release: start the node",
        ));
    };
    format(&DirectoryDrive::open(path)?, Membership::configured(member.pool, pool), own)?;
    Ok(member.number)
}

/// The member that is configured at `path`, and missing.
fn missing(inventory: &Inventory, path: &Path) -> RecoveryResult<Arc<Member>> {
    let at = path.display().to_string();
    match inventory.members.values().find(|member| member.drive.path() == at) {
        Some(member) if member.state() == DriveState::Missing => Ok(member.clone()),
        Some(member) => {
            let known =
                inventory.superblocks.get(&member.number).map_or(0, |superblock: &Superblock| superblock.number);
            Err(operator(
                path,
                &format!("holds drive {known} of this appliance, which answers: there is nothing to replace"),
            ))
        }
        None => Err(operator(path, "has no place left: the appliance has fewer drives than are configured")),
    }
}

fn operator(path: &Path, what: &str) -> RecoveryError {
    RecoveryError::Operator(format!("{} {what}", path.display()))
}
