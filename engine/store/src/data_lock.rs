//! Keeps a second process away from the same data: the index, and every drive by its superblock.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::drive::{Executor, superblock, within};
use crate::recovery::{RecoveryError, RecoveryResult};
use crate::store::Settings;

/// Device and inode of a superblock.
type Identity = (u64, u64);

/// Held as long as the data is in use.
#[derive(Debug)]
pub(crate) struct DataLock {
    executor: Arc<dyn Executor>,
    timeout: Duration,
    _index: File,
    drives: Mutex<HashMap<PathBuf, (Identity, File)>>,
}

impl DataLock {
    /// Locks the index and every drive that is there.
    ///
    /// # Errors
    /// Another process has one of them.
    pub fn take(settings: &Settings, executor: &Arc<dyn Executor>) -> RecoveryResult<Self> {
        let beside = settings.index.with_extension("lock");
        if let Some(parent) = beside.parent() {
            fs::create_dir_all(parent)?;
        }
        let index = lock(File::options().create(true).truncate(false).write(true).open(&beside)?, &beside)?;
        let (executor, timeout) = (executor.clone(), settings.io_timeout);
        let lock = Self { executor, timeout, _index: index, drives: Mutex::default() };
        for path in settings.pools.iter().flat_map(|pool| &pool.drives) {
            // One that is not there, or hangs, is told of later.
            if let Ok(found) = lock.find(path) {
                lock.keep(path, found)?;
            }
        }
        Ok(lock)
    }

    /// Locks one more drive, or the one that is at its path by now.
    ///
    /// # Errors
    /// It has no superblock, doesn't answer, or another process has it.
    pub fn add(&self, path: &Path) -> RecoveryResult<()> {
        self.keep(path, self.find(path).map_err(RecoveryError::Io)?)
    }

    /// Lets go of a drive that is none any more.
    pub fn release(&self, path: &Path) {
        self.drives.lock().remove(path);
    }

    fn find(&self, path: &Path) -> std::io::Result<(Identity, File)> {
        let superblock = path.join(superblock::PATH);
        within(&*self.executor, self.timeout, move || {
            let file = File::open(&superblock)?;
            let metadata = file.metadata()?;
            Ok(((metadata.dev(), metadata.ino()), file))
        })
    }

    fn keep(&self, path: &Path, (identity, file): (Identity, File)) -> RecoveryResult<()> {
        let mut drives = self.drives.lock();
        // One drive that is configured twice is told apart later, with better words.
        if drives.values().any(|(held, _)| *held == identity) {
            return Ok(());
        }
        let file = lock(file, &path.join(superblock::PATH))?;
        drives.insert(path.to_owned(), (identity, file));
        Ok(())
    }
}

fn lock(file: File, path: &Path) -> RecoveryResult<File> {
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(_) => Err(RecoveryError::Operator(format!(
            "another packstone process has this data open ({} is locked): stop it first",
            path.display()
        ))),
    }
}
