//! The real drive: a directory of a mounted file system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::io::{Errno, ReadWriteFlags};

use super::{Drive, DriveFile, Space};
use crate::checksum::BLOCK;

/// Bytes that one piece of advice is about.
const AHEAD: usize = 512 << 10;

#[derive(Debug)]
pub struct DirectoryDrive {
    root: PathBuf,
    name: String,
    device: u64,
}

impl DirectoryDrive {
    /// Opens the directory at `root`.
    ///
    /// # Errors
    /// What the file system says when it isn't there or isn't a directory.
    pub fn open(root: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(root)?;
        if !metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory));
        }
        Ok(Self { root: root.to_owned(), name: root.display().to_string(), device: metadata.dev() })
    }
}

impl Drive for DirectoryDrive {
    fn path(&self) -> &str {
        &self.name
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DriveFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(self.root.join(path))?;
        Ok(Arc::new(RealFile::new(file)))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DriveFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.root.join(path))?;
        Ok(Arc::new(RealFile::new(file)))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(directory)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that isn't UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create_directory(&self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.root.join(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        File::open(self.root.join(path))?.sync_all()
    }

    fn space(&self) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(Space { total: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize, device: self.device })
    }
}

#[derive(Debug)]
struct RealFile {
    file: File,
    /// The same file for direct I/O, opened when it is first asked for; `None` where the file system has none.
    direct: OnceLock<Option<File>>,
}

impl RealFile {
    fn new(file: File) -> Self {
        Self { file, direct: OnceLock::new() }
    }

    /// The file for direct I/O, if `data` may be written by it to `offset`.
    fn direct_for(&self, offset: u64, data: &[u8]) -> Option<&File> {
        let is_whole = |count: usize| count.is_multiple_of(BLOCK);
        if !offset.is_multiple_of(BLOCK as u64) || !is_whole(data.len()) || !is_whole(data.as_ptr().addr()) {
            return None;
        }
        let open = || {
            let name = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(name).ok()
        };
        self.direct.get_or_init(open).as_ref()
    }
}

impl DriveFile for RealFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn read_cached_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let wanted = buffer.len();
        match rustix::io::preadv2(&self.file, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
            Ok(count) => Ok(count == wanted),
            // Not in memory, or a file system that can't say.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn write_past_cache_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.direct_for(offset, data).map(|direct| direct.write_all_at(data, offset)) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
            // No direct I/O, or a device whose blocks are larger than ours: at least the sync won't have it all to do.
            None | Some(Err(_)) => {
                self.write_at(offset, data)?;
                self.start_writeback(offset, data.len() as u64);
                Ok(())
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn start_writeback(&self, offset: u64, length: u64) {
        let (Ok(offset), Ok(length)) = (i64::try_from(offset), i64::try_from(length)) else { return };
        // SAFETY: the descriptor is open as long as `self`, and the call touches no memory of this process.
        unsafe { libc::sync_file_range(self.file.as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE) };
    }

    fn will_read(&self, offset: u64, length: u64) {
        // The kernel reads no more than that ahead at once.
        for at in (offset..offset + length).step_by(AHEAD) {
            let most = NonZeroU64::new((offset + length - at).min(AHEAD as u64));
            // It promises nothing, and the read that follows meets the same fault.
            let _ = rustix::fs::fadvise(&self.file, at, most, rustix::fs::Advice::WillNeed);
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
