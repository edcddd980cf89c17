//! The table of contents that ends a segment: its entries with their LSNs, so that the index can be made anew from it.

use super::Toc;
use crate::checksum::record_hash;
use crate::codec::{DecodeError, Reader, Writer};
use crate::compression::inflate;
use crate::journal::{Entry, Logged};

const MAGIC: &[u8; 4] = b"PKTC";
const VERSION: u16 = 2;
/// Repeated keys and field names shrink well at any level.
const LEVEL: i32 = 3;
/// No TOC is longer, whatever its header says.
const MOST: u64 = 4 << 30;

/// Entries gathered in LSN order.
#[derive(Debug)]
pub struct TocBuilder {
    out: Writer,
    count: u32,
    first_lsn: u64,
    last_lsn: u64,
}

/// What [`TocBuilder::finish`] gives.
#[derive(Debug)]
pub struct FinishedToc {
    pub stored: Vec<u8>,
    /// Its `offset` is the caller's to set.
    pub toc: Toc,
    pub first_lsn: u64,
    pub last_lsn: u64,
}

impl Default for TocBuilder {
    fn default() -> Self {
        let mut out = Writer::default();
        out.bytes(MAGIC);
        out.u16(VERSION);
        Self { out, count: 0, first_lsn: 0, last_lsn: 0 }
    }
}

impl TocBuilder {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn push(&mut self, lsn: u64, entry: &Entry) {
        if self.count == 0 {
            self.first_lsn = lsn;
        }
        self.last_lsn = lsn;
        self.count += 1;
        self.out.u64(lsn);
        entry.encode(&mut self.out);
    }

    /// # Errors
    /// Those of zstd.
    pub fn finish(self) -> std::io::Result<FinishedToc> {
        let stored = zstd::bulk::compress(&self.out.0, LEVEL)?;
        let toc = Toc {
            offset: 0,
            length: stored.len() as u64,
            raw_length: self.out.len() as u64,
            entries: self.count,
            digest: record_hash(&stored),
        };
        Ok(FinishedToc { stored, toc, first_lsn: self.first_lsn, last_lsn: self.last_lsn })
    }
}

/// Checks and decodes a stored TOC.
///
/// # Errors
/// Bytes that are not what was stored, or of a newer format.
pub fn decode(toc: &Toc, stored: &[u8]) -> Result<Vec<Logged>, DecodeError> {
    if record_hash(stored) != toc.digest || toc.raw_length > MOST {
        return Err(DecodeError::Checksum);
    }
    let raw = inflate(stored, toc.raw_length).map_err(|_| DecodeError::Inconsistent("a TOC that zstd can't read"))?;
    let mut from = Reader(&raw);
    if from.array()? != *MAGIC {
        return Err(DecodeError::Magic("TOC"));
    }
    let version = from.u16()?;
    if version > VERSION {
        return Err(DecodeError::Newer("a TOC", version));
    }
    (0..toc.entries).map(|_| Ok(Logged { lsn: from.u64()?, entry: Entry::decode(&mut from)? })).collect()
}
