//! What may be asked of the commit loop, and what it answers.

use bytes::Bytes;

use crate::checksum::Hash;
use crate::configuration::MAX_DOCUMENTS;
use crate::drive::DriveNumber;
use crate::index::{Place, Row};
use crate::object::append::Appended;
use crate::object::attributes::MAX_ENCODED;
use crate::object::merge::Merged;
use crate::object::{
    AttributeChange, Bucket, Checksum, Deleted, Etag, Kept, MAX_PATH, NamedPart, NewDocument, PartChecksums,
    Precondition, RenameTerms, Replaces, Rewritten, StoredCopy, StreamedCopy, TreeMove, UploadId,
};
use crate::pool::Pool;
use crate::record::{Compression, Extent, Posix};
use crate::recovery::admission::Admission;
use crate::segment::SegmentInfo;
use crate::version::VersionId;

/// A record before it has an id.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Bytes as the client sent them.
    pub size: u64,
    pub compression: Compression,
    /// As in the record.
    pub dictionary: u32,
    /// As in the record.
    pub key_id: u32,
    /// As in the record.
    pub posix: Posix,
    /// Encoded.
    pub attributes: Vec<u8>,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub enum Body {
    /// Stored bytes that the journal takes.
    Small { stored: Bytes, hash: Hash },
    /// Stored bytes that are durable in stream segments already.
    Streamed(Vec<Extent>),
}

/// A record that compaction copied: its entry stands in `to` now as well.
#[derive(Clone, Debug)]
pub struct Relocation {
    pub place: Place,
    pub lsn: u64,
    pub from: u64,
    pub to: u64,
    /// Where its bytes are now; `None` for an entry that has no record.
    pub extents: Option<Vec<Extent>>,
}

/// Other names of the file that an operation is about, as they were when it was asked for: each takes an entry, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    pub names: usize,
    /// Bytes of their keys and attributes.
    pub bytes: usize,
}

impl Beside {
    /// Bytes of their entries, each with so many beside its key and attributes.
    fn weight(self, each: usize) -> usize {
        self.bytes + self.names * (1024 + each)
    }
}

