//! Counters as a batch is changing them, read from the index when first needed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::row::{BucketTally, FileTally};
use super::{IndexBatch, IndexResult, Snapshot, Space, keys};
use crate::record::Extent;

#[derive(Debug, Default)]
pub struct Tallies {
    buckets: HashMap<u32, BucketTally>,
    files: HashMap<u64, FileTally>,
}

/// The counters of a bucket in the index.
///
/// # Errors
/// A fault of the index.
pub fn read(snapshot: &dyn Snapshot, bucket: u32) -> IndexResult<BucketTally> {
    let held = snapshot.get(Space::Tallies, &keys::bucket_tally(bucket))?;
    Ok(held.map(|value| BucketTally::decode(&value)).transpose()?.unwrap_or_default())
}

impl Tallies {
    /// The counters of a bucket.
    ///
    /// # Errors
    /// A fault of the index, as for every method here.
    pub fn bucket(&mut self, snapshot: &dyn Snapshot, bucket: u32) -> IndexResult<&mut BucketTally> {
        match self.buckets.entry(bucket) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(read(snapshot, bucket)?)),
        }
    }

    /// The counters of a bucket as they stand, which nothing here is to change.
    pub fn of_bucket(&self, snapshot: &dyn Snapshot, bucket: u32) -> IndexResult<BucketTally> {
        match self.buckets.get(&bucket) {
            Some(held) => Ok(*held),
            None => read(snapshot, bucket),
        }
    }

    /// The counters of a file.
    pub fn file(&mut self, snapshot: &dyn Snapshot, file: u64) -> IndexResult<&mut FileTally> {
        match self.files.entry(file) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(place) => {
                let held = snapshot.get(Space::Tallies, &keys::file_tally(file))?;
                Ok(place.insert(held.map(|value| FileTally::decode(&value)).transpose()?.unwrap_or_default()))
            }
        }
    }

    /// Adds what extents claim of their files, or takes it away.
    pub fn claim(&mut self, snapshot: &dyn Snapshot, extents: &[Extent], adds: bool) -> IndexResult<()> {
        for extent in extents {
            let tally = self.file(snapshot, extent.segment)?;
            tally.live = if adds { tally.live + extent.length } else { tally.live.saturating_sub(extent.length) };
        }
        Ok(())
    }

    /// Forgets a file that is no more.
    pub fn forget(&mut self, file: u64) {
        self.files.remove(&file);
    }

    /// Forgets a bucket that is no more.
    pub fn forget_bucket(&mut self, bucket: u32) {
        self.buckets.remove(&bucket);
    }

    /// Writes what has changed.
    pub fn write(self, batch: &mut IndexBatch) {
        for (bucket, tally) in self.buckets {
            batch.put(Space::Tallies, keys::bucket_tally(bucket), tally.encode());
        }
        for (file, tally) in self.files {
            batch.put(Space::Tallies, keys::file_tally(file), tally.encode());
        }
    }
}
