//! Appending to objects.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use bytes::Bytes;
use node::{Node, body, grant, profile};
use packstone_access::Action;
use packstone_store::object::*;
use packstone_store::{Error, Result, Store};

async fn append(store: &Store, key: &str, offset: u64, piece: &[u8]) -> Result<Version> {
    append_if(store, key, offset, piece, Precondition::None).await
}

async fn append_if(store: &Store, key: &str, offset: u64, piece: &[u8], precondition: Precondition) -> Result<Version> {
    let to = grant(Action::PutObject, "ticks", key);
    let (mut writer, _) = store.appender(&to, offset, Some(piece.len() as u64), None, None)?;
    for part in piece.chunks(100_000) {
        writer.write(Bytes::copy_from_slice(part)).await?;
    }
    let attributes = Attributes { etag: Etag { md5: [piece.len() as u8; 16], parts: 1 }, ..Attributes::default() };
    writer.commit(attributes, precondition).await
}

async fn sealed(store: &Store) {
    let sealing = store.clone();
    tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
}

async fn range(store: &Store, key: &str, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut reader = store.get(&grant(Action::GetObject, "ticks", key), None).unwrap().read(range);
    let mut out = Vec::new();
    while let Some(piece) = reader.next().await {
        out.extend_from_slice(&piece.unwrap());
    }
    out
}

/// Whatever the object was made of, and across sealing, restarts and an index made anew.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_is_read_behind_what_was_there() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    let mut wholes = Vec::new();
    for (key, first) in
        [("none", Vec::new()), ("raw", body(1, 5000)), ("packed", vec![7; 90_000]), ("large", body(2, 4 << 20))]
    {
        node::put(&store, "ticks", key, &first).await;
        wholes.push((key, first, Vec::new()));
    }
    wholes.push(("absent", Vec::new(), Vec::new()));
    for (round, length) in [1, 3000, 2_500_000, 70_000, 1, 12].into_iter().enumerate() {
        for (key, whole, sizes) in &mut wholes {
            let piece = body(round as u64 + 10, length);
            if sizes.is_empty() && !whole.is_empty() {
                sizes.push(whole.len() as u64);
            }
            let version = append(&store, key, whole.len() as u64, &piece).await.unwrap();
            whole.extend_from_slice(&piece);
            sizes.push(length as u64);
            assert_eq!(version.size, whole.len() as u64);
            assert_eq!(version.attributes.etag, Etag { md5: [length as u8; 16], parts: 1 });
            let parts = if sizes.len() == 1 { Vec::new() } else { sizes.clone() };
            assert_eq!(version.parts, parts, "{key} {round}");
        }
        match round {
            1 | 4 => sealed(&store).await,
            2 | 3 => {
                node::close(&store);
                drop(store);
                if round == 3 {
                    std::fs::remove_dir_all(node.index()).unwrap();
                }
                store = node.open();
            }
            _ => {}
        }
        for (key, whole, sizes) in &wholes {
            assert!(node::get(&store, "ticks", key).await.unwrap() == *whole, "{key} {round}");
            let (half, end) = (whole.len() as u64 / 2, whole.len() as u64);
            assert!(range(&store, key, half..end).await == whole[half as usize..], "{key} {round}");
            if let [first, .., _] = sizes[..] {
                let across = first.saturating_sub(3)..(first + 1).min(end);
                let expected = &whole[across.start as usize..across.end as usize];
                assert_eq!(range(&store, key, across).await, expected, "{key} {round}");
            }
        }
    }
    let report = tokio::task::block_in_place(|| store.verify(&node::administer(), 1.0, &node::silent())).unwrap();
    assert_eq!((report.records, report.lost.len(), report.faults.len()), (5, 0, 0), "{report:?}");
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offset_must_be_the_size() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let refused = append(&store, "a", 1, b"x").await;
    assert!(matches!(refused, Err(Error::InvalidWriteOffset { size: 0 })), "{refused:?}");
    node::put(&store, "ticks", "a", b"12345").await;
    for offset in [0, 4, 6, u64::MAX] {
        let refused = append(&store, "a", offset, b"x").await;
        assert!(matches!(refused, Err(Error::InvalidWriteOffset { size: 5 })), "{refused:?}");
    }
    let other = Precondition::Match(Some(Etag { md5: [9; 16], parts: 0 }));
    for precondition in [Precondition::Absent, other] {
        let refused = append_if(&store, "a", 5, b"x", precondition).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)), "{refused:?}");
    }
    append_if(&store, "a", 5, b"6", Precondition::Match(Some(Etag::default()))).await.unwrap();
    let before = store.describe(&grant(Action::GetObject, "ticks", "a"), None).unwrap();
    let after = append(&store, "a", 6, b"").await.unwrap();
    assert_eq!((after.record, after.modified), (before.record, before.modified), "nothing was appended");
    append(&store, "b", 0, b"").await.unwrap();
    assert_eq!(node::get(&store, "ticks", "b").await.unwrap(), b"");
    node::close(&store);
}

