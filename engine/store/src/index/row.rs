//! Values of the index.

use bytes::Bytes;

use super::{IndexError, IndexResult, Snapshot, Space, keys};
use crate::codec::{DecodeError, Reader, Writer};
use crate::journal::Target;
use crate::quota::Usage;
use crate::record::{Extent, Record};
use crate::version::VersionId;

/// More extents than this stand apart, in [`Space::Extents`], and the checksums of parts with them.
const INLINE_EXTENTS: usize = 4;
/// Extents of one value there.
const CHUNK: usize = 256;
/// Bytes of checksums of one value there.
const CHECKSUMS_CHUNK: usize = 8192;

/// How far a space has come: every batch leaves its LSN in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Mark(pub u64);

impl Mark {
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }

    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self(u64::from_le_bytes(bytes.try_into().ok()?)))
    }
}

/// Key and value in [`Space::Extents`].
pub type Apart = (Vec<u8>, Vec<u8>);

/// What a row's third field says of it, as bits.
const APART: u8 = 1;
const VERSION: u8 = 2;
const MARKER: u8 = 4;
const AMENDED: u8 = 8;

/// A live record and the entry that brought it; or a delete marker, whose record has an id and a time and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub lsn: u64,
    /// The file that the entry stands in.
    pub home: u64,
    pub version: VersionId,
    pub marker: bool,
    /// The entry that gave the record the attributes it has, where it isn't the one that brought it.
    pub amendment: Option<Target>,
    pub record: Record,
}

impl Row {
    /// A row of the null version as its entry brought it, or of a part.
    #[must_use]
    pub fn plain(lsn: u64, home: u64, record: Record) -> Self {
        Self { lsn, home, version: VersionId::NULL, marker: false, amendment: None, record }
    }

