//! Segments: immutable erasure-coded logical objects that hold many records.
//!
//! A *packed* segment is what a journal becomes (or compaction makes): its payload, records end to end and the TOC
//! behind them, is cut into `data` contiguous shards, so that a small record lies on one drive. A *stream* segment takes
//! large bodies as they arrive, in stripes across its shards, and its TOC says only whose bytes it has. Shared by
//! readers; nothing in a segment changes once it is sealed, and a stripe never once a commit names it.

mod info;
pub mod pack;
mod read;
pub mod rebuild;
mod scrub;
pub mod shard;
mod shards;
pub mod stream;
pub mod stripe;
mod stripes;
pub mod table;
pub mod toc;
mod wounds;

pub use info::{SegmentInfo, SegmentKind, Toc};
pub use read::{Pin, Segment};
pub use table::{Home, SegmentTable};
pub use wounds::{Wound, Wounds};

/// Where shard files stand on a drive.
pub const DIRECTORY: &str = "segments";

/// Why bytes could not be had from a segment.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    #[error("segment {segment:016x}: {healthy} of {needed} shards needed can be read")]
    TooFewShards { segment: u64, healthy: usize, needed: usize },
    #[error("segment {segment:016x}: a record's hash does not match, whichever shards it is read from")]
    Rotten { segment: u64 },
    #[error("segment {segment:016x}: {what}")]
    Malformed { segment: u64, what: String },
    #[error(transparent)]
    Erasure(#[from] crate::erasure::ErasureError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
