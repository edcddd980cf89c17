//! Dictionaries: trained from what comes, used by what comes then, and read by every way that reads.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::time::{Duration, Instant};

use bytes::Bytes;
use node::{Node, administer, body, close, create_bucket, delete, get, grant, profile, put, silent};
use packstone_access::Action;
use packstone_store::compression::{Compressed, Method};
use packstone_store::object::*;
use packstone_store::{Error, Store, rebuild_index};

/// Enough for a family's reservoir, on however many threads.
const ENOUGH: u64 = 2600;
/// Puts under way at a time.
const AT_ONCE: u64 = 100;

/// Quotes as text: alike, and never the same.
fn quotes(seed: u64) -> Vec<u8> {
    let noise = body(seed + 1, 256);
    let mut text = String::from("timestamp,sequence,symbol,bid_price,bid_size,ask_price,ask_size,venue\n");
    for row in noise.chunks(16).take(4 + (seed % 12) as usize) {
        let (bid, size) = (u32::from(row[0]) + 18_000, u32::from(row[1]) % 40);
        let micros = u32::from_le_bytes([row[2], row[3], row[4], 0]) % 1_000_000;
        let sequence = u32::from_le_bytes([row[5], row[6], row[7], 0]);
        text +=
            &format!("2026-01-05T14:30:{:02}.{micros:06}Z,{sequence},ES,{}.{:02},", seed % 60, bid / 100, bid % 100);
        text += &format!("{size}00,{}.{:02},{}00,XNAS\n", bid / 100, bid % 100 + 1, size % 7);
    }
    text.into_bytes()
}

async fn put_many(store: &Store, bucket: &'static str, keys: std::ops::Range<u64>, content: fn(u64) -> Vec<u8>) {
    for first in keys.clone().step_by(AT_ONCE as usize) {
        let puts = (first..keys.end.min(first + AT_ONCE)).map(|number| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, bucket, &format!("q/{number}.csv"), &content(number)).await })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
    }
}

fn trained(store: &Store) -> u64 {
    store.status(&administer()).unwrap().trained_dictionaries
}

fn compressed(store: &Store, method: Method) -> Compressed {
    store.status(&administer()).unwrap().compressed.into_iter().find(|(held, _)| *held == method).unwrap().1
}

