//! A store of one drive, for tests of this crate.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::time::Duration;

use packstone_store::pool::{DriveClass, Profile};
use packstone_store::recovery::drives::PoolSettings;
use packstone_store::{Settings, Store, initialise};

pub(crate) fn store(scratch: &tempfile::TempDir) -> Store {
    let profile = Profile { data: 1, parity: 0 };
    let drives = vec![scratch.path().join("drive")];
    let settings = Settings {
        index: scratch.path().join("index"),
        pools: vec![PoolSettings { name: "main".into(), class: DriveClass::Ssd, profile, drives }],
        journal_size: 8 << 20,
        stream_size: 64 << 20,
        small_limit: 1 << 20,
        cache_size: 1 << 20,
        dead_share: 0.25,
        space_reserve: 1 << 20,
        io_timeout: Duration::from_secs(10),
        abandoned_after: None,
        scrub_period: None,
        dictionaries: true,
        master_key: None,
    };
    initialise(&settings, true).unwrap();
    Store::open(&settings).unwrap()
}
