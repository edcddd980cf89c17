//! Drives that an operator adds, replaces, has emptied and removes while the store is open; `docs/drives.md` has the states.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use packstone_access::{Action, Grant};

use crate::commit::{Op, Shared};
use crate::drive::{Drive, DriveNumber, Job, Member, Place, Superblock, TimedDrive, places, within};
use crate::error::Error;
use crate::index::{IndexResult, Space, keys};
use crate::initialisation::{Identity, Membership, check_pools, expect_empty, format};
use crate::object::Replaces;
use crate::pool::Pool;
use crate::recovery::drives::PoolSettings;
use crate::recovery::returned::clear_drive;
use crate::recovery::{RecoveryError, RecoveryResult};
use crate::segment::Home;
use crate::shortage::MOST_POOLS;
use crate::store::Store;

/// The kind of the document that says that a drive is to be emptied; its name is the drive's number.
pub(crate) const LEAVING: &str = "drive-leaving";

fn operator(path: &Path, what: &str) -> RecoveryError {
    RecoveryError::Operator(format!("{} {what}", path.display()))
}

fn member_at(shared: &Shared, path: &Path) -> Option<Arc<Member>> {
    let at = path.display().to_string();
    shared.hardware.roster().members.values().find(|member| member.drive.path() == at).cloned()
}

fn known_member(shared: &Shared, path: &Path) -> RecoveryResult<Arc<Member>> {
    member_at(shared, path)
        .ok_or_else(|| operator(path, "is no drive of this appliance: `packstone drive list` shows them"))
}

/// Tells members whether they are to be emptied, as the index has it.
pub(crate) fn note_leaving(shared: &Shared) -> IndexResult<()> {
    for pair in shared.index.snapshot().prefix(Space::Documents, &keys::documents(0, LEAVING)) {
        let (key, _) = pair?;
        let number = keys::parse_document(&key).and_then(|(_, _, name)| name.parse().ok());
        if let Some(member) = number.and_then(|number| shared.hardware.member(number)) {
            member.set_leaving(true);
        }
    }
    Ok(())
}

/// Has every drive in use remember where all of them stand. One that can't take it is no worse for it. Blocks.
pub(crate) fn keep_places(shared: &Shared) {
    let roster = shared.hardware.roster().clone();
    let places = {
        let mut places = shared.places.lock();
        places.epoch = shared.epoch.load(Ordering::Acquire);
        places.drives.retain(|number, _| roster.members.contains_key(number));
        for member in roster.online() {
            places.note(member.number, Place { pool: member.pool, path: member.drive.path().to_owned() });
        }
        places.clone()
    };
    let online = roster.online();
    let jobs = online.iter().map(|member| -> Job {
        let (member, places) = (member.clone(), places.clone());
        Box::new(move || places.store(&*member.drive))
    });
    let results = shared.hardware.executor.run(jobs.collect(), shared.hardware.timeout);
    for (member, result) in online.iter().zip(results) {
        if let Err(error) = result {
            member.note_fault(format!("{}: {error}", places::PATH));
        }
    }
}

impl Store {
    /// Takes the empty directory at `path` in as one more drive of a pool; its number. Blocks.
    ///
    /// # Errors
    /// It isn't empty, doesn't answer, or there is no such pool.
    pub fn add_drive(&self, grant: &Grant, path: &Path, pool: &str) -> RecoveryResult<DriveNumber> {
        grant.covers(Action::Administer).map_err(Error::from)?;
        let _alone = self.inner.intake.alone();
        let shared = &self.inner.shared;
        if let Some(member) = member_at(shared, path) {
            return Err(operator(path, &format!("is the place of drive {} already", member.number)));
        }
        let pool = shared.hardware.roster().pools.iter().find(|held| held.name == pool).cloned();
        let pool = pool.ok_or_else(|| operator(path, "is for a pool that isn't there"))?;
        self.take_in_empty(path, &pool, None)
    }

