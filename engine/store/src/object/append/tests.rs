#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::record::Record;

fn row(parts: impl Iterator<Item = u16>) -> Row {
    let extent = |part| Extent { segment: 1, offset: 0, length: 2, part, claim: 9, hash: [0; 16] };
    let extents: Vec<Extent> = parts.map(extent).collect();
    let size = extents.len() as u64 * 2;
    Row::plain(9, 1, Record { size, extents, ..Record::empty(9, 0) })
}

#[test]
fn an_object_has_ten_thousand_pieces_at_most() {
    for (parts, fits) in [(9_999, true), (10_000, false), (10_001, false)] {
        let row = row(0..parts);
        let outcome = expect_appendable(Versioning::Never, Some(&row), row.record.size);
        assert_eq!(outcome.is_ok(), fits, "{parts}: {outcome:?}");
    }
    // A body that spans streams is one piece.
    let spanning = row([0; 10_000].into_iter().chain([1, 1]));
    assert_eq!(spanning.record.pieces().collect::<Vec<_>>(), [20_000, 4]);
    assert!(expect_appendable(Versioning::Never, Some(&spanning), 20_004).is_ok());
}
