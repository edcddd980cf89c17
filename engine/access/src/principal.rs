//! Who asks, and what they were given.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::policy::Policy;

/// Who owns a bucket or an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Twelve digits.
    pub account: Box<str>,
    /// What ACLs know the account by: 64 hexadecimal digits.
    pub canonical_id: Box<str>,
}

/// What kind of principal asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The account itself.
    Root,
    User {
        /// Slash to slash, `/` for none.
        path: Box<str>,
        name: Box<str>,
        /// `AIDA…`
        id: Box<str>,
    },
    /// A session of a role.
    Role {
        path: Box<str>,
        name: Box<str>,
        /// `AROA…`
        id: Box<str>,
        session: Box<str>,
    },
    /// A user's session under another name (GetFederationToken).
    FederatedUser { name: Box<str> },
    /// Whoever an identity provider vouches for, before a role is theirs. The provider is an ARN or a host's name.
    Federated { provider: Box<str> },
    /// A service of the node, by the name that AWS gives it (`logging.s3.amazonaws.com`).
    Service { name: Box<str> },
    /// Whoever did not sign.
    Anonymous,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Principal {
    kind: Kind,
    owner: Owner,
    /// What policies name: for a role's session the role's ARN. Empty for who has none.
    arn: Box<str>,
    /// The session's own ARN, where it differs.
    session_arn: Option<Box<str>>,
    user_id: Box<str>,
    tags: Vec<(Box<str>, Box<str>)>,
}

impl Principal {
    /// `owner` is the account that the principal belongs to; for [`Kind::Anonymous`], [`Kind::Federated`] and
    /// [`Kind::Service`] it is left empty.
    #[must_use]
    pub fn new(kind: Kind, owner: Owner) -> Self {
        let account = &owner.account;
        let (arn, session_arn, user_id) = match &kind {
            Kind::Root => (format!("arn:aws:iam::{account}:root"), None, account.clone()),
            Kind::User { path, name, id } => (format!("arn:aws:iam::{account}:user{path}{name}"), None, id.clone()),
            Kind::Role { path, name, id, session } => (
                format!("arn:aws:iam::{account}:role{path}{name}"),
                Some(format!("arn:aws:sts::{account}:assumed-role/{name}/{session}").into()),
                format!("{id}:{session}").into(),
            ),
            Kind::FederatedUser { name } => {
                (format!("arn:aws:sts::{account}:federated-user/{name}"), None, format!("{account}:{name}").into())
            }
            Kind::Federated { .. } | Kind::Service { .. } => (String::new(), None, Box::from("")),
            Kind::Anonymous => (String::new(), None, Box::from("anonymous")),
        };
        Self { kind, owner, arn: arn.into(), session_arn, user_id, tags: Vec::new() }
    }

    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(Kind::Anonymous, Owner { account: Box::from(""), canonical_id: Box::from("") })
    }

    /// Adds a tag of the user, the role or the session, which `aws:PrincipalTag/key` asks for.
    #[must_use]
    pub fn tagged(mut self, key: &str, value: &str) -> Self {
        self.tags.retain(|(of, _)| !of.eq_ignore_ascii_case(key));
        self.tags.push((key.into(), value.into()));
        self
    }

    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    #[must_use]
    pub fn account(&self) -> &str {
        &self.owner.account
    }

    #[must_use]
    pub fn canonical_id(&self) -> &str {
        &self.owner.canonical_id
    }

    /// The ARN that policies name: of the user, the role, the account's root. Empty for who has none.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The ARN of who acts, as errors and logs show it: for a role that of the session.
    #[must_use]
    pub fn acting_arn(&self) -> &str {
        self.session_arn.as_deref().unwrap_or(&self.arn)
    }

    /// `aws:userid`
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The id of the user or of the role, which no other ever has.
    pub(crate) fn entity_id(&self) -> Option<&str> {
        match &self.kind {
            Kind::User { id, .. } | Kind::Role { id, .. } => Some(id),
            _ => None,
        }
    }

    pub(crate) fn username(&self) -> Option<&str> {
        match &self.kind {
            Kind::User { name, .. } => Some(name),
            _ => None,
        }
    }

    pub(crate) fn kind_name(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Root => Some("Account"),
            Kind::User { .. } => Some("User"),
            Kind::Role { .. } => Some("AssumedRole"),
            Kind::FederatedUser { .. } => Some("FederatedUser"),
            Kind::Federated { .. } | Kind::Service { .. } => None,
            Kind::Anonymous => Some("Anonymous"),
        }
    }

    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(of, _)| of.eq_ignore_ascii_case(key)).map(|(_, value)| &**value)
    }

    /// Whether it belongs to an account, so that policies of its own can allow it something.
    pub(crate) fn has_account(&self) -> bool {
        !matches!(self.kind, Kind::Anonymous | Kind::Federated { .. } | Kind::Service { .. })
    }

    pub(crate) fn is_service(&self) -> bool {
        matches!(self.kind, Kind::Service { .. })
    }

    pub(crate) fn is_root(&self) -> bool {
        self.kind == Kind::Root
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.owner == other.owner
    }
}

impl Eq for Principal {}

impl Hash for Principal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.acting_arn().hash(state);
        self.user_id.hash(state);
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Anonymous => f.write_str("anonymous"),
            Kind::Federated { provider } => write!(f, "federated:{provider}"),
            Kind::Service { name } => f.write_str(name),
            _ => f.write_str(self.acting_arn()),
        }
    }
}

/// Whose somebody's files are on the mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PosixIds {
    pub uid: u32,
    /// The first is that of what they make.
    pub gids: Vec<u32>,
}

/// A principal with the policies that bound it: what a face keeps, by access key, for as long as neither changes.
///
/// The root of an account needs no policies and isn't bound by any here.
#[derive(Clone, Debug)]
pub struct Identity {
    pub principal: Principal,
    /// Of the user and its groups, or of the role; each allows.
    pub policies: Vec<Arc<Policy>>,
    /// The permissions boundary, which allows nothing by itself.
    pub boundary: Option<Arc<Policy>>,
    /// What a session was made with. All together are one policy: what none of them allows, the session may not.
    pub session: Vec<Arc<Policy>>,
    /// `None` for who has no uid.
    pub posix: Option<PosixIds>,
}

impl Identity {
    #[must_use]
    pub fn new(principal: Principal) -> Self {
        Self { principal, policies: Vec::new(), boundary: None, session: Vec::new(), posix: None }
    }

    #[must_use]
    pub fn with_policy(mut self, policy: Arc<Policy>) -> Self {
        self.policies.push(policy);
        self
    }

    #[must_use]
    pub fn within(mut self, boundary: Arc<Policy>) -> Self {
        self.boundary = Some(boundary);
        self
    }

    #[must_use]
    pub fn with_posix(mut self, posix: PosixIds) -> Self {
        self.posix = Some(posix);
        self
    }

    #[must_use]
    pub fn with_session(mut self, policy: Arc<Policy>) -> Self {
        self.session.push(policy);
        self
    }
}
