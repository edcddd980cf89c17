//! What is computed of a body while it passes: its MD5, and the checksum that the client asked for.
//!
//! Concurrency: a small body is hashed where it is read. A large one is hashed on a thread of its own, which MD5
//! needs (half a gigabyte a second): the pieces go to it through a bounded queue and at the same time to the store,
//! so that the slower of the two sets the pace and memory stays bounded.

use bytes::Bytes;
use md5::{Digest as _, Md5};
use packstone_store::object::{Checksum, ChecksumAlgorithm, ChecksumKind, Etag};
use s3s::{S3Error, S3ErrorCode, S3Result};
use sha1::Sha1;
use sha2::Sha256;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::checksum::crc_algorithm;

/// Bodies longer than this, in bytes, are hashed aside.
const ASIDE: u64 = 512 << 10;
/// Pieces that may wait to be hashed.
const QUEUE: usize = 8;

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub md5: [u8; 16],
    pub checksum: Option<Checksum>,
}

impl Sums {
    /// The tag of an object, or a part, that this body made.
    pub fn etag(&self) -> Etag {
        Etag { md5: self.md5, parts: 0 }
    }
}

/// One checksum in the making.
enum Hasher {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    fn new(algorithm: ChecksumAlgorithm) -> Self {
        match crc_algorithm(algorithm) {
            Some(crc) => Self::Crc(crc_fast::Digest::new(crc)),
            None if algorithm == ChecksumAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            None => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    /// The digest as S3 writes it: a CRC's bytes in big-endian order, as many as it has.
    fn finish(self, algorithm: ChecksumAlgorithm) -> Vec<u8> {
        match self {
            Self::Crc(digest) => {
                let bytes = digest.finalize().to_be_bytes();
                let width = if algorithm == ChecksumAlgorithm::Crc64Nvme { 8 } else { 4 };
                bytes.iter().copied().skip(bytes.len() - width).collect()
            }
            Self::Sha1(digest) => digest.finalize().to_vec(),
            Self::Sha256(digest) => digest.finalize().to_vec(),
        }
    }
}

/// The checksum of bytes that are all there.
pub(crate) fn checksum(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish(algorithm)
}

/// The MD5 of bytes that are all there.
pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

struct Hashers {
    md5: Md5,
    checksum: Option<(ChecksumAlgorithm, Hasher)>,
}

impl Hashers {
    fn new(algorithm: Option<ChecksumAlgorithm>) -> Self {
        Self { md5: Md5::new(), checksum: algorithm.map(|algorithm| (algorithm, Hasher::new(algorithm))) }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        if let Some((_, hasher)) = &mut self.checksum {
            hasher.update(bytes);
        }
    }

    fn finish(self) -> Sums {
        let checksum = self.checksum.map(|(algorithm, hasher)| Checksum {
            algorithm,
            kind: ChecksumKind::FullObject,
            value: hasher.finish(algorithm),
        });
        Sums { md5: self.md5.finalize().into(), checksum }
    }
}

/// Hashes a body piece by piece. Dropped before its end, it leaves nothing running.
pub(crate) struct Digester(Place);

enum Place {
    Here(Box<Hashers>),
    Aside { pieces: mpsc::Sender<Bytes>, sums: JoinHandle<Sums> },
}

impl Digester {
    /// Prepares for a body of `length` bytes, with a checksum of `algorithm` beside the MD5.
    pub fn new(length: u64, algorithm: Option<ChecksumAlgorithm>) -> Self {
        let mut hashers = Hashers::new(algorithm);
        if length <= ASIDE {
            return Self(Place::Here(Box::new(hashers)));
        }
        let (pieces, mut queue) = mpsc::channel::<Bytes>(QUEUE);
        let sums = tokio::task::spawn_blocking(move || {
            while let Some(piece) = queue.blocking_recv() {
                hashers.update(&piece);
            }
            hashers.finish()
        });
        Self(Place::Aside { pieces, sums })
    }

    /// Takes the next piece; waits while too many are waiting.
    pub async fn update(&mut self, piece: &Bytes) -> S3Result<()> {
        match &mut self.0 {
            Place::Here(hashers) => {
                hashers.update(piece);
                Ok(())
            }
            Place::Aside { pieces, .. } => pieces.send(piece.clone()).await.map_err(|_| stopped()),
        }
    }

    /// The sums of all pieces.
    pub async fn finish(self) -> S3Result<Sums> {
        match self.0 {
            Place::Here(hashers) => Ok(hashers.finish()),
            Place::Aside { pieces, sums } => {
                drop(pieces);
                sums.await.map_err(|_| stopped())
            }
        }
    }
}

/// The thread is gone, which only the end of the runtime brings about.
fn stopped() -> S3Error {
    S3Error::new(S3ErrorCode::ServiceUnavailable)
}

#[cfg(test)]
mod tests;
