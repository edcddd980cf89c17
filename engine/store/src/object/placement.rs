//! Rules of placement as the administrator sets and sees them.

use packstone_access::{Action, Grant};

use super::Replaces;
use crate::commit::Op;
use crate::error::{Error, Result};
use crate::placement::{PLACEMENT, Rules};
use crate::store::Store;

impl Store {
    /// Has the keys of a bucket that begin with `prefix` belong to a pool, whatever their storage class, or go by that again.
    /// What is there is moved by and by. Blocks.
    ///
    /// # Errors
    /// No such bucket or pool, or more rules than a bucket may have.
    pub fn place(&self, grant: &Grant, bucket: &str, prefix: &str, pool: Option<&str>) -> Result<()> {
        grant.covers(Action::Administer)?;
        if prefix.len() > super::MAX_KEY {
            return Err(Error::InvalidKey);
        }
        if pool.is_some_and(|name| !self.inner.shared.hardware.roster().pools.iter().any(|pool| pool.name == name)) {
            return Err(Error::InvalidDocument("there is no pool of that name"));
        }
        loop {
            let state = self.bucket_state(bucket).ok_or(Error::NoSuchBucket)?;
            let rules = state.placement().with(prefix, pool)?;
            let held = state.document(PLACEMENT, "").map(|document| document.lsn);
            let op = Op::PutDocument {
                scope: state.bucket.id,
                kind: PLACEMENT.to_owned(),
                name: String::new(),
                value: rules.encode().map(Into::into),
                replaces: held.map_or(Replaces::Nothing, Replaces::Lsn),
            };
            match self.inner.queue.commit_blocking(op) {
                Err(Error::DocumentChanged) => {}
                other => {
                    // Whoever asks next how far it is must not be told that all is in its place already.
                    self.inner.shared.moving.note_change();
                    return other.map(|_| ());
                }
            }
        }
    }

    /// A bucket's rules.
    ///
    /// # Errors
    /// No such bucket.
    pub fn placement(&self, grant: &Grant, bucket: &str) -> Result<Rules> {
        grant.covers(Action::Administer)?;
        Ok(self.bucket_state(bucket).ok_or(Error::NoSuchBucket)?.placement().clone())
    }
}
