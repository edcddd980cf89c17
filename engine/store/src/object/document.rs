//! Documents: configurations of buckets, and whatever the faces keep for the node (users, policies). The store reads
//! those alone that [`crate::configuration`] names; the rest is bytes to it.

use std::sync::Arc;

use bytes::Bytes;
use packstone_access::{Action, Grant};

use super::directory::NAMES_CHANGED;
use super::encryption::KEY_KINDS;
use super::export::EXPORT;
use crate::commit::{BucketState, Op, Outcome};
use crate::dictionary::DICTIONARY;
use crate::error::{Error, Result};
use crate::index::redirect::REDIRECT;
use crate::index::row::DocumentRow;
use crate::index::{Space, keys};
use crate::keeper::torn::TORN;
use crate::ledger::{APPROVAL, EVENT};
use crate::placement::PLACEMENT;
use crate::quota::{OWNER, QUOTA};
use crate::roster::LEAVING;
use crate::scrubbing::SCRUB;
use crate::store::Store;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Of the change that brought it: what [`Replaces::Lsn`] names.
    pub lsn: u64,
    pub value: Bytes,
}

/// A document before it has an LSN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDocument {
    pub kind: String,
    pub name: String,
    pub value: Bytes,
}

impl NewDocument {
    /// Bytes in the journal at most.
    pub(crate) fn weight(&self) -> u64 {
        (self.kind.len() + self.name.len() + self.value.len() + 64) as u64
    }
}

/// What must stand where a document is put or taken away, else [`Error::DocumentChanged`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replaces {
    #[default]
    Anything,
    Nothing,
    /// The document of that LSN.
    Lsn(u64),
}

/// Kinds of a bucket's documents, and the actions that read and change them. Others are the administrator's.
const KINDS: &[(&str, Action, Action)] = &[
    ("accelerate", Action::GetAccelerateConfiguration, Action::PutAccelerateConfiguration),
    ("acl", Action::GetBucketAcl, Action::PutBucketAcl),
    ("analytics", Action::GetAnalyticsConfiguration, Action::PutAnalyticsConfiguration),
    ("cors", Action::GetBucketCORS, Action::PutBucketCORS),
    ("encryption", Action::GetEncryptionConfiguration, Action::PutEncryptionConfiguration),
    ("intelligent-tiering", Action::GetIntelligentTieringConfiguration, Action::PutIntelligentTieringConfiguration),
    ("inventory", Action::GetInventoryConfiguration, Action::PutInventoryConfiguration),
    ("lifecycle", Action::GetLifecycleConfiguration, Action::PutLifecycleConfiguration),
    ("logging", Action::GetBucketLogging, Action::PutBucketLogging),
    ("metrics", Action::GetMetricsConfiguration, Action::PutMetricsConfiguration),
    ("notification", Action::GetBucketNotification, Action::PutBucketNotification),
    ("object-lock", Action::GetBucketObjectLockConfiguration, Action::PutBucketObjectLockConfiguration),
    ("ownership-controls", Action::GetBucketOwnershipControls, Action::PutBucketOwnershipControls),
    ("policy", Action::GetBucketPolicy, Action::PutBucketPolicy),
    ("public-access-block", Action::GetBucketPublicAccessBlock, Action::PutBucketPublicAccessBlock),
    ("replication", Action::GetReplicationConfiguration, Action::PutReplicationConfiguration),
    ("request-payment", Action::GetBucketRequestPayment, Action::PutBucketRequestPayment),
    ("tagging", Action::GetBucketTagging, Action::PutBucketTagging),
    ("versioning", Action::GetBucketVersioning, Action::PutBucketVersioning),
    ("website", Action::GetBucketWebsite, Action::PutBucketWebsite),
];

/// Whether documents of that kind are a bucket's configuration, which makes sense on another node too.
#[must_use]
pub fn is_configuration(kind: &str) -> bool {
    KINDS.iter().any(|(held, ..)| *held == kind) || [QUOTA, OWNER, PLACEMENT, EXPORT].contains(&kind)
}

/// Whether documents of that kind are written by the engine and no face: keys, the WORM ledger, how far scrubbing came,
/// dictionaries, redirects, when names changed.
pub(super) fn is_engines_own(kind: &str) -> bool {
    KEY_KINDS.contains(&kind)
        || [EVENT, APPROVAL, SCRUB, TORN, DICTIONARY, LEAVING, REDIRECT, NAMES_CHANGED].contains(&kind)
}

#[derive(Clone, Copy)]
enum Access {
    Reads,
    Changes,
    Removes,
}

