//! A drive whose calls all end: by an answer, or by the time-out that takes it out of use (see [`Watch`]).
//!
//! Reads that the page cache can answer are made on the caller's thread, and so is everything that a job of the
//! executor does. The rest is handed to a drive thread, which owns what it works on: one that hangs borrows nothing.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::executor::at_work;
use super::{Drive, DriveFile, Executor, Space, Superblock, Watch};

#[derive(Clone, Debug)]
pub struct TimedDrive {
    drive: Arc<dyn Drive>,
    watch: Arc<Watch>,
}

impl TimedDrive {
    #[must_use]
    pub fn new(drive: Arc<dyn Drive>, executor: Arc<dyn Executor>, timeout: Duration) -> Self {
        let watch = Arc::new(Watch::new(drive.path(), executor, timeout));
        Self { drive, watch }
    }

    /// What the drive says of itself; `None` where it was never formatted.
    ///
    /// # Errors
    /// As [`Superblock::load`], or no answer within the time-out.
    pub fn superblock(&self) -> io::Result<Option<Superblock>> {
        self.call(|drive| Superblock::load(drive))
    }

    #[must_use]
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    fn call<T: Send + 'static>(&self, job: impl FnOnce(&dyn Drive) -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let drive = self.drive.clone();
        self.watch.call(move || job(&*drive))
    }

    fn timed(&self, file: Arc<dyn DriveFile>) -> Arc<dyn DriveFile> {
        Arc::new(TimedFile { file, watch: self.watch.clone() })
    }
}

impl Drive for TimedDrive {
    fn path(&self) -> &str {
        self.drive.path()
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DriveFile>> {
        let path = path.to_owned();
        Ok(self.timed(self.call(move |drive| drive.create(&path))?))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DriveFile>> {
        let path = path.to_owned();
        Ok(self.timed(self.call(move |drive| drive.open(&path))?))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let directory = directory.to_owned();
        self.call(move |drive| drive.list(&directory))
    }

    fn create_directory(&self, path: &str) -> io::Result<()> {
        let path = path.to_owned();
        self.call(move |drive| drive.create_directory(&path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.call(move |drive| drive.rename(&from, &to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = path.to_owned();
        self.call(move |drive| drive.remove(&path))
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        let path = path.to_owned();
        self.call(move |drive| drive.sync_directory(&path))
    }

    fn space(&self) -> io::Result<Space> {
        self.call(|drive| drive.space())
    }
}

#[derive(Debug)]
struct TimedFile {
    file: Arc<dyn DriveFile>,
    watch: Arc<Watch>,
}

impl TimedFile {
    fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn DriveFile) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let file = self.file.clone();
        self.watch.call(move || job(&*file))
    }
}

impl DriveFile for TimedFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if at_work() {
            let began = Instant::now();
            let read = self.file.read_at(offset, buffer);
            self.watch.reads.note(began.elapsed());
            return read;
        }
        if self.file.read_cached_at(offset, buffer)? {
            return Ok(());
        }
        let mut bytes = vec![0; buffer.len()];
        let bytes = self.call(move |file| file.read_at(offset, &mut bytes).map(|()| bytes))?;
        buffer.copy_from_slice(&bytes);
        Ok(())
    }

    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.file.read_cached_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if at_work() {
            return self.file.write_at(offset, data);
        }
        let data = data.to_vec();
        self.call(move |file| file.write_at(offset, &data))
    }

    fn write_past_cache_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if at_work() {
            return self.file.write_past_cache_at(offset, data);
        }
        self.write_at(offset, data)
    }

    fn sync(&self) -> io::Result<()> {
        let began = Instant::now();
        let synced = self.call(|file| file.sync());
        self.watch.syncs.note(began.elapsed());
        synced
    }

    fn start_writeback(&self, offset: u64, length: u64) {
        // It promises nothing, and the sync that follows meets the same fault.
        let _ = self.call(move |file| {
            file.start_writeback(offset, length);
            Ok(())
        });
    }

    fn will_read(&self, offset: u64, length: u64) {
        self.file.will_read(offset, length);
    }

    fn length(&self) -> io::Result<u64> {
        self.call(|file| file.length())
    }
}
