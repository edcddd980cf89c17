//! The key ring: from an access key to who holds it, for every request.
//!
//! Concurrency: requests load a [`Table`] without waiting, and it doesn't change under them. A change of identities or
//! of root's credentials puts another table in its place, one change at a time (`changing`). Sessions that were looked
//! at are remembered in the table: whatever changes, their rights are computed anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use packstone_access::{Actor, Identity, Kind, Policy, PolicyKind, Principal};
use packstone_posix::Holder;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::ids::Prefix;
use super::master_key::{MasterKey, equal};
use super::record::Class;
use super::records::{Records, uid};
use super::token::{Claims, Session, Subject};
use crate::owner;

/// Sessions that a table remembers.
const SESSIONS: usize = 4096;
/// Users that mounts speak for that a table remembers.
const SPOKEN_FOR: usize = 256;

/// Who holds an access key, and what they may do.
#[derive(Debug)]
pub struct Bearer {
    /// Empty for who did not sign.
    pub access_key: Box<str>,
    pub actor: Actor,
    pub identity: Arc<Identity>,
    /// When the session was issued and when it expires, in Unix seconds.
    pub session: Option<(i64, i64)>,
    /// What an identity provider said of who holds the session.
    pub(crate) claims: Option<Claims>,
}

impl Bearer {
    fn new(access_key: &str, identity: Identity) -> Self {
        let identity = Arc::new(identity);
        let root = *identity.principal.kind() == Kind::Root && identity.session.is_empty();
        let actor = if root { Actor::Root } else { Actor::Principal(identity.clone()) };
        Self { access_key: access_key.into(), actor, identity, session: None, claims: None }
    }

    #[must_use]
    pub fn anonymous() -> Self {
        Self::new("", Identity::new(Principal::anonymous()))
    }

    /// Whether it is the node's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.actor == Actor::Root
    }

    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        *self.identity.principal.kind() == Kind::Anonymous
    }
}

/// Why nobody comes with an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// No such key, or it is inactive.
    UnknownKey,
    /// No token where there must be one, one where there can be none, a forged one, or one of somebody who is gone.
    InvalidToken,
    ExpiredToken,
}

struct Held {
    secret: SecretKey,
    bearer: Arc<Bearer>,
}

impl Held {
    fn root(access_key: &str, secret: &str) -> Self {
        let identity = Identity::new(Principal::new(Kind::Root, owner::account().clone()));
        Self { secret: secret.into(), bearer: Arc::new(Bearer::new(access_key, identity)) }
    }
}

/// Root credentials that others have replaced, and that are taken still.
#[derive(Clone)]
pub struct PreviousRoot {
    /// Another one than that of the credentials in force.
    pub access_key: String,
    pub secret_key: String,
    /// Unix seconds after which they are refused; `None` for never.
    pub until: Option<i64>,
}

impl PreviousRoot {
    fn is_accepted(&self) -> bool {
        self.until.is_none_or(|until| now() < until)
    }
}

/// Everybody who may sign.
struct Table {
    root: Held,
    previous: Option<(Held, PreviousRoot)>,
    users: HashMap<Box<str>, Held>,
    /// By uid; `None` where several users have it.
    uids: HashMap<u32, Option<Arc<Identity>>>,
    records: Arc<Records>,
    sessions: Cache<Box<str>, Arc<Bearer>>,
    /// By id, for mounts that speak for a user.
    by_id: Cache<Box<str>, Arc<Identity>>,
}

impl Table {
    fn new(root: Held, previous: Option<PreviousRoot>, records: Arc<Records>) -> Self {
        let mut users = HashMap::new();
        let mut uids = HashMap::new();
        for user in records.all(Class::User) {
            let mut identity = None;
            if let Some(uid) = uid(&user.record.tags) {
                let known = Arc::new(records.user(user));
                identity = Some(Identity::clone(&known));
                uids.entry(uid).and_modify(|held| *held = None).or_insert(Some(known));
            }
            for key in user.record.keys().iter().filter(|key| key.active) {
                let Some(secret) = user.secrets.get(&key.id) else { continue };
                let identity: &Identity = identity.get_or_insert_with(|| records.user(user));
                let bearer = Arc::new(Bearer::new(&key.id, identity.clone()));
                users.insert(key.id.as_str().into(), Held { secret: secret.clone(), bearer });
            }
        }
        let previous = previous.map(|previous| (Held::root(&previous.access_key, &previous.secret_key), previous));
        let (sessions, by_id) = (Cache::new(SESSIONS), Cache::new(SPOKEN_FOR));
        Self { root, previous, users, uids, records, sessions, by_id }
    }

    fn held(&self, access_key: &str) -> Option<&Held> {
        self.roots().find(|root| *root.bearer.access_key == *access_key).or_else(|| self.users.get(access_key))
    }

    /// Root's credentials that are taken, those in force first.
    fn roots(&self) -> impl Iterator<Item = &Held> {
        let previous = self.previous.as_ref().filter(|(_, said)| said.is_accepted());
        [&self.root].into_iter().chain(previous.map(|(held, _)| held))
    }

    /// When a session ends at the latest that was made under these credentials of root's.
    fn end_of_root(&self, root: &Held) -> Option<i64> {
        let previous = self.previous.as_ref().filter(|(held, _)| held.bearer.access_key == root.bearer.access_key);
        previous.and_then(|(_, said)| said.until)
    }
}

/// The table in force, and the master key that sessions are opened with.
#[derive(Clone)]
pub struct KeyRing {
    table: Arc<ArcSwap<Table>>,
    changing: Arc<Mutex<()>>,
    master: Arc<MasterKey>,
}

