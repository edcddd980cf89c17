//! Uploads that nobody completes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::time::{Duration, Instant};

use bytes::Bytes;
use node::{Node, administer, body, grant, profile};
use packstone_access::Action;
use packstone_store::object::*;
use packstone_store::{Error, Store};

const AGE: Duration = Duration::from_secs(2);

async fn opened(store: &Store, key: &str) -> UploadId {
    let to = grant(Action::PutObject, "ticks", key);
    let upload = store.open_upload(&to, Attributes::default(), None).await.unwrap();
    let mut part = store.part_writer(&to, upload, 1, None, None).unwrap();
    part.write(Bytes::from(body(1, 3_000_000))).await.unwrap();
    part.commit(Attributes::default(), Precondition::None).await.unwrap();
    upload
}

fn is_open(store: &Store, key: &str, upload: UploadId) -> bool {
    match store.upload(&grant(Action::PutObject, "ticks", key), upload) {
        Ok(_) => true,
        Err(Error::NoSuchUpload) => false,
        Err(error) => panic!("{error}"),
    }
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_uploads_are_aborted_and_young_ones_are_not() {
    let mut node = Node::new(profile(2, 1));
    node.settings.abandoned_after = Some(AGE);
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    let began = Instant::now();
    let mut old = Vec::new();
    // More than one turn aborts.
    for number in 0..40 {
        let key = format!("k{number}");
        old.push((opened(&store, &key).await, key));
    }
    node::close(&store);
    drop(store);
    store = node.open();
    assert!(began.elapsed() > AGE || old.iter().all(|(upload, key)| is_open(&store, key, *upload)));
    eventually("old uploads stay", || old.iter().all(|(upload, key)| !is_open(&store, key, *upload))).await;
    let young = opened(&store, "young").await;
    let status = store.status(&administer()).unwrap();
    assert_eq!((status.buckets[0].uploads, status.abandoned_uploads), (1, 40));
    tokio::time::sleep(AGE / 4).await;
    assert!(is_open(&store, "young", young));
    eventually("it doesn't grow old", || !is_open(&store, "young", young)).await;
    // What the parts held is free again.
    tokio::task::block_in_place(|| store.seal()).unwrap();
    let segments = || store.status(&administer()).unwrap().segments;
    eventually("streams of parts stay", || segments() <= 2).await;
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_age_none_is_aborted() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let upload = opened(&store, "a").await;
    tokio::time::sleep(AGE).await;
    assert!(is_open(&store, "a", upload));
    node::close(&store);
}
