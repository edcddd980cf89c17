//! When names in directories may have changed since the node started, on whatever face.
//!
//! A directory's place is one of a fixed number of stripes, by a hash of its path: two that share one are told of each
//! other's changes. Whoever keeps names by this looks once too often, and never too seldom. A key counts for all directories
//! above it, since the first one in a directory makes that a name.
//!
//! What S3 changed is kept apart too, for each directory alone, and for as many as changed last: mounts know by themselves what
//! they changed, and in which directory.
//!
//! Concurrency: written by the commit loop, and by what S3 asks of it, after what is noted is visible; read by any.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, Ordering};

use quick_cache::sync::Cache;

use crate::journal::Entry;
use crate::record::Record;

const STRIPES: usize = 1 << 16;
/// Of so many directories S3's last change is known.
const DIRECTORIES: usize = 1 << 16;
/// The bits of a mode that are a file's type: what S3 puts has none.
const TYPE: u32 = 0o170_000;

#[derive(Debug)]
pub struct NameChanges {
    hashes: RandomState,
    /// When the node started, Unix nanoseconds.
    start: i64,
    /// Unix nanoseconds; that of the start where nothing changed since.
    stripes: Box<[AtomicI64]>,
    /// Of what S3 did: by a hash of the directory's bucket and path, Unix nanoseconds.
    of_s3: Cache<u64, i64>,
}

/// When names in or below a directory changed last, Unix nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameChange {
    /// Not since the node started, which was then.
    Before(i64),
    /// Then, or earlier.
    By(i64),
}

impl NameChanges {
    /// All changes until `now` count as that time's.
    #[must_use]
    pub fn new(now: i64) -> Self {
        let stripes = (0..STRIPES).map(|_| AtomicI64::new(now)).collect();
        Self { hashes: RandomState::new(), start: now, stripes, of_s3: Cache::new(DIRECTORIES) }
    }

    /// For the directory of a path that is empty or ends with a slash.
    #[must_use]
    pub fn latest(&self, bucket: u32, path: &str) -> NameChange {
        match self.stripe(self.hash(bucket, path)).map(|stripe| stripe.load(Ordering::Acquire)) {
            Some(then) if then > self.start => NameChange::By(then),
            _ => NameChange::Before(self.start),
        }
    }

    /// When S3 changed names in or below that directory last, if it is known.
    #[must_use]
    pub fn latest_of_s3(&self, bucket: u32, path: &str) -> Option<i64> {
        self.of_s3.get(&self.hash(bucket, path))
    }

    /// Notes what an entry does to names, if it does anything. New content of a file that a mount wrote is none.
    pub fn note(&self, entry: &Entry, now: i64) {
        let (bucket, key) = match entry {
            Entry::Put { bucket, key, record, kills, .. } | Entry::PutVersion { bucket, key, record, kills, .. } => {
                if record.posix.inode != 0 && !kills.is_empty() {
                    return;
                }
                if is_of_s3(record, now) {
                    self.note_s3(*bucket, key, now);
                    return;
                }
                (*bucket, key)
            }
            Entry::Kill { bucket, key, .. }
            | Entry::KillVersion { bucket, key, .. }
            | Entry::Marker { bucket, key, .. } => (*bucket, key),
            _ => return,
        };
        self.note_key(bucket, key, now);
    }

    /// Notes that a key came or went.
    pub fn note_key(&self, bucket: u32, key: &str, now: i64) {
        for path in directories_above(key) {
            self.note_at(self.hash(bucket, path), now);
        }
    }

    /// Notes that S3 put a key, took it away, or brought it from elsewhere, in the place of another or not.
    pub fn note_s3(&self, bucket: u32, key: &str, now: i64) {
        for path in directories_above(key) {
            let hash = self.hash(bucket, path);
            self.note_at(hash, now);
            self.of_s3.insert(hash, now);
        }
    }

    fn note_at(&self, hash: u64, now: i64) {
        if let Some(stripe) = self.stripe(hash) {
            stripe.fetch_max(now, Ordering::Release);
        }
    }

    fn hash(&self, bucket: u32, path: &str) -> u64 {
        self.hashes.hash_one((bucket, path))
    }

    fn stripe(&self, hash: u64) -> Option<&AtomicI64> {
        self.stripes.get(usize::try_from(hash % STRIPES as u64).unwrap_or_default())
    }
}

/// Whether S3 made a record just now: one that is brought from elsewhere was made before.
fn is_of_s3(record: &Record, now: i64) -> bool {
    record.posix.mode & TYPE == 0 && record.modified == now
}

/// The directories that a key is in or below, the one whose marker it is first, the bucket last.
fn directories_above(key: &str) -> impl Iterator<Item = &str> {
    let directory = |key: &str| key.rfind('/').map_or(0, |at| at + 1);
    let first = key.get(..directory(key)).unwrap_or_default();
    std::iter::successors(Some(first), move |path| {
        let above = path.strip_suffix('/')?;
        above.get(..directory(above))
    })
}
