//! Entries as bytes; `docs/format.md` draws them.

use super::live::{decode_live, encode_live};
use super::{Claim, Entry, Manifest, Removed, Target};
use crate::codec::{DecodeError, Reader, Writer};
use crate::record::Record;
use crate::segment::SegmentInfo;
use crate::version::VersionId;

const LIVE: u8 = 1;
const STREAM_OPEN: u8 = 2;
const SEALED: u8 = 3;
const ERASED: u8 = 4;
const BUCKET_CREATE: u8 = 5;
const BUCKET_DELETE: u8 = 6;
const PUT: u8 = 7;
const KILL: u8 = 8;
const UPLOAD_OPEN: u8 = 9;
const PART: u8 = 10;
const UPLOAD_ABORT: u8 = 11;
const GRAVE: u8 = 12;
const CLAIMS: u8 = 13;
const DOCUMENT: u8 = 14;
const PUT_VERSION: u8 = 15;
const MARKER: u8 = 16;
const KILL_VERSION: u8 = 17;
const AMEND: u8 = 18;
const PLACED: u8 = 19;
const CHECKPOINT: u8 = 20;

impl Entry {
    /// Appends the entry with its length in front.
    pub fn encode(&self, out: &mut Writer) {
        let start = out.len();
        out.u32(0);
        self.encode_body(out);
        let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
        if let Some(slot) = out.0.get_mut(start..start + 4) {
            slot.copy_from_slice(&length.to_le_bytes());
        }
    }

    fn encode_body(&self, out: &mut Writer) {
        match self {
            Self::Live(live) => {
                out.u8(LIVE);
                encode_live(live, out);
            }
            Self::StreamOpen(info) => {
                out.u8(STREAM_OPEN);
                info.encode(out);
            }
            Self::Sealed(info) => {
                out.u8(SEALED);
                info.encode(out);
            }
            Self::Erased { id } => {
                out.u8(ERASED);
                out.u64(*id);
            }
            Self::Placed { id, shard, drive } => {
                out.u8(PLACED);
                out.u64(*id);
                out.u8(*shard);
                out.u16(*drive);
            }
            Self::BucketCreate { id, name, created } => {
                out.u8(BUCKET_CREATE);
                out.u32(*id);
                out.short(name.as_bytes());
                out.i64(*created);
            }
            Self::BucketDelete { name, kills } => {
                out.u8(BUCKET_DELETE);
                out.short(name.as_bytes());
                encode_kills(kills, out);
            }
            Self::Put { bucket, key, upload, record, removed, kills } => {
                place(PUT, *bucket, key, out);
                out.u128(*upload);
                record.encode(out);
                encode_removed(*removed, out);
                encode_kills(kills, out);
                record.encode_part_checksums(out);
            }
            Self::Kill { bucket, key, removed, kills } => {
                place(KILL, *bucket, key, out);
                encode_removed(*removed, out);
                encode_kills(kills, out);
            }
            Self::UploadOpen { bucket, key, upload, initiated, attributes } => {
                place(UPLOAD_OPEN, *bucket, key, out);
                out.u128(*upload);
                out.i64(*initiated);
                out.long(attributes);
            }
            Self::Part { bucket, key, upload, number, record, kills } => {
                place(PART, *bucket, key, out);
                out.u128(*upload);
                out.u16(*number);
                record.encode(out);
                encode_kills(kills, out);
            }
            Self::UploadAbort { bucket, key, upload, kills } => {
                place(UPLOAD_ABORT, *bucket, key, out);
                out.u128(*upload);
                encode_kills(kills, out);
            }
            Self::Grave { kills } => {
                out.u8(GRAVE);
                encode_kills(kills, out);
            }
            Self::Claims(claims) => {
                out.u8(CLAIMS);
                out.u32(u32::try_from(claims.len()).unwrap_or(u32::MAX));
                for claim in claims {
                    out.u64(claim.lsn);
                    out.u64(claim.bytes);
                }
            }
            Self::Checkpoint(manifest) => {
                out.u8(CHECKPOINT);
                manifest.encode(out);
            }
            Self::Document { .. }
            | Self::PutVersion { .. }
            | Self::Marker { .. }
            | Self::KillVersion { .. }
            | Self::Amend { .. } => self.encode_versioned(out),
        }
    }

    /// Documents, versions and what is said of them.
    fn encode_versioned(&self, out: &mut Writer) {
        match self {
            Self::Document { scope, kind, name, value, kills } => {
                out.u8(DOCUMENT);
                out.u32(*scope);
                out.short(kind.as_bytes());
                out.short(name.as_bytes());
                out.u8(u8::from(value.is_some()));
                out.long(value.as_deref().unwrap_or_default());
                encode_kills(kills, out);
            }
            Self::PutVersion { bucket, key, upload, version, record, replaces, removed, kills } => {
                place(PUT_VERSION, *bucket, key, out);
                out.u128(*upload);
                out.u128(version.0);
                record.encode(out);
                encode_end(*replaces, *removed, kills, out);
                record.encode_part_checksums(out);
            }
            Self::Marker { bucket, key, version, record, modified, replaces, removed, kills } => {
                place(MARKER, *bucket, key, out);
                out.u128(version.0);
                out.u64(*record);
                out.i64(*modified);
                encode_end(*replaces, *removed, kills, out);
            }
            Self::KillVersion { bucket, key, record, promoted, removed, kills } => {
                place(KILL_VERSION, *bucket, key, out);
                out.u64(*record);
                encode_end(*promoted, *removed, kills, out);
            }
            Self::Amend { bucket, key, record, attributes, kills } => {
                place(AMEND, *bucket, key, out);
                out.u64(*record);
                out.long(attributes);
                encode_kills(kills, out);
            }
            _ => {}
        }
    }

