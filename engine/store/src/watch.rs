//! Who is told of each key that changes, as soon as the change is visible.
//!
//! Concurrency: told by the commit loop, which waits for it: a watcher takes note, and nothing more.

use std::sync::{OnceLock, Weak};

use crate::journal::Entry;

/// Whoever keeps something that a change makes wrong.
pub trait Watcher: Send + Sync {
    /// Whether it keeps anything; asked with every batch.
    fn is_watching(&self) -> bool;

    /// What stands at a key, or is said of it, is another, or nothing any more.
    fn changed(&self, bucket: u32, key: &str);
}

/// Where the one that a store has is said.
#[derive(Default)]
pub struct Watched(OnceLock<Weak<dyn Watcher>>);

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl Watched {
    /// Tells of what entries did.
    pub fn tell(&self, entries: &[Entry]) {
        let watcher = self.0.get().and_then(Weak::upgrade);
        let Some(watcher) = watcher.filter(|watcher| watcher.is_watching()) else { return };
        for entry in entries {
            match entry {
                Entry::Put { bucket, key, .. }
                | Entry::PutVersion { bucket, key, .. }
                | Entry::Kill { bucket, key, .. }
                | Entry::KillVersion { bucket, key, .. }
                | Entry::Marker { bucket, key, .. }
                | Entry::Amend { bucket, key, .. } => watcher.changed(*bucket, key),
                _ => {}
            }
        }
    }
}

impl crate::Store {
    /// Says who is told; the first one stays.
    pub fn set_watcher(&self, watcher: Weak<dyn Watcher>) {
        // A second one is told nothing.
        let _ = self.inner.shared.watched.0.set(watcher);
    }
}
