//! Which segments to compact: a pure decision on counts.

use std::cmp::Reverse;

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
    /// Of a stream in which no claim died, bytes that were claimed as it was sealed: what lives of a claim may be less.
    pub claimed: u64,
    /// Entries in its TOC, and how many of them are dead.
    pub entries: u64,
    pub dead: u64,
    /// Bytes that belong to other pools, and that these can take.
    pub displaced: u64,
}

impl FileFacts {
    /// Dead bytes as a share of all, or dead entries where there are no bytes; 0 to 1.
    #[must_use]
    pub fn dead_share(&self) -> f64 {
        let (dead, all) = match self.payload {
            // What nobody claimed is padding, which another stream would have too.
            _ if self.kind == SegmentKind::Stream && self.dead == 0 => {
                (self.claimed.saturating_sub(self.live), self.claimed.max(1))
            }
            0 => (self.dead.min(self.entries), self.entries),
            payload => (payload.saturating_sub(self.live), payload),
        };
        if all == 0 { 1.0 } else { dead as f64 / all as f64 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    Nothing,
    /// Carry what lives in these packed segments to new ones.
    Pack(Vec<u64>),
    /// Nothing claims this stream any more: prove it, and erase it.
    EraseStream(u64),
    /// Copy what lives in these streams to others.
    Restream(Vec<u64>),
    /// Copy what belongs to other pools out of these streams.
    Move(Vec<u64>),
}

/// Streams of one round: what lives in all of them is found by one walk through the index.
const STREAMS: usize = 16;

/// So many segments without records are worth one.
const BARE: usize = 8;

/// What is carried to other pools may be so many times as much at once: only a part of it goes to any.
const MOVED_AT_ONCE: u64 = 4;

/// Chooses what to do next: a stream without claims; the emptiest streams whose dead share is over `dead_share`; packed
/// segments whose dead share is, emptiest first, as many as fill one segment of `target` payload bytes; then what belongs to
/// other pools.
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
    let packed = || files.iter().filter(|file| file.kind == SegmentKind::Packed);
    let mut worst: Vec<&FileFacts> = packed().filter(|file| file.dead_share() > dead_share).collect();
    if !worst.is_empty() {
        worst.sort_by(emptiest_first);
        return Choice::Pack(up_to(target, &worst));
    }
    let mut displaced: Vec<&FileFacts> = files.iter().filter(|file| file.displaced > 0).collect();
    displaced.sort_by_key(|file| (Reverse(file.displaced), file.id));
    let (streams, displaced): (Vec<&FileFacts>, Vec<&FileFacts>) =
        displaced.into_iter().partition(|file| file.kind == SegmentKind::Stream);
    if !streams.is_empty() {
        return Choice::Move(streams.iter().take(STREAMS).map(|file| file.id).collect());
    }
    if !displaced.is_empty() {
        return Choice::Pack(up_to(target.saturating_mul(MOVED_AT_ONCE), &displaced));
    }
    // Segments of kills alone have no dead bytes; what their kills meant may be long gone.
    let bare: Vec<u64> = packed().filter(|file| file.payload == 0).map(|file| file.id).collect();
    if bare.len() < BARE { Choice::Nothing } else { Choice::Pack(bare) }
}

/// The first files, as many as have `target` live bytes together, and one at least.
fn up_to(target: u64, files: &[&FileFacts]) -> Vec<u64> {
    let mut chosen = Vec::new();
    let mut bytes = 0;
    for file in files {
        if !chosen.is_empty() && bytes + file.live > target {
            break;
        }
        bytes += file.live;
        chosen.push(file.id);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(id: u64, payload: u64, live: u64) -> FileFacts {
        FileFacts { id, kind: SegmentKind::Packed, payload, live, claimed: payload, entries: 10, dead: 0, displaced: 0 }
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
        let stream = FileFacts {
            id: 9,
            kind: SegmentKind::Stream,
            payload: 5,
            live: 0,
            claimed: 5,
            entries: 1,
            dead: 3,
            displaced: 0,
        };
        assert_eq!(choose(&[packed(2, 100, 10), stream], 0.25, 90), Choice::EraseStream(9));
    }

    #[test]
    fn a_half_dead_stream_is_copied() {
        let stream = FileFacts {
            id: 9,
            kind: SegmentKind::Stream,
            payload: 10,
            live: 5,
            claimed: 10,
            entries: 1,
            dead: 1,
            displaced: 0,
        };
        assert_eq!(choose(&[stream], 0.25, 90), Choice::Restream(vec![9]));
        let emptier = FileFacts { id: 10, live: 1, ..stream };
        assert_eq!(choose(&[stream, emptier], 0.25, 90), Choice::Restream(vec![10, 9]));
        assert_eq!(choose(&[FileFacts { live: 9, ..stream }], 0.25, 90), Choice::Nothing);
    }

    #[test]
    fn a_claim_of_which_little_lives_is_copied_and_padding_is_not() {
        let stream = FileFacts { kind: SegmentKind::Stream, dead: 0, ..packed(9, 100, 4) };
        assert_eq!(choose(&[stream], 0.25, 90), Choice::Restream(vec![9]));
        assert_eq!(choose(&[FileFacts { claimed: 5, ..stream }], 0.25, 90), Choice::Nothing);
        assert_eq!(choose(&[FileFacts { claimed: 0, ..stream }], 0.25, 90), Choice::Nothing);
    }

    #[test]
    fn segments_of_kills_alone_are_gathered() {
        let kills = |id| FileFacts {
            id,
            kind: SegmentKind::Packed,
            payload: 0,
            live: 0,
            claimed: 0,
            entries: 10,
            dead: 0,
            displaced: 0,
        };
        let many: Vec<_> = (0..BARE as u64).map(kills).collect();
        assert_eq!(choose(&many, 0.25, 90), Choice::Pack((0..BARE as u64).collect()));
        assert_eq!(choose(&many[1..], 0.25, 90), Choice::Nothing);
    }

    #[test]
    fn a_segment_of_dead_kills_goes_too() {
        let kills = FileFacts {
            id: 4,
            kind: SegmentKind::Packed,
            payload: 0,
            live: 0,
            claimed: 0,
            entries: 10,
            dead: 10,
            displaced: 0,
        };
        assert_eq!(choose(&[kills], 0.25, 90), Choice::Pack(vec![4]));
    }

    #[test]
    fn what_belongs_elsewhere_goes_when_nothing_is_dead() {
        let displaced = |id, displaced| FileFacts { displaced, ..packed(id, 100, 100) };
        let stream = FileFacts { kind: SegmentKind::Stream, ..displaced(7, 1) };
        let files = [displaced(1, 5), displaced(2, 0), displaced(3, 90), stream];
        assert_eq!(choose(&files, 0.25, 90), Choice::Move(vec![7]));
        assert_eq!(choose(&files[..3], 0.25, 50), Choice::Pack(vec![3, 1]));
        assert_eq!(choose(&files[..3], 0.25, 40), Choice::Pack(vec![3]));
        assert_eq!(choose(&[displaced(1, 5), packed(4, 100, 10)], 0.25, 90), Choice::Pack(vec![4]));
    }
}
