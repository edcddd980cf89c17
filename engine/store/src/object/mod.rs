//! What the faces see: buckets, versions of objects, uploads, and the verbs on them, one file a verb family.

mod amend;
pub mod append;
pub mod attributes;
mod bucket;
mod delete;
mod destination;
mod directory;
mod document;
mod encryption;
mod export;
mod file;
mod get;
mod ledger;
mod link;
mod list;
mod locked;
pub mod merge;
mod part_checksums;
mod pending;
pub(crate) mod pieces;
mod placement;
mod put;
mod quota;
mod read;
pub(crate) mod redirect;
pub(crate) mod rename;
mod rename_tree;
pub(crate) mod upload;

use std::time::SystemTime;

use packstone_access::{Action, Denied, Grant};

use crate::codec::Reader;
use crate::crypto::plain_length;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::index::row::corrupt;
use crate::record::{Posix, Record};
use crate::time::to_system_time;

pub use amend::AttributeChange;
pub use attributes::{Attributes, Checksum, ChecksumAlgorithm, ChecksumKind, Etag, SystemHeader};
pub use delete::Deleted;
pub use document::{Document, NewDocument, Replaces, is_configuration};
pub(crate) use encryption::keyring;
pub use encryption::{Cipher, CustomerKey, DEFAULT_KMS_KEY, Encryption, EncryptionRequest, KmsKey};
pub use export::{EXPORT, Export};
pub use file::{File, FileChange, FileFacts, NamesChanged, PERMISSIONS, Rewritten};
pub use get::Object;
pub use locked::{LockableBucket, LockedPage, LockedVersion};
pub use part_checksums::PartChecksums;
pub use pending::{Pending, PendingFile};
pub use pieces::Kept;
pub use put::ObjectWriter;
pub use read::ObjectReader;
pub use rename::{Conditions, Copied, NamedTag, RenameTerms, RenameToken, StoredCopy, StreamedCopy};
pub use rename_tree::{MAX_TREE, MAX_TREE_BYTES, TreeMove};

pub use crate::commit::BucketState;
pub use crate::configuration::{ObjectLock, Versioning};
pub use crate::retention::{DefaultRetention, Mode, Period, Retention};
pub use crate::version::VersionId;

/// The largest object that one PUT may bring, in bytes (5 GiB, as on AWS).
pub const MAX_PUT: u64 = 5 << 30;
/// The smallest part of an upload other than its last, in bytes (5 MiB).
pub const MIN_PART: u64 = 5 << 20;
/// The highest part number, and so the most parts of one upload.
pub const MAX_PARTS: u16 = 10_000;
/// The longest key that S3 makes, in bytes of UTF-8.
pub const MAX_KEY: usize = 1024;
/// The longest key of a file or directory that is made as one: the longest path on Linux.
pub const MAX_PATH: usize = 4095;
/// The most names of one file: what `pathconf` says of a file system that says nothing itself.
pub const MAX_NAMES: usize = 127;
/// The most bytes that all names of a file may take in the journal beside their content: each change of the file is
/// written for each of them.
pub const MAX_NAMES_BYTES: usize = 2 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub id: u32,
    pub name: Box<str>,
    pub created: SystemTime,
}

/// One version of an object, as the index knows it.
#[derive(Clone, Debug)]
pub struct Version {
    /// The record's id, never reused: what a cache or a handle may name it by.
    pub record: u64,
    pub version: VersionId,
    /// Whether it is its key's newest.
    pub latest: bool,
    /// Length of the object as the client sent it, in bytes.
    pub size: u64,
    /// When the version was committed.
    pub modified: SystemTime,
    /// Whose it is on a mount.
    pub posix: Posix,
    pub attributes: Attributes,
    /// Sizes of the parts in order when an upload, appends, or changes of a file made the object, else empty; empty too
    /// once pieces were [merged](merge).
    pub parts: Vec<u64>,
    /// The checksums of these, where an upload that announced any made the object.
    pub part_checksums: Option<PartChecksums>,
    pub file: File,
}

impl Version {
    /// A version as its row holds it.
    ///
    /// # Errors
    /// Attributes that can't be read.
    pub fn from_row(row: &Row, latest: bool) -> Result<Self> {
        let record = &row.record;
        let attributes = Attributes::decode(&mut Reader(&record.attributes)).map_err(corrupt)?;
        let parts = parts_of(record, &attributes);
        let part_checksums = PartChecksums::decode(&record.part_checksums).map_err(corrupt)?;
        Ok(Self {
            record: record.id,
            version: row.version,
            latest,
            size: record.size,
            modified: to_system_time(record.modified),
            posix: record.posix,
            parts,
            part_checksums,
            file: File::of(record, &attributes),
            attributes,
        })
    }
}

