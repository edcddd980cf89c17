//! Encryption of what is stored: keys, nonces, chunks.
//!
//! **Keys.** The node's master key wraps a key of each bucket, a bucket's key wraps its data keys, one a generation. A
//! record names the key that its bytes are encrypted with: a generation of its bucket's, or a key of its own, which
//! stands wrapped in its attributes (under a key of the local KMS, or one that the client brings with every request and
//! that is never written down). Wrapped keys are documents in the journal; none is ever replaced or taken away while
//! its bucket stands.
//!
//! **Nonces** of chunks have 96 bits: 64 that are drawn at random whenever a process begins to count, and a counter of
//! 32. So none is used twice under a data key, whatever drives were restored from where, and nothing has to be
//! remembered. A process that is put back itself, with its memory, would count again from where it was.
//!
//! **Chunks.** What one body brought (a whole object, or a part of one) is a *piece*. It is cut into chunks of 64 KiB,
//! the last is shorter; each stands as nonce, ciphertext and tag, so that a range is read by the chunks that it touches.
//! The nonces of a piece follow one another. What is authenticated beside the bytes: suite, bucket, key, the piece's first
//! nonce, the number of the chunk and whether it is the last, compression and dictionary. So no chunk of
//! a piece can be moved or left out, and none of another piece put in. That a record means this piece and no other of
//! its bucket is said by its extents and their hashes, which no key vouches for. The object's name isn't bound: a rename
//! moves no bytes.
//!
//! Bytes are compressed before they are encrypted, and hashed after: scrubbing, healing and compaction need no key. A
//! crash leaves wrapped keys that nothing uses yet, which is harmless: the next write uses them.

mod chunk;
mod keyring;
mod nonce;
mod suite;
mod wrap;

pub use chunk::{CHUNK_LENGTH, Decryptor, Encryptor, Window, decrypt, encrypt, plain_length};
pub use keyring::{FOREIGN_MASTER, Fresh, Keyring, make_data_key};
pub use nonce::Nonces;
pub use suite::{Binding, DataKey, Suite};
pub use wrap::Wrap;

/// The node's master key: 32 bytes that are never shown.
#[derive(Clone)]
pub struct MasterSecret(pub [u8; 32]);

impl std::fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterSecret")
    }
}

/// What was to be encrypted, wrapped or read can't be: another key, or bytes that were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key does not fit, or the bytes were changed")]
pub struct Unfit;
