//! Drives that go at once: a node loses an enclosure of more drives than parity makes good, while it runs and at a start.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use node::{Node, body, profile};
use packstone_store::Store;

const PER_SHELF: usize = 3;
const SHELVES: [&str; 3] = ["front", "middle", "rear"];

/// A node at 4+2 on nine drives, three in each of three enclosures.
fn seated() -> Node {
    let mut node = Node::bare(profile(4, 2), SHELVES.len() * PER_SHELF);
    for (number, drive) in node.settings.pools[0].drives.clone().into_iter().enumerate() {
        node.settings.enclosures.note(drive, SHELVES[number / PER_SHELF]);
    }
    packstone_store::initialise(&node.settings, false).unwrap();
    node
}

fn shelf(node: &Node, shelf: usize) -> Vec<PathBuf> {
    (0..PER_SHELF).map(|place| node.drive(shelf * PER_SHELF + place)).collect()
}

fn unplugged(drive: &Path) -> PathBuf {
    drive.with_extension("unplugged")
}

fn unplug(drives: &[PathBuf]) {
    drives.iter().for_each(|drive| fs::rename(drive, unplugged(drive)).unwrap());
}

fn plug(drives: &[PathBuf]) {
    drives.iter().for_each(|drive| fs::rename(unplugged(drive), drive).unwrap());
}

fn name(number: u64) -> String {
    format!("day/{number:03}")
}

fn content(number: u64) -> Vec<u8> {
    body(number, if number % 10 == 7 { 1_200_000 } else { (number as usize * 731) % 20_000 })
}

async fn fill(store: &Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        node::put(store, "ticks", &name(number), &content(number)).await;
    }
}

async fn check(store: &Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert!(node::get(store, "ticks", &name(number)).await.unwrap() == content(number), "{number}");
    }
}

/// Closes a store and lets go of it, so that it can be opened again.
fn close(store: Store) {
    node::close(&store);
}

async fn seal(store: &Store) {
    let sealing = store.clone();
    tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
}

/// Waits until every segment has all its shards, and no enclosure too many of them.
async fn until_whole(store: &Store) {
    for _ in 0..1500 {
        let status = store.status(&node::administer()).unwrap();
        if status.healing.open == 0 && status.pools.iter().all(|pool| pool.degraded + pool.crowded == 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", store.status(&node::administer()).unwrap().pools);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_enclosure_may_be_gone_at_a_start() {
    let node = seated();
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    fill(&store, 0..20).await;
    seal(&store).await;
    fill(&store, 20..40).await;
    close(store);
    for gone in [0, 2] {
        let drives = shelf(&node, gone);
        unplug(&drives);
        let store = node.open();
        check(&store, 0..40).await;
        let added = 40 + gone as u64 / 2;
        fill(&store, added..added + 1).await;
        seal(&store).await;
        close(store);
        plug(&drives);
        let store = node.open();
        check(&store, 0..added + 1).await;
        until_whole(&store).await;
        close(store);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enclosure_goes_while_the_node_runs() {
    let node = seated();
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    fill(&store, 0..20).await;
    unplug(&shelf(&node, 0));
    fill(&store, 20..40).await;
    seal(&store).await;
    fill(&store, 40..60).await;
    check(&store, 0..60).await;
    close(store);
    let store = node.open();
    check(&store, 0..60).await;
    close(store);
    // Its drives know nothing of what came since: without others that do nothing is begun.
    plug(&shelf(&node, 0));
    unplug(&shelf(&node, 1));
    let refused = Store::open(&node.settings).unwrap_err().to_string();
    assert!(refused.contains("out of use"), "{refused}");
    plug(&shelf(&node, 1));
    let store = node.open();
    check(&store, 0..60).await;
    close(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn drives_of_two_enclosures_are_too_many() {
    let node = seated();
    close(node.open());
    let mut drives = shelf(&node, 0);
    drives.push(node.drive(PER_SHELF));
    unplug(&drives);
    let refused = Store::open(&node.settings).unwrap_err().to_string();
    assert!(refused.contains("4 of the appliance's 9 drives are out of use and at most 2 may be"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_configured_anew_counts_once_a_start_has_spread_the_journals() {
    let mut node = seated();
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    fill(&store, 0..20).await;
    close(store);
    let moved = node.drive(PER_SHELF);
    node.settings.enclosures.note(moved, SHELVES[0]);
    // More than M drives, of an enclosure that nothing was spread for.
    let mut drives = shelf(&node, 0);
    drives.push(node.drive(PER_SHELF));
    unplug(&drives);
    assert!(Store::open(&node.settings).is_err());
    plug(&drives);
    let store = node.open();
    seal(&store).await;
    close(store);
    unplug(&drives);
    let store = node.open();
    // Segments that were there are brought apart by healing, which had no time for it.
    fill(&store, 20..30).await;
    check(&store, 20..30).await;
    close(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_drive_knows_that_missed_an_epoch_counts_for_nothing() {
    let mut node = seated();
    close(node.open());
    let seats = node.settings.enclosures.clone();
    let away = [node.drive(8)];
    // Journals of this start stand on the first drives, which the last drive isn't told of.
    node.settings.enclosures = Default::default();
    unplug(&away);
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    fill(&store, 0..5).await;
    close(store);
    plug(&away);
    node.settings.enclosures = seats;
    unplug(&shelf(&node, 0));
    let refused = Store::open(&node.settings).unwrap_err().to_string();
    assert!(refused.contains("3 of the appliance's 9 drives are out of use"), "{refused}");
    plug(&shelf(&node, 0));
    let store = node.open();
    check(&store, 0..5).await;
    close(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn less_parity_makes_no_enclosure_that_may_go() {
    let mut node = seated();
    // All but one drive of the others are in the first enclosure.
    for number in 0..7 {
        let drive = node.drive(number);
        node.settings.enclosures.note(drive, SHELVES[0]);
    }
    close(node.open());
    let others = [node.drive(7), node.drive(8)];
    unplug(&others);
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    fill(&store, 0..5).await;
    close(store);
    plug(&others);
    node.settings.enclosures.note(node.drive(7), SHELVES[1]);
    node.settings.pools[0].profile.parity = 1;
    let first: Vec<_> = (0..7).map(|number| node.drive(number)).collect();
    unplug(&first);
    assert!(Store::open(&node.settings).is_err());
    plug(&first);
    // Both that were away are as many as the parity of before makes up for.
    node.settings.pools[0].profile.parity = 2;
    let store = node.open();
    check(&store, 0..5).await;
    close(store);
}
