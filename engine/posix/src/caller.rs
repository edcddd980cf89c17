//! On whose behalf a mount asks, and leave for it.
//!
//! A request names the uid of the process that the kernel asks for. Where that is a user's, it is carried out as the
//! user's; uid 0 and uids that are nobody's are the mount's own credential. Nothing here decides: an [`Authority`] knows
//! who there is and what policies say, at each question anew, so that what changes there counts from then on.
//!
//! What a caller wants is asked for here, and the store acts on the grant that this gives. What keeps the tree whole
//! (markers, inode numbers, what is said of directories) and the content of what is open is the node's own
//! ([`Files::may`]): leave to read and write is asked for when a file is opened, as POSIX has it.
//!
//! A connection from another machine has a [`Signer`] instead, which is asked in the authority's place, whatever uid a
//! request names.

use std::sync::Arc;

use packstone_access::{Action, Actor, Grant, Identity, Resource};
use packstone_store::object::{BucketState, Encryption, Version, VersionId};

use crate::tree::File;
use crate::{DefaultEncryption, Errno, Files};

/// Whose a uid is.
#[derive(Clone, Debug)]
pub enum Holder {
    Nobody,
    User(Arc<Identity>),
    /// Several users claim it: it can't be told who asks.
    Contested,
}

/// What policies see of a question beside who asks for what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// The beginning of the keys that are listed.
    pub prefix: Option<&'a str>,
    pub delimiter: Option<&'a str>,
    /// The version that is acted on, where it isn't the current one.
    pub version: Option<VersionId>,
    /// Tags to be put on.
    pub tags: &'a [(String, String)],
}

/// Why there is no leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Denied,
    NoSuchBucket,
    /// What the decision hangs on can't be read.
    Unreadable,
}

/// Who there is and who may do what, which the S3 face keeps.
pub trait Authority: Send + Sync {
    fn holder(&self, uid: u32) -> Holder;

    /// The id of the user of that name: it stays whatever the user is called later.
    fn id_of(&self, name: &str) -> Option<String>;

    fn user(&self, id: &str) -> Option<Arc<Identity>>;

    /// Leave for `action` on `resource`, as the policies of the actor and of the bucket are now.
    ///
    /// # Errors
    /// [`Refused`].
    fn may(&self, actor: &Actor, action: Action, resource: Resource<'_>, said: Said<'_>) -> Result<Grant, Refused>;

    /// Leave for `action`, to decrypt or to encrypt, with a key of the KMS.
    ///
    /// # Errors
    /// [`Refused`].
    fn may_use_key(&self, actor: &Actor, action: Action, key: &str) -> Result<(), Refused>;
}

/// Who signed a connection from another machine, which the S3 face knows too. What policies see of each of its questions
/// is also what that request said of itself.
pub trait Signer: Send + Sync + std::fmt::Debug {
    fn access_key(&self) -> &str;

    /// The same for the same credentials, and for no others.
    fn fingerprint(&self) -> [u8; 32];

    /// Whose the credentials are now; none where they are withdrawn, or have expired.
    fn actor(&self) -> Option<Actor>;

    /// # Errors
    /// As [`Authority::may`].
    fn may(&self, actor: &Actor, action: Action, resource: Resource<'_>, said: Said<'_>) -> Result<Grant, Refused>;

    /// # Errors
    /// As [`Authority::may_use_key`].
    fn may_use_key(&self, actor: &Actor, action: Action, key: &str) -> Result<(), Refused>;
}

/// Whom a mount speaks for where the uid is nobody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    Root,
    /// By id.
    User(String),
    /// On another machine, whatever the uid: by the fingerprint of what its connections are signed with.
    Signed([u8; 32]),
}

/// On whose behalf one request is carried out.
#[derive(Clone, Debug)]
pub struct Caller {
    actor: Actor,
    signer: Option<Arc<dyn Signer>>,
}

