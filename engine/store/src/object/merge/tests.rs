#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use super::*;

fn extent(name: u8, length: u64, part: u16) -> Extent {
    Extent { segment: 1, offset: u64::from(name), length, part, claim: 5, hash: [name; 16] }
}

/// A record of pieces of 10 bytes, each of one extent.
fn record(names: &[u8]) -> Record {
    let extents = names.iter().zip(1..).map(|(name, part)| extent(*name, 10, part)).collect();
    Record { extents, size: 10 * names.len() as u64, ..Record::empty(7, 7) }
}

fn run(at: u64, held: Vec<Extent>, name: u8) -> MergedRun {
    let length = held.iter().map(|extent| extent.length).sum();
    MergedRun { at, held, piece: vec![extent(name, length, 0)] }
}

fn merged(runs: Vec<MergedRun>) -> Merged {
    Merged { inode: 7, key_id: 0, chunking: 0, runs, extents: 100 }
}

fn named((extents, fewer): (Vec<Extent>, usize)) -> (Vec<(u8, u16)>, usize) {
    (extents.iter().map(|extent| (extent.hash[0], extent.part)).collect(), fewer)
}

#[test]
fn runs_that_are_there_become_one_piece_each() {
    let held = record(&[1, 2, 3, 4, 5, 6]);
    let of = |range: Range<usize>| held.extents[range].to_vec();
    let both = merged(vec![run(10, of(1..3), 50), run(40, of(4..6), 60)]);
    assert_eq!(named(both.of(&held)), (vec![(1, 1), (50, 2), (4, 3), (60, 4)], 2));
    // What moved is the same; what was written anew is not, and neither is what stands elsewhere.
    let moved = Record { extents: of(0..6).iter().map(|at| Extent { segment: 9, ..*at }).collect(), ..held.clone() };
    assert_eq!(both.of(&moved).1, 2);
    assert_eq!(named(both.of(&record(&[1, 2, 9, 4, 5, 6]))).0, [(1, 1), (2, 2), (9, 3), (4, 4), (60, 5)]);
    assert_eq!(named(both.of(&record(&[1, 2, 3, 4, 5]))).0, [(1, 1), (50, 2), (4, 3), (5, 4)]);
    for other in [&[9, 1, 2, 3, 4, 5, 6][..], &[2, 3], &[1], &[], &[1, 50, 4, 60]] {
        assert_eq!(both.of(&record(other)).1, 0, "{other:?}");
        assert_eq!(both.of(&record(other)).0.len(), other.len());
    }
    // Of one piece alone no part is told.
    assert_eq!(named(merged(vec![run(0, of(0..6), 70)]).of(&held)), (vec![(70, 0)], 5));
}

#[test]
fn a_piece_of_several_extents_is_one_piece() {
    let held =
        Record { extents: vec![extent(1, 10, 1), extent(2, 5, 2), extent(3, 5, 2), extent(4, 10, 3)], ..record(&[]) };
    let run = run(10, held.extents[1..].to_vec(), 50);
    assert_eq!(named(merged(vec![run.clone()]).of(&held)), (vec![(1, 1), (50, 2)], 1));
    // The same bytes, cut elsewhere: who named pieces has seen others.
    let cut = Record { extents: vec![extent(1, 10, 1), extent(2, 5, 2), extent(3, 5, 3), extent(4, 10, 4)], ..held };
    assert_eq!(merged(vec![run]).of(&cut).1, 0);
}

#[test]
fn offsets_are_those_of_content_before_encryption() {
    let stored = crate::crypto::plain_length(1000);
    let extents = (1..4).map(|part| extent(u8::try_from(part).unwrap(), 1000, part)).collect::<Vec<_>>();
    let held = Record { extents, chunking: 65536, ..record(&[]) };
    let runs = vec![run(stored, held.extents[1..].to_vec(), 50)];
    assert_eq!(Merged { chunking: 65536, ..merged(runs) }.of(&held).1, 1);
    let runs = vec![run(1000, held.extents[1..].to_vec(), 50)];
    assert_eq!(Merged { chunking: 65536, ..merged(runs) }.of(&held).1, 0);
}
