//! Pieces cut into chunks: encrypting a body as it comes, decrypting the chunks that a range touches.

use std::ops::Range;
use std::sync::Arc;

use super::nonce::{First, NONCE};
use super::suite::{Binding, DataKey, TAG};
use super::{Nonces, Unfit};

/// Plain bytes of a chunk, as records hold it.
pub const CHUNK_LENGTH: u32 = 64 << 10;
const CHUNK: usize = CHUNK_LENGTH as usize;
/// A whole chunk as it is stored.
const STORED: usize = CHUNK + NONCE + TAG;
const OVERHEAD: u64 = (NONCE + TAG) as u64;
/// Chunks of the largest body that one request may bring.
const MOST: u32 = crate::object::MAX_PUT.div_ceil(CHUNK as u64) as u32;

/// Plain bytes of a piece that is stored in so many.
#[must_use]
pub fn plain_length(stored: u64) -> u64 {
    stored.saturating_sub(stored.div_ceil(STORED as u64) * OVERHEAD)
}

/// Encrypts one piece as it comes. Holds at most one chunk.
#[derive(Debug)]
pub struct Encryptor {
    key: Arc<DataKey>,
    binding: Binding,
    first: First,
    number: u32,
    held: Vec<u8>,
}

impl Encryptor {
    /// # Errors
    /// The system has no random bits.
    pub fn new(key: Arc<DataKey>, binding: Binding, nonces: &Nonces) -> Result<Self, Unfit> {
        Ok(Self { key, binding, first: nonces.reserve(MOST)?, number: 0, held: Vec::new() })
    }

    /// Takes plain bytes; answers with the chunks that are whole now and not the last.
    ///
    /// # Errors
    /// A piece longer than [`crate::object::MAX_PUT`].
    pub fn push(&mut self, mut plain: &[u8]) -> Result<Vec<u8>, Unfit> {
        let mut out = Vec::with_capacity((self.held.len() + plain.len()) / CHUNK * STORED);
        while self.held.len() + plain.len() > CHUNK {
            let (taken, rest) = plain.split_at_checked(CHUNK - self.held.len()).ok_or(Unfit)?;
            plain = rest;
            if self.held.is_empty() {
                self.chunk(taken, false, &mut out)?;
            } else {
                self.held.extend_from_slice(taken);
                let whole = std::mem::take(&mut self.held);
                self.chunk(&whole, false, &mut out)?;
                self.held = whole;
                self.held.clear();
            }
        }
        self.held.extend_from_slice(plain);
        Ok(out)
    }

    /// The last chunk.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(mut self) -> Result<Vec<u8>, Unfit> {
        let held = std::mem::take(&mut self.held);
        let mut out = Vec::with_capacity(held.len() + NONCE + TAG);
        self.chunk(&held, true, &mut out)?;
        Ok(out)
    }

    fn chunk(&mut self, plain: &[u8], is_last: bool, out: &mut Vec<u8>) -> Result<(), Unfit> {
        if self.number >= MOST {
            return Err(Unfit);
        }
        self.key.encrypt(self.binding, self.first, (self.number, is_last), plain, out)?;
        self.number += 1;
        Ok(())
    }
}

/// Encrypts a piece that is whole in memory.
///
/// # Errors
/// The system has no random bits.
pub fn encrypt(key: &DataKey, binding: Binding, nonces: &Nonces, plain: &[u8]) -> Result<Vec<u8>, Unfit> {
    let count = u32::try_from(plain.len().div_ceil(CHUNK)).map_err(|_| Unfit)?;
    let first = nonces.reserve(count)?;
    let mut out = Vec::with_capacity(plain.len() + usize::try_from(count).unwrap_or(0) * (NONCE + TAG));
    for (number, chunk) in (0..).zip(plain.chunks(CHUNK)) {
        key.encrypt(binding, first, (number, number + 1 == count), chunk, &mut out)?;
    }
    Ok(out)
}

