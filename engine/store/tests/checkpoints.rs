//! Checkpoints of the index on directories: taken on demand and by the store itself, and what a start without an index makes
//! of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use std::time::{Duration, Instant};

use node::{Node, body, profile};
use packstone_store::status::CheckpointStatus;
use packstone_store::{Error, Store};

fn checkpoint(store: &Store) -> CheckpointStatus {
    tokio::task::block_in_place(|| store.checkpoint()).unwrap();
    status(store)
}

fn status(store: &Store) -> CheckpointStatus {
    store.status(&node::administer()).unwrap().checkpoints
}

/// What a round of the test below leaves under each key.
fn expected(number: u64, round: u64) -> Vec<u8> {
    let last = if number.is_multiple_of(3) { round } else { 0 };
    body(number * 100 + last, 200 + number as usize * 11)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_lost_is_made_from_a_checkpoint() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    let mut marks = Vec::new();
    for round in 0..4 {
        for number in (0..150).filter(|number| round == 0 || number % 3 == 0) {
            node::put(&store, "bkt", &format!("k{number:03}"), &expected(number, round)).await;
        }
        node::put(&store, "bkt", "large", &body(round, 2_500_000)).await;
        if round == 2 {
            tokio::task::block_in_place(|| store.seal()).unwrap();
        }
        if round < 3 {
            let now = checkpoint(&store);
            marks.push(now.lsn);
            assert_eq!(now.kept, (round + 1).min(3), "two, and what they are based on");
            assert!(now.taken > 0 && now.bytes > 0 && now.failures == 0, "{now:?}");
        }
    }
    assert!(marks.is_sorted() && marks[0] > 0, "{marks:?}");
    for number in 140..150 {
        node::delete(&store, "bkt", &format!("k{number:03}")).await;
    }
    node::close(&store);
    drop(store);
    std::fs::remove_dir_all(node.index()).unwrap();
    std::fs::remove_dir_all(node.drive(2)).unwrap();
    std::fs::create_dir(node.drive(2)).unwrap();
    let store = node.open();
    for number in 0..150 {
        let held = node::get(&store, "bkt", &format!("k{number:03}")).await;
        match number {
            140.. => assert!(matches!(held, Err(Error::NoSuchKey)), "{number}"),
            _ => assert_eq!(held.unwrap(), expected(number, 3), "{number}"),
        }
    }
    assert_eq!(node::get(&store, "bkt", "large").await.unwrap(), body(3, 2_500_000));
    assert_eq!(store.status(&node::administer()).unwrap().objects, 141);
    node::close(&store);
}

/// Without being asked: once there is enough to tell, and then not before the time has passed.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_takes_one_by_itself() {
    let mut node = Node::new(profile(2, 1));
    node.settings.checkpoint_period = Some(Duration::from_secs(3600));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    node::put(&store, "bkt", "few", &body(1, 10)).await;
    let clients = (0..50).map(|client| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..220 {
                node::put(&store, "bkt", &format!("{client}/{number}"), b"tick").await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let began = Instant::now();
    while status(&store).kept == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "no checkpoint: {:?}", status(&store));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let now = status(&store);
    assert_eq!((now.kept, now.failures), (1, 0), "{now:?}");
    assert!(now.lsn >= 10_000 && now.unseen < 10_000, "{now:?}");
    node::close(&store);
}

/// What is found rotten in a checkpoint is healed, like everything that stands in segments.
#[tokio::test(flavor = "multi_thread")]
async fn verification_finds_what_rots_in_a_checkpoint() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    node::put(&store, "bkt", "key", &body(1, 10)).await;
    let shards = || std::fs::read_dir(node.drive(1).join("segments")).unwrap().map(|entry| entry.unwrap().path());
    let before: Vec<_> = shards().collect();
    checkpoint(&store);
    let shard = shards().find(|path| !before.contains(path)).unwrap();
    let whole = std::fs::read(&shard).unwrap();
    let mut rotten = whole.clone();
    rotten[4096 + 10] ^= 1;
    std::fs::write(&shard, rotten).unwrap();
    let verify = || tokio::task::block_in_place(|| store.verify(&node::administer(), 1.0, &node::silent())).unwrap();
    assert_eq!(verify().faults.len(), 1);
    let began = Instant::now();
    while std::fs::read(&shard).unwrap() != whole || !verify().faults.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "the shard was not healed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    node::close(&store);
}
