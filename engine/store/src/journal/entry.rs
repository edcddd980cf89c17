//! Entries: what a journal holds, one outcome each.
//!
//! Every entry is known by its LSN for ever, and stands at home in one file at a time: the journal it was committed to,
//! the segment that journal became, or the segment that compaction carried it to. An entry is *live* until another one
//! names it among its kills. The index is a function of the live entries, whatever order they are read in, so nothing
//! that is dead can come back as long as a kill outlives what it kills:
//!
//! * a kill is carried until no file can hold its target (`compaction` has the rule);
//! * where one LSN stands in two live files, the copy in the younger one (higher id) counts.

use crate::codec::{DecodeError, Reader, Writer};
use crate::index::{Space, keys};
use crate::record::Record;
use crate::segment::SegmentInfo;

/// Names the entry that dies, by its LSN, and a file that holds something of it: its home when its end was decided, or
/// a stream segment with its bytes. A kill has one target for each such file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub file: u64,
    pub lsn: u64,
}

/// That an entry has bytes in a stream segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub lsn: u64,
    pub bytes: u64,
}

/// What a kill takes out of its bucket's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Removed {
    /// 1 where an object ends, else 0.
    pub objects: u32,
    /// Its bytes as the client sent them.
    pub bytes: u64,
}

/// A journal file that is live when a journal opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalInfo {
    pub id: u64,
    /// Drives its copies stand on.
    pub copies: Vec<u16>,
}

/// Everything that lives when a journal file opens: it stands first in each, and recovery ignores all else.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LiveSet {
    /// The next file id to give out.
    pub next_file: u64,
    /// The next bucket id to give out.
    pub next_bucket: u32,
    pub journals: Vec<JournalInfo>,
    pub segments: Vec<SegmentInfo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Live(LiveSet),
    /// A stream segment may be written from here on.
    StreamOpen(SegmentInfo),
    /// The segment is whole and durable on its drives. For a journal's segment: in place of the journal.
    Sealed(SegmentInfo),
    /// The segment is no more; its files may go.
    Erased {
        id: u64,
    },
    BucketCreate {
        id: u32,
        name: String,
        created: i64,
    },
    BucketDelete {
        name: String,
        kills: Vec<Target>,
    },
    /// A version of an object becomes current. `kills` holds the version it replaced, or the upload and parts that it
    /// was made of, or both.
    Put {
        bucket: u32,
        key: String,
        /// The upload it completes; 0 for none.
        upload: u128,
        record: Record,
        removed: Removed,
        kills: Vec<Target>,
    },
    /// The current version of a key ends.
    Kill {
        bucket: u32,
        key: String,
        removed: Removed,
        kills: Vec<Target>,
    },
    UploadOpen {
        bucket: u32,
        key: String,
        upload: u128,
        initiated: i64,
        attributes: Vec<u8>,
    },
    Part {
        bucket: u32,
        key: String,
        upload: u128,
        number: u16,
        record: Record,
        kills: Vec<Target>,
    },
    UploadAbort {
        bucket: u32,
        key: String,
        upload: u128,
        kills: Vec<Target>,
    },
    /// What is left of a dead entry whose targets may still be somewhere: its kills.
    Grave {
        kills: Vec<Target>,
    },
    /// The table of contents of a stream segment: every entry that ever had bytes in it.
    Claims(Vec<Claim>),
}

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

impl Entry {
    /// The entries that this one ends.
    #[must_use]
    pub fn kills(&self) -> &[Target] {
        match self {
            Self::Put { kills, .. }
            | Self::Kill { kills, .. }
            | Self::Part { kills, .. }
            | Self::BucketDelete { kills, .. }
            | Self::UploadAbort { kills, .. }
            | Self::Grave { kills } => kills,
            Self::Live(_)
            | Self::StreamOpen(_)
            | Self::Sealed(_)
            | Self::Erased { .. }
            | Self::BucketCreate { .. }
            | Self::UploadOpen { .. }
            | Self::Claims(_) => &[],
        }
    }