impl KeyRing {
    /// A ring with root's key alone.
    #[must_use]
    pub fn new(access_key: &str, secret: &str, master: Arc<MasterKey>) -> Self {
        let table = Table::new(Held::root(access_key, secret), None, Arc::default());
        Self { table: Arc::new(ArcSwap::from_pointee(table)), changing: Arc::default(), master }
    }

    pub(crate) fn master(&self) -> &MasterKey {
        &self.master
    }

    /// All identities as they are.
    #[must_use]
    pub fn records(&self) -> Arc<Records> {
        self.table.load().records.clone()
    }

    /// Puts other root credentials in force, for every request from now on, and takes `previous` beside them.
    pub fn set_root(&self, access_key: &str, secret: &str, previous: Option<PreviousRoot>) {
        let _one = self.changing.lock();
        let records = self.records();
        self.table.store(Arc::new(Table::new(Held::root(access_key, secret), previous, records)));
    }

    pub(crate) fn set_records(&self, records: Records) {
        let _one = self.changing.lock();
        let table = self.table.load();
        let root = Held::root(&table.root.bearer.access_key, table.root.secret.expose());
        let previous = table.previous.as_ref().map(|(_, previous)| previous.clone());
        self.table.store(Arc::new(Table::new(root, previous, Arc::new(records))));
    }

    /// Whose a uid is on mounts.
    #[must_use]
    pub fn holder(&self, uid: u32) -> Holder {
        match self.table.load().uids.get(&uid) {
            None => Holder::Nobody,
            Some(None) => Holder::Contested,
            Some(Some(identity)) => Holder::User(identity.clone()),
        }
    }

    /// A user as it is now, by id.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<Arc<Identity>> {
        let table = self.table.load();
        if let Some(identity) = table.by_id.get(id) {
            return Some(identity);
        }
        let known = table.records.by_id(id).filter(|known| known.record.class() == Class::User)?;
        let identity = Arc::new(table.records.user(known));
        table.by_id.insert(id.into(), identity.clone());
        Some(identity)
    }

    /// Who holds an access key, with the session token that came with it.
    ///
    /// # Errors
    /// [`Stranger`].
    pub fn bearer(&self, access_key: &str, token: Option<&str>) -> Result<Arc<Bearer>, Stranger> {
        let table = self.table.load();
        match (table.held(access_key), token) {
            (Some(held), None) => Ok(held.bearer.clone()),
            (Some(_), Some(_)) => Err(Stranger::InvalidToken),
            (None, Some(token)) => self.session(&table, access_key, token),
            (None, None) if access_key.starts_with(Prefix::SessionKey.text()) => Err(Stranger::InvalidToken),
            (None, None) => Err(Stranger::UnknownKey),
        }
    }

    fn session(&self, table: &Table, access_key: &str, token: &str) -> Result<Arc<Bearer>, Stranger> {
        let bearer = match table.sessions.get(token) {
            Some(bearer) => bearer,
            None => {
                let session = Session::open(&self.master, token).ok_or(Stranger::InvalidToken)?;
                let bearer = Arc::new(self.admitted(table, &session).ok_or(Stranger::InvalidToken)?);
                table.sessions.insert(token.into(), bearer.clone());
                bearer
            }
        };
        if *bearer.access_key != *access_key {
            return Err(Stranger::InvalidToken);
        }
        match bearer.session {
            Some((_, expires)) if expires > now() => Ok(bearer),
            _ => Err(Stranger::ExpiredToken),
        }
    }

    /// Who a session stands for, if they are still there.
    fn admitted(&self, table: &Table, session: &Session) -> Option<Bearer> {
        let mut expires = session.expires;
        let mut identity = match &session.subject {
            Subject::Root(fingerprint) => {
                let root = table.roots().find(|root| equal(fingerprint, &self.fingerprint(root)))?;
                expires = expires.min(table.end_of_root(root).unwrap_or(i64::MAX));
                Identity::clone(&root.bearer.identity)
            }
            Subject::User(id) => {
                let user = table.records.by_id(id).filter(|known| known.record.class() == Class::User)?;
                table.records.user(user)
            }
            Subject::Role { id, session: name } => {
                let role = table.records.by_id(id).filter(|known| known.record.class() == Class::Role)?;
                table.records.role_session(role, name, &session.tags)
            }
        };
        // They were checked for what they are when the session was made; managed ones are longer than its own.
        for text in &session.policies {
            identity.session.push(Policy::parse(PolicyKind::Inline, "session", text).ok()?);
        }
        Some(Bearer {
            session: Some((session.issued, expires)),
            claims: session.claims.clone(),
            ..Bearer::new(&session.access_key, identity)
        })
    }

    /// What a session is made under by whoever holds this access key of root's.
    pub(crate) fn root_fingerprint(&self, access_key: &str) -> Option<String> {
        let table = self.table.load();
        table.roots().find(|root| *root.bearer.access_key == *access_key).map(|root| self.fingerprint(root))
    }

    fn fingerprint(&self, root: &Held) -> String {
        self.master.fingerprint(&root.bearer.access_key, root.secret.expose())
    }

    /// The secret of an access key. That of a session is worth nothing without its token.
    #[must_use]
    pub fn secret(&self, access_key: &str) -> Option<SecretKey> {
        match self.table.load().held(access_key) {
            Some(held) => Some(held.secret.clone()),
            None if access_key.starts_with(Prefix::SessionKey.text()) => {
                Some(self.master.session_secret(access_key).into())
            }
            None => None,
        }
    }
}

#[async_trait::async_trait]
impl S3Auth for KeyRing {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.secret(access_key).ok_or_else(|| S3Error::new(S3ErrorCode::InvalidAccessKeyId))
    }
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
