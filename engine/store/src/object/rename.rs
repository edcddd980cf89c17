//! Renaming: the current version of a key becomes that of another key of its bucket.
//!
//! Bytes in streams stay where they are, and their claims are handed on. A small record's bytes live with its entry, so
//! they are written once more with the entry of the new key, as they are stored. They are read before the commit loop
//! decides, and count only if the version is still the one that they were read of.
//!
//! Where versions are kept, or were, a file is renamed too; `commit/decide/rename_version.rs` says what becomes of its
//! versions. Where the one that is renamed stays, its bytes in streams are copied to a stream before, as they are stored
//! and piece by piece: two versions claim no bytes together.
//!
//! | cut off after | what the next start finds |
//! |---|---|
//! | some or all bytes were copied | what was there; nothing names the copy |
//! | the batch is durable | the file under its new key, and what is left at the old one |

use std::sync::Arc;

use bytes::Bytes;
use packstone_access::{Action, Grant};

use super::attributes::is_pending;
use super::get::Object;
use super::put::{ObjectWriter, blocking};
use super::{Attributes, BucketState, Etag, Version, Versioning};
use crate::checksum::Hash;
use crate::commit::{Op, Outcome, Shared};
use crate::error::{Error, Result};
use crate::index::row::corrupt;
use crate::index::{Row, Snapshot, Space, keys};
use crate::placement::StorageClass;
use crate::record::Extent;
use crate::segment::Home;
use crate::store::{Inner, Store};
use crate::streams::Lease;
use crate::time::now;

/// How often a rename is tried anew when the source changes under it.
const TRIES: usize = 8;

/// A tag as a condition names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedTag {
    Any,
    Is(Etag),
}

impl NamedTag {
    fn names(self, etag: Etag) -> bool {
        match self {
            Self::Any => true,
            Self::Is(named) => named == etag,
        }
    }
}

/// What must hold of a key's current version, or of there being none. As in HTTP, a date is asked only where no tag is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    pub matches: Option<NamedTag>,
    pub none_match: Option<NamedTag>,
    /// Unix seconds.
    pub modified_since: Option<i64>,
    /// Unix seconds.
    pub unmodified_since: Option<i64>,
}

impl Conditions {
    /// Whether they hold of a version with that tag and second of its last change; `None`: of there being none.
    #[must_use]
    pub fn hold(&self, held: Option<(Etag, i64)>) -> bool {
        let Some((etag, modified)) = held else { return self.matches.is_none() && self.modified_since.is_none() };
        let unchanged = match (self.matches, self.unmodified_since) {
            (Some(tag), _) => tag.names(etag),
            (None, Some(date)) => modified <= date,
            (None, None) => true,
        };
        let changed = match (self.none_match, self.modified_since) {
            (Some(tag), _) => !tag.names(etag),
            (None, Some(date)) => modified > date,
            (None, None) => true,
        };
        unchanged && changed
    }
}

/// What a rename was asked by, by which it is known when it is asked again. It stands with what it renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenameToken {
    /// Of the token that the client gave.
    pub token: Hash,
    /// Of everything else that the client asked for.
    pub request: Hash,
}

/// What is asked of a rename beside its keys.
#[derive(Clone, Debug, Default)]
pub struct RenameTerms {
    pub source: Conditions,
    pub destination: Conditions,
    pub token: Option<RenameToken>,
    /// What was said of the source when leave was given to have it under the other key; `None` where nobody asked.
    pub carried: Option<Attributes>,
    /// Whether a mount asks: its keys may be longer.
    pub is_of_files: bool,
}

/// Stored bytes of a small record, to be written under another key.
#[derive(Clone, Debug)]
pub struct StoredCopy {
    /// The record that they are of.
    pub record: u64,
    pub stored: Bytes,
    pub hash: Hash,
}

/// Stored bytes of a record that stays as an older version, once more in streams.
#[derive(Clone, Debug)]
pub struct StreamedCopy {
    /// The record that they are of.
    pub record: u64,
    pub extents: Vec<Extent>,
}

/// Bytes that were copied for a rename. Dropped, they are nobody's.
#[derive(Debug)]
pub struct Copied {
    copy: StreamedCopy,
    /// The streams that they are in, held until something names them.
    held: Vec<Lease>,
}

