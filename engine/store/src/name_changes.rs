//! When names in directories may have changed since the node started, on whatever face.
//!
//! A directory's place is one of a fixed number of stripes, by a hash of its path: two that share one are told of each
//! other's changes. Whoever keeps names by this looks once too often, and never too seldom. A key counts for all directories
//! above it, since the first one in a directory makes that a name.
//!
//! Concurrency: written by the commit loop, after what it notes is visible; read by any.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::journal::Entry;

const STRIPES: usize = 1 << 16;

#[derive(Debug)]
pub struct NameChanges {
    hashes: RandomState,
    /// When the node started, Unix nanoseconds.
    start: i64,
    /// Unix nanoseconds; that of the start where nothing changed since.
    stripes: Box<[AtomicI64]>,
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
        Self { hashes: RandomState::new(), start: now, stripes: (0..STRIPES).map(|_| AtomicI64::new(now)).collect() }
    }

    /// For the directory of a path that is empty or ends with a slash.
    #[must_use]
    pub fn latest(&self, bucket: u32, path: &str) -> NameChange {
        match self.stripe(bucket, path).map(|stripe| stripe.load(Ordering::Acquire)) {
            Some(then) if then > self.start => NameChange::By(then),
            _ => NameChange::Before(self.start),
        }
    }

    /// Notes what an entry does to names, if it does anything. New content of a file that a mount wrote is none.
    pub fn note(&self, entry: &Entry, now: i64) {
        let (bucket, key) = match entry {
            Entry::Put { bucket, key, record, kills, .. } | Entry::PutVersion { bucket, key, record, kills, .. } => {
                if record.posix.inode != 0 && !kills.is_empty() {
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
        let mut path = key;
        while let Some((above, _)) = path.rsplit_once('/') {
            self.note_at(bucket, key.get(..=above.len()).unwrap_or_default(), now);
            path = above;
        }
        self.note_at(bucket, "", now);
    }

    fn note_at(&self, bucket: u32, path: &str, now: i64) {
        if let Some(stripe) = self.stripe(bucket, path) {
            stripe.fetch_max(now, Ordering::Release);
        }
    }

    fn stripe(&self, bucket: u32, path: &str) -> Option<&AtomicI64> {
        let hash = self.hashes.hash_one((bucket, path));
        self.stripes.get(usize::try_from(hash % STRIPES as u64).unwrap_or_default())
    }
}
