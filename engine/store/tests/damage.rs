//! Harm done to a closed node: drives, index, journals. What parity covers is read as it was, what it does not is
//! refused in one line.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::fs;
use std::path::{Path, PathBuf};

use node::{Node, body, profile};
use packstone_access::Action;
use packstone_store::object::{ListEntry, ListQuery};
use packstone_store::{Store, checksum};

const BLOCK: usize = 4096;
const PROFILES: [(u8, u8); 3] = [(3, 1), (4, 2), (8, 3)];

fn name(number: u64) -> String {
    format!("day/{number:03}")
}

fn content(number: u64) -> Vec<u8> {
    body(number, if number % 40 == 7 { 1_200_000 } else { (number as usize * 731) % 20_000 })
}

/// A node with sealed objects, deleted ones, and such as stand in a journal; closed.
async fn filled(data: u8, parity: u8) -> Node {
    let node = Node::new(profile(data, parity));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    for number in 0..60 {
        node::put(&store, "ticks", &name(number), &content(number)).await;
    }
    for number in 50..60 {
        node::delete(&store, "ticks", &name(number)).await;
    }
    let sealing = store.clone();
    tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
    for number in 60..80 {
        node::put(&store, "ticks", &name(number), &content(number)).await;
    }
    node::delete(&store, "ticks", &name(49)).await;
    node::close(&store);
    node
}

fn expected() -> Vec<String> {
    (0..49).chain(60..80).map(name).collect()
}

fn listed(store: &Store) -> Vec<String> {
    let query = ListQuery { limit: 1000, ..Default::default() };
    let page = store.list(&node::grant(Action::ListBucket, "ticks", ""), &query).unwrap();
    page.entries
        .into_iter()
        .map(|entry| match entry {
            ListEntry::Object { key, .. } => key,
            ListEntry::Prefix(prefix) => prefix,
        })
        .collect()
}