#[derive(Clone, Debug)]
pub enum Op {
    /// The bucket with its first documents, all or nothing.
    CreateBucket {
        name: String,
        documents: Vec<NewDocument>,
    },
    DeleteBucket {
        name: String,
    },
    PutDocument {
        /// A bucket; 0 for the node.
        scope: u32,
        kind: String,
        name: String,
        /// `None` takes it away.
        value: Option<Bytes>,
        replaces: Replaces,
    },
    Put {
        bucket: u32,
        key: String,
        draft: Draft,
        precondition: Precondition,
    },
    /// Makes a body the content of a file.
    Rewrite {
        bucket: u32,
        key: String,
        place: Rewritten,
        draft: Draft,
        /// What stays of the version that is there; `None` where the body is all.
        kept: Option<Kept>,
        beside: Beside,
    },
    /// Has runs of pieces of a file be one piece each, of the same bytes.
    Merge {
        bucket: u32,
        key: String,
        merged: Merged,
        beside: Beside,
    },
    /// Makes a body the end of what is there.
    Append {
        bucket: u32,
        key: String,
        appended: Appended,
        draft: Draft,
        precondition: Precondition,
    },
    Delete {
        bucket: u32,
        key: String,
        /// `None`: as S3 deletes without a version, by the bucket's versioning.
        version: Option<VersionId>,
        precondition: Precondition,
        /// Who asks, if they may end what GOVERNANCE holds.
        bypass: Option<String>,
        /// Bytes of what is said of the version that is current afterwards.
        returning: usize,
    },
    /// Makes the current version of a key that of another one.
    Rename {
        bucket: u32,
        source: String,
        destination: String,
        terms: Box<RenameTerms>,
        /// Of a small record, whose bytes live with its entry.
        copy: Option<StoredCopy>,
        /// Of a record in streams that stays as an older version.
        streamed: Option<StreamedCopy>,
        /// How many extents the source had when it was asked for.
        extents: usize,
    },
    /// Makes every current version below one path that of the same place below another.
    RenameTree {
        bucket: u32,
        tree: TreeMove,
        /// Of the small records among them.
        copies: Vec<StoredCopy>,
        /// How many extents they had together.
        extents: usize,
    },
    /// The same for any number of them: in effect at once, and carried out by [`Op::Bring`].
    Redirect {
        bucket: u32,
        from: String,
        to: String,
    },
    /// Moves rows that redirects of a bucket are about; those that are not as they were said to be stay where they are.
    Bring {
        bucket: u32,
        /// Keys, and where their rows go.
        moves: Vec<(String, String)>,
        /// Of the small records among them.
        copies: Vec<StoredCopy>,
        /// How many extents they had together.
        extents: usize,
    },
    /// Makes a key one more name of the file whose inode number the current version of another key has.
    Link {
        bucket: u32,
        source: String,
        destination: String,
        inode: u64,
        /// Of a small record, whose bytes live with its entry.
        copy: Option<StoredCopy>,
        /// How many extents the source had when it was asked for.
        extents: usize,
        beside: Beside,
    },
    Amend {
        bucket: u32,
        key: String,
        /// `None` for the current one.
        version: Option<VersionId>,
        change: AttributeChange,
        actor: String,
        /// Whether the actor may loosen what GOVERNANCE holds.
        bypass: bool,
        beside: Beside,
    },
    OpenUpload {
        bucket: u32,
        key: String,
        upload: UploadId,
        attributes: Vec<u8>,
    },
    PutPart {
        bucket: u32,
        key: String,
        upload: UploadId,
        number: u16,
        draft: Draft,
    },
    CompleteUpload {
        bucket: u32,
        key: String,
        upload: UploadId,
        parts: Vec<NamedPart>,
        etag: Etag,
        checksum: Option<Checksum>,
        /// Of the object that it makes.
        posix: Posix,
        precondition: Precondition,
    },
    AbortUpload {
        bucket: u32,
        key: String,
        upload: UploadId,
    },
    /// Aborts an upload if it was opened so long ago, in nanoseconds.
    AbandonUpload {
        bucket: u32,
        key: String,
        upload: UploadId,
        age: i64,
    },
    /// A stream's shard files are there: it may be written.
    OpenStream(SegmentInfo),
    /// A segment is durable; a packed one without sources is what the journal of its id became.
    Sealed(SegmentInfo),
    /// Segments that compaction made of the same sources are durable: all of them take their place, or none.
    Compacted(Vec<SegmentInfo>),
    /// A shard of a sealed segment is whole and durable on that drive: it is read there from here on.
    Place {
        id: u64,
        shard: usize,
        drive: DriveNumber,
    },
    /// Nothing in the segment lives: it may go.
    Erase {
        id: u64,
    },
    /// States a record anew whose stream bytes compaction copied, if it is still what was copied.
    Restate(Relocation),
    /// Compare-and-set of rows on (LSN, from); touches the index alone.
    Relocate(Vec<Relocation>),
    /// Closes the current journal, if it holds anything, so that it can be sealed.
    CloseJournal,
    /// A user approves that the compliance clock go on to a time, Unix nanoseconds.
    ApproveTime {
        actor: String,
        /// By the id that no other user ever has.
        user: String,
        time: i64,
    },
    /// Keeps the compliance clock's reading on every drive in use.
    KeepTime,
    /// Takes a drive into use that was examined.
    Admit(Box<Admission>),
    /// Takes a pool into use that has no drives yet.
    OpenPool(Pool),
    /// Has a drive that holds nothing be none of the appliance's any more.
    Dismiss {
        number: DriveNumber,
    },
}

