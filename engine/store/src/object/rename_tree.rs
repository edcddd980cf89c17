//! Renaming a directory: every current version below one path becomes that of the same place below another, all in one
//! batch, so that nobody sees a part of it.

use packstone_access::{Action, Grant};

use super::{MAX_PATH, StoredCopy};
use crate::commit::{Op, Outcome};
use crate::error::{Error, Result};
use crate::store::Store;

/// The most keys that are renamed at once: as long as that takes, nobody else writes.
pub const MAX_TREE: usize = 1000;
/// The most bytes of small objects among these, which are written anew.
pub const MAX_TREE_BYTES: u64 = 4 << 20;

/// What is to be renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeMove {
    /// Both end with a slash.
    pub from: String,
    pub to: String,
    /// Every key below `from`, in order, and where it goes.
    pub moves: Vec<(String, String)>,
}

impl Store {
    /// Renames everything below `from`: `grants` are leave to delete each key there, in order, and to put it where it
    /// goes. They keep their bytes, attributes and commit times. Below `to` nothing may be but the object of that name,
    /// which gives way.
    ///
    /// # Errors
    /// [`Error::Changed`] where keys came or went meanwhile, [`Error::BucketNotEmpty`] where something stands below `to`,
    /// [`Error::TooLarge`], a lock on any of them, or a bucket that keeps or kept versions.
    pub async fn rename_tree(&self, from: &str, to: &str, grants: &[(Grant, Grant)]) -> Result<()> {
        let Some((first, _)) = grants.first() else { return Ok(()) };
        let bucket = self.bucket_of(first)?.bucket.id;
        let mut moves = Vec::with_capacity(grants.len());
        for (source, destination) in grants {
            source.covers(Action::DeleteObject)?;
            destination.covers(Action::PutObject)?;
            let goes_with = source.key().strip_prefix(from) == destination.key().strip_prefix(to);
            let is_here = source.bucket() == first.bucket() && destination.bucket() == first.bucket();
            if !is_here || !goes_with || !source.key().starts_with(from) || destination.key().len() > MAX_PATH {
                return Err(Error::InvalidKey);
            }
            moves.push((source.key().to_owned(), destination.key().to_owned()));
        }
        if moves.len() > MAX_TREE || !from.ends_with('/') || !to.ends_with('/') || to.starts_with(from) {
            return Err(Error::InvalidKey);
        }
        let (mut copies, mut extents, mut bytes) = (Vec::<StoredCopy>::new(), 0, 0);
        for (source, _) in &moves {
            let (copy, named) = self.stored_copy(bucket, source).await?;
            bytes += copy.as_ref().map_or(0, |copy| copy.stored.len() as u64);
            if bytes > MAX_TREE_BYTES {
                return Err(Error::TooLarge { limit: MAX_TREE_BYTES });
            }
            copies.extend(copy);
            extents += named;
        }
        let tree = TreeMove { from: from.to_owned(), to: to.to_owned(), moves };
        match self.inner.commit(Op::RenameTree { bucket, tree, copies, extents }).await? {
            Outcome::Moved(_) => Ok(()),
            _ => Err(Error::Unavailable("an answer to something else".into())),
        }
    }
}
