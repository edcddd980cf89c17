//! Suites of ciphers, and a data key under one of them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;

use super::Unfit;
use super::nonce::{First, NONCE};

pub const TAG: usize = 16;

/// Which ciphers a key is for. The byte is on the drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    /// AES-256-GCM, and HMAC-SHA256 where something is derived.
    Aes256Gcm = 1,
}

impl Suite {
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        (byte == Self::Aes256Gcm as u8).then_some(Self::Aes256Gcm)
    }
}

/// What a piece is bound to: it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The bucket's id.
    pub bucket: u32,
    /// As in the record.
    pub key_id: u32,
    pub compression: u8,
    pub dictionary: u32,
}

/// A key that objects are encrypted with.
pub struct DataKey {
    suite: Suite,
    cipher: LessSafeKey,
    tags: hmac::Key,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// The bytes of a new data key: its suite, then 32 that are drawn at random.
///
/// # Errors
/// The system has no random bits.
pub fn generate() -> Result<[u8; 33], Unfit> {
    let mut bytes = [Suite::Aes256Gcm as u8; 33];
    let (_, key) = bytes.split_at_mut(1);
    getrandom::fill(key).map_err(|_| Unfit)?;
    Ok(bytes)
}

impl DataKey {
    /// The key of bytes that [`generate`] made.
    ///
    /// # Errors
    /// Bytes of another length, or of a suite that this release doesn't know.
    pub fn new(bytes: &[u8]) -> Result<Self, Unfit> {
        let (suite, key) = bytes.split_first().ok_or(Unfit)?;
        let suite = Suite::from_byte(*suite).ok_or(Unfit)?;
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| Unfit)?);
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"packstone entity tags 1");
        Ok(Self { suite, cipher, tags: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) })
    }

    /// An entity tag that says nothing of the bytes that `md5` is of, to who hasn't the key.
    #[must_use]
    pub fn conceal(&self, md5: [u8; 16]) -> [u8; 16] {
        let mut concealed = [0; 16];
        for (to, from) in concealed.iter_mut().zip(hmac::sign(&self.tags, &md5).as_ref()) {
            *to = *from;
        }
        concealed
    }

    /// Appends chunk `number` of a piece to `out`: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// More chunks than nonces were reserved for.
    pub fn encrypt(
        &self,
        binding: Binding,
        first: First,
        (number, is_last): (u32, bool),
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Unfit> {
        let nonce = first.nonce(number).ok_or(Unfit)?;
        out.extend_from_slice(&nonce);
        let begin = out.len();
        out.extend_from_slice(plain);
        let bound = Aad::from(self.bound(binding, first, number, is_last)?);
        let place = out.get_mut(begin..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.cipher.seal_in_place_separate_tag(nonce, bound, place).map_err(|_| Unfit)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Appends the plain bytes of a stored chunk to `out`, and answers with the first nonce of its piece.
    ///
    /// # Errors
    /// Another key, place or length, or bytes that were changed.
    pub fn decrypt(
        &self,
        binding: Binding,
        (number, is_last): (u32, bool),
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<First, Unfit> {
        let (nonce, rest) = stored.split_first_chunk::<NONCE>().ok_or(Unfit)?;
        let (cipher, tag) = rest.split_at_checked(rest.len().checked_sub(TAG).ok_or(Unfit)?).ok_or(Unfit)?;
        let first = First::of(nonce, number).ok_or(Unfit)?;
        let bound = Aad::from(self.bound(binding, first, number, is_last)?);
        let begin = out.len();
        out.resize(begin + cipher.len(), 0);
        let place = out.get_mut(begin..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.cipher.open_separate_gather(nonce, bound, cipher, tag, place).map_err(|_| Unfit)?;
        Ok(first)
    }

    fn bound(&self, binding: Binding, first: First, number: u32, is_last: bool) -> Result<[u8; 31], Unfit> {
        let mut out = [0; 31];
        let fields: [&[u8]; 8] = [
            &[self.suite as u8],
            &binding.bucket.to_le_bytes(),
            &binding.key_id.to_le_bytes(),
            &first.nonce(0).ok_or(Unfit)?,
            &number.to_le_bytes(),
            &[u8::from(is_last)],
            &[binding.compression],
            &binding.dictionary.to_le_bytes(),
        ];
        let bytes = fields.into_iter().flatten();
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(out)
    }
}
