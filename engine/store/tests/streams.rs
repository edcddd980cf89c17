//! Large bodies that span streams.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::time::Duration;

use bytes::Bytes;
use node::{Node, body, profile};
use packstone_access::Action;
use packstone_store::object::{Attributes, Precondition};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_fills_before_its_body_ends_outlives_sealing_and_compaction() {
    let mut node = Node::new(profile(3, 1));
    node.settings.stream_size = 4 << 20;
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let whole = body(1, 12 << 20);
    let mut writer = store.writer(&node::grant(Action::PutObject, "ticks", "slow"), None).unwrap();
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
