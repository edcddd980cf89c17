//! Dead space comes back, and nothing that lives is lost or comes back to life.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use node::{Node, body, profile};
use packstone_store::feed::{Feed, What};
use packstone_store::recovery::Progress;
use packstone_store::{Error, Store};

/// Dead bytes as a share of all, once compaction has nothing more to do or time is up.
async fn settled(store: &Store, share: f64) -> f64 {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let status = store.status(&node::administer()).unwrap();
        let (dead, all) = (status.pools[0].dead, status.pools[0].bytes.max(1));
        let held = dead as f64 / all as f64;
        if held <= share || Instant::now() > deadline {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn seal(store: &Store) {
    tokio::task::block_in_place(|| store.seal()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_space_of_small_and_large_objects_comes_back() {
    let mut node = Node::new(profile(3, 1));
    node.settings.stream_size = 16 << 20;
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    for number in 0..400u64 {
        node::put(&store, "bkt", &format!("small/{number}"), &body(number, 20_000)).await;
    }
    for number in 0..12u64 {
        node::put(&store, "bkt", &format!("large/{number}"), &body(number, 2_000_000)).await;
    }
    seal(&store);
    for number in (0..400u64).filter(|number| number % 4 != 0) {
        node::delete(&store, "bkt", &format!("small/{number}")).await;
    }
    for number in (0..12u64).filter(|number| number % 3 != 0) {
        node::delete(&store, "bkt", &format!("large/{number}")).await;
    }
    seal(&store);
    let share = settled(&store, 0.25).await;
    assert!(share <= 0.25, "{share} of all is dead");
    check(&store).await;
    node::close(&store);
    drop(store);
    std::fs::remove_dir_all(node.index()).unwrap();
    let store = node.open();
    check(&store).await;
    let report = store.verify(&node::administer(), 1.0, &node::silent()).unwrap();
    assert_eq!((report.records, report.faults), (104, vec![]));
    node::close(&store);
}

async fn check(store: &Store) {
    for number in 0..400u64 {
        let held = node::get(store, "bkt", &format!("small/{number}")).await;
        match number % 4 {
            0 => assert_eq!(held.unwrap(), body(number, 20_000)),
            _ => assert!(matches!(held, Err(Error::NoSuchKey)), "small/{number} came back"),
        }
    }
    for number in 0..12u64 {
        let held = node::get(store, "bkt", &format!("large/{number}")).await;
        match number % 3 {
            0 => assert_eq!(held.unwrap(), body(number, 2_000_000)),
            _ => assert!(matches!(held, Err(Error::NoSuchKey)), "large/{number} came back"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_carried_to_a_new_segment_meanwhile_is_verified_there() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    for number in 0..400u64 {
        node::put(&store, "bkt", &format!("k{number:04}"), &body(number, 20_000)).await;
    }
    seal(&store);
    let runtime = tokio::runtime::Handle::current();
    let (carrying, carried) = (store.clone(), AtomicBool::new(false));
    let carry: Progress = Arc::new(move |_, _| {
        if !carried.swap(true, Ordering::Relaxed) {
            runtime.block_on(async {
                for number in (0..400u64).filter(|number| number % 4 != 0) {
                    node::delete(&carrying, "bkt", &format!("k{number:04}")).await;
                }
                assert!(settled(&carrying, 0.25).await <= 0.25);
            });
        }
        true
    });
    let report = tokio::task::block_in_place(|| store.verify(&node::administer(), 1.0, &carry)).unwrap();
    assert_eq!((report.records, report.faults, report.lost), (100, vec![], vec![]));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_tells_every_change_in_order_across_a_seal() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    for number in 0..10u64 {
        node::put(&store, "bkt", &format!("{number}"), &body(number, 10)).await;
    }
    seal(&store);
    node::delete(&store, "bkt", "3").await;
    let Feed::Changes { changes, until } = store.feed(&node::administer(), 0, 1000).unwrap() else { panic!("resync") };
    assert_eq!(changes.len(), 12);
    assert!(changes.windows(2).all(|pair| pair[0].lsn < pair[1].lsn));
    assert!(matches!(&changes[11].what, What::Deleted { key, .. } if key == "3"));
    node::put(&store, "bkt", "new", &body(1, 10)).await;
    let Feed::Changes { changes, .. } = store.feed(&node::administer(), until, 1000).unwrap() else { panic!("resync") };
    assert!(matches!(&changes[..], [change] if matches!(&change.what, What::Put { key, .. } if key == "new")));
    node::close(&store);
}
