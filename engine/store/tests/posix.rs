//! Whose objects are on a mount.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::sync::Arc;

use bytes::Bytes;
use node::{Node, body, profile};
use packstone_access::{
    Action, Context, Grant, Identity, Kind, Owner, Policy, PolicyKind, PosixIds, Principal, Request, Resource, Scope,
};
use packstone_store::Store;
use packstone_store::object::*;
use packstone_store::record::{NO_GROUP, Posix};

/// Leave of a user who may do anything, and has these ids.
fn leave(posix: Option<PosixIds>, action: Action, key: &str) -> Grant {
    const ANYTHING: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    let owner = Owner { account: "000000000000".into(), canonical_id: "a".repeat(64).into() };
    let kind = Kind::User { path: "/".into(), name: "alice".into(), id: "AIDA".into() };
    let policy = Policy::parse(PolicyKind::Inline, "anything", ANYTHING).unwrap();
    let identity = Identity::new(Principal::new(kind, owner.clone())).with_policy(policy);
    let identity = Arc::new(match posix {
        Some(ids) => identity.with_posix(ids),
        None => identity,
    });
    let (facts, resource) = (Context::new(), Resource::Object { bucket: "ticks", key });
    let scope = Scope { owner: Some(&owner), ..Scope::default() };
    Request { identity: &identity, action, resource, facts: &facts, scope }.authorise().unwrap()
}

fn ids(uid: u32, gids: &[u32]) -> Option<PosixIds> {
    Some(PosixIds { uid, gids: gids.to_vec() })
}

async fn put(store: &Store, grant: &Grant, content: &[u8]) {
    let mut writer = store.writer(grant, Some(content.len() as u64), None).unwrap();
    writer.write(Bytes::copy_from_slice(content)).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await.unwrap();
}

async fn upload(store: &Store, opens: &Grant, completes: &Grant) {
    let upload = store.open_upload(opens, Attributes::default(), None).await.unwrap();
    let mut part = store.part_writer(opens, upload, 1, None, None).unwrap();
    part.write(Bytes::from(body(1, 70_000))).await.unwrap();
    part.commit(Attributes::default(), Precondition::None).await.unwrap();
    let named = [NamedPart { number: 1, etag: Etag::default() }];
    let etag = Etag { md5: [1; 16], parts: 1 };
    store.complete_upload(completes, upload, &named, etag, None, Precondition::None).await.unwrap();
}

async fn append(store: &Store, grant: &Grant, offset: u64) {
    let (mut writer, _) = store.appender(grant, offset, Some(3), None, None).unwrap();
    writer.write(Bytes::from_static(b"abc")).await.unwrap();
    writer
        .commit(Attributes { etag: Etag { md5: [2; 16], parts: 1 }, ..Attributes::default() }, Precondition::None)
        .await
        .unwrap();
}

fn owner(store: &Store, key: &str) -> (u32, u32, u32) {
    let Posix { uid, gid, mode, .. } =
        store.describe(&node::grant(Action::GetObject, "ticks", key), None).unwrap().posix;
    (uid, gid, mode)
}

/// Whatever made it, and wherever it moves: the maker's uid and first gid, mode 0640.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_its_makers() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    let by = |posix, key| leave(posix, Action::PutObject, key);
    node::put(&store, "ticks", "of-root", b"1").await;
    put(&store, &by(None, "of-nobody"), b"1").await;
    put(&store, &by(ids(1001, &[100, 7]), "small"), b"1").await;
    put(&store, &by(ids(1002, &[]), "without-group"), b"1").await;
    put(&store, &by(ids(1003, &[3]), "large"), &body(2, 3 << 20)).await;
    upload(&store, &by(ids(5, &[5]), "completed"), &by(ids(1004, &[4]), "completed")).await;
    append(&store, &by(ids(1005, &[5]), "begun"), 0).await;
    // What is there keeps whose it is; what takes its place is another's.
    append(&store, &by(ids(9, &[9]), "begun"), 3).await;
    put(&store, &by(ids(9, &[9]), "replaced"), b"1").await;
    put(&store, &by(ids(1006, &[6]), "replaced"), b"2").await;
    put(&store, &by(ids(1007, &[7]), "before"), b"1").await;
    let terms = RenameTerms::default();
    let source = node::grant(Action::DeleteObject, "ticks", "before");
    store.rename(&source, &by(ids(9, &[9]), "renamed"), terms).await.unwrap();
    let tagging = leave(ids(9, &[9]), Action::PutObjectTagging, "small");
    store.amend(&tagging, None, AttributeChange::Tags(vec![("a".into(), "b".into())]), None).await.unwrap();

    for round in 0..3 {
        for (key, uid, gid) in [
            ("of-root", 0, 0),
            ("of-nobody", 0, 0),
            ("small", 1001, 100),
            ("without-group", 1002, NO_GROUP),
            ("large", 1003, 3),
            ("completed", 1004, 4),
            ("begun", 1005, 5),
            ("replaced", 1006, 6),
            ("renamed", 1007, 7),
        ] {
            assert_eq!(owner(&store, key), (uid, gid, 0o640), "{key} in round {round}");
        }
        if round == 0 {
            let sealing = store.clone();
            tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
        } else {
            node::close(&store);
            drop(store);
            std::fs::remove_dir_all(node.index()).unwrap();
            store = node.open();
        }
    }
    node::close(&store);
}
