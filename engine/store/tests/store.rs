//! The store's verbs end to end on directories.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use node::{Node, body, profile};
use packstone_access::Action;
use packstone_store::Error;
use packstone_store::object::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_got_listed_and_deleted() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    for (number, size) in [0, 1, 100, 4096, 70_000, 1 << 20, (1 << 20) + 1, 5_000_000].into_iter().enumerate() {
        node::put(&store, "ticks", &format!("day/{number}"), &body(number as u64, size)).await;
    }
    for (number, size) in [0, 1, 100, 4096, 70_000, 1 << 20, (1 << 20) + 1, 5_000_000].into_iter().enumerate() {
        assert_eq!(node::get(&store, "ticks", &format!("day/{number}")).await.unwrap(), body(number as u64, size));
    }
    let page = store.list(&node::grant(Action::ListBucket, "ticks", ""), &ListQuery { limit: 5, ..Default::default() });
    let page = page.unwrap();
    assert_eq!((page.entries.len(), page.truncated), (5, true));
    node::delete(&store, "ticks", "day/0").await;
    assert!(matches!(node::get(&store, "ticks", "day/0").await, Err(Error::NoSuchKey)));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_a_restart_and_after_sealing() {
    let node = Node::new(profile(4, 2));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    for number in 0..300u64 {
        node::put(&store, "bkt", &format!("k{number:04}"), &body(number, (number as usize * 37) % 9000)).await;
    }
    for number in (0..300u64).step_by(3) {
        node::put(&store, "bkt", &format!("k{number:04}"), &body(number + 1000, 500)).await;
    }
    for number in (1..300u64).step_by(3) {
        node::delete(&store, "bkt", &format!("k{number:04}")).await;
    }
    node::put(&store, "bkt", "large", &body(7, 3_500_001)).await;
    node::close(&store);
    drop(store);
    for round in 0..3 {
        let store = node.open();
        for number in 0..300u64 {
            let held = node::get(&store, "bkt", &format!("k{number:04}")).await;
            match number % 3 {
                0 => assert_eq!(held.unwrap(), body(number + 1000, 500)),
                1 => assert!(matches!(held, Err(Error::NoSuchKey))),
                _ => assert_eq!(held.unwrap(), body(number, (number as usize * 37) % 9000), "round {round}"),
            }
        }
        assert_eq!(node::get(&store, "bkt", "large").await.unwrap(), body(7, 3_500_001));
        let sealing = store.clone();
        tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
        assert_eq!(node::get(&store, "bkt", "k0002").await.unwrap(), body(2, 74));
        let report = store.verify(&node::administer(), 1.0, &node::silent()).unwrap();
        assert_eq!((report.records, report.lost.len(), report.faults.len()), (201, 0, 0), "{report:?}");
        node::close(&store);
        drop(store);
        if round == 1 {
            std::fs::remove_dir_all(node.index()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_and_the_largest_profile_serve() {
    for profile in [profile(1, 0), profile(2, 0), profile(1, 2), profile(16, 8)] {
        let node = Node::new(profile);
        let store = node.open();
        node::create_bucket(&store, "bkt").await;
        for size in [0, 10, 5_000, 3_000_000] {
            node::put(&store, "bkt", &format!("{size}"), &body(size as u64, size)).await;
        }
        tokio::task::block_in_place(|| store.seal()).unwrap();
        node::close(&store);
        drop(store);
        let store = node.open();
        for size in [0, 10, 5_000, 3_000_000] {
            assert_eq!(
                node::get(&store, "bkt", &format!("{size}")).await.unwrap(),
                body(size as u64, size),
                "{profile}"
            );
        }
        node::close(&store);
    }
}
