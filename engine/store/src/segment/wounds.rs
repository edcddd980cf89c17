//! Shards that should be there and aren't, or aren't what they should be.

use std::collections::BTreeSet;

use parking_lot::Mutex;

/// One shard of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wound {
    pub segment: u64,
    pub shard: usize,
}

/// What reads and scrubbing found, each once. Its lock is a leaf.
#[derive(Debug, Default)]
pub struct Wounds(Mutex<BTreeSet<Wound>>);

impl Wounds {
    pub fn add(&self, wound: Wound) {
        self.0.lock().insert(wound);
    }

    /// Takes one out again that was healed.
    pub fn forget(&self, wound: Wound) {
        self.0.lock().remove(&wound);
    }

    /// All of them, to be healed; what is found again from here on is new.
    #[must_use]
    pub fn take(&self) -> BTreeSet<Wound> {
        std::mem::take(&mut *self.0.lock())
    }
}
