//! Drives whose reads never answer, on real threads: everything else goes on, and in time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod moody;
mod node;

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use moody::{Mood, Moody};
use node::{Node, body, profile};
use packstone_store::Store;
use packstone_store::drive::{DirectoryDrive, Drive, DriveState};
use packstone_store::recovery::RecoveryResult;

const PROFILES: [(u8, u8); 3] = [(3, 1), (4, 2), (8, 3)];
const TIMEOUT: Duration = Duration::from_secs(2);

/// Whether reads go through; those that don't wait here.
#[derive(Debug, Default)]
struct Gate {
    /// Reads that still go through; `None` for all.
    left: Mutex<Option<u64>>,
    opened: Condvar,
    waiting: AtomicUsize,
    asked: AtomicU64,
}

impl Gate {
    fn pass(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut left = self.left.lock().unwrap();
        if let Some(more) = left.as_mut().filter(|more| **more > 0) {
            *more -= 1;
            return;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        while left.is_some() {
            left = self.opened.wait(left).unwrap();
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    fn close_after(&self, reads: u64) {
        *self.left.lock().unwrap() = Some(reads);
    }

    fn open(&self) {
        *self.left.lock().unwrap() = None;
        self.opened.notify_all();
    }

    fn is_open(&self) -> bool {
        self.left.lock().unwrap().is_none()
    }
}

impl Mood for Gate {
    fn before_lookup(&self) {
        self.pass();
    }
    fn before_read(&self) {
        self.pass();
    }
    fn is_cached(&self) -> bool {
        self.is_open()
    }
}

/// A node of which the first m drives, those of the journal among them, have a gate.
struct Gated {
    node: Node,
    gates: Vec<Arc<Gate>>,
}

impl Gated {
    fn new((data, parity): (u8, u8)) -> Self {
        let mut node = Node::new(profile(data, parity));
        node.settings.io_timeout = TIMEOUT;
        node.settings.cache_size = 0;
        let gates = (0..parity).map(|_| Arc::default()).collect();
        Self { node, gates }
    }

    fn open(&self) -> RecoveryResult<Store> {
        let drives = self.node.settings.pools[0].drives.clone();
        let gates = self.gates.clone();
        Store::open_on(
            &self.node.settings,
            Arc::new(move |path: &Path| {
                let drive = DirectoryDrive::open(path)?;
                let number = drives.iter().position(|drive| drive == path).unwrap();
                Ok(match gates.get(number) {
                    Some(gate) => Arc::new(Moody { drive, mood: gate.clone() }) as Arc<dyn Drive>,
                    None => Arc::new(drive),
                })
            }),
        )
    }

    fn hang(&self) {
        self.gates.iter().for_each(|gate| gate.close_after(0));
    }

    fn free(&self) {
        self.gates.iter().for_each(|gate| gate.open());
    }

    fn waiting(&self) -> usize {
        self.gates.iter().map(|gate| gate.waiting.load(Ordering::Relaxed)).sum()
    }

    fn asked(&self) -> u64 {
        self.gates.iter().map(|gate| gate.asked.load(Ordering::Relaxed)).sum()
    }
}

fn length(number: u64) -> usize {
    if number % 10 == 3 { 5_300_000 } else { 30 + number as usize * 977 }
}

async fn put(store: &Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        node::put(store, "ticks", &format!("{number}"), &body(number, length(number))).await;
    }
}

/// Segments with small and large objects, and a journal; none of it in RAM.
async fn fill(store: &Store) {
    node::create_bucket(store, "ticks").await;
    put(store, 0..30).await;
    seal(store).await;
    put(store, 30..50).await;
}

async fn seal(store: &Store) {
    let sealing = store.clone();
    tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
}

/// Reads everything at once; answers with how long the slowest took.
async fn read_all(store: &Store, numbers: std::ops::Range<u64>) -> Duration {
    let reads = numbers.map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let begun = Instant::now();
            let held = node::get(&store, "ticks", &format!("{number}")).await;
            assert!(
                held.unwrap_or_else(|error| panic!("{number}: {error}")) == body(number, length(number)),
                "{number}"
            );
            begun.elapsed()
        })
    });
    let mut slowest = Duration::ZERO;
    for read in reads.collect::<Vec<_>>() {
        slowest = slowest.max(read.await.unwrap());
    }
    slowest
}

fn states(store: &Store, count: usize) -> Vec<DriveState> {
    let status = store.status(&node::administer()).unwrap();
    status.drives.iter().take(count).map(|drive| drive.state).collect()
}

