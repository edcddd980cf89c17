#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::identity::{AccessKey, KeyRing, MasterKey};
use crate::trial_store::store;

fn directory(store: &Store, master: u8) -> Directory {
    let ring = KeyRing::new("root", "root-secret", Arc::new(MasterKey::new(&[master; 32]).unwrap()));
    Directory::open(store.clone(), ring).unwrap()
}

/// A node with a bucket under object lock, and a user with a key.
async fn node(scratch: &tempfile::TempDir) -> Backup {
    let store = store(scratch);
    let directory = directory(&store, 7);
    let grant = authorise(&Actor::Root, Action::CreateBucket, Resource::Bucket("ticks")).unwrap();
    let document =
        |kind: &str, value: &[u8]| NewDocument { kind: kind.into(), name: String::new(), value: value.to_vec().into() };
    let lock = packstone_store::object::ObjectLock::default().encode();
    let documents = vec![document("versioning", &[1]), document("object-lock", &lock), document("policy", b"{}")];
    store.create_bucket(&grant, documents).await.unwrap();
    let sealed = directory.ring().master().seal(Purpose::Secret, "AKIA1", b"secret").unwrap();
    let keys =
        vec![AccessKey { id: "AKIA1".into(), secret: STANDARD.encode(sealed), active: true, created: 2, made: None }];
    let alice = Record {
        id: "AIDAALICE".into(),
        path: "/".into(),
        name: "alice".into(),
        created: 1,
        tags: BTreeMap::new(),
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
        boundary: None,
        own: Own::User { keys, groups: BTreeSet::new() },
    };
    directory.change(|_| Ok::<_, DirectoryError>((Change::Put(Box::new(alice)), ()))).await.unwrap();
    Backup::new(store, directory)
}

fn empty(scratch: &tempfile::TempDir) -> Backup {
    let store = store(scratch);
    let directory = directory(&store, 8);
    Backup::new(store, directory)
}

#[tokio::test]
async fn another_node_becomes_what_the_first_was() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = node(&one).await.take().unwrap();
    let restored = empty(&other);
    assert_eq!(restored.restore(&taken).await.unwrap(), Restored { buckets: 1, identities: 1 });
    assert_eq!(restored.take().unwrap(), taken);
    assert!(restored.store.bucket_state("ticks").unwrap().is_lockable());
    assert_eq!(restored.directory.ring().secret("AKIA1").unwrap().expose(), "secret");
    assert!(restored.store.document(&administer().unwrap(), MARK, "").unwrap().is_none());
    let again = directory(&restored.store, 8);
    assert_eq!(again.ring().secret("AKIA1").unwrap().expose(), "secret", "it is sealed under the other master key");
}

#[tokio::test]
async fn a_node_that_holds_anything_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let node = node(&scratch).await;
    let taken = node.take().unwrap();
    let refused = node.restore(&taken).await.unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty { buckets: 1, identities: 1 }), "{refused}");
    let grant = authorise(&Actor::Root, Action::DeleteBucket, Resource::Bucket("ticks")).unwrap();
    node.store.delete_bucket(&grant).await.unwrap();
    assert!(matches!(node.restore(&taken).await.unwrap_err(), BackupError::NotEmpty { buckets: 0, .. }));
}

#[tokio::test]
async fn what_was_cut_off_is_carried_on_by_the_same_text_alone() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = node(&one).await.take().unwrap();
    let half = empty(&other);
    let grant = administer().unwrap();
    half.mark(&grant, &taken).await.unwrap();
    let contents: Contents = serde_json::from_str(&taken).unwrap();
    let documents = check(&contents).unwrap().remove(0);
    half.restore_bucket(&contents.buckets[0], documents).await.unwrap();

    let without_users = taken.replace("alice", "carol");
    assert!(matches!(half.restore(&without_users).await.unwrap_err(), BackupError::AnotherBegun));
    assert_eq!(half.restore(&taken).await.unwrap().identities, 1);
    assert_eq!(half.take().unwrap(), taken);
}

#[tokio::test]
async fn a_bucket_that_came_to_be_otherwise_is_not_replaced() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = node(&one).await.take().unwrap();
    let half = empty(&other);
    half.mark(&administer().unwrap(), &taken).await.unwrap();
    let grant = authorise(&Actor::Root, Action::CreateBucket, Resource::Bucket("ticks")).unwrap();
    half.store.create_bucket(&grant, Vec::new()).await.unwrap();
    let refused = half.restore(&taken).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the bucket ticks stands on the node already, and not as in the file: take it away, or make the node anew"
    );
    assert_eq!(half.store.bucket_state("ticks").unwrap().count_documents(), 0);
}

#[tokio::test]
async fn nothing_is_begun_that_could_not_be_ended() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = node(&one).await.take().unwrap();
    let untouched = empty(&other);
    for (from, to) in [("object-lock", "object-key"), ("\"AQ==\"", "\"Ag==\""), ("\"buckets\"", "\"pails\"")] {
        let wrong = taken.replace(from, to);
        assert_ne!(wrong, taken);
        assert!(matches!(untouched.restore(&wrong).await.unwrap_err(), BackupError::Unreadable(_)), "{to}");
    }
    assert!(untouched.store.document(&administer().unwrap(), MARK, "").unwrap().is_none());
}

#[tokio::test]
async fn a_secret_that_can_not_be_opened_is_left_out_and_named() {
    let scratch = tempfile::tempdir().unwrap();
    let node = node(&scratch).await;
    let shut = Backup::new(node.store.clone(), directory(&node.store, 9));
    let contents: Contents = serde_json::from_str(&shut.take().unwrap()).unwrap();
    assert_eq!(contents.left_out, ["AKIA1"]);
    assert!(contents.identities[0].keys().is_empty());
}
