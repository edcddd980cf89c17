//! Listing a bucket.

use packstone_access::{Action, Grant};

use super::{ListPage, ListQuery};
use crate::error::Result;
use crate::index::list;
use crate::store::Store;

impl Store {
    /// One page of objects and common prefixes in order. Synchronous: a page of 1,000 takes about a millisecond.
    ///
    /// # Errors
    /// No such bucket.
    pub fn list(&self, grant: &Grant, query: &ListQuery) -> Result<ListPage> {
        grant.covers(Action::ListBucket)?;
        let bucket = self.bucket_of(grant)?.id;
        let snapshot = self.inner.shared.index.snapshot();
        list::objects(&*snapshot, bucket, query)
    }
}
