//! Actors, and the grants that the store's verbs ask for.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::action::Action;
use crate::decision::{Decision, Refusal};
use crate::evaluate::Request;
use crate::principal::{Identity, PosixIds};

/// Who asks, on every face.
#[derive(Clone, Debug)]
pub enum Actor {
    /// The holder of the node's root credentials.
    Root,
    /// A worker of the node itself, by name (`"lifecycle"`, `"verify"`).
    Worker(Arc<str>),
    /// Whoever policies speak of: the root of an account, a user, a session, a stranger.
    Principal(Arc<Identity>),
}

impl Actor {
    /// Whose files it makes, where that is said of anybody.
    #[must_use]
    pub fn posix(&self) -> Option<&PosixIds> {
        match self {
            Self::Root | Self::Worker(_) => None,
            Self::Principal(identity) => identity.posix.as_ref(),
        }
    }
}

impl PartialEq for Actor {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Root, Self::Root) => true,
            (Self::Worker(one), Self::Worker(other)) => one == other,
            (Self::Principal(one), Self::Principal(other)) => one.principal == other.principal,
            (Self::Root | Self::Worker(_) | Self::Principal(_), _) => false,
        }
    }
}

impl Eq for Actor {}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Worker(name) => write!(f, "worker:{name}"),
            Self::Principal(identity) => identity.principal.fmt(f),
        }
    }
}

/// What an action is asked for on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The node, or the list of all buckets.
    Node,
    Bucket(&'a str),
    Object {
        bucket: &'a str,
        key: &'a str,
    },
    /// A user, group, role or policy, by its ARN.
    Identity(&'a str),
}

impl<'a> Resource<'a> {
    /// The ARN that the resources of policies are matched with. For the list of all buckets it is one that only a
    /// wildcard matches.
    #[must_use]
    pub fn arn(&self) -> Cow<'a, str> {
        match self {
            Self::Node => Cow::Borrowed("arn:aws:s3:::*"),
            Self::Bucket(bucket) => Cow::Owned(["arn:aws:s3:::", bucket].concat()),
            Self::Object { bucket, key } => Cow::Owned(["arn:aws:s3:::", bucket, "/", key].concat()),
            Self::Identity(arn) => Cow::Borrowed(arn),
        }
    }
}

/// Leave for one action on one resource, given by [`authorise`] and [`Request::authorise`] alone.
#[derive(Clone, Debug)]
pub struct Grant {
    actor: Actor,
    action: Action,
    bucket: Box<str>,
    key: Box<str>,
    identity: Box<str>,
}

impl Grant {
    fn new(actor: Actor, action: Action, resource: Resource<'_>) -> Self {
        let (bucket, key, identity) = match resource {
            Resource::Node => ("", "", ""),
            Resource::Bucket(bucket) => (bucket, "", ""),
            Resource::Object { bucket, key } => (bucket, key, ""),
            Resource::Identity(arn) => ("", "", arn),
        };
        Self { actor, action, bucket: bucket.into(), key: key.into(), identity: identity.into() }
    }

    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The bucket's name; empty for anything but [`Resource::Bucket`] and [`Resource::Object`].
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object's key; empty for anything but [`Resource::Object`].
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The ARN of the user, group, role or policy; empty for anything but [`Resource::Identity`].
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
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
#[error("access denied: {}", action.name())]
pub struct Denied {
    pub action: Action,
}

/// Decides whether the node's root or a worker may do `action` on `resource`. A principal may do nothing by this way:
/// it is judged by its policies and the resource's, in [`Request::authorise`].
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
        Actor::Principal(_) => false,
    };
    if allowed { Ok(Grant::new(actor.clone(), action, resource)) } else { Err(Denied { action }) }
}

impl Request<'_> {
    /// Leave for the request, if [`Request::decide`] allows it.
    ///
    /// # Errors
    /// [`Denied`] when it doesn't.
    pub fn authorise(&self) -> Result<Grant, Denied> {
        self.grant().map_err(|_| Denied { action: self.action })
    }
}

impl<'a> Request<'a> {
    /// As [`Request::authorise`], with what denied it for whoever has to be told.
    ///
    /// # Errors
    /// What denied it.
    pub fn grant(&self) -> Result<Grant, Refusal<'a>> {
        match self.decide() {
            Decision::Allowed(_) => {
                Ok(Grant::new(Actor::Principal(Arc::clone(self.identity)), self.action, self.resource))
            }
            Decision::Denied(refusal) => Err(refusal),
        }
    }
}
