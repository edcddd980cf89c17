//! Content that changes in its middle: pieces are kept, written and refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use node::{Node, body, grant, profile};
use packstone_access::Action;
use packstone_store::object::*;
use packstone_store::{Error, ObjectWriter, Result, Store};

const KEY: &str = "a/file";

fn described(store: &Store) -> Version {
    store.describe(&grant(Action::GetObject, "bkt", KEY), None).unwrap()
}

fn place(store: &Store) -> Rewritten {
    Rewritten { record: described(store).record, own: false, mtime: None }
}

fn changer(store: &Store, place: Rewritten, size: usize) -> Result<ObjectWriter> {
    let pieces = store.get(&grant(Action::GetObject, "bkt", KEY), None).unwrap().pieces().unwrap_or_default().len();
    store.file_changer(&grant(Action::PutObject, "bkt", KEY), place, pieces, size as u64)
}

async fn commit(writer: ObjectWriter) -> Result<Version> {
    writer.commit(Attributes::default(), Precondition::None).await
}

/// An object of five pieces, each another's size.
async fn made(store: &Store) -> Vec<Vec<u8>> {
    made_of(store, (0..5).map(|number| body(number, 1_200_000 + number as usize * 10_000)).collect()).await
}

async fn made_of(store: &Store, pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    node::put(store, "bkt", KEY, b"").await;
    let mut writer = store.file_writer(&grant(Action::PutObject, "bkt", KEY), place(store), None, None).unwrap();
    for piece in &pieces {
        writer.write(piece.clone().into()).await.unwrap();
        writer.end_piece().await.unwrap();
        // An end of nothing is none.
        writer.end_piece().await.unwrap();
    }
    assert_eq!(writer.pieces(), 5);
    let version = commit(writer).await.unwrap();
    assert_eq!(version.parts, pieces.iter().map(|piece| piece.len() as u64).collect::<Vec<_>>());
    pieces
}

