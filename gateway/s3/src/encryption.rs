//! What requests ask of encryption, and what answers say of it.
//!
//! Headers decide, then the bucket's default. A key that a client brings is used for its request and forgotten; it may come
//! by TLS alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use packstone_access::{Action, Grant, Resource};
use packstone_posix::DefaultEncryption;
use packstone_store::object::{BucketState, Cipher, CustomerKey, DEFAULT_KMS_KEY, Encryption, EncryptionRequest};
use packstone_store::{Error, Object};
use s3s::dto::{ServerSideEncryption, ServerSideEncryptionConfiguration};
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde_json::{Map, Value};

use crate::asker::Asker;
use crate::error::{argument, custom, from_store, invalid_argument, invalid_request, not_implemented};
use crate::face::Face;
use crate::lock::Asked as Lock;
use crate::owner;
use crate::rules::Rules;

const METHOD: HeaderName = HeaderName::from_static("x-amz-server-side-encryption");
const KMS_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-aws-kms-key-id");
const CONTEXT: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-context");
const BUCKET_KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-bucket-key-enabled");
const ALGORITHM: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");
const KEY_MD5: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-key-md5");
/// The alias of the key that is used where none is named.
const DEFAULT_ALIAS: &str = "alias/aws/s3";

/// Which object of a request a customer's key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Object,
    /// What is copied.
    Source,
}

impl Of {
    /// The headers of algorithm, key and MD5.
    fn headers(self) -> [&'static str; 3] {
        match self {
            Self::Object => [
                "x-amz-server-side-encryption-customer-algorithm",
                "x-amz-server-side-encryption-customer-key",
                "x-amz-server-side-encryption-customer-key-md5",
            ],
            Self::Source => [
                "x-amz-copy-source-server-side-encryption-customer-algorithm",
                "x-amz-copy-source-server-side-encryption-customer-key",
                "x-amz-copy-source-server-side-encryption-customer-key-md5",
            ],
        }
    }
}

/// A key that a request brings.
#[derive(Debug)]
pub(crate) struct Customer {
    key: CustomerKey,
    /// As it came, to be told again.
    md5: HeaderValue,
}

impl Customer {
    /// The key in a request's headers, if there is one.
    ///
    /// # Errors
    /// Headers that don't fit together, or that came in the clear.
    pub fn parse(headers: &HeaderMap, of: Of, asker: &Asker) -> S3Result<Option<Self>> {
        let [algorithm, key, md5] = of.headers().map(|name| headers.get(name));
        if algorithm.is_none() && key.is_none() && md5.is_none() {
            return Ok(None);
        }
        if !asker.arrival.as_ref().is_some_and(|arrival| arrival.secure) {
            return Err(invalid_request(
                "Requests specifying Server Side Encryption with Customer provided keys must be made over a secure \
                 connection.",
            ));
        }
        let wants = |what: &str| {
            invalid_argument(format!(
                "Requests specifying Server Side Encryption with Customer provided keys must provide {what}."
            ))
        };
        let algorithm = algorithm.ok_or_else(|| wants("a valid encryption algorithm"))?;
        if algorithm.as_bytes() != b"AES256" {
            return Err(not_aes256());
        }
        let key = key.ok_or_else(|| wants("an appropriate secret key"))?;
        let md5 = md5.ok_or_else(|| wants("the client calculated MD5 of the secret key"))?;
        let bytes: [u8; 32] = decoded(key)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| invalid_argument("The secret key was invalid for the specified algorithm."))?;
        if decoded(md5).is_none_or(|md5| md5 != crate::digest::md5(&bytes)) {
            return Err(invalid_argument(
                "The calculated MD5 hash of the key did not match the hash that was provided.",
            ));
        }
        Ok(Some(Self { key: CustomerKey::new(bytes), md5: md5.clone() }))
    }

    pub fn key(&self) -> &CustomerKey {
        &self.key
    }
}

fn decoded(value: &HeaderValue) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_bytes()).ok()
}

/// A key of the KMS as a request or a bucket's default names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kms {
    /// By id, ARN or alias; empty for the default.
    name: String,
    bucket_key: bool,
}

/// What encrypts an object, but for keys that clients bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Managed,
    Kms(Kms),
}

