//! Listing a bucket.

use packstone_access::{Action, Grant};

use super::{ListPage, ListQuery, VersionPage, VersionQuery};
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
        let bucket = self.bucket_of(grant)?.bucket.id;
        let snapshot = self.inner.shared.namespace();
        list::objects(&*snapshot, bucket, query)
    }

    /// One page of versions, delete markers and common prefixes: keys in order, the newest version of each first.
    ///
    /// # Errors
    /// No such bucket.
    pub fn list_versions(&self, grant: &Grant, query: &VersionQuery) -> Result<VersionPage> {
        grant.covers(Action::ListBucketVersions)?;
        let bucket = self.bucket_of(grant)?.bucket.id;
        let snapshot = self.inner.shared.namespace();
        list::versions(&*snapshot, bucket, query)
    }
}
