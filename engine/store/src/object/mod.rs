//! What the faces see: buckets, versions of objects, uploads, and the verbs on them, one file a verb family.

pub mod attributes;
mod bucket;
mod delete;
mod get;
mod list;
mod put;
pub(crate) mod upload;

use std::time::SystemTime;

use crate::codec::Reader;
use crate::error::Result;
use crate::index::row::corrupt;
use crate::record::Record;
use crate::time::to_system_time;

pub use attributes::{Attributes, Checksum, ChecksumAlgorithm, ChecksumKind, Etag, SystemHeader};
pub use get::{Object, ObjectReader};
pub use put::ObjectWriter;

/// The largest object that one PUT may bring, in bytes (5 GiB, as on AWS).
pub const MAX_PUT: u64 = 5 << 30;
/// The smallest part of an upload other than its last, in bytes (5 MiB).
pub const MIN_PART: u64 = 5 << 20;
/// The highest part number, and so the most parts of one upload.
pub const MAX_PARTS: u16 = 10_000;
/// The longest key, in bytes of UTF-8.
pub const MAX_KEY: usize = 1024;

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
    /// Length of the object as the client sent it, in bytes.
    pub size: u64,
    /// When the version was committed.
    pub modified: SystemTime,
    pub attributes: Attributes,
    /// Sizes of the parts in order when an upload made the object, else empty.
    pub parts: Vec<u64>,
}

impl Version {
    /// What a row's record says of the version.
    ///
    /// # Errors
    /// Attributes that can't be read.
    pub fn from_record(record: &Record) -> Result<Self> {
        let attributes = Attributes::decode(&mut Reader(&record.attributes)).map_err(corrupt)?;
        let mut parts: Vec<(u16, u64)> = Vec::new();
        for extent in record.extents.iter().filter(|extent| extent.part != 0) {
            match parts.last_mut() {
                Some((number, size)) if *number == extent.part => *size = size.saturating_add(extent.length),
                _ => parts.push((extent.part, extent.length)),
            }
        }
        Ok(Self {
            record: record.id,
            size: record.size,
            modified: to_system_time(record.modified),
            attributes,
            parts: parts.into_iter().map(|(_, size)| size).collect(),
        })
    }
}

/// What must hold of the current version when the commit loop decides, else [`crate::Error::PreconditionFailed`].
/// `If-Match` on a key that does not exist is [`crate::Error::NoSuchKey`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    #[default]
    None,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match: ETAG`; `None` stands for `*`.
    Match(Option<Etag>),
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
pub enum UploadEntry {
    Upload(Upload),
    Prefix(String),
}

#[derive(Clone, Debug, Default)]
pub struct UploadPage {
    pub entries: Vec<UploadEntry>,
    pub truncated: bool,
}