impl Method {
    /// A method by its name, and what stands beside it.
    fn named(name: &[u8], key: Option<&str>, bucket_key: bool) -> S3Result<Self> {
        match name {
            b"AES256" if key.is_none() => Ok(Self::Managed),
            b"AES256" => Err(needs_kms()),
            b"aws:kms" => Ok(Self::Kms(Kms { name: key.unwrap_or_default().to_owned(), bucket_key })),
            // Two layers under two keys: not done, and one layer would not be what was asked for.
            b"aws:kms:dsse" => Err(not_implemented()),
            _ => Err(custom(
                "InvalidEncryptionAlgorithmError",
                StatusCode::BAD_REQUEST,
                "The encryption request that you specified is not valid. The valid value is AES256.",
            )),
        }
    }

    /// The default that a bucket's configuration names.
    ///
    /// # Errors
    /// One that can't be carried out.
    pub fn of_configuration(configuration: &ServerSideEncryptionConfiguration) -> S3Result<Option<Self>> {
        let Some(rule) = configuration.rules.first() else { return Ok(None) };
        let Some(default) = &rule.apply_server_side_encryption_by_default else { return Ok(None) };
        let key = default.kms_master_key_id.as_deref();
        let bucket_key = rule.bucket_key_enabled.unwrap_or(false);
        Self::named(default.sse_algorithm.as_str().as_bytes(), key, bucket_key).map(Some)
    }
}

fn needs_kms() -> S3Error {
    invalid_argument(
        "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
    )
}

fn not_aes256() -> S3Error {
    invalid_argument("The requested encryption algorithm is not valid, must be AES256.")
}

/// What the headers of a request that brings an object ask for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Whatever the bucket's default is.
    Default(Extras),
    Method(Method, Extras),
    Customer(Customer),
}

/// What may be asked beside a method, and means something for keys of the KMS alone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    context: Option<Vec<u8>>,
    bucket_key: Option<bool>,
}

impl Extras {
    /// Whether the object has what is asked for beside its method.
    fn is_held(&self, held: Option<&Encryption>) -> bool {
        match (&self.context, held) {
            (None, _) => true,
            (Some(asked), Some(Encryption::Kms { context, .. })) => asked == context,
            (Some(_), _) => false,
        }
    }
}

impl Asked {
    /// Whether anything is asked for.
    pub fn is_set(&self) -> bool {
        !matches!(self, Self::Default(_))
    }

    /// Refuses a lock on what the client alone could read.
    ///
    /// # Errors
    /// `InvalidRequest`.
    pub fn check_lock(&self, lock: Lock) -> S3Result<()> {
        let locks = lock.is_set() && self.customer().is_some();
        if locks { Err(from_store(Error::CustomerKeyLocked)) } else { Ok(()) }
    }

    /// The key that the request brings.
    pub fn customer(&self) -> Option<&Customer> {
        match self {
            Self::Customer(customer) => Some(customer),
            Self::Default(_) | Self::Method(..) => None,
        }
    }

    /// # Errors
    /// Headers that don't fit together.
    pub fn parse(headers: &HeaderMap, asker: &Asker) -> S3Result<Self> {
        let customer = Customer::parse(headers, Of::Object, asker)?;
        let key = headers.get(&KMS_KEY).map(|key| key.to_str().map_err(|_| needs_kms())).transpose()?;
        let bucket_key = match headers.get(&BUCKET_KEY).map(HeaderValue::as_bytes) {
            None => None,
            Some(value) if value.eq_ignore_ascii_case(b"true") => Some(true),
            Some(value) if value.eq_ignore_ascii_case(b"false") => Some(false),
            Some(_) => return Err(argument(BUCKET_KEY.as_str(), "The bucket key header must be true or false.")),
        };
        let extras = Extras { context: headers.get(&CONTEXT).map(context).transpose()?, bucket_key };
        match (headers.get(&METHOD), customer) {
            (None, Some(customer)) => Ok(Self::Customer(customer)),
            (Some(_), Some(_)) => Err(invalid_argument(
                "Server Side Encryption with Customer provided key is incompatible with the encryption method \
                 specified",
            )),
            (None, None) if key.is_some() => Err(needs_kms()),
            (None, None) => Ok(Self::Default(extras)),
            (Some(method), None) => {
                let method = Method::named(method.as_bytes(), key, bucket_key.unwrap_or(false))?;
                Ok(Self::Method(method, extras))
            }
        }
    }
}

