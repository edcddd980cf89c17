//! The index: the sorted map from (bucket, key) to records, derived from journals and TOCs.
//!
//! Written by the commit loop alone, in atomic batches that carry their LSN into every space; read through snapshots
//! only. It stands behind a trait of its own because its I/O does not pass through `Drive`, and so that the simulator can
//! lose its tail. Nothing here is truth: an index that will not open, or has lost its tail beyond the journals, is made
//! anew.

pub mod apply;
pub mod fjall;
pub mod keys;
pub mod list;
#[cfg(any(test, feature = "simulator"))]
pub mod memory;
pub mod names;
mod namespace;
pub mod place;
pub mod redirect;
pub mod row;
pub mod tallies;

use std::fmt::Debug;
use std::ops::{Bound, Deref};

pub use namespace::Namespace;
pub use place::Place;
pub use row::{Mark, Row};

#[derive(Debug, thiserror::Error)]
#[error("index: {0}")]
pub struct IndexError(pub String);

pub type IndexResult<T> = Result<T, IndexError>;

/// The key spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// (bucket, key) → [`Row`] of the newest version, if that is an object.
    Current,
    /// Inode → (bucket, key) of every current version that has it; see [`names`]. Record → (bucket, key) of every version
    /// that waits for its lock.
    Inodes,
    /// (bucket, key, version) → [`Row`] of every other version and every delete marker; see [`keys`].
    Versions,
    /// (content, number) → extents of a row that has too many to stand in it, and the checksums of its parts.
    Extents,
    /// (bucket, key, upload) → upload, and (upload, part) → part; see [`keys`].
    Uploads,
    /// Name → bucket.
    Buckets,
    /// (scope, kind, name) → document; scope is a bucket, or 0 for the node.
    Documents,
    /// (file, LSN) → the LSN that ended it: what is dead in each file.
    Dead,
    /// Counters of buckets and of segments.
    Tallies,
}

impl Space {
    pub const ALL: [Self; 9] = [
        Self::Current,
        Self::Inodes,
        Self::Versions,
        Self::Extents,
        Self::Uploads,
        Self::Buckets,
        Self::Documents,
        Self::Dead,
        Self::Tallies,
    ];

    /// How a checkpoint names it, for ever: in the order of [`Self::ALL`].
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Current => 1,
            Self::Inodes => 2,
            Self::Versions => 3,
            Self::Extents => 4,
            Self::Uploads => 5,
            Self::Buckets => 6,
            Self::Documents => 7,
            Self::Dead => 8,
            Self::Tallies => 9,
        }
    }

    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|space| space.code() == code)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Inodes => "inodes",
            Self::Versions => "versions",
            Self::Extents => "extents",
            Self::Uploads => "uploads",
            Self::Buckets => "buckets",
            Self::Documents => "documents",
            Self::Dead => "dead",
            Self::Tallies => "tallies",
        }
    }
}

/// Bytes out of the index.
#[derive(Clone, Debug)]
pub enum Value {
    Fjall(::fjall::Slice),
    Owned(Vec<u8>),
}

impl Deref for Value {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Fjall(slice) => slice,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Writes that become visible together.
#[derive(Debug, Default)]
pub struct IndexBatch {
    /// `None` removes. A later write of a key wins.
    pub writes: Vec<(Space, Vec<u8>, Option<Vec<u8>>)>,
}

impl IndexBatch {
    pub fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.writes.push((space, key, Some(value)));
    }
    pub fn remove(&mut self, space: Space, key: Vec<u8>) {
        self.writes.push((space, key, None));
    }
}

pub type Pairs<'a> = Box<dyn Iterator<Item = IndexResult<(Value, Value)>> + 'a>;

/// One state of the whole index.
pub trait Snapshot: Send {
    /// # Errors
    /// A fault of the index, as for every method here.
    fn get(&self, space: Space, key: &[u8]) -> IndexResult<Option<Value>>;
    /// Pairs in order of their keys.
    fn range(&self, space: Space, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Pairs<'_>;

    /// Pairs whose key begins with `prefix`.
    fn prefix(&self, space: Space, prefix: &[u8]) -> Pairs<'_> {
        match keys::after_prefix(prefix) {
            Some(end) => self.range(space, Bound::Included(prefix), Bound::Excluded(&end)),
            None => self.range(space, Bound::Included(prefix), Bound::Unbounded),
        }
    }
}

pub trait Index: Send + Sync + Debug {
    fn snapshot(&self) -> Box<dyn Snapshot>;
    /// Applies a batch, whole or not at all; durable only after [`Self::persist`].
    ///
    /// # Errors
    /// A fault of the index, as for every method here.
    fn write(&self, batch: IndexBatch) -> IndexResult<()>;
    /// Puts many pairs into a space, whose keys ascend and none of which is there. Not one batch: an index that is being filled
    /// must be marked as unfinished, durably.
    ///
    /// # Errors
    /// A fault of the index, which leaves some of them there.
    fn fill(&self, space: Space, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> IndexResult<()>;
    /// Makes everything written so far durable.
    fn persist(&self) -> IndexResult<()>;
    /// Drops what deletes left behind in a space, so that scans don't pass over it again.
    fn compact(&self, space: Space) -> IndexResult<()>;
    /// Bytes on its drive.
    fn disk_space(&self) -> u64;
}
