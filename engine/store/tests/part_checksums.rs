//! The checksums of an object's parts, by the store's own verbs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use bytes::Bytes;
use node::{Node, body, grant, profile};
use packstone_access::Action;
use packstone_store::Store;
use packstone_store::object::*;

const ALGORITHM: ChecksumAlgorithm = ChecksumAlgorithm::Sha256;

/// What stands for the checksum of a part: the store takes what it is given.
fn checksum(seed: u64) -> Checksum {
    Checksum { algorithm: ALGORITHM, kind: ChecksumKind::FullObject, value: body(seed + 1, 32) }
}

/// Uploads parts of these sizes, each with a checksum where `sums` says so, and completes the upload with that of the
/// whole.
async fn uploaded(store: &Store, key: &str, sizes: &[usize], sums: impl Fn(u64) -> Option<Checksum>) -> Version {
    let to = grant(Action::PutObject, "ticks", key);
    let upload = store.open_upload(&to, Attributes::default(), None).await.unwrap();
    let mut named = Vec::new();
    for (number, size) in (1..).zip(sizes) {
        let mut part = store.part_writer(&to, upload, number, None, None).unwrap();
        part.write(Bytes::from(body(u64::from(number), *size))).await.unwrap();
        let attributes = Attributes { checksum: sums(u64::from(number)), ..Attributes::default() };
        part.commit(attributes, Precondition::None).await.unwrap();
        named.push(NamedPart { number, etag: Etag::default() });
    }
    let etag = Etag { md5: [3; 16], parts: sizes.len() as u16 };
    let whole = Some(Checksum { kind: ChecksumKind::Composite, ..checksum(0) });
    store.complete_upload(&to, upload, &named, etag, whole, Precondition::None).await.unwrap()
}

fn described(store: &Store, key: &str, version: Option<VersionId>) -> Version {
    let action = if version.is_some() { Action::GetObjectVersion } else { Action::GetObject };
    store.describe(&grant(action, "ticks", key), version).unwrap()
}

fn check(version: &Version, sizes: &[usize]) {
    assert_eq!(version.parts, sizes.iter().map(|size| *size as u64).collect::<Vec<_>>());
    let told = version.part_checksums.as_ref().unwrap();
    let held: Vec<Checksum> = (0..).map_while(|place| told.get(place)).collect();
    assert_eq!(held, (1..=sizes.len() as u64).map(checksum).collect::<Vec<_>>());
}

fn seal(store: &Store) {
    tokio::task::block_in_place(|| store.seal()).unwrap();
}

const LEAST: usize = MIN_PART as usize;
/// Parts whose extents stand in the row, and parts whose extents stand apart; a last part without bytes among them.
const SHAPES: [(&str, &[usize]); 4] = [
    ("few", &[LEAST, 9]),
    ("many", &[LEAST, LEAST, LEAST, LEAST, LEAST, 77]),
    ("ends", &[LEAST, 0]),
    ("nothing", &[0]),
];

#[tokio::test(flavor = "multi_thread")]
async fn they_outlive_sealing_rebuilding_and_renaming() {
    let node = Node::new(profile(2, 1));
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    for (key, sizes) in SHAPES {
        check(&uploaded(&store, key, sizes, |number| Some(checksum(number))).await, sizes);
    }
    for round in 0..3 {
        match round {
            0 => seal(&store),
            1 => {
                node::close(&store);
                drop(store);
                std::fs::remove_dir_all(node.index()).unwrap();
                store = node.open();
            }
            _ => {}
        }
        for (key, sizes) in SHAPES {
            let (from, to) = (format!("{key}{}", "'".repeat(round)), format!("{key}{}", "'".repeat(round + 1)));
            check(&described(&store, &from, None), sizes);
            let tags = AttributeChange::Tags(vec![("round".into(), round.to_string())]);
            store.amend(&grant(Action::PutObjectTagging, "ticks", &from), None, tags, None).await.unwrap();
            check(&described(&store, &from, None), sizes);
            let source = grant(Action::DeleteObject, "ticks", &from);
            store.rename(&source, &grant(Action::PutObject, "ticks", &to), RenameTerms::default()).await.unwrap();
        }
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_without_the_checksum_of_the_whole_have_none() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let other = |number: u64| {
        let crc = Checksum { algorithm: ChecksumAlgorithm::Crc32, value: vec![1; 4], ..checksum(number) };
        if number == 1 { Some(checksum(number)) } else { Some(crc) }
    };
    assert_eq!(uploaded(&store, "mixed", &[LEAST, 3], other).await.part_checksums, None);
    assert_eq!(uploaded(&store, "none", &[LEAST, 3], |_| None).await.part_checksums, None);
    assert_eq!(node::put(&store, "ticks", "plain", b"body").await.part_checksums, None);
    node::close(&store);
}

/// What is said of the whole doesn't hold of what is appended; neither would a list that ends too early.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_to_has_none() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    for (key, sizes) in SHAPES {
        let base = uploaded(&store, key, sizes, |number| Some(checksum(number))).await;
        let to = grant(Action::PutObject, "ticks", key);
        let (mut writer, _) = store.appender(&to, base.size, None, None, None).unwrap();
        writer.write(Bytes::from_static(b"more")).await.unwrap();
        let etag = Etag { md5: [4; 16], parts: base.parts.len() as u16 + 1 };
        let after = writer.commit(Attributes { etag, ..Attributes::default() }, Precondition::None).await.unwrap();
        assert_eq!(after.part_checksums, None, "{key}");
        assert_eq!(after.size, base.size + 4, "{key}");
    }
    node::close(&store);
}
