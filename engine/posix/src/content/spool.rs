//! Bytes of an open file that no version has yet: in pages, of which a bounded number stands in memory.
//!
//! The others lie in a file without a name, each encrypted under a key that nobody keeps: a bucket's bytes are never in
//! the clear on a disk because they were written through a mount. A crash leaves nothing of them.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};

use crate::Errno;

pub const PAGE: usize = 64 << 10;
/// Bytes behind each page in the file.
const TAG: usize = 16;
/// Pages of one file in memory at most.
const OF_ONE: usize = 256;
/// Pages of all files in memory, beyond which a file keeps one.
const OF_ALL: usize = 4096;

/// Where all spools of a node have their files, and how many pages they hold in memory.
#[derive(Debug)]
pub struct Bounds {
    scratch: Box<Path>,
    resident: AtomicUsize,
}

impl Bounds {
    pub fn new(scratch: &Path) -> Arc<Self> {
        Arc::new(Self { scratch: scratch.into(), resident: AtomicUsize::new(0) })
    }
}

enum Page {
    Resident(Box<[u8; PAGE]>),
    Spilled(Nonce),
}

struct Spill {
    file: File,
    key: RandomizedNonceKey,
}

/// One file's pages.
pub struct Spool {
    bounds: Arc<Bounds>,
    pages: BTreeMap<u64, Page>,
    /// Pages in memory, the longest there first.
    resident: VecDeque<u64>,
    spill: Option<Spill>,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("pages", &self.pages.len()).field("resident", &self.resident.len()).finish()
    }
}

impl Spool {
    pub fn new(bounds: Arc<Bounds>) -> Self {
        Self { bounds, pages: BTreeMap::new(), resident: VecDeque::new(), spill: None }
    }

    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    pub fn has(&self, page: u64) -> bool {
        self.pages.contains_key(&page)
    }

    /// Whether there is any page of those.
    pub fn has_any(&self, pages: Range<u64>) -> bool {
        self.pages.range(pages).next().is_some()
    }

    /// Puts a page in, which wasn't there. Blocks.
    ///
    /// # Errors
    /// The scratch file can't be written.
    pub fn insert(&mut self, page: u64, bytes: Box<[u8; PAGE]>) -> Result<(), Errno> {
        self.make_room()?;
        self.pages.insert(page, Page::Resident(bytes));
        self.note_resident(page);
        Ok(())
    }

    /// The bytes of a page that is there, to be changed. Blocks.
    ///
    /// # Errors
    /// The scratch file can't be read or written.
    pub fn page(&mut self, page: u64) -> Result<&mut [u8; PAGE], Errno> {
        if let Some(Page::Spilled(_)) = self.pages.get(&page) {
            self.make_room()?;
            let bytes = self.take_back(page)?;
            self.pages.insert(page, Page::Resident(bytes));
            self.note_resident(page);
        }
        match self.pages.get_mut(&page) {
            Some(Page::Resident(bytes)) => Ok(bytes),
            _ => Err(Errno::IO),
        }
    }

    /// Forgets all pages from one on.
    pub fn cut(&mut self, from: u64) {
        drop(self.pages.split_off(&from));
        let before = self.resident.len();
        self.resident.retain(|page| *page < from);
        self.bounds.resident.fetch_sub(before - self.resident.len(), Ordering::Relaxed);
        if self.pages.is_empty() {
            self.spill = None;
        }
    }

    fn note_resident(&mut self, page: u64) {
        self.resident.push_back(page);
        self.bounds.resident.fetch_add(1, Ordering::Relaxed);
    }

