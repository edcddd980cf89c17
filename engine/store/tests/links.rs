//! Files with several names: each is an object, and all of them are one file.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::time::{Duration, Instant};

use node::{Node, body, grant, profile};
use packstone_access::{Action, Actor, Resource, authorise};
use packstone_store::object::*;
use packstone_store::quota::Quota;
use packstone_store::{Error, Result, Store};

const BUCKET: &str = "bkt";

fn described(store: &Store, key: &str) -> Result<Version> {
    store.describe(&grant(Action::GetObject, BUCKET, key), None)
}

async fn link(store: &Store, from: &str, to: &str) -> Result<Version> {
    let inode = described(store, from)?.file.inode;
    let (source, destination) = (grant(Action::GetObject, BUCKET, from), grant(Action::PutObject, BUCKET, to));
    store.link(&source, &destination, inode).await
}

async fn rewrite(store: &Store, key: &str, content: &[u8]) -> Result<Version> {
    let place = Rewritten { record: described(store, key)?.record, own: false, mtime: None };
    let mut writer = store.file_writer(&grant(Action::PutObject, BUCKET, key), place, None, None)?;
    writer.write(content.to_vec().into()).await?;
    let etag = Etag { md5: [content.len() as u8; 16], parts: 0 };
    writer.commit(Attributes { etag, ..Attributes::default() }, Precondition::None).await
}

async fn append(store: &Store, key: &str, content: &[u8], as_file: bool) -> Result<Version> {
    let (offset, length) = (described(store, key)?.size, Some(content.len() as u64));
    let (writer, _) = store.appender(&grant(Action::PutObject, BUCKET, key), offset, length, None, None)?;
    let mut writer = if as_file { writer.extending_file() } else { writer };
    writer.write(content.to_vec().into()).await?;
    writer.commit(Attributes::default(), Precondition::None).await
}

fn names(store: &Store, key: &str) -> Vec<String> {
    let inode = described(store, key).unwrap().file.inode;
    let may = authorise(&Actor::Root, Action::ListAllMyBuckets, Resource::Node).unwrap();
    store.names(&may, inode).unwrap().into_iter().map(|(_, key)| key).collect()
}

/// That keys hold the same, and are one file.
async fn expect_one(store: &Store, keys: &[&str], content: &[u8]) {
    let first = described(store, keys[0]).unwrap();
    for key in keys {
        assert!(node::get(store, BUCKET, key).await.unwrap() == content, "{key}");
        let version = described(store, key).unwrap();
        assert_eq!((version.file, version.size, version.modified), (first.file, first.size, first.modified), "{key}");
        assert_eq!(version.attributes.etag, first.attributes.etag, "{key}");
        let mut led = names(store, key);
        led.sort();
        assert_eq!(led, keys);
    }
}

