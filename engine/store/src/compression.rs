//! zstd for small records, where it pays.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::Compression;

/// Fast enough to be cheaper than writing the bytes it saves.
const LEVEL: i32 = 1;
/// What is shorter gains less than a frame's header costs.
const LEAST: usize = 128;
/// A sample of so many bytes says whether the rest is worth trying.
const SAMPLE: usize = 4096;
/// A block of zstd, which takes [`LEAST_BLOCK`] bytes or more, holds no more than this.
const MOST_BLOCK: usize = 128 << 10;
/// Three bytes of header and one that is repeated.
const LEAST_BLOCK: usize = 4;

/// Compresses `plain` if that saves at least an eighth.
#[must_use]
pub fn shrink(plain: &[u8]) -> Option<Vec<u8>> {
    if plain.len() < LEAST || looks_random(plain.get(..SAMPLE).unwrap_or(plain)) {
        return None;
    }
    zstd::bulk::compress(plain, LEVEL).ok().filter(|packed| pays(plain.len(), packed.len()))
}

/// Whether compressing saved at least an eighth.
#[must_use]
pub fn pays(plain: usize, packed: usize) -> bool {
    packed <= plain - plain / 8
}

/// Whether bytes are spread so evenly that no entropy coder gains on them: compares their sum of squared counts with
/// what uniform bytes give, n + n²/256 on average.
fn looks_random(sample: &[u8]) -> bool {
    let mut counts = [0u32; 256];
    for byte in sample {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let squares: u64 = counts.iter().map(|count| u64::from(*count) * u64::from(*count)).sum();
    let n = sample.len() as u64;
    sample.len() >= 1024 && squares < n + n * n / 256 * 5 / 4
}

/// Gives back the plain bytes.
///
/// # Errors
/// Bytes that are no zstd frame of that size.
pub fn expand(compression: Compression, stored: Vec<u8>, size: u64) -> std::io::Result<Vec<u8>> {
    match compression {
        Compression::Raw => Ok(stored),
        Compression::Zstd => inflate(&stored, size),
    }
}

/// Decompresses a frame that holds `size` bytes. A size that no frame of this length can have is refused before any
/// memory is taken for it, so that a rotten one costs nothing.
///
/// # Errors
/// Bytes that are no zstd frame of that size.
pub fn inflate(frame: &[u8], size: u64) -> std::io::Result<Vec<u8>> {
    let size = expect_plausible(frame, size)?;
    let plain = zstd::bulk::decompress(frame, size)?;
    if plain.len() == size { Ok(plain) } else { Err(another_size()) }
}

/// The size, if a frame of this length can have it.
///
/// # Errors
/// It can't.
pub fn expect_plausible(frame: &[u8], size: u64) -> std::io::Result<usize> {
    let most = (frame.len() / LEAST_BLOCK).saturating_mul(MOST_BLOCK);
    usize::try_from(size).ok().filter(|size| *size <= most).ok_or_else(another_size)
}

fn another_size() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, "a zstd frame of another size")
}

/// How a small body is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Raw,
    Zstd,
    Dictionary,
}

impl Method {
    pub const ALL: [Self; 3] = [Self::Raw, Self::Zstd, Self::Dictionary];

    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Zstd => "zstd",
            Self::Dictionary => "dictionary",
        }
    }
}

/// Bytes of small bodies since start, as they were sent and as they are stored before they are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compressed {
    pub sent: u64,
    pub stored: u64,
}

/// [`Compressed`] by method.
#[derive(Debug, Default)]
pub struct Counters([(AtomicU64, AtomicU64); 3]);

impl Counters {
    pub fn note(&self, method: Method, sent: usize, stored: usize) {
        if let Some((held_sent, held_stored)) = self.0.get(method as usize) {
            held_sent.fetch_add(sent as u64, Ordering::Relaxed);
            held_stored.fetch_add(stored as u64, Ordering::Relaxed);
        }
    }

    #[must_use]
    pub fn read(&self) -> [(Method, Compressed); 3] {
        Method::ALL.map(|method| {
            let held = self.0.get(method as usize);
            let read = |(sent, stored): &(AtomicU64, AtomicU64)| Compressed {
                sent: sent.load(Ordering::Relaxed),
                stored: stored.load(Ordering::Relaxed),
            };
            (method, held.map(read).unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_shrinks_and_comes_back() {
        let plain = "2026-01-05T09:30:00.123456,ES,4501.25,3\n".repeat(100).into_bytes();
        let packed = shrink(&plain).unwrap();
        assert!(packed.len() < plain.len() / 4);
        assert_eq!(expand(Compression::Zstd, packed, plain.len() as u64).unwrap(), plain);
    }

    #[test]
    fn random_bytes_are_left_alone() {
        let mut plain = vec![0; 4096];
        getrandom::fill(&mut plain).unwrap();
        assert!(looks_random(&plain));
        assert!(shrink(&plain).is_none());
    }

    #[test]
    fn a_lying_size_is_an_error() {
        let packed = shrink(&[7; 1000]).unwrap();
        for size in [999, 1001, 1 << 40, u64::MAX] {
            assert!(expand(Compression::Zstd, packed.clone(), size).is_err(), "{size}");
        }
    }

    #[test]
    fn what_shrinks_most_is_not_refused() {
        for length in [1, 128 << 10, 32 << 20] {
            let frame = zstd::bulk::compress(&vec![0; length], 19).unwrap();
            assert_eq!(inflate(&frame, length as u64).unwrap().len(), length);
        }
    }
}
