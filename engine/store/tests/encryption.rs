//! Encrypted objects: what is written comes back, and only with its key.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use std::ops::Range;

use bytes::Bytes;
use node::{Node, body, close, create_bucket, grant};
use packstone_access::Action;
use packstone_store::crypto::MasterSecret;
use packstone_store::object::*;
use packstone_store::{Error, Result, Store};

const KEY: [u8; 32] = [5; 32];

async fn create(store: &Store, key: &str, body: &[u8], request: EncryptionRequest<'_>) -> Result<Version> {
    let put = grant(Action::PutObject, "bkt", key);
    let cipher = store.cipher(&put, request).await?;
    let mut writer = store.writer(&put, Some(body.len() as u64), Some(cipher))?;
    for piece in body.chunks(70_001) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    let attributes = Attributes { etag: Etag { md5: [1; 16], parts: 0 }, ..Attributes::default() };
    writer.commit(attributes, Precondition::None).await
}

async fn read(store: &Store, key: &str, range: Range<usize>, customer: Option<&CustomerKey>) -> Result<Vec<u8>> {
    let object = store.get(&grant(Action::GetObject, "bkt", key), None)?.unlocked(customer)?;
    let mut reader = object.read(range.start as u64..range.end as u64);
    let mut out = Vec::new();
    while let Some(piece) = reader.next().await {
        out.extend_from_slice(&piece?);
    }
    Ok(out)
}

fn create_kms_key(store: &Store, id: &str) -> Result<()> {
    tokio::task::block_in_place(|| store.create_kms_key(&node::administer(), id))
}

/// Bodies of all ways that a body is stored, with a name each.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty", Vec::new()),
        ("small", body(1, 4096)),
        ("text", b"ES,4501.25,3\n".repeat(20_000)),
        ("chunks", body(2, 300_000)),
        ("large", body(3, (7 << 20) + 12_345)),
    ]
}

async fn check(store: &Store, customer: &CustomerKey) {
    for (name, body) in bodies() {
        for how in ["managed", "kms", "customer"] {
            let key = format!("{how}/{name}");
            let customer = (how == "customer").then_some(customer);
            let whole = read(store, &key, 0..body.len(), customer).await.unwrap();
            assert!(whole == body, "{key}");
            for range in [0..1, body.len() / 3..body.len() / 2, body.len().saturating_sub(5)..body.len()] {
                let range = range.start.min(body.len())..range.end.min(body.len());
                assert!(read(store, &key, range.clone(), customer).await.unwrap() == body[range], "{key}");
            }
        }
    }
}

