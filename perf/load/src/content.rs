//! What stands in an object: bytes that no compressor shrinks and that follow from the key alone, so that a GET can
//! tell whether it got what a PUT of another process sent.

use sha2::{Digest, Sha256};

use crate::{
    encoding,
    keys::{GOLDEN, mix},
};

/// The most bytes that are generated ahead of the socket.
pub const CHUNK: usize = 1 << 20;

/// The seed of a key's bytes under a run's seed (FNV-1a, then mixed).
#[must_use]
pub fn seed_of(key: &str, run_seed: u64) -> u64 {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    mix(hash ^ mix(run_seed))
}

/// The eight bytes at `8 × index` of the content of `seed`.
fn word(seed: u64, index: u64) -> [u8; 8] {
    mix(seed.wrapping_add(index.wrapping_mul(GOLDEN))).to_le_bytes()
}

/// Fills `bytes` with the content of `seed` from byte `offset`, a multiple of 8.
pub fn fill(seed: u64, offset: u64, bytes: &mut [u8]) {
    let (words, tail) = bytes.as_chunks_mut::<8>();
    let after = offset / 8 + words.len() as u64;
    for (index, eight) in (offset / 8..).zip(words) {
        *eight = word(seed, index);
    }
    for (target, source) in tail.iter_mut().zip(word(seed, after)) {
        *target = source;
    }
}

/// The offset of the first word of the content of `seed` that `bytes`, which begin at `offset`, differ from.
fn difference(seed: u64, offset: u64, bytes: &[u8]) -> Option<u64> {
    let lead = usize::try_from(offset.next_multiple_of(8) - offset).unwrap_or(0).min(bytes.len());
    let (head, rest) = bytes.split_at(lead);
    let (words, tail) = rest.as_chunks::<8>();
    let first = offset + lead as u64;
    let after = first + (words.len() * 8) as u64;
    if !within_word(seed, offset, head) {
        return Some(offset);
    }
    let wrong = (first / 8..).zip(words).find(|(index, eight)| **eight != word(seed, *index));
    wrong.map(|(index, _)| index * 8).or_else(|| (!within_word(seed, after, tail)).then_some(after))
}

/// Whether `bytes`, which begin at `offset` and end in the same word, are the content of `seed`.
fn within_word(seed: u64, offset: u64, bytes: &[u8]) -> bool {
    word(seed, offset / 8).iter().skip((offset % 8) as usize).zip(bytes).all(|(expected, byte)| expected == byte)
}

/// A request body, generated chunk by chunk.
#[derive(Debug)]
pub struct Content {
    seed: u64,
    size: u64,
    /// Where `chunk` begins in the body.
    offset: u64,
    chunk: Vec<u8>,
}

impl Content {
    /// A body of `size` bytes for objects that all have this size.
    #[must_use]
    pub fn new(size: u64) -> Self {
        let held = usize::try_from(size).map_or(CHUNK, |size| size.min(CHUNK));
        Self { seed: 0, size, offset: 0, chunk: vec![0; held] }
    }

    /// Makes this the body of the object with `seed`, at its first byte.
    pub fn rewind(&mut self, seed: u64) {
        self.seed = seed;
        self.offset = 0;
        fill(seed, 0, &mut self.chunk);
    }

    /// SHA-256 of the whole body in hexadecimal; leaves the body at its first byte.
    pub fn sha256(&mut self, hexadecimal: &mut String) {
        let mut hash = Sha256::new();
        while let Some(chunk) = self.chunk() {
            hash.update(chunk);
            self.advance();
        }
        if self.offset > self.chunk.len() as u64 {
            self.rewind(self.seed);
        }
        self.offset = 0;
        hexadecimal.clear();
        encoding::push_hex(&hash.finalize(), hexadecimal);
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes at the present offset, none at the end.
    #[must_use]
    pub fn chunk(&self) -> Option<&[u8]> {
        let left = self.size.saturating_sub(self.offset);
        let length = usize::try_from(left).map_or(self.chunk.len(), |left| left.min(self.chunk.len()));
        self.chunk.get(..length).filter(|chunk| !chunk.is_empty())
    }

    /// Steps past the present chunk.
    pub fn advance(&mut self) {
        self.offset += self.chunk.len() as u64;
        if self.offset < self.size {
            fill(self.seed, self.offset, &mut self.chunk);
        }
    }
}

/// Compares a response body, as it arrives, with what the key's PUT sent.
#[derive(Debug)]
pub struct Check {
    seed: u64,
    offset: u64,
    /// Whether all bytes are compared, or the first eight only.
    whole: bool,
    wrong_at: Option<u64>,
}

impl Check {
    #[must_use]
    pub fn new(seed: u64, whole: bool) -> Self {
        Self { seed, offset: 0, whole, wrong_at: None }
    }

    /// Takes the next bytes of the body.
    pub fn take(&mut self, bytes: &[u8]) {
        let compared = if self.whole { bytes.len() as u64 } else { 8_u64.saturating_sub(self.offset) };
        if self.wrong_at.is_none() && compared > 0 {
            let compared = usize::try_from(compared).ok().and_then(|length| bytes.get(..length)).unwrap_or(bytes);
            self.wrong_at = difference(self.seed, self.offset, compared);
        }
        self.offset += bytes.len() as u64;
    }

    /// How many bytes came.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.offset
    }

    /// The offset, to within eight bytes, of the first difference that was seen.
    #[must_use]
    pub fn wrong_at(&self) -> Option<u64> {
        self.wrong_at
    }
}
