//! Renaming: the current version of a key becomes that of another key of its bucket.
//!
//! Bytes in streams stay where they are, and their claims are handed on. A small record's bytes live with its entry, so
//! they are written once more with the entry of the new key, as they are stored. They are read before the commit loop
//! decides, and count only if the version is still the one that they were read of.

use std::sync::Arc;

use bytes::Bytes;
use packstone_access::{Action, Grant};

use super::put::blocking;
use super::{Attributes, Etag, Version};
use crate::checksum::Hash;
use crate::commit::{Op, Outcome, Shared};
use crate::error::{Error, Result};
use crate::index::{Row, Snapshot, Space, keys};
use crate::record::Extent;
use crate::segment::Home;
use crate::store::{Inner, Store};

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

impl Store {
    /// Makes the current version of `source` that of `destination`, in place of what is there: the object keeps its
    /// bytes, attributes and commit time. A key that is renamed to itself stays as it is.
    ///
    /// # Errors
    /// A condition that does not hold, a lock on either version, a bucket that keeps or kept versions, a token that
    /// another rename to this key was asked by; [`Error::Changed`] where the source never stands still.
    pub async fn rename(&self, source: &Grant, destination: &Grant, terms: RenameTerms) -> Result<Version> {
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
            let op = Op::Rename {
                bucket,
                source: source.key().to_owned(),
                destination: key.to_owned(),
                terms: Box::new(terms.clone()),
                copy,
                extents,
            };
            match self.inner.commit(op).await {
                Err(Error::Changed) => {}
                Ok(Outcome::Stored(row)) => return Version::from_row(&row, true),
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
