//! Who may do what.
//!
//! A face (S3, mount, worker) names an [`Actor`] and asks [`authorise`] whether it may carry out an [`Action`] on a
//! [`Resource`]. The answer is a [`Grant`], which nothing outside this crate can make, and every verb of the store
//! takes one and acts on exactly the bucket and key that it names: what was asked and what is done can't differ.

use std::fmt;
use std::sync::Arc;

/// Who asks, on every face.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The holder of the node's root credentials.
    Root,
    /// A worker of the node itself, by name (`"lifecycle"`, `"verify"`).
    Worker(Arc<str>),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Worker(name) => write!(f, "worker:{name}"),
        }
    }
}

/// What is asked for. Names follow the actions of AWS IAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    ListAllMyBuckets,
    CreateBucket,
    DeleteBucket,
    /// HeadBucket, listing of objects and of uploads.
    ListBucket,
    ListBucketVersions,
    GetAccelerateConfiguration,
    GetBucketAcl,
    GetAnalyticsConfiguration,
    GetBucketCORS,
    GetEncryptionConfiguration,
    GetIntelligentTieringConfiguration,
    GetInventoryConfiguration,
    GetLifecycleConfiguration,
    GetBucketLogging,
    GetMetricsConfiguration,
    GetBucketNotification,
    GetBucketObjectLockConfiguration,
    GetBucketOwnershipControls,
    GetBucketPolicy,
    GetBucketPublicAccessBlock,
    GetReplicationConfiguration,
    GetBucketRequestPayment,
    GetBucketTagging,
    GetBucketVersioning,
    GetBucketWebsite,
    PutAccelerateConfiguration,
    PutBucketAcl,
    PutAnalyticsConfiguration,
    PutBucketCORS,
    PutEncryptionConfiguration,
    PutIntelligentTieringConfiguration,
    PutInventoryConfiguration,
    PutLifecycleConfiguration,
    PutBucketLogging,
    PutMetricsConfiguration,
    PutBucketNotification,
    PutBucketObjectLockConfiguration,
    PutBucketOwnershipControls,
    PutBucketPolicy,
    PutBucketPublicAccessBlock,
    PutReplicationConfiguration,
    PutBucketRequestPayment,
    PutBucketTagging,
    PutBucketVersioning,
    PutBucketWebsite,
    DeleteBucketPolicy,
    DeleteBucketWebsite,
    GetObject,
    GetObjectVersion,
    GetObjectAcl,
    GetObjectVersionAcl,
    GetObjectAttributes,
    GetObjectVersionAttributes,
    GetObjectTagging,
    GetObjectVersionTagging,
    GetObjectRetention,
    GetObjectLegalHold,
    PutObject,
    PutObjectTagging,
    PutObjectVersionTagging,
    DeleteObjectTagging,
    DeleteObjectVersionTagging,
    PutObjectRetention,
    PutObjectLegalHold,
    PutObjectAcl,
    PutObjectVersionAcl,
    DeleteObject,
    DeleteObjectVersion,
    BypassGovernanceRetention,
    AbortMultipartUpload,
    ListMultipartUploadParts,
    /// Status, sealing, verification: whatever concerns the node and no bucket.
    Administer,
}

/// What it is asked for on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    Node,
    Bucket(&'a str),
    Object { bucket: &'a str, key: &'a str },
}

/// Leave for one action on one resource, given by [`authorise`].
#[derive(Clone, Debug)]
pub struct Grant {
    actor: Actor,
    action: Action,
    bucket: Box<str>,
    key: Box<str>,
}

impl Grant {
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The bucket's name; empty for [`Resource::Node`].
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object's key; empty for anything but [`Resource::Object`].
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Checks that the grant is for `action`, which a verb does before anything else.
    ///
    /// # Errors
    /// [`Denied`] when the grant was given for another action.
    pub fn covers(&self, action: Action) -> Result<(), Denied> {
        if self.action == action { Ok(()) } else { Err(Denied { action }) }
    }
}

/// The actor may not do that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("access denied: {action:?}")]
pub struct Denied {
    pub action: Action,
}

/// Decides whether `actor` may do `action` on `resource`.
///
/// # Errors
/// [`Denied`] when it may not.
pub fn authorise(actor: &Actor, action: Action, resource: Resource<'_>) -> Result<Grant, Denied> {
    let allowed = match actor {
        Actor::Root => true,
        // A worker keeps house: it reads and lists, and changes go through verbs of its own.
        Actor::Worker(_) => {
            matches!(action, Action::Administer | Action::ListAllMyBuckets | Action::ListBucket | Action::GetObject)
        }
    };
    if !allowed {
        return Err(Denied { action });
    }
    let (bucket, key) = match resource {
        Resource::Node => ("", ""),
        Resource::Bucket(bucket) => (bucket, ""),
        Resource::Object { bucket, key } => (bucket, key),
    };
    Ok(Grant { actor: actor.clone(), action, bucket: bucket.into(), key: key.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_for_one_action_on_one_resource() {
        let grant = authorise(&Actor::Root, Action::GetObject, Resource::Object { bucket: "b", key: "k" }).unwrap();
        assert_eq!((grant.bucket(), grant.key()), ("b", "k"));
        assert!(grant.covers(Action::GetObject).is_ok());
        assert_eq!(grant.covers(Action::DeleteObject), Err(Denied { action: Action::DeleteObject }));
    }

    #[test]
    fn a_worker_deletes_nothing() {
        let worker = Actor::Worker("verify".into());
        assert!(authorise(&worker, Action::GetObject, Resource::Object { bucket: "b", key: "k" }).is_ok());
        assert!(authorise(&worker, Action::DeleteObject, Resource::Object { bucket: "b", key: "k" }).is_err());
    }
}
