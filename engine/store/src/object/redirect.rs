//! Renaming a directory of any size: in effect at once, by a redirect, and carried out afterwards
//! ([`crate::index::redirect`]).

use std::sync::Arc;

use packstone_access::{Action, Grant};

use super::put::blocking;
use super::{MAX_PATH, StoredCopy};
use crate::commit::{Op, Outcome, Shared, Unmoved};
use crate::error::{Error, Result};
use crate::index::{Space, keys, row};
use crate::store::{Inner, Store};

impl Store {
    /// Renames everything below the path that `from` is for, however much that is, to the one that `to` is for; both end
    /// with a slash. Whoever asks must have leave for every key below either. All keep their bytes, attributes and commit times. Below
    /// `to` nothing may be but the object of that name, which gives way.
    ///
    /// # Errors
    /// [`Error::Renaming`] where an earlier one is still carried out at, above or below either path, [`Error::Changed`]
    /// where nothing is below `from`, [`Error::BucketNotEmpty`] where something stands below `to`, [`Error::InvalidKey`]
    /// where a key would be too long, or a bucket that keeps or kept versions.
    pub async fn redirect(&self, from: &Grant, to: &Grant) -> Result<()> {
        from.covers(Action::DeleteObject)?;
        to.covers(Action::PutObject)?;
        let bucket = self.bucket_of_path(from)?.bucket.id;
        let is_path = |path: &str| path.ends_with('/') && path.len() <= MAX_PATH;
        let (source, destination) = (from.key(), to.key());
        let is_here = self.bucket_of_path(to)?.bucket.id == bucket;
        if !is_here || !is_path(source) || !is_path(destination) || destination.starts_with(source) {
            return Err(Error::InvalidKey);
        }
        // The loop decides it; but what follows here may take long.
        if self.is_renaming(bucket, &[source, destination]) {
            return Err(Error::Renaming);
        }
        if destination.len() > source.len() {
            let (shared, below) = (self.inner.shared.clone(), source.to_owned());
            let longest = blocking(move || longest_below(&shared, bucket, &below)).await?;
            if longest - source.len() + destination.len() > MAX_PATH {
                return Err(Error::InvalidKey);
            }
        }
        let op = Op::Redirect { bucket, from: source.to_owned(), to: destination.to_owned() };
        self.inner.queue.commit(op).await.map(|_| ())
    }

    /// Whether rows are still to move at, above or below one of some paths of a bucket.
    #[must_use]
    pub fn is_renaming(&self, bucket: u32, paths: &[&str]) -> bool {
        let buckets = self.inner.shared.buckets.load();
        buckets.redirects().of(bucket).any(|redirect| paths.iter().any(|path| redirect.touches(path)))
    }

    /// Sees to it that the current version of a key stands under that key, so that what is written next may go on with it:
    /// moving gives it another record.
    ///
    /// # Errors
    /// A fault of the index, or bytes that can't be read.
    pub async fn settle(&self, grant: &Grant) -> Result<()> {
        grant.covers(Action::PutObject)?;
        let bucket = self.bucket_of_path(grant)?.bucket.id;
        let redirects = self.inner.shared.buckets.load().redirects().clone();
        for redirect in redirects.of(bucket) {
            let Some(source) = redirect.source_of(grant.key()) else { continue };
            let value = self.inner.shared.index.snapshot().get(Space::Current, &keys::current(bucket, &source))?;
            if value.map_or(Ok(false), |value| row::record_id(&value).map(|id| redirect.is_unmoved(id)))? {
                self.inner.bring(bucket, vec![(source, grant.key().to_owned())]).await?;
            }
        }
        Ok(())
    }
}

/// Rows and bytes of small records that are moved at once: others wait as long as that takes.
const SLICE: usize = 128;
const SLICE_BYTES: usize = 1 << 20;
/// Extents likewise: each is an entry's to name.
const SLICE_EXTENTS: usize = 8192;

/// What is to be moved at once.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    moves: Vec<(String, String)>,
    copies: Vec<StoredCopy>,
    bytes: usize,
    extents: usize,
}

impl Slice {
    /// A key and where its row goes; the copy is of a small record.
    pub fn take(&mut self, named: (String, String), copy: Option<StoredCopy>, extents: usize) {
        self.bytes += copy.as_ref().map_or(0, |copy| copy.stored.len());
        self.extents += extents;
        self.copies.extend(copy);
        self.moves.push(named);
    }

    pub fn is_full(&self) -> bool {
        self.moves.len() >= SLICE || self.bytes >= SLICE_BYTES || self.extents >= SLICE_EXTENTS
    }

    pub fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }

    pub fn into_op(self, bucket: u32) -> Op {
        Op::Bring { bucket, moves: self.moves, copies: self.copies, extents: self.extents }
    }
}

/// Bytes of the longest key below a path.
fn longest_below(shared: &Shared, bucket: u32, path: &str) -> Result<usize> {
    let snapshot = shared.namespace();
    let mut longest = path.len();
    for pair in snapshot.prefix(Space::Current, &keys::current(bucket, path)) {
        longest = longest.max(keys::object_key(&pair?.0).map_or(0, str::len));
    }
    Ok(longest)
}

impl Inner {
    /// Commits one operation, with what must be brought before it to where it was renamed to.
    ///
    /// # Errors
    /// Whatever stood against it.
    pub(crate) async fn commit(self: &Arc<Self>, op: Op) -> Result<Outcome> {
        let mut op = op;
        loop {
            match self.queue.commit(op).await? {
                Outcome::Unmoved(Unmoved { bucket, moves, op: Some(back) }) => {
                    self.bring(bucket, moves).await?;
                    op = *back;
                }
                outcome => return Ok(outcome),
            }
        }
    }

    /// Moves rows that redirects are about. What changes meanwhile stays.
    async fn bring(self: &Arc<Self>, bucket: u32, moves: Vec<(String, String)>) -> Result<()> {
        let mut slice = Slice::default();
        for named in moves {
            let (copy, extents) = self.stored_copy(bucket, &named.0, |shared| shared.index.snapshot()).await?;
            slice.take(named, copy, extents);
            if slice.is_full() {
                self.queue.commit(std::mem::take(&mut slice).into_op(bucket)).await?;
            }
        }
        if !slice.is_empty() {
            self.queue.commit(slice.into_op(bucket)).await?;
        }
        Ok(())
    }
}