    /// The row's value, and what stands apart from it under the record's id, which no other row has.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, Vec<Apart>) {
        let mut out = Writer::with_capacity(256);
        out.u64(self.lsn);
        out.u64(self.home);
        let mut flags = 0;
        flags |= if self.record.extents.len() > INLINE_EXTENTS { APART } else { 0 };
        flags |= if self.version.is_null() { 0 } else { VERSION };
        flags |= if self.marker { MARKER } else { 0 };
        flags |= if self.amendment.is_some() { AMENDED } else { 0 };
        out.u8(flags);
        if !self.version.is_null() {
            out.u128(self.version.0);
        }
        if let Some(amendment) = self.amendment {
            out.u64(amendment.lsn);
            out.u64(amendment.file);
        }
        if flags & APART == 0 {
            self.record.encode(&mut out);
            self.record.encode_part_checksums(&mut out);
            return (out.0, Vec::new());
        }
        Record { extents: Vec::new(), ..self.record.clone() }.encode(&mut out);
        (out.0, self.encode_apart())
    }

    fn encode_apart(&self) -> Vec<Apart> {
        let mut apart = Vec::new();
        for (number, chunk) in self.record.extents.chunks(CHUNK).enumerate() {
            let mut value = Writer::with_capacity(chunk.len() * Extent::ENCODED);
            for extent in chunk {
                extent.encode(&mut value);
            }
            let first = u32::try_from(number * CHUNK).unwrap_or(u32::MAX);
            apart.push((keys::extents(self.record.id, first), value.0));
        }
        for (number, chunk) in (0..).zip(self.record.part_checksums.chunks(CHECKSUMS_CHUNK)) {
            apart.push((keys::part_checksums(self.record.id, number), chunk.to_vec()));
        }
        apart
    }

    fn decode(bytes: &[u8]) -> Result<(Self, bool), DecodeError> {
        let mut from = Reader(bytes);
        let (lsn, home, flags) = (from.u64()?, from.u64()?, from.u8()?);
        if flags & !(APART | VERSION | MARKER | AMENDED) != 0 {
            return Err(DecodeError::Unknown("row", flags));
        }
        let version = if flags & VERSION == 0 { VersionId::NULL } else { VersionId(from.u128()?) };
        let amendment = match flags & AMENDED {
            0 => None,
            _ => Some(Target { lsn: from.u64()?, file: from.u64()? }),
        };
        let mut record = Record::decode(&mut from)?;
        record.decode_part_checksums(&mut from)?;
        let row = Self { lsn, home, version, marker: flags & MARKER != 0, amendment, record };
        Ok((row, flags & APART != 0))
    }

    /// Decodes a row without what stands apart: enough for listing.
    ///
    /// # Errors
    /// A value that is no row.
    pub fn decode_brief(bytes: &[u8]) -> IndexResult<Self> {
        Ok(Self::decode(bytes).map_err(corrupt)?.0)
    }

    /// Decodes a row with all its extents and the checksums of its parts.
    ///
    /// # Errors
    /// A value that is no row.
    pub fn decode_whole(bytes: &[u8], snapshot: &dyn Snapshot) -> IndexResult<Self> {
        let (mut row, apart) = Self::decode(bytes).map_err(corrupt)?;
        if apart {
            let mut checksums = Vec::new();
            for pair in snapshot.prefix(Space::Extents, &row.record.id.to_be_bytes()) {
                let (key, value) = pair?;
                if keys::is_part_checksums(&key) {
                    checksums.extend_from_slice(&value);
                    continue;
                }
                let mut from = Reader(&value);
                while !from.is_empty() {
                    row.record.extents.push(Extent::decode(&mut from).map_err(corrupt)?);
                }
            }
            row.record.part_checksums = Bytes::from(checksums);
        }
        Ok(row)
    }

    /// Keys of the values that stand apart.
    #[must_use]
    pub fn apart_keys(&self) -> Vec<Vec<u8>> {
        if self.record.extents.len() <= INLINE_EXTENTS {
            return Vec::new();
        }
        let id = self.record.id;
        let firsts = (0..self.record.extents.len()).step_by(CHUNK);
        let extents = firsts.map(|first| keys::extents(id, u32::try_from(first).unwrap_or(u32::MAX)));
        let chunks = (0..).zip(self.record.part_checksums.chunks(CHECKSUMS_CHUNK));
        extents.chain(chunks.map(|(number, _)| keys::part_checksums(id, number))).collect()
    }

    /// The entry itself, where it stands.
    #[must_use]
    pub fn target(&self) -> Target {
        Target { file: self.home, lsn: self.lsn }
    }

    /// What a kill of this row must name: its home, its amendment, and every claim that it has on a stream.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        let mut targets = vec![self.target()];
        targets.extend(self.amendment);
        let streamed = self.record.extents.iter().filter(|extent| extent.claim != 0);
        targets.extend(streamed.map(|extent| Target { file: extent.segment, lsn: extent.claim }));
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// An open upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    pub lsn: u64,
    pub home: u64,
    pub initiated: i64,
    pub attributes: Vec<u8>,
}

impl UploadRow {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(32 + self.attributes.len());
        out.u64(self.lsn);
        out.u64(self.home);
        out.i64(self.initiated);
        out.long(&self.attributes);
        out.0
    }

    /// # Errors
    /// A value that is no upload.
    pub fn decode(bytes: &[u8]) -> IndexResult<Self> {
        let mut from = Reader(bytes);
        let mut read = || {
            Ok(Self { lsn: from.u64()?, home: from.u64()?, initiated: from.i64()?, attributes: from.long()?.to_vec() })
        };
        read().map_err(corrupt)
    }
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRow {
    pub lsn: u64,
    pub home: u64,
    pub id: u32,
    pub created: i64,
}

impl BucketRow {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u64(self.lsn);
        out.u64(self.home);
        out.u32(self.id);
        out.i64(self.created);
        out.0
    }

    /// # Errors
    /// A value that is no bucket.
    pub fn decode(bytes: &[u8]) -> IndexResult<Self> {
        let mut from = Reader(bytes);
        let mut read = || Ok(Self { lsn: from.u64()?, home: from.u64()?, id: from.u32()?, created: from.i64()? });
        read().map_err(corrupt)
    }
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    pub lsn: u64,
    pub home: u64,
    pub value: Vec<u8>,
}