    /// Takes one entry, its length first, off the front.
    ///
    /// # Errors
    /// Bytes that are no entry of this version; a kind that is not known is of a newer one.
    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut body = Reader(from.long()?);
        let from = &mut body;
        Ok(match from.u8()? {
            LIVE => Self::Live(decode_live(from)?),
            STREAM_OPEN => Self::StreamOpen(SegmentInfo::decode(from)?),
            SEALED => Self::Sealed(SegmentInfo::decode(from)?),
            ERASED => Self::Erased { id: from.u64()? },
            PLACED => Self::Placed { id: from.u64()?, shard: from.u8()?, drive: from.u16()? },
            BUCKET_CREATE => Self::BucketCreate { id: from.u32()?, name: from.short_str()?, created: from.i64()? },
            BUCKET_DELETE => Self::BucketDelete { name: from.short_str()?, kills: decode_kills(from)? },
            PUT => {
                let (bucket, key, upload) = (from.u32()?, from.short_str()?, from.u128()?);
                let mut record = Record::decode(from)?;
                let (removed, kills) = (decode_removed(from)?, decode_kills(from)?);
                record.decode_part_checksums(from)?;
                Self::Put { bucket, key, upload, record, removed, kills }
            }
            KILL => Self::Kill {
                bucket: from.u32()?,
                key: from.short_str()?,
                removed: decode_removed(from)?,
                kills: decode_kills(from)?,
            },
            UPLOAD_OPEN => Self::UploadOpen {
                bucket: from.u32()?,
                key: from.short_str()?,
                upload: from.u128()?,
                initiated: from.i64()?,
                attributes: from.long()?.to_vec(),
            },
            PART => Self::Part {
                bucket: from.u32()?,
                key: from.short_str()?,
                upload: from.u128()?,
                number: from.u16()?,
                record: Record::decode(from)?,
                kills: decode_kills(from)?,
            },
            UPLOAD_ABORT => Self::UploadAbort {
                bucket: from.u32()?,
                key: from.short_str()?,
                upload: from.u128()?,
                kills: decode_kills(from)?,
            },
            GRAVE => Self::Grave { kills: decode_kills(from)? },
            CLAIMS => {
                let count = from.count(16)?;
                let claims = (0..count).map(|_| Ok(Claim { lsn: from.u64()?, bytes: from.u64()? }));
                Self::Claims(claims.collect::<Result<_, DecodeError>>()?)
            }
            CHECKPOINT => Self::Checkpoint(Manifest::decode(from)?),
            other => return Self::decode_versioned(other, from),
        })
    }

    fn decode_versioned(kind: u8, from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            DOCUMENT => {
                let (scope, kind, name) = (from.u32()?, from.short_str()?, from.short_str()?);
                let stands = from.u8()? != 0;
                let value = from.long()?.to_vec();
                Self::Document { scope, kind, name, value: stands.then_some(value), kills: decode_kills(from)? }
            }
            PUT_VERSION => {
                let (bucket, key, upload) = (from.u32()?, from.short_str()?, from.u128()?);
                let (version, mut record) = (VersionId(from.u128()?), Record::decode(from)?);
                let (replaces, removed, kills) = decode_end(from)?;
                record.decode_part_checksums(from)?;
                Self::PutVersion { bucket, key, upload, version, record, replaces, removed, kills }
            }
            MARKER => {
                let (bucket, key, version) = (from.u32()?, from.short_str()?, VersionId(from.u128()?));
                let (record, modified) = (from.u64()?, from.i64()?);
                let (replaces, removed, kills) = decode_end(from)?;
                Self::Marker { bucket, key, version, record, modified, replaces, removed, kills }
            }
            KILL_VERSION => {
                let (bucket, key, record) = (from.u32()?, from.short_str()?, from.u64()?);
                let (promoted, removed, kills) = decode_end(from)?;
                Self::KillVersion { bucket, key, record, promoted, removed, kills }
            }
            AMEND => Self::Amend {
                bucket: from.u32()?,
                key: from.short_str()?,
                record: from.u64()?,
                attributes: from.long()?.to_vec(),
                kills: decode_kills(from)?,
            },
            other => return Err(DecodeError::Unknown("entry", other)),
        })
    }
}

/// What an entry does to another version of its key.
fn encode_end(other: u64, removed: Removed, kills: &[Target], out: &mut Writer) {
    out.u64(other);
    encode_removed(removed, out);
    encode_kills(kills, out);
}

fn decode_end(from: &mut Reader<'_>) -> Result<(u64, Removed, Vec<Target>), DecodeError> {
    Ok((from.u64()?, decode_removed(from)?, decode_kills(from)?))
}

fn place(kind: u8, bucket: u32, key: &str, out: &mut Writer) {
    out.u8(kind);
    out.u32(bucket);
    out.short(key.as_bytes());
}

fn encode_removed(removed: Removed, out: &mut Writer) {
    out.u32(removed.objects);
    out.u64(removed.bytes);
}

fn decode_removed(from: &mut Reader<'_>) -> Result<Removed, DecodeError> {
    Ok(Removed { objects: from.u32()?, bytes: from.u64()? })
}

fn encode_kills(kills: &[Target], out: &mut Writer) {
    out.u32(u32::try_from(kills.len()).unwrap_or(u32::MAX));
    for target in kills {
        out.u64(target.file);
        out.u64(target.lsn);
    }
}

fn decode_kills(from: &mut Reader<'_>) -> Result<Vec<Target>, DecodeError> {
    let count = from.count(16)?;
    (0..count).map(|_| Ok(Target { file: from.u64()?, lsn: from.u64()? })).collect()
}