/// Sizes of the parts; a part without bytes has no extent, and can only be the last one. Where there are fewer pieces than
/// the ETag counts they were merged since, and are no parts that the ETag could vouch for.
fn parts_of(record: &Record, attributes: &Attributes) -> Vec<u64> {
    let plain = |stored| if record.chunking == 0 { stored } else { plain_length(stored) };
    let is_one_body = record.extents.iter().all(|extent| extent.part == 0);
    let mut parts: Vec<u64> = if is_one_body { Vec::new() } else { record.pieces().map(plain).collect() };
    let named = usize::from(attributes.etag.parts);
    if attributes.upload.is_none() && parts.len() < named {
        return Vec::new();
    }
    let is_whole = parts.iter().fold(0, |sum: u64, size| sum.saturating_add(*size)) == record.size;
    if attributes.upload.is_some() && is_whole && parts.len() + 1 == named {
        parts.push(0);
    }
    parts
}

/// What must hold of the current version (or of the one that a delete names) when the commit loop decides, else [`crate::Error::PreconditionFailed`].
/// `If-Match` on a key that does not exist is [`crate::Error::NoSuchKey`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    #[default]
    None,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match: ETAG`; `None` stands for `*`.
    Match(Option<Etag>),
    /// `If-None-Match: ETAG`; holds where there is no current version, too.
    NoMatch(Etag),
    /// Each that is said must be so; `modified` in Unix seconds.
    Same { etag: Option<Etag>, modified: Option<i64>, size: Option<u64> },
}

#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    pub prefix: String,
    /// Empty for none.
    pub delimiter: String,
    /// Only keys and common prefixes strictly after this are listed; empty for all. A common prefix given here is
    /// passed over whole.
    pub after: String,
    /// At most so many objects and common prefixes together.
    pub limit: usize,
}

#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "most of what is listed are objects: a box would be an allocation for each"
)]
pub enum ListEntry {
    Object { key: String, version: Version },
    Prefix(String),
}

#[derive(Clone, Debug, Default)]
pub struct ListPage {
    pub entries: Vec<ListEntry>,
    /// Whether there is more: the next page starts `after` the last entry.
    pub truncated: bool,
}

#[derive(Clone, Debug, Default)]
pub struct VersionQuery {
    pub prefix: String,
    /// Empty for none.
    pub delimiter: String,
    /// Only what comes after this (key, version) is listed; a version of `None` passes every version of the key, or the
    /// whole common prefix where the key is one.
    pub after: Option<(String, Option<VersionId>)>,
    /// At most so many versions, delete markers and common prefixes together.
    pub limit: usize,
}

#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "most of what is listed are objects: a box would be an allocation for each"
)]
pub enum VersionEntry {
    Version { key: String, version: Version },
    Marker { key: String, version: VersionId, modified: SystemTime, latest: bool },
    Prefix(String),
}

#[derive(Clone, Debug, Default)]
pub struct VersionPage {
    pub entries: Vec<VersionEntry>,
    pub truncated: bool,
}

/// Checks that a grant is for one of some actions.
fn covers_one_of(grant: &Grant, actions: &[Action]) -> Result<()> {
    match actions.iter().find(|action| **action == grant.action()) {
        Some(_) => Ok(()),
        None => Err(Error::Denied(Denied { action: grant.action() })),
    }
}

/// That a delete marker stands where an object was asked for.
pub(crate) fn is_marker(row: &Row) -> Error {
    Error::DeleteMarker { version: row.version, modified: to_system_time(row.record.modified) }
}

/// The id of a multipart upload: 32 hexadecimal digits to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(pub u128);

#[derive(Clone, Debug)]
pub struct Upload {
    pub id: UploadId,
    pub key: String,
    pub initiated: SystemTime,
    pub attributes: Attributes,
}

#[derive(Clone, Debug)]
pub struct Part {
    pub number: u16,
    pub size: u64,
    pub modified: SystemTime,
    /// MD5 of the part's body.
    pub etag: Etag,
    pub checksum: Option<Checksum>,
}

/// A part as `CompleteMultipartUpload` names it.
#[derive(Clone, Debug)]
pub struct NamedPart {
    pub number: u16,
    pub etag: Etag,
}

#[derive(Clone, Debug, Default)]
pub struct UploadQuery {
    pub prefix: String,
    pub delimiter: String,
    /// Only uploads after this (key, id) are listed; an id of `None` passes every upload of the key.
    pub after: Option<(String, Option<UploadId>)>,
    pub limit: usize,
}

#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "most of what is listed are uploads: a box would be an allocation for each"
)]
pub enum UploadEntry {
    Upload(Upload),
    Prefix(String),
}

#[derive(Clone, Debug, Default)]
pub struct UploadPage {
    pub entries: Vec<UploadEntry>,
    pub truncated: bool,
}
