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
    /// Shards whose drive is out of use.
    pub away: usize,
}

/// Puts wounds in the order in which they are to be healed: what is nearest to being lost first, then the oldest.
#[must_use]
pub fn choose(patients: &[Patient]) -> Vec<Wound> {
    let mut order: Vec<&Patient> = patients.iter().collect();
    let spare = |patient: &Patient| patient.parity as i64 - (patient.wounded.len() + patient.away) as i64;
    order.sort_by_key(|patient| (spare(patient), Reverse(patient.parity), patient.segment));
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
        Patient { segment, parity, wounded: wounded.iter().copied().collect(), away }
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
}
