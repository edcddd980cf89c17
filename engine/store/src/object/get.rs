//! Looking a version up and reading its bytes.
//!
//! A look-up pins every file that the version's bytes stand in. Between index and pin a file may have given way to what
//! compaction made of it: then the index is asked again.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use packstone_access::{Action, Grant};

use super::put::blocking;
use super::{Version, Versioning, covers_one_of, is_marker};
use crate::checksum::truncate;
use crate::commit::BucketState;
use crate::compression::expand;
use crate::error::{Error, Result};
use crate::index::apply::pointed;
use crate::index::list::newest;
use crate::index::{Row, Snapshot, Space, keys};
use crate::record::{Compression, Extent, Record};
use crate::segment::{Home, SegmentKind};
use crate::store::{Inner, Store};
use crate::version::VersionId;

/// How often a look-up races with a compaction before it is called a fault.
const TRIES: usize = 8;

/// A version whose bytes can be read: what they stand in is pinned as long as this lives.
#[derive(Debug)]
pub struct Object {
    pub version: Version,
    store: Arc<Inner>,
    record: Record,
    homes: Vec<Home>,
}

/// Actions that ask what is said of a version.
const DESCRIBES: &[Action] = &[
    Action::GetObject,
    Action::GetObjectVersion,
    Action::GetObjectAcl,
    Action::GetObjectVersionAcl,
    Action::GetObjectAttributes,
    Action::GetObjectVersionAttributes,
    Action::GetObjectTagging,
    Action::GetObjectVersionTagging,
    Action::GetObjectRetention,
    Action::GetObjectLegalHold,
];

impl Store {
    /// What is said of the current version, or of the one that is named; its bytes can't be read by it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn describe(&self, grant: &Grant, version: Option<VersionId>) -> Result<Version> {
        covers_one_of(grant, DESCRIBES)?;
        let state = self.bucket_of(grant)?;
        let (row, latest) = find(&*self.inner.shared.index.snapshot(), &state, grant.key(), version)?;
        Version::from_row(&row, latest)
    }

    /// Looks the current version up, or the one that is named; reads no data yet.
    ///
    /// # Errors
    /// No such bucket, key or version, or a delete marker that stands there.
    pub fn get(&self, grant: &Grant, version: Option<VersionId>) -> Result<Object> {
        grant.covers(if version.is_some() { Action::GetObjectVersion } else { Action::GetObject })?;
        let state = self.bucket_of(grant)?;
        for _ in 0..TRIES {
            let snapshot = self.inner.shared.index.snapshot();
            let (row, latest) = find(&*snapshot, &state, grant.key(), version)?;
            if let Some(homes) = self.inner.pin(&row.record.extents) {
                let version = Version::from_row(&row, latest)?;
                return Ok(Object { version, store: self.inner.clone(), record: row.record, homes });
            }
        }
        Err(Error::Unavailable("the index names a segment that is not there: run `packstone rebuild-index`".into()))
    }
}

/// The current version of a key or the one that is named, and whether it is the newest.
fn find(snapshot: &dyn Snapshot, state: &BucketState, key: &str, version: Option<VersionId>) -> Result<(Row, bool)> {
    match version {
        None => Ok((current(snapshot, state, key)?, true)),
        Some(version) => named(snapshot, state, key, version),
    }
}

/// The current version of a key.
fn current(snapshot: &dyn Snapshot, state: &BucketState, key: &str) -> Result<Row> {
    let bucket = state.bucket.id;
    if let Some(value) = snapshot.get(Space::Current, &keys::current(bucket, key))? {
        return Ok(Row::decode_whole(&value, snapshot)?);
    }
    match state.versioning() {
        Versioning::Never => Err(Error::NoSuchKey),
        _ => Err(newest(snapshot, bucket, key)?.map_or(Error::NoSuchKey, |(_, row)| is_marker(&row))),
    }
}

/// A version that is named, and whether it is the newest of its key.
fn named(snapshot: &dyn Snapshot, state: &BucketState, key: &str, version: VersionId) -> Result<(Row, bool)> {
    let bucket = state.bucket.id;
    if let Some(value) = snapshot.get(Space::Current, &keys::current(bucket, key))? {
        let row = Row::decode_whole(&value, snapshot)?;
        if row.version == version {
            return Ok((row, true));
        }
    }
    let record = match version.is_null() {
        false => version.record(),
        true => match snapshot.get(Space::Versions, &keys::null_pointer(bucket, key))? {
            Some(value) => pointed(&value)?,
            None => return Err(Error::NoSuchVersion),
        },
    };
    // The pointer to the null version stands where record 0 would.
    let place = keys::version(bucket, key, record);
    let value = if record == 0 { None } else { snapshot.get(Space::Versions, &place)? };
    let row = Row::decode_whole(&value.ok_or(Error::NoSuchVersion)?, snapshot)?;
    match (row.version == version, row.marker) {
        (false, _) => Err(Error::NoSuchVersion),
        (true, true) => Err(is_marker(&row)),
        (true, false) => Ok((row, false)),
    }
}