impl Caller {
    /// Whether no policy is asked.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self.actor, Actor::Root)
    }

    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl Files {
    /// The credential that a mount names; an empty name is root's.
    pub(crate) fn credential(&self, user: &[u8]) -> Option<Credential> {
        match std::str::from_utf8(user).ok()? {
            "" => Some(Credential::Root),
            name => self.authority.id_of(name).map(Credential::User),
        }
    }

    /// Who asks by a uid, or whatever the uid by a connection that was signed.
    ///
    /// # Errors
    /// [`Errno::ACCESS`] where that can't be told, or the mount's user is no more.
    pub(crate) fn caller(
        &self,
        credential: &Credential,
        signer: Option<&Arc<dyn Signer>>,
        uid: u32,
    ) -> Result<Caller, Errno> {
        if let Some(signer) = signer {
            let actor = signer.actor().ok_or(Errno::ACCESS)?;
            return Ok(Caller { actor, signer: Some(signer.clone()) });
        }
        let holder = if uid == 0 { Holder::Nobody } else { self.authority.holder(uid) };
        let actor = match (holder, credential) {
            (Holder::User(identity), _) => Actor::Principal(identity),
            (Holder::Contested, _) => return Err(Errno::ACCESS),
            (Holder::Nobody, Credential::Root) => Actor::Root,
            (Holder::Nobody, Credential::User(id)) => {
                self.authority.user(id).map(Actor::Principal).ok_or(Errno::ACCESS)?
            }
            (Holder::Nobody, Credential::Signed(_)) => return Err(Errno::ACCESS),
        };
        Ok(Caller { actor, signer: None })
    }

    fn may_call(
        &self,
        Caller { actor, signer }: &Caller,
        action: Action,
        resource: Resource<'_>,
        said: Said<'_>,
    ) -> Result<Grant, Errno> {
        let asked = match signer {
            Some(signer) => signer.may(actor, action, resource, said),
            None => self.authority.may(actor, action, resource, said),
        };
        asked.map_err(errno)
    }

    fn may_call_key(&self, Caller { actor, signer }: &Caller, action: Action, key: &str) -> Result<(), Errno> {
        let asked = match signer {
            Some(signer) => signer.may_use_key(actor, action, key),
            None => self.authority.may_use_key(actor, action, key),
        };
        asked.map_err(errno)
    }

    /// Leave for `action` on the key of a bucket, on the bucket where it is empty.
    pub(crate) fn ask(&self, caller: &Caller, action: Action, bucket: &str, key: &str) -> Result<Grant, Errno> {
        self.ask_saying(caller, action, bucket, key, Said::default())
    }

    pub(crate) fn ask_saying(
        &self,
        caller: &Caller,
        action: Action,
        bucket: &str,
        key: &str,
        said: Said<'_>,
    ) -> Result<Grant, Errno> {
        let resource = if key.is_empty() { Resource::Bucket(bucket) } else { Resource::Object { bucket, key } };
        self.may_call(caller, action, resource, said)
    }

    /// Leave to know which buckets there are.
    pub(crate) fn ask_for_buckets(&self, caller: &Caller) -> Result<Grant, Errno> {
        self.may_call(caller, Action::ListAllMyBuckets, Resource::Node, Said::default())
    }

    /// Leave to list what stands below `prefix`, with `action`.
    pub(crate) fn ask_to_list(
        &self,
        caller: &Caller,
        action: Action,
        bucket: &str,
        prefix: &str,
    ) -> Result<Grant, Errno> {
        let said = Said { prefix: Some(prefix), delimiter: Some("/"), ..Said::default() };
        self.ask_saying(caller, action, bucket, "", said)
    }

    /// The names of a file that any change of it changes, each with its bucket.
    pub(crate) fn names_of(&self, file: &File) -> Result<Vec<(String, String)>, Errno> {
        if file.version.attributes.file.is_none() {
            return Ok(vec![(file.bucket.bucket.name.to_string(), file.key.clone())]);
        }
        Ok(self.store.names(&self.may_of_node(Action::ListAllMyBuckets)?, file.version.file.inode)?)
    }

    /// Leave to read what is said of a file and what is in it: under one of its names, which all lead to the same.
    pub(crate) fn ask_to_read(&self, caller: &Caller, action: Action, file: &File) -> Result<(), Errno> {
        for (bucket, key) in self.names_of(file)? {
            match self.ask(caller, action, &bucket, &key) {
                Err(Errno::ACCESS) => {}
                asked => return asked.map(drop),
            }
        }
        Err(Errno::ACCESS)
    }

    /// Leave to change a file: under every name that it has, for all show it. The grant is for the one that is named.
    pub(crate) fn ask_to_change(&self, caller: &Caller, file: &File) -> Result<Grant, Errno> {
        let names = self.names_of(file)?;
        let asked = names.iter().map(|(bucket, key)| self.ask(caller, Action::PutObject, bucket, key));
        let mut grants = asked.collect::<Result<Vec<_>, _>>()?.into_iter();
        grants.find(|grant| *grant.key() == *file.key).ok_or(Errno::STALE)
    }

    /// Leave to have the content of a version in the clear, where it stands under a key of the KMS.
    pub(crate) fn ask_to_decrypt(&self, caller: &Caller, version: &Version) -> Result<(), Errno> {
        let Some(Encryption::Kms { key, .. }) = &version.attributes.encryption else { return Ok(()) };
        self.may_call_key(caller, Action::Decrypt, key)
    }

    /// Leave for the key of the KMS that new content of a bucket comes under, and for that of the version it goes on from.
    pub(crate) fn ask_to_encrypt(
        &self,
        caller: &Caller,
        bucket: &BucketState,
        held: Option<&Version>,
    ) -> Result<(), Errno> {
        let ask = |key: &str| self.may_call_key(caller, Action::GenerateDataKey, key);
        if let DefaultEncryption::Kms { key, .. } = (self.rule)(bucket) {
            ask(&key)?;
        }
        match held.and_then(|held| held.attributes.encryption.as_ref()) {
            Some(Encryption::Kms { key, .. }) => ask(key),
            _ => Ok(()),
        }
    }

    /// Leave to have what `version` is stand under another key, with its tags and ACL, as if it were put there.
    pub(crate) fn ask_to_bring(
        &self,
        caller: &Caller,
        bucket: &str,
        (source, destination): (&str, &str),
        version: &Version,
    ) -> Result<Grant, Errno> {
        self.ask(caller, Action::GetObject, bucket, source)?;
        let tags = &version.attributes.tags;
        if !tags.is_empty() {
            self.ask(caller, Action::GetObjectTagging, bucket, source)?;
            let said = Said { tags, ..Said::default() };
            self.ask_saying(caller, Action::PutObjectTagging, bucket, destination, said)?;
        }
        if version.attributes.acl.is_some() {
            self.ask(caller, Action::PutObjectAcl, bucket, destination)?;
        }
        self.ask(caller, Action::PutObject, bucket, destination)
    }
}

/// What was answered, or where that was a refusal the answer to another question.
pub fn or(asked: Result<(), Errno>, other: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    match asked {
        Err(Errno::ACCESS) => other(),
        answered => answered,
    }
}

fn errno(refused: Refused) -> Errno {
    match refused {
        Refused::Denied => Errno::ACCESS,
        Refused::NoSuchBucket => Errno::NOT_FOUND,
        Refused::Unreadable => Errno::IO,
    }
}
