//! zstd dictionaries of a bucket: what its small records have in common, kept apart from them once.
//!
//! A dictionary is a document of its bucket that [`trainer`] alone writes, under an id that no other dictionary of the
//! bucket ever has. None is changed, and none goes before its bucket does: a record that names one can be read as long as
//! it can be there. A bucket's dictionaries stand in its [`crate::commit::BucketState`], which is replaced whole when one
//! comes, so whoever compresses or reads takes no lock; each is made ready by the first who needs it.

pub mod sampler;
pub mod trainer;
pub mod training;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use zstd::zstd_safe::{CCtx, CDict, DCtx, DDict, compress_bound, get_dict_id_from_dict, get_dict_id_from_frame};

use crate::checksum::record_hash;
use crate::codec::{DecodeError, Reader, Writer};
use crate::compression::{expect_plausible, pays};

/// The kind of the documents that hold dictionaries; the name is the id in decimal.
pub const DICTIONARY: &str = "dictionary";
/// The most dictionaries that one bucket has.
pub const MOST_OF_BUCKET: usize = 32;
/// Bodies that a dictionary is used for, and that one is trained from: what is longer is a dictionary to itself.
pub const LEAST: usize = 64;
pub const LARGEST: usize = 64 << 10;

/// The longest dictionary, as zstd makes it.
const MOST: usize = 128 << 10;
/// Where a dictionary's id stands in it: behind its magic number.
const ID: std::ops::Range<usize> = 4..8;
const VERSION: u8 = 1;
/// Searched further than without a dictionary: fewer bytes are left to find matches in, and more to gain.
const LEVEL: i32 = 6;
const MAX_FOLDER: usize = 64;
const MAX_ENDING: usize = 16;

/// Keys whose bodies are taken to be alike: the folder at the root that they are in, and how their names end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Family {
    /// Up to the first slash; empty for the whole bucket.
    pub folder: Box<str>,
    /// Behind the last dot; empty where there is none.
    pub ending: Box<str>,
}

impl Family {
    /// The family of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let (folder, ending) = parts(key);
        Self { folder: folder.into(), ending: ending.into() }
    }

    /// The bucket's keys with the same ending.
    #[must_use]
    pub fn of_bucket(&self) -> Self {
        Self { folder: "".into(), ending: self.ending.clone() }
    }
}

fn parts(key: &str) -> (&str, &str) {
    let folder = key.split_once('/').map_or("", |(folder, _)| folder);
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_ending = ending.len() <= MAX_ENDING && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (if folder.len() <= MAX_FOLDER { folder } else { "" }, if is_ending { ending } else { "" })
}

/// A dictionary that can be used.
pub struct Dictionary {
    pub id: u32,
    pub family: Family,
    /// Stored bytes of a thousand plain ones, as it was when this was trained.
    pub promised: u32,
    content: Box<[u8]>,
    encoder: OnceLock<Option<CDict<'static>>>,
    decoder: OnceLock<Option<DDict<'static>>>,
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionary").field("id", &self.id).field("family", &self.family).finish_non_exhaustive()
    }
}

impl PartialEq for Dictionary {
    fn eq(&self, other: &Self) -> bool {
        let said = |held: &Self| (held.id, held.promised, held.family.clone());
        said(self) == said(other) && self.content == other.content
    }
}

impl Eq for Dictionary {}