async fn check(store: &Store, what: &str) {
    assert_eq!(listed(store), expected(), "{what}");
    for number in (0..49).chain(60..80) {
        let held = node::get(store, "ticks", &name(number)).await;
        assert!(
            held.unwrap_or_else(|error| panic!("{what}: {number}: {error}")) == content(number),
            "{what}: {number}"
        );
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}

fn truncate(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// Flips a bit in every block of a shard, and in the first blocks of a journal.
fn flip(path: &Path) {
    if path.ends_with("packstone.superblock") {
        return;
    }
    let mut bytes = fs::read(path).unwrap();
    for (number, block) in bytes.chunks_mut(BLOCK).take(600).enumerate() {
        let at = (number * 37) % block.len();
        block[at] ^= 1 << (number % 8);
    }
    fs::write(path, bytes).unwrap();
}

fn harm(drive: &Path, how: &str) {
    match how {
        "deleted" => fs::remove_dir_all(drive).unwrap(),
        "truncated" => files(drive).iter().for_each(|path| truncate(path)),
        _ => files(drive).iter().for_each(|path| flip(path)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_m_drives_may_be_deleted_truncated_or_flipped_and_are_named() {
    for (data, parity) in PROFILES {
        for (turn, how) in ["deleted", "truncated", "flipped"].into_iter().enumerate() {
            let node = filled(data, parity).await;
            let count = usize::from(data + parity);
            let harmed: Vec<PathBuf> =
                (0..usize::from(parity)).map(|nth| node.drive((turn * 2 + nth * 3) % count)).collect();
            harmed.iter().for_each(|drive| harm(drive, how));
            let what = format!("{data}+{parity}, {how}: {harmed:?}");
            let store = node.open();
            check(&store, &what).await;
            let report = store.verify(&node::administer(), 1.0, &node::silent()).unwrap();
            assert!(report.lost.is_empty(), "{what}: {:?}", report.lost);
            let status = store.status(&node::administer()).unwrap();
            for drive in &harmed {
                let named = status.warnings.iter().any(|line| line.contains(&*drive.to_string_lossy()));
                assert!(named, "{what}: {:?}", status.warnings);
            }
            node::close(&store);
        }
    }
}

fn halve_newest_journal(index: &Path) {
    let newest = files(index).into_iter().rfind(|path| path.extension().is_some_and(|ext| ext == "jnl"));
    truncate(&newest.unwrap());
}

fn zero_half(index: &Path) {
    for path in files(index) {
        let mut bytes = fs::read(&path).unwrap();
        let half = bytes.len() / 2;
        bytes[half..].fill(0);
        fs::write(path, bytes).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_harmed_index_gives_the_same_listing() {
    for (data, parity) in PROFILES {
        let node = filled(data, parity).await;
        type Harm = (&'static str, fn(&Path));
        let harms: [Harm; 3] = [
            ("deleted", |index| fs::remove_dir_all(index).unwrap()),
            ("cut", halve_newest_journal),
            ("half zeroed", zero_half),
        ];
        for (how, harm) in harms {
            harm(&node.index());
            let store = node.open();
            check(&store, &format!("{data}+{parity}: index {how}")).await;
            node::close(&store);
        }
    }
}

fn refusal(node: &Node) -> String {
    let error = Store::open(&node.settings).map(|_| ()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "one line: {error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn another_profile_makes_up_for_no_more_drives_before_it_is_taken() {
    let mut node = filled(3, 1).await;
    node.settings.pools[0].profile = node::profile(2, 2);
    let away = |node: &Node, drive: usize| node.scratch.path().join(format!("away{drive}"));
    let take = |node: &Node| [2, 3].map(|drive| fs::rename(node.drive(drive), away(node, drive)).unwrap());
    let bring = |node: &Node| [2, 3].map(|drive| fs::rename(away(node, drive), node.drive(drive)).unwrap());
    // The journals that are there may have been on these alone.
    take(&node);
    assert!(refusal(&node).contains("at most 1 may be"));
    bring(&node);
    drop(node.open());
    take(&node);
    drop(node.open());
}

#[tokio::test(flavor = "multi_thread")]
async fn drives_that_do_not_belong_are_refused() {
    let (node, other) = (filled(3, 1).await, filled(3, 1).await);
    let superblock = |node: &Node, drive: usize| node.drive(drive).join("packstone.superblock");
    let own = fs::read(superblock(&node, 1)).unwrap();

    fs::copy(superblock(&other, 1), superblock(&node, 1)).unwrap();
    assert!(refusal(&node).contains("take the foreign drive out"));

    fs::copy(superblock(&node, 0), superblock(&node, 1)).unwrap();
    assert!(refusal(&node).contains("are the same drive"));

    let mut newer = own.clone();
    for slot in newer.chunks_exact_mut(BLOCK) {
        slot[8] = 99;
        let crc = checksum::seeded_crc64(0, &[&slot[..BLOCK - 8]]);
        slot[BLOCK - 8..].copy_from_slice(&crc.to_le_bytes());
    }
    fs::write(superblock(&node, 1), newer).unwrap();
    assert!(refusal(&node).contains("newer than this release can read"));

    fs::write(superblock(&node, 1), own).unwrap();
    let store = node.open();
    assert!(refusal(&node).contains("another packstone process"));
    check(&store, "made good").await;
    node::close(&store);
}

/// The newest journal file on a drive.
fn journal(node: &Node, drive: usize) -> PathBuf {
    let all = files(&node.drive(drive).join("journal"));
    all.into_iter().rfind(|path| path.extension().is_some_and(|ext| ext == "journal")).unwrap()
}

/// Flips a bit in the nth batch of a journal copy.
fn rot(path: &Path, nth: usize) {
    let mut bytes = fs::read(path).unwrap();
    let batches: Vec<usize> = (0..bytes.len()).step_by(BLOCK).filter(|at| bytes[*at..].starts_with(b"PKSB")).collect();
    assert!(nth + 2 < batches.len(), "batch {nth} of {}", batches.len());
    bytes[batches[nth] + 60] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn journal_copies_that_rot_in_different_places_heal_each_other() {
    for (data, parity) in PROFILES {
        let node = filled(data, parity).await;
        for copy in 0..=usize::from(parity) {
            rot(&journal(&node, copy), 3 + copy * 2);
        }
        let store = node.open();
        check(&store, "healed").await;
        node::close(&store);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_rots_in_every_copy_stops_the_start() {
    for (data, parity) in PROFILES {
        let node = filled(data, parity).await;
        for copy in 0..=usize::from(parity) {
            rot(&journal(&node, copy), 4);
        }
        assert!(refusal(&node).contains("something acknowledged is missing"));
        fs::remove_dir_all(node.index()).unwrap();
        assert!(refusal(&node).contains("something acknowledged is missing"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_reads_hold_open_is_missed_when_its_name_is_gone() {
    let node = filled(3, 1).await;
    let store = node.open();
    check(&store, "before").await;
    let shards = files(&node.drive(1).join("segments"));
    shards.iter().for_each(|path| fs::remove_file(path).unwrap());
    let verifying = store.clone();
    let verify = tokio::task::spawn_blocking(move || verifying.verify(&node::administer(), 1.0, &node::silent()));
    let report = verify.await.unwrap().unwrap();
    for path in &shards {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(report.faults.iter().any(|fault| fault.contains(name)), "{name}: {:?}", report.faults);
    }
    assert_eq!(report.lost, Vec::<String>::new());
    for path in &shards {
        for _ in 0..1000 {
            if path.exists() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(path.exists(), "{} was not made anew", path.display());
    }
    check(&store, "healed").await;
    node::close(&store);
}
