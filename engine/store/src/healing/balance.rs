//! Which shard is moved next, so that drives of a pool fill alike: after one was added, or where they differ in size.

use crate::drive::DriveNumber;

/// Drives that differ by less than this share of their space are left as they are.
const APART: f64 = 0.1;

/// How full a drive is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    pub drive: DriveNumber,
    /// From 0 to 1.
    pub full: f64,
    /// Whether shards may be placed on it.
    pub takes: bool,
}

/// From which drive to which something is to be moved: from the fullest to the emptiest, if they are far enough apart.
#[must_use]
pub fn choose_move(fills: &[Fill]) -> Option<(DriveNumber, DriveNumber)> {
    let fullest = fills.iter().max_by(|one, other| one.full.total_cmp(&other.full))?;
    let takers = fills.iter().filter(|fill| fill.takes);
    let emptiest = takers.min_by(|one, other| one.full.total_cmp(&other.full))?;
    (fullest.full - emptiest.full > APART).then_some((fullest.drive, emptiest.drive))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fills(full: &[f64]) -> Vec<Fill> {
        (0..).zip(full).map(|(drive, full)| Fill { drive, full: *full, takes: true }).collect()
    }

    #[test]
    fn shards_go_from_the_fullest_to_the_emptiest() {
        assert_eq!(choose_move(&fills(&[0.5, 0.7, 0.1, 0.6])), Some((1, 2)));
        assert_eq!(choose_move(&fills(&[0.5, 0.55, 0.46])), None, "they are alike");
        assert_eq!(choose_move(&[]), None);
        let mut leaving = fills(&[0.5, 0.7, 0.1]);
        leaving[2].takes = false;
        assert_eq!(choose_move(&leaving), Some((1, 0)), "what is leaving takes nothing");
    }
}
