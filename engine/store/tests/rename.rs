//! Renaming objects.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::time::Duration;

use node::{Node, body, grant, profile};
use packstone_access::Action;
use packstone_store::object::*;
use packstone_store::{Error, Result, Store};

async fn rename(store: &Store, from: &str, to: &str, terms: RenameTerms) -> Result<Version> {
    let source = grant(Action::DeleteObject, "ticks", from);
    store.rename(&source, &grant(Action::PutObject, "ticks", to), terms).await
}

async fn sealed(store: &Store) {
    let sealing = store.clone();
    tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
}

fn described(store: &Store, key: &str) -> Result<Version> {
    store.describe(&grant(Action::GetObject, "ticks", key), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_keeps_everything_but_its_key() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    let bodies =
        [("none", body(1, 0)), ("small", body(2, 5000)), ("packed", vec![7; 50_000]), ("large", body(3, 3 << 20))];
    let mut before = Vec::new();
    for (key, content) in &bodies {
        node::put(&store, "ticks", key, content).await;
        let tags = vec![("desk".to_owned(), (*key).to_owned())];
        let tagging = grant(Action::PutObjectTagging, "ticks", key);
        store.amend(&tagging, None, AttributeChange::Tags(tags), None).await.unwrap();
        before.push(described(&store, key).unwrap());
    }
    for round in 0..3 {
        for (key, _) in &bodies {
            let (from, to) = (format!("{key}{}", "'".repeat(round)), format!("{key}{}", "'".repeat(round + 1)));
            rename(&store, &from, &to, RenameTerms::default()).await.unwrap();
            assert!(matches!(node::get(&store, "ticks", &from).await, Err(Error::NoSuchKey)));
        }
        match round {
            0 => sealed(&store).await,
            1 => {
                node::close(&store);
                drop(store);
                std::fs::remove_dir_all(node.index()).unwrap();
                store = node.open();
            }
            _ => {}
        }
        for ((key, content), before) in bodies.iter().zip(&before) {
            let key = format!("{key}{}", "'".repeat(round + 1));
            assert!(node::get(&store, "ticks", &key).await.unwrap() == *content, "{key}");
            let after = described(&store, &key).unwrap();
            assert_eq!((after.size, after.modified), (before.size, before.modified), "{key}");
            assert_eq!(after.attributes, before.attributes, "{key}");
        }
    }
    let report = tokio::task::block_in_place(|| store.verify(&node::administer(), 1.0, &node::silent())).unwrap();
    assert_eq!((report.records, report.lost.len()), (4, 0), "{report:?}");
    node::close(&store);
}

/// What a rename hands on stays when the key that it had comes and goes again, and goes with the key that it has.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_streams_live_as_long_as_who_took_them_over() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let whole = body(1, 5 << 20);
    node::put(&store, "ticks", "a", &whole).await;
    rename(&store, "a", "b", RenameTerms::default()).await.unwrap();
    node::put(&store, "ticks", "a", b"other").await;
    node::delete(&store, "ticks", "a").await;
    sealed(&store).await;
    let shards = || {
        let names = (0..4).flat_map(|n| std::fs::read_dir(node.drive(n).join("segments")).unwrap());
        names.filter(|name| name.as_ref().unwrap().metadata().unwrap().len() > 1 << 20).count()
    };
    // Long enough for a stream that nothing claims to be erased.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(node::get(&store, "ticks", "b").await.unwrap() == whole && shards() == 4);
    node::delete(&store, "ticks", "b").await;
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while shards() > 0 {
        assert!(std::time::Instant::now() < deadline, "the stream outlived the last object in it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_asked_of_both_keys() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    node::put(&store, "ticks", "a", b"first").await;
    node::put(&store, "ticks", "b", b"second").await;
    let other = NamedTag::Is(Etag { md5: [9; 16], parts: 0 });
    let same = NamedTag::Is(Etag::default());
    let of_source = |source| RenameTerms { source, ..RenameTerms::default() };
    let of_destination = |destination| RenameTerms { destination, ..RenameTerms::default() };
    let matches = |tag| Conditions { matches: Some(tag), ..Conditions::default() };
    let none_match = |tag| Conditions { none_match: Some(tag), ..Conditions::default() };
    let modified = |modified_since| Conditions { modified_since, ..Conditions::default() };
    let unmodified = |unmodified_since| Conditions { unmodified_since, ..Conditions::default() };
    for terms in [
        of_source(matches(other)),
        of_source(none_match(NamedTag::Any)),
        of_source(none_match(same)),
        of_source(modified(Some(i64::MAX))),
        of_source(unmodified(Some(0))),
        of_destination(matches(other)),
        of_destination(none_match(NamedTag::Any)),
        of_destination(unmodified(Some(0))),
    ] {
        let refused = rename(&store, "a", "b", terms.clone()).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)), "{terms:?}: {refused:?}");
    }
    for absent in [matches(NamedTag::Any), modified(Some(0))] {
        let refused = rename(&store, "a", "c", of_destination(absent)).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    }
    let refused = rename(&store, "c", "a", RenameTerms::default()).await;
    assert!(matches!(refused, Err(Error::NoSuchKey)));
    rename(&store, "a", "a", RenameTerms::default()).await.unwrap();
    let terms = RenameTerms { source: matches(same), destination: matches(same), ..RenameTerms::default() };
    rename(&store, "a", "b", terms).await.unwrap();
    assert_eq!(node::get(&store, "ticks", "b").await.unwrap(), b"first");
    rename(&store, "b", "c", of_destination(none_match(NamedTag::Any))).await.unwrap();
    assert_eq!(node::get(&store, "ticks", "c").await.unwrap(), b"first");
    let page = store.list(&grant(Action::ListBucket, "ticks", ""), &ListQuery { limit: 9, ..Default::default() });
    assert_eq!(page.unwrap().entries.len(), 1);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_a_rename_happen_once() {
    let node = Node::new(profile(2, 1));
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    node::put(&store, "ticks", "a", b"first").await;
    let token = |request| Some(RenameToken { token: [1; 16], request: [request; 16] });
    let asked = |request| RenameTerms { token: token(request), ..RenameTerms::default() };
    rename(&store, "a", "b", asked(1)).await.unwrap();
    node::put(&store, "ticks", "a", b"second").await;
    node::close(&store);
    drop(store);
    store = node.open();
    rename(&store, "a", "b", asked(1)).await.unwrap();
    assert_eq!(node::get(&store, "ticks", "b").await.unwrap(), b"first");
    assert_eq!(node::get(&store, "ticks", "a").await.unwrap(), b"second");
    assert!(matches!(rename(&store, "a", "b", asked(2)).await, Err(Error::TokenReused)));
    rename(&store, "a", "b", RenameTerms::default()).await.unwrap();
    assert_eq!(described(&store, "b").unwrap().attributes.renamed, None);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_versions_are_kept_nothing_is_renamed() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    node::put(&store, "ticks", "a", b"first").await;
    for versioning in [Versioning::Enabled, Versioning::Suspended] {
        let value = versioning.encode().map(Into::into);
        let put = grant(Action::PutBucketVersioning, "ticks", "");
        store.put_document(&put, "versioning", "", value, Replaces::Anything).await.unwrap();
        let refused = rename(&store, "a", "b", RenameTerms::default()).await;
        assert!(matches!(refused, Err(Error::InvalidBucketState(_))), "{refused:?}");
    }
    assert_eq!(node::get(&store, "ticks", "a").await.unwrap(), b"first");
    node::close(&store);
}