/// Whether any file of the node's drives and index holds these bytes.
fn lies_open(node: &Node, needle: &[u8]) -> bool {
    fn any(directory: &std::path::Path, needle: &[u8]) -> bool {
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
            if path.is_dir() {
                any(&path, needle)
            } else {
                memchr::memmem::find(&std::fs::read(&path).unwrap(), needle).is_some()
            }
        })
    }
    any(node.scratch.path(), needle)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_encrypted_comes_back_after_seal_restart_and_rebuild() {
    let node = Node::encrypting();
    let customer = CustomerKey::new(KEY);
    let store = node.open();
    create_bucket(&store, "bkt").await;
    for (name, body) in bodies() {
        let kms = EncryptionRequest::Kms { key: DEFAULT_KMS_KEY, context: b"{}", bucket_key: false };
        let managed = create(&store, &format!("managed/{name}"), &body, EncryptionRequest::Managed).await.unwrap();
        assert_eq!(managed.attributes.etag.md5, [1; 16]);
        assert_eq!(managed.size, body.len() as u64);
        let kms = create(&store, &format!("kms/{name}"), &body, kms).await.unwrap();
        assert_ne!(kms.attributes.etag.md5, [1; 16], "the MD5 of the body is nobody's business");
        create(&store, &format!("customer/{name}"), &body, EncryptionRequest::Customer(&customer)).await.unwrap();
    }
    check(&store, &customer).await;
    tokio::task::block_in_place(|| store.seal()).unwrap();
    check(&store, &customer).await;
    close(&store);
    drop(store);
    for (name, body) in bodies().iter().filter(|(_, body)| !body.is_empty()) {
        let (from, to) = (body.len() / 2, body.len() / 2 + 64);
        assert!(!lies_open(&node, &body[from..to]), "{name} lies on a drive as it is");
    }

    std::fs::remove_dir_all(node.index()).unwrap();
    let store = node.open();
    check(&store, &customer).await;
    close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_encrypted_as_their_upload_says() {
    let node = Node::encrypting();
    let store = node.open();
    create_bucket(&store, "bkt").await;
    let customer = CustomerKey::new(KEY);
    let put = grant(Action::PutObject, "bkt", "parts");
    let cipher = store.cipher(&put, EncryptionRequest::Customer(&customer)).await.unwrap();
    let upload = store.open_upload(&put, Attributes::default(), Some(cipher)).await.unwrap();
    assert!(matches!(store.part_writer(&put, upload, 1, None, None), Err(Error::CustomerKeyMissing)));
    let other = CustomerKey::new([6; 32]);
    assert!(matches!(store.part_writer(&put, upload, 1, None, Some(&other)), Err(Error::CustomerKeyWrong)));
    let parts = [body(1, 5 << 20), body(2, (6 << 20) + 1), body(3, 10)];
    let mut named = Vec::new();
    for (number, part) in (1..).zip(&parts) {
        let mut writer = store.part_writer(&put, upload, number, None, Some(&customer)).unwrap();
        writer.write(Bytes::copy_from_slice(part)).await.unwrap();
        let version = writer.commit(Attributes::default(), Precondition::None).await.unwrap();
        named.push(NamedPart { number, etag: version.attributes.etag });
    }
    let etag = Etag { md5: [2; 16], parts: 3 };
    let version = store.complete_upload(&put, upload, &named, etag, None, Precondition::None).await.unwrap();
    assert_eq!(version.parts, parts.iter().map(|part| part.len() as u64).collect::<Vec<_>>());
    let whole = parts.concat();
    assert_eq!(version.size, whole.len() as u64);
    for range in [0..whole.len(), (5 << 20) - 3..(5 << 20) + 3, (11 << 20) - 1..whole.len(), 4_000_000..9_000_000] {
        assert!(read(&store, "parts", range.clone(), Some(&customer)).await.unwrap() == whole[range]);
    }
    close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_object_is_read_without_its_key() {
    let node = Node::encrypting();
    let store = node.open();
    create_bucket(&store, "bkt").await;
    let customer = CustomerKey::new(KEY);
    create(&store, "customer", b"ticks", EncryptionRequest::Customer(&customer)).await.unwrap();
    create(&store, "managed", b"ticks", EncryptionRequest::Managed).await.unwrap();
    node::put(&store, "bkt", "plain", b"ticks").await;
    assert!(matches!(read(&store, "customer", 0..5, None).await, Err(Error::CustomerKeyMissing)));
    let other = CustomerKey::new([6; 32]);
    assert!(matches!(read(&store, "customer", 0..5, Some(&other)).await, Err(Error::CustomerKeyWrong)));
    for key in ["managed", "plain"] {
        assert!(matches!(read(&store, key, 0..5, Some(&customer)).await, Err(Error::CustomerKeyUnexpected)), "{key}");
    }
    // Whoever forgets to unlock it gets no ciphertext.
    assert!(node::get(&store, "bkt", "managed").await.is_err());
    let kms = EncryptionRequest::Kms { key: "absent", context: b"", bucket_key: false };
    assert!(matches!(create(&store, "kms", b"", kms).await, Err(Error::NoSuchKmsKey)));
    create_kms_key(&store, "absent").unwrap();
    create(&store, "kms", b"ticks", kms).await.unwrap();
    assert_eq!(read(&store, "kms", 0..5, None).await.unwrap(), b"ticks");
    assert!(matches!(create_kms_key(&store, "absent"), Err(Error::DocumentChanged)));
    assert!(create_kms_key(&store, "a/b").is_err());
    let keys = store.kms_keys(&node::administer()).unwrap();
    assert_eq!(keys.iter().map(|key| &*key.id).collect::<Vec<_>>(), ["absent"]);
    close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_face_changes_a_key() {
    let node = Node::encrypting();
    let store = node.open();
    create_bucket(&store, "bkt").await;
    create(&store, "managed", b"ticks", EncryptionRequest::Managed).await.unwrap();
    let of_bucket = grant(Action::Administer, "bkt", "");
    for (grant, kind, name) in [
        (&of_bucket, "bucket-key", ""),
        (&of_bucket, "data-key", "1"),
        (&node::administer(), "kms-key", "any"),
        (&node::administer(), "master-key", ""),
    ] {
        for value in [None, Some(Bytes::from_static(b"mine"))] {
            let put = store.put_document(grant, kind, name, value, Replaces::Anything).await;
            assert!(matches!(put, Err(Error::InvalidDocument(_))), "{kind}");
        }
    }
    let documents =
        vec![NewDocument { kind: "bucket-key".into(), name: String::new(), value: Bytes::from_static(b"mine") }];
    let made = store.create_bucket(&grant(Action::CreateBucket, "other", ""), documents).await;
    assert!(matches!(made, Err(Error::InvalidDocument(_))));
    assert_eq!(read(&store, "managed", 0..5, None).await.unwrap(), b"ticks");
    close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_locked_is_under_no_customers_key() {
    let node = Node::encrypting();
    let store = node.open();
    let documents =
        [("versioning", Versioning::Enabled.encode().unwrap()), ("object-lock", ObjectLock::default().encode())]
            .map(|(kind, value)| NewDocument { kind: kind.into(), name: String::new(), value: value.into() });
    store.create_bucket(&grant(Action::CreateBucket, "bkt", ""), documents.to_vec()).await.unwrap();
    let customer = CustomerKey::new(KEY);
    let version = create(&store, "free", b"ticks", EncryptionRequest::Customer(&customer)).await.unwrap();
    let hold = AttributeChange::LegalHold(true);
    let held = store.amend(&grant(Action::PutObjectLegalHold, "bkt", "free"), Some(version.version), hold, None).await;
    assert!(matches!(held, Err(Error::CustomerKeyLocked)), "{held:?}");
    let put = grant(Action::PutObject, "bkt", "held");
    let cipher = store.cipher(&put, EncryptionRequest::Customer(&customer)).await.unwrap();
    let writer = store.writer(&put, Some(0), Some(cipher)).unwrap();
    let attributes = Attributes { legal_hold: true, ..Attributes::default() };
    assert!(matches!(writer.commit(attributes.clone(), Precondition::None).await, Err(Error::CustomerKeyLocked)));
    let cipher = store.cipher(&put, EncryptionRequest::Customer(&customer)).await.unwrap();
    assert!(matches!(store.open_upload(&put, attributes, Some(cipher)).await, Err(Error::CustomerKeyLocked)));
    let retention = DefaultRetention { mode: Mode::Compliance, period: Period::Days(1) };
    let lock = ObjectLock { default: Some(retention) }.encode().into();
    let of_bucket = grant(Action::PutBucketObjectLockConfiguration, "bkt", "");
    store.put_document(&of_bucket, "object-lock", "", Some(lock), Replaces::Anything).await.unwrap();
    let refused = store.cipher(&put, EncryptionRequest::Customer(&customer)).await;
    assert!(matches!(refused, Err(Error::CustomerKeyLocked)));
    close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_knows_its_master_key() {
    let mut node = Node::encrypting();
    let store = node.open();
    create_bucket(&store, "bkt").await;
    create(&store, "managed", b"ticks", EncryptionRequest::Managed).await.unwrap();
    close(&store);
    drop(store);
    for master in [Some(MasterSecret([8; 32])), None] {
        node.settings.master_key = master;
        let store = node.open();
        assert!(!store.status(&node::administer()).unwrap().warnings.is_empty());
        assert!(read(&store, "managed", 0..5, None).await.is_err());
        let refused = create(&store, "new", b"", EncryptionRequest::Managed).await;
        assert!(matches!(refused, Err(Error::Unavailable(_) | Error::Lost(_))), "{refused:?}");
        node::put(&store, "bkt", "plain", b"ticks").await;
        assert_eq!(node::get(&store, "bkt", "plain").await.unwrap(), b"ticks");
        close(&store);
    }
    node.settings.master_key = Some(MasterSecret([9; 32]));
    let store = node.open();
    assert_eq!(read(&store, "managed", 0..5, None).await.unwrap(), b"ticks");
    close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_race_for_a_buckets_first_key_agree() {
    let node = Node::encrypting();
    let store = node.open();
    create_bucket(&store, "bkt").await;
    let writes = (0..16).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { create(&store, &format!("k{number}"), b"ticks", EncryptionRequest::Managed).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    close(&store);
    drop(store);
    let store = node.open();
    for number in 0..16 {
        assert_eq!(read(&store, &format!("k{number}"), 0..5, None).await.unwrap(), b"ticks");
    }
    close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cipher_is_for_its_own_bucket() {
    let node = Node::encrypting();
    let store = node.open();
    create_bucket(&store, "bkt").await;
    let put = grant(Action::PutObject, "bkt", "key");
    let old = store.cipher(&put, EncryptionRequest::Managed).await.unwrap();
    store.delete_bucket(&grant(Action::DeleteBucket, "bkt", "")).await.unwrap();
    create_bucket(&store, "bkt").await;
    assert!(matches!(store.writer(&put, None, Some(old.clone())), Err(Error::NoSuchBucket)));
    let upload = store.open_upload(&put, Attributes::default(), Some(old)).await;
    assert!(matches!(upload, Err(Error::NoSuchBucket)));
    create(&store, "key", b"ticks", EncryptionRequest::Managed).await.unwrap();
    assert_eq!(read(&store, "key", 0..5, None).await.unwrap(), b"ticks");
    close(&store);
}