/// Whatever happens between the beginning of an append and its commit, nobody's bytes are lost or doubled.
#[tokio::test(flavor = "multi_thread")]
async fn what_changes_meanwhile_is_not_appended_to() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let to = grant(Action::PutObject, "ticks", "a");
    let begun = async || {
        node::put(&store, "ticks", "a", b"12345").await;
        let (mut writer, _) = store.appender(&to, 5, None, None, None).unwrap();
        writer.write(Bytes::from_static(b"6")).await.unwrap();
        writer
    };
    let writer = begun().await;
    append(&store, "a", 5, b"other").await.unwrap();
    let refused = writer.commit(Attributes::default(), Precondition::None).await;
    assert!(matches!(refused, Err(Error::Changed | Error::InvalidWriteOffset { size: 10 })), "{refused:?}");
    let writer = begun().await;
    node::put(&store, "ticks", "a", b"54321").await;
    let refused = writer.commit(Attributes::default(), Precondition::None).await;
    assert!(matches!(refused, Err(Error::Changed)), "{refused:?}");
    let writer = begun().await;
    node::delete(&store, "ticks", "a").await;
    let refused = writer.commit(Attributes::default(), Precondition::None).await;
    assert!(matches!(refused, Err(Error::Changed | Error::InvalidWriteOffset { size: 0 })), "{refused:?}");
    let writer = begun().await;
    let tags = vec![("desk".to_owned(), "fx".to_owned())];
    let tagging = grant(Action::PutObjectTagging, "ticks", "a");
    store.amend(&tagging, None, AttributeChange::Tags(tags.clone()), None).await.unwrap();
    sealed(&store).await;
    let version = writer.commit(Attributes::default(), Precondition::None).await.unwrap();
    assert_eq!((version.size, version.attributes.tags), (6, tags));
    assert_eq!(node::get(&store, "ticks", "a").await.unwrap(), b"123456");
    node::close(&store);
}

/// Writers that append to one object at once: each byte that was acknowledged is there, once and whole.
#[tokio::test(flavor = "multi_thread")]
async fn of_racing_appends_one_wins() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    let writers = (0..6u8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while done < 8 {
                let size = store.describe(&grant(Action::GetObject, "ticks", "log"), None).map_or(0, |held| held.size);
                match append(&store, "log", size, &[writer; 100]).await {
                    Ok(_) => done += 1,
                    Err(Error::InvalidWriteOffset { .. } | Error::Changed) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let whole = node::get(&store, "ticks", "log").await.unwrap();
    assert_eq!(whole.len(), 6 * 8 * 100);
    assert!(whole.chunks(100).all(|piece| piece.iter().all(|byte| *byte == piece[0])));
    for writer in 0..6u8 {
        assert_eq!(whole.iter().filter(|byte| **byte == writer).count(), 800);
    }
    let usage = store.status(&node::administer()).unwrap().buckets;
    assert_eq!((usage[0].objects, usage[0].bytes), (1, 4800));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_versions_are_kept_nothing_is_appended() {
    let node = Node::new(profile(2, 1));
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    node::put(&store, "ticks", "a", b"first").await;
    let value = Versioning::Enabled.encode().map(Into::into);
    let put = grant(Action::PutBucketVersioning, "ticks", "");
    store.put_document(&put, "versioning", "", value, Replaces::Anything).await.unwrap();
    let refused = append(&store, "a", 5, b"x").await;
    assert!(matches!(refused, Err(Error::InvalidBucketState(_))), "{refused:?}");
    node::close(&store);
}