/// An encryption context: JSON of strings by name, in base64.
fn context(value: &HeaderValue) -> S3Result<Vec<u8>> {
    let bytes = decoded(value).filter(|bytes| {
        let parsed: Option<Map<String, Value>> = serde_json::from_slice(bytes).ok();
        parsed.is_some_and(|map| map.values().all(Value::is_string))
    });
    bytes.ok_or_else(|| {
        argument(
            CONTEXT.as_str(),
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which \
             represents a string-string map",
        )
    })
}

/// Refuses headers that ask a reading request for what only a writing one can have.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn expect_none(headers: &HeaderMap) -> S3Result<()> {
    if headers.contains_key(&METHOD) {
        return Err(argument(
            METHOD.as_str(),
            "x-amz-server-side-encryption header is not supported for this operation.",
        ));
    }
    Ok(())
}

impl Face {
    /// What an object that is to be written is encrypted with: as its request asks, else as its bucket's default says.
    pub(crate) async fn cipher(&self, asker: &Asker, grant: &Grant, asked: &Asked) -> S3Result<Option<Cipher>> {
        let (method, extras) = match asked {
            Asked::Customer(customer) => {
                let cipher = self.store.cipher(grant, EncryptionRequest::Customer(customer.key())).await;
                return cipher.map(Some).map_err(from_store);
            }
            Asked::Method(method, extras) => (Some(method.clone()), extras),
            Asked::Default(extras) => {
                let rules = self.store.bucket_state(grant.bucket()).map(|state| Rules::of(&state));
                if rules.as_ref().is_some_and(|rules| rules.encryption_unread) {
                    return Err(S3Error::new(S3ErrorCode::InternalError));
                }
                (rules.and_then(|rules| rules.encryption.clone()), extras)
            }
        };
        let Some(Method::Kms(kms)) = &method else {
            if extras.context.is_some() {
                return Err(needs_kms());
            }
            let Some(Method::Managed) = method else { return Ok(None) };
            return self.store.cipher(grant, EncryptionRequest::Managed).await.map(Some).map_err(from_store);
        };
        let key = self.key_id(&kms.name)?;
        self.may_use_key(asker, Action::GenerateDataKey, key)?;
        let context = extras.context.as_deref().unwrap_or_default();
        let bucket_key = extras.bucket_key.unwrap_or(kms.bucket_key);
        let request = EncryptionRequest::Kms { key, context, bucket_key };
        self.store.cipher(grant, request).await.map(Some).map_err(from_store)
    }

    /// What a bucket encrypts with by default, as mounts are told.
    pub(crate) fn default_encryption(&self, bucket: &BucketState) -> DefaultEncryption {
        let rules = Rules::of(bucket);
        match &rules.encryption {
            _ if rules.encryption_unread => DefaultEncryption::Unreadable,
            None => DefaultEncryption::None,
            Some(Method::Managed) => DefaultEncryption::Managed,
            Some(Method::Kms(kms)) => match self.key_id(&kms.name) {
                Ok(key) => DefaultEncryption::Kms { key: key.to_owned(), bucket_key: kms.bucket_key },
                Err(_) => DefaultEncryption::Unreadable,
            },
        }
    }