async fn expect(store: &Store, pieces: &[&[u8]]) {
    assert!(node::get(store, "bkt", KEY).await.unwrap() == pieces.concat());
    assert_eq!(described(store).parts, pieces.iter().map(|piece| piece.len() as u64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_are_kept_in_any_order_and_what_is_written_stands_between() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    node::create_bucket(&store, "bkt").await;
    let held = made(&store).await;
    let (small, large) = (body(50, 10), body(51, 3_000_000));
    let size = [&held[3], &small, &held[0], &held[1], &large].iter().map(|piece| piece.len()).sum();
    let mut writer = changer(&store, place(&store), size).unwrap();
    writer.keep(3..4).await.unwrap();
    writer.write(small.clone().into()).await.unwrap();
    writer.keep(0..2).await.unwrap();
    for piece in large.chunks(700_000) {
        writer.write(piece.to_vec().into()).await.unwrap();
    }
    assert_eq!(writer.pieces(), 5);
    commit(writer).await.unwrap();
    for turn in 0..3 {
        expect(&store, &[&held[3], &small, &held[0], &held[1], &large]).await;
        match turn {
            0 => drop(tokio::task::block_in_place(|| store.seal()).unwrap()),
            1 => {
                node::close(&store);
                drop(store);
                std::fs::remove_dir_all(node.index()).unwrap();
                store = node.open();
            }
            _ => {}
        }
    }
    // Of what is kept alone nothing is written, and of one piece alone no part is told.
    let mut writer = changer(&store, place(&store), small.len()).unwrap();
    writer.keep(1..2).await.unwrap();
    assert_eq!(commit(writer).await.unwrap().parts, Vec::<u64>::new());
    assert_eq!(node::get(&store, "bkt", KEY).await.unwrap(), small);
    let report = tokio::task::block_in_place(|| store.verify(&node::administer(), 1.0, &node::silent())).unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_can_not_be_kept() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    let held = made(&store).await;
    let all: usize = held.iter().map(Vec::len).sum();
    let is_changed = |outcome: Result<Version>| assert!(matches!(outcome, Err(Error::Changed)), "{outcome:?}");

    // A piece too many, and a size that doesn't come of the pieces.
    let mut writer = changer(&store, place(&store), all).unwrap();
    writer.keep(0..6).await.unwrap();
    is_changed(commit(writer).await);
    let mut writer = changer(&store, place(&store), all + 1).unwrap();
    writer.keep(0..5).await.unwrap();
    is_changed(commit(writer).await);
    let mut writer = changer(&store, place(&store), all).unwrap();
    assert!(matches!(writer.keep(0..MAX_PARTS + 1).await, Err(Error::TooManyParts)));

    // Of two that change one version the second is told; and so is who names one that is no more.
    let base = place(&store);
    let (mut first, mut second) =
        (changer(&store, base, held[0].len()).unwrap(), changer(&store, base, held[1].len()).unwrap());
    second.keep(1..2).await.unwrap();
    second.write(b"".as_slice().into()).await.unwrap();
    first.keep(0..1).await.unwrap();
    commit(first).await.unwrap();
    is_changed(commit(second).await);
    assert!(matches!(changer(&store, base, 1), Err(Error::Changed)));
    assert!(node::get(&store, "bkt", KEY).await.unwrap() == held[0]);

    // Bytes that live with their entry, and none.
    let is_refused = |outcome: Result<ObjectWriter>| {
        assert!(matches!(outcome, Err(Error::InvalidBucketState(_))), "{outcome:?}");
    };
    for content in [&b""[..], b"small"] {
        node::put(&store, "bkt", KEY, content).await;
        is_refused(changer(&store, place(&store), 5));
    }
    // A bucket that comes to keep versions while one is changed.
    let held = made(&store).await;
    let mut writer = changer(&store, place(&store), held[0].len()).unwrap();
    writer.keep(0..1).await.unwrap();
    let versioning = grant(Action::PutBucketVersioning, "bkt", "");
    store.put_document(&versioning, "versioning", "", Some(vec![1].into()), Replaces::Anything).await.unwrap();
    assert!(matches!(commit(writer).await, Err(Error::InvalidBucketState(_))));
    is_refused(changer(&store, place(&store), 5));
    assert!(node::get(&store, "bkt", KEY).await.unwrap() == held.concat());
    node::close(&store);
}

/// A piece of one stripe ends before the next one asks whether the stream is full.
#[tokio::test(flavor = "multi_thread")]
async fn small_pieces_leave_a_stream_that_is_full() {
    let mut node = Node::new(profile(3, 1));
    node.settings.stream_size = 8 << 20;
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    node::put(&store, "bkt", KEY, b"").await;
    let mut writer = store.file_writer(&grant(Action::PutObject, "bkt", KEY), place(&store), None, None).unwrap();
    let pieces: Vec<_> = (0..40).map(|number| body(number, 1_200_000)).collect();
    for piece in &pieces {
        writer.write(piece.clone().into()).await.unwrap();
        writer.end_piece().await.unwrap();
    }
    commit(writer).await.unwrap();
    tokio::task::block_in_place(|| store.seal()).unwrap();
    let files = std::fs::read_dir(node.drive(0).join("segments")).unwrap();
    let largest = files.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
    assert!(largest <= 5 << 20, "a shard of {largest} bytes in streams of 8 MiB");
    expect(&store, &pieces.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    node::close(&store);
}

/// Pieces that were merged have other numbers: whoever counted before keeps none of them by mistake.
#[tokio::test(flavor = "multi_thread")]
async fn who_counted_before_pieces_were_merged_is_told() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    node::create_bucket(&store, "bkt").await;
    // All of one size, so that no other check tells one from another.
    let held = made_of(&store, (0..5).map(|number| body(number, 1_200_000)).collect()).await;
    let (put, base) = (grant(Action::PutObject, "bkt", KEY), place(&store));
    let before = described(&store);
    let mut late = changer(&store, base, held[2].len()).unwrap();
    late.keep(2..3).await.unwrap();
    let object = store.get(&grant(Action::GetObject, "bkt", KEY), None).unwrap();
    let merge = store.merger(&put, object, std::slice::from_ref(&(0..2))).unwrap();
    assert_eq!(merge.finish().await.unwrap().commit().await.unwrap(), 1);
    let after = described(&store);
    assert_eq!((after.record, after.modified, after.size), (before.record, before.modified, before.size));
    assert!(matches!(commit(late).await, Err(Error::Changed)));
    assert!(matches!(store.file_changer(&put, base, held.len(), 1), Err(Error::Changed)));
    assert!(node::get(&store, "bkt", KEY).await.unwrap() == held.concat());
    // By the numbers that there are, it is what was meant.
    let mut now = changer(&store, base, held[2].len()).unwrap();
    now.keep(1..2).await.unwrap();
    commit(now).await.unwrap();
    assert!(node::get(&store, "bkt", KEY).await.unwrap() == held[2]);
    node::close(&store);
}
