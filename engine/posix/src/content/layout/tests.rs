#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;

fn touched(ranges: &[Range<u64>]) -> impl Fn(Range<u64>) -> bool {
    move |range| ranges.iter().any(|touched| touched.start < range.end && range.start < touched.end)
}

/// Bytes that are written.
fn written(items: &[Item]) -> u64 {
    items.iter().map(|item| if let Item::Write(range) = item { range.end - range.start } else { 0 }).sum()
}

/// Sizes of the pieces as they come to be.
fn sizes(pieces: &[u64], items: &[Item]) -> Vec<u64> {
    let of = |item: &Item| match item {
        Item::Keep(run) => pieces[usize::from(run.start)..usize::from(run.end)].to_vec(),
        Item::Write(range) => vec![range.end - range.start],
    };
    items.iter().flat_map(of).collect()
}

/// The pieces of content that is written whole.
fn whole(grid: Grid, size: u64) -> Vec<u64> {
    let mut at = 0;
    let mut sizes = Vec::new();
    while at < size {
        let next = grid.cell(at).end.min(size);
        sizes.push(next - at);
        at = next;
    }
    sizes
}

#[test]
fn cells_grow_with_the_file() {
    let grid = Grid::of(1);
    for (size, cells) in [(1 << 30, 256), (4 << 30, 1024), (16 << 30, 2048), (100 << 30, 3360), (5 << 40, 6400)] {
        assert_eq!(whole(grid, size).len(), cells, "{size}");
        assert!(cells <= MOST_CELLS);
    }
    for names in [2, 10, 127] {
        let grid = Grid::of(names);
        assert!(whole(grid, 5 << 40).len() * NAMED * names <= MAX_NAMES_BYTES, "{names}");
    }
}

#[test]
fn a_change_writes_its_cell_once_and_then_a_part_of_it() {
    let grid = Grid::of(1);
    let pieces = whole(grid, 1024 * MIB);
    let change = std::slice::from_ref(&(400 * MIB + 9..400 * MIB + 10));
    let items = grid.lay_out(&pieces, 1024 * MIB, touched(change)).unwrap();
    assert_eq!(written(&items), 4 * MIB);
    let pieces = sizes(&pieces, &items);
    assert_eq!(pieces.len(), 255 + 16);
    let items = grid.lay_out(&pieces, 1024 * MIB, touched(change)).unwrap();
    assert_eq!(items, [Item::Keep(0..100), Item::Write(400 * MIB..400 * MIB + PART), Item::Keep(101..271)]);
    // One large body changes in one place: what did not change is written in cells.
    let items = grid.lay_out(&[1000 * MIB, 24 * MIB], 1024 * MIB, touched(change)).unwrap();
    assert_eq!((count(&items), written(&items)), (249 + 16 + 1, 1000 * MIB));
    assert_eq!(items.last(), Some(&Item::Keep(1..2)));
}

#[test]
fn what_is_appended_takes_up_what_is_no_longer() {
    let grid = Grid::of(1);
    let (mut pieces, mut size, mut all) = (vec![2 * MIB], 2 * MIB, 0);
    for _ in 0..20_000 {
        size += 1000;
        // What takes up all there is is written whole.
        let items = grid.lay_out(&pieces, size, |_| false).unwrap_or_else(|| vec![Item::Write(0..size)]);
        all += written(&items);
        pieces = sizes(&pieces, &items);
        assert_eq!(pieces.iter().sum::<u64>(), size);
        assert!(pieces.len() < 40, "{pieces:?}");
    }
    assert!(all < 20_000 * 1000 * 15, "{all}");
    // A piece that is longer stays, and one that is as long as a cell.
    assert_eq!(grid.lay_out(&[9 * MIB], 10 * MIB, |_| false).unwrap()[0], Item::Keep(0..1));
    assert_eq!(grid.lay_out(&[4 * MIB], 12 * MIB, |_| false).unwrap()[0], Item::Keep(0..1));
}

#[test]
fn too_many_pieces_become_cells_again() {
    let grid = Grid::of(1);
    let size = 8192 * MIB;
    let mut pieces = whole(grid, size);
    let (mut most, mut all) = (0, 0);
    for turn in 0..3000_u64 {
        let at = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
        let items = grid.lay_out(&pieces, size, touched(std::slice::from_ref(&(at..at + 1)))).unwrap();
        pieces = sizes(&pieces, &items);
        assert!(pieces.len() <= MOST);
        most = most.max(written(&items));
        all += written(&items);
    }
    assert!(most < size / 4 && all < 3000 * 16 * MIB, "{most} at once, {all} in all");
}

