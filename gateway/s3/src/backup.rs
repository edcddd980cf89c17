//! The configuration of a node as one text: its buckets with what is said of each, and everybody whom it knows. It is
//! taken for a backup, and put on a node that has neither buckets nor identities.
//!
//! Secrets of access keys stand in it in the clear, since another node has another master key: whoever takes the text
//! has to seal it.
//!
//! A restore is many entries of the journal, so it leaves a mark in front of them, which names the text by its digest,
//! and takes it away behind them. One that was cut off is carried on by the same text, and by no other: what stands
//! already is compared, never replaced. Policies come before who holds them, and users last, so that nobody may do more
//! in between than at the end.

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packstone_access::{Action, Actor, Denied, Grant, Resource, authorise};
use packstone_store::object::{Bucket, BucketState, Document, NewDocument, Replaces, is_configuration};
use packstone_store::quota::OWNER_QUOTA;
use packstone_store::{Error, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::identity::{Change, Class, Directory, DirectoryError, Known, Own, Purpose, Record, Records, Unusable};

/// The kind of the document that marks a restore under way; its name is empty, its value the digest of the text.
const MARK: &str = "restore";
/// The order in which identities come.
const ORDER: [Class; 5] = [Class::Provider, Class::Policy, Class::Group, Class::Role, Class::User];

/// Why a configuration can't be taken or restored, in one line.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0}")]
    Store(#[from] Error),
    #[error("{0}")]
    Directory(#[from] DirectoryError),
    #[error("{0}")]
    Key(#[from] Unusable),
    #[error("it can't be read: {0}")]
    Unreadable(String),
    #[error(
        "the node has {buckets} buckets and {identities} users, groups, roles and policies: a configuration is restored on an empty node only"
    )]
    NotEmpty { buckets: usize, identities: usize },
    #[error("another restore was cut off here: end it with the file that it began with, or make the node anew")]
    AnotherBegun,
    #[error("{0} stands on the node already, and not as in the file: take it away, or make the node anew")]
    Differs(String),
}

impl From<Denied> for BackupError {
    fn from(denied: Denied) -> Self {
        Self::Store(denied.into())
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    buckets: Vec<SavedBucket>,
    /// In the form of the journal's, but for the secrets, which are plain.
    identities: Vec<Record>,
    /// Quotas of users over all their buckets, by their ids.
    #[serde(default)]
    owner_quotas: Vec<SavedDocument>,
    /// Ids of the KMS's keys, without the keys: what they open isn't here.
    kms_keys: Vec<String>,
    /// Access keys left out, since the master key doesn't open their secrets.
    left_out: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedBucket {
    name: String,
    /// By kind and name.
    documents: Vec<SavedDocument>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedDocument {
    kind: String,
    name: String,
    /// Base64.
    value: String,
}

/// What a restore made, or found made by one that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    pub buckets: usize,
    pub identities: usize,
}

/// A node whose configuration is taken or put back.
pub(crate) struct Backup {
    store: Store,
    directory: Directory,
}

fn administer() -> Result<Grant, Denied> {
    authorise(&Actor::Root, Action::Administer, Resource::Node)
}

impl Backup {
    pub fn new(store: Store, directory: Directory) -> Self {
        Self { store, directory }
    }

    /// The configuration as it is.
    pub fn take(&self) -> Result<String, BackupError> {
        let grant = administer()?;
        let kms_keys = self.store.kms_keys(&grant)?.into_iter().map(|key| key.id).collect();
        let owner_quotas = self.store.documents(&grant, OWNER_QUOTA)?.into_iter();
        let owner_quotas = owner_quotas.map(|(name, document)| saved(OWNER_QUOTA, &name, &document)).collect();
        let buckets = self.store.bucket_states(&grant)?.iter().map(|state| save_bucket(state)).collect();
        let records = self.directory.ring().records();
        let mut left_out = Vec::new();
        let known = ORDER.into_iter().flat_map(|class| records.all(class));
        let identities = known.map(|known| save_identity(known, &mut left_out)).collect();
        let contents = Contents { buckets, identities, owner_quotas, kms_keys, left_out };
        serde_json::to_string(&contents).map_err(|error| BackupError::Unreadable(error.to_string()))
    }

    /// Puts a configuration that [`Self::take`] made on a node without buckets and identities, or carries on what was
    /// cut off.
    pub async fn restore(&self, text: &str) -> Result<Restored, BackupError> {
        let contents: Contents =
            serde_json::from_str(text).map_err(|error| BackupError::Unreadable(error.to_string()))?;
        let buckets = check(&contents)?;
        let grant = administer()?;
        self.mark(&grant, text).await?;
        for SavedDocument { name, value, .. } in &contents.owner_quotas {
            let value = STANDARD.decode(value).map_err(|error| BackupError::Unreadable(error.to_string()))?;
            self.store.put_document(&grant, OWNER_QUOTA, name, Some(value.into()), Replaces::Anything).await?;
        }
        for key in &contents.kms_keys {
            self.restore_kms_key(&grant, key).await?;
        }
        for (bucket, documents) in contents.buckets.iter().zip(buckets) {
            self.restore_bucket(bucket, documents).await?;
        }
        for class in ORDER {
            for identity in contents.identities.iter().filter(|identity| identity.class() == class) {
                self.restore_identity(identity).await?;
            }
        }
        self.store.put_document(&grant, MARK, "", None, Replaces::Anything).await?;
        Ok(Restored { buckets: contents.buckets.len(), identities: contents.identities.len() })
    }

    /// Notes durably which text is being restored. Refuses on a node that holds anything, unless that text is what put
    /// it there.
    async fn mark(&self, grant: &Grant, text: &str) -> Result<(), BackupError> {
        let digest = Sha256::digest(text);
        let mark = self.store.document(grant, MARK, "")?;
        if mark.as_ref().is_some_and(|mark| *mark.value == *digest) {
            return Ok(());
        }
        let buckets = self.store.bucket_states(grant)?.len();
        let records = self.directory.ring().records();
        let identities = ORDER.into_iter().map(|class| records.all(class).count()).sum();
        let replaces = match mark {
            _ if buckets == 0 && identities == 0 => Replaces::Anything,
            Some(_) => return Err(BackupError::AnotherBegun),
            None => return Err(BackupError::NotEmpty { buckets, identities }),
        };
        self.store.put_document(grant, MARK, "", Some(digest.to_vec().into()), replaces).await?;
        Ok(())
    }

    /// Makes a key of the KMS of that id, which defaults of buckets may name.
    async fn restore_kms_key(&self, grant: &Grant, id: &str) -> Result<(), BackupError> {
        let (store, grant, id) = (self.store.clone(), grant.clone(), id.to_owned());
        let made = tokio::task::spawn_blocking(move || store.create_kms_key(&grant, &id)).await;
        match made.map_err(|_| DirectoryError::CutOff)? {
            Ok(()) | Err(Error::DocumentChanged) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn restore_bucket(&self, saved: &SavedBucket, documents: Vec<NewDocument>) -> Result<(), BackupError> {
        let grant = authorise(&Actor::Root, Action::CreateBucket, Resource::Bucket(&saved.name))?;
        match self.store.create_bucket(&grant, documents).await {
            Ok(_) => Ok(()),
            Err(Error::BucketExists) => {
                let state = self.store.bucket_state(&saved.name);
                let same = state.is_some_and(|state| save_bucket(&state) == *saved);
                if same { Ok(()) } else { Err(BackupError::Differs(format!("the bucket {}", saved.name))) }
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn restore_identity(&self, saved: &Record) -> Result<(), BackupError> {
        self.directory
            .change(|records: &Records| {
                let held = records.by_id(&saved.id).or_else(|| records.named(saved.class(), &saved.name)).cloned();
                match held {
                    Some(known) if save_identity(&known, &mut Vec::new()) == *saved => Ok((Change::Nothing, ())),
                    Some(_) => Err(BackupError::Differs(format!("the {} {}", saved.class().word(), saved.name))),
                    None => Ok((Change::Put(Box::new(self.sealed(saved)?)), ())),
                }
            })
            .await
    }

    /// A record with its secrets sealed under this node's master key.
    fn sealed(&self, saved: &Record) -> Result<Record, Unusable> {
        let mut record = saved.clone();
        if let Own::User { keys, .. } = &mut record.own {
            for key in keys {
                let sealed = self.directory.ring().master().seal(Purpose::Secret, &key.id, key.secret.as_bytes())?;
                key.secret = STANDARD.encode(sealed);
            }
        }
        Ok(record)
    }
}

fn saved(kind: &str, name: &str, document: &Document) -> SavedDocument {
    SavedDocument { kind: kind.to_owned(), name: name.to_owned(), value: STANDARD.encode(&document.value) }
}

/// Only what S3 calls a bucket's configuration, its quota and its owner: what else hangs on a bucket belongs to its node.
fn save_bucket(state: &BucketState) -> SavedBucket {
    let documents = state.all_documents().filter(|(kind, ..)| is_configuration(kind));
    let documents = documents.map(|(kind, name, document)| saved(kind, name, document));
    SavedBucket { name: state.bucket.name.to_string(), documents: documents.collect() }
}

fn save_identity(known: &Arc<Known>, left_out: &mut Vec<String>) -> Record {
    let mut record = known.record.clone();
    if let Own::User { keys, .. } = &mut record.own {
        keys.retain_mut(|key| match known.secrets.get(&key.id) {
            Some(secret) => {
                secret.expose().clone_into(&mut key.secret);
                true
            }
            None => {
                left_out.push(key.id.clone());
                false
            }
        });
    }
    record
}

/// The documents of each bucket, once all of them are known to stand, so that nothing is begun that can't be ended.
fn check(contents: &Contents) -> Result<Vec<Vec<NewDocument>>, BackupError> {
    let mut seen = HashSet::new();
    for record in &contents.identities {
        if !seen.insert(record.id.as_str()) {
            return Err(BackupError::Unreadable(format!("{} stands in it twice", record.id)));
        }
    }
    let mut names = HashSet::new();
    contents
        .buckets
        .iter()
        .map(|bucket| {
            if !names.insert(bucket.name.as_str()) {
                return Err(BackupError::Unreadable(format!("the bucket {} stands in it twice", bucket.name)));
            }
            new_documents(bucket)
        })
        .collect()
}

/// Versioning stands in front of object lock, which needs it.
fn new_documents(saved: &SavedBucket) -> Result<Vec<NewDocument>, BackupError> {
    let wrong = |why: &dyn std::fmt::Display| BackupError::Unreadable(format!("the bucket {}: {why}", saved.name));
    let mut documents = Vec::with_capacity(saved.documents.len());
    for SavedDocument { kind, name, value } in &saved.documents {
        if !is_configuration(kind) {
            return Err(wrong(&format_args!("this version knows no configuration {kind}")));
        }
        let value = STANDARD.decode(value).map_err(|error| wrong(&error))?.into();
        documents.push(NewDocument { kind: kind.clone(), name: name.clone(), value });
    }
    documents.sort_by_key(|document| document.kind != "versioning");
    let bucket = Bucket { id: 0, name: saved.name.as_str().into(), created: std::time::SystemTime::UNIX_EPOCH };
    let mut state = BucketState::new(bucket);
    for NewDocument { kind, name, value } in &documents {
        let document = Document { lsn: 0, value: value.clone() };
        state = state.with(kind, name, Some(document)).map_err(|error| wrong(&error))?;
    }
    Ok(documents)
}

#[cfg(test)]
mod tests;
