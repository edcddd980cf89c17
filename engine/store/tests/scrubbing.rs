//! Scrubbing finds by itself what rots, and has it healed; a pass goes on where the last run left it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod node;

use std::fs;
use std::time::{Duration, Instant};

use node::{Node, administer, body, get, profile, silent};
use packstone_store::Store;
use packstone_store::status::ScrubStatus;

fn scrubbing(store: &Store) -> ScrubStatus {
    store.status(&administer()).unwrap().scrubbing
}

async fn until(store: &Store, done: impl Fn(&Store) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done(store) {
        assert!(Instant::now() < deadline, "{:?}", store.status(&administer()).unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn filled(node: &Node) -> Store {
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    for (key, length) in [("small", 50_000), ("large", 4_000_000)] {
        node::put(&store, "bkt", key, &body(1, length)).await;
    }
    tokio::task::block_in_place(|| store.seal()).unwrap();
    store
}

/// Flips a bit of every shard on a drive, behind its header.
fn rot(node: &Node, drive: usize) {
    for entry in fs::read_dir(node.drive(drive).join("segments")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096 + 100] ^= 4;
        fs::write(&path, bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rots_is_found_and_healed() {
    for drive in 0..4 {
        let mut node = Node::new(profile(3, 1));
        let store = filled(&node).await;
        node::close(&store);
        drop(store);
        rot(&node, drive);
        node.settings.scrub_period = Some(Duration::from_millis(300));
        let store = node.open();
        until(&store, |store| scrubbing(store).faults >= 2).await;
        until(&store, |store| store.status(&administer()).unwrap().healing.healed >= 2).await;
        until(&store, |store| store.status(&administer()).unwrap().healing.open == 0).await;
        let report = store.verify(&administer(), 1.0, &silent()).unwrap();
        assert_eq!((report.faults, report.lost), (vec![], vec![]));
        assert_eq!(get(&store, "bkt", "large").await.unwrap(), body(1, 4_000_000));
        node::close(&store);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_is_remembered() {
    let mut node = Node::new(profile(3, 1));
    node.settings.scrub_period = Some(Duration::from_millis(300));
    let store = filled(&node).await;
    until(&store, |store| scrubbing(store).last_ended > 0).await;
    let ended = scrubbing(&store).last_ended;
    node::close(&store);
    drop(store);
    node.settings.scrub_period = Some(Duration::from_secs(1_000_000));
    let store = node.open();
    until(&store, |store| scrubbing(store).last_ended >= ended).await;
    node::close(&store);
    drop(store);
    node.settings.scrub_period = None;
    let store = node.open();
    until(&store, |store| scrubbing(store).last_ended >= ended).await;
    assert_eq!(scrubbing(&store).segments, 0, "it is not asked for");
    node::close(&store);
}