#[test]
fn what_is_cut_off_is_written_up_to_there() {
    let grid = Grid::of(1);
    let pieces = [4 * MIB, 4 * MIB, 4 * MIB];
    let cut = |size: u64| grid.lay_out(&pieces, size, move |range: Range<u64>| range.end > size);
    assert_eq!(cut(8 * MIB), Some(vec![Item::Keep(0..2)]));
    assert_eq!(cut(8 * MIB - 1).unwrap()[0], Item::Keep(0..1));
    assert_eq!(written(&cut(8 * MIB - 1).unwrap()), 4 * MIB - 1);
    assert_eq!(cut(1), None);
    assert_eq!(cut(0), None);
}

proptest! {
    /// Whatever the pieces and the changes: what comes is whole, in order, without what changed, and not too much of it.
    #[test]
    fn a_layout_covers_all_and_keeps_nothing_that_changed(
        pieces in prop::collection::vec(prop_oneof![1..2000u64, 1..6 * MIB, Just(4 * MIB), 1..200 * MIB], 0..200),
        changes in prop::collection::vec((0..1_000_000u64, 1..500_000u64), 0..6),
        end in prop_oneof![Just(1_000_000u64), 0..1_400_000u64],
        names in prop_oneof![Just(1usize), 1..127usize],
    ) {
        let held: u64 = pieces.iter().sum();
        let of = |part: u64| u64::try_from(u128::from(held) * u128::from(part) / 1_000_000).unwrap();
        let size = of(end);
        let changes: Vec<_> = changes.iter().map(|(at, length)| of(*at)..of(*at) + length).collect();
        let is_changed = |range: Range<u64>| range.end > size || touched(&changes)(range);
        let grid = Grid::of(names);
        let Some(items) = grid.lay_out(&pieces, size, is_changed) else { return Ok(()) };
        prop_assert!(count(&items) <= grid.most);
        let starts: Vec<u64> = pieces.iter().scan(0, |at, length| { *at += length; Some(*at - length) }).collect();
        let mut at = 0;
        for item in &items {
            match item {
                Item::Keep(run) => for piece in run.clone() {
                    let (start, length) = (starts[usize::from(piece)], pieces[usize::from(piece)]);
                    prop_assert_eq!(at, start);
                    at += length;
                    prop_assert!(!is_changed(start..at));
                },
                Item::Write(range) => {
                    prop_assert!(range.start == at && range.end > at);
                    at = range.end;
                }
            }
        }
        prop_assert_eq!(at, size);
    }
}

/// What is left of pieces once runs of them became one each.
fn merged(pieces: &[u64], runs: &[Range<u16>]) -> Vec<u64> {
    let (mut sizes, mut at) = (Vec::new(), 0);
    for run in runs {
        let run = usize::from(run.start)..usize::from(run.end);
        sizes.extend(&pieces[at..run.start]);
        sizes.push(pieces[run.clone()].iter().sum());
        at = run.end;
    }
    sizes.extend(&pieces[at..]);
    sizes
}

#[test]
fn what_was_left_alone_for_longest_is_merged_first_a_slice_at_a_time() {
    let grid = Grid::of(1);
    let cell = [PART; 16];
    // Twenty cells in parts between whole ones; the third changed last, then the first.
    let pieces: Vec<u64> = (0..20).flat_map(|_| [&cell[..], &[4 * MIB]].concat()).collect();
    let age = |place: usize| match place / 17 {
        2 => 9_000,
        0 => 8_000,
        other => 100 + u64::try_from(other).unwrap(),
    };
    let ages: Vec<u64> = (0..pieces.len()).map(age).collect();
    let runs = grid.choose(&pieces, &ages, (0, SLICE));
    let cells: Vec<_> = runs.iter().map(|run| (run.start / 17, run.len())).collect();
    assert_eq!(cells, [1, 3, 4, 5, 6, 7, 8, 9].map(|cell| (cell, 16)), "eight of 4 MiB are a slice");
    assert_eq!(grid.choose(&pieces, &ages, (0, SLICE / 4)).len(), 2);
    assert_eq!(grid.choose(&pieces, &ages, (0, 1)).len(), 1);
    // No more than it takes, and nothing where nothing is short.
    assert_eq!(grid.choose(&pieces, &ages, (pieces.len() - 16, SLICE)).len(), 2);
    assert_eq!(grid.choose(&pieces, &ages, (pieces.len(), SLICE)), []);
    assert_eq!(grid.choose(&whole(grid, 1024 * MIB), &[1; 256], (0, SLICE)), []);
    // One piece of a cell changed last makes all of it young.
    let mut ages = vec![1; pieces.len()];
    ages[20] = 2;
    assert!(!grid.choose(&pieces, &ages, (0, SLICE)).iter().any(|run| run.contains(&20)));
    // What saves little waits, however old: two pieces of a cell, and sixteen.
    let (pieces, ages) = ([&[2 * MIB; 2][..], &cell].concat(), [&[1; 2][..], &[5; 16]].concat());
    assert_eq!(grid.choose(&pieces, &ages, (10, SLICE)), std::slice::from_ref(&(2..18)));
    assert_eq!(grid.choose(&pieces, &ages, (0, SLICE)), [0..2, 2..18]);
}

