//! Drives that are full: what grows is refused, and what wins space back goes on from the reserve.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod moody;
mod node;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moody::{Mood, Moody};
use node::{Node, administer, body, create_bucket, delete, get, profile, put, try_put};
use packstone_store::drive::{DirectoryDrive, Drive, Space};
use packstone_store::status::Status;
use packstone_store::{Error, Opener, Store};

/// Whether drives say that they have less left than the reserve.
#[derive(Debug, Default)]
struct Scarcity(AtomicBool);

impl Mood for Scarcity {
    fn space(&self, real: Space) -> Space {
        let free = if self.0.load(Ordering::Relaxed) { 10 << 20 } else { 1 << 40 };
        Space { total: 2 << 40, free, ..real }
    }
}

fn open(node: &Node, scarcity: &Arc<Scarcity>) -> Store {
    let scarcity = scarcity.clone();
    let opener: Arc<Opener> = Arc::new(move |path: &Path| {
        Ok(Arc::new(Moody { drive: DirectoryDrive::open(path)?, mood: scarcity.clone() }) as Arc<dyn Drive>)
    });
    Store::open_on(&node.settings, opener).unwrap()
}

fn status(store: &Store) -> Status {
    store.status(&administer()).unwrap()
}

fn await_that(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_is_compacted() {
    let mut node = Node::new(profile(3, 1));
    node.settings.stream_size = 4 << 20;
    node.settings.space_reserve = 1 << 30;
    let scarcity = Arc::new(Scarcity::default());
    let store = open(&node, &scarcity);
    create_bucket(&store, "ticks").await;
    for number in 0..40 {
        put(&store, "ticks", &format!("small/{number}"), &body(number, 20_000)).await;
        if number % 4 == 0 {
            put(&store, "ticks", &format!("large/{number}"), &body(number, 1_500_000)).await;
        }
    }
    tokio::task::block_in_place(|| store.seal()).unwrap();
    scarcity.0.store(true, Ordering::Relaxed);
    await_that("the drives are full", || !status(&store).room);
    assert!(matches!(try_put(&store, "ticks", "more", &body(1, 100)).await, Err(Error::OutOfSpace)));
    assert!(matches!(try_put(&store, "ticks", "more", &body(1, 2_000_000)).await, Err(Error::OutOfSpace)));
    let before = status(&store).pools[0].bytes;
    // Of every segment something lives, so that it has to be copied.
    for number in (0..40).filter(|number| number % 8 != 0) {
        delete(&store, "ticks", &format!("small/{number}")).await;
        if number % 4 == 0 {
            delete(&store, "ticks", &format!("large/{number}")).await;
        }
    }
    await_that("dead space is won back", || {
        let pool = &status(&store).pools[0];
        pool.bytes * 10 < before * 7 && pool.dead * 3 < pool.bytes
    });
    for number in (0..40).step_by(8) {
        assert_eq!(get(&store, "ticks", &format!("small/{number}")).await.unwrap(), body(number, 20_000));
        assert_eq!(get(&store, "ticks", &format!("large/{number}")).await.unwrap(), body(number, 1_500_000));
    }
    scarcity.0.store(false, Ordering::Relaxed);
    await_that("there is space again", || status(&store).room);
    put(&store, "ticks", "more", &body(1, 2_000_000)).await;
    tokio::task::block_in_place(|| store.close());
}