impl Op {
    /// Whether it must be decided in a batch of its own: it asks about rows that other verbs of one batch may change
    /// without the index showing it yet.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        matches!(
            self,
            Self::CreateBucket { .. }
                | Self::DeleteBucket { .. }
                | Self::PutDocument { .. }
                | Self::CompleteUpload { .. }
                | Self::AbortUpload { .. }
                | Self::AbandonUpload { .. }
                | Self::RenameTree { .. }
                | Self::Redirect { .. }
                | Self::Relocate(_)
                | Self::CloseJournal
                | Self::ApproveTime { .. }
                | Self::KeepTime
                | Self::Admit(_)
                | Self::OpenPool(_)
                | Self::Dismiss { .. }
        )
    }

    /// The bucket and keys whose current versions it is about, where it names them one by one.
    #[must_use]
    pub fn keys(&self) -> Option<(u32, Vec<&str>)> {
        match self {
            Self::Put { bucket, key, .. }
            | Self::Rewrite { bucket, key, .. }
            | Self::Merge { bucket, key, .. }
            | Self::Append { bucket, key, .. }
            | Self::Delete { bucket, key, .. }
            | Self::Amend { bucket, key, .. }
            | Self::CompleteUpload { bucket, key, .. } => Some((*bucket, vec![key])),
            Self::Rename { bucket, source, destination, .. } | Self::Link { bucket, source, destination, .. } => {
                Some((*bucket, vec![source, destination]))
            }
            _ => None,
        }
    }

    /// Whether it asks for space that comes back to nobody.
    #[must_use]
    pub fn grows(&self) -> bool {
        match self {
            Self::CreateBucket { .. }
            | Self::Put { .. }
            | Self::Rewrite { .. }
            | Self::Merge { .. }
            | Self::Append { .. }
            | Self::Link { .. }
            | Self::OpenUpload { .. }
            | Self::PutPart { .. } => true,
            Self::Rename { copy, streamed, .. } => copy.is_some() || streamed.is_some(),
            Self::RenameTree { copies, .. } | Self::Bring { copies, .. } => !copies.is_empty(),
            Self::PutDocument { value, .. } => value.is_some(),
            // What loosens a lock makes the ledger grow.
            Self::Amend { change, bypass, .. } => match change {
                AttributeChange::Tags(_)
                | AttributeChange::Acl(_)
                | AttributeChange::LegalHold(false)
                | AttributeChange::File(_)
                | AttributeChange::Names(_)
                | AttributeChange::Extended(..) => true,
                AttributeChange::Retention(_) => *bypass,
                AttributeChange::LegalHold(true) | AttributeChange::Lock => false,
            },
            _ => false,
        }
    }

    /// Bytes that its entry and data take in the journal at most.
    #[must_use]
    pub fn weight(&self) -> u64 {
        const FIXED: u64 = 512;
        // Attributes of one object among many: few come near the most that they may have.
        const TREE_ATTRIBUTES: usize = 4096;
        // An extent, the file that a kill names for it, and the checksum of its part.
        const NAMED: usize = Extent::ENCODED + 16 + PartChecksums::MOST;
        let extents_of = |draft: &Draft| match &draft.body {
            Body::Small { .. } => 1,
            Body::Streamed(extents) => extents.len(),
        };
        let of_draft = |draft: &Draft| {
            draft.attributes.len() as u64
                + match &draft.body {
                    Body::Small { stored, .. } => stored.len() as u64,
                    // Every extent may be another file that the next kill names.
                    Body::Streamed(extents) => (extents.len() * (Extent::ENCODED + 16)) as u64,
                }
        };
        let of_segment = |info: &SegmentInfo| 256 + info.sources.len() as u64 * 8;
        FIXED
            + match self {
                Self::Put { key, draft, .. } | Self::PutPart { key, draft, .. } => key.len() as u64 + of_draft(draft),
                Self::Rewrite { key, draft, kept, beside, .. } => {
                    let named = kept.as_ref().map_or(0, |kept| kept.extents);
                    let others = beside.weight((named + extents_of(draft)) * (Extent::ENCODED + 16));
                    (key.len() + MAX_ENCODED + 4096 + named * (Extent::ENCODED + 16) + others) as u64 + of_draft(draft)
                }
                Self::Append { key, appended, draft, .. } => {
                    let named = appended.base.as_ref().map_or(0, |base| base.extents + base.streamed.len());
                    let others = appended
                        .base
                        .as_ref()
                        .map_or(0, |base| base.beside.weight((named + extents_of(draft)) * (Extent::ENCODED + 16)));
                    (key.len() + MAX_ENCODED + 4096 + named * (Extent::ENCODED + 16) + others) as u64 + of_draft(draft)
                }
                Self::Merge { key, merged, beside, .. } => {
                    let named = merged.extents * (Extent::ENCODED + 16);
                    (key.len() + MAX_ENCODED + 4096 + named + beside.weight(named)) as u64
                }
                Self::OpenUpload { key, attributes, .. } => (key.len() + attributes.len()) as u64,
                // Extents, up to three targets and a checksum for each part.
                Self::CompleteUpload { key, .. } => key.len() as u64 + (200 << 10) + 10_000 * 232,
                Self::AbortUpload { .. } | Self::AbandonUpload { .. } => 10_000 * 48,
                Self::Delete { key, bypass, returning, .. } => {
                    let returns = if *returning > 0 { returning + key.len() + 512 } else { 0 };
                    (2 * key.len() + bypass.as_ref().map_or(0, String::len) + returns) as u64 + 4096
                }
                Self::Rename { copy, streamed, extents, .. } => {
                    let stored = copy.as_ref().map_or(0, |copy| copy.stored.len());
                    let extents = extents + streamed.as_ref().map_or(0, |streamed| streamed.extents.len());
                    (2 * MAX_PATH + MAX_ENCODED + 4096 + stored + extents * NAMED) as u64
                }
                Self::Link { copy, extents, beside, .. } => {
                    let stored = copy.as_ref().map_or(0, |copy| copy.stored.len());
                    (2 * (MAX_PATH + MAX_ENCODED) + stored + extents * NAMED + beside.weight(0)) as u64
                }
                Self::RenameTree { tree: TreeMove { moves, .. }, copies, extents, .. }
                | Self::Bring { moves, copies, extents, .. } => {
                    let stored: usize = copies.iter().map(|copy| copy.stored.len()).sum();
                    let keys: usize = moves.iter().map(|(from, to)| from.len() + to.len()).sum();
                    let entries = keys + moves.len() * (TREE_ATTRIBUTES + 1024);
                    (entries + stored + extents * NAMED) as u64
                }
                Self::Redirect { from, to, .. } => (2 * (from.len() + to.len())) as u64 + (200 << 10),
                Self::Amend { key, actor, change, beside, .. } => {
                    let others = beside.weight(change.weight());
                    (2 * key.len() + actor.len() + MAX_ENCODED + others) as u64
                }
                Self::PutDocument { kind, name, value, .. } => {
                    (kind.len() + name.len() + value.as_ref().map_or(0, Bytes::len)) as u64
                }
                Self::Restate(step) => {
                    (MAX_PATH + MAX_ENCODED + step.extents.as_ref().map_or(0, Vec::len) * NAMED) as u64
                }
                Self::OpenStream(info) | Self::Sealed(info) => of_segment(info),
                Self::Compacted(infos) => infos.iter().map(|info| FIXED + of_segment(info)).sum(),
                Self::CreateBucket { documents, .. } => documents.iter().map(NewDocument::weight).sum(),
                Self::ApproveTime { actor, .. } => actor.len() as u64 + (64 << 10),
                Self::DeleteBucket { .. } => (MAX_DOCUMENTS * 16) as u64,
                Self::Place { .. }
                | Self::Erase { .. }
                | Self::Relocate(_)
                | Self::CloseJournal
                | Self::KeepTime
                | Self::Admit(_)
                | Self::OpenPool(_)
                | Self::Dismiss { .. } => 0,
            }
    }
}

/// What stands in the way of an operation, which is to be asked for again.
#[derive(Clone, Debug)]
pub struct Unmoved {
    pub bucket: u32,
    /// Keys, and where their rows go.
    pub moves: Vec<(String, String)>,
    /// The operation, given back.
    pub op: Option<Box<Op>>,
}

#[derive(Clone, Debug)]
pub enum Outcome {
    Done,
    Bucket(Bucket),
    /// The version that became current or was amended, or the part.
    Stored(Row),
    Deleted(Deleted),
    /// The document's LSN; 0 where none stands any more.
    Document(u64),
    /// How many rows were moved.
    Moved(usize),
    /// Nothing was decided: rows must be brought first to where they have been renamed to.
    Unmoved(Unmoved),
    /// Whether the segment is still there, and has no other shard on that drive.
    Placed(bool),
    /// Whether the compliance clock goes on.
    Approved {
        second: bool,
    },
    /// Whether the upload was old enough.
    Aborted(bool),
}
