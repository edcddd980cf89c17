//! When names at the top of a bucket changed last: no object stands for that directory, and so a document of the bucket says it.

use packstone_access::{Action, Grant};

use super::{BucketState, Replaces};
use crate::commit::Op;
use crate::error::Result;
use crate::store::Store;

/// The kind of the document that says it, in Unix nanoseconds: 8 bytes, little-endian. Its name is empty.
pub(super) const NAMES_CHANGED: &str = "names-changed";

impl BucketState {
    /// When names at its top changed, as far as that was kept; Unix nanoseconds.
    #[must_use]
    pub fn names_changed(&self) -> Option<i64> {
        let held = self.document(NAMES_CHANGED, "")?;
        held.value.first_chunk().map(|bytes| i64::from_le_bytes(*bytes))
    }
}

impl Store {
    /// Keeps when names at the top of a bucket changed, unless a later time is kept. One caller at a time: each reads
    /// what the one before has kept.
    ///
    /// # Errors
    /// No such bucket, a grant for something else, or no room.
    pub async fn keep_names_changed(&self, grant: &Grant, time: i64) -> Result<()> {
        grant.covers(Action::Administer)?;
        let state = self.bucket_of(grant)?;
        if state.names_changed().is_some_and(|held| held >= time) {
            return Ok(());
        }
        let op = Op::PutDocument {
            scope: state.bucket.id,
            kind: NAMES_CHANGED.to_owned(),
            name: String::new(),
            value: Some(time.to_le_bytes().to_vec().into()),
            replaces: Replaces::Anything,
        };
        self.inner.queue.commit(op).await.map(drop)
    }
}
