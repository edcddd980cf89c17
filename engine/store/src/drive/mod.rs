//! A drive: one mounted directory with a superblock, behind a trait that the simulator implements too.
//!
//! Calls block, and those of a [`Member`]'s drive no longer than the time-out. Nothing that answers requests calls a
//! drive directly on an async thread except [`DriveFile::read_cached_at`], which never waits for the device. A file that
//! answered a write or sync with an error or too late is never written, synced or trusted again by its callers: a retried
//! `fdatasync` lies.

mod directory;
mod executor;
mod latency;
pub mod places;
#[cfg(any(test, feature = "simulator"))]
pub mod simulated;
pub mod superblock;
mod timed;
mod watch;

use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use directory::DirectoryDrive;
pub use executor::{Answer, Executor, Inline, Job, Threads, within};
pub use latency::{Vitals, sluggish};
use parking_lot::Mutex;
pub use places::{Place, Places};
pub use superblock::Superblock;
pub use timed::TimedDrive;
pub use watch::{Patience, Watch};

use crate::pool::DriveClass;

/// A drive's number within its appliance, never reused.
pub type DriveNumber = u16;
/// Stands where a segment has no drive for a shard.
pub const NO_DRIVE: DriveNumber = u16::MAX;

/// What the file system below a drive has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    pub free: u64,
    /// Which device it is: directories of one device share their space.
    pub device: u64,
}

/// The files of one drive. Paths are relative, with `/`.
pub trait Drive: Send + Sync + Debug {
    /// What an operator knows it by.
    fn path(&self) -> &str;
    /// Makes an empty file, in place of one of that name.
    fn create(&self, path: &str) -> io::Result<Arc<dyn DriveFile>>;
    fn open(&self, path: &str) -> io::Result<Arc<dyn DriveFile>>;
    /// File names in a directory, in no order; empty where there is no such directory.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;
    fn create_directory(&self, path: &str) -> io::Result<()>;
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_directory(&self, path: &str) -> io::Result<()>;
    fn space(&self) -> io::Result<Space>;
}

/// One open file. All methods take `&self`: offsets are explicit.
pub trait DriveFile: Send + Sync + Debug {
    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the file ends before that.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// The same, if the page cache has it all; `false` where the device would have to be asked.
    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool>;
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// The same, leaving nothing in the page cache where that can be: for whole blocks at an address that is a multiple
    /// of a block, on a file system that takes direct I/O.
    fn write_past_cache_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_at(offset, data)
    }
    /// Makes all that was written durable, with the size.
    fn sync(&self) -> io::Result<()>;
    /// Asks for a range to be written out soon, and promises nothing.
    fn start_writeback(&self, offset: u64, length: u64);
    /// Says that a range will be read soon, and waits for nothing.
    fn will_read(&self, _offset: u64, _length: u64) {}
    fn length(&self) -> io::Result<u64>;
}

/// Whether a drive may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DriveState {
    Online = 0,
    /// Its superblock knows an older epoch than the others: it was away.
    Stale = 1,
    /// It answered with an error, or not in time.
    Failed = 2,
    /// Nothing is there.
    Missing = 3,
}

/// A drive with its place in the appliance and its health, which only ever gets worse once the node runs: a drive that comes
/// back is another member.
#[derive(Debug)]
pub struct Member {
    pub number: DriveNumber,
    pub uuid: u128,
    pub class: DriveClass,
    pub pool: u8,
    /// Where it sits together with others; none for one of which nothing is configured.
    pub enclosure: Option<Arc<str>>,
    /// Every call ends within the time-out; one that doesn't takes the drive out of use.
    pub drive: Arc<dyn Drive>,
    watch: Arc<Watch>,
    faults: AtomicU64,
    last_fault: Mutex<String>,
    /// Whether it is to be emptied: it takes nothing new where another does.
    leaving: AtomicBool,
    device: OnceLock<u64>,
}

impl Member {
    #[must_use]
    pub fn new(number: DriveNumber, uuid: u128, class: DriveClass, pool: u8, drive: TimedDrive) -> Self {
        let watch = drive.watch().clone();
        Self {
            number,
            uuid,
            class,
            pool,
            enclosure: None,
            drive: Arc::new(drive),
            watch,
            faults: AtomicU64::new(0),
            last_fault: Mutex::default(),
            leaving: AtomicBool::new(false),
            device: OnceLock::new(),
        }
    }

    /// The same in an enclosure.
    #[must_use]
    pub fn in_enclosure(self, enclosure: Option<Arc<str>>) -> Self {
        Self { enclosure, ..self }
    }

    /// Whether an operator has it emptied, so that it can be removed.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    pub fn set_leaving(&self, leaving: bool) {
        self.leaving.store(leaving, Ordering::Relaxed);
    }

    /// Which device it is; `None` where it never answered.
    #[must_use]
    pub fn device(&self) -> Option<u64> {
        if let Some(device) = self.device.get() {
            return Some(*device);
        }
        let device = self.drive.space().ok()?.device;
        Some(*self.device.get_or_init(|| device))
    }

    /// What was seen of how long its calls take; `None` where its device can't be told.
    #[must_use]
    pub fn vitals(&self) -> Option<Vitals> {
        let device = self.device()?;
        let (read, sync) = (self.watch.reads.average(), self.watch.syncs.average());
        Some(Vitals { number: self.number, device, read, sync })
    }

    /// Whether it is passed over for being much slower than others.
    #[must_use]
    pub fn is_sluggish(&self) -> bool {
        self.watch.is_sluggish()
    }

    /// Has it be passed over for so long, where others do.
    pub fn pass_over(&self, duration: Duration) {
        self.watch.pass_over(duration);
    }

    /// Whether new shards may be placed on it.
    #[must_use]
    pub fn takes_shards(&self) -> bool {
        self.online() && !self.is_leaving()
    }

    #[must_use]
    pub fn state(&self) -> DriveState {
        self.watch.state()
    }

    #[must_use]
    pub fn online(&self) -> bool {
        self.state() == DriveState::Online
    }

    #[must_use]
    pub fn reason(&self) -> String {
        self.watch.reason()
    }

    /// Whether a read waits for it longer than for a drive that works; takes it out of use once that is too long.
    #[must_use]
    pub fn hesitates(&self) -> bool {
        self.watch.hesitates()
    }

    /// Reads something of the drive on a thread of its own.
    ///
    /// # Errors
    /// The job's; [`io::ErrorKind::WouldBlock`] where the drive hesitates and `patience` is for none of that.
    pub fn read<T: Send + 'static>(
        &self,
        patience: Patience,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.watch.read(patience, job)
    }

    /// Notes that something on the drive could not be read or was not what was written, which parity made good.
    pub fn note_fault(&self, what: String) {
        if self.faults.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(drive = self.drive.path(), what, "fault on a drive");
        }
        *self.last_fault.lock() = what;
    }

    /// How many faults were noted since start, and the latest.
    #[must_use]
    pub fn faults(&self) -> (u64, String) {
        (self.faults.load(Ordering::Relaxed), self.last_fault.lock().clone())
    }

    /// Takes the drive in again, if it was away; for starts alone, before anybody reads.
    pub fn take_in(&self) {
        self.watch.take_in();
    }

    /// Takes the drive out of use; the first reason stays.
    pub fn retire(&self, state: DriveState, reason: String) {
        self.watch.retire(state, reason);
    }
}
