//! A record: one object version's bytes as stored, and everything that stands with them.

use bytes::Bytes;
use packstone_access::Actor;

use crate::checksum::Hash;
use crate::codec::{DecodeError, Reader, Writer};
use crate::crypto::CHUNK_LENGTH;
use crate::object::attributes::inode_of;

/// A run of stored bytes within one segment.
///
/// In a packed segment `offset` counts payload bytes, in a stream segment it is the row in every shard file at which the
/// first stripe begins (see `segment::stripe`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub segment: u64,
    pub offset: u64,
    /// Stored bytes, without parity and padding.
    pub length: u64,
    /// The upload's part that these bytes belong to; 0 where one body made the object. What is appended has one more than
    /// what it is appended to: pieces differ in this from their neighbours.
    pub part: u16,
    /// In a stream: the LSN of the entry that claimed these bytes there, whoever names them since; the segment is dead
    /// when every claim is. 0 in a packed segment, whose records are claimed by their own entries.
    pub claim: u64,
    /// 128 bits of BLAKE3 over these stored bytes.
    pub hash: Hash,
}

impl Extent {
    pub const ENCODED: usize = 50;

    pub fn encode(&self, out: &mut Writer) {
        out.u64(self.segment);
        out.u64(self.offset);
        out.u64(self.length);
        out.u16(self.part);
        out.u64(self.claim);
        out.bytes(&self.hash);
    }

    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            segment: from.u64()?,
            offset: from.u64()?,
            length: from.u64()?,
            part: from.u16()?,
            claim: from.u64()?,
            hash: from.array()?,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Compression {
    Raw = 0,
    Zstd = 1,
}

impl TryFrom<u8> for Compression {
    type Error = DecodeError;
    fn try_from(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            0 => Ok(Self::Raw),
            1 => Ok(Self::Zstd),
            other => Err(DecodeError::Unknown("compression", other)),
        }
    }
}

/// The group of what is made by somebody who has a uid and no gid: nobody is in it.
pub const NO_GROUP: u32 = 65_534;

/// POSIX facts that stand with every record. Objects made by S3 belong to their creator's uid with mode 0640, and to uid 0
/// where nobody's is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posix {
    /// Of the file whose content this is; 0: the record's id is its inode number.
    pub inode: u64,
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    /// What `touch` said, Unix nanoseconds; 0 where nothing did and the commit time counts.
    pub mtime: i64,
}

impl Default for Posix {
    fn default() -> Self {
        Self { inode: 0, uid: 0, gid: 0, mode: 0o640, mtime: 0 }
    }
}

impl Posix {
    /// Those of what an actor makes.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        let Some(ids) = actor.posix() else { return Self::default() };
        Self { uid: ids.uid, gid: ids.gids.first().copied().unwrap_or(NO_GROUP), ..Self::default() }
    }
}

/// The key id of a record whose key is its own and stands wrapped in its attributes.
pub const OWN_KEY: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Never reused. Minted in the commit loop; 0 before.
    pub id: u64,
    /// Bytes as the client sent them.
    pub size: u64,
    /// When it was committed, Unix nanoseconds.
    pub modified: i64,
    pub compression: Compression,
    /// The zstd dictionary it was compressed with; 0 for none.
    pub dictionary: u32,
    /// The data key that it is encrypted with: a generation of its bucket's, or [`OWN_KEY`]; 0 for none.
    pub key_id: u32,
    /// Bytes of plaintext in one encrypted chunk; 0 where it isn't encrypted.
    pub chunking: u32,
    pub posix: Posix,
    /// `object::Attributes`, encoded.
    pub attributes: Vec<u8>,
    /// In order; empty for an object of no bytes.
    pub extents: Vec<Extent>,
    /// `object::PartChecksums`, encoded; empty where no upload whose parts have checksums made the object.
    pub part_checksums: Bytes,
}

impl Record {
    /// One without bytes and attributes.
    #[must_use]
    pub fn empty(id: u64, modified: i64) -> Self {
        Self {
            id,
            size: 0,
            modified,
            compression: Compression::Raw,
            dictionary: 0,
            key_id: 0,
            chunking: 0,
            posix: Posix::default(),
            attributes: Vec::new(),
            extents: Vec::new(),
            part_checksums: Bytes::new(),
        }
    }

    /// Everything but the parts' checksums, which stand apart from it wherever it stands: see [`Self::encode_part_checksums`].
    pub fn encode(&self, out: &mut Writer) {
        out.u64(self.id);
        out.u64(self.size);
        out.i64(self.modified);
        out.u8(self.compression as u8);
        out.u32(self.dictionary);
        out.u32(self.key_id);
        out.u32(self.chunking);
        out.u64(self.posix.inode);
        out.u32(self.posix.uid);
        out.u32(self.posix.gid);
        out.u32(self.posix.mode);
        out.i64(self.posix.mtime);
        out.long(&self.attributes);
        out.u32(u32::try_from(self.extents.len()).unwrap_or(u32::MAX));
        for extent in &self.extents {
            extent.encode(out);
        }
    }

    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut record = Self {
            id: from.u64()?,
            size: from.u64()?,
            modified: from.i64()?,
            compression: Compression::try_from(from.u8()?)?,
            dictionary: from.u32()?,
            key_id: from.u32()?,
            chunking: from.u32()?,
            posix: Posix {
                inode: from.u64()?,
                uid: from.u32()?,
                gid: from.u32()?,
                mode: from.u32()?,
                mtime: from.i64()?,
            },
            attributes: from.long()?.to_vec(),
            extents: Vec::new(),
            part_checksums: Bytes::new(),
        };
        if record.chunking != 0 && record.chunking != CHUNK_LENGTH {
            return Err(DecodeError::Inconsistent(
                "a record is encrypted in chunks of another length: use the release that wrote it",
            ));
        }
        let count = from.count(Extent::ENCODED)?;
        record.extents.reserve_exact(count);
        for _ in 0..count {
            record.extents.push(Extent::decode(from)?);
        }
        Ok(record)
    }

    /// The end of what a record stands in: nothing where its parts have no checksums.
    pub fn encode_part_checksums(&self, out: &mut Writer) {
        if !self.part_checksums.is_empty() {
            out.long(&self.part_checksums);
        }
    }

    /// # Errors
    /// [`DecodeError::Short`].
    pub fn decode_part_checksums(&mut self, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        if !from.is_empty() {
            self.part_checksums = Bytes::copy_from_slice(from.long()?);
        }
        Ok(())
    }

    /// Its number as a file: the one that was said of it since, that of the file whose content it is, or else its own.
    #[must_use]
    pub fn inode(&self) -> u64 {
        let made_as = if self.posix.inode == 0 { self.id } else { self.posix.inode };
        inode_of(&self.attributes).unwrap_or(made_as)
    }

    /// Stored bytes of each piece, in order: of the body that made it, or of each part, and of each body appended to
    /// these.
    pub fn pieces(&self) -> impl Iterator<Item = u64> {
        let runs = self.extents.chunk_by(|one, next| one.part == next.part);
        runs.map(|run| run.iter().fold(0, |sum: u64, extent| sum.saturating_add(extent.length)))
    }

    /// The one extent of a record whose bytes live with its entry, in a journal or a packed segment; `None` for one
    /// without bytes, or with bytes in streams.
    #[must_use]
    pub fn small(&self) -> Option<&Extent> {
        self.extents.first().filter(|extent| extent.claim == 0)
    }

    /// Stored bytes over all extents.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.extents.iter().fold(0, |sum, extent| sum.saturating_add(extent.length))
    }
}
