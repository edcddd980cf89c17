//! All identities in memory, with their policies compiled and their secrets unsealed.
//!
//! Concurrency: a [`Records`] doesn't change once others see it; a change makes another, which shares what stayed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packstone_access::{Identity, Kind, Policy, PolicyKind, PosixIds, Principal};
use s3s::auth::SecretKey;

use super::master_key::{MasterKey, Purpose};
use super::provided;
use super::record::{AccessKey, Class, Own, Record};
use crate::owner;

/// The tag of a user that says whose its files are on the mount: a number.
pub(crate) const UID: &str = "packstone:uid";
/// And that of its groups there: numbers with spaces between them.
pub(crate) const GIDS: &str = "packstone:gids";

/// A record, and what is made of it once.
pub struct Known {
    pub record: Record,
    inline: Vec<Arc<Policy>>,
    /// Of a managed policy the version in force, of a role its trust policy.
    pub policy: Option<Arc<Policy>>,
    /// By access key; one that the master key doesn't open is missing.
    pub(crate) secrets: HashMap<String, SecretKey>,
}

impl Known {
    /// A policy that doesn't compile, which no version of this program lets in, denies everything: what it was to deny
    /// must not come to be allowed. A trust policy that doesn't trusts nobody.
    pub(crate) fn new(record: Record, master: &MasterKey) -> Self {
        let inline = record.inline.iter().map(|(name, text)| compile_or_deny(PolicyKind::Inline, name, text)).collect();
        let policy = match &record.own {
            Own::Policy { .. } => {
                Some(compile_or_deny(PolicyKind::Managed, &record.name, record.text().unwrap_or_default()))
            }
            Own::Role { trust, trusted, .. } => compile(PolicyKind::Trust, &record.name, trust, trusted),
            Own::User { .. } | Own::Group | Own::Provider { .. } => None,
        };
        let secrets = record.keys().iter().filter_map(|key| Some((key.id.clone(), unsealed(master, key)?))).collect();
        Self { record, inline, policy, secrets }
    }

    /// A managed policy that comes with the node.
    pub(super) fn provided(record: Record, policy: Arc<Policy>) -> Self {
        Self { record, inline: Vec::new(), policy: Some(policy), secrets: HashMap::new() }
    }
}

fn compile(kind: PolicyKind, name: &str, text: &str, ids: &BTreeMap<String, String>) -> Option<Arc<Policy>> {
    let compiled = Policy::parse_bound(kind, name, text, ids);
    compiled
        .inspect_err(|error| tracing::error!(policy = name, %error, "a policy can't be read: it denies everything"))
        .ok()
}

fn compile_or_deny(kind: PolicyKind, name: &str, text: &str) -> Arc<Policy> {
    compile(kind, name, text, &BTreeMap::new()).unwrap_or_else(nothing)
}

fn unsealed(master: &MasterKey, key: &AccessKey) -> Option<SecretKey> {
    let sealed = STANDARD.decode(&key.secret).ok()?;
    let plain = master.open(Purpose::Secret, &key.id, &sealed)?;
    String::from_utf8(plain).ok().map(SecretKey::from)
}

/// Every user, group, role and managed policy.
#[derive(Clone, Default)]
pub struct Records {
    /// Names don't mind case.
    by_name: BTreeMap<(Class, String), Arc<Known>>,
    by_id: HashMap<String, Arc<Known>>,
}

impl Records {
    pub fn named(&self, class: Class, name: &str) -> Option<&Arc<Known>> {
        self.by_name.get(&(class, name.to_lowercase()))
    }

    pub fn by_id(&self, id: &str) -> Option<&Arc<Known>> {
        self.by_id.get(id).or_else(|| provided::by_id(id))
    }

    /// All of a class by name, without what comes with the node.
    pub fn all(&self, class: Class) -> impl Iterator<Item = &Arc<Known>> {
        self.by_name
            .range((class, String::new())..)
            .take_while(move |((held, _), _)| *held == class)
            .map(|(_, known)| known)
    }

    pub fn policy_of_arn(&self, arn: &str) -> Option<&Arc<Known>> {
        self.of_arn(Class::Policy, arn).or_else(|| provided::of_arn(arn))
    }

    pub fn of_arn(&self, class: Class, arn: &str) -> Option<&Arc<Known>> {
        let name = match class {
            Class::Provider => arn.split_once('/')?.1,
            Class::User | Class::Group | Class::Role | Class::Policy => arn.rsplit('/').next()?,
        };
        self.named(class, name).filter(|known| known.record.arn() == arn)
    }

