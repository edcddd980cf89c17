//! The change feed: what was committed, in LSN order, for whoever follows (replication, notifications, audit).
//!
//! Read from live journals and from the TOCs of segments that no compaction has touched. A follower keeps the LSN that
//! it has come to; one that asks for what is gone is told to start over from a listing.

use packstone_access::{Action, Grant};

use crate::error::Result;
use crate::journal::{Entry, Logged};
use crate::segment::{Home, SegmentKind};
use crate::store::Store;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    BucketCreated {
        bucket: u32,
        name: String,
    },
    BucketDeleted {
        name: String,
    },
    /// `record` became the current version of the key. A record that was told before only has its bytes elsewhere.
    Put {
        bucket: u32,
        key: String,
        record: u64,
        size: u64,
    },
    /// The key has no current version any more, or a delete marker stands in front of its versions.
    Deleted {
        bucket: u32,
        key: String,
    },
    /// One version ended, or a delete marker.
    VersionDeleted {
        bucket: u32,
        key: String,
        record: u64,
    },
    /// The attributes of a version changed.
    Amended {
        bucket: u32,
        key: String,
        record: u64,
    },
    /// A document came, changed, or was taken away.
    Document {
        scope: u32,
        kind: String,
        name: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub lsn: u64,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Changes after the LSN that was asked for; go on after `until`.
    Changes { changes: Vec<Change>, until: u64 },
    /// Changes before `oldest` are gone: list the buckets, then follow from `oldest`.
    Resync { oldest: u64 },
}

impl Store {
    /// Changes with LSNs above `after`, at least `limit` of them where there are so many, in whole files. Blocks.
    ///
    /// # Errors
    /// A grant for something else, or a file that can't be read.
    pub fn feed(&self, grant: &Grant, after: u64, limit: usize) -> Result<Feed> {
        grant.covers(Action::Administer)?;
        let table = self.inner.shared.table.all();
        let mut files: Vec<(u64, u64, &Home)> = table.values().filter_map(span).collect();
        files.sort_by_key(|(first, ..)| *first);
        // Files that follow each other without a gap up to the newest are whole.
        let mut oldest = files.last().map_or(0, |(first, ..)| *first);
        for (first, last, _) in files.iter().rev() {
            if last + 1 >= oldest {
                oldest = oldest.min(*first);
            }
        }
        if after + 1 < oldest {
            return Ok(Feed::Resync { oldest: oldest - 1 });
        }
        let (mut changes, mut until) = (Vec::new(), after);
        for (_, last, home) in files.into_iter().filter(|(_, last, _)| *last > after) {
            if changes.len() >= limit {
                break;
            }
            let entries = match home {
                Home::Journal(journal) => crate::sealing::entries(journal)?,
                Home::Segment(segment) => segment.read_toc()?,
            };
            // A live journal may have grown since it was looked at.
            until = entries.last().map_or(last, |logged| logged.lsn.max(last));
            changes.extend(entries.into_iter().filter(|logged| logged.lsn > after).filter_map(change));
        }
        Ok(Feed::Changes { changes, until })
    }
}

/// The LSNs of a file that holds every entry between them; `None` for one that does not.
fn span(home: &Home) -> Option<(u64, u64, &Home)> {
    use std::sync::atomic::Ordering::Acquire;
    match home {
        Home::Journal(journal) => {
            let (first, last) = (journal.first_lsn.load(Acquire), journal.last_lsn.load(Acquire));
            (first > 0).then_some((first, last, home))
        }
        Home::Segment(segment) => {
            let info = &segment.info;
            let whole = info.kind == SegmentKind::Packed && info.sources.is_empty();
            whole.then_some((info.first_lsn, info.last_lsn, home))
        }
    }
}

fn change(Logged { lsn, entry }: Logged) -> Option<Change> {
    let what = match entry {
        Entry::BucketCreate { id, name, .. } => What::BucketCreated { bucket: id, name },
        Entry::BucketDelete { name, .. } => What::BucketDeleted { name },
        Entry::Put { bucket, key, record, .. } | Entry::PutVersion { bucket, key, record, .. } => {
            What::Put { bucket, key, record: record.id, size: record.size }
        }
        Entry::Kill { bucket, key, .. } | Entry::Marker { bucket, key, .. } => What::Deleted { bucket, key },
        Entry::KillVersion { bucket, key, record, .. } => What::VersionDeleted { bucket, key, record },
        Entry::Amend { bucket, key, record, .. } => What::Amended { bucket, key, record },
        Entry::Document { scope, kind, name, .. } => What::Document { scope, kind, name },
        Entry::Live(_)
        | Entry::StreamOpen(_)
        | Entry::Sealed(_)
        | Entry::Erased { .. }
        | Entry::Placed { .. }
        | Entry::UploadOpen { .. }
        | Entry::Part { .. }
        | Entry::UploadAbort { .. }
        | Entry::Grave { .. }
        | Entry::Claims(_)
        | Entry::Checkpoint(_) => return None,
    };
    Some(Change { lsn, what })
}