    /// Gives the empty directory at `path` the place of the drive that is gone from there; the number that it has now. Healing
    /// fills it. Blocks.
    ///
    /// # Errors
    /// No drive is known there, the one that is answers, or the directory isn't empty.
    pub fn replace_drive(&self, grant: &Grant, path: &Path) -> RecoveryResult<DriveNumber> {
        grant.covers(Action::Administer).map_err(Error::from)?;
        let _alone = self.inner.intake.alone();
        let shared = &self.inner.shared;
        let gone = known_member(shared, path)?;
        if gone.online() {
            return Err(operator(
                path,
                &format!("holds drive {}, which answers: there is nothing to replace", gone.number),
            ));
        }
        let roster = shared.hardware.roster();
        let out = roster.members.len() - roster.online().len();
        if !roster.bears_what_is_out() {
            return Err(operator(
                path,
                &format!("can't be replaced: {out} drives are out of use, and only their return helps"),
            ));
        }
        let pool = shared.hardware.pool(gone.pool).ok_or_else(|| operator(path, "is for a pool that isn't there"))?;
        self.take_in_empty(path, &pool, Some(gone.number))
    }

    /// Makes a pool of empty directories, or takes in those that one lacks which was made in part; how many drives that were.
    /// Blocks.
    ///
    /// # Errors
    /// A profile that can't be, another pool of that name, or a drive that can't be taken in: those before it are.
    pub fn create_pool(&self, grant: &Grant, settings: &PoolSettings) -> RecoveryResult<usize> {
        grant.covers(Action::Administer).map_err(Error::from)?;
        check_pools(std::slice::from_ref(settings), false)?;
        let shared = &self.inner.shared;
        let wrong = |what: String| Err(RecoveryError::Operator(format!("pool {:?}: {what}", settings.name)));
        {
            let _alone = self.inner.intake.alone();
            let roster = shared.hardware.roster();
            match roster.pools.iter().find(|pool| pool.name == settings.name) {
                Some(pool) if (pool.class, pool.profile) != (settings.class, settings.profile) => {
                    return wrong(format!("is there as {} with profile {}", pool.class, pool.profile));
                }
                Some(_) => {}
                None => self.open_pool(settings)?,
            }
            let is_others = |path: &&PathBuf| {
                member_at(shared, path).is_some_and(|member| {
                    shared.hardware.pool(member.pool).is_some_and(|pool| pool.name != settings.name)
                })
            };
            if let Some(path) = settings.drives.iter().find(is_others) {
                return Err(operator(path, "is a drive of another pool"));
            }
        }
        // More drives may be missing once one of these says so: no older journal may stand on too few by then.
        self.inner.queue.commit_blocking(Op::CloseJournal).map_err(RecoveryError::from)?;
        self.seal()?;
        let mut taken = 0;
        for path in settings.drives.iter().filter(|path| member_at(shared, path).is_none()) {
            self.add_drive(grant, path, &settings.name)?;
            taken += 1;
        }
        if taken == 0 {
            return wrong("has all its drives already".into());
        }
        shared.moving.note_change();
        Ok(taken)
    }

    fn open_pool(&self, settings: &PoolSettings) -> RecoveryResult<()> {
        let roster = self.inner.shared.hardware.roster().clone();
        if roster.pools.len() >= MOST_POOLS {
            return Err(RecoveryError::Operator(format!("there are {MOST_POOLS} pools already, the most")));
        }
        let classes =
            |pool: &Arc<Pool>| pool.storage_classes.iter().any(|class| settings.storage_classes.contains(class));
        if let Some(other) = roster.pools.iter().find(|pool| classes(pool)) {
            return Err(RecoveryError::Operator(format!(
                "pools {:?} and {:?} are for the same storage class: name it in one",
                settings.name, other.name
            )));
        }
        // What is left of a pool that was there once may have segments still.
        let table = self.inner.shared.table.all();
        let named: HashSet<u8> = table
            .values()
            .filter_map(|home| match home {
                Home::Segment(segment) => Some(segment.info.pool),
                Home::Journal(_) => None,
            })
            .chain(roster.pools.iter().map(|pool| pool.number))
            .collect();
        let number = (0..u8::MAX).find(|free| !named.contains(free)).unwrap_or(u8::MAX);
        let pool = settings.pool(number, Vec::new());
        match self.inner.queue.commit_blocking(Op::OpenPool(pool)) {
            Err(Error::InvalidDrive(what)) => return Err(RecoveryError::Operator(what)),
            other => other?,
        };
        Ok(())
    }

