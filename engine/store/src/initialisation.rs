//! Making drives an appliance's: superblocks on empty ones.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::compliance::{Clock, MachineClock, Reading};
use crate::drive::{DirectoryDrive, Drive, DriveNumber, Executor, Superblock, Threads, superblock, within};
use crate::epoch::Epoch;
use crate::intake::{Opener, candidates, open_directory};
use crate::pool::{DriveClass, Pool, Profile};
use crate::recovery::drives::PoolSettings;
use crate::recovery::{RecoveryError, RecoveryResult};
use crate::shortage::MOST_POOLS;
use crate::store::Settings;
use crate::time::to_seconds;
use crate::{journal, segment};

/// Whether any of the drives carries a superblock.
#[must_use]
pub fn is_initialised(settings: &Settings) -> bool {
    let executor: Arc<dyn Executor> = Arc::new(Threads::default());
    let opener: Arc<Opener> = Arc::new(open_directory);
    candidates(settings, &executor, &opener).into_iter().any(|candidate| {
        candidate
            .drive
            .is_ok_and(|drive| within(&*executor, settings.io_timeout, move || drive.open(superblock::PATH)).is_ok())
    })
}

/// Writes superblocks to empty drives, whose directories are made where they are missing. The compliance clock begins at
/// the machine's time, which the caller has had confirmed. Returns the appliance's id.
///
/// # Errors
/// A drive that isn't empty or holds what is locked, a profile that the drives can't meet, no parity without
/// `allow_no_parity`, or a machine's clock that can't be right.
pub fn initialise(settings: &Settings, allow_no_parity: bool) -> RecoveryResult<u128> {
    check_pools(&settings.pools, allow_no_parity)?;
    let machine: Arc<dyn Clock> = Arc::new(MachineClock::new()?);
    let reading = Reading::begin(machine.moment())?;
    for path in settings.pools.iter().flat_map(|pool| &pool.drives) {
        fs::create_dir_all(path).map_err(|error| RecoveryError::Operator(format!("{}: {error}", path.display())))?;
        let foreign = fs::read_dir(path)?.filter_map(Result::ok).map(|entry| entry.file_name());
        if let Some(name) = foreign.into_iter().find(|name| name != "lost+found") {
            refuse_locked(path, &machine)?;
            let what = if name == superblock::PATH { "belongs to an appliance already" } else { "is not empty" };
            return Err(RecoveryError::Operator(format!(
                "{} {what}: choose another drive, or empty it",
                path.display()
            )));
        }
    }
    let appliance = random_id()?;
    let drives = settings.pools.iter().map(|pool| pool.drives.len()).sum::<usize>();
    let drives = u16::try_from(drives).map_err(|_| RecoveryError::Operator("there are too many drives".into()))?;
    let mut number = 0;
    for (pool, place) in settings.pools.iter().zip(0..) {
        for path in &pool.drives {
            let drive = DirectoryDrive::open(path)?;
            let own =
                Identity { appliance, number, drives, removed: Vec::new(), enclosures: 0, reading, retain_until: 0 };
            format(&drive, Membership::configured(place, pool), own)?;
            number += 1;
        }
    }
    Ok(appliance)
}

/// Refuses a drive that holds records which are still locked, by the appliance's own clock: what the machine's was set
/// to counts no more than it does while the appliance runs.
fn refuse_locked(path: &Path, machine: &Arc<dyn Clock>) -> RecoveryResult<()> {
    // One that can't be read is refused as it is.
    let Ok(Some(superblock)) = Superblock::load(&DirectoryDrive::open(path)?) else { return Ok(()) };
    let until = superblock.retain_until;
    let now = superblock.clock.map_or(i64::MIN, |reading| reading.at(machine.moment()).time);
    if until == 0 || until <= now {
        return Ok(());
    }
    let what = match OffsetDateTime::from_unix_timestamp(to_seconds(until)) {
        Ok(end) if until < i64::MAX => format!("are locked until {}", end.date()),
        _ => "are under legal hold or locked for ever".into(),
    };
    Err(RecoveryError::Operator(format!("{} holds records that {what}: it can't be initialised", path.display())))
}

/// What tells a new drive from the others.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub appliance: u128,
    pub number: DriveNumber,
    /// How many numbers are given out.
    pub drives: u16,
    /// Of these, whose drives were removed.
    pub removed: Vec<DriveNumber>,
    /// Which drives are in which enclosure, by a digest.
    pub enclosures: u64,
    /// Where the compliance clock begins.
    pub reading: Reading,
    /// Until when the appliance's drives must be kept, Unix nanoseconds.
    pub retain_until: i64,
}