impl Inner {
    /// The files of the extents, in their order; `None` where one is not there any more.
    pub(crate) fn pin(&self, extents: &[Extent]) -> Option<Vec<Home>> {
        extents.iter().map(|extent| self.shared.table.get(extent.segment)).collect()
    }

    /// A whole small record's stored bytes.
    pub(crate) fn read_record(&self, home: &Home, extent: &Extent) -> Result<Vec<u8>> {
        match home {
            Home::Journal(journal) => Ok(journal.read(extent)?),
            Home::Segment(segment) => Ok(segment.read_record(extent)?),
        }
    }
}

impl Object {
    /// Reads a range of the object's bytes, within `0..size`, piece by piece.
    #[must_use]
    pub fn read(self, range: Range<u64>) -> ObjectReader {
        let mut pieces = VecDeque::new();
        let streamed = self.record.compression == Compression::Raw
            && self
                .homes
                .iter()
                .all(|home| matches!(home, Home::Segment(held) if held.info.kind == SegmentKind::Stream));
        let mut start = 0;
        for (extent, home) in self.record.extents.iter().zip(&self.homes) {
            let end = start + extent.length;
            let from = range.start.max(start);
            let to = range.end.min(end);
            if streamed && from < to {
                pieces.push_back((*extent, home.clone(), from - start..to - start));
            } else if !streamed && range.start < range.end {
                pieces.push_back((*extent, home.clone(), range.clone()));
            }
            start = end;
        }
        ObjectReader { store: self.store, record: self.record, streamed, hasher: None, pieces }
    }
}

/// Gives an object's bytes in pieces of at most 1 MiB.
#[derive(Debug)]
pub struct ObjectReader {
    store: Arc<Inner>,
    record: Record,
    /// Whether the extents lie in stream segments; otherwise there is one record to be read whole.
    streamed: bool,
    /// Over an extent that is read whole; what is read in part is checked by block CRCs alone.
    hasher: Option<blake3::Hasher>,
    /// Extents, and which of their bytes (streamed) or of the object's bytes (else) are wanted.
    pieces: VecDeque<(Extent, Home, Range<u64>)>,
}

impl ObjectReader {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        let (extent, home, range) = self.pieces.pop_front()?;
        Some(if self.streamed { self.unit(extent, home, range).await } else { self.small(extent, home, range).await })
    }

    async fn unit(&mut self, extent: Extent, home: Home, range: Range<u64>) -> Result<Bytes> {
        let Home::Segment(segment) = &home else {
            return Err(Error::Unavailable("a stream that is no segment".into()));
        };
        let (segment, wanted) = (segment.clone(), range.clone());
        if range.start == 0 {
            self.hasher = (range.end == extent.length).then(blake3::Hasher::new);
        }
        let mut hasher = self.hasher.take();
        let (piece, hasher) = blocking(move || {
            let piece = segment.read_stream(&extent, wanted)?;
            if let Some(hasher) = &mut hasher {
                hasher.update(&piece);
            }
            Ok((piece, hasher))
        })
        .await?;
        let next = range.start + piece.len() as u64;
        if next == range.end && hasher.as_ref().is_some_and(|hasher| truncate(&hasher.finalize()) != extent.hash) {
            return Err(Error::Lost(format!("segment {:016x}: a record's hash does not match", extent.segment)));
        }
        self.hasher = hasher;
        if piece.is_empty() {
            return Err(Error::Lost("a stream that ends early".into()));
        }
        if next < range.end {
            self.pieces.push_front((extent, home, next..range.end));
        }
        Ok(piece.into())
    }

    async fn small(&self, extent: Extent, home: Home, range: Range<u64>) -> Result<Bytes> {
        let plain = match self.store.cache.get(self.record.id) {
            Some(stored) => self.plain(stored)?,
            None => {
                let stored = match home.read_cached(&extent) {
                    Some(stored) => stored,
                    None => {
                        let store = self.store.clone();
                        blocking(move || store.read_record(&home, &extent)).await?
                    }
                };
                let stored = Bytes::from(stored);
                self.store.cache.insert(self.record.id, &stored);
                self.plain(stored)?
            }
        };
        let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end)) else {
            return Err(Error::Lost("a range beyond memory".into()));
        };
        if end > plain.len() || start > end {
            return Err(Error::Lost("a record shorter than its object".into()));
        }
        Ok(plain.slice(start..end))
    }

    fn plain(&self, stored: Bytes) -> Result<Bytes> {
        match self.record.compression {
            Compression::Raw => Ok(stored),
            Compression::Zstd => Ok(expand(Compression::Zstd, stored.to_vec(), self.record.size)?.into()),
        }
    }
}
