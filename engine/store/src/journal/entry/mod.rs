//! Entries: what a journal holds, one outcome each.
//!
//! Every entry is known by its LSN for ever, and stands at home in one file at a time: the journal it was committed to,
//! the segment that journal became, or the segment that compaction carried it to. An entry is *live* until another one
//! names it among its kills. The index is a function of the live entries, whatever order they are read in, so nothing
//! that is dead can come back as long as a kill outlives what it kills:
//!
//! * a kill is carried until no file can hold its target (`compaction` has the rule);
//! * where one LSN stands in two live files, the copy in the younger one (higher id) counts.

mod code;
mod live;
mod manifest;

use crate::drive::DriveNumber;
use crate::index::{Place, Space, keys};
use crate::record::Record;
use crate::segment::SegmentInfo;
use crate::version::VersionId;

pub use live::{JournalInfo, LiveSet};
pub use manifest::Manifest;

/// Names the entry that dies, by its LSN, and a file that holds something of it: its home when its end was decided, or
/// a stream segment with its bytes. A kill has one target for each such file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub file: u64,
    pub lsn: u64,
}

/// That an entry has bytes in a stream segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub lsn: u64,
    pub bytes: u64,
}

/// What a kill takes out of its bucket's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Removed {
    /// 1 where an object ends, else 0.
    pub objects: u32,
    /// Its bytes as the client sent them.
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Live(LiveSet),
    /// A stream segment may be written from here on.
    StreamOpen(SegmentInfo),
    /// The segment is whole and durable on its drives. For a journal's segment: in place of the journal.
    Sealed(SegmentInfo),
    /// The segment is no more; its files may go.
    Erased {
        id: u64,
    },
    /// A shard of a sealed segment stands on this drive from here on, whole and durable.
    Placed {
        id: u64,
        shard: u8,
        drive: DriveNumber,
    },
    BucketCreate {
        id: u32,
        name: String,
        created: i64,
    },
    BucketDelete {
        name: String,
        kills: Vec<Target>,
    },
    /// A version of an object becomes current. `kills` holds the version it replaced, or the upload and parts that it
    /// was made of, or both.
    Put {
        bucket: u32,
        key: String,
        /// The upload it completes; 0 for none.
        upload: u128,
        record: Record,
        removed: Removed,
        kills: Vec<Target>,
    },
    /// The current version of a key ends.
    Kill {
        bucket: u32,
        key: String,
        removed: Removed,
        kills: Vec<Target>,
    },
    UploadOpen {
        bucket: u32,
        key: String,
        upload: u128,
        initiated: i64,
        attributes: Vec<u8>,
    },
    Part {
        bucket: u32,
        key: String,
        upload: u128,
        number: u16,
        record: Record,
        kills: Vec<Target>,
    },
    UploadAbort {
        bucket: u32,
        key: String,
        upload: u128,
        kills: Vec<Target>,
    },
    /// What is left of a dead entry whose targets may still be somewhere: its kills.
    Grave {
        kills: Vec<Target>,
    },
    /// The table of contents of a stream segment: every entry that ever had bytes in it.
    Claims(Vec<Claim>),
    /// The table of contents of a checkpoint.
    Checkpoint(Manifest),
    /// A document stands under (scope, kind, name) from here on, in place of the one that `kills` names, or none does.
    Document {
        /// The bucket that it belongs to and dies with; 0 for the node.
        scope: u32,
        kind: String,
        name: String,
        value: Option<Vec<u8>>,
        kills: Vec<Target>,
    },
    /// A version of an object comes in a bucket that keeps versions, and is the newest; one that stands already (by its
    /// record's id) is only stated anew. `kills` holds what it replaced and the upload that it was made of.
    PutVersion {
        bucket: u32,
        key: String,
        /// The upload it completes; 0 for none.
        upload: u128,
        version: VersionId,
        record: Record,
        /// The record of the null version whose place it takes; 0 for none.
        replaces: u64,
        removed: Removed,
        kills: Vec<Target>,
    },
    /// A delete marker is the newest version.
    Marker {
        bucket: u32,
        key: String,
        version: VersionId,
        /// Its own LSN: versions of a key are in order of these.
        record: u64,
        modified: i64,
        /// As in `PutVersion`.
        replaces: u64,
        removed: Removed,
        kills: Vec<Target>,
    },
    /// One version of a key ends, or a delete marker.
    KillVersion {
        bucket: u32,
        key: String,
        record: u64,
        /// The record of the version that is current after it, where another one was; else 0.
        promoted: u64,
        removed: Removed,
        kills: Vec<Target>,
    },
    /// The attributes of a version are these from here on; `kills` holds the amendment before.
    Amend {
        bucket: u32,
        key: String,
        record: u64,
        /// Whole and encoded.
        attributes: Vec<u8>,
        kills: Vec<Target>,
    },
}

