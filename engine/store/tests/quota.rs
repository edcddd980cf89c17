//! Quotas of buckets and of their owners.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use bytes::Bytes;
use node::{Node, administer, body, grant, profile};
use packstone_access::Action;
use packstone_store::object::*;
use packstone_store::quota::{OWNER, Quota, Usage};
use packstone_store::{Error, Result, Store};

fn set(store: &Store, bucket: &str, bytes: Option<u64>, objects: Option<u64>) {
    tokio::task::block_in_place(|| store.set_bucket_quota(&administer(), bucket, Quota { bytes, objects })).unwrap();
}

fn used(store: &Store, bucket: &str) -> (u64, u64) {
    let (_, Usage { bytes, objects }) = store.bucket_quota(&administer(), bucket).unwrap();
    (bytes, objects)
}

fn is_refused<T: std::fmt::Debug>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(Error::QuotaExceeded)), "{outcome:?}");
}

/// Puts without saying how long the body is, so that the commit loop alone can refuse it.
async fn put_blindly(store: &Store, bucket: &str, key: &str, content: &[u8]) -> Result<Version> {
    let mut writer = store.writer(&grant(Action::PutObject, bucket, key), None, None)?;
    writer.write(Bytes::copy_from_slice(content)).await?;
    writer.commit(Attributes::default(), Precondition::None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_holds_as_much_as_it_may() {
    let node = Node::new(profile(2, 1));
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    node::create_bucket(&store, "free").await;
    node::put(&store, "ticks", "a", &body(1, 600)).await;
    set(&store, "ticks", Some(1000), Some(2));
    for round in 0..2 {
        is_refused(node::try_put(&store, "ticks", "b", &body(2, 401)).await);
        is_refused(put_blindly(&store, "ticks", "b", &body(2, 401)).await);
        node::put(&store, "ticks", "b", &body(2, 400)).await;
        is_refused(put_blindly(&store, "ticks", "c", b"").await);
        // What is replaced makes room.
        node::put(&store, "ticks", "a", &body(3, 600)).await;
        put_blindly(&store, "ticks", "b", &body(3, 300)).await.unwrap();
        is_refused(put_blindly(&store, "ticks", "b", &body(3, 401)).await);
        assert_eq!(used(&store, "ticks"), (900, 2));
        node::put(&store, "free", "any", &body(4, 5000)).await;
        node::delete(&store, "ticks", "b").await;
        if round == 0 {
            node::close(&store);
            drop(store);
            std::fs::remove_dir_all(node.index()).unwrap();
            store = node.open();
        }
    }
    let (quota, _) = store.bucket_quota(&administer(), "ticks").unwrap();
    assert_eq!(quota, Quota { bytes: Some(1000), objects: Some(2) });
    assert!(store.status(&administer()).unwrap().quota_refusals >= 4);
    // What there is may be more than it should be: it can be read and shrink.
    set(&store, "ticks", Some(10), None);
    is_refused(node::try_put(&store, "ticks", "a", &body(3, 601)).await);
    node::put(&store, "ticks", "a", &body(3, 599)).await;
    assert_eq!(node::get(&store, "ticks", "a").await.unwrap(), body(3, 599));
    set(&store, "ticks", None, None);
    node::put(&store, "ticks", "c", &body(5, 5000)).await;
    assert!(matches!(store.bucket_quota(&administer(), "none"), Err(Error::NoSuchBucket)));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_counts() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let value = Versioning::Enabled.encode().map(Into::into);
    let versioning = grant(Action::PutBucketVersioning, "ticks", "");
    store.put_document(&versioning, "versioning", "", value, Replaces::Anything).await.unwrap();
    set(&store, "ticks", Some(1000), None);
    let first = node::put(&store, "ticks", "a", &body(1, 500)).await;
    node::put(&store, "ticks", "a", &body(2, 500)).await;
    is_refused(node::try_put(&store, "ticks", "a", b"x").await);
    node::delete(&store, "ticks", "a").await;
    is_refused(put_blindly(&store, "ticks", "a", b"x").await);
    let ends = grant(Action::DeleteObjectVersion, "ticks", "a");
    store.delete_version(&ends, first.version, Precondition::None, None).await.unwrap();
    node::put(&store, "ticks", "a", &body(3, 500)).await;
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_count_when_they_are_completed_and_appends_when_they_are_made() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    set(&store, "ticks", Some(1000), Some(1));
    let to = grant(Action::PutObject, "ticks", "a");
    let upload = store.open_upload(&to, Attributes::default(), None).await.unwrap();
    is_refused(store.part_writer(&to, upload, 1, Some(1001), None));
    let mut etags = Vec::new();
    for number in 1..=2 {
        let mut part = store.part_writer(&to, upload, number, Some(800), None).unwrap();
        part.write(body(number.into(), 800).into()).await.unwrap();
        etags.push(part.commit(Attributes::default(), Precondition::None).await.unwrap().attributes.etag);
    }
    let named = |number: u16, etag: &Etag| NamedPart { number, etag: *etag };
    assert_eq!(used(&store, "ticks"), (0, 0));
    node::put(&store, "ticks", "b", &body(1, 500)).await;
    let parts = vec![named(1, &etags[0])];
    is_refused(store.complete_upload(&to, upload, &parts, Etag::default(), None, Precondition::None).await);
    node::delete(&store, "ticks", "b").await;
    store.complete_upload(&to, upload, &parts, Etag::default(), None, Precondition::None).await.unwrap();
    assert_eq!(used(&store, "ticks"), (800, 1));
    is_refused(store.appender(&to, 800, Some(201), None, None));
    let (mut writer, _) = store.appender(&to, 800, None, None, None).unwrap();
    writer.write(body(3, 201).into()).await.unwrap();
    is_refused(writer.commit(Attributes::default(), Precondition::None).await);
    let (mut writer, _) = store.appender(&to, 800, Some(200), None, None).unwrap();
    writer.write(body(3, 200).into()).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await.unwrap();
    assert_eq!(used(&store, "ticks"), (1000, 1));
    // A rename makes nothing larger.
    let from = grant(Action::DeleteObject, "ticks", "a");
    store.rename(&from, &grant(Action::PutObject, "ticks", "c"), RenameTerms::default()).await.unwrap();
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_buckets_count_together() {
    let node = Node::new(profile(2, 1));
    let mut store = node.open();
    for (bucket, owner) in [("one", "alice"), ("two", "alice"), ("three", "bob")] {
        let value = Bytes::copy_from_slice(owner.as_bytes());
        let document = NewDocument { kind: OWNER.into(), name: String::new(), value };
        store.create_bucket(&grant(Action::CreateBucket, bucket, ""), vec![document]).await.unwrap();
    }
    let quota = Quota { bytes: Some(1000), objects: None };
    tokio::task::block_in_place(|| store.set_owner_quota(&administer(), "alice", quota)).unwrap();
    for round in 0..2 {
        node::put(&store, "one", "a", &body(1, 600)).await;
        is_refused(node::try_put(&store, "two", "a", &body(2, 401)).await);
        is_refused(put_blindly(&store, "two", "a", &body(2, 401)).await);
        node::put(&store, "two", "a", &body(2, 400)).await;
        node::put(&store, "three", "a", &body(3, 5000)).await;
        let (held, usage) = store.owner_quota(&administer(), "alice").unwrap();
        assert_eq!((held, usage), (quota, Usage { bytes: 1000, objects: 2 }));
        set(&store, "one", Some(700), None);
        node::delete(&store, "two", "a").await;
        is_refused(put_blindly(&store, "one", "b", &body(3, 101)).await);
        if round == 0 {
            node::close(&store);
            drop(store);
            store = node.open();
        }
    }
    tokio::task::block_in_place(|| store.set_owner_quota(&administer(), "alice", Quota::default())).unwrap();
    node::put(&store, "two", "a", &body(2, 5000)).await;
    let refused = tokio::task::block_in_place(|| store.set_owner_quota(&administer(), "", quota));
    assert!(matches!(refused, Err(Error::InvalidDocument(_))));
    node::close(&store);
}

/// However many write at once, and whatever lands in one batch.
#[tokio::test(flavor = "multi_thread")]
async fn writers_that_race_do_not_pass_a_quota() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    set(&store, "ticks", Some(10_500), Some(90));
    let writers = (0..200u64).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { put_blindly(&store, "ticks", &number.to_string(), &body(number, 150)).await.is_ok() })
    });
    let mut taken = 0;
    for writer in writers.collect::<Vec<_>>() {
        taken += u64::from(writer.await.unwrap());
    }
    assert_eq!(taken, 70);
    assert_eq!(used(&store, "ticks"), (10_500, 70));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_what_makes_nothing_larger_is_taken() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    node::put(&store, "ticks", "large", &body(1, 1000)).await;
    set(&store, "ticks", Some(900), None);
    let to = grant(Action::PutObject, "ticks", "large");
    let upload = store.open_upload(&to, Attributes::default(), None).await.unwrap();
    is_refused(store.part_writer(&to, upload, 1, Some(1001), None));
    let mut part = store.part_writer(&to, upload, 1, Some(950), None).unwrap();
    part.write(body(2, 950).into()).await.unwrap();
    let etag = part.commit(Attributes::default(), Precondition::None).await.unwrap().attributes.etag;
    let parts = vec![NamedPart { number: 1, etag }];
    store.complete_upload(&to, upload, &parts, Etag::default(), None, Precondition::None).await.unwrap();
    assert_eq!(used(&store, "ticks"), (950, 1));
    let other = grant(Action::PutObject, "ticks", "other");
    let upload = store.open_upload(&other, Attributes::default(), None).await.unwrap();
    is_refused(store.part_writer(&other, upload, 1, Some(1), None));
    node::close(&store);
}