    /// What has that ARN, of whatever class.
    pub fn at(&self, arn: &str) -> Option<&Arc<Known>> {
        let classes = [Class::User, Class::Group, Class::Role, Class::Policy, Class::Provider];
        classes.into_iter().find_map(|class| self.of_arn(class, arn))
    }

    /// Who holds an access key.
    pub fn holder(&self, access_key: &str) -> Option<&Arc<Known>> {
        self.all(Class::User).find(|user| user.record.keys().iter().any(|key| key.id == access_key))
    }

    /// How many access keys have a secret that the master key doesn't open.
    pub(crate) fn count_sealed(&self) -> usize {
        self.all(Class::User).map(|user| user.record.keys().len() - user.secrets.len()).sum()
    }

    /// Members of a group.
    pub fn members<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Arc<Known>> {
        self.all(Class::User).filter(move |user| user.record.is_member_of(group))
    }

    pub(crate) fn put(&mut self, known: Known) {
        self.remove(&known.record.id.clone());
        let known = Arc::new(known);
        self.by_id.insert(known.record.id.clone(), known.clone());
        self.by_name.insert((known.record.class(), known.record.name.to_lowercase()), known);
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(known) = self.by_id.remove(id) {
            self.by_name.remove(&(known.record.class(), known.record.name.to_lowercase()));
        }
    }

    /// A user with everything that its policies and those of its groups allow.
    pub(crate) fn user(&self, user: &Known) -> Identity {
        let Record { path, name, id, .. } = &user.record;
        let kind = Kind::User { path: path.as_str().into(), name: name.as_str().into(), id: id.as_str().into() };
        let mut identity = self.holding(kind, user, &BTreeMap::new());
        // Of the user's own tags alone: whoever opens a session of a role says what its tags are.
        identity.posix = posix_ids(&user.record.tags);
        if let Own::User { groups, .. } = &user.record.own {
            for group in groups.iter().filter_map(|group| self.by_id(group)) {
                self.give(&mut identity, group);
            }
        }
        identity
    }

    /// A session of a role; `tags` are the session's.
    pub(crate) fn role_session(&self, role: &Known, session: &str, tags: &BTreeMap<String, String>) -> Identity {
        let Record { path, name, id, .. } = &role.record;
        let kind = Kind::Role {
            path: path.as_str().into(),
            name: name.as_str().into(),
            id: id.as_str().into(),
            session: session.into(),
        };
        self.holding(kind, role, tags)
    }

    fn holding(&self, kind: Kind, known: &Known, session_tags: &BTreeMap<String, String>) -> Identity {
        let mut principal = Principal::new(kind, owner::account().clone());
        for (key, value) in known.record.tags.iter().chain(session_tags) {
            principal = principal.tagged(key, value);
        }
        let mut identity = Identity::new(principal);
        self.give(&mut identity, known);
        // A boundary that is missing bounds to nothing: it must not come to be none.
        identity.boundary = known.record.boundary.as_deref().map(|id| self.managed(id).unwrap_or_else(nothing));
        identity
    }

    fn give(&self, identity: &mut Identity, known: &Known) {
        identity.policies.extend(known.inline.iter().cloned());
        identity.policies.extend(known.record.attached.iter().filter_map(|id| self.managed(id)));
    }

    fn managed(&self, id: &str) -> Option<Arc<Policy>> {
        self.by_id(id)?.policy.clone()
    }

    /// Ids of who is given a managed policy or bounded by it.
    pub fn users_of(&self, policy: &str) -> BTreeSet<&str> {
        self.by_id.values().filter(|known| known.record.uses(policy)).map(|known| known.record.id.as_str()).collect()
    }
}

/// The uid that a user's tags name.
pub(crate) fn uid(tags: &BTreeMap<String, String>) -> Option<u32> {
    tags.get(UID)?.parse().ok()
}

/// The ids that a user's tags name.
fn posix_ids(tags: &BTreeMap<String, String>) -> Option<PosixIds> {
    let uid = uid(tags)?;
    let gids =
        tags.get(GIDS).map_or("", String::as_str).split_whitespace().filter_map(|gid| gid.parse().ok()).collect();
    Some(PosixIds { uid, gids })
}

/// A policy that denies everything.
fn nothing() -> Arc<Policy> {
    const TEXT: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}"#;
    #[allow(clippy::expect_used, reason = "a constant that a test compiles")]
    Policy::parse(PolicyKind::Inline, "missing", TEXT).expect("a constant")
}
