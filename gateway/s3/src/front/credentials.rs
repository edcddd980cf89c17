//! The root credentials, which can be changed while requests run.
//!
//! Concurrency: readers take a snapshot of an `ArcSwap` without waiting; a request that began under the old
//! credentials is verified by either the old ones or the new, never by a mix.

use std::sync::Arc;

use arc_swap::ArcSwap;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};

/// One access key and its secret.
struct Pair {
    access: Box<str>,
    secret: SecretKey,
}

/// The root credentials of the node.
#[derive(Clone)]
pub struct Credentials(Arc<ArcSwap<Pair>>);

impl Credentials {
    #[must_use]
    pub fn new(access: &str, secret: &str) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Pair { access: access.into(), secret: secret.into() })))
    }

    /// Puts others in their place, for every request from now on.
    pub fn set(&self, access: &str, secret: &str) {
        self.0.store(Arc::new(Pair { access: access.into(), secret: secret.into() }));
    }
}

#[async_trait::async_trait]
impl S3Auth for Credentials {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let pair = self.0.load();
        if *pair.access == *access_key {
            Ok(pair.secret.clone())
        } else {
            Err(S3Error::new(S3ErrorCode::InvalidAccessKeyId))
        }
    }
}