    fn take_in_empty(&self, path: &Path, pool: &Pool, number: Option<DriveNumber>) -> RecoveryResult<DriveNumber> {
        let (shared, intake) = (&self.inner.shared, &self.inner.intake);
        let (executor, timeout, at) = (&shared.hardware.executor, shared.hardware.timeout, path.to_owned());
        within(&**executor, timeout, move || Ok(expect_empty(&at)))??;
        let drive = TimedDrive::new(intake.open(shared, path)?, executor.clone(), timeout);
        let known: Vec<Superblock> =
            shared.hardware.online().iter().filter_map(|member| Superblock::load(&*member.drive).ok()?).collect();
        let own = Identity::joining(&known, number);
        let own = own.ok_or_else(|| operator(path, "can't be taken in: no other drive of the appliance answers"))?;
        let number = own.number;
        format(&drive, Membership::of(pool), own)?;
        let taken = intake.take_in(shared, &self.inner.queue, path);
        if taken.is_err() && shared.hardware.in_use(number).is_none() {
            // Its number may be another drive's next.
            let _ = drive.remove(crate::drive::superblock::PATH);
        }
        taken
    }

    /// Has a drive be emptied, or kept after all: nothing new is placed on it, and healing makes its shards elsewhere. Blocks
    /// until that has begun.
    ///
    /// # Errors
    /// Too few other drives would be left.
    pub fn drain_drive(&self, grant: &Grant, path: &Path, leaving: bool) -> RecoveryResult<()> {
        grant.covers(Action::Administer).map_err(Error::from)?;
        let _alone = self.inner.intake.alone();
        let shared = &self.inner.shared;
        let member = known_member(shared, path)?;
        if leaving && !member.is_leaving() {
            // One that is being emptied goes on, whatever became of others meanwhile.
            expect_room_without(shared, &member, path)?;
        }
        let value = leaving.then(Default::default);
        let (kind, name) = (LEAVING.to_owned(), member.number.to_string());
        let put = Op::PutDocument { scope: 0, kind, name, value, replaces: Replaces::Anything };
        self.inner.queue.commit_blocking(put)?;
        // The journal goes on elsewhere, and no stream stays open on it for want of writers.
        self.inner.queue.commit_blocking(Op::CloseJournal)?;
        self.inner.streams.retire_idle();
        Ok(())
    }

    /// Has a drive that was emptied be none of the appliance's any more, and leaves an empty directory; whether it does: of one
    /// that is out of use the files stay. Blocks.
    ///
    /// # Errors
    /// It is not empty yet.
    pub fn remove_drive(&self, grant: &Grant, path: &Path) -> RecoveryResult<bool> {
        grant.covers(Action::Administer).map_err(Error::from)?;
        let _alone = self.inner.intake.alone();
        let (shared, queue) = (&self.inner.shared, &self.inner.queue);
        let member = known_member(shared, path)?;
        if !member.is_leaving() {
            return Err(operator(path, "is to stay: empty it first, by `packstone drive drain`"));
        }
        match queue.commit_blocking(Op::Dismiss { number: member.number }) {
            Err(Error::InvalidDrive(what)) => return Err(RecoveryError::Operator(what)),
            other => other?,
        };
        let (kind, name) = (LEAVING.to_owned(), member.number.to_string());
        queue.commit_blocking(Op::PutDocument { scope: 0, kind, name, value: None, replaces: Replaces::Anything })?;
        self.inner.intake.release(path);
        keep_places(shared);
        if !member.online() {
            return Ok(false);
        }
        clear_drive(&member)?;
        for path in [places::PATH, crate::drive::superblock::PATH] {
            match member.drive.remove(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        member.drive.sync_directory("")?;
        Ok(true)
    }
}

/// Whether all shards of a segment, and all copies of a journal, have a drive without this one.
fn expect_room_without(shared: &Shared, member: &Member, path: &Path) -> RecoveryResult<()> {
    let stays = |other: &&Arc<Member>| other.number != member.number && other.takes_shards();
    let roster = shared.hardware.roster();
    let Some(pool) = roster.pools.iter().find(|pool| pool.number == member.pool) else { return Ok(()) };
    // Segments that were made at another profile may need more.
    let made = shared.table.sealed().into_iter().filter(|segment| segment.info.pool == pool.number);
    let widest = made.map(|segment| segment.info.drives.len()).max().unwrap_or(0);
    let (left, needed) = (pool.members.iter().filter(stays).count(), pool.profile.shards().max(widest));
    if left < needed {
        return Err(operator(
            path,
            &format!("can't be emptied: pool {} would have {left} drives, and its segments need {needed}", pool.name),
        ));
    }
    let (left, needed) = (roster.members.values().filter(stays).count(), roster.most_parity() + 1);
    if left < needed {
        return Err(operator(
            path,
            &format!("can't be emptied: the journal needs {needed} drives, and {left} would be left"),
        ));
    }
    Ok(())
}