thread_local! {
    static COMPRESSING: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static EXPANDING: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

impl Dictionary {
    /// One of what zstd trained, under an id of the bucket's. The id stands in every frame, so that none is ever expanded
    /// with another dictionary.
    ///
    /// # Errors
    /// Bytes that are no zstd dictionary, or too many.
    pub fn new(id: u32, family: Family, promised: u32, mut content: Vec<u8>) -> Result<Self, DecodeError> {
        let place = content.get_mut(ID).ok_or(DecodeError::Short)?;
        place.copy_from_slice(&id.to_le_bytes());
        Self::of(id, family, promised, content)
    }

    fn of(id: u32, family: Family, promised: u32, content: Vec<u8>) -> Result<Self, DecodeError> {
        if content.len() > MOST || id == 0 || get_dict_id_from_dict(&content).is_none_or(|held| held.get() != id) {
            return Err(DecodeError::Inconsistent("bytes that are no zstd dictionary of that id"));
        }
        let content = content.into();
        Ok(Self { id, family, promised, content, encoder: OnceLock::new(), decoder: OnceLock::new() })
    }

    /// The document of it.
    #[must_use]
    pub fn encode(&self, bucket: u32) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.content.len() + 256);
        out.u8(VERSION);
        out.u32(bucket);
        out.u32(self.id);
        out.u32(self.promised);
        out.short(self.family.folder.as_bytes());
        out.short(self.family.ending.as_bytes());
        out.long(&self.content);
        let hash = record_hash(&out.0);
        out.bytes(&hash);
        out.0
    }

    /// The dictionary of a bucket that a document holds under a name.
    ///
    /// # Errors
    /// Another document than was written there, or one of a newer release.
    pub fn decode(bucket: u32, name: &str, value: &[u8]) -> Result<Self, DecodeError> {
        let (said, hash) = value.split_last_chunk::<16>().ok_or(DecodeError::Short)?;
        if record_hash(said) != *hash {
            return Err(DecodeError::Checksum);
        }
        let mut from = Reader(said);
        let version = from.u8()?;
        if version != VERSION {
            return Err(DecodeError::Newer("a dictionary", u16::from(version)));
        }
        let (of, id, promised) = (from.u32()?, from.u32()?, from.u32()?);
        let family = Family { folder: from.short_str()?.into(), ending: from.short_str()?.into() };
        let content = from.long()?.to_vec();
        if of != bucket || name != id.to_string() || !from.is_empty() {
            return Err(DecodeError::Inconsistent("a dictionary of another place"));
        }
        Self::of(id, family, promised, content)
    }

    #[must_use]
    pub fn length(&self) -> usize {
        self.content.len()
    }

    /// Compresses `plain` if that pays; `None` too where it can't be done.
    #[must_use]
    pub fn shrink(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let encoder = self.encoder.get_or_init(|| CDict::try_create(&self.content, LEVEL)).as_ref()?;
        let mut packed = Vec::with_capacity(compress_bound(plain.len()));
        COMPRESSING.with_borrow_mut(|held| {
            let context = held.take().or_else(CCtx::try_create)?;
            held.insert(context).compress_using_cdict(&mut packed, plain, encoder).ok()
        })?;
        pays(plain.len(), packed.len()).then_some(packed)
    }

    /// Gives back the `size` plain bytes of a frame.
    ///
    /// # Errors
    /// Bytes that are no frame of that size made with this dictionary, or a dictionary that zstd doesn't take.
    pub fn expand(&self, frame: &[u8], size: u64) -> std::io::Result<Vec<u8>> {
        let unfit = |what| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        let size = expect_plausible(frame, size)?;
        if get_dict_id_from_frame(frame).is_none_or(|named| named.get() != self.id) {
            return Err(unfit("a zstd frame of another dictionary"));
        }
        let decoder = self.decoder.get_or_init(|| DDict::try_create(&self.content)).as_ref();
        let decoder = decoder.ok_or_else(|| unfit("a dictionary that zstd can't read"))?;
        let mut plain = Vec::with_capacity(size);
        let expanded = EXPANDING.with_borrow_mut(|held| {
            let context = held.take().or_else(DCtx::try_create)?;
            held.insert(context).decompress_using_ddict(&mut plain, frame, decoder).ok()
        });
        match expanded {
            Some(length) if length == size => Ok(plain),
            _ => Err(unfit("a zstd frame that its dictionary doesn't expand to its size")),
        }
    }
}

/// All dictionaries of a bucket that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionaries {
    by_id: BTreeMap<u32, Arc<Dictionary>>,
    /// Of each family the newest: what is written with.
    newest: Vec<Arc<Dictionary>>,
}

impl Dictionaries {
    /// The same with what a document of the bucket holds, or without what it held. A document that can't be read is none:
    /// records that need it are lost, and everything else is not.
    #[must_use]
    pub fn with(&self, bucket: u32, name: &str, value: Option<&[u8]>) -> Self {
        let mut next = self.clone();
        match value.map(|value| Dictionary::decode(bucket, name, value)) {
            Some(Ok(dictionary)) => {
                next.by_id.insert(dictionary.id, Arc::new(dictionary));
            }
            Some(Err(error)) => {
                tracing::error!(bucket, dictionary = name, %error, "a dictionary can't be read");
                name.parse().ok().and_then(|id: u32| next.by_id.remove(&id));
            }
            None => {
                name.parse().ok().and_then(|id: u32| next.by_id.remove(&id));
            }
        }
        next.newest.clear();
        for dictionary in next.by_id.values().rev() {
            if next.newest.iter().all(|held| held.family != dictionary.family) {
                next.newest.push(dictionary.clone());
            }
        }
        next
    }

    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Arc<Dictionary>> {
        self.by_id.get(&id)
    }

    /// What a body of that key is to be compressed with: its family's newest, or the bucket's for its ending.
    #[must_use]
    pub fn choose(&self, key: &str) -> Option<&Arc<Dictionary>> {
        if self.newest.is_empty() {
            return None;
        }
        let (folder, ending) = parts(key);
        self.newest_of(folder, ending)
    }

    /// What bodies of a family are compressed with.
    #[must_use]
    pub fn of_family(&self, family: &Family) -> Option<&Arc<Dictionary>> {
        self.newest_of(&family.folder, &family.ending)
    }

    fn newest_of(&self, folder: &str, ending: &str) -> Option<&Arc<Dictionary>> {
        let of = |folder: &str| {
            self.newest.iter().find(|held| *held.family.folder == *folder && *held.family.ending == *ending)
        };
        of(folder).or_else(|| of(""))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Dictionary>> {
        self.by_id.values()
    }
}

#[cfg(test)]
mod lost_tests;
#[cfg(test)]
mod tests;