    /// Spills until one more page may stand in memory.
    fn make_room(&mut self) -> Result<(), Errno> {
        loop {
            let held = self.resident.len();
            let crowded = held > 0 && self.bounds.resident.load(Ordering::Relaxed) >= OF_ALL;
            if held < OF_ONE && !crowded {
                return Ok(());
            }
            let Some(page) = self.resident.front().copied() else { return Ok(()) };
            self.spill(page)?;
            self.resident.pop_front();
            self.bounds.resident.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn spill(&mut self, page: u64) -> Result<(), Errno> {
        let Some(Page::Resident(bytes)) = self.pages.get(&page) else { return Ok(()) };
        let mut sealed = Vec::with_capacity(PAGE + TAG);
        sealed.extend_from_slice(&bytes[..]);
        let spill = match &self.spill {
            Some(spill) => spill,
            None => self.spill.insert(Spill::new(&self.bounds.scratch)?),
        };
        let bound = Aad::from(page.to_le_bytes());
        let nonce = spill.key.seal_in_place_append_tag(bound, &mut sealed).map_err(|_| Errno::IO)?;
        spill.file.write_all_at(&sealed, place(page)).map_err(from_io)?;
        self.pages.insert(page, Page::Spilled(nonce));
        Ok(())
    }

    fn take_back(&mut self, page: u64) -> Result<Box<[u8; PAGE]>, Errno> {
        let (Some(spill), Some(Page::Spilled(nonce))) = (&self.spill, self.pages.remove(&page)) else {
            return Err(Errno::IO);
        };
        let mut sealed = vec![0; PAGE + TAG];
        spill.file.read_exact_at(&mut sealed, place(page)).map_err(from_io)?;
        let bound = Aad::from(page.to_le_bytes());
        let plain = spill.key.open_in_place(nonce, bound, &mut sealed).map_err(|_| Errno::IO)?;
        let mut bytes = blank();
        bytes.copy_from_slice(plain.get(..PAGE).ok_or(Errno::IO)?);
        Ok(bytes)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.bounds.resident.fetch_sub(self.resident.len(), Ordering::Relaxed);
    }
}

impl Spill {
    fn new(scratch: &Path) -> Result<Self, Errno> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| Errno::IO)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| Errno::IO)?;
        Ok(Self { file: tempfile::tempfile_in(scratch).map_err(from_io)?, key })
    }
}

/// A page of zeros.
pub fn blank() -> Box<[u8; PAGE]> {
    Box::new([0; PAGE])
}

fn place(page: u64) -> u64 {
    page * (PAGE + TAG) as u64
}

#[allow(clippy::needless_pass_by_value, reason = "it is what map_err takes")]
fn from_io(error: std::io::Error) -> Errno {
    tracing::warn!(%error, "the scratch file of an open file failed");
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn filled(page: u64) -> Box<[u8; PAGE]> {
        Box::new([u8::try_from(page % 251).unwrap(); PAGE])
    }

    #[test]
    fn what_does_not_stand_in_memory_is_there_and_unreadable_on_disk() {
        let scratch = tempfile::tempdir().unwrap();
        let bounds = Bounds::new(scratch.path());
        let mut spool = Spool::new(bounds.clone());
        let pages = OF_ONE as u64 + 40;
        for page in 0..pages {
            spool.insert(page, filled(page)).unwrap();
        }
        assert_eq!(bounds.resident.load(Ordering::Relaxed), OF_ONE);
        let mut stored = vec![0; PAGE];
        spool.spill.as_ref().unwrap().file.read_exact_at(&mut stored, place(1)).unwrap();
        assert_ne!(stored[..], filled(1)[..]);
        for page in (0..pages).chain((0..pages).rev()) {
            assert_eq!(*spool.page(page).unwrap(), *filled(page), "{page}");
        }
        spool.page(3).unwrap()[5] = 99;
        for page in 50..pages {
            spool.page(page).unwrap();
        }
        assert_eq!(spool.page(3).unwrap()[5], 99);
        spool.cut(10);
        assert!(spool.has(9) && !spool.has(10));
        drop(spool);
        assert_eq!(bounds.resident.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn many_files_share_the_memory() {
        let scratch = tempfile::tempdir().unwrap();
        let bounds = Bounds::new(scratch.path());
        let mut spools: Vec<_> = (0..OF_ALL / OF_ONE + 4).map(|_| Spool::new(bounds.clone())).collect();
        for spool in &mut spools {
            for page in 0..OF_ONE as u64 {
                spool.insert(page, filled(page)).unwrap();
            }
        }
        assert!(bounds.resident.load(Ordering::Relaxed) <= OF_ALL + spools.len());
        for spool in &mut spools {
            assert_eq!(*spool.page(7).unwrap(), *filled(7));
        }
    }
}
