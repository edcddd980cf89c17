//! Large bodies that span streams.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use node::{Node, body, profile};
use packstone_access::Action;
use packstone_store::Store;
use packstone_store::object::{Attributes, Precondition};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_from_before_the_seal_reads_on_after_the_delete() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let whole = body(1, 5 << 20);
    node::put(&store, "ticks", "gone", &whole).await;
    let large = |n: usize| {
        let names = std::fs::read_dir(node.drive(n).join("segments")).unwrap();
        names.filter(|name| name.as_ref().unwrap().metadata().unwrap().len() > 1 << 20).count()
    };
    let shards = || (0..4).map(large).sum::<usize>();
    let size = whole.len() as u64;
    let mut reader = store.get(&node::grant(Action::GetObject, "ticks", "gone"), None).unwrap().read(0..size);
    let mut read = reader.next().await.unwrap().unwrap().to_vec();
    tokio::task::block_in_place(|| store.seal()).unwrap();
    node::delete(&store, "ticks", "gone").await;
    // Long enough for the stream to be found dead and erased.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(shards(), 4, "the shards of a stream that is read were unlinked");
    while let Some(piece) = reader.next().await {
        read.extend_from_slice(&piece.unwrap());
    }
    assert!(read == whole);
    drop(reader);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while shards() > 0 {
        assert!(std::time::Instant::now() < deadline, "the stream's shards were never unlinked");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fills_before_its_body_ends_outlives_sealing_and_compaction() {
    let mut node = Node::new(profile(3, 1));
    node.settings.stream_size = 4 << 20;
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let whole = body(1, 12 << 20);
    let mut writer = store.writer(&node::grant(Action::PutObject, "ticks", "slow"), None, None).unwrap();
    let (first, second) = whole.split_at(8 << 20);
    writer.write(Bytes::copy_from_slice(first)).await.unwrap();
    // Long enough for the workers to seal what is full and to erase what nothing claims.
    tokio::time::sleep(Duration::from_secs(4)).await;
    writer.write(Bytes::copy_from_slice(second)).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await.unwrap();
    assert!(node::get(&store, "ticks", "slow").await.unwrap() == whole);
    let sealing = store.clone();
    tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(node::get(&store, "ticks", "slow").await.unwrap() == whole);
    node::close(&store);
}

/// The shard on a drive of the one stream that there is.
fn shard_on(node: &Node, number: usize) -> PathBuf {
    let names = std::fs::read_dir(node.drive(number).join("segments")).unwrap();
    let mut files = names.map(|name| name.unwrap().path()).filter(|path| path.metadata().unwrap().len() > 1 << 20);
    files.next().unwrap()
}

async fn until_open_for_healing(store: &Store, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.status(&node::administer()).unwrap().healing.open != count {
        assert!(Instant::now() < deadline, "{:?}", store.status(&node::administer()).unwrap().healing);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An object, where its first shard stood, and where that is now. The stream is open still, so nobody makes the shard anew.
async fn put_and_take_a_shard_away(node: &Node, store: &Store) -> (Vec<u8>, PathBuf, PathBuf) {
    node::create_bucket(store, "ticks").await;
    let whole = body(1, 5 << 20);
    node::put(store, "ticks", "large", &whole).await;
    let (place, away) = (shard_on(node, 0), node.drive(0).join("away"));
    std::fs::rename(&place, &away).unwrap();
    assert!(node::get(store, "ticks", "large").await.unwrap() == whole);
    until_open_for_healing(store, 1).await;
    (whole, place, away)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_was_away_for_a_moment_is_read_when_another_one_is_gone() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    let (whole, place, away) = put_and_take_a_shard_away(&node, &store).await;
    std::fs::rename(&away, &place).unwrap();
    until_open_for_healing(&store, 0).await;
    // One that is open stays so, whatever becomes of its name.
    std::fs::OpenOptions::new().write(true).open(shard_on(&node, 1)).unwrap().set_len(0).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(node::get(&store, "ticks", "large").await.unwrap() == whole);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_came_back_damaged_is_healed_once_its_stream_is_sealed() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    let (whole, place, away) = put_and_take_a_shard_away(&node, &store).await;
    let file = std::fs::OpenOptions::new().write(true).open(&away).unwrap();
    file.write_all_at(&[0xFF; 512 << 10], 8192).unwrap();
    std::fs::rename(&away, &place).unwrap();
    // Whoever sees first that it is back, a read or the healer, reads find what is wrong with it.
    for _ in 0..20 {
        assert!(node::get(&store, "ticks", "large").await.unwrap() == whole);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until_open_for_healing(&store, 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    until_open_for_healing(&store, 1).await;
    let healed = store.status(&node::administer()).unwrap().healing.healed;
    let sealing = store.clone();
    tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
    until_open_for_healing(&store, 0).await;
    assert_eq!(store.status(&node::administer()).unwrap().healing.healed, healed + 1);
    node::close(&store);
}
