//! Where the bytes of each live file are read from.
//!
//! Readers take a copy of an entry and so pin what it points at; writers replace the whole map. A journal's entry gives
//! way to its segment's under the same id, so an extent that was looked up before stays right. A sealed stream's entry
//! takes the place of the open one's and shares its [`Pin`]: whoever holds either holds the shard files.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Segment;
use crate::journal::Journal;
use crate::record::Extent;

#[derive(Clone, Debug)]
pub enum Home {
    Journal(Arc<Journal>),
    Segment(Arc<Segment>),
}

impl Home {
    /// A whole small record from the page cache, checked; `None` where it takes more than that.
    #[must_use]
    pub fn read_cached(&self, extent: &Extent) -> Option<Vec<u8>> {
        match self {
            Self::Journal(journal) => journal.read_cached(extent),
            Self::Segment(segment) => segment.read_cached(extent),
        }
    }
}

#[derive(Debug, Default)]
pub struct SegmentTable(ArcSwap<HashMap<u64, Home>>);

impl SegmentTable {
    #[must_use]
    pub fn get(&self, id: u64) -> Option<Home> {
        self.0.load().get(&id).cloned()
    }

    pub fn insert(&self, id: u64, home: &Home) {
        self.insert_all(&[(id, home.clone())]);
    }

    pub fn insert_all(&self, homes: &[(u64, Home)]) {
        self.0.rcu(|held| {
            let mut next = HashMap::clone(held);
            next.extend(homes.iter().cloned());
            next
        });
    }

    pub fn remove(&self, id: u64) {
        self.0.rcu(|held| {
            let mut next = HashMap::clone(held);
            next.remove(&id);
            next
        });
    }

    /// The sealed segments, by id.
    #[must_use]
    pub fn sealed(&self) -> Vec<Arc<Segment>> {
        let table = self.0.load();
        let sealed = table.values().filter_map(|home| match home {
            Home::Segment(segment) if segment.info.sealed => Some(segment.clone()),
            _ => None,
        });
        let mut sealed: Vec<_> = sealed.collect();
        sealed.sort_by_key(|segment| segment.info.id);
        sealed
    }

    /// All of it, as it stands.
    #[must_use]
    pub fn all(&self) -> Arc<HashMap<u64, Home>> {
        self.0.load_full()
    }
}
