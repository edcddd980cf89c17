//! How objects are encrypted: what stands of it in their attributes, and which key it is.
//!
//! A bucket's keys and those of the KMS are documents that this file alone writes. Each is put where none stands, so of
//! two writers that find none one is second, and takes what the first one made.

use std::sync::Arc;

use packstone_access::{Action, Grant};

use super::document::{Document, Replaces};
use crate::codec::{DecodeError, Reader, Writer};
use crate::commit::{BucketState, Op, Outcome};
use crate::crypto::{DataKey, FOREIGN_MASTER, Keyring, MasterSecret, Unfit, Wrap, make_data_key};
use crate::error::{Error, Result};
use crate::index::row::DocumentRow;
use crate::index::{Index, Space, keys};
use crate::record::OWN_KEY;
use crate::store::Store;
use crate::time::{now, to_system_time};

/// Kinds of documents: a bucket's wrapping key, and its data keys by generation.
const BUCKET_KEY: &str = "bucket-key";
const DATA_KEY: &str = "data-key";
/// The kind of the node's documents that hold the keys of the KMS, by id.
const KMS_KEY: &str = "kms-key";
/// The kind of the document that tells the master key from others.
const MASTER_KEY: &str = "master-key";
/// Kinds that no face may write.
pub(crate) const KEY_KINDS: [&str; 4] = [BUCKET_KEY, DATA_KEY, KMS_KEY, MASTER_KEY];

/// The key of the KMS that is used where none is named; made when it is first needed.
pub const DEFAULT_KMS_KEY: &str = "aws-s3";
const MAX_KMS_KEY: usize = 128;

/// The generation that is written with.
const GENERATION: u32 = 1;

/// What stands of an object's encryption in its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Under a data key of its bucket (SSE-S3).
    Managed { generation: u32 },
    /// Under a key of its own, wrapped under a key of the KMS (SSE-KMS).
    Kms { key: String, context: Vec<u8>, bucket_key: bool, wrapped: Vec<u8> },
    /// Under a key of its own, wrapped under one that the client brings with every request (SSE-C).
    Customer { wrapped: Vec<u8> },
}

const MANAGED: u8 = 1;
const KMS: u8 = 2;
const CUSTOMER: u8 = 3;

impl Encryption {
    /// As the record names the key.
    #[must_use]
    pub fn key_id(&self) -> u32 {
        match self {
            Self::Managed { generation } => *generation,
            Self::Kms { .. } | Self::Customer { .. } => OWN_KEY,
        }
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        match self {
            Self::Managed { generation } => {
                out.u8(MANAGED);
                out.u32(*generation);
            }
            Self::Kms { key, context, bucket_key, wrapped } => {
                out.u8(KMS);
                out.short(key.as_bytes());
                out.short(context);
                out.u8(u8::from(*bucket_key));
                out.short(wrapped);
            }
            Self::Customer { wrapped } => {
                out.u8(CUSTOMER);
                out.short(wrapped);
            }
        }
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match from.u8()? {
            MANAGED => Ok(Self::Managed { generation: from.u32()? }),
            KMS => Ok(Self::Kms {
                key: from.short_str()?,
                context: from.short()?.to_vec(),
                bucket_key: from.u8()? != 0,
                wrapped: from.short()?.to_vec(),
            }),
            CUSTOMER => Ok(Self::Customer { wrapped: from.short()?.to_vec() }),
            other => Err(DecodeError::Unknown("encryption", other)),
        }
    }

    /// Whether encoded encryption is under a key that the client keeps.
    pub(crate) fn is_customers(encoded: &[u8]) -> bool {
        encoded.first() == Some(&CUSTOMER)
    }
}

/// A key that a client brings, and that is forgotten with its request.
#[derive(Clone)]
pub struct CustomerKey([u8; 32]);

impl CustomerKey {
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn wrap(&self) -> Wrap {
        Wrap::derive(&self.0, "packstone keys of objects under a customer's key 1")
    }
}

impl std::fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CustomerKey")
    }
}

