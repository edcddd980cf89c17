//! The journal: the node's write-ahead log, in files that stand on M+1 drives each.
//!
//! One thread at a time writes (the commit loop); readers share [`file::Journal`] and see a batch only once the index
//! does. A file is [`header`] and then batches, each on whole blocks; see `docs/format.md`. States of a file: *current*
//! (batches are added), *closed* (waiting to be sealed), *spare* (sealed, its blocks kept, zero-filled or stale, to be
//! given a new id). What a crash leaves: batches that every copy holds, and at most one that only some do; recovery
//! (`merge`) keeps whatever is whole on any copy.

pub mod batch;
pub mod entry;
pub mod file;
pub mod merge;
pub mod spare;

pub use batch::{BatchHeader, Chain};
pub use entry::{Claim, Entry, JournalInfo, LiveSet, Manifest, Removed, Target};
pub use file::Journal;

/// Where journal files stand on a drive.
pub const DIRECTORY: &str = "journal";

/// An entry with what the batch around it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub lsn: u64,
    pub entry: Entry,
}