impl Store {
    /// Copies what a mount's rename of a key has to copy, if anything, so that the rename itself is short.
    ///
    /// # Errors
    /// A grant for something else, no such bucket, too few drives, or no space.
    pub async fn copied(&self, source: &Grant) -> Result<Option<Copied>> {
        source.covers(Action::DeleteObject)?;
        let state = self.bucket_of(source)?;
        match self.staying(&state, source.key())? {
            Some(record) => self.streamed_copy((state.bucket.id, source.key()), record).await,
            None => Ok(None),
        }
    }

    /// Makes the current version of `source` that of `destination`, in place of what is there: the object keeps its
    /// bytes, attributes and commit time. A key that is renamed to itself stays as it is. In a bucket that keeps or kept
    /// versions a file becomes a version of `destination`, made now, and `source` ends as it would by a delete.
    ///
    /// # Errors
    /// A condition that does not hold, a lock on either version, a quota, a bucket that keeps or kept versions where no
    /// mount asks, a token that another rename to this key was asked by; [`Error::Changed`] where the source never stands
    /// still.
    pub async fn rename(&self, source: &Grant, destination: &Grant, terms: RenameTerms) -> Result<Version> {
        self.rename_with(source, destination, terms, None).await
    }

    /// The same with what [`Self::copied`] gave.
    ///
    /// # Errors
    /// As [`Self::rename`].
    pub async fn rename_with(
        &self,
        source: &Grant,
        destination: &Grant,
        terms: RenameTerms,
        mut copied: Option<Copied>,
    ) -> Result<Version> {
        source.covers(Action::DeleteObject)?;
        destination.covers(Action::PutObject)?;
        let bucket = self.bucket_of(source)?.bucket.id;
        if self.bucket_of_path(destination)?.bucket.id != bucket {
            return Err(Error::NoSuchBucket);
        }
        let key = destination.key();
        let longest = if terms.is_of_files { super::MAX_PATH } else { super::MAX_KEY };
        if key.is_empty() || key.len() > longest {
            return Err(Error::InvalidKey);
        }
        for _ in 0..TRIES {
            let (copy, extents) = self.stored_copy(bucket, source.key()).await?;
            let stays = terms.is_of_files && source.key() != key;
            copied = match self.staying(&*self.bucket_of(source)?, source.key())?.filter(|_| stays) {
                Some(record) if copied.as_ref().is_some_and(|copied| copied.copy.record == record) => copied,
                Some(record) => self.streamed_copy((bucket, source.key()), record).await?,
                None => None,
            };
            let (streamed, held) = copied.take().map(|copied| (copied.copy, copied.held)).unzip();
            let op = Op::Rename {
                bucket,
                source: source.key().to_owned(),
                destination: key.to_owned(),
                terms: Box::new(terms.clone()),
                copy,
                streamed,
                extents,
            };
            match self.commit_holding(op, held.unwrap_or_default()).await {
                Err(Error::Changed) => {}
                Ok(Outcome::Stored(row)) => {
                    if !terms.is_of_files {
                        for key in [source.key(), key] {
                            self.inner.shared.name_changes.note_s3(bucket, key, now());
                        }
                    }
                    return Version::from_row(&row, true);
                }
                Ok(_) => return Err(Error::Unavailable("an answer to something else".into())),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Changed)
    }

    /// The stored bytes of a key's current version where they live with its entry, and how many extents it has.
    pub(super) async fn stored_copy(&self, bucket: u32, key: &str) -> Result<(Option<StoredCopy>, usize)> {
        self.inner.stored_copy(bucket, key, Shared::namespace).await
    }
}

/// A row's stored bytes, if they live with its entry.
pub(crate) enum Stored {
    /// They stand in so many extents of streams.
    Apart(usize),
    AtHand(StoredCopy),
    OnDrives {
        record: u64,
        home: Home,
        extent: Extent,
    },
    /// Compaction has moved them since the row was read: it says by now where to.
    Moved,
}

impl Inner {
    pub(super) async fn stored_copy(
        self: &Arc<Self>,
        bucket: u32,
        key: &str,
        view: impl Fn(&Shared) -> Box<dyn Snapshot>,
    ) -> Result<(Option<StoredCopy>, usize)> {
        for _ in 0..TRIES {
            let stored = stored_of(&self.shared, &*view(&self.shared), &keys::current(bucket, key))?;
            return match stored {
                None => Ok((None, 0)),
                Some(Stored::Apart(extents)) => Ok((None, extents)),
                Some(Stored::AtHand(copy)) => Ok((Some(copy), 1)),
                Some(Stored::OnDrives { record, home, extent }) => {
                    let stored = blocking(move || Inner::read_record(&home, &extent)).await?;
                    Ok((Some(StoredCopy { record, stored: stored.into(), hash: extent.hash }), 1))
                }
                Some(Stored::Moved) => continue,
            };
        }
        Err(Error::Changed)
    }
}

impl Store {
    /// The record of a key's current version, where its bytes are in streams and it stays when it is renamed.
    fn staying(&self, state: &BucketState, key: &str) -> Result<Option<u64>> {
        if state.versioning() == Versioning::Never {
            return Ok(None);
        }
        let snapshot = self.inner.shared.namespace();
        let value = snapshot.get(Space::Current, &keys::current(state.bucket.id, key))?;
        let Some(row) = value.map(|value| Row::decode_whole(&value, &*snapshot)).transpose()? else { return Ok(None) };
        let is_streamed = !row.record.extents.is_empty() && row.record.small().is_none();
        let stays = is_streamed && !is_handed_on(state.versioning(), &row)?;
        Ok(stays.then_some(row.record.id))
    }

