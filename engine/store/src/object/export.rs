//! Exports: which buckets and folders another face offers to whom. The engine keeps what is said of each without reading
//! it: with the bucket, whose backup it is in, and with which it ends.

use bytes::Bytes;
use packstone_access::{Action, Grant};

use super::Replaces;
use crate::commit::Op;
use crate::error::{Error, Result};
use crate::store::Store;

/// The kind of the documents that hold exports of a bucket, each under its prefix.
pub const EXPORT: &str = "export";

/// What is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    pub bucket: String,
    /// Empty for the whole bucket, else a folder's, with a slash at its end.
    pub prefix: String,
    /// In the words of the face that offers it.
    pub terms: Bytes,
}

impl Store {
    /// All exports, by bucket and prefix.
    ///
    /// # Errors
    /// A grant for something else.
    pub fn exports(&self, grant: &Grant) -> Result<Vec<Export>> {
        let mut found = Vec::new();
        for state in self.bucket_states(grant)? {
            found.extend(state.documents(EXPORT).map(|(prefix, document)| Export {
                bucket: state.bucket.name.to_string(),
                prefix: prefix.to_owned(),
                terms: document.value.clone(),
            }));
        }
        Ok(found)
    }

    /// Puts an export in place of the one of its bucket and prefix, or with `None` takes that away. Blocks.
    ///
    /// # Errors
    /// No such bucket, or more documents than one may have.
    pub fn set_export(&self, grant: &Grant, bucket: &str, prefix: &str, terms: Option<Bytes>) -> Result<()> {
        grant.covers(Action::Administer)?;
        let state = self.bucket_state(bucket).ok_or(Error::NoSuchBucket)?;
        let op = Op::PutDocument {
            scope: state.bucket.id,
            kind: EXPORT.to_owned(),
            name: prefix.to_owned(),
            value: terms,
            replaces: Replaces::Anything,
        };
        self.inner.queue.commit_blocking(op).map(|_| ())
    }
}
