//! Which segments to compact: a pure decision on counts.

use crate::segment::SegmentKind;

/// What is known of a sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    pub id: u64,
    pub kind: SegmentKind,
    /// Bytes of records in it, dead and live.
    pub payload: u64,
    /// Of these, bytes that live entries claim.
    pub live: u64,
    /// Entries in its TOC, and how many of them are dead.
    pub entries: u64,
    pub dead: u64,
}

impl FileFacts {
    /// Dead bytes as a share of all, or dead entries where there are no bytes; 0 to 1.
    #[must_use]
    pub fn dead_share(&self) -> f64 {
        let (dead, all) = match self.payload {
            // Where nothing died the rest is padding, which another stream would have too.
            _ if self.kind == SegmentKind::Stream && self.dead == 0 => (0, 1),
            0 => (self.dead.min(self.entries), self.entries),
            payload => (payload.saturating_sub(self.live), payload),
        };
        if all == 0 { 1.0 } else { dead as f64 / all as f64 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    Nothing,
    /// Carry what lives in these packed segments to one new segment.
    Pack(Vec<u64>),
    /// Nothing claims this stream any more: prove it, and erase it.
    EraseStream(u64),
    /// Copy what lives in these streams to others.
    Restream(Vec<u64>),
}

/// Streams of one round: what lives in all of them is found by one walk through the index.
const STREAMS: usize = 16;

/// So many segments without records are worth one.
const BARE: usize = 8;

/// Chooses what to do next: a stream without claims, the emptiest streams
/// whose dead share is over `dead_share`, else packed segments whose dead share is over `dead_share`, emptiest
/// first, as many as fill one segment of `target` payload bytes.
#[must_use]
pub fn choose(files: &[FileFacts], dead_share: f64, target: u64) -> Choice {
    if let Some(stream) = files.iter().find(|file| file.kind == SegmentKind::Stream && file.live == 0) {
        return Choice::EraseStream(stream.id);
    }
    let emptiest_first =
        |a: &&FileFacts, b: &&FileFacts| b.dead_share().total_cmp(&a.dead_share()).then(a.id.cmp(&b.id));
    let over = |file: &&FileFacts| file.kind == SegmentKind::Stream && file.dead_share() > dead_share;
    let mut streams: Vec<&FileFacts> = files.iter().filter(over).collect();
    if !streams.is_empty() {
        streams.sort_by(emptiest_first);
        return Choice::Restream(streams.iter().take(STREAMS).map(|file| file.id).collect());
    }
    let mut worst: Vec<&FileFacts> =
        files.iter().filter(|file| file.kind == SegmentKind::Packed && file.dead_share() > dead_share).collect();
    worst.sort_by(emptiest_first);
    let mut chosen = Vec::new();
    let mut bytes = 0;
    for file in worst {
        if !chosen.is_empty() && bytes + file.live > target {
            break;
        }
        bytes += file.live;
        chosen.push(file.id);
    }
    if chosen.is_empty() {
        // Segments of kills alone have no dead bytes; what their kills meant may be long gone.
        let bare = files.iter().filter(|file| file.kind == SegmentKind::Packed && file.payload == 0);
        chosen.extend(bare.map(|file| file.id));
        if chosen.len() < BARE {
            return Choice::Nothing;
        }
    }
    Choice::Pack(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(id: u64, payload: u64, live: u64) -> FileFacts {
        FileFacts { id, kind: SegmentKind::Packed, payload, live, entries: 10, dead: 0 }
    }

    #[test]
    fn segments_within_the_share_are_left_alone() {
        assert_eq!(choose(&[packed(1, 100, 80)], 0.25, 1000), Choice::Nothing);
    }

    #[test]
    fn the_emptiest_come_first_until_one_segment_is_full() {
        let files = [packed(1, 100, 70), packed(2, 100, 10), packed(3, 100, 60)];
        assert_eq!(choose(&files, 0.25, 90), Choice::Pack(vec![2, 3]));
    }

    #[test]
    fn a_stream_without_claims_goes_first() {
        let stream = FileFacts { id: 9, kind: SegmentKind::Stream, payload: 5, live: 0, entries: 1, dead: 3 };
        assert_eq!(choose(&[packed(2, 100, 10), stream], 0.25, 90), Choice::EraseStream(9));
    }

    #[test]
    fn a_half_dead_stream_is_copied() {
        let stream = FileFacts { id: 9, kind: SegmentKind::Stream, payload: 10, live: 5, entries: 1, dead: 1 };
        assert_eq!(choose(&[stream], 0.25, 90), Choice::Restream(vec![9]));
        let emptier = FileFacts { id: 10, live: 1, ..stream };
        assert_eq!(choose(&[stream, emptier], 0.25, 90), Choice::Restream(vec![10, 9]));
        assert_eq!(choose(&[FileFacts { live: 9, ..stream }], 0.25, 90), Choice::Nothing);
    }

    #[test]
    fn segments_of_kills_alone_are_gathered() {
        let kills = |id| FileFacts { id, kind: SegmentKind::Packed, payload: 0, live: 0, entries: 10, dead: 0 };
        let many: Vec<_> = (0..BARE as u64).map(kills).collect();
        assert_eq!(choose(&many, 0.25, 90), Choice::Pack((0..BARE as u64).collect()));
        assert_eq!(choose(&many[1..], 0.25, 90), Choice::Nothing);
    }

    #[test]
    fn a_segment_of_dead_kills_goes_too() {
        let kills = FileFacts { id: 4, kind: SegmentKind::Packed, payload: 0, live: 0, entries: 10, dead: 10 };
        assert_eq!(choose(&[kills], 0.25, 90), Choice::Pack(vec![4]));
    }
}
