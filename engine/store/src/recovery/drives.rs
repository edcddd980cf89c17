//! Which drives are there, whose they are, and which may be trusted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::epochs::{self, Begun};
use super::{RecoveryError, RecoveryResult};
use crate::drive::{Drive, DriveNumber, DriveState, Executor, Member, Places, Superblock, TimedDrive, within};
use crate::enclosure;
use crate::epoch::{Epoch, Fence};
use crate::journal;
use crate::node::Hardware;
use crate::placement::StorageClass;
use crate::pool::{DriveClass, Pool, Profile};

/// A pool as it is configured.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    pub name: String,
    pub class: DriveClass,
    pub profile: Profile,
    pub drives: Vec<PathBuf>,
    /// Whose records belong to it; what no pool names goes by the drives.
    pub storage_classes: Vec<StorageClass>,
}

impl PoolSettings {
    /// One that no storage class names.
    #[must_use]
    pub fn new(name: &str, class: DriveClass, profile: Profile, drives: Vec<PathBuf>) -> Self {
        Self { name: name.to_owned(), class, profile, drives, storage_classes: Vec::new() }
    }

    /// The pool of these settings.
    #[must_use]
    pub fn pool(&self, number: u8, members: Vec<Arc<Member>>) -> Pool {
        Pool {
            number,
            name: self.name.clone(),
            class: self.class,
            profile: self.profile,
            storage_classes: self.storage_classes.clone(),
            members,
        }
    }
}

/// A drive that is configured, opened if it is there.
#[derive(Debug)]
pub struct Candidate {
    pub path: String,
    pub pool: u8,
    pub enclosure: Option<Arc<str>>,
    pub drive: std::io::Result<Arc<dyn Drive>>,
}

#[derive(Debug)]
pub struct Inventory {
    pub appliance: u128,
    /// By number: what is done on all drives is done in their order.
    pub members: BTreeMap<DriveNumber, Arc<Member>>,
    pub superblocks: HashMap<DriveNumber, Superblock>,
    pub pools: Vec<Arc<Pool>>,
    /// How many drives the appliance has, whether or not they are configured.
    pub drives: usize,
    /// The epoch in effect, once [`Inventory::retire_stale`] has found it out; `None` where none ever was.
    pub effective: Option<Epoch>,
    /// Fences that hold, likewise.
    pub fences: Vec<Fence>,
    /// Where drives stood, as they remember it.
    pub places: Places,
}

fn operator(text: String) -> RecoveryError {
    RecoveryError::Operator(text)
}

