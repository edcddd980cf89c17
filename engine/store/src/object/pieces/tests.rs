#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn extent(offset: u64, part: u16) -> Extent {
    Extent { segment: 1, offset, length: 10, part, claim: 5, hash: [0; 16] }
}

fn offsets(extents: &[Extent]) -> Vec<(u64, u16)> {
    extents.iter().map(|extent| (extent.offset, extent.part)).collect()
}

#[test]
fn what_is_kept_and_what_is_written_make_one_list() {
    // Three pieces, of which the second lies in two streams.
    let held = [extent(0, 7), extent(1, 9), extent(2, 9), extent(3, 7)];
    let kept = |runs: Vec<(u16, Range<u16>)>| Kept { runs, pieces: 3, extents: 4, size: 0 };
    let made = kept(vec![(1, 0..2), (5, 2..3)]).with(&held, &[extent(10, 3), extent(11, 4), extent(12, 4)]).unwrap();
    assert_eq!(offsets(&made), [(0, 1), (1, 2), (2, 2), (10, 3), (11, 4), (12, 4), (3, 5)]);
    // One piece alone is one body.
    assert_eq!(offsets(&kept(vec![(1, 1..2)]).with(&held, &[]).unwrap()), [(1, 0), (2, 0)]);
    assert_eq!(offsets(&kept(vec![]).with(&held, &[extent(10, 1)]).unwrap()), [(10, 0)]);
    // What is not there, a hole, and a number that is said twice.
    assert_eq!(kept(vec![(1, 2..4)]).with(&held, &[]), None);
    assert_eq!(kept(vec![(1, 0..1)]).with(&held, &[extent(10, 3)]), None);
    assert_eq!(kept(vec![(1, 0..1)]).with(&held, &[extent(10, 1)]), None);
    // A piece that is taken twice would be claimed once.
    assert_eq!(kept(vec![(1, 0..2), (3, 1..2)]).with(&held, &[]), None);
}
