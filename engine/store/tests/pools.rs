//! Several pools: what belongs to one comes to stand in it, and is never in neither.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test: a panic is its answer")]

mod node;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use node::*;
use packstone_access::Action;
use packstone_store::object::*;
use packstone_store::placement::StorageClass;
use packstone_store::pool::DriveClass;
use packstone_store::recovery::drives::PoolSettings;
use packstone_store::status::PoolStatus;
use packstone_store::{Settings, Store, initialise};

fn pool(scratch: &tempfile::TempDir, name: &str, class: DriveClass, (data, parity): (u8, u8)) -> PoolSettings {
    let drives: Vec<PathBuf> =
        (0..data + parity).map(|number| scratch.path().join(format!("{name}{number}"))).collect();
    PoolSettings::new(name, class, profile(data, parity), drives)
}

/// A fast pool at 3+1 and a slow one at 2+1.
fn two_pools() -> (tempfile::TempDir, Settings) {
    let scratch = tempfile::tempdir().unwrap();
    let pools = vec![pool(&scratch, "fast", DriveClass::Ssd, (3, 1)), pool(&scratch, "slow", DriveClass::Hdd, (2, 1))];
    let settings = Settings { dead_share: 0.99, ..Settings::small(scratch.path().join("index"), pools) };
    initialise(&settings, false).unwrap();
    (scratch, settings)
}

