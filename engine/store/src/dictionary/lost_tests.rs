//! What a record says whose dictionary is gone or rotten. Nothing but a fault does that, so the documents are changed
//! here past the verbs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::sync::Arc;

use bytes::Bytes;
use packstone_access::{Action, Actor, Grant, Resource, authorise};

use super::DICTIONARY;
use super::tests::trained;
use crate::commit::Op;
use crate::error::{Error, Result};
use crate::object::{Attributes, Precondition, Replaces};
use crate::pool::{DriveClass, Profile};
use crate::recovery::drives::PoolSettings;
use crate::{Settings, Store, initialise};

fn settings(scratch: &tempfile::TempDir) -> Settings {
    let profile = Profile { data: 1, parity: 0 };
    let drives = vec![scratch.path().join("drive")];
    let pool = PoolSettings::new("main", DriveClass::Ssd, profile, drives);
    Settings { cache_size: 0, ..Settings::small(scratch.path().join("index"), vec![pool]) }
}

fn grant(action: Action, resource: Resource<'_>) -> Grant {
    authorise(&Actor::Root, action, resource).unwrap()
}

const OBJECT: Resource<'_> = Resource::Object { bucket: "bkt", key: "q/a.csv" };

async fn put(store: &Store, body: &'static [u8]) {
    let mut writer = store.writer(&grant(Action::PutObject, OBJECT), None, None).unwrap();
    writer.write(Bytes::from_static(body)).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await.unwrap();
}

async fn get(store: &Store) -> Result<Bytes> {
    let object = store.get(&grant(Action::GetObject, OBJECT), None)?;
    let size = object.version.size;
    object.read(0..size).next().await.unwrap()
}

/// Puts a document in the place of dictionary 5 of the bucket, or takes it away.
async fn set(store: &Store, value: Option<Vec<u8>>) {
    let scope = store.bucket_state("bkt").unwrap().bucket.id;
    let (kind, value) = (DICTIONARY.to_owned(), value.map(Bytes::from));
    let op = Op::PutDocument { scope, kind, name: "5".into(), value, replaces: Replaces::Anything };
    store.inner.queue.commit(op).await.unwrap();
}

const BODY: &[u8] = b"time,sequence,bid,bid_size,ask,ask_size,venue\n\
    2026-01-05T14:30:00.123456Z,7654321,180.01,4500,180.02,300,XNAS\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_dictionary_that_is_gone_or_rotten_is_told_and_no_bytes_are_given() {
    let scratch = tempfile::tempdir().unwrap();
    let settings = settings(&scratch);
    initialise(&settings, true).unwrap();
    let store = Store::open(&settings).unwrap();
    store.create_bucket(&grant(Action::CreateBucket, Resource::Bucket("bkt")), Vec::new()).await.unwrap();
    let bucket = store.bucket_state("bkt").unwrap().bucket.id;
    let right = trained(5).encode(bucket);
    set(&store, Some(right.clone())).await;
    put(&store, BODY).await;
    assert_eq!(get(&store).await.unwrap(), BODY);

    let mut rotten = right.clone();
    rotten.reverse();
    let administer = grant(Action::Administer, Resource::Node);
    for value in [None, Some(rotten.clone())] {
        set(&store, value).await;
        assert!(matches!(get(&store).await, Err(Error::Lost(_))));
        let report = tokio::task::block_in_place(|| store.verify(&administer, 1.0, &(Arc::new(|_, _| true) as _)));
        assert_eq!(report.unwrap().lost, ["bkt/q/a.csv"]);
    }

    // One that can't be read keeps nothing else from being served.
    set(&store, Some(rotten)).await;
    tokio::task::block_in_place(|| store.close());
    drop(store);
    let store = Store::open(&settings).unwrap();
    assert!(matches!(get(&store).await, Err(Error::Lost(_))));
    set(&store, Some(right)).await;
    assert_eq!(get(&store).await.unwrap(), BODY);
    tokio::task::block_in_place(|| store.close());
}