async fn wait_for_training(store: &Store) {
    let began = Instant::now();
    while trained(store) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is trained");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A store whose bucket `bkt` has a dictionary, and some objects that were written with it.
async fn with_dictionary(node: &Node) -> Store {
    let store = node.open();
    create_bucket(&store, "bkt").await;
    put_many(&store, "bkt", 0..ENOUGH, quotes).await;
    wait_for_training(&store).await;
    assert_eq!(compressed(&store, Method::Dictionary), Compressed::default());
    put_many(&store, "bkt", 10_000..10_200, quotes).await;
    let (before, since) = (compressed(&store, Method::Zstd), compressed(&store, Method::Dictionary));
    assert!(since.sent > 50_000, "objects that come are compressed with it");
    assert!(since.stored * before.sent * 10 < before.stored * since.sent * 9, "{before:?} {since:?}");
    store
}

async fn check(store: &Store) {
    for number in (0..ENOUGH).step_by(97).chain(10_000..10_200) {
        let (key, expected) = (format!("q/{number}.csv"), quotes(number));
        match get(store, "bkt", &key).await {
            Ok(held) => assert!(held == expected, "{key}"),
            Err(Error::NoSuchKey) => assert!(number.is_multiple_of(2), "{key}"),
            Err(error) => panic!("{key}: {error}"),
        }
    }
    let mut object = store.get(&grant(Action::GetObject, "bkt", "q/10001.csv"), None).unwrap().read(10..50);
    assert_eq!(object.next().await.unwrap().unwrap(), quotes(10_001)[10..50]);
    let report = tokio::task::block_in_place(|| store.verify(&administer(), 1.0, &silent())).unwrap();
    assert!(report.lost.is_empty() && report.faults.is_empty(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_dictionary_made_small_is_read_wherever_it_goes() {
    let node = Node::new(profile(3, 1));
    let store = with_dictionary(&node).await;
    check(&store).await;
    tokio::task::block_in_place(|| store.seal()).unwrap();
    check(&store).await;

    // Renamed with its bytes as they are stored, and appended to with its bytes in a stream.
    let (from, to) =
        (grant(Action::DeleteObject, "bkt", "q/10000.csv"), grant(Action::PutObject, "bkt", "r/10000.txt"));
    store.rename(&from, &to, RenameTerms::default()).await.unwrap();
    assert_eq!(get(&store, "bkt", "r/10000.txt").await.unwrap(), quotes(10_000));
    put(&store, "bkt", "q/appended.csv", &quotes(10_002)).await;
    let append = grant(Action::PutObject, "bkt", "q/appended.csv");
    let base = quotes(10_002);
    let (mut writer, _) = store.appender(&append, base.len() as u64, None, None, None).unwrap();
    writer.write(Bytes::from_static(b"the end\n")).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await.unwrap();
    assert_eq!(get(&store, "bkt", "q/appended.csv").await.unwrap(), [&base[..], b"the end\n"].concat());

    // Compaction carries what lives, the dictionary with it.
    for number in (0..ENOUGH).filter(|number| number.is_multiple_of(2)) {
        delete(&store, "bkt", &format!("q/{number}.csv")).await;
    }
    tokio::task::block_in_place(|| store.seal()).unwrap();
    let began = Instant::now();
    while store.status(&administer()).unwrap().pools[0].dead > 200_000 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is compacted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    check(&store).await;
    close(&store);
    drop(store);

    let store = node.open();
    check(&store).await;
    close(&store);
    drop(store);
    tokio::task::block_in_place(|| rebuild_index(&node.settings, &silent())).unwrap();
    let store = node.open();
    check(&store).await;
    assert_eq!(get(&store, "bkt", "r/10000.txt").await.unwrap(), quotes(10_000));
    put(&store, "bkt", "q/new.csv", &quotes(1)).await;
    assert!(compressed(&store, Method::Dictionary).sent > 0, "it is used again at once");
    close(&store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_dictionary_survives_a_crash_right_after_it_was_put() {
    let node = Node::new(profile(1, 1));
    let store = node.open();
    create_bucket(&store, "bkt").await;
    put_many(&store, "bkt", 0..ENOUGH, quotes).await;
    wait_for_training(&store).await;
    drop(store);
    std::fs::remove_dir_all(node.index()).unwrap();
    let store = node.open();
    assert_eq!(store.status(&administer()).unwrap().dictionaries, 1);
    put_many(&store, "bkt", 10_000..10_200, quotes).await;
    assert!(compressed(&store, Method::Dictionary).sent > 0);
    check(&store).await;
    close(&store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bucket_that_gains_nothing_gets_none_and_its_end_ends_them() {
    let node = Node::new(profile(1, 1));
    let store = with_dictionary(&node).await;
    create_bucket(&store, "noise").await;
    put_many(&store, "noise", 0..ENOUGH, |seed| body(seed, 700)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let of = |name: &str| store.bucket_state(name).unwrap().documents("dictionary").count();
    assert_eq!((of("bkt") > 0, of("noise")), (true, 0));
    put_many(&store, "noise", 0..1, quotes).await;
    delete(&store, "noise", "q/0.csv").await;

    // No face writes or removes one.
    let change = grant(Action::PutBucketPolicy, "bkt", "");
    for value in [None, Some(Bytes::from_static(b"x"))] {
        assert!(store.put_document(&change, "dictionary", "1", value, Replaces::Anything).await.is_err());
    }
    let given = NewDocument { kind: "dictionary".into(), name: "1".into(), value: Bytes::from_static(b"x") };
    let create = grant(Action::CreateBucket, "given", "");
    assert!(store.create_bucket(&create, vec![given]).await.is_err());

    for number in (0..ENOUGH).chain(10_000..10_200) {
        delete(&store, "bkt", &format!("q/{number}.csv")).await;
    }
    store.delete_bucket(&grant(Action::DeleteBucket, "bkt", "")).await.unwrap();
    assert_eq!(store.status(&administer()).unwrap().dictionaries, 0);
    close(&store);
}

/// Puts objects that are encrypted under the bucket's key.
async fn put_encrypted(store: &Store, keys: std::ops::Range<u64>) {
    for first in keys.clone().step_by(AT_ONCE as usize) {
        let puts = (first..keys.end.min(first + AT_ONCE)).map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let put = grant(Action::PutObject, "bkt", &format!("q/{number}.csv"));
                let cipher = store.cipher(&put, EncryptionRequest::Managed).await.unwrap();
                let content = quotes(number);
                let mut writer = store.writer(&put, Some(content.len() as u64), Some(cipher)).unwrap();
                writer.write(content.into()).await.unwrap();
                writer.commit(Attributes::default(), Precondition::None).await.unwrap();
            })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_trained_from_what_is_encrypted_but_what_there_is_serves_it() {
    let node = Node::encrypting();
    let store = node.open();
    create_bucket(&store, "bkt").await;
    put_encrypted(&store, 0..ENOUGH).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(trained(&store), 0);

    put_many(&store, "bkt", 20_000..20_000 + ENOUGH, quotes).await;
    wait_for_training(&store).await;
    put_encrypted(&store, 10_000..10_100).await;
    assert!(compressed(&store, Method::Dictionary).sent > 0);
    close(&store);
    drop(store);
    let store = node.open();
    for number in (10_000..10_100).chain(0..20) {
        let object = store.get(&grant(Action::GetObject, "bkt", &format!("q/{number}.csv")), None).unwrap();
        let size = object.version.size;
        let mut reader = object.unlocked(None).unwrap().read(0..size);
        assert_eq!(reader.next().await.unwrap().unwrap(), quotes(number));
    }
    close(&store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_without_dictionaries_reads_what_was_written_with_them() {
    let mut node = Node::new(profile(1, 1));
    let store = with_dictionary(&node).await;
    close(&store);
    drop(store);
    node.settings.dictionaries = false;
    let store = node.open();
    check(&store).await;
    put_many(&store, "bkt", 30_000..30_000 + 200, quotes).await;
    assert_eq!(compressed(&store, Method::Dictionary), Compressed::default());
    close(&store);
}