/// Reads all superblocks and sorts the drives into members. One that does not answer in time counts as not there.
///
/// # Errors
/// Drives that don't belong together, or too many that are not there.
pub fn take_inventory(
    pools: &[PoolSettings],
    candidates: Vec<Candidate>,
    executor: &Arc<dyn Executor>,
    timeout: Duration,
) -> RecoveryResult<Inventory> {
    let enclosures: HashMap<String, Option<Arc<str>>> =
        candidates.iter().map(|held| (held.path.clone(), held.enclosure.clone())).collect();
    let enclosure_of = |path: &str| enclosures.get(path).cloned().flatten();
    let mut seen: Vec<(String, u8, Superblock, Arc<dyn Drive>)> = Vec::new();
    let mut absent: Vec<(String, u8, String)> = Vec::new();
    let mut empty: Vec<(String, u8, String)> = Vec::new();
    for Candidate { path, pool, drive, .. } in candidates {
        let load =
            |drive: Arc<dyn Drive>| within(&**executor, timeout, move || Ok((Superblock::load(&*drive)?, drive)));
        match drive.and_then(load) {
            Ok((Some(superblock), drive)) => seen.push((path, pool, superblock, drive)),
            Ok((None, _)) => {
                empty.push((path, pool, "no superblock: the drive is empty or was never initialised".into()))
            }
            // A newer format must be told, whatever parity could do without the drive.
            Err(error) if is_newer(&error) => return Err(operator(format!("{path}: {error}"))),
            Err(error) => absent.push((path, pool, error.to_string())),
        }
    }
    // Where fewer numbers are free than drives are absent, an empty directory is most likely one that was never added.
    absent.append(&mut empty);
    let appliance = one_appliance(&seen)?;
    distinct(&seen)?;
    let mut known = Roll::default();
    seen.iter().for_each(|(_, _, superblock, _)| known.learn(superblock));
    seen.retain(|(path, _, superblock, _)| {
        let stays = !known.removed.contains(&superblock.number);
        if !stays {
            tracing::warn!(path, "the drive was removed from the appliance: take it out of the configuration");
        }
        stays
    });
    let numbers = number_pools(pools, seen.iter().map(|(_, _, superblock, _)| superblock))?;
    let number_of = |pool: u8| numbers.get(usize::from(pool)).copied().flatten();
    let remembered = |drive: &Arc<dyn Drive>| {
        let drive = drive.clone();
        within(&**executor, timeout, move || Ok(Places::load(&*drive))).unwrap_or_default()
    };
    let places = seen.iter().map(|(.., drive)| remembered(drive)).max_by_key(|places| places.epoch).unwrap_or_default();
    let timed = |drive| TimedDrive::new(drive, executor.clone(), timeout);
    let mut members = BTreeMap::new();
    let mut superblocks = HashMap::new();
    for (path, pool, superblock, drive) in seen {
        check_pool(&path, pool, &superblock, pools)?;
        let Some(number) = number_of(pool) else { continue };
        let member = Member::new(superblock.number, superblock.drive, superblock.class, number, timed(drive))
            .in_enclosure(enclosure_of(&path));
        members.insert(superblock.number, Arc::new(member));
        superblocks.insert(superblock.number, superblock);
    }
    // Numbers of drives are free for those of pools that are known: another's may not take part in how many may be missing.
    let absent = absent.into_iter().filter_map(|(path, pool, reason)| {
        let class = pools.get(usize::from(pool)).map_or(DriveClass::Ssd, |settings| settings.class);
        Some((path, number_of(pool)?, class, reason))
    });
    let missing = |number, path: String, pool, class| {
        let enclosure = enclosure_of(&path);
        Member::new(number, 0, class, pool, timed(Arc::new(Absent(path)))).in_enclosure(enclosure)
    };
    add_absent(&mut members, absent, (&known, &places), &missing);
    let mut made = Vec::new();
    for (settings, number) in pools.iter().zip(numbers) {
        match number {
            Some(number) => made.push(Arc::new(assemble(number, settings, &members))),
            None => tracing::warn!(
                pool = settings.name,
                "no drive of it is there: `packstone pool create {}` makes it of empty ones",
                settings.name
            ),
        }
    }
    let pools = made;
    Ok(Inventory {
        appliance,
        members,
        superblocks,
        pools,
        drives: known.count(),
        effective: None,
        fences: Vec::new(),
        places,
    })
}

/// Which numbers drives have, by all superblocks together.
#[derive(Debug, Default)]
struct Roll {
    given: u16,
    removed: BTreeSet<DriveNumber>,
    /// The highest epoch of any.
    epoch: u64,
}

impl Roll {
    fn learn(&mut self, superblock: &Superblock) {
        self.given = self.given.max(superblock.drives);
        // A removal that only a drive was told of which is away since then may not have come to pass.
        if superblock.epoch.number > self.epoch {
            self.epoch = superblock.epoch.number;
            self.removed.clear();
        }
        if superblock.epoch.number == self.epoch {
            self.removed.extend(&superblock.removed);
        }
    }

    fn count(&self) -> usize {
        usize::from(self.given).saturating_sub(self.removed.len())
    }
}

/// Whether a drive failed to be read because a newer release wrote it.
pub(super) fn is_newer(error: &std::io::Error) -> bool {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<crate::codec::DecodeError>())
        .is_some_and(|inner| matches!(inner, crate::codec::DecodeError::Newer(..)))
}

type Seen = (String, u8, Superblock, Arc<dyn Drive>);

fn one_appliance(seen: &[Seen]) -> RecoveryResult<u128> {
    let Some((first_path, _, first, _)) = seen.first() else {
        return Err(operator(
            "no drive has a superblock: run `packstone init` first, or check that the drives are mounted".into(),
        ));
    };
    for (path, _, superblock, _) in seen {
        if superblock.appliance != first.appliance {
            return Err(operator(format!(
                "{path} belongs to appliance {:032x} and {first_path} to {:032x}: take the foreign drive out",
                superblock.appliance, first.appliance
            )));
        }
    }
    Ok(first.appliance)
}

fn distinct(seen: &[Seen]) -> RecoveryResult<()> {
    let mut paths: HashMap<u128, &str> = HashMap::new();
    let mut numbers: HashMap<DriveNumber, &str> = HashMap::new();
    for (path, _, superblock, _) in seen {
        let twin = paths.insert(superblock.drive, path).or(numbers.insert(superblock.number, path));
        if let Some(twin) = twin {
            return Err(operator(format!("{path} and {twin} are the same drive: one is a copy, take it out")));
        }
    }
    Ok(())
}