/// How an object's bytes are to be encrypted.
#[derive(Clone, Copy, Debug)]
pub enum EncryptionRequest<'a> {
    /// Under the bucket's data key.
    Managed,
    /// `context` is bound to the object's key.
    Kms {
        key: &'a str,
        context: &'a [u8],
        /// Kept and told; the keys of the local KMS are at hand either way.
        bucket_key: bool,
    },
    Customer(&'a CustomerKey),
}

/// What a body is encrypted with, and what its object says of that.
#[derive(Clone, Debug)]
pub struct Cipher {
    /// The bucket's id: its keys are no other's, whatever that is called.
    pub(crate) bucket: u32,
    pub(crate) encryption: Encryption,
    pub(crate) key: Arc<DataKey>,
}

impl Cipher {
    #[must_use]
    pub fn encryption(&self) -> &Encryption {
        &self.encryption
    }

    /// The entity tag of a body with this MD5: of what only its readers' keys open it says nothing.
    pub(crate) fn entity_tag(&self, md5: [u8; 16]) -> [u8; 16] {
        match self.encryption {
            Encryption::Managed { .. } => md5,
            Encryption::Kms { .. } | Encryption::Customer { .. } => self.key.conceal(md5),
        }
    }
}

/// A key of the KMS as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKey {
    pub id: String,
    pub created: std::time::SystemTime,
}

impl Store {
    /// What a new object of the grant's bucket is encrypted with.
    ///
    /// # Errors
    /// No such bucket, no such key of the KMS, no master key, or a customer's key where versions are locked by default.
    pub async fn cipher(&self, grant: &Grant, request: EncryptionRequest<'_>) -> Result<Cipher> {
        grant.covers(Action::PutObject)?;
        let state = self.bucket_of_path(grant)?;
        let bucket = state.bucket.id;
        if !matches!(request, EncryptionRequest::Customer(_))
            && let Some(op) = self.mark_op()?
        {
            made(self.inner.queue.commit(op).await)?;
            self.inner.keyring.note_mark();
        }
        match request {
            EncryptionRequest::Managed => {
                let key = self.managed(grant, state).await?;
                Ok(Cipher { bucket, encryption: Encryption::Managed { generation: GENERATION }, key })
            }
            EncryptionRequest::Kms { key, context, bucket_key } => {
                if key == DEFAULT_KMS_KEY && self.kms_document(key)?.is_none() {
                    made(self.inner.queue.commit(self.kms_key_op(key)?).await)?;
                }
                let fresh = make_data_key(&self.kms_wrap(key)?, &kms_bound(bucket, key, context)).map_err(keyless)?;
                let (key, context, wrapped) = (key.to_owned(), context.to_vec(), fresh.wrapped);
                let encryption = Encryption::Kms { key, context, bucket_key, wrapped };
                Ok(Cipher { bucket, encryption, key: fresh.key })
            }
            EncryptionRequest::Customer(_) if state.default_retention().is_some() => Err(Error::CustomerKeyLocked),
            EncryptionRequest::Customer(customer) => {
                let fresh = make_data_key(&customer.wrap(), &customer_bound(bucket)).map_err(keyless)?;
                let encryption = Encryption::Customer { wrapped: fresh.wrapped };
                Ok(Cipher { bucket, encryption, key: fresh.key })
            }
        }
    }

    /// The data key of a bucket, made if there is none.
    async fn managed(&self, grant: &Grant, mut state: Arc<BucketState>) -> Result<Arc<DataKey>> {
        let keyring = &self.inner.keyring;
        let bucket = state.bucket.id;
        if state.document(BUCKET_KEY, "").is_none() {
            let wrapped = keyring.make_wrapping_key(&bucket_name(bucket)).map_err(keyless)?;
            made(self.inner.queue.commit(key_op((bucket, BUCKET_KEY, ""), wrapped)).await)?;
            state = self.bucket_of_path(grant)?;
        }
        if state.document(DATA_KEY, &GENERATION.to_string()).is_none() {
            let wrap = self.bucket_wrap(&state)?;
            let fresh = make_data_key(&wrap, &data_bound(bucket, GENERATION)).map_err(keyless)?;
            let op = key_op((bucket, DATA_KEY, &GENERATION.to_string()), fresh.wrapped);
            made(self.inner.queue.commit(op).await)?;
            state = self.bucket_of_path(grant)?;
        }
        self.managed_key(&state, GENERATION)
    }