async fn until_failed(store: &Store, count: usize) {
    let begun = Instant::now();
    while states(store, count) != vec![DriveState::Failed; count] {
        assert!(begun.elapsed() < TIMEOUT * 3, "still in use: {:?}", states(store, count));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_does_not_wait_for_drives_that_hang_and_these_go_out_of_use() {
    for (data, parity) in PROFILES {
        let gated = Gated::new((data, parity));
        let count = gated.gates.len();
        let store = gated.open().unwrap();
        fill(&store).await;
        assert_eq!(states(&store, count), vec![DriveState::Online; count]);
        let epoch = store.status(&node::administer()).unwrap().journal.epoch;

        gated.hang();
        let slowest = read_all(&store, 0..50).await;
        assert!(gated.waiting() > 0, "no read met the drives that hang");
        assert!(slowest < TIMEOUT, "a read waited for a drive that hangs: {slowest:?}");
        let hung = gated.waiting();
        read_all(&store, 0..50).await;
        // The workers have a call each.
        assert!(
            gated.waiting() <= hung + 2,
            "drives that hesitate are asked for more: {} after {hung}",
            gated.waiting()
        );
        until_failed(&store, count).await;

        let asked = gated.asked();
        put(&store, 50..60).await;
        let status = store.status(&node::administer()).unwrap();
        assert!(status.journal.epoch > epoch, "epoch {} after {epoch}", status.journal.epoch);
        assert!(status.drives[0].reason.contains("no answer within 2s"), "{}", status.drives[0].reason);
        let slowest = read_all(&store, 0..60).await;
        assert!(slowest < TIMEOUT, "{slowest:?}");
        seal(&store).await;
        read_all(&store, 0..60).await;
        assert_eq!(gated.asked(), asked, "a drive that is out of use is asked");
        let begun = Instant::now();
        node::close(&store);
        assert!(begun.elapsed() < TIMEOUT, "closing waits for a drive that hangs");
        drop(store);

        gated.free();
        let store = gated.open().unwrap();
        assert_eq!(states(&store, count), vec![DriveState::Online; count], "what was away is taken in again");
        read_all(&store, 0..60).await;
        node::close(&store);
    }
}

/// Before any read was hedged: the worker itself meets the drives that hang.
#[tokio::test(flavor = "multi_thread")]
async fn sealing_and_verifying_go_on_without_drives_that_hang() {
    for (data, parity) in PROFILES {
        let gated = Gated::new((data, parity));
        let count = gated.gates.len();
        let store = gated.open().unwrap();
        fill(&store).await;
        gated.hang();
        seal(&store).await;
        let report = store.verify(&node::administer(), 1.0, &node::silent()).unwrap();
        assert_eq!(report.lost, Vec::<String>::new());
        until_failed(&store, count).await;
        read_all(&store, 0..50).await;
        put(&store, 50..60).await;
        node::close(&store);
        gated.free();
    }
}

/// Drives that hang from the very first read on, or later in the start, count as not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_goes_on_without_drives_that_hang() {
    for ((data, parity), after) in [((3, 1), &[0, 2, 4, 9][..]), ((4, 2), &[0, 4]), ((8, 3), &[0, 7])] {
        for reads in after.iter().copied() {
            let gated = Gated::new((data, parity));
            let count = gated.gates.len();
            let store = gated.open().unwrap();
            fill(&store).await;
            node::close(&store);
            drop(store);
            gated.gates.iter().for_each(|gate| gate.close_after(reads));
            let begun = Instant::now();
            let store = gated.open().unwrap_or_else(|error| panic!("{data}+{parity} after {reads} reads: {error}"));
            assert!(begun.elapsed() < TIMEOUT * (2 * u32::from(parity) + 2), "{:?}", begun.elapsed());
            if reads == 0 {
                let status = store.status(&node::administer()).unwrap();
                assert_eq!(states(&store, count), vec![DriveState::Missing; count]);
                assert_eq!(status.drives[0].reason, "no answer within 2s");
            }
            read_all(&store, 0..50).await;
            put(&store, 50..60).await;
            read_all(&store, 0..60).await;
            node::close(&store);
            gated.free();
        }
    }
}

/// The superblock is asked for before any drive is opened, to lock it.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_does_not_wait_for_a_lock() {
    let gated = Gated::new((3, 1));
    let store = gated.open().unwrap();
    fill(&store).await;
    node::close(&store);
    drop(store);
    let superblock = gated.node.drive(0).join("packstone.superblock");
    std::fs::remove_file(&superblock).unwrap();
    // Whoever opens a pipe to read it waits for a writer.
    assert!(std::process::Command::new("mkfifo").arg(&superblock).status().unwrap().success());
    assert!(packstone_store::is_initialised(&gated.node.settings));
    let store = gated.node.open();
    assert_eq!(states(&store, 1), vec![DriveState::Missing]);
    read_all(&store, 0..50).await;
    node::close(&store);
    std::fs::File::options().read(true).write(true).open(&superblock).unwrap();
}
