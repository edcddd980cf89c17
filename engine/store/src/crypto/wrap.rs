//! Wrapping: a few bytes under a key, bound to what they are for.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;

use super::Unfit;
use super::nonce::NONCE;

/// A key that wraps other keys and secrets: AES-256-GCM with random nonces. One purpose, one key: what was wrapped for
/// one is good for no other.
pub struct Wrap(RandomizedNonceKey);

impl std::fmt::Debug for Wrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wrap")
    }
}

impl Wrap {
    /// The key for `purpose` that follows from `secret`.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn derive(secret: &[u8], purpose: &str) -> Result<Self, Unfit> {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), purpose.as_bytes());
        RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref()).map(Self).map_err(|_| Unfit)
    }

    /// Nonce, ciphertext and tag. `bound` must be given again to unwrap it.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn wrap(&self, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, Unfit> {
        let mut wrapped = plain.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(bound), &mut wrapped).map_err(|_| Unfit)?;
        Ok([nonce.as_ref().as_slice(), &wrapped].concat())
    }

    /// What was wrapped.
    ///
    /// # Errors
    /// It was not wrapped under this key, or not bound to this.
    pub fn unwrap(&self, bound: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, Unfit> {
        let (nonce, rest) = wrapped.split_at_checked(NONCE).ok_or(Unfit)?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unfit)?;
        let length = self.0.open_in_place(nonce, Aad::from(bound), &mut rest).map_err(|_| Unfit)?.len();
        rest.truncate(length);
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn what_is_wrapped_comes_back_under_its_key_and_bound_alone() {
        let [key, other] = ["one purpose", "another"].map(|purpose| Wrap::derive(&[7; 32], purpose).unwrap());
        let wrapped = key.wrap(b"bucket 1", b"secret").unwrap();
        assert_eq!(key.unwrap(b"bucket 1", &wrapped).unwrap(), b"secret");
        assert_eq!(key.unwrap(b"bucket 2", &wrapped), Err(Unfit));
        assert_eq!(other.unwrap(b"bucket 1", &wrapped), Err(Unfit));
        assert_eq!(key.unwrap(b"bucket 1", &wrapped[..11]), Err(Unfit));
        assert_ne!(key.wrap(b"bucket 1", b"secret").unwrap(), wrapped, "a nonce is used once");
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert_eq!(key.unwrap(b"bucket 1", &changed), Err(Unfit), "{at}");
        }
    }
}
