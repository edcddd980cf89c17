//! Shards that were made with gaps in them: files that are there, and only look whole. They are a document of the node, so
//! that the next start knows of them as wounds.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::Work;
use crate::codec::{DecodeError, Reader, Writer};
use crate::commit::Op;
use crate::index::row::DocumentRow;
use crate::index::{Space, keys};
use crate::object::Replaces;
use crate::segment::Wound;

/// The kind of that document; its name is empty.
pub(crate) const TORN: &str = "torn-shards";
const VERSION: u8 = 1;
/// So many are put down: more than one failure tears, and what is beyond it scrubbing finds.
const MOST: usize = 4096;

impl Work {
    /// Those that the last run knew of.
    pub(super) fn read_torn(&self) -> BTreeSet<Wound> {
        let held = self.shared.index.snapshot().get(Space::Documents, &keys::document(0, TORN, ""));
        let held = held.ok().flatten().and_then(|value| DocumentRow::decode(&value).ok());
        held.and_then(|row| decode(&row.value).ok()).unwrap_or_default()
    }

    /// Puts down which there are; whether that is durable.
    pub(super) fn keep_torn(&self, torn: &BTreeSet<Wound>) -> bool {
        let value = (!torn.is_empty()).then(|| encode(torn).into());
        let (kind, name) = (TORN.to_owned(), String::new());
        let put = Op::PutDocument { scope: 0, kind, name, value, replaces: Replaces::Anything };
        match self.queue.commit_blocking(put) {
            Ok(_) => {
                self.own_entries.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(error) => {
                tracing::debug!(%error, "which shards have gaps could not be put down");
                false
            }
        }
    }
}

fn encode(torn: &BTreeSet<Wound>) -> Vec<u8> {
    let mut out = Writer::default();
    out.u8(VERSION);
    for wound in torn.iter().take(MOST) {
        out.u64(wound.segment);
        out.u16(u16::try_from(wound.shard).unwrap_or(u16::MAX));
    }
    out.0
}

fn decode(value: &[u8]) -> Result<BTreeSet<Wound>, DecodeError> {
    let mut from = Reader(value);
    let mut torn = BTreeSet::new();
    match from.u8()? {
        VERSION => {}
        other => return Err(DecodeError::Unknown("version of torn shards", other)),
    }
    while !from.is_empty() {
        torn.insert(Wound { segment: from.u64()?, shard: usize::from(from.u16()?) });
    }
    Ok(torn)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let torn = BTreeSet::from([Wound { segment: 7, shard: 0 }, Wound { segment: u64::MAX, shard: 23 }]);
        assert_eq!(decode(&encode(&torn)).unwrap(), torn);
        assert!(decode(&[]).is_err() && decode(&[2]).is_err() && decode(&[1, 0]).is_err());
    }
}