    /// The id of a key of the KMS that is named by id, ARN or alias.
    fn key_id<'n>(&self, name: &'n str) -> S3Result<&'n str> {
        let own = self.key_arn("");
        let own = own.strip_suffix("key/").unwrap_or(&own);
        let path = match name.strip_prefix(own) {
            Some(path) => path,
            // Somebody else's, or no key at all.
            None if name.starts_with("arn:") => return Err(from_store(Error::NoSuchKmsKey)),
            None => name,
        };
        match path {
            "" | DEFAULT_ALIAS => Ok(DEFAULT_KMS_KEY),
            path => Ok(path.strip_prefix("key/").unwrap_or(path)),
        }
    }

    /// The object, ready to be read with what the request brings.
    pub(crate) fn unlocked(&self, asker: &Asker, object: Object, customer: Option<&Customer>) -> S3Result<Object> {
        self.may_use_key_of(asker, object.version.attributes.encryption.as_ref(), Action::Decrypt)?;
        object.unlocked(customer.map(Customer::key)).map_err(from_store)
    }

    /// Leave to read, or by [`Action::GenerateDataKey`] to add to, what is encrypted so.
    pub(crate) fn may_use_key_of(
        &self,
        asker: &Asker,
        encryption: Option<&Encryption>,
        action: Action,
    ) -> S3Result<()> {
        match encryption {
            Some(Encryption::Kms { key, .. }) => self.may_use_key(asker, action, key),
            None | Some(Encryption::Managed { .. } | Encryption::Customer { .. }) => Ok(()),
        }
    }

    /// Leave to use a key of the KMS. The one that is used where none is named is for everybody who may use the bucket,
    /// unless a policy denies it.
    fn may_use_key(&self, asker: &Asker, action: Action, key: &str) -> S3Result<()> {
        let arn = self.key_arn(key);
        if key == DEFAULT_KMS_KEY {
            return self.not_denied(asker, action, Resource::Identity(&arn));
        }
        self.may(asker, action, Resource::Identity(&arn)).map(drop)
    }

    /// What is wrong with the key that a request on an upload brings, or doesn't.
    pub(crate) fn upload_key_error(error: Error) -> S3Error {
        match error {
            Error::CustomerKeyMissing => invalid_request(
                "The multipart upload initiate requested encryption. Subsequent part requests must include the \
                 appropriate encryption parameters.",
            ),
            Error::CustomerKeyWrong => {
                invalid_request("The provided encryption parameters did not match the ones used originally.")
            }
            other => from_store(other),
        }
    }

    pub(crate) fn key_arn(&self, key: &str) -> String {
        format!("arn:aws:kms:{}:{}:key/{key}", self.region, owner::ACCOUNT)
    }

    /// Leave to write to an object under the key that it is encrypted with. A request that asks for another method, key or
    /// context is refused, since the object has one of each.
    pub(crate) fn may_extend(&self, asker: &Asker, asked: &Asked, held: Option<&Encryption>) -> S3Result<()> {
        let fits = match asked {
            Asked::Customer(_) => true,
            Asked::Default(extras) => extras.is_held(held),
            Asked::Method(Method::Managed, extras) => {
                matches!(held, Some(Encryption::Managed { .. })) && extras.is_held(held)
            }
            Asked::Method(Method::Kms(Kms { name, .. }), extras) => match held {
                Some(Encryption::Kms { key, .. }) => {
                    (name.is_empty() || self.key_id(name)? == key.as_str()) && extras.is_held(held)
                }
                _ => false,
            },
        };
        if !fits {
            return Err(invalid_request("What is appended is encrypted as the object is."));
        }
        self.may_use_key_of(asker, held, Action::GenerateDataKey)
    }

    /// What an answer says of an object's encryption.
    pub(crate) fn told_encryption(&self, encryption: Option<&Encryption>, customer: Option<&Customer>) -> HeaderMap {
        let mut told = HeaderMap::new();
        match encryption {
            None => {}
            Some(Encryption::Managed { .. }) => {
                told.insert(METHOD, HeaderValue::from_static(ServerSideEncryption::AES256));
            }
            Some(Encryption::Kms { key, bucket_key, .. }) => {
                told.insert(METHOD, HeaderValue::from_static(ServerSideEncryption::AWS_KMS));
                told.extend(HeaderValue::from_str(&self.key_arn(key)).ok().map(|arn| (KMS_KEY, arn)));
                if *bucket_key {
                    told.insert(BUCKET_KEY, HeaderValue::from_static("true"));
                }
            }
            Some(Encryption::Customer { .. }) => {
                told.insert(ALGORITHM, HeaderValue::from_static("AES256"));
                told.extend(customer.map(|customer| (KEY_MD5, customer.md5.clone())));
            }
        }
        told
    }

    /// As [`Self::told_encryption`], with the context, which whoever made the object or its upload is told.
    pub(crate) fn told_encrypted(&self, encryption: Option<&Encryption>, customer: Option<&Customer>) -> HeaderMap {
        let mut told = self.told_encryption(encryption, customer);
        if let Some(Encryption::Kms { context, .. }) = encryption
            && !context.is_empty()
        {
            told.extend(HeaderValue::from_str(&STANDARD.encode(context)).ok().map(|context| (CONTEXT, context)));
        }
        told
    }
}

#[cfg(test)]
mod tests;
