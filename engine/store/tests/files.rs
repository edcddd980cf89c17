//! Versions as files: inode numbers, what is said of a file, and its content anew.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use node::{Node, body, grant, profile};
use packstone_access::{Action, Actor, Resource, authorise};
use packstone_store::object::*;
use packstone_store::record::Posix;
use packstone_store::{Error, Result, Store};

const KEY: &str = "day/file";
const FIFTH: i64 = 5_000_000_000;

fn place_of(store: &Store, inode: u64) -> Option<(String, String)> {
    let grant = authorise(&Actor::Root, Action::ListAllMyBuckets, Resource::Node).unwrap();
    store.inode(&grant, inode).unwrap()
}

fn at(key: &str) -> Option<(String, String)> {
    Some(("bkt".into(), key.into()))
}

fn described(store: &Store, key: &str) -> Version {
    store.describe(&grant(Action::GetObject, "bkt", key), None).unwrap()
}

async fn rewrite(store: &Store, place: Rewritten, content: &[u8]) -> Result<Version> {
    let grant = grant(Action::PutObject, "bkt", KEY);
    let mut writer = store.file_writer(&grant, place, None, None).unwrap();
    writer.write(content.to_vec().into()).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await
}

async fn amend(store: &Store, change: AttributeChange) -> Result<Version> {
    store.amend(&grant(Action::PutObject, "bkt", KEY), None, change, None).await
}

/// A file as a mount makes one.
async fn made(store: &Store) -> Version {
    let posix = Posix { inode: 0, uid: 7, gid: 8, mode: 0o100_644, mtime: 0 };
    let writer = store.file_maker(&grant(Action::PutObject, "bkt", KEY), posix, None, None).unwrap();
    writer.commit(Attributes::default(), Precondition::Absent).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_its_number_and_what_is_said_of_it() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    let first = made(&store).await;
    let inode = first.file.inode;
    assert_eq!((inode, first.file.uid, first.file.mode), (first.record, 7, 0o100_644));
    assert_eq!(place_of(&store, inode), at(KEY));

    let change = FileChange { mode: Some(0o600), gid: Some(9), mtime: Some(FIFTH), ..FileChange::default() };
    amend(&store, AttributeChange::File(change)).await.unwrap();
    amend(&store, AttributeChange::Extended("user.desk".into(), Some(b"fx".to_vec()))).await.unwrap();
    let file = described(&store, KEY).file;
    assert_eq!((file.uid, file.gid, file.mode, file.mtime), (7, 9, 0o100_600, FIFTH));
    assert!(file.ctime > first.file.ctime);

    for (size, own) in [(100, true), (3_000_000, false), (0, true)] {
        let place = Rewritten { record: described(&store, KEY).record, own, mtime: None };
        rewrite(&store, place, &body(1, size)).await.unwrap();
        let version = described(&store, KEY);
        assert_eq!((version.size, version.file.inode, version.file.mode), (size as u64, inode, 0o100_600));
        assert_eq!(version.attributes.extended, [("user.desk".to_owned(), b"fx".to_vec())]);
        assert!(version.file.mtime > FIFTH);
        assert_eq!(place_of(&store, inode), at(KEY));
    }
    let stale = Rewritten { record: first.record, own: true, mtime: None };
    assert!(matches!(rewrite(&store, stale, b"late").await, Err(Error::Changed)));

    let (from, to) = (grant(Action::DeleteObject, "bkt", KEY), grant(Action::PutObject, "bkt", "other"));
    store.rename(&from, &to, RenameTerms::default()).await.unwrap();
    assert_eq!(described(&store, "other").file.inode, inode);
    assert_eq!(place_of(&store, inode), at("other"));

    let store = node.reopened_without_index(store);
    assert_eq!((place_of(&store, inode), described(&store, "other").file.mode), (at("other"), 0o100_600));
    node::put(&store, "bkt", "other", b"over S3").await;
    let over = described(&store, "other").file.inode;
    assert_ne!(over, inode, "another file");
    assert_eq!((place_of(&store, inode), place_of(&store, over)), (None, at("other")));
    node::delete(&store, "bkt", "other").await;
    assert_eq!(place_of(&store, over), None);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_through_a_file_leaves_it_the_same_file() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    let inode = made(&store).await.file.inode;
    rewrite(&store, Rewritten { record: inode, own: false, mtime: None }, b"one ").await.unwrap();
    let touched = FileChange { mtime: Some(FIFTH), ..FileChange::default() };
    amend(&store, AttributeChange::File(touched)).await.unwrap();
    for (offset, piece) in [(4, b"two "), (8, b"more")] {
        let grant = grant(Action::PutObject, "bkt", KEY);
        let (writer, _) = store.appender(&grant, offset, None, None, None).unwrap();
        let mut writer = writer.extending_file();
        writer.write(piece.to_vec().into()).await.unwrap();
        writer.commit(Attributes::default(), Precondition::None).await.unwrap();
        let file = described(&store, KEY).file;
        assert!(file.inode == inode && file.mtime > FIFTH);
    }
    assert_eq!(node::get(&store, "bkt", KEY).await.unwrap(), b"one two more");
    assert_eq!(place_of(&store, inode), at(KEY));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writers_own_version_is_not_kept_and_others_are() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    let document =
        |kind: &str, value: &'static [u8]| NewDocument { kind: kind.into(), name: String::new(), value: value.into() };
    let versioned = vec![document("versioning", &[1])];
    store.create_bucket(&grant(Action::CreateBucket, "bkt", ""), versioned).await.unwrap();
    let first = made(&store).await;
    let second = Rewritten { record: first.record, own: true, mtime: None };
    let second = rewrite(&store, second, b"second").await.unwrap();
    let third = Rewritten { record: second.record, own: false, mtime: None };
    let third = rewrite(&store, third, b"third").await.unwrap();
    let store = node.reopened_without_index(store);
    let query = VersionQuery { limit: 10, ..VersionQuery::default() };
    let page = store.list_versions(&grant(Action::ListBucketVersions, "bkt", ""), &query).unwrap();
    let ids = page.entries.iter().map(|entry| match entry {
        VersionEntry::Version { version, .. } => version.record,
        other => panic!("{other:?}"),
    });
    assert_eq!(ids.collect::<Vec<_>>(), [third.record, second.record]);
    assert_eq!(place_of(&store, first.file.inode), at(KEY));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_neither_changed_nor_written() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    let document =
        |kind: &str, value: &[u8]| NewDocument { kind: kind.into(), name: String::new(), value: value.to_vec().into() };
    let locking = vec![document("versioning", &[1]), document("object-lock", &[0])];
    store.create_bucket(&grant(Action::CreateBucket, "bkt", ""), locking).await.unwrap();
    let version = made(&store).await;
    let hold = AttributeChange::LegalHold(true);
    store.amend(&grant(Action::PutObjectLegalHold, "bkt", KEY), None, hold, None).await.unwrap();
    assert!(matches!(store.expect_unlocked(&described(&store, KEY)), Err(Error::LegalHold)));
    let change = FileChange { mode: Some(0o600), ..FileChange::default() };
    assert!(matches!(amend(&store, AttributeChange::File(change)).await, Err(Error::LegalHold)));
    for own in [true, false] {
        let place = Rewritten { record: version.record, own, mtime: None };
        assert!(matches!(rewrite(&store, place, b"over").await, Err(Error::LegalHold)));
    }
    node::close(&store);
}