async fn put_as(store: &Store, key: &str, body: &[u8], class: StorageClass) {
    let grant = grant(Action::PutObject, "ticks", key);
    let mut writer = store.writer(&grant, Some(body.len() as u64), None).unwrap().in_class(class);
    for piece in body.chunks(100_000) {
        writer.write(bytes::Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let headers = vec![(SystemHeader::StorageClass, class.name().to_owned())];
    writer.commit(Attributes { headers, ..Attributes::default() }, Precondition::None).await.unwrap();
}

/// Runs what blocks.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

fn pools(store: &Store) -> Vec<PoolStatus> {
    store.status(&administer()).unwrap().pools
}

/// Live bytes of a pool's segments.
fn live(store: &Store, name: &str) -> u64 {
    pools(store).iter().filter(|pool| pool.name == name).map(|pool| pool.bytes - pool.dead).sum()
}

fn await_that(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until nothing stands elsewhere than it belongs.
fn await_moved(store: &Store) {
    await_that("everything is in its place", || {
        let moving = store.status(&administer()).unwrap().moving;
        !moving.looking && moving.displaced == 0
    });
}

async fn assert_holds(store: &Store, bodies: &[(String, Vec<u8>)]) {
    for (key, body) in bodies {
        assert!(get(store, "ticks", key).await.unwrap() == *body, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_class_says_which_pool() {
    let (_scratch, settings) = two_pools();
    let store = Store::open(&settings).unwrap();
    create_bucket(&store, "ticks").await;
    let large = body(1, 3 << 20);
    put_as(&store, "hot", &large, StorageClass::Standard).await;
    assert_eq!(live(&store, "slow"), 0);
    put_as(&store, "cold", &large, StorageClass::Glacier).await;
    aside(|| store.seal()).unwrap();
    assert!(live(&store, "slow") >= 3 << 20, "a large body goes there at once");
    let before = live(&store, "slow");
    // Of a journal most of which is cold, all goes there; what doesn't belong there is brought back.
    let small: Vec<_> = (0..40).map(|number| (format!("small/{number}"), body(number, 5000))).collect();
    for (number, (key, body)) in (0..).zip(&small) {
        put_as(&store, key, body, if number % 4 == 0 { StorageClass::Standard } else { StorageClass::StandardIa })
            .await;
    }
    aside(|| store.seal()).unwrap();
    assert_eq!(live(&store, "slow") - before, 40 * 5000);
    aside(|| store.close());
    drop(store);
    let store = Store::open(&settings).unwrap();
    await_that("ten records are carried back", || live(&store, "slow") - before == 30 * 5000);
    await_moved(&store);
    assert_holds(&store, &small).await;
    assert!(
        get(&store, "ticks", "cold").await.unwrap() == large && get(&store, "ticks", "hot").await.unwrap() == large
    );
    aside(|| store.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_moves_a_prefix_and_its_end_moves_it_back() {
    let (_scratch, settings) = two_pools();
    let store = Store::open(&settings).unwrap();
    create_bucket(&store, "ticks").await;
    let mut bodies: Vec<_> = (0..30).map(|number| (format!("2020/{number}"), body(number, 4000))).collect();
    bodies.extend((0..30).map(|number| (format!("2026/{number}"), body(100 + number, 4000))));
    bodies.push(("2020/large".into(), body(7, 2 << 20)));
    for (key, body) in &bodies {
        put(&store, "ticks", key, body).await;
    }
    aside(|| store.seal()).unwrap();
    let all = live(&store, "fast");
    let admin = administer();
    assert!(aside(|| store.place(&admin, "ticks", "2020/", Some("tape"))).is_err(), "there is no such pool");
    aside(|| store.place(&admin, "ticks", "2020/", Some("slow"))).unwrap();
    await_moved(&store);
    assert_eq!(live(&store, "slow"), 30 * 4000 + (2 << 20));
    assert_eq!(live(&store, "fast") + live(&store, "slow"), all);
    assert!(store.status(&admin).unwrap().moving.moved >= 30 * 4000 + (2 << 20));
    assert_holds(&store, &bodies).await;
    // What comes under the prefix goes there, too.
    put(&store, "ticks", "2020/more", &body(8, 2 << 20)).await;
    assert_eq!(live(&store, "slow"), 30 * 4000 + (4 << 20));
    aside(|| store.close());
    drop(store);

    // The rule is in the journal, not in the index.
    fs::remove_dir_all(&settings.index).unwrap();
    let store = Store::open(&settings).unwrap();
    assert_eq!(store.placement(&administer(), "ticks").unwrap().of("2020/1"), Some("slow"));
    assert_holds(&store, &bodies).await;
    aside(|| store.place(&administer(), "ticks", "2020/", None)).unwrap();
    await_moved(&store);
    assert_eq!(live(&store, "slow"), 0);
    assert_holds(&store, &bodies).await;
    aside(|| store.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_appends_go_with_their_object() {
    let (_scratch, settings) = two_pools();
    let store = Store::open(&settings).unwrap();
    create_bucket(&store, "ticks").await;
    let headers = vec![(SystemHeader::StorageClass, StorageClass::DeepArchive.name().to_owned())];
    let attributes = Attributes { headers, ..Attributes::default() };
    let opens = grant(Action::PutObject, "ticks", "parts");
    let upload = store.open_upload(&opens, attributes, None).await.unwrap();
    let mut part = store.part_writer(&opens, upload, 1, None, None).unwrap();
    part.write(bytes::Bytes::from(body(1, 50_000))).await.unwrap();
    part.commit(Attributes::default(), Precondition::None).await.unwrap();
    assert_eq!(live(&store, "slow"), 50_000);
    put_as(&store, "log", &body(2, 1000), StorageClass::Glacier).await;
    let (mut appender, _) = store.appender(&grant(Action::PutObject, "ticks", "log"), 1000, None, None, None).unwrap();
    appender.write(bytes::Bytes::from(body(3, 2000))).await.unwrap();
    appender.commit(Attributes::default(), Precondition::None).await.unwrap();
    assert_eq!(live(&store, "slow"), 53_000);
    assert_eq!(get(&store, "ticks", "log").await.unwrap(), [body(2, 1000), body(3, 2000)].concat());
    aside(|| store.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_made_while_the_store_is_open() {
    let scratch = tempfile::tempdir().unwrap();
    let fast = pool(&scratch, "fast", DriveClass::Ssd, (3, 1));
    let mut settings = Settings::small(scratch.path().join("index"), vec![fast]);
    initialise(&settings, false).unwrap();
    let store = Store::open(&settings).unwrap();
    create_bucket(&store, "ticks").await;
    let large = body(1, 2 << 20);
    put_as(&store, "cold", &large, StorageClass::Glacier).await;
    assert!(live(&store, "fast") > 0);
    let admin = administer();
    let slow = pool(&scratch, "slow", DriveClass::Hdd, (2, 2));
    assert!(aside(|| store.create_pool(&admin, &slow)).is_err(), "its drives aren't there");
    slow.drives.iter().for_each(|drive| fs::create_dir(drive).unwrap());
    assert_eq!(aside(|| store.create_pool(&admin, &slow)).unwrap(), 4);
    assert!(aside(|| store.create_pool(&admin, &slow)).is_err(), "it is there");
    let journal = store.status(&admin).unwrap().journal;
    assert_eq!(journal.copies.len(), 3, "two drives may be lost");
    await_moved(&store);
    assert!(live(&store, "slow") >= 2 << 20, "what belongs to the new pool is moved there");
    assert!(get(&store, "ticks", "cold").await.unwrap() == large);
    aside(|| store.close());
    drop(store);

    // Pools have their numbers from their drives, not from their order.
    settings.pools.insert(0, slow);
    let store = Store::open(&settings).unwrap();
    assert!(get(&store, "ticks", "cold").await.unwrap() == large);
    assert!(live(&store, "slow") >= 2 << 20 && pools(&store).iter().all(|pool| pool.degraded == 0));
    put_as(&store, "more", &large, StorageClass::Glacier).await;
    assert!(live(&store, "slow") >= 4 << 20);
    aside(|| store.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_changed_for_what_comes() {
    let scratch = tempfile::tempdir().unwrap();
    let mut settings =
        Settings::small(scratch.path().join("index"), vec![pool(&scratch, "fast", DriveClass::Ssd, (3, 1))]);
    initialise(&settings, false).unwrap();
    let mut bodies: Vec<(String, Vec<u8>)> = Vec::new();
    for (turn, (data, parity)) in [(3, 1), (2, 2), (1, 1), (2, 1)].into_iter().enumerate() {
        settings.pools[0].profile = profile(data, parity);
        let store = Store::open(&settings).unwrap();
        if turn == 0 {
            create_bucket(&store, "ticks").await;
        }
        for number in 0..20 {
            bodies.push((format!("{turn}/{number}"), body(number, if number % 10 == 0 { 2 << 20 } else { 5000 })));
        }
        for (key, body) in &bodies[turn * 20..] {
            put(&store, "ticks", key, body).await;
        }
        aside(|| store.seal()).unwrap();
        assert_holds(&store, &bodies).await;
        assert_eq!(store.status(&administer()).unwrap().journal.copies.len(), usize::from(parity) + 1);
        aside(|| store.close());
    }
    // What was written at each of them bears the loss of a drive.
    fs::rename(&settings.pools[0].drives[1], scratch.path().join("away")).unwrap();
    let store = Store::open(&settings).unwrap();
    assert_holds(&store, &bodies).await;
    aside(|| store.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_was_never_made_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let fast = pool(&scratch, "fast", DriveClass::Ssd, (3, 1));
    let mut settings = Settings::small(scratch.path().join("index"), vec![fast]);
    initialise(&settings, false).unwrap();
    settings.pools.push(pool(&scratch, "slow", DriveClass::Hdd, (2, 4)));
    let store = Store::open(&settings).unwrap();
    create_bucket(&store, "ticks").await;
    put_as(&store, "cold", &body(1, 2 << 20), StorageClass::Glacier).await;
    assert_eq!(pools(&store).len(), 1);
    assert_eq!(store.status(&administer()).unwrap().journal.copies.len(), 2);
    aside(|| store.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn drives_that_are_missing_together_keep_their_numbers() {
    let scratch = tempfile::tempdir().unwrap();
    let pools = vec![pool(&scratch, "fast", DriveClass::Ssd, (3, 2)), pool(&scratch, "slow", DriveClass::Hdd, (2, 2))];
    let mut settings = Settings::small(scratch.path().join("index"), pools);
    initialise(&settings, false).unwrap();
    let store = Store::open(&settings).unwrap();
    create_bucket(&store, "ticks").await;
    let bodies: Vec<_> = (0..20).map(|number| (number.to_string(), body(number, 100_000))).collect();
    for (number, (key, body)) in (0..).zip(&bodies) {
        put_as(&store, key, body, if number % 2 == 0 { StorageClass::Standard } else { StorageClass::Glacier }).await;
    }
    let numbers = |store: &Store| -> Vec<(String, u16, String)> {
        let drives = store.status(&administer()).unwrap().drives;
        let mut numbers: Vec<_> = drives.into_iter().map(|drive| (drive.path, drive.number, drive.pool)).collect();
        numbers.sort();
        numbers
    };
    let before = numbers(&store);
    aside(|| store.close());
    drop(store);
    let (fast, slow) = (settings.pools[0].drives[1].clone(), settings.pools[1].drives[3].clone());
    fs::remove_dir_all(&fast).unwrap();
    fs::remove_dir_all(&slow).unwrap();
    // Of the two, one is exchanged while nothing is there of the other; and the order of the pools is another one.
    fs::create_dir(&fast).unwrap();
    settings.pools.reverse();
    packstone_store::replace_drive(&settings, &fast).unwrap();
    let store = Store::open(&settings).unwrap();
    assert_eq!(numbers(&store), before);
    fs::create_dir(&slow).unwrap();
    aside(|| store.replace_drive(&administer(), &slow)).unwrap();
    assert_eq!(numbers(&store), before);
    assert_holds(&store, &bodies).await;
    aside(|| store.close());
}