/// Writers of the source and renames of it race: whatever comes first, nothing is mixed and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_takes_along_what_stands_when_it_is_decided() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    for round in 0..40u64 {
        node::put(&store, "ticks", "a", &body(round * 2, 3000)).await;
        let (writing, renaming) = (store.clone(), store.clone());
        let newer = body(round * 2 + 1, 3000);
        let own = newer.clone();
        let writer = tokio::spawn(async move { node::put(&writing, "ticks", "a", &own).await });
        let renamed = tokio::spawn(async move { rename(&renaming, "a", "b", RenameTerms::default()).await });
        writer.await.unwrap();
        renamed.await.unwrap().unwrap();
        let moved = node::get(&store, "ticks", "b").await.unwrap();
        match node::get(&store, "ticks", "a").await {
            Ok(left) => assert!(left == newer && moved == body(round * 2, 3000)),
            Err(_) => assert!(moved == newer),
        }
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rename_carries_is_what_leave_was_given_for() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    node::put(&store, "ticks", "a", b"first").await;
    let seen = described(&store, "a").unwrap().attributes;
    let terms = RenameTerms { carried: Some(seen), ..RenameTerms::default() };
    let tags = AttributeChange::Tags(vec![("class".into(), "public".into())]);
    store.amend(&grant(Action::PutObjectTagging, "ticks", "a"), None, tags, None).await.unwrap();
    assert!(matches!(rename(&store, "a", "b", terms).await, Err(Error::Changed)));
    let terms = RenameTerms { carried: Some(described(&store, "a").unwrap().attributes), ..RenameTerms::default() };
    rename(&store, "a", "b", terms).await.unwrap();
    node::close(&store);
}
