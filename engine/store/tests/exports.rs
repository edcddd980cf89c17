//! Exports are kept with their buckets.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use bytes::Bytes;
use node::{Node, administer, grant, profile};
use packstone_access::Action;
use packstone_store::object::Export;
use packstone_store::{Error, Store};

fn set(store: &Store, bucket: &str, prefix: &str, terms: Option<&'static [u8]>) -> packstone_store::Result<()> {
    tokio::task::block_in_place(|| store.set_export(&administer(), bucket, prefix, terms.map(Bytes::from_static)))
}

fn kept(store: &Store) -> Vec<(String, String, Bytes)> {
    let exports = store.exports(&administer()).unwrap().into_iter();
    exports.map(|Export { bucket, prefix, terms }| (bucket, prefix, terms)).collect()
}

fn row(bucket: &str, prefix: &str, terms: &'static [u8]) -> (String, String, Bytes) {
    (bucket.into(), prefix.into(), Bytes::from_static(terms))
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_last_as_long_as_their_buckets() {
    let node = Node::new(profile(2, 1));
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    node::create_bucket(&store, "quotes").await;
    assert!(matches!(set(&store, "none", "", Some(b"x")), Err(Error::NoSuchBucket)));
    set(&store, "ticks", "2026/", Some(b"first")).unwrap();
    set(&store, "ticks", "", Some(b"whole")).unwrap();
    set(&store, "quotes", "", Some(b"quotes")).unwrap();
    set(&store, "ticks", "2026/", Some(b"second")).unwrap();
    let all = [row("quotes", "", b"quotes"), row("ticks", "", b"whole"), row("ticks", "2026/", b"second")];
    assert_eq!(kept(&store), all);
    node::close(&store);
    drop(store);
    std::fs::remove_dir_all(node.index()).unwrap();
    store = node.open();
    assert_eq!(kept(&store), all);
    set(&store, "ticks", "", None).unwrap();
    set(&store, "ticks", "", None).unwrap();
    store.delete_bucket(&grant(Action::DeleteBucket, "quotes", "")).await.unwrap();
    node::create_bucket(&store, "quotes").await;
    assert_eq!(kept(&store), all[2..]);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_the_administrators() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let other = grant(Action::PutObject, "ticks", "key");
    assert!(tokio::task::block_in_place(|| store.set_export(&other, "ticks", "", None)).is_err());
    assert!(store.exports(&other).is_err());
    node::close(&store);
}