async fn ready() -> (Node, Store) {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, BUCKET).await;
    (node, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_through_one_name_is_there_under_all() {
    let (node, mut store) = ready().await;
    for size in [0, 5000, 3 << 20] {
        node::put(&store, BUCKET, "a", &body(1, size)).await;
        let before = described(&store, "a").unwrap();
        link(&store, "a", "b").await.unwrap();
        link(&store, "b", "c").await.unwrap();
        expect_one(&store, &["a", "b", "c"], &body(1, size)).await;
        let after = described(&store, "c").unwrap();
        assert_eq!((after.file.inode, after.modified), (before.file.inode, before.modified));
        assert!(after.file.ctime > before.file.ctime && described(&store, "a").unwrap().record == before.record);

        rewrite(&store, "b", &body(2, size + 1)).await.unwrap();
        store = node.reopened_without_index(store);
        expect_one(&store, &["a", "b", "c"], &body(2, size + 1)).await;
        append(&store, "c", b"more", true).await.unwrap();
        let longer = [body(2, size + 1), b"more".to_vec()].concat();
        expect_one(&store, &["a", "b", "c"], &longer).await;

        let change = FileChange { mode: Some(0o600), uid: Some(9), ..FileChange::default() };
        let grant_of = |key| grant(Action::PutObject, BUCKET, key);
        store.amend(&grant_of("c"), None, AttributeChange::File(change), None).await.unwrap();
        let said = AttributeChange::Extended("user.desk".into(), Some(b"fx".to_vec()));
        store.amend(&grant_of("b"), None, said, None).await.unwrap();
        store = node.reopened_without_index(store);
        expect_one(&store, &["a", "b", "c"], &longer).await;
        for key in ["a", "b", "c"] {
            let version = described(&store, key).unwrap();
            assert_eq!((version.file.mode & 0o777, version.file.uid), (0o600, 9));
            assert_eq!(version.attributes.extended, [("user.desk".to_owned(), b"fx".to_vec())]);
        }
        for key in ["a", "b", "c"] {
            node::delete(&store, BUCKET, key).await;
        }
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_sees_objects_of_which_each_goes_alone() {
    let (node, mut store) = ready().await;
    for size in [5000, 3 << 20] {
        let content = body(7, size);
        node::put(&store, BUCKET, "a", &content).await;
        link(&store, "a", "b").await.unwrap();
        link(&store, "a", "c").await.unwrap();
        let tags = AttributeChange::Tags(vec![("class".into(), "secret".into())]);
        store.amend(&grant(Action::PutObjectTagging, BUCKET, "b"), None, tags, None).await.unwrap();
        assert!(described(&store, "a").unwrap().attributes.tags.is_empty(), "leave was given for one key");

        node::put(&store, BUCKET, "a", b"another").await;
        expect_one(&store, &["b", "c"], &content).await;
        assert_ne!(described(&store, "a").unwrap().file.inode, described(&store, "b").unwrap().file.inode);
        rewrite(&store, "c", &content[..size - 1]).await.unwrap();
        assert_eq!(described(&store, "b").unwrap().attributes.tags.len(), 1);
        assert_eq!(node::get(&store, BUCKET, "a").await.unwrap(), b"another");

        let refused = append(&store, "b", b"x", false).await;
        assert!(matches!(refused, Err(Error::InvalidBucketState(_))), "{refused:?}");
        node::delete(&store, BUCKET, "b").await;
        store = node.reopened_without_index(store);
        expect_one(&store, &["c"], &content[..size - 1]).await;
        append(&store, "c", b"x", false).await.unwrap();
        node::delete(&store, BUCKET, "c").await;
    }
    let report = tokio::task::block_in_place(|| store.verify(&node::administer(), 1.0, &node::silent())).unwrap();
    assert_eq!((report.records, report.lost.len()), (1, 0), "{report:?}");
    node::close(&store);
}

fn shards(node: &Node) -> usize {
    let names = (0..4).flat_map(|n| std::fs::read_dir(node.drive(n).join("segments")).unwrap());
    names.filter(|name| name.as_ref().unwrap().metadata().unwrap().len() > 1 << 20).count()
}

/// Whichever name goes first, the bytes stay for the others and go with the last.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_streams_live_as_long_as_the_last_name() {
    let (node, mut store) = ready().await;
    let whole = body(1, 5 << 20);
    for order in [["a", "b"], ["b", "a"]] {
        node::put(&store, BUCKET, "a", &whole).await;
        link(&store, "a", "b").await.unwrap();
        node::delete(&store, BUCKET, order[0]).await;
        let sealing = store.clone();
        tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
        // Long enough for a stream that nothing claims to be erased.
        tokio::time::sleep(Duration::from_secs(4)).await;
        store = node.reopened_without_index(store);
        assert!(node::get(&store, BUCKET, order[1]).await.unwrap() == whole, "{order:?}");
        node::put(&store, BUCKET, order[1], b"over").await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while shards(&node) > 0 {
            assert!(Instant::now() < deadline, "the stream outlived the last name of what was in it");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        node::delete(&store, BUCKET, order[1]).await;
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_renamed_like_others() {
    let (_node, store) = ready().await;
    let rename = async |from: &str, to: &str| {
        let source = grant(Action::DeleteObject, BUCKET, from);
        store.rename(&source, &grant(Action::PutObject, BUCKET, to), RenameTerms::default()).await
    };
    for size in [5000, 3 << 20] {
        node::put(&store, BUCKET, "a", &body(1, size)).await;
        link(&store, "a", "b").await.unwrap();
        rename("a", "c").await.unwrap();
        expect_one(&store, &["b", "c"], &body(1, size)).await;
        rewrite(&store, "c", &body(2, size)).await.unwrap();
        expect_one(&store, &["b", "c"], &body(2, size)).await;
        // S3 knows of no files: the name that is renamed over is gone.
        rename("b", "c").await.unwrap();
        expect_one(&store, &["c"], &body(2, size)).await;
        node::delete(&store, BUCKET, "c").await;
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_name_counts() {
    let (_node, store) = ready().await;
    let quota = Quota { bytes: Some(10_000), objects: Some(3) };
    tokio::task::block_in_place(|| store.set_bucket_quota(&node::administer(), BUCKET, quota)).unwrap();
    node::put(&store, BUCKET, "a", &body(1, 3000)).await;
    link(&store, "a", "b").await.unwrap();
    link(&store, "a", "c").await.unwrap();
    assert!(matches!(link(&store, "a", "d").await, Err(Error::QuotaExceeded)));
    assert!(matches!(rewrite(&store, "b", &body(2, 3334)).await, Err(Error::QuotaExceeded)));
    expect_one(&store, &["a", "b", "c"], &body(1, 3000)).await;
    rewrite(&store, "b", &body(2, 3333)).await.unwrap();
    assert!(matches!(append(&store, "c", b"x", true).await, Err(Error::QuotaExceeded)));
    expect_one(&store, &["a", "b", "c"], &body(2, 3333)).await;
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_have_another_name() {
    let (node, mut store) = ready().await;
    node::put(&store, BUCKET, "a", b"first").await;
    node::put(&store, BUCKET, "taken", b"other").await;
    assert!(matches!(link(&store, "none", "b").await, Err(Error::NoSuchKey)));
    assert!(matches!(link(&store, "a", "taken").await, Err(Error::PreconditionFailed)));
    assert!(matches!(link(&store, "a", "a").await, Err(Error::PreconditionFailed)));
    for at in 1..MAX_NAMES {
        link(&store, "a", &format!("name{at}")).await.unwrap();
    }
    assert!(matches!(link(&store, "a", "more").await, Err(Error::TooManyNames)));
    rewrite(&store, "name7", b"second").await.unwrap();
    store = node.reopened_without_index(store);
    assert_eq!(names(&store, "a").len(), MAX_NAMES);
    for at in 1..MAX_NAMES {
        assert_eq!(node::get(&store, BUCKET, &format!("name{at}")).await.unwrap(), b"second");
    }

    let enable = async |store: &Store| {
        let value = Versioning::Enabled.encode().map(Into::into);
        let put = grant(Action::PutBucketVersioning, BUCKET, "");
        store.put_document(&put, "versioning", "", value, Replaces::Anything).await
    };
    assert!(matches!(enable(&store).await, Err(Error::InvalidBucketState(_))));
    for at in 1..MAX_NAMES {
        node::delete(&store, BUCKET, &format!("name{at}")).await;
    }
    enable(&store).await.unwrap();
    assert!(matches!(link(&store, "a", "b").await, Err(Error::InvalidBucketState(_))));
    node::close(&store);
}

/// Paths of files may be longer than S3's keys: S3 reads, lists and deletes what is there, and makes no such key.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_files_may_be_as_long_as_paths() {
    let (node, mut store) = ready().await;
    let long = ["d/".repeat(1500), "file".to_owned()].concat();
    let put = grant(Action::PutObject, BUCKET, &long);
    assert!(matches!(store.writer(&put, None, None), Err(Error::InvalidKey)));
    assert!(matches!(described(&store, &long), Err(Error::InvalidKey)));
    let posix = packstone_store::record::Posix::default();
    let mut writer = store.file_maker(&put, posix, None, None).unwrap();
    writer.write(b"deep"[..].into()).await.unwrap();
    writer.commit(Attributes::default(), Precondition::Absent).await.unwrap();
    store = node.reopened_without_index(store);
    assert_eq!(node::get(&store, BUCKET, &long).await.unwrap(), b"deep");
    let query = ListQuery { prefix: "d/".repeat(1400), limit: 9, ..ListQuery::default() };
    let page = store.list(&grant(Action::ListBucket, BUCKET, ""), &query).unwrap();
    assert!(matches!(&page.entries[..], [ListEntry::Object { key, .. }] if *key == long));
    link(&store, &long, &["d/".repeat(1500), "other".to_owned()].concat()).await.unwrap();
    rewrite(&store, &long, b"deeper").await.unwrap();
    node::delete(&store, BUCKET, &long).await;
    assert!(matches!(described(&store, &long), Err(Error::InvalidKey)));
    let path = "x".repeat(MAX_PATH + 1);
    assert!(matches!(
        store.file_maker(&grant(Action::PutObject, BUCKET, &path), posix, None, None),
        Err(Error::InvalidKey)
    ));
    node::close(&store);
}
