//! When names in a directory changed, as it is kept on the object that stands for it, and for a bucket.
#![allow(clippy::unwrap_used, reason = "a test: a panic is its answer")]

mod node;

use node::{Node, grant, profile};
use packstone_access::Action;
use packstone_store::object::*;
use packstone_store::record::Posix;
use packstone_store::{Error, Result, Store};

const MARKER: &str = "day/";

fn described(store: &Store) -> Version {
    store.describe(&grant(Action::GetObject, "bkt", MARKER), None).unwrap()
}

async fn made(store: &Store) -> Version {
    let posix = Posix { inode: 0, uid: 7, gid: 8, mode: 0o040_755, mtime: 0 };
    let writer = store.file_maker(&grant(Action::PutObject, "bkt", MARKER), posix, None, None).unwrap();
    writer.commit(Attributes::default(), Precondition::Absent).await.unwrap()
}

async fn amend(store: &Store, change: AttributeChange) -> Result<Version> {
    store.amend(&grant(Action::PutObject, "bkt", MARKER), None, change, None).await
}

fn changed(inode: u64, time: i64) -> AttributeChange {
    AttributeChange::Names(NamesChanged { inode, time })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_change_counts_and_an_earlier_one_doesnt() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    let first = made(&store).await.file;
    let later = first.ctime + 1_000_000_000;
    amend(&store, changed(first.inode, first.ctime)).await.unwrap();
    amend(&store, changed(first.inode + 1, later)).await.unwrap();
    assert_eq!(described(&store).file, first, "not later, and of another number");
    let told = amend(&store, changed(first.inode, later)).await.unwrap().file;
    assert_eq!(told, File { mtime: later, ctime: later, ..first });
    let store = node.reopened_without_index(store);
    assert_eq!(described(&store).file, told);

    let set = FileChange { mtime: Some(5), ..FileChange::default() };
    amend(&store, AttributeChange::File(set)).await.unwrap();
    let set = described(&store).file;
    amend(&store, changed(first.inode, set.ctime - 1)).await.unwrap();
    assert_eq!(described(&store).file, set, "what was set later stands");
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_back_and_nothing_locked_changes() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    let document =
        |kind: &str, value: &[u8]| NewDocument { kind: kind.into(), name: String::new(), value: value.to_vec().into() };
    let locking = vec![document("versioning", &[1]), document("object-lock", &[0])];
    store.create_bucket(&grant(Action::CreateBucket, "bkt", ""), locking).await.unwrap();
    let marker = made(&store).await;
    let change = changed(marker.file.inode, marker.file.ctime + 1);
    let may = grant(Action::PutObjectLegalHold, "bkt", MARKER);
    store.amend(&may, None, AttributeChange::LegalHold(true), None).await.unwrap();
    assert!(matches!(amend(&store, change.clone()).await, Err(Error::LegalHold)));
    assert_eq!(described(&store).file, marker.file);
    store.amend(&may, None, AttributeChange::LegalHold(false), None).await.unwrap();
    node::delete(&store, "bkt", MARKER).await;
    assert!(matches!(amend(&store, change.clone()).await, Err(Error::DeleteMarker { .. })));
    node::create_bucket(&store, "other").await;
    let nowhere = store.amend(&grant(Action::PutObject, "other", MARKER), None, change, None).await;
    assert!(matches!(nowhere, Err(Error::NoSuchKey)));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_when_names_at_its_top_changed() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    let kept = |store: &Store| store.bucket_state("bkt").unwrap().names_changed();
    let may = grant(Action::Administer, "bkt", "");
    assert_eq!(kept(&store), None);
    for (time, then) in [(20, 20), (10, 20), (30, 30)] {
        store.keep_names_changed(&may, time).await.unwrap();
        assert_eq!(kept(&store), Some(then));
    }
    let by_hand = store.put_document(&may, "names-changed", "", None, Replaces::Anything).await;
    assert!(matches!(by_hand, Err(Error::InvalidDocument(_))));
    let store = node.reopened_without_index(store);
    assert_eq!(kept(&store), Some(30));
    store.delete_bucket(&grant(Action::DeleteBucket, "bkt", "")).await.unwrap();
    assert!(matches!(store.keep_names_changed(&may, 40).await, Err(Error::NoSuchBucket)));
    node::create_bucket(&store, "bkt").await;
    assert_eq!(kept(&store), None, "another bucket of the name");
    node::close(&store);
}
