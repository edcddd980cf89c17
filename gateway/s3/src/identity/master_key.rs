//! The node's master key: what secrets are sealed under and session tokens are made with.
//!
//! Three keys are derived from it, one a purpose, so that nothing made for one of them is good for another. Where the
//! master key comes from (a file, for now) is up to who opens the node.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const NONCE: usize = 12;

/// A master key could not be made, or nothing could be sealed with it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the master key can't be used")]
pub struct Unusable;

/// The keys that are derived from the master key.
pub struct MasterKey {
    secrets: RandomizedNonceKey,
    tokens: RandomizedNonceKey,
    sessions: hmac::Key,
}

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The secret of an access key; bound to the access key.
    Secret,
    Token,
}

impl MasterKey {
    /// # Errors
    /// [`Unusable`].
    pub fn new(bytes: &[u8; 32]) -> Result<Self, Unusable> {
        let master = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let derived = |purpose: &str| hmac::sign(&master, purpose.as_bytes());
        let cipher = |purpose| RandomizedNonceKey::new(&AES_256_GCM, derived(purpose).as_ref()).map_err(|_| Unusable);
        Ok(Self {
            secrets: cipher("packstone access key secrets 1")?,
            tokens: cipher("packstone session tokens 1")?,
            sessions: hmac::Key::new(hmac::HMAC_SHA256, derived("packstone session secrets 1").as_ref()),
        })
    }

    fn cipher(&self, purpose: Purpose) -> &RandomizedNonceKey {
        match purpose {
            Purpose::Secret => &self.secrets,
            Purpose::Token => &self.tokens,
        }
    }

    /// Nonce, ciphertext and tag. `bound` must be given again to open it.
    pub(crate) fn seal(&self, purpose: Purpose, bound: &str, plain: &[u8]) -> Result<Vec<u8>, Unusable> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .cipher(purpose)
            .seal_in_place_append_tag(Aad::from(bound.as_bytes()), &mut sealed)
            .map_err(|_| Unusable)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What was sealed; None if it was not sealed under this key, for this purpose and bound to this.
    pub(crate) fn open(&self, purpose: Purpose, bound: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE)?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.cipher(purpose).open_in_place(nonce, Aad::from(bound.as_bytes()), &mut rest).ok()?;
        Some(plain.to_vec())
    }

    /// The secret of a session's access key. It follows from the key, so that no session has to be remembered; who
    /// doesn't hold the master key can't compute it.
    pub(crate) fn session_secret(&self, access_key: &str) -> String {
        let digest = hmac::sign(&self.sessions, access_key.as_bytes());
        let (kept, _) = digest.as_ref().split_at_checked(30).unwrap_or((digest.as_ref(), &[]));
        STANDARD.encode(kept)
    }

    /// What tells whether root's credentials are those that a session was made under.
    pub(crate) fn fingerprint(&self, access_key: &str, secret: &str) -> String {
        STANDARD.encode(hmac::sign(&self.sessions, format!("root\0{access_key}\0{secret}").as_bytes()))
    }
}

/// Compares without telling by its time where the difference is.
pub(crate) fn equal(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
