//! The way in for drives: opening them, keeping other processes away from them, and taking them in while the store is open.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::{Mutex, MutexGuard};

use crate::commit::{CommitQueue, Op, Shared};
use crate::data_lock::DataLock;
use crate::drive::{DirectoryDrive, Drive, DriveNumber, Executor, Member, within};
use crate::enclosure::Enclosures;
use crate::error::Error;
use crate::recovery::admission::{clear_leftovers, examine};
use crate::recovery::drives::Candidate;
use crate::recovery::{RecoveryError, RecoveryResult};
use crate::roster::keep_places;
use crate::store::Settings;

/// Opens the drive at a path.
pub type Opener = dyn Fn(&Path) -> io::Result<Arc<dyn Drive>> + Send + Sync;

/// Opens a directory as a drive.
///
/// # Errors
/// What the file system says when it isn't there or isn't a directory.
pub fn open_directory(path: &Path) -> io::Result<Arc<dyn Drive>> {
    Ok(Arc::new(DirectoryDrive::open(path)?))
}

/// Opens every configured drive that is there.
pub(crate) fn candidates(settings: &Settings, executor: &Arc<dyn Executor>, opener: &Arc<Opener>) -> Vec<Candidate> {
    let open = |path: &Path| {
        let (path, opener) = (path.to_owned(), opener.clone());
        within(&**executor, settings.io_timeout, move || opener(&path))
    };
    settings
        .pools
        .iter()
        .zip(0..)
        .flat_map(|(pool, number)| pool.drives.iter().map(move |path| (path, number)))
        .map(|(path, pool)| Candidate {
            path: path.display().to_string(),
            pool,
            enclosure: settings.enclosures.of(path),
            drive: open(path),
        })
        .collect()
}

/// One per open store. Drives are changed one at a time.
pub(crate) struct Intake {
    opener: Arc<Opener>,
    lock: DataLock,
    changing: Mutex<()>,
    configured: Vec<PathBuf>,
    enclosures: Enclosures,
    /// Drives that came and may have leftovers, each with the first file id that was free before.
    came: Mutex<Vec<(Arc<Member>, u64)>>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("lock", &self.lock).finish_non_exhaustive()
    }
}

impl Intake {
    pub fn new(settings: &Settings, opener: Arc<Opener>, lock: DataLock) -> Self {
        let configured = settings.pools.iter().flat_map(|pool| pool.drives.iter().cloned()).collect();
        let (changing, came, enclosures) = (Mutex::default(), Mutex::default(), settings.enclosures.clone());
        Self { opener, lock, changing, configured, enclosures, came }
    }

    /// Keeps others from changing drives meanwhile.
    pub fn alone(&self) -> MutexGuard<'_, ()> {
        self.changing.lock()
    }

    /// Opens what is at a path.
    ///
    /// # Errors
    /// It isn't there, or doesn't answer in time.
    pub fn open(&self, shared: &Shared, path: &Path) -> io::Result<Arc<dyn Drive>> {
        let (at, opener) = (path.to_owned(), self.opener.clone());
        within(&*shared.hardware.executor, shared.hardware.timeout, move || opener(&at))
    }

    /// Takes the formatted drive at `path` into use; its number. The caller is [`Self::alone`]. Blocks.
    ///
    /// # Errors
    /// What stands against it, in one line for the operator.
    pub fn take_in(&self, shared: &Shared, queue: &CommitQueue, path: &Path) -> RecoveryResult<DriveNumber> {
        let admission = examine(shared, self.open(shared, path)?, self.enclosures.of(path))?;
        self.lock.add(path)?;
        let member = admission.member.clone();
        let number = member.number;
        // Before it is a member: what is begun from then on may be placed on it before anything names it.
        let first = shared.next_file.load(Ordering::Relaxed);
        match queue.commit_blocking(Op::Admit(Box::new(admission))) {
            Ok(_) => {
                self.came.lock().push((member, first));
                keep_places(shared);
                Ok(number)
            }
            Err(Error::InvalidDrive(what)) => Err(RecoveryError::Operator(what)),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what nobody needs from the drives that came, once that is known of all of it. Blocks.
    pub fn clear_leftovers(&self, shared: &Shared) {
        let came = std::mem::take(&mut *self.came.lock());
        let left = came.into_iter().filter(|(member, first)| {
            member.online()
                && !clear_leftovers(shared, member, *first).unwrap_or_else(|error| {
                    member.note_fault(format!("removing leftovers: {error}"));
                    true
                })
        });
        let left: Vec<_> = left.collect();
        self.came.lock().extend(left);
    }

    /// The paths that are configured.
    pub fn configured(&self) -> &[PathBuf] {
        &self.configured
    }

    /// Lets go of a drive that is none of the appliance's any more.
    pub fn release(&self, path: &Path) {
        self.lock.release(path);
    }
}
