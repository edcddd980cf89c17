//! Encrypted objects that are renamed and appended to, and pieces of them that hold no byte.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use bytes::Bytes;
use node::{Node, body, grant};
use packstone_access::Action;
use packstone_store::object::*;
use packstone_store::{Error, Result, Store};

const KEY: [u8; 32] = [5; 32];
const HOW: [&str; 3] = ["managed", "kms", "customer"];

fn customer(how: &str) -> Option<CustomerKey> {
    (how == "customer").then(|| CustomerKey::new(KEY))
}

async fn cipher(store: &Store, to: &packstone_access::Grant, how: &str) -> Cipher {
    let customer = CustomerKey::new(KEY);
    let request = match how {
        "managed" => EncryptionRequest::Managed,
        "kms" => EncryptionRequest::Kms { key: DEFAULT_KMS_KEY, context: b"{}", bucket_key: false },
        _ => EncryptionRequest::Customer(&customer),
    };
    store.cipher(to, request).await.unwrap()
}

async fn create(store: &Store, key: &str, how: &str, content: &[u8]) {
    let to = grant(Action::PutObject, "ticks", key);
    let cipher = cipher(store, &to, how).await;
    let mut writer = store.writer(&to, None, Some(cipher)).unwrap();
    writer.write(Bytes::copy_from_slice(content)).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await.unwrap();
}

async fn append(store: &Store, key: &str, how: &str, offset: usize, content: &[u8]) -> Result<Version> {
    let to = grant(Action::PutObject, "ticks", key);
    let fresh = if offset == 0 { Some(cipher(store, &to, how).await) } else { None };
    let (mut writer, _) = store.appender(&to, offset as u64, None, fresh, customer(how).as_ref())?;
    writer.write(Bytes::copy_from_slice(content)).await?;
    writer.commit(Attributes::default(), Precondition::None).await
}

async fn read(store: &Store, key: &str, how: &str, range: std::ops::Range<usize>) -> Result<Vec<u8>> {
    let object = store.get(&grant(Action::GetObject, "ticks", key), None)?.unlocked(customer(how).as_ref())?;
    let mut reader = object.read(range.start as u64..range.end as u64);
    let mut out = Vec::new();
    while let Some(piece) = reader.next().await {
        out.extend_from_slice(&piece?);
    }
    Ok(out)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_is_encrypted_as_the_object_is() {
    let node = Node::encrypting();
    let mut store = node.open();
    node::create_bucket(&store, "ticks").await;
    let firsts = [
        ("absent", None),
        ("empty", Some(vec![])),
        ("text", Some(vec![7; 200_000])),
        ("large", Some(body(1, 2 << 20))),
    ];
    let mut wholes = Vec::new();
    for how in HOW {
        for (name, first) in &firsts {
            let key = format!("{how}/{name}");
            if let Some(first) = first {
                create(&store, &key, how, first).await;
            }
            wholes.push((key, how, first.clone().unwrap_or_default(), first.iter().map(Vec::len).collect::<Vec<_>>()));
        }
    }
    for (round, length) in [100_000, 1, 70_000, (1 << 20) + 5].into_iter().enumerate() {
        for (key, how, whole, sizes) in &mut wholes {
            let piece = body(round as u64, length);
            let version = append(&store, key, how, whole.len(), &piece).await.unwrap();
            whole.extend_from_slice(&piece);
            sizes.retain(|size| *size > 0);
            sizes.push(length);
            let parts: Vec<u64> =
                if sizes.len() == 1 { vec![] } else { sizes.iter().map(|size| *size as u64).collect() };
            assert_eq!((version.size, version.parts), (whole.len() as u64, parts), "{key} {round}");
        }
        if round == 1 {
            tokio::task::block_in_place(|| store.seal()).unwrap();
        }
        if round == 2 {
            node::close(&store);
            drop(store);
            std::fs::remove_dir_all(node.index()).unwrap();
            store = node.open();
        }
        for (key, how, whole, sizes) in &wholes {
            let all = 0..whole.len();
            assert!(read(&store, key, how, all.clone()).await.unwrap() == *whole, "{key} {round}");
            let across = sizes[0].saturating_sub(10)..(sizes[0] + 10).min(whole.len());
            assert!(read(&store, key, how, across.clone()).await.unwrap() == whole[across], "{key} {round}");
        }
    }
    let keyless = append(&store, "customer/large", "managed", wholes.last().unwrap().2.len(), b"x").await;
    assert!(matches!(keyless, Err(Error::CustomerKeyMissing)), "{keyless:?}");
    let unasked = append(&store, "kms/large", "customer", wholes[7].2.len(), b"x").await;
    assert!(matches!(unasked, Err(Error::CustomerKeyUnexpected)), "{unasked:?}");
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_renamed_opens_with_the_same_key() {
    let node = Node::encrypting();
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    for how in HOW {
        for content in [vec![], vec![7; 50_000], body(1, 3 << 20)] {
            create(&store, "a", how, &content).await;
            let from = grant(Action::DeleteObject, "ticks", "a");
            store.rename(&from, &grant(Action::PutObject, "ticks", "b"), RenameTerms::default()).await.unwrap();
            assert!(read(&store, "b", how, 0..content.len()).await.unwrap() == content, "{how}");
            append(&store, "b", how, content.len(), b"more").await.unwrap();
            let end = content.len()..content.len() + 4;
            assert_eq!(read(&store, "b", how, end).await.unwrap(), b"more", "{how}");
        }
    }
    node::close(&store);
}

/// Nothing of an object that lies in streams may live with an entry that ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_without_bytes_is_no_piece() {
    let node = Node::encrypting();
    let store = node.open();
    node::create_bucket(&store, "ticks").await;
    for how in HOW {
        let to = grant(Action::PutObject, "ticks", how);
        let upload = store.open_upload(&to, Attributes::default(), Some(cipher(&store, &to, how).await)).await.unwrap();
        let mut named = Vec::new();
        let whole = body(1, 5 << 20);
        for (number, content) in [(1, whole.as_slice()), (2, &[][..])] {
            let mut part = store.part_writer(&to, upload, number, None, customer(how).as_ref()).unwrap();
            part.write(Bytes::copy_from_slice(content)).await.unwrap();
            let version = part.commit(Attributes::default(), Precondition::None).await.unwrap();
            named.push(NamedPart { number, etag: version.attributes.etag });
        }
        store.complete_upload(&to, upload, &named, Etag::default(), None, Precondition::None).await.unwrap();
        tokio::task::block_in_place(|| store.seal()).unwrap();
        assert!(read(&store, how, how, 0..whole.len()).await.unwrap() == whole, "{how}");
        assert!(read(&store, how, how, 7..9).await.unwrap() == whole[7..9], "{how}");
    }
    node::close(&store);
}
