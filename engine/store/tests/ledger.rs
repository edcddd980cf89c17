//! The WORM ledger: what goes in, and that it outlives sealing, restarts, compaction and the index.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod node;

use bytes::Bytes;
use node::{Node, administer, body, grant, profile};
use packstone_access::Action;
use packstone_store::configuration::{OBJECT_LOCK, VERSIONING};
use packstone_store::ledger::{Deed, Event, Held};
use packstone_store::object::*;
use packstone_store::{Error, Store};

const FAR: i64 = 1 << 40;
const GOVERNANCE: Retention = Retention { mode: Mode::Governance, until: FAR };

async fn lock_bucket(store: &Store) {
    let document =
        |kind: &str, value: Vec<u8>| NewDocument { kind: kind.into(), name: String::new(), value: value.into() };
    let documents = vec![
        document(VERSIONING, Versioning::Enabled.encode().unwrap()),
        document(OBJECT_LOCK, ObjectLock::default().encode()),
    ];
    store.create_bucket(&grant(Action::CreateBucket, "bkt", ""), documents).await.unwrap();
}

async fn govern(store: &Store, key: &str) -> VersionId {
    let version = node::put(store, "bkt", key, b"a fill").await.version;
    amend(store, key, version, AttributeChange::Retention(Some(GOVERNANCE))).await;
    version
}

async fn amend(store: &Store, key: &str, version: VersionId, change: AttributeChange) {
    let action = match change {
        AttributeChange::LegalHold(_) => Action::PutObjectLegalHold,
        _ => Action::PutObjectRetention,
    };
    let bypass = grant(Action::BypassGovernanceRetention, "bkt", key);
    store.amend(&grant(action, "bkt", key), Some(version), change, Some(&bypass)).await.unwrap();
}

async fn end(store: &Store, key: &str, version: VersionId) {
    let bypass = grant(Action::BypassGovernanceRetention, "bkt", key);
    let delete = grant(Action::DeleteObjectVersion, "bkt", key);
    store.delete_version(&delete, version, Precondition::None, Some(&bypass)).await.unwrap();
}

fn events(store: &Store) -> Vec<(u64, Event)> {
    store.worm_events(&administer(), 0).unwrap()
}

fn deeds(store: &Store) -> Vec<Deed> {
    events(store).into_iter().map(|(_, event)| event.deed).collect()
}

fn held(key: &str, version: VersionId) -> Held {
    Held { bucket: "bkt".into(), key: key.into(), version }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_loosens_is_told_and_nothing_else() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    lock_bucket(&store).await;
    let (one, two) = (govern(&store, "one").await, govern(&store, "two").await);
    let free = node::put(&store, "bkt", "free", b"").await.version;
    end(&store, "free", free).await;
    let longer = Retention { until: FAR + 1, ..GOVERNANCE };
    amend(&store, "one", one, AttributeChange::Retention(Some(longer))).await;
    amend(&store, "one", one, AttributeChange::LegalHold(true)).await;
    assert_eq!(deeds(&store), vec![], "nothing was held, or it is held for longer");

    amend(&store, "one", one, AttributeChange::LegalHold(false)).await;
    amend(&store, "one", one, AttributeChange::LegalHold(false)).await;
    amend(&store, "one", one, AttributeChange::Retention(Some(GOVERNANCE))).await;
    amend(&store, "one", one, AttributeChange::Retention(None)).await;
    amend(&store, "one", one, AttributeChange::Retention(None)).await;
    end(&store, "one", one).await;
    end(&store, "two", two).await;
    end(&store, "two", two).await;
    assert_eq!(
        deeds(&store),
        vec![
            Deed::Released { held: held("one", one) },
            Deed::Loosened { held: held("one", one), from: longer, to: Some(GOVERNANCE) },
            Deed::Loosened { held: held("one", one), from: GOVERNANCE, to: None },
            Deed::Ended { held: held("two", two), retention: GOVERNANCE },
        ]
    );
    let told = events(&store);
    assert!(told.iter().all(|(_, event)| event.actor == "root" && event.at > 0 && event.compliance > 0));
    assert!(told.is_sorted_by_key(|(lsn, _)| *lsn));
    assert_eq!(store.worm_events(&administer(), told[1].0).unwrap(), told[2..]);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_writes_in_it() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    lock_bucket(&store).await;
    let version = govern(&store, "k").await;
    end(&store, "k", version).await;
    let name = format!("{:016x}", events(&store)[0].0);
    for kind in ["worm-event", "clock-approval"] {
        for value in [None, Some(Bytes::new())] {
            let written = store.put_document(&administer(), kind, &name, value, Replaces::Anything).await;
            assert!(matches!(written, Err(Error::InvalidDocument(_))), "{written:?}");
        }
    }
    assert_eq!(deeds(&store).len(), 1);
    assert!(!store.has_node_documents(&administer()).unwrap(), "it hangs on no master key");
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_sealing_compaction_and_the_index() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    lock_bucket(&store).await;
    let mut ended = Vec::new();
    for number in 0..40_u64 {
        let key = number.to_string();
        let version = node::put(&store, "bkt", &key, &body(number, 100_000)).await.version;
        amend(&store, &key, version, AttributeChange::Retention(Some(GOVERNANCE))).await;
        if number % 8 != 0 {
            end(&store, &key, version).await;
            ended.push(Deed::Ended { held: held(&key, version), retention: GOVERNANCE });
        }
    }
    tokio::task::block_in_place(|| store.seal()).unwrap();
    let segments = |store: &Store| store.status(&administer()).unwrap().pools[0].clone();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while segments(&store).dead * 4 > segments(&store).bytes {
        assert!(std::time::Instant::now() < deadline, "nothing was compacted");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for anew in [false, true, false] {
        assert_eq!(deeds(&store), ended);
        node::close(&store);
        drop(store);
        if anew {
            std::fs::remove_dir_all(node.index()).unwrap();
        }
        store = node.open();
    }
    node::close(&store);
}
