//! What was decided, and by what.

use std::fmt;

use crate::acl::{AclGrant, Grantee};
use crate::policy::{Policy, Statement};

/// The answer to a request.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'a> {
    Allowed(Basis<'a>),
    Denied(Refusal<'a>),
}

impl Decision<'_> {
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Where a policy is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Identity,
    Boundary,
    Session,
    /// A bucket's policy or a role's trust policy.
    Resource,
}

/// A statement, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub source: Source,
    pub policy: &'a Policy,
    pub statement: &'a Statement,
}

/// What allowed a request.
#[derive(Clone, Copy, Debug)]
pub enum Basis<'a> {
    /// The asker is the root of the account that the resource belongs to.
    Root,
    Statement(Place<'a>),
    Acl(&'a AclGrant),
}

/// What denied a request.
#[derive(Clone, Copy, Debug)]
pub enum Refusal<'a> {
    /// A statement says so.
    Explicit(Place<'a>),
    /// Nothing that would have to allow it does.
    Unallowed(Source),
    /// Its policy is public, the bucket is closed to the public, and the asker isn't of the bucket's account.
    PublicAccessBlock,
    /// The node's own affairs aren't for policies.
    Node,
}

impl Refusal<'_> {
    /// The reason as AWS words it, to end the message of `AccessDenied` with.
    #[must_use]
    pub fn because(&self, action: &str) -> String {
        match self {
            Self::Explicit(place) => format!("with an explicit deny in {}", place.source.with_article()),
            Self::Unallowed(source) => format!("because no {} allows the {action} action", source.name()),
            Self::PublicAccessBlock => {
                "because public policies are prevented by the RestrictPublicBuckets setting in S3 Block Public Access"
                    .into()
            }
            Self::Node => format!("because {action} is not for users"),
        }
    }
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
        }
    }

    fn with_article(self) -> String {
        let article = if self == Self::Identity { "an" } else { "a" };
        format!("{article} {}", self.name())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {}", self.statement.number() + 1)?;
        if let Some(sid) = self.statement.sid() {
            write!(f, " ({sid})")?;
        }
        write!(f, " of {} {}", self.source, self.policy.name())
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(Basis::Root) => f.write_str("allowed: the account's root"),
            Self::Allowed(Basis::Statement(place)) => write!(f, "allowed by {place}"),
            Self::Allowed(Basis::Acl(grant)) => {
                let grantee = match &grant.grantee {
                    Grantee::Account(id) => id,
                    Grantee::Group(group) => group.uri(),
                };
                write!(f, "allowed by the ACL, which gives {} to {grantee}", grant.permission.name())
            }
            Self::Denied(Refusal::Explicit(place)) => write!(f, "denied by {place}"),
            Self::Denied(Refusal::Unallowed(source)) => write!(f, "denied: no {source} allows it"),
            Self::Denied(Refusal::PublicAccessBlock) => {
                f.write_str("denied: the bucket's policy is public, and RestrictPublicBuckets is set")
            }
            Self::Denied(Refusal::Node) => f.write_str("denied: the node's own affairs are for its root alone"),
        }
    }
}
