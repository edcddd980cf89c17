//! Wrapping: a few bytes under a key, bound to what they are for.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;

use super::Unfit;
use super::nonce::NONCE;

/// Random bytes in front of what is wrapped. It has a key of its own that follows from them, so it may be done as often as
/// one likes, and every nonce is zero.
const SALT: usize = 32;

/// A key that wraps other keys, by AES-256-GCM. One purpose, one key: what was wrapped for one is good for no other.
pub struct Wrap(hmac::Key);

impl std::fmt::Debug for Wrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wrap")
    }
}

impl Wrap {
    /// The key for `purpose` that follows from `secret`.
    #[must_use]
    pub fn derive(secret: &[u8], purpose: &str) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), purpose.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    fn cipher(&self, salt: &[u8]) -> Result<LessSafeKey, Unfit> {
        let key = hmac::sign(&self.0, salt);
        UnboundKey::new(&AES_256_GCM, key.as_ref()).map(LessSafeKey::new).map_err(|_| Unfit)
    }

    /// Salt, ciphertext and tag. `bound` must be given again to unwrap it.
    ///
    /// # Errors
    /// The system has no random bits.
    pub fn wrap(&self, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, Unfit> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|_| Unfit)?;
        let mut wrapped = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; NONCE]);
        self.cipher(&salt)?.seal_in_place_append_tag(nonce, Aad::from(bound), &mut wrapped).map_err(|_| Unfit)?;
        Ok([salt.as_slice(), &wrapped].concat())
    }

    /// What was wrapped.
    ///
    /// # Errors
    /// It was not wrapped under this key, or not bound to this.
    pub fn unwrap(&self, bound: &[u8], wrapped: &[u8]) -> Result<Vec<u8>, Unfit> {
        let (salt, rest) = wrapped.split_at_checked(SALT).ok_or(Unfit)?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; NONCE]);
        let opened = self.cipher(salt)?.open_in_place(nonce, Aad::from(bound), &mut rest).map_err(|_| Unfit)?;
        let length = opened.len();
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
        let [key, other] = ["one purpose", "another"].map(|purpose| Wrap::derive(&[7; 32], purpose));
        let wrapped = key.wrap(b"bucket 1", b"secret").unwrap();
        assert_eq!(key.unwrap(b"bucket 1", &wrapped).unwrap(), b"secret");
        assert_eq!(key.unwrap(b"bucket 2", &wrapped), Err(Unfit));
        assert_eq!(other.unwrap(b"bucket 1", &wrapped), Err(Unfit));
        assert_eq!(key.unwrap(b"bucket 1", wrapped.get(..SALT + 3).unwrap()), Err(Unfit));
        assert_ne!(key.wrap(b"bucket 1", b"secret").unwrap(), wrapped, "a salt is used once");
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            *changed.get_mut(at).unwrap() ^= 1;
            assert_eq!(key.unwrap(b"bucket 1", &changed), Err(Unfit), "{at}");
        }
    }
}