/// Decrypts a piece that is whole in memory.
///
/// # Errors
/// Another key or binding, or bytes that were changed.
pub fn decrypt(key: Arc<DataKey>, binding: Binding, stored: &[u8]) -> Result<Vec<u8>, Unfit> {
    let window = Window::of(stored.len() as u64, 0..plain_length(stored.len() as u64)).ok_or(Unfit)?;
    let plain = Decryptor::new(key, binding, &window).push(stored)?;
    if plain.len() as u64 == plain_length(stored.len() as u64) { Ok(plain) } else { Err(Unfit) }
}

/// The chunks of a piece that a range of its plain bytes touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The stored bytes of these chunks, within the piece.
    pub stored: Range<u64>,
    /// The number of the first of them, and of the piece's last.
    chunks: (u32, u32),
    /// Plain bytes of them before the range, and in it.
    skip: u64,
    length: u64,
}

impl Window {
    /// `None` for a range that is empty or not within the plain bytes of a piece that is stored in `length`.
    #[must_use]
    pub fn of(length: u64, plain: Range<u64>) -> Option<Self> {
        if plain.is_empty() || plain.end > plain_length(length) {
            return None;
        }
        let (begin, end) = (plain.start / CHUNK as u64, plain.end.div_ceil(CHUNK as u64));
        let last = u32::try_from(length.div_ceil(STORED as u64).checked_sub(1)?).ok()?;
        Some(Self {
            stored: begin * STORED as u64..(end * STORED as u64).min(length),
            chunks: (u32::try_from(begin).ok()?, last),
            skip: plain.start - begin * CHUNK as u64,
            length: plain.end - plain.start,
        })
    }
}

/// Decrypts the chunks of a window as they come, in any cut.
#[derive(Debug)]
pub struct Decryptor {
    key: Arc<DataKey>,
    binding: Binding,
    first: Option<First>,
    number: u32,
    last: u32,
    /// Stored bytes of the window that are still to come.
    expected: u64,
    held: Vec<u8>,
    skip: usize,
    left: u64,
}

impl Decryptor {
    #[must_use]
    pub fn new(key: Arc<DataKey>, binding: Binding, window: &Window) -> Self {
        Self {
            key,
            binding,
            first: None,
            number: window.chunks.0,
            last: window.chunks.1,
            expected: window.stored.end - window.stored.start,
            held: Vec::new(),
            skip: usize::try_from(window.skip).unwrap_or(usize::MAX),
            left: window.length,
        }
    }

    /// Takes stored bytes; answers with the plain bytes of the range that are known now, which may be none.
    ///
    /// # Errors
    /// Another key or binding, chunks of another piece, or bytes that were changed.
    pub fn push(&mut self, mut stored: &[u8]) -> Result<Vec<u8>, Unfit> {
        self.expected = self.expected.checked_sub(stored.len() as u64).ok_or(Unfit)?;
        let mut out = Vec::with_capacity(self.held.len() + stored.len());
        if !self.held.is_empty() {
            let (taken, rest) = stored.split_at(stored.len().min(STORED - self.held.len()));
            self.held.extend_from_slice(taken);
            stored = rest;
            if self.held.len() < STORED && self.expected > 0 {
                return Ok(out);
            }
            let chunk = std::mem::take(&mut self.held);
            self.chunk(&chunk, &mut out)?;
        }
        let mut chunks = stored.chunks_exact(STORED);
        for chunk in &mut chunks {
            self.chunk(chunk, &mut out)?;
        }
        let rest = chunks.remainder();
        if self.expected > 0 {
            self.held.extend_from_slice(rest);
        } else if !rest.is_empty() {
            self.chunk(rest, &mut out)?;
        }
        Ok(self.within(out))
    }

    fn chunk(&mut self, stored: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
        let place = (self.number, self.number == self.last);
        let first = self.key.decrypt(self.binding, place, stored, out)?;
        if *self.first.get_or_insert(first) != first {
            return Err(Unfit);
        }
        self.number = self.number.checked_add(1).ok_or(Unfit)?;
        Ok(())
    }

    /// What of these bytes is in the range.
    fn within(&mut self, mut plain: Vec<u8>) -> Vec<u8> {
        let skipped = self.skip.min(plain.len());
        self.skip -= skipped;
        plain.drain(..skipped);
        plain.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= plain.len() as u64;
        plain
    }
}

#[cfg(test)]
mod tests;
