//! When names at the top of a bucket changed last: no object stands for that directory, and so a document of the bucket says it.

use packstone_access::{Action, Grant};

use super::{BucketState, Replaces};
use crate::codec::{Reader, Writer};
use crate::commit::Op;
use crate::error::Result;
use crate::store::Store;

/// The kind of the document that says it; its name is empty.
pub(super) const NAMES_CHANGED: &str = "names-changed";
/// Of its value, which goes on with an `i64`: Unix nanoseconds.
const VERSION: u8 = 1;

impl BucketState {
    /// When names at its top changed, as far as that was kept; Unix nanoseconds.
    #[must_use]
    pub fn names_changed(&self) -> Option<i64> {
        let mut from = Reader(&self.document(NAMES_CHANGED, "")?.value);
        from.u8().ok().filter(|version| *version == VERSION).and_then(|_| from.i64().ok())
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
        let mut value = Writer::default();
        value.u8(VERSION);
        value.i64(time);
        let op = Op::PutDocument {
            scope: state.bucket.id,
            kind: NAMES_CHANGED.to_owned(),
            name: String::new(),
            value: Some(value.0.into()),
            replaces: Replaces::Anything,
        };
        self.inner.queue.commit(op).await.map(drop)
    }
}
