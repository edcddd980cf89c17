//! A store of one drive, for tests of this crate.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use packstone_store::pool::{DriveClass, Profile};
use packstone_store::recovery::drives::PoolSettings;
use packstone_store::{Settings, Store, initialise};

pub(crate) fn store(scratch: &tempfile::TempDir) -> Store {
    let profile = Profile { data: 1, parity: 0 };
    let drives = vec![scratch.path().join("drive")];
    let pool = PoolSettings::new("main", DriveClass::Ssd, profile, drives);
    let settings = Settings::small(scratch.path().join("index"), vec![pool]);
    initialise(&settings, true).unwrap();
    Store::open(&settings).unwrap()
}
