//! Directories know when names in or below them changed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use node::{Node, body, profile};
use packstone_access::Action;
use packstone_store::object::RenameTerms;
use packstone_store::{NameChange, Store};

/// When names in or below a directory changed since the start; 0 where none did.
fn changed(store: &Store, path: &str) -> i64 {
    let bucket = store.bucket_state("ticks").unwrap().bucket.id;
    match store.names_changed(bucket, path) {
        NameChange::By(then) => then,
        NameChange::Before(_) => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_for_all_directories_above_it_and_no_other() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    assert_eq!(changed(&store, ""), 0);
    let by_s3 = |path| store.names_changed_by_s3(store.bucket_state("ticks").unwrap().bucket.id, path);
    node::put(&store, "ticks", "a/b/first", &body(1, 10)).await;
    let first = changed(&store, "a/b/");
    assert!(first > 0);
    assert_eq!((changed(&store, "a/"), changed(&store, "")), (first, first));
    assert_eq!((by_s3("a/b/"), by_s3("a/"), by_s3("")), (Some(first), Some(first), Some(first)));
    assert_eq!((changed(&store, "a/c/"), changed(&store, "b/")), (0, 0));
    node::put(&store, "ticks", "a/b/first", &body(2, 10)).await;
    let second = changed(&store, "a/b/");
    assert!(second > first, "what S3 puts is another file under the name");
    node::delete(&store, "ticks", "a/b/first").await;
    assert!(changed(&store, "a/b/") > second);
    assert!(by_s3("a/b/") > Some(second));
    assert!(by_s3("a/") > Some(second) && by_s3("") > Some(second), "the directories may have gone with it");
    assert_eq!((by_s3("a/c/"), by_s3("b/")), (None, None));
    node::put(&store, "ticks", "a/d/", &[]).await;
    let marked = changed(&store, "a/");
    assert_eq!(by_s3("a/"), Some(marked));
    node::delete(&store, "ticks", "a/d/").await;
    assert!(by_s3("a/") > Some(marked), "a directory that is told of by its marker alone goes with it");
    node::put(&store, "ticks", "a/d/", &[]).await;
    let marked = by_s3("a/");
    store.unlink(&node::grant(Action::DeleteObject, "ticks", "a/d/")).await.unwrap();
    assert_eq!(by_s3("a/"), marked, "what a mount removes is its own to say");
    assert!(Some(changed(&store, "a/")) > marked);
    node::put(&store, "ticks", "c/two", &body(3, 10)).await;
    let third = changed(&store, "c/");
    node::put(&store, "ticks", "a/one", &body(4, 10)).await;
    let (from, to) =
        (node::grant(Action::DeleteObject, "ticks", "a/one"), node::grant(Action::PutObject, "ticks", "c/two"));
    store.rename(&from, &to, RenameTerms::default()).await.unwrap();
    assert!(changed(&store, "c/") > third && by_s3("c/") > Some(third), "the name leads to another file");
    node::put(&store, "ticks", "other", &body(3, 10)).await;
    assert!(changed(&store, "") > changed(&store, "a/b/"));
    node::close(&store);
}
