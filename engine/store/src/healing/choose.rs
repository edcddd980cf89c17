//! Which shard is healed next.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::segment::Wound;

/// A segment that has wounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    pub segment: u64,
    /// Shards that may be missing before records are.
    pub parity: usize,
    /// Shards that are wounded and may be healed: there is a drive for each.
    pub wounded: BTreeSet<usize>,
    /// Of these, shards that are there, on drives that are to be emptied.
    pub moving: usize,
    /// Shards whose drive is out of use.
    pub away: usize,
}

/// Puts wounds in the order in which they are to be healed: what is nearest to being lost first, then the oldest. Segments that
/// lack nothing come last.
#[must_use]
pub fn choose(patients: &[Patient]) -> Vec<Wound> {
    let mut order: Vec<&Patient> = patients.iter().collect();
    let lacking = |patient: &Patient| patient.wounded.len() - patient.moving;
    let spare = |patient: &Patient| patient.parity as i64 - (lacking(patient) + patient.away) as i64;
    order.sort_by_key(|patient| (lacking(patient) == 0, spare(patient), Reverse(patient.parity), patient.segment));
    let wounds = |patient: &&Patient| {
        let segment = patient.segment;
        patient.wounded.iter().map(move |shard| Wound { segment, shard: *shard }).collect::<Vec<_>>()
    };
    order.iter().flat_map(wounds).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient(segment: u64, parity: usize, wounded: &[usize], away: usize) -> Patient {
        Patient { segment, parity, wounded: wounded.iter().copied().collect(), moving: 0, away }
    }

    #[test]
    fn what_is_nearest_to_being_lost_comes_first() {
        let patients = [
            patient(1, 2, &[0], 0),
            patient(2, 2, &[3], 1),
            patient(3, 3, &[1, 2], 0),
            patient(4, 1, &[2], 0),
            patient(5, 2, &[0, 4], 1),
        ];
        let order: Vec<(u64, usize)> = choose(&patients).iter().map(|wound| (wound.segment, wound.shard)).collect();
        assert_eq!(order, [(5, 0), (5, 4), (2, 3), (4, 2), (3, 1), (3, 2), (1, 0)]);
        assert_eq!(choose(&[]), []);
    }

    #[test]
    fn what_is_only_to_be_moved_comes_last() {
        let moving = Patient { moving: 1, ..patient(1, 1, &[0], 0) };
        let both = Patient { moving: 1, ..patient(2, 2, &[1, 2], 0) };
        let order: Vec<u64> =
            choose(&[moving, both, patient(3, 2, &[0], 0)]).iter().map(|wound| wound.segment).collect();
        assert_eq!(order, [2, 2, 3, 1]);
    }
}
