//! A short round of every target without the fuzzer: its seeds, and seeds with a few bytes changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use packstone_fuzz::{TARGETS, target};
use proptest::prelude::*;

/// Puts bytes in place of others: how much goes, where, and what comes.
fn changed(mut seed: Vec<u8>, changes: Vec<(prop::sample::Index, usize, Vec<u8>)>) -> Vec<u8> {
    for (at, gone, come) in changes {
        let start = at.index(seed.len() + 1);
        let end = (start + gone).min(seed.len());
        seed.splice(start..end, come);
    }
    seed
}

#[test]
fn seeds_hold() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty());
        seeds.iter().for_each(|seed| (target.run)(seed));
        (target.run)(b"");
    }
    assert!(target("superblock").is_some() && target("other").is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn changed_seeds_hold(
        pick in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..9, prop::collection::vec(any::<u8>(), 0..9)), 1..4),
    ) {
        for target in TARGETS {
            let mut seeds = (target.seeds)();
            seeds.retain(|seed| seed.len() < 100_000);
            let seed = seeds.swap_remove(pick.index(seeds.len()));
            (target.run)(&changed(seed, changes.clone()));
        }
    }
}
