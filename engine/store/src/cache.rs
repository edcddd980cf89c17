//! The RAM cache of small records: stored bytes by record id, never plaintext, checked when they came in.

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Longer records are left to the page cache.
const LONGEST: usize = 64 << 10;
/// What an entry takes beside its bytes.
const OVERHEAD: u64 = 128;

#[derive(Clone)]
struct Weight;

impl Weighter<u64, Bytes> for Weight {
    fn weight(&self, _: &u64, stored: &Bytes) -> u64 {
        stored.len() as u64 + OVERHEAD
    }
}

pub struct RecordCache(Option<Cache<u64, Bytes, Weight>>);

impl std::fmt::Debug for RecordCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordCache").finish_non_exhaustive()
    }
}

impl RecordCache {
    /// A cache of at most `bytes`; of 0 it holds nothing.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / 4096).unwrap_or(usize::MAX);
        Self((bytes > 0).then(|| Cache::with_weighter(items, bytes, Weight)))
    }

    #[must_use]
    pub fn get(&self, record: u64) -> Option<Bytes> {
        self.0.as_ref()?.get(&record)
    }

    pub fn insert(&self, record: u64, stored: &Bytes) {
        if let Some(cache) = self.0.as_ref().filter(|_| stored.len() <= LONGEST) {
            cache.insert(record, stored.clone());
        }
    }

    /// Hits and misses since start.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        self.0.as_ref().map_or((0, 0), |cache| (cache.hits(), cache.misses()))
    }
}