#[test]
fn pieces_over_borders_stay_and_large_cells_are_merged_in_part() {
    let grid = Grid::of(1);
    let pieces = [3 * MIB, 2 * MIB, MIB, MIB, MIB, 4 * MIB - 1];
    assert_eq!(grid.choose(&pieces, &[1; 6], (0, SLICE)), std::slice::from_ref(&(2..5)));
    // A cell of 512 MiB that is in 64 parts, in pieces of 128 MiB.
    let start = 256 << 30;
    let mut pieces = whole(grid, start);
    let before = u16::try_from(pieces.len()).unwrap();
    pieces.extend([8 * MIB; 64]);
    let mut turns = 0;
    loop {
        let runs = grid.choose(&pieces, &vec![1; pieces.len()], (0, SLICE));
        let Some(run) = runs.first() else { break };
        assert!(runs.len() == 1 && run.start >= before && run.len() == 16, "{runs:?}");
        pieces = merged(&pieces, &runs);
        turns += 1;
    }
    assert_eq!((turns, &pieces[usize::from(before)..]), (4, &[128 * MIB; 4][..]));
}

#[test]
fn marks_leave_room_for_whole_cells() {
    for (names, size) in [(1, 1 << 30), (1, 100 << 30), (1, 5 << 40), (127, 1 << 30), (20, 16 << 30)] {
        let grid = Grid::of(names);
        let cells = whole(grid, size).len();
        let Marks { begin, hurry, enough } = grid.marks(size, 500);
        assert!(
            cells <= enough && enough <= begin && begin <= hurry && hurry <= grid.most.max(cells),
            "{names} {size}"
        );
        assert_eq!(
            grid.marks(size, 0),
            Marks { begin: cells, hurry: cells.midpoint(grid.most.max(cells)), enough: cells }
        );
        assert!(grid.marks(size, 1000).begin >= grid.most);
    }
}

proptest! {
    /// Whatever the pieces: what is chosen are runs of short ones, in order, of a slice at most or of one run, and it comes
    /// to an end with fewer pieces.
    #[test]
    fn merging_comes_to_an_end(
        pieces in prop::collection::vec(prop_oneof![1..2000u64, 1..6 * MIB, Just(4 * MIB), Just(PART), 1..200 * MIB], 0..400),
        ages in prop::collection::vec(0..10u64, 400),
        enough in 0..300usize,
        names in prop_oneof![Just(1usize), 1..127usize],
    ) {
        let grid = Grid::of(names);
        let mut pieces = pieces;
        loop {
            let runs = grid.choose(&pieces, &ages, (enough, SLICE));
            if runs.is_empty() {
                break;
            }
            prop_assert!(pieces.len() > enough);
            let bytes = |run: &Range<u16>| pieces[usize::from(run.start)..usize::from(run.end)].iter().sum::<u64>();
            prop_assert!(runs.iter().map(bytes).sum::<u64>() <= SLICE || runs.len() == 1);
            prop_assert!(runs.iter().all(|run| run.len() > 1 && bytes(run) <= LARGEST_RUN));
            prop_assert!(runs.windows(2).all(|pair| pair[0].end <= pair[1].start));
            let after = merged(&pieces, &runs);
            prop_assert!(after.len() < pieces.len() && after.iter().sum::<u64>() == pieces.iter().sum::<u64>());
            pieces = after;
        }
    }
}