    /// Copies what is stored of a record to streams, each piece as a piece; `None` where another version came between.
    async fn streamed_copy(&self, place: (u32, &str), record: u64) -> Result<Option<Copied>> {
        let object = match Object::of_record(&self.inner, place, record, None) {
            Err(Error::Changed) => return Ok(None),
            found => found?.stored(),
        };
        let class = StorageClass::of(&object.version.attributes);
        let mut writer = ObjectWriter::of_piece(self.inner.clone(), place, None).in_class(class);
        let mut parts: Vec<u16> = object.record.extents.iter().map(|extent| extent.part).collect();
        parts.dedup();
        let (pieces, size) = (object.record.pieces().collect::<Vec<_>>(), object.record.size);
        let mut reader = object.read(0..size);
        for mut left in pieces {
            // What is read at once is of one extent, and so of one piece.
            while left > 0 {
                let bytes =
                    reader.next().await.unwrap_or_else(|| Err(Error::Lost("a stream that ends early".into())))?;
                left = left.saturating_sub(bytes.len() as u64);
                writer.write(bytes).await?;
            }
            writer.end_piece().await?;
        }
        let (mut extents, held) = writer.into_streamed().await?;
        for extent in &mut extents {
            extent.part = *parts.get(usize::from(extent.part)).ok_or(Error::Changed)?;
        }
        Ok(Some(Copied { copy: StreamedCopy { record, extents }, held }))
    }

    /// Commits what names bytes in streams, which are held until that is answered: in a task of its own, since a client
    /// that goes away must not part the two.
    async fn commit_holding(&self, op: Op, held: Vec<Lease>) -> Result<Outcome> {
        let inner = self.inner.clone();
        if held.is_empty() {
            return inner.commit(op).await;
        }
        let task = tokio::spawn(async move {
            let outcome = inner.commit(op).await;
            drop(held);
            outcome
        });
        task.await.map_err(|_| Error::ShuttingDown)?
    }
}

/// Whether a version ends when it is renamed, or renamed over, so that its bytes may be another's.
pub(crate) fn is_handed_on(versioning: Versioning, row: &Row) -> Result<bool> {
    match versioning {
        Versioning::Never => Ok(true),
        Versioning::Enabled => Ok(is_pending(&row.record.attributes).map_err(corrupt)?),
        Versioning::Suspended => Ok(row.version.is_null()),
    }
}

/// Where the stored bytes of a row of `Current` are; `None` where there is none.
pub(crate) fn stored_of(shared: &Shared, snapshot: &dyn Snapshot, place: &[u8]) -> Result<Option<Stored>> {
    let Some(value) = snapshot.get(Space::Current, place)? else { return Ok(None) };
    let row = Row::decode_whole(&value, snapshot)?;
    let Some(extent) = row.record.small().copied() else {
        return Ok(Some(Stored::Apart(row.record.extents.len())));
    };
    let Some(home) = shared.table.get(extent.segment) else { return Ok(Some(Stored::Moved)) };
    let record = row.record.id;
    Ok(Some(match home.read_cached(&extent) {
        Some(stored) => Stored::AtHand(StoredCopy { record, stored: stored.into(), hash: extent.hash }),
        None => Stored::OnDrives { record, home, extent },
    }))
}
