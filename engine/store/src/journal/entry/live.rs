//! The live set: everything that lives as a journal file opens.

use crate::codec::{DecodeError, Reader, Writer};
use crate::segment::SegmentInfo;

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

pub(super) fn encode_live(live: &LiveSet, out: &mut Writer) {
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

pub(super) fn decode_live(from: &mut Reader<'_>) -> Result<LiveSet, DecodeError> {
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
