//! A drive over a directory whose calls a test has a say in.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use packstone_store::drive::{DirectoryDrive, Drive, DriveFile, Space};

/// What a test does at the calls of a drive.
pub trait Mood: Debug + Send + Sync + 'static {
    /// Before something is looked up: a file opened or asked for its length, a directory listed.
    fn before_lookup(&self) {}
    /// Before a file is read.
    fn before_read(&self) {}
    /// Before a file is synced.
    fn before_sync(&self) {}
    /// Whether what the page cache holds is given at once.
    fn is_cached(&self) -> bool {
        true
    }
    /// The space that it tells of.
    fn space(&self, real: Space) -> Space {
        real
    }
}

#[derive(Debug)]
pub struct Moody<M> {
    pub drive: DirectoryDrive,
    pub mood: Arc<M>,
}

impl<M: Mood> Moody<M> {
    fn file(&self, file: Arc<dyn DriveFile>) -> Arc<dyn DriveFile> {
        Arc::new(MoodyFile { file, mood: self.mood.clone() })
    }
}

impl<M: Mood> Drive for Moody<M> {
    fn path(&self) -> &str {
        self.drive.path()
    }
    fn create(&self, path: &str) -> io::Result<Arc<dyn DriveFile>> {
        Ok(self.file(self.drive.create(path)?))
    }
    fn open(&self, path: &str) -> io::Result<Arc<dyn DriveFile>> {
        self.mood.before_lookup();
        Ok(self.file(self.drive.open(path)?))
    }
    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        self.mood.before_lookup();
        self.drive.list(directory)
    }
    fn create_directory(&self, path: &str) -> io::Result<()> {
        self.drive.create_directory(path)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.drive.rename(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.drive.remove(path)
    }
    fn sync_directory(&self, path: &str) -> io::Result<()> {
        self.drive.sync_directory(path)
    }
    fn space(&self) -> io::Result<Space> {
        Ok(self.mood.space(self.drive.space()?))
    }
}

#[derive(Debug)]
struct MoodyFile<M> {
    file: Arc<dyn DriveFile>,
    mood: Arc<M>,
}

impl<M: Mood> DriveFile for MoodyFile<M> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.mood.before_read();
        self.file.read_at(offset, buffer)
    }
    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        if self.mood.is_cached() { self.file.read_cached_at(offset, buffer) } else { Ok(false) }
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, data)
    }
    fn sync(&self) -> io::Result<()> {
        self.mood.before_sync();
        self.file.sync()
    }
    fn start_writeback(&self, offset: u64, length: u64) {
        self.file.start_writeback(offset, length);
    }
    fn length(&self) -> io::Result<u64> {
        self.mood.before_lookup();
        self.file.length()
    }
}
