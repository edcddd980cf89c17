//! The keys of a node: made, wrapped and unwrapped here, and kept nowhere but in the journal.
//!
//! Nothing here waits; the cache of data keys has locks of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quick_cache::sync::Cache;

use super::suite::{DataKey, generate};
use super::wrap::Wrap;
use super::{MasterSecret, Nonces, Unfit};

/// Data keys that are held unwrapped, of whatever buckets were used last.
const HELD: usize = 4096;
/// What is wrapped under the master key once, to know it again.
const KNOWN: &[u8] = b"packstone";
/// What an operator is told of a master key that isn't the node's.
pub const FOREIGN_MASTER: &str = "the master key is missing, or not the one that this node's keys are wrapped under: \
                                  what they encrypt can't be read or written until the right one is put back from a \
                                  backup";

/// What follows from the master key, and what it has unwrapped.
pub struct Keyring {
    /// Wraps the keys of buckets, those of the KMS, and [`KNOWN`].
    master: Option<Wrap>,
    is_foreign: bool,
    is_marked: AtomicBool,
    /// By bucket and generation, of which none is ever used again for another key.
    held: Cache<(u32, u32), Arc<DataKey>>,
    nonces: Nonces,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

/// A key that was made: as it is used, and as it is kept.
#[derive(Debug)]
pub struct Fresh {
    pub key: Arc<DataKey>,
    pub wrapped: Vec<u8>,
}

impl Keyring {
    /// The keys under a master key, which is not used if it didn't make the node's `mark`: objects that aren't encrypted
    /// must be readable when it is lost.
    #[must_use]
    pub fn new(master: Option<&MasterSecret>, mark: Option<&[u8]>) -> Self {
        let master = master.map(|secret| Wrap::derive(&secret.0, "packstone keys of buckets and of the kms 1"));
        let knows =
            |master: &Wrap| mark.is_none_or(|mark| master.unwrap(KNOWN, mark).is_ok_and(|known| known == KNOWN));
        let master = master.filter(knows);
        let is_foreign = mark.is_some() && master.is_none();
        let is_marked = AtomicBool::new(mark.is_some());
        Self { master, is_foreign, is_marked, held: Cache::new(HELD), nonces: Nonces::default() }
    }

    #[must_use]
    pub fn nonces(&self) -> &Nonces {
        &self.nonces
    }

    /// Whether there is a master key: without one nothing is encrypted, and nothing that is can be read.
    #[must_use]
    pub fn has_master(&self) -> bool {
        self.master.is_some()
    }

    fn master(&self) -> Result<&Wrap, Unfit> {
        self.master.as_ref().ok_or(Unfit)
    }

    /// What tells this master key from another.
    ///
    /// # Errors
    /// No master key.
    pub fn mark(&self) -> Result<Vec<u8>, Unfit> {
        self.master()?.wrap(KNOWN, KNOWN)
    }

    /// Whether the journal tells this master key from others. No key is made before it does: made under a master key that
    /// the node doesn't know again, it could be lost to another one.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        self.is_marked.load(Ordering::Acquire)
    }

    pub fn note_mark(&self) {
        self.is_marked.store(true, Ordering::Release);
    }

    /// Whether the node's keys are wrapped under another master key than it was given.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// A key that wraps others, of a bucket or of the KMS, wrapped under the master key. `name` is bound to it.
    ///
    /// # Errors
    /// No master key, or no random bits.
    pub fn make_wrapping_key(&self, name: &str) -> Result<Vec<u8>, Unfit> {
        self.master()?.wrap(name.as_bytes(), &generate()?)
    }

    /// # Errors
    /// No master key, or another one than it was wrapped under, or another name.
    pub fn wrapping_key(&self, name: &str, wrapped: &[u8]) -> Result<Wrap, Unfit> {
        let key = self.master()?.unwrap(name.as_bytes(), wrapped)?;
        Ok(Wrap::derive(&key, "packstone data keys 1"))
    }

    /// A data key of a bucket, held from now on.
    ///
    /// # Errors
    /// `wrapped` is not that key, or `wrapping` not what wrapped it.
    pub fn data_key(
        &self,
        (bucket, generation): (u32, u32),
        unwrap: impl FnOnce() -> Result<Vec<u8>, Unfit>,
    ) -> Result<Arc<DataKey>, Unfit> {
        if let Some(held) = self.held.get(&(bucket, generation)) {
            return Ok(held);
        }
        let key = Arc::new(DataKey::new(&unwrap()?)?);
        self.held.insert((bucket, generation), Arc::clone(&key));
        Ok(key)
    }
}

/// A data key under `wrapping`, bound to `bound`.
///
/// # Errors
/// No random bits.
pub fn make_data_key(wrapping: &Wrap, bound: &[u8]) -> Result<Fresh, Unfit> {
    let bytes = generate()?;
    Ok(Fresh { key: Arc::new(DataKey::new(&bytes)?), wrapped: wrapping.wrap(bound, &bytes)? })
}
