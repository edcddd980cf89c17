//! What requests ask of encryption, and what answers say of it.
//!
//! Headers decide, then the bucket's default. A key that a client brings is used for its request and forgotten; it may come
//! by TLS alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use packstone_access::{Action, Grant, Resource};
use packstone_store::Object;
use packstone_store::object::{Cipher, CustomerKey, DEFAULT_KMS_KEY, Encryption, EncryptionRequest};
use s3s::dto::{ServerSideEncryption, ServerSideEncryptionConfiguration};
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde_json::{Map, Value};

use crate::asker::Asker;
use crate::error::{custom, from_store, invalid_argument, invalid_request, not_implemented};
use crate::face::Face;
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
    /// Its id.
    key: String,
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
            b"aws:kms" => Ok(Self::Kms(Kms { key: key_id(key.unwrap_or_default())?.to_owned(), bucket_key })),
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

/// The id of a key of the KMS that is named by id, ARN or alias; the default's where nothing names one.
fn key_id(name: &str) -> S3Result<&str> {
    let path = match name.strip_prefix("arn:") {
        Some(rest) => rest.splitn(5, ':').nth(4).filter(|_| rest.contains(":kms:")),
        None => Some(name),
    };
    match path {
        Some("" | DEFAULT_ALIAS) => Ok(DEFAULT_KMS_KEY),
        Some(path) => Ok(path.strip_prefix("key/").unwrap_or(path)),
        None => Err(invalid_argument("Invalid ARN of a KMS key.")),
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
    Nothing,
    Method(Method, Vec<u8>),
    Customer(Customer),
}

impl Asked {
    /// The key that the request brings.
    pub fn customer(&self) -> Option<&Customer> {
        match self {
            Self::Customer(customer) => Some(customer),
            Self::Nothing | Self::Method(..) => None,
        }
    }

    /// # Errors
    /// Headers that don't fit together.
    pub fn parse(headers: &HeaderMap, asker: &Asker) -> S3Result<Self> {
        let customer = Customer::parse(headers, Of::Object, asker)?;
        let key = headers.get(&KMS_KEY).map(|key| key.to_str().map_err(|_| needs_kms())).transpose()?;
        let bucket_key = match headers.get(&BUCKET_KEY).map(HeaderValue::as_bytes) {
            None => false,
            Some(value) if value.eq_ignore_ascii_case(b"true") => true,
            Some(value) if value.eq_ignore_ascii_case(b"false") => false,
            Some(_) => return Err(invalid_argument("The bucket key header must be true or false.")),
        };
        match (headers.get(&METHOD), customer) {
            (None, Some(customer)) => Ok(Self::Customer(customer)),
            (Some(_), Some(_)) => Err(invalid_argument(
                "Server Side Encryption with Customer provided key is incompatible with the encryption method \
                 specified",
            )),
            (None, None) if key.is_some() => Err(needs_kms()),
            (None, None) => Ok(Self::Nothing),
            (Some(method), None) => {
                let method = Method::named(method.as_bytes(), key, bucket_key)?;
                let context = headers.get(&CONTEXT).map(context).transpose()?.unwrap_or_default();
                Ok(Self::Method(method, context))
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
        invalid_argument(
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
        return Err(invalid_argument("x-amz-server-side-encryption header is not supported for this operation."));
    }
    Ok(())
}

impl Face {
    /// What an object that is to be written is encrypted with: as its request asks, else as its bucket's default says.
    pub(crate) async fn cipher(&self, asker: &Asker, grant: &Grant, asked: &Asked) -> S3Result<Option<Cipher>> {
        let (method, context) = match asked {
            Asked::Customer(customer) => {
                let cipher = self.store.cipher(grant, EncryptionRequest::Customer(customer.key())).await;
                return cipher.map(Some).map_err(from_store);
            }
            Asked::Method(method, context) => (Some(method.clone()), context.as_slice()),
            Asked::Nothing => {
                let rules = self.store.bucket_state(grant.bucket()).map(|state| Rules::of(&state));
                if rules.as_ref().is_some_and(|rules| rules.encryption_unread) {
                    return Err(S3Error::new(S3ErrorCode::InternalError));
                }
                (rules.and_then(|rules| rules.encryption.clone()), &[][..])
            }
        };
        let request = match &method {
            None => return Ok(None),
            Some(Method::Managed) => EncryptionRequest::Managed,
            Some(Method::Kms(Kms { key, bucket_key })) => {
                self.may_use_key(asker, Action::GenerateDataKey, key)?;
                EncryptionRequest::Kms { key, context, bucket_key: *bucket_key }
            }
        };
        self.store.cipher(grant, request).await.map(Some).map_err(from_store)
    }

    /// The object, ready to be read with what the request brings.
    pub(crate) fn unlocked(&self, asker: &Asker, object: Object, customer: Option<&Customer>) -> S3Result<Object> {
        if let Some(Encryption::Kms { key, .. }) = &object.version.attributes.encryption {
            self.may_use_key(asker, Action::Decrypt, key)?;
        }
        object.unlocked(customer.map(Customer::key)).map_err(from_store)
    }

    /// Leave to use a key of the KMS. The one that is used where none is named is for everybody who may use the bucket.
    pub(crate) fn may_use_key(&self, asker: &Asker, action: Action, key: &str) -> S3Result<()> {
        if key == DEFAULT_KMS_KEY {
            return Ok(());
        }
        self.may(asker, action, Resource::Identity(&self.key_arn(key))).map(drop)
    }

    fn key_arn(&self, key: &str) -> String {
        format!("arn:aws:kms:{}:{}:key/{key}", self.region, owner::ACCOUNT)
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
}

#[cfg(test)]
mod tests;