    fn expect_master_key(&self) -> Result<()> {
        if self.inner.keyring.has_master() { Ok(()) } else { Err(keyless(Unfit)) }
    }

    /// What has the journal tell the master key from others, which comes before anything is wrapped under it; `None` once
    /// it does.
    fn mark_op(&self) -> Result<Option<Op>> {
        let keyring = &self.inner.keyring;
        self.expect_master_key()?;
        if keyring.is_marked() {
            return Ok(None);
        }
        Ok(Some(key_op((0, MASTER_KEY, ""), keyring.mark().map_err(keyless)?)))
    }

    fn bucket_wrap(&self, state: &BucketState) -> Result<Wrap> {
        let document = state.document(BUCKET_KEY, "").ok_or_else(|| lost("a bucket's key is not there"))?;
        let wrap = self.inner.keyring.wrapping_key(&bucket_name(state.bucket.id), &document.value);
        wrap.map_err(|_| lost("a bucket's key can't be unwrapped"))
    }

    fn managed_key(&self, state: &BucketState, generation: u32) -> Result<Arc<DataKey>> {
        let bucket = state.bucket.id;
        let unwrap = || {
            let document = state.document(DATA_KEY, &generation.to_string()).ok_or(Unfit)?;
            self.bucket_wrap(state).map_err(|_| Unfit)?.unwrap(&data_bound(bucket, generation), &document.value)
        };
        let key = self.inner.keyring.data_key((bucket, generation), unwrap);
        key.map_err(|_| lost("a bucket's data key can't be unwrapped"))
    }

    /// The key that an object, or an upload, of the bucket is encrypted with; `None` where it isn't.
    ///
    /// # Errors
    /// A customer's key that is missing, doesn't fit or isn't asked for; or a key that is lost.
    pub(crate) fn key_of(
        &self,
        state: &BucketState,
        encryption: Option<&Encryption>,
        customer: Option<&CustomerKey>,
    ) -> Result<Option<Arc<DataKey>>> {
        let bucket = state.bucket.id;
        let own = |wrap: &Wrap, bound: &[u8], wrapped: &[u8]| DataKey::new(&wrap.unwrap(bound, wrapped)?).map(Arc::new);
        match (encryption, customer) {
            (None, None) => Ok(None),
            (None | Some(Encryption::Managed { .. } | Encryption::Kms { .. }), Some(_)) => {
                Err(Error::CustomerKeyUnexpected)
            }
            (Some(Encryption::Managed { generation }), None) => {
                self.expect_master_key()?;
                self.managed_key(state, *generation).map(Some)
            }
            (Some(Encryption::Kms { key, context, wrapped, .. }), None) => {
                self.expect_master_key()?;
                let key = own(&self.kms_wrap(key)?, &kms_bound(bucket, key, context), wrapped);
                key.map(Some).map_err(|_| lost("an object's key can't be unwrapped"))
            }
            (Some(Encryption::Customer { .. }), None) => Err(Error::CustomerKeyMissing),
            (Some(Encryption::Customer { wrapped }), Some(customer)) => {
                own(&customer.wrap(), &customer_bound(bucket), wrapped).map(Some).map_err(|_| Error::CustomerKeyWrong)
            }
        }
    }

    /// Checks the key that a request brings against how an object, or an upload, of the bucket is encrypted.
    ///
    /// # Errors
    /// A customer's key that is missing, doesn't fit or isn't asked for.
    pub fn check_key(
        &self,
        grant: &Grant,
        encryption: Option<&Encryption>,
        customer: Option<&CustomerKey>,
    ) -> Result<()> {
        self.key_of(&*self.bucket_of_path(grant)?, encryption, customer).map(drop)
    }

    /// Makes a key of the KMS. Blocks.
    ///
    /// # Errors
    /// [`Error::DocumentChanged`] where there is one of that id, or an id that can't be.
    pub fn create_kms_key(&self, grant: &Grant, id: &str) -> Result<()> {
        grant.covers(Action::Administer)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if id.is_empty() || id.len() > MAX_KMS_KEY || !id.bytes().all(fits) {
            return Err(Error::InvalidDocument("a key's id has 1 to 128 letters, digits, and the characters - _ ."));
        }
        if self.kms_document(id)?.is_some() {
            return Err(Error::DocumentChanged);
        }
        if let Some(op) = self.mark_op()? {
            made(self.inner.queue.commit_blocking(op))?;
            self.inner.keyring.note_mark();
        }
        made(self.inner.queue.commit_blocking(self.kms_key_op(id)?))
    }

