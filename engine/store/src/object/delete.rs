//! Deleting the current version.

use packstone_access::{Action, Grant};

use super::Precondition;
use crate::commit::Op;
use crate::error::Result;
use crate::store::Store;

impl Store {
    /// Ends the current version of a key. A key that does not exist is no error, unless the precondition asks for it.
    ///
    /// # Errors
    /// No such bucket, or a precondition that does not hold.
    pub async fn delete(&self, grant: &Grant, precondition: Precondition) -> Result<()> {
        grant.covers(Action::DeleteObject)?;
        let bucket = self.bucket_of(grant)?.id;
        self.inner.queue.commit(Op::Delete { bucket, key: grant.key().to_owned(), precondition }).await.map(|_| ())
    }
}