fn check_pool(path: &str, pool: u8, superblock: &Superblock, pools: &[PoolSettings]) -> RecoveryResult<()> {
    let configured = pools.get(usize::from(pool));
    match configured {
        Some(settings) if settings.name == superblock.pool_name => Ok(()),
        Some(settings) => Err(operator(format!(
            "{path} was initialised for pool {:?} and is configured for {:?}: correct the configuration",
            superblock.pool_name, settings.name
        ))),
        None => Err(operator(format!("{path} is configured for no pool"))),
    }
}

/// The number of each configured pool: as its drives have it, since segments name it by that, whatever the order in the
/// configuration. `None` for one that no drive tells of: it was never made, or all its drives are missing.
fn number_pools<'a>(
    pools: &[PoolSettings],
    seen: impl Iterator<Item = &'a Superblock>,
) -> RecoveryResult<Vec<Option<u8>>> {
    let mut told: HashMap<&str, u8> = HashMap::new();
    for superblock in seen {
        let name = superblock.pool_name.as_str();
        let other = told.iter().find(|(held, number)| (**held == name) != (**number == superblock.pool));
        if let Some((other, number)) = other {
            return Err(operator(format!(
                "drive {} says that pool {name:?} has number {}, and others that {other:?} has {number}: take it out",
                superblock.number, superblock.pool
            )));
        }
        told.insert(name, superblock.pool);
    }
    Ok(pools.iter().map(|pool| told.get(pool.name.as_str()).copied()).collect())
}

/// Drives that are not there still count. Each has the number of the one that stood at its path. Where nobody remembers one,
/// it gets one that no superblock names, in order: any but those that are remembered for another pool.
fn add_absent(
    members: &mut BTreeMap<DriveNumber, Arc<Member>>,
    absent: impl Iterator<Item = (String, u8, DriveClass, String)>,
    (known, places): (&Roll, &Places),
    missing: &dyn Fn(DriveNumber, String, u8, DriveClass) -> Member,
) {
    let mut free: BTreeSet<DriveNumber> =
        (0..known.given).filter(|number| !members.contains_key(number) && !known.removed.contains(number)).collect();
    let mut add = |number, path: String, pool, class, reason| {
        let member = missing(number, path, pool, class);
        member.retire(DriveState::Missing, reason);
        members.insert(number, Arc::new(member));
    };
    let mut unknown = Vec::new();
    for (path, pool, class, reason) in absent {
        match places.at(pool, &path).filter(|number| free.remove(number)) {
            Some(number) => add(number, path, pool, class, reason),
            None => unknown.push((path, pool, class, reason)),
        }
    }
    for (path, pool, class, reason) in unknown {
        let fits = |number: &&DriveNumber| places.drives.get(*number).is_none_or(|place| place.pool == pool);
        let Some(number) = free.iter().find(fits).copied() else {
            tracing::warn!(path, "no drive of the appliance: take it in by `packstone drive add`");
            continue;
        };
        free.remove(&number);
        add(number, path, pool, class, reason);
    }
}

/// A drive that isn't there, at the path of `other` and no longer where it was `before`.
#[must_use]
pub fn absent(before: &Member, other: &Member, hardware: &Hardware) -> Arc<Member> {
    let path = Arc::new(Absent(other.drive.path().to_owned()));
    let drive = TimedDrive::new(path, hardware.executor.clone(), hardware.timeout);
    let member =
        Member::new(before.number, before.uuid, before.class, before.pool, drive).in_enclosure(other.enclosure.clone());
    member.retire(DriveState::Missing, before.reason());
    member.set_leaving(before.is_leaving());
    Arc::new(member)
}

fn assemble(number: u8, settings: &PoolSettings, members: &BTreeMap<DriveNumber, Arc<Member>>) -> Pool {
    let mut own: Vec<_> = members.values().filter(|member| member.pool == number).cloned().collect();
    own.sort_by_key(|member| member.number);
    settings.pool(number, own)
}