    /// All keys of the KMS, by id.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn kms_keys(&self, grant: &Grant) -> Result<Vec<KmsKey>> {
        let listed = self.documents(grant, KMS_KEY)?.into_iter().map(|(id, document)| {
            let created = to_system_time(kms_parts(&document)?.0);
            Ok(KmsKey { id, created })
        });
        listed.collect()
    }

    fn kms_key_op(&self, id: &str) -> Result<Op> {
        let mut value = Writer::default();
        value.i64(now());
        value.bytes(&self.inner.keyring.make_wrapping_key(&kms_name(id)).map_err(keyless)?);
        Ok(key_op((0, KMS_KEY, id), value.0))
    }

    fn kms_document(&self, id: &str) -> Result<Option<Document>> {
        let value = self.inner.shared.index.snapshot().get(Space::Documents, &keys::document(0, KMS_KEY, id))?;
        let row = value.map(|value| DocumentRow::decode(&value)).transpose()?;
        Ok(row.map(|row| Document { lsn: row.lsn, value: row.value.into() }))
    }

    fn kms_wrap(&self, id: &str) -> Result<Wrap> {
        let document = self.kms_document(id)?.ok_or(Error::NoSuchKmsKey)?;
        let wrap = self.inner.keyring.wrapping_key(&kms_name(id), kms_parts(&document)?.1);
        wrap.map_err(|_| lost("a key of the KMS can't be unwrapped"))
    }
}

/// The keys of a node, by what its index says of its master key.
///
/// # Errors
/// A fault of the index.
pub(crate) fn keyring(master: Option<&MasterSecret>, index: &dyn Index) -> Result<Keyring> {
    let value = index.snapshot().get(Space::Documents, &keys::document(0, MASTER_KEY, ""))?;
    let mark = value.map(|value| DocumentRow::decode(&value)).transpose()?.map(|row| row.value);
    let keyring = Keyring::new(master, mark.as_deref());
    if keyring.is_foreign() {
        tracing::error!("{FOREIGN_MASTER}");
    }
    Ok(keyring)
}

/// Puts a key where none stands.
fn key_op((scope, kind, name): (u32, &str, &str), value: Vec<u8>) -> Op {
    let (kind, name) = (kind.to_owned(), name.to_owned());
    Op::PutDocument { scope, kind, name, value: Some(value.into()), replaces: Replaces::Nothing }
}

/// That another writer's key stands by now is well.
fn made(outcome: Result<Outcome>) -> Result<()> {
    match outcome {
        Ok(_) | Err(Error::DocumentChanged) => Ok(()),
        Err(error) => Err(error),
    }
}

/// When a key of the KMS was made, and the wrapped key.
fn kms_parts(document: &Document) -> Result<(i64, &[u8])> {
    let mut from = Reader(&document.value);
    let created = from.i64().map_err(|_| lost("a key of the KMS is cut short"))?;
    Ok((created, from.0))
}

fn bucket_name(bucket: u32) -> String {
    format!("bucket {bucket}")
}

fn kms_name(id: &str) -> String {
    format!("kms {id}")
}

fn data_bound(bucket: u32, generation: u32) -> Vec<u8> {
    format!("bucket {bucket} generation {generation}").into_bytes()
}

fn kms_bound(bucket: u32, key: &str, context: &[u8]) -> Vec<u8> {
    [format!("bucket {bucket} kms {key} ").as_bytes(), context].concat()
}

fn customer_bound(bucket: u32) -> Vec<u8> {
    format!("bucket {bucket} customer").into_bytes()
}

/// Why there is no key to be had.
fn keyless(_: Unfit) -> Error {
    Error::Unavailable(
        "there is no master key, or the system gives no random bits: nothing is encrypted or decrypted".into(),
    )
}

fn lost(what: &str) -> Error {
    Error::Lost(what.into())
}