    /// Replaces what it ends; nothing for entries that end nothing.
    pub fn set_kills(&mut self, with: Vec<Target>) {
        match self {
            Self::Put { kills, .. }
            | Self::Kill { kills, .. }
            | Self::Part { kills, .. }
            | Self::BucketDelete { kills, .. }
            | Self::UploadAbort { kills, .. }
            | Self::Grave { kills } => *kills = with,
            Self::Live(_)
            | Self::StreamOpen(_)
            | Self::Sealed(_)
            | Self::Erased { .. }
            | Self::BucketCreate { .. }
            | Self::UploadOpen { .. }
            | Self::Claims(_) => {}
        }
    }

    /// The record that it brings.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Put { record, .. } | Self::Part { record, .. } => Some(record),
            _ => None,
        }
    }

    pub fn record_mut(&mut self) -> Option<&mut Record> {
        match self {
            Self::Put { record, .. } | Self::Part { record, .. } => Some(record),
            _ => None,
        }
    }

    /// Whether it states something that lasts until another entry ends it. The others live by their kills alone, or by
    /// the live set that repeats them.
    #[must_use]
    pub fn lasts(&self) -> bool {
        matches!(self, Self::BucketCreate { .. } | Self::Put { .. } | Self::UploadOpen { .. } | Self::Part { .. })
    }

    /// Where the row stands that it brings, for those that last.
    #[must_use]
    pub fn row_key(&self) -> Option<(Space, Vec<u8>)> {
        match self {
            Self::Put { bucket, key, .. } => Some((Space::Current, keys::current(*bucket, key))),
            Self::Part { upload, number, .. } => Some((Space::Uploads, keys::part(*upload, *number))),
            Self::UploadOpen { bucket, key, upload, .. } => Some((Space::Uploads, keys::upload(*bucket, key, *upload))),
            Self::BucketCreate { name, .. } => Some((Space::Buckets, name.as_bytes().to_vec())),
            _ => None,
        }
    }

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
            BUCKET_CREATE => Self::BucketCreate { id: from.u32()?, name: from.short_str()?, created: from.i64()? },
            BUCKET_DELETE => Self::BucketDelete { name: from.short_str()?, kills: decode_kills(from)? },
            PUT => Self::Put {
                bucket: from.u32()?,
                key: from.short_str()?,
                upload: from.u128()?,
                record: Record::decode(from)?,
                removed: decode_removed(from)?,
                kills: decode_kills(from)?,
            },
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
            other => return Err(DecodeError::Unknown("entry", other)),
        })
    }
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

fn encode_live(live: &LiveSet, out: &mut Writer) {
    out.u64(live.next_file);
    out.u32(live.next_bucket);
    out.u32(u32::try_from(live.journals.len()).unwrap_or(u32::MAX));
    for journal in &live.journals {
        out.u64(journal.id);
        out.u16(u16::try_from(journal.copies.len()).unwrap_or(u16::MAX));
        for copy in &journal.copies {
            out.u16(*copy);
        }
    }
    out.u32(u32::try_from(live.segments.len()).unwrap_or(u32::MAX));
    for segment in &live.segments {
        segment.encode(out);
    }
}

fn decode_live(from: &mut Reader<'_>) -> Result<LiveSet, DecodeError> {
    let mut live = LiveSet { next_file: from.u64()?, next_bucket: from.u32()?, ..LiveSet::default() };
    for _ in 0..from.count(10)? {
        let id = from.u64()?;
        let copies = from.u16()?;
        let copies = (0..copies).map(|_| from.u16()).collect::<Result<_, _>>()?;
        live.journals.push(JournalInfo { id, copies });
    }
    for _ in 0..from.count(SegmentInfo::LEAST)? {
        live.segments.push(SegmentInfo::decode(from)?);
    }
    Ok(live)
}
