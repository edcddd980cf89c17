//! Random histories on simulated drives, each a function of its seed: puts, deletes, renames, appends, versions,
//! locks, documents, uploads, sealing and compaction, cut short by crashes anywhere, with up to m drives failing, rotting,
//! gone or old. After every recovery the store holds what it acknowledged, byte for byte, and nothing that ended.
//!
//! `PACKSTONE_HISTORIES` says how many are lived at each profile, `PACKSTONE_SEED` replays one, loudly.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod approval;
mod check;
mod checkpoints;
mod compliance;
mod directed;
mod healing;
mod housekeeping;
mod model;
mod moves;
mod node;
mod parts;
mod redirects;
mod roster;
mod run;
mod verbs;
mod versions;
mod wounds;

use packstone_store::pool::Profile;

const PROFILES: [Profile; 3] =
    [Profile { data: 3, parity: 1 }, Profile { data: 4, parity: 2 }, Profile { data: 8, parity: 3 }];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Lives the histories of one profile; a seed belongs to one.
fn live(profile: u64) {
    let one = number("PACKSTONE_SEED");
    let count = number("PACKSTONE_HISTORIES").unwrap_or(60);
    let first = number("PACKSTONE_FIRST_SEED").unwrap_or(0);
    let seeds: Vec<u64> = match one {
        Some(seed) => [seed].into_iter().filter(|seed| seed % 3 == profile).collect(),
        None => (first..first + count).map(|turn| turn * 3 + profile).collect(),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let loud = one.is_some();
        let lived = std::panic::catch_unwind(|| run::Run::new(seed, PROFILES[profile as usize], loud).live());
        if lived.is_err() {
            eprintln!("replay with PACKSTONE_SEED={seed}");
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "these seeds fail: {failed:?}");
}

#[test]
fn histories_at_3_1() {
    live(0);
}

#[test]
fn histories_at_4_2() {
    live(1);
}

#[test]
fn histories_at_8_3() {
    live(2);
}