impl Inventory {
    /// Leaves out the drives that missed the epoch in effect, and finds the fences that hold.
    ///
    /// # Errors
    /// Drives that took writes without each other.
    pub fn retire_stale(&mut self, found: &[journal::merge::Found]) -> RecoveryResult<()> {
        let begun: Vec<Begun> = found
            .iter()
            .filter_map(|copy| {
                let first_lsn = journal::merge::first_lsn(copy)?;
                Some(Begun { drive: copy.member.number, epoch: copy.header.epoch, first_lsn })
            })
            .collect();
        let verdict = epochs::judge(&self.superblocks, &begun);
        if let Some(apart) = verdict.apart {
            let path = self.members.get(&apart.drive).map_or("a drive", |member| member.drive.path());
            return Err(operator(format!(
                "{path} and other drives took writes without each other: take those out whose writes are to be given up"
            )));
        }
        for number in &verdict.stale {
            let (Some(member), Some(superblock)) = (self.members.get(number), self.superblocks.get(number)) else {
                continue;
            };
            let others = verdict.effective.unwrap_or_default();
            let reason = format!("it was away: it knows epoch {} and not {others}", superblock.epoch);
            member.retire(DriveState::Stale, reason);
        }
        self.effective = verdict.effective;
        self.fences = verdict.fences;
        Ok(())
    }

    /// How many drives are in use.
    #[must_use]
    pub fn online(&self) -> usize {
        self.members.values().filter(|member| member.online()).count()
    }

    /// The parity that the journals which are there may count on: where the pool's profile is another one than before, they
    /// were written by either.
    fn sure_parity(&self, pool: &Pool) -> u8 {
        let told = self.superblocks.values().filter(|superblock| superblock.pool == pool.number);
        told.map(|superblock| superblock.profile.parity).fold(pool.profile.parity, u8::min)
    }

    /// Whether every journal is known to stand in two domains at least, by who sits where now. Drives that aren't configured sit
    /// anywhere.
    #[must_use]
    pub fn enclosures_count(&self) -> bool {
        let digest = enclosure::digest(&self.members);
        let online = self.members.values().filter(|member| member.online());
        let told = online.filter_map(|member| self.superblocks.get(&member.number));
        // What a drive was told that has missed an epoch says nothing of that epoch's journals, seen or not.
        let newest = told.clone().map(|held| held.epoch.number).max();
        let mut newest = told.filter(|held| Some(held.epoch.number) == newest);
        digest != 0 && self.drives <= self.members.len() && newest.any(|held| held.enclosures == digest)
    }

    /// # Errors
    /// So many drives are out of use that a journal could be missing unseen.
    pub fn check_quorum(&self) -> RecoveryResult<()> {
        let most = self.pools.iter().map(|pool| usize::from(self.sure_parity(pool))).max().unwrap_or(0);
        let out: Vec<String> = self
            .members
            .values()
            .filter(|member| !member.online())
            .map(|member| format!("{} ({})", member.drive.path(), member.reason()))
            .collect();
        let nameless = self.drives.saturating_sub(self.members.len());
        let is_enclosure = || {
            // Drives that were told of a larger parity may have been that many, and missing, when a journal was placed.
            let told = self.superblocks.values().map(|held| usize::from(held.profile.parity)).max().unwrap_or(0);
            let configured = self.pools.iter().map(|pool| usize::from(pool.profile.parity)).max().unwrap_or(0);
            self.enclosures_count() && enclosure::is_one_that_may_go(&self.members, told.max(configured))
        };
        if out.len() + nameless > most && !is_enclosure() {
            let unnamed =
                if nameless > 0 { format!("; {nameless} of its drives are not configured") } else { String::new() };
            return Err(operator(format!(
                "{} of the appliance's {} drives are out of use and at most {most} may be: {}{unnamed}. \
                 Bring one back and start again",
                out.len() + nameless,
                self.drives,
                out.join(", ")
            )));
        }
        Ok(())
    }
}

/// Stands for a drive that is not there.
#[derive(Debug)]
struct Absent(String);

impl Absent {
    fn gone<T>() -> std::io::Result<T> {
        Err(std::io::Error::from(std::io::ErrorKind::NotFound))
    }
}

impl Drive for Absent {
    fn path(&self) -> &str {
        &self.0
    }
    fn create(&self, _: &str) -> std::io::Result<Arc<dyn crate::drive::DriveFile>> {
        Self::gone()
    }
    fn open(&self, _: &str) -> std::io::Result<Arc<dyn crate::drive::DriveFile>> {
        Self::gone()
    }
    fn list(&self, _: &str) -> std::io::Result<Vec<String>> {
        Self::gone()
    }
    fn create_directory(&self, _: &str) -> std::io::Result<()> {
        Self::gone()
    }
    fn rename(&self, _: &str, _: &str) -> std::io::Result<()> {
        Self::gone()
    }
    fn remove(&self, _: &str) -> std::io::Result<()> {
        Self::gone()
    }
    fn sync_directory(&self, _: &str) -> std::io::Result<()> {
        Self::gone()
    }
    fn space(&self) -> std::io::Result<crate::drive::Space> {
        Self::gone()
    }
}