impl Identity {
    /// A drive that joins others, as one more where it has no `number` yet; `None` where these know no compliance clock.
    pub fn joining(others: &[Superblock], number: Option<DriveNumber>) -> Option<Self> {
        let mut known = others.first()?.clone();
        others.iter().for_each(|other| known.learn_drives(other));
        let number = number.unwrap_or(known.drives);
        Some(Self {
            appliance: known.appliance,
            number,
            drives: known.drives.max(number + 1),
            removed: known.removed,
            enclosures: known.enclosures,
            reading: others.iter().filter_map(|other| other.clock).max_by_key(|reading| reading.time)?,
            retain_until: others.iter().map(|other| other.retain_until).max().unwrap_or(0),
        })
    }
}

/// The pool that a drive is formatted for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership<'a> {
    pool: u8,
    name: &'a str,
    class: DriveClass,
    profile: Profile,
}

impl<'a> Membership<'a> {
    pub fn of(pool: &'a Pool) -> Self {
        Self { pool: pool.number, name: &pool.name, class: pool.class, profile: pool.profile }
    }

    pub fn configured(pool: u8, settings: &'a PoolSettings) -> Self {
        Self { pool, name: &settings.name, class: settings.class, profile: settings.profile }
    }
}

/// Gives a drive its directories and superblock.
pub(crate) fn format(drive: &dyn Drive, membership: Membership<'_>, own: Identity) -> RecoveryResult<()> {
    drive.create_directory(journal::DIRECTORY)?;
    drive.create_directory(segment::DIRECTORY)?;
    let mut superblock = Superblock {
        appliance: own.appliance,
        drive: random_id()?,
        number: own.number,
        drives: own.drives,
        removed: own.removed,
        pool: membership.pool,
        pool_name: membership.name.to_owned(),
        class: membership.class,
        profile: membership.profile,
        enclosures: own.enclosures,
        epoch: Epoch::default(),
        fences: Vec::new(),
        retain_until: own.retain_until,
        formatted: own.reading.time,
        clock: Some(own.reading),
        change: 0,
    };
    Ok(superblock.store(drive)?)
}

/// Refuses a directory that holds anything but what formatting a drive leaves empty.
pub(crate) fn expect_empty(path: &Path) -> RecoveryResult<()> {
    let operator = |what: String| RecoveryError::Operator(format!("{} {what}", path.display()));
    let entries = |path: &Path| fs::read_dir(path).map_err(|error| operator(format!("can't be read: {error}")));
    for entry in entries(path)? {
        let name = entry?.file_name();
        let is_bare = [journal::DIRECTORY, segment::DIRECTORY].iter().any(|own| name == *own)
            && entries(&path.join(&name))?.next().is_none();
        if name != "lost+found" && !is_bare {
            return Err(operator("is not empty: only an empty drive is taken in".into()));
        }
    }
    Ok(())
}

fn random_id() -> RecoveryResult<u128> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| RecoveryError::Operator(error.to_string()))?;
    Ok(u128::from_le_bytes(id))
}

/// # Errors
/// A pool whose profile can't be, or has too few drives.
pub fn check_pools(pools: &[PoolSettings], allow_no_parity: bool) -> RecoveryResult<()> {
    let wrong = |text: String| Err(RecoveryError::Operator(text));
    if pools.is_empty() {
        return wrong("no pool is configured: name at least one, with its drives".into());
    }
    if pools.len() > MOST_POOLS {
        return wrong(format!("{} pools are configured, and {MOST_POOLS} is the most", pools.len()));
    }
    for pool in pools {
        let profile = pool.profile;
        if !(1..=16).contains(&profile.data) || profile.parity > 8 {
            return wrong(format!("pool {:?}: profile {profile} can't be: k is 1 to 16, m is 0 to 8", pool.name));
        }
        let shared = pools.iter().filter(|other| other.name != pool.name);
        let mut shared = shared.flat_map(|other| &other.storage_classes);
        if let Some(class) = shared.find(|class| pool.storage_classes.contains(class)) {
            return wrong(format!("two pools are for storage class {}: name it in one", class.name()));
        }
        if profile.parity == 0 && !allow_no_parity {
            return wrong(format!(
                "pool {:?}: profile {profile} survives the loss of no drive: say --allow-no-parity if you mean it",
                pool.name
            ));
        }
        if pool.drives.len() < profile.shards() {
            return wrong(format!(
                "pool {:?}: profile {profile} needs {} drives and has {}",
                pool.name,
                profile.shards(),
                pool.drives.len()
            ));
        }
    }
    Ok(())
}