impl DocumentRow {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(20 + self.value.len());
        out.u64(self.lsn);
        out.u64(self.home);
        out.long(&self.value);
        out.0
    }

    /// # Errors
    /// A value that is no document.
    pub fn decode(bytes: &[u8]) -> IndexResult<Self> {
        let mut from = Reader(bytes);
        let mut read = || Ok(Self { lsn: from.u64()?, home: from.u64()?, value: from.long()?.to_vec() });
        read().map_err(corrupt)
    }
}

/// Counters of a bucket, changed in the batch that changes what they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BucketTally {
    /// Versions of objects, delete markers not.
    pub objects: u64,
    /// As the clients sent them.
    pub bytes: u64,
    pub uploads: u64,
    /// Names of files beyond each one's first.
    pub links: u64,
}

impl From<BucketTally> for Usage {
    fn from(tally: BucketTally) -> Self {
        Self { bytes: tally.bytes, objects: tally.objects }
    }
}

/// Counters of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FileTally {
    /// Stored bytes that live entries claim in it.
    pub live: u64,
    /// Entries that are dead in it.
    pub dead: u64,
}

/// A value of little-endian 64-bit numbers.
fn numbers<const N: usize>(bytes: &[u8]) -> IndexResult<[u64; N]> {
    let mut from = Reader(bytes);
    let mut out = [0; N];
    for slot in &mut out {
        *slot = from.u64().map_err(corrupt)?;
    }
    Ok(out)
}

impl BucketTally {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.objects, self.bytes, self.uploads, self.links].iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// # Errors
    /// A value that is no tally.
    pub fn decode(bytes: &[u8]) -> IndexResult<Self> {
        let (held, links) = bytes.split_at_checked(24).unwrap_or((bytes, &[]));
        let [objects, bytes, uploads] = numbers(held)?;
        // An index that was written before files had several names ends here.
        let [links] = if links.is_empty() { [0] } else { numbers(links)? };
        Ok(Self { objects, bytes, uploads, links })
    }
}

impl FileTally {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.live, self.dead].iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// # Errors
    /// A value that is no tally.
    pub fn decode(bytes: &[u8]) -> IndexResult<Self> {
        let [live, dead] = numbers(bytes)?;
        Ok(Self { live, dead })
    }
}

/// LSN and home, which every row begins with.
///
/// # Errors
/// A value that is no row.
pub fn identity(bytes: &[u8]) -> IndexResult<(u64, u64)> {
    let [lsn, home] = numbers(bytes)?;
    Ok((lsn, home))
}

/// The id of the record of a row.
///
/// # Errors
/// A value that is no such row.
pub fn record_id(bytes: &[u8]) -> IndexResult<u64> {
    let flags = bytes.get(16).copied().unwrap_or_default();
    let before = 17 + if flags & VERSION == 0 { 0 } else { 16 } + if flags & AMENDED == 0 { 0 } else { 16 };
    let [id] = numbers(bytes.get(before..).unwrap_or_default())?;
    Ok(id)
}

/// The amendment that a row of a record took.
///
/// # Errors
/// A value that is no such row.
pub fn amendment(bytes: &[u8]) -> IndexResult<Option<Target>> {
    match bytes.get(16) {
        Some(flags) if flags & AMENDED == 0 => Ok(None),
        _ => Ok(Row::decode_brief(bytes)?.amendment),
    }
}

/// The same row at another home.
#[must_use]
pub fn moved(bytes: &[u8], home: u64) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if let Some(slot) = out.get_mut(8..16) {
        slot.copy_from_slice(&home.to_le_bytes());
    }
    out
}

pub(crate) fn corrupt(error: DecodeError) -> IndexError {
    IndexError(format!("a value that can't be read: {error}"))
}
