//! Files with several names, as faces ask for them; `commit/decide/names.rs` says what holds of them.

use packstone_access::{Action, Grant};

use super::Version;
use crate::commit::{Beside, Op, Outcome};
use crate::error::{Error, Result};
use crate::index::names::Names;
use crate::index::{Row, Space, keys};
use crate::store::{Inner, Store};

/// How often a link is tried anew when the file changes under it.
const TRIES: usize = 8;

impl Store {
    /// Makes `destination` one more name of the file of that inode number whose name `source` is.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`] where another file is at `source`, or none; [`Error::PreconditionFailed`] where something is at
    /// `destination`; a lock, a bucket that keeps or kept versions, [`Error::TooManyNames`], or [`Error::Changed`] where
    /// the file never stands still.
    pub async fn link(&self, source: &Grant, destination: &Grant, inode: u64) -> Result<Version> {
        source.covers(Action::GetObject)?;
        destination.covers(Action::PutObject)?;
        let bucket = self.bucket_of(source)?.bucket.id;
        if self.bucket_of_path(destination)?.bucket.id != bucket {
            return Err(Error::NoSuchBucket);
        }
        if destination.key().is_empty() {
            return Err(Error::InvalidKey);
        }
        for _ in 0..TRIES {
            let (copy, extents) = self.stored_copy(bucket, source.key()).await?;
            let (source, destination) = (source.key().to_owned(), destination.key().to_owned());
            let beside = self.inner.beside(bucket, &source)?;
            let op = Op::Link { bucket, source, destination, inode, copy, extents, beside };
            match self.inner.commit(op).await {
                Err(Error::Changed) => {}
                Ok(Outcome::Stored(row)) => return Version::from_row(&row, true),
                Ok(_) => return Err(Error::Unavailable("an answer to something else".into())),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Changed)
    }

    /// The names of a file, as buckets and keys; the first is the one that stays the first as long as it is there.
    ///
    /// # Errors
    /// A grant for something else, or a fault of the index.
    pub fn names(&self, grant: &Grant, inode: u64) -> Result<Vec<(String, String)>> {
        grant.covers(Action::ListAllMyBuckets)?;
        let names = self.inner.names(inode)?;
        let buckets = self.inner.shared.buckets.load();
        let named = names.iter().filter_map(|(bucket, key)| {
            let bucket = buckets.by_id(bucket)?.bucket.name.to_string();
            Some((bucket, key.to_owned()))
        });
        Ok(named.collect())
    }
}

impl Inner {
    fn names(&self, inode: u64) -> Result<Names> {
        let value = self.shared.namespace().get(Space::Inodes, &keys::inode(inode))?;
        Ok(value.map(|value| Names::decode(&value)).transpose()?.unwrap_or_default())
    }

    /// The other names of the file that is at a key.
    pub(super) fn beside(&self, bucket: u32, key: &str) -> Result<Beside> {
        let snapshot = self.shared.namespace();
        let attributes = |key: &str| -> Result<Option<(u64, usize)>> {
            let value = snapshot.get(Space::Current, &keys::current(bucket, key))?;
            let row = value.map(|value| Row::decode_brief(&value)).transpose()?;
            Ok(row.map(|row| (row.record.inode(), row.record.attributes.len())))
        };
        let mut beside = Beside::default();
        let Some((inode, _)) = attributes(key)? else { return Ok(beside) };
        for (_, other) in self.names(inode)?.iter().filter(|(_, other)| *other != key) {
            beside.names += 1;
            beside.bytes += other.len() + attributes(other)?.map_or(0, |(_, bytes)| bytes);
        }
        Ok(beside)
    }
}