/// Checks that a grant is for documents of that kind.
fn check_grant(grant: &Grant, kind: &str, access: Access) -> Result<()> {
    if is_engines_own(kind) && !matches!(access, Access::Reads) {
        return Err(Error::InvalidDocument("the engine alone writes such"));
    }
    let known = KINDS.iter().find(|(held, ..)| !grant.bucket().is_empty() && *held == kind);
    let action = match (known, access) {
        (None, _) => Action::Administer,
        (Some(("policy", ..)), Access::Removes) => Action::DeleteBucketPolicy,
        (Some(("website", ..)), Access::Removes) => Action::DeleteBucketWebsite,
        (Some((_, reads, _)), Access::Reads) => *reads,
        (Some((_, _, changes)), Access::Changes | Access::Removes) => *changes,
    };
    Ok(grant.covers(action)?)
}

/// Whose a document is: the grant's bucket's, or the node's if it names none.
fn scope_of(store: &Store, grant: &Grant, kind: &str, access: Access) -> Result<u32> {
    check_grant(grant, kind, access)?;
    if grant.bucket().is_empty() { Ok(0) } else { Ok(store.bucket_of(grant)?.bucket.id) }
}

impl Store {
    /// A bucket with all its documents, as the newest change left it. It takes no grant: it is what grants are decided
    /// by, and its holder answers for what comes of it.
    #[must_use]
    pub fn bucket_state(&self, name: &str) -> Option<Arc<BucketState>> {
        self.inner.shared.buckets.load().state(name).cloned()
    }

    /// All buckets with their documents, by name, as one change left them.
    ///
    /// # Errors
    /// A grant for something else.
    pub fn bucket_states(&self, grant: &Grant) -> Result<Vec<Arc<BucketState>>> {
        grant.covers(Action::Administer)?;
        let mut states: Vec<_> = self.inner.shared.buckets.load().states().cloned().collect();
        states.sort_by(|one, other| one.bucket.name.cmp(&other.bucket.name));
        Ok(states)
    }

    /// Puts a document of the grant's bucket, or of the node if it names none, or with `None` takes it away. Answers
    /// with its LSN, 0 where none stands any more.
    ///
    /// # Errors
    /// [`Error::DocumentChanged`], [`Error::InvalidDocument`], or a change of versioning or object lock that must not be.
    pub async fn put_document(
        &self,
        grant: &Grant,
        kind: &str,
        name: &str,
        value: Option<Bytes>,
        replaces: Replaces,
    ) -> Result<u64> {
        let access = if value.is_some() { Access::Changes } else { Access::Removes };
        let scope = scope_of(self, grant, kind, access)?;
        let op = Op::PutDocument { scope, kind: kind.to_owned(), name: name.to_owned(), value, replaces };
        match self.inner.queue.commit(op).await? {
            Outcome::Document(lsn) => Ok(lsn),
            _ => Err(Error::Unavailable("an answer to something else".into())),
        }
    }

    /// A document of the grant's bucket, or of the node if it names none.
    ///
    /// # Errors
    /// No such bucket, or a fault of the index.
    pub fn document(&self, grant: &Grant, kind: &str, name: &str) -> Result<Option<Document>> {
        let scope = scope_of(self, grant, kind, Access::Reads)?;
        let value = self.inner.shared.index.snapshot().get(Space::Documents, &keys::document(scope, kind, name))?;
        value.map(|value| read(&value)).transpose()
    }

    /// Whether the node has documents of its own: identities, keys, quotas. The WORM ledger and what workers put down are none of these.
    ///
    /// # Errors
    /// A grant for something else, or a fault of the index.
    pub fn has_node_documents(&self, grant: &Grant) -> Result<bool> {
        grant.covers(Action::Administer)?;
        let snapshot = self.inner.shared.index.snapshot();
        for pair in snapshot.prefix(Space::Documents, &0_u32.to_be_bytes()) {
            // The space's own mark begins so as well.
            if keys::parse_document(&pair?.0)
                .is_some_and(|(_, kind, _)| ![EVENT, APPROVAL, SCRUB, TORN, LEAVING].contains(&kind))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Documents of a kind with their names, in order.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn documents(&self, grant: &Grant, kind: &str) -> Result<Vec<(String, Document)>> {
        let scope = scope_of(self, grant, kind, Access::Reads)?;
        let snapshot = self.inner.shared.index.snapshot();
        let mut found = Vec::new();
        for pair in snapshot.prefix(Space::Documents, &keys::documents(scope, kind)) {
            let (key, value) = pair?;
            let Some((_, _, name)) = keys::parse_document(&key) else { continue };
            found.push((name.to_owned(), read(&value)?));
        }
        Ok(found)
    }
}

fn read(value: &[u8]) -> Result<Document> {
    let DocumentRow { lsn, value, .. } = DocumentRow::decode(value)?;
    Ok(Document { lsn, value: value.into() })
}