impl Entry {
    /// The entries that this one ends.
    #[must_use]
    pub fn kills(&self) -> &[Target] {
        match self {
            Self::Put { kills, .. }
            | Self::PutVersion { kills, .. }
            | Self::Marker { kills, .. }
            | Self::Kill { kills, .. }
            | Self::KillVersion { kills, .. }
            | Self::Amend { kills, .. }
            | Self::Part { kills, .. }
            | Self::Document { kills, .. }
            | Self::BucketDelete { kills, .. }
            | Self::UploadAbort { kills, .. }
            | Self::Grave { kills } => kills,
            Self::Live(_)
            | Self::StreamOpen(_)
            | Self::Sealed(_)
            | Self::Erased { .. }
            | Self::Placed { .. }
            | Self::BucketCreate { .. }
            | Self::UploadOpen { .. }
            | Self::Claims(_)
            | Self::Checkpoint(_) => &[],
        }
    }

    /// Replaces what it ends; nothing for entries that end nothing.
    pub fn set_kills(&mut self, with: Vec<Target>) {
        match self {
            Self::Put { kills, .. }
            | Self::PutVersion { kills, .. }
            | Self::Marker { kills, .. }
            | Self::Kill { kills, .. }
            | Self::KillVersion { kills, .. }
            | Self::Amend { kills, .. }
            | Self::Part { kills, .. }
            | Self::Document { kills, .. }
            | Self::BucketDelete { kills, .. }
            | Self::UploadAbort { kills, .. }
            | Self::Grave { kills } => *kills = with,
            Self::Live(_)
            | Self::StreamOpen(_)
            | Self::Sealed(_)
            | Self::Erased { .. }
            | Self::Placed { .. }
            | Self::BucketCreate { .. }
            | Self::UploadOpen { .. }
            | Self::Claims(_)
            | Self::Checkpoint(_) => {}
        }
    }

    /// The record that it brings.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Put { record, .. } | Self::PutVersion { record, .. } | Self::Part { record, .. } => Some(record),
            _ => None,
        }
    }

    pub fn record_mut(&mut self) -> Option<&mut Record> {
        match self {
            Self::Put { record, .. } | Self::PutVersion { record, .. } | Self::Part { record, .. } => Some(record),
            _ => None,
        }
    }

    /// Whether it states something that lasts until another entry ends it. The others live by their kills alone, or by
    /// the live set that repeats them.
    #[must_use]
    pub fn lasts(&self) -> bool {
        match self {
            Self::BucketCreate { .. }
            | Self::Put { .. }
            | Self::PutVersion { .. }
            | Self::Marker { .. }
            | Self::Amend { .. }
            | Self::UploadOpen { .. }
            | Self::Part { .. } => true,
            Self::Document { value, .. } => value.is_some(),
            Self::Live(_)
            | Self::StreamOpen(_)
            | Self::Sealed(_)
            | Self::Erased { .. }
            | Self::Placed { .. }
            | Self::BucketDelete { .. }
            | Self::Kill { .. }
            | Self::KillVersion { .. }
            | Self::UploadAbort { .. }
            | Self::Grave { .. }
            | Self::Claims(_)
            | Self::Checkpoint(_) => false,
        }
    }

    /// Where the index holds what it brings, for those that last.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let version = |bucket: u32, key: &str, record: u64| Place::Version { bucket, key: key.to_owned(), record };
        let row = match self {
            Self::Put { bucket, key, record, .. } | Self::PutVersion { bucket, key, record, .. } => {
                return Some(version(*bucket, key, record.id));
            }
            Self::Marker { bucket, key, record, .. } => return Some(version(*bucket, key, *record)),
            Self::Amend { bucket, key, record, .. } => {
                return Some(Place::Amendment { bucket: *bucket, key: key.clone(), record: *record });
            }
            Self::Part { upload, number, .. } => (Space::Uploads, keys::part(*upload, *number)),
            Self::UploadOpen { bucket, key, upload, .. } => (Space::Uploads, keys::upload(*bucket, key, *upload)),
            Self::BucketCreate { name, .. } => (Space::Buckets, name.as_bytes().to_vec()),
            Self::Document { scope, kind, name, value: Some(_), .. } => {
                (Space::Documents, keys::document(*scope, kind, name))
            }
            _ => return None,
        };
        Some(Place::Row(row.0, row.1))
    }
}
