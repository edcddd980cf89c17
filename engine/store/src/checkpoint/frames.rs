//! How the pairs of a checkpoint lie in it: compressed frames end to end, each with a hash of its own.
//!
//! Changes ascend by key space and key, from the first frame to the last. Nothing here panics or allocates more than
//! [`MOST`] on any bytes.

use crate::checksum::{Hash, record_hash};
use crate::codec::{DecodeError, Reader, Writer};
use crate::compression::inflate;
use crate::index::Space;

/// A frame is ended once it has so many bytes without zstd.
const ENOUGH: usize = 256 << 10;
/// No frame has more, with or without zstd: the longest value is a document's.
const MOST: usize = 64 << 20;
const LEVEL: i32 = 1;

/// Bytes in front of a frame.
pub const HEADER: usize = 24;

/// What stands under a key of the index; in an increment, `None` for one that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub space: Space,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl Change {
    /// Where it stands among others.
    #[must_use]
    pub fn place(&self) -> (u8, &[u8]) {
        (self.space.code(), &self.key)
    }
}

/// What a frame's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes as stored.
    pub length: usize,
    raw_length: usize,
    hash: Hash,
}

impl Header {
    /// # Errors
    /// Bytes that begin no frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader(bytes);
        let (length, raw_length, hash) = (from.u32()? as usize, from.u32()? as usize, from.array()?);
        if length > MOST || raw_length > MOST {
            return Err(DecodeError::Inconsistent("a frame that is too long"));
        }
        Ok(Self { length, raw_length, hash })
    }

    /// The changes of the frame that is stored behind this header.
    ///
    /// # Errors
    /// Bytes that are not what was stored, or changes in another order than theirs.
    pub fn open(&self, stored: &[u8]) -> Result<Vec<Change>, DecodeError> {
        if stored.len() != self.length || record_hash(stored) != self.hash {
            return Err(DecodeError::Checksum);
        }
        let unreadable = |_| DecodeError::Inconsistent("a frame that zstd can't read");
        let raw = inflate(stored, self.raw_length as u64).map_err(unreadable)?;
        let mut from = Reader(&raw);
        let mut changes: Vec<Change> = Vec::new();
        while !from.is_empty() {
            let code = from.u8()?;
            let space = Space::of_code(code).ok_or(DecodeError::Unknown("key space", code))?;
            let stands = match from.u8()? {
                0 => false,
                1 => true,
                other => return Err(DecodeError::Unknown("change", other)),
            };
            let key = from.short()?.to_vec();
            let value = if stands { Some(from.long()?.to_vec()) } else { None };
            let change = Change { space, key, value };
            if changes.last().is_some_and(|last| last.place() >= change.place()) {
                return Err(DecodeError::Inconsistent("changes that are in no order"));
            }
            changes.push(change);
        }
        Ok(changes)
    }
}

/// Gathers changes, which ascend, into frames.
#[derive(Debug, Default)]
pub struct FrameWriter(Writer);

impl FrameWriter {
    pub fn push(&mut self, space: Space, key: &[u8], value: Option<&[u8]>) {
        self.0.u8(space.code());
        self.0.u8(u8::from(value.is_some()));
        self.0.short(key);
        if let Some(value) = value {
            self.0.long(value);
        }
    }

    /// Whether there is enough for a frame.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= ENOUGH
    }

    /// What was gathered as a frame with its header; empty where nothing was.
    ///
    /// # Errors
    /// Those of zstd, or [`std::io::ErrorKind::FileTooLarge`] for a frame that no reader takes.
    pub fn finish(&mut self) -> std::io::Result<Vec<u8>> {
        let raw = std::mem::take(&mut self.0);
        if raw.is_empty() {
            return Ok(Vec::new());
        }
        let stored = zstd::bulk::compress(&raw.0, LEVEL)?;
        let (Ok(length), Ok(raw_length), true) =
            (u32::try_from(stored.len()), u32::try_from(raw.len()), raw.len().max(stored.len()) <= MOST)
        else {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        };
        let mut out = Writer::with_capacity(HEADER + stored.len());
        out.u32(length);
        out.u32(raw_length);
        out.bytes(&record_hash(&stored));
        out.bytes(&stored);
        Ok(out.0)
    }
}
