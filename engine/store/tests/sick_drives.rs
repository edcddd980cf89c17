//! Drives that answer late, or not at all, on real threads: they are noticed and passed over, and writes go on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod moody;
mod node;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moody::{Mood, Moody};
use node::{Node, administer, body, get, profile, put};
use packstone_store::drive::{DirectoryDrive, Drive, DriveState, Space};
use packstone_store::status::DriveStatus;
use packstone_store::{Opener, Store};

/// A drive on a device of its own, each read and sync of which takes so long.
#[derive(Debug)]
struct Delay {
    device: u64,
    millis: AtomicU64,
}

impl Delay {
    fn wait(&self) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(self.millis.load(Ordering::Relaxed)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Mood for Delay {
    fn before_read(&self) {
        self.wait();
    }
    fn before_sync(&self) {
        self.wait();
    }
    fn is_cached(&self) -> bool {
        false
    }
    fn space(&self, real: Space) -> Space {
        Space { device: self.device, ..real }
    }
}

/// A node at 3+1 with a journal on its first two drives, and something stored.
struct Ward {
    node: Node,
    delays: Vec<Arc<Delay>>,
}

impl Ward {
    fn new() -> Self {
        let mut node = Node::new(profile(3, 1));
        node.settings.cache_size = 0;
        node.settings.retry_failed = Duration::from_millis(500);
        // Longer than a busy disk may stall.
        node.settings.io_timeout = Duration::from_secs(30);
        let delay = |number: u64| Arc::new(Delay { device: 1000 + number, millis: AtomicU64::new(0) });
        Self { node, delays: (0..4).map(delay).collect() }
    }

    fn open(&self) -> Store {
        let drives = self.node.settings.pools[0].drives.clone();
        let delays = self.delays.clone();
        let opener: Arc<Opener> = Arc::new(move |path: &Path| {
            let number = drives.iter().position(|drive| drive == path).unwrap();
            let drive = DirectoryDrive::open(path)?;
            Ok(Arc::new(Moody { drive, mood: delays[number].clone() }) as Arc<dyn Drive>)
        });
        Store::open_on(&self.node.settings, opener).unwrap()
    }

    fn delay(&self, number: usize, millis: u64) {
        self.delays[number].millis.store(millis, Ordering::Relaxed);
    }
}

fn drive(store: &Store, number: usize) -> DriveStatus {
    store.status(&administer()).unwrap().drives[number].clone()
}

fn journal_drives(store: &Store) -> Vec<String> {
    store.status(&administer()).unwrap().journal.copies
}

/// Puts and reads until `done`; how long the slowest of the last hundred took.
async fn load_until(store: &Store, from: u64, done: impl Fn(&Store) -> bool) -> [Duration; 2] {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut took = [Vec::new(), Vec::new()];
    let mut number = from;
    while !done(store) {
        assert!(Instant::now() < deadline, "{:?}", store.status(&administer()).unwrap().drives);
        let (key, content) = (number.to_string(), body(number, 5000));
        let began = Instant::now();
        put(store, "ticks", &key, &content).await;
        took[0].push(began.elapsed());
        let old = number % 40;
        let began = Instant::now();
        assert_eq!(get(store, "ticks", &old.to_string()).await.unwrap(), body(old, 5000), "{old}");
        took[1].push(began.elapsed());
        number += 1;
    }
    took.map(|took| took.iter().rev().take(100).max().copied().unwrap_or_default())
}

async fn fill(store: &Store) {
    node::create_bucket(store, "ticks").await;
    for number in 0..40 {
        put(store, "ticks", &number.to_string(), &body(number, 5000)).await;
    }
    tokio::task::block_in_place(|| store.seal()).unwrap();
    // Reads and syncs of healthy drives are known.
    load_until(store, 1000, |store| store.status(&administer()).unwrap().objects > 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_that_answers_late_is_passed_over() {
    let ward = Ward::new();
    let store = ward.open();
    fill(&store).await;
    let slow = drive(&store, 0).path;
    assert!(journal_drives(&store).contains(&slow));
    ward.delay(0, 500);
    let noticed = load_until(&store, 2000, |store| drive(store, 0).slow).await;
    load_until(&store, 3000, |store| !journal_drives(store).contains(&slow)).await;
    let before = store.status(&administer()).unwrap().objects;
    let after = load_until(&store, 4000, |store| store.status(&administer()).unwrap().objects > before + 200).await;
    println!("slowest PUT and GET until it was noticed {noticed:?}, and after {after:?}");
    assert_eq!(drive(&store, 0).state, DriveState::Online, "it is used where there is no other");
    ward.delay(0, 0);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_without_a_drive_whose_syncs_hang() {
    let ward = Ward::new();
    let store = ward.open();
    fill(&store).await;
    ward.delay(1, 3_600_000);
    let noticed = load_until(&store, 2000, |store| drive(store, 1).state == DriveState::Failed).await;
    let before = store.status(&administer()).unwrap().objects;
    let after = load_until(&store, 4000, |store| store.status(&administer()).unwrap().objects > before + 200).await;
    println!("slowest PUT and GET until it was noticed {noticed:?}, and after {after:?}");
    ward.delay(1, 0);
    load_until(&store, 6000, |store| drive(store, 1).state == DriveState::Online).await;
    load_until(&store, 8000, |store| store.status(&administer()).unwrap().pools[0].degraded == 0).await;
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn drives_that_are_all_late_are_all_used() {
    let ward = Ward::new();
    let store = ward.open();
    fill(&store).await;
    (0..4).for_each(|number| ward.delay(number, 150));
    for number in 0..10 {
        put(&store, "ticks", &number.to_string(), &body(number, 5000)).await;
    }
    assert!((0..4).all(|number| !drive(&store, number).slow));
    (0..4).for_each(|number| ward.delay(number, 0));
    node::close(&store);
}
