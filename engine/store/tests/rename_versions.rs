//! Renaming files in buckets that keep or kept versions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test: a panic is its answer")]

mod node;

use node::{Node, body, grant, profile};
use packstone_access::{Action, Actor, Resource, authorise};
use packstone_store::configuration::{OBJECT_LOCK, VERSIONING};
use packstone_store::object::*;
use packstone_store::quota::Quota;
use packstone_store::record::Posix;
use packstone_store::{Error, Result, Store};

const BUCKET: &str = "bkt";
const DAY: i64 = 86_400;
const RULE: DefaultRetention = DefaultRetention { mode: Mode::Compliance, period: Period::Days(10) };

async fn document(store: &Store, kind: &str, value: Vec<u8>) {
    let action =
        if kind == VERSIONING { Action::PutBucketVersioning } else { Action::PutBucketObjectLockConfiguration };
    store.put_document(&grant(action, BUCKET, ""), kind, "", Some(value.into()), Replaces::Anything).await.unwrap();
}

async fn set(store: &Store, to: Versioning) {
    document(store, VERSIONING, to.encode().unwrap()).await;
}

async fn lock_by(store: &Store, default: Option<DefaultRetention>) {
    document(store, OBJECT_LOCK, ObjectLock { default }.encode()).await;
}

async fn ready(node: &Node, to: Versioning) -> Store {
    let store = node.open();
    node::create_bucket(&store, BUCKET).await;
    set(&store, to).await;
    store
}

/// As a mount makes a file.
async fn make(store: &Store, key: &str, content: &[u8]) -> Version {
    let posix = Posix { inode: 0, uid: 7, gid: 8, mode: 0o100_644, mtime: 0 };
    let mut writer = store.file_maker(&grant(Action::PutObject, BUCKET, key), posix, None, None).unwrap();
    writer.write(content.to_vec().into()).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await.unwrap()
}

async fn rename(store: &Store, from: &str, to: &str) -> Result<Version> {
    let terms = RenameTerms { is_of_files: true, ..RenameTerms::default() };
    let source = grant(Action::DeleteObject, BUCKET, from);
    store.rename(&source, &grant(Action::PutObject, BUCKET, to), terms).await
}

async fn amend(store: &Store, key: &str, action: Action, change: AttributeChange) -> Version {
    store.amend(&grant(action, BUCKET, key), None, change, None).await.unwrap()
}

fn described(store: &Store, key: &str) -> Version {
    store.describe(&grant(Action::GetObject, BUCKET, key), None).unwrap()
}

/// What a key's versions hold, the newest first; `None` for a delete marker.
async fn contents(store: &Store, key: &str) -> Vec<Option<Vec<u8>>> {
    let mut found = Vec::new();
    for entry in entries(store, key) {
        found.push(match entry {
            VersionEntry::Version { version, .. } => Some(content(store, key, version.version).await),
            _ => None,
        });
    }
    found
}

fn entries(store: &Store, of: &str) -> Vec<VersionEntry> {
    let query = VersionQuery { prefix: of.into(), limit: 100, ..VersionQuery::default() };
    let page = store.list_versions(&grant(Action::ListBucketVersions, BUCKET, ""), &query).unwrap();
    let is_of = |entry: &VersionEntry| match entry {
        VersionEntry::Version { key, .. } | VersionEntry::Marker { key, .. } => key == of,
        VersionEntry::Prefix(_) => false,
    };
    page.entries.into_iter().filter(is_of).collect()
}

async fn content(store: &Store, key: &str, version: VersionId) -> Vec<u8> {
    let object = store.get(&grant(Action::GetObjectVersion, BUCKET, key), Some(version)).unwrap();
    let object = object.unlocked(None).unwrap();
    let size = object.version.size;
    let (mut reader, mut out) = (object.read(0..size), Vec::new());
    while let Some(piece) = reader.next().await {
        out.extend_from_slice(&piece.unwrap());
    }
    out
}

async fn current(store: &Store, key: &str) -> Vec<u8> {
    content(store, key, described(store, key).version).await
}

async fn end(store: &Store, key: &str, version: VersionId) -> Result<Deleted> {
    let grant = grant(Action::DeleteObjectVersion, BUCKET, key);
    store.delete_version(&grant, version, Precondition::None, None).await
}

/// Takes the delete marker away that is a key's newest version.
async fn bring_back(store: &Store, key: &str) {
    let Some(VersionEntry::Marker { version, .. }) = entries(store, key).into_iter().next() else {
        panic!("no marker")
    };
    end(store, key, version).await.unwrap();
}

fn place_of(store: &Store, inode: u64) -> Option<String> {
    let grant = authorise(&Actor::Root, Action::ListAllMyBuckets, Resource::Node).unwrap();
    let names = store.names(&grant, inode).unwrap();
    assert!(names.len() < 2, "{names:?}");
    names.into_iter().next().map(|(_, key)| key)
}

fn reopen(node: &Node, store: Store, anew: bool) -> Store {
    node::close(&store);
    drop(store);
    if anew {
        std::fs::remove_dir_all(node.index()).unwrap();
    }
    node.open()
}

async fn seal(store: &Store) {
    let sealing = store.clone();
    tokio::task::spawn_blocking(move || sealing.seal()).await.unwrap().unwrap();
}

fn expect_sound(store: &Store) {
    let report = tokio::task::block_in_place(|| store.verify(&node::administer(), 1.0, &node::silent())).unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
}

fn usage(store: &Store) -> (u64, u64) {
    let status = store.status(&node::administer()).unwrap();
    (status.objects, status.bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn older_versions_stay_at_both_keys() {
    let node = Node::new(profile(3, 1));
    let mut store = ready(&node, Versioning::Enabled).await;
    let bodies = [body(1, 0), body(2, 5000), vec![7; 50_000], body(3, (3 << 20) + 1)];
    let mut before = Vec::new();
    for (number, content) in bodies.iter().enumerate() {
        let (from, to) = (format!("from{number}"), format!("to{number}"));
        node::put(&store, BUCKET, &from, b"older").await;
        node::put(&store, BUCKET, &to, content).await;
        make(&store, &from, content).await;
        let tags = AttributeChange::Tags(vec![("desk".into(), "fx".into())]);
        amend(&store, &from, Action::PutObjectTagging, tags).await;
        let said = AttributeChange::Extended("user.desk".into(), Some(b"fx".to_vec()));
        amend(&store, &from, Action::PutObject, said).await;
        let touched = FileChange { mode: Some(0o600), mtime: Some(5), ..FileChange::default() };
        before.push(amend(&store, &from, Action::PutObject, AttributeChange::File(touched)).await);
        let (objects, bytes) = usage(&store);
        rename(&store, &from, &to).await.unwrap();
        assert_eq!(usage(&store), (objects + 1, bytes + content.len() as u64), "one version more");
    }
    for anew in [false, true, true] {
        for (number, (content, before)) in bodies.iter().zip(&before).enumerate() {
            let (from, to) = (format!("from{number}"), format!("to{number}"));
            let whole = Some(content.clone());
            assert!(contents(&store, &from).await == [None, whole.clone(), Some(b"older".to_vec())], "{from}");
            assert!(contents(&store, &to).await == [whole.clone(), whole], "{to}");
            let after = described(&store, &to);
            assert_eq!(after.file, File { ctime: after.file.ctime, ..before.file }, "{to}");
            assert_eq!((after.file.mtime, after.file.mode, after.file.uid), (5, 0o100_600, 7));
            assert!(after.modified >= before.modified);
            let said = |version: &Version| (version.attributes.tags.clone(), version.attributes.extended.clone());
            assert_eq!(said(&after), said(before));
            assert_eq!(place_of(&store, after.file.inode), Some(to));
        }
        expect_sound(&store);
        seal(&store).await;
        store = reopen(&node, store, anew);
    }
    // Each version goes alone: what was copied is nobody else's.
    let VersionEntry::Version { version, .. } = entries(&store, "from3").remove(1) else { panic!("no version") };
    end(&store, "from3", version.version).await.unwrap();
    seal(&store).await;
    assert!(current(&store, "to3").await == bodies[3]);
    expect_sound(&store);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_only_marks_hide_is_not_there() {
    let node = Node::new(profile(2, 1));
    let store = ready(&node, Versioning::Enabled).await;
    make(&store, "a", b"one").await;
    rename(&store, "a", "a").await.unwrap();
    rename(&store, "a", "b").await.unwrap();
    assert!(matches!(rename(&store, "a", "c").await, Err(Error::NoSuchKey)));
    assert!(matches!(rename(&store, "never", "c").await, Err(Error::NoSuchKey)));
    make(&store, "a", b"two").await;
    let none_match = Conditions { none_match: Some(NamedTag::Any), ..Conditions::default() };
    let terms = RenameTerms { destination: none_match, is_of_files: true, ..RenameTerms::default() };
    let (from, to) = (grant(Action::DeleteObject, BUCKET, "a"), grant(Action::PutObject, BUCKET, "b"));
    assert!(matches!(store.rename(&from, &to, terms).await, Err(Error::PreconditionFailed)));
    assert_eq!(contents(&store, "b").await, [Some(b"one".to_vec())]);
    // What S3 asks for is refused, as AWS has no such thing.
    let refused = store.rename(&from, &to, RenameTerms::default()).await;
    assert!(matches!(refused, Err(Error::InvalidBucketState(_))), "{refused:?}");
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_comes_back_has_a_number_of_its_own() {
    let node = Node::new(profile(2, 1));
    let mut store = ready(&node, Versioning::Enabled).await;
    let number = make(&store, "a", b"one").await.file.inode;
    rename(&store, "a", "b").await.unwrap();
    bring_back(&store, "a").await;
    let other = described(&store, "a").file.inode;
    assert_ne!(other, number);
    for anew in [false, true, true] {
        assert_eq!((described(&store, "a").file.inode, described(&store, "b").file.inode), (other, number));
        assert_eq!((place_of(&store, other), place_of(&store, number)), (Some("a".into()), Some("b".into())));
        seal(&store).await;
        store = reopen(&node, store, anew);
    }
    // A change of one is none of the other, and it takes its number along.
    let place = Rewritten { record: described(&store, "a").record, own: false, mtime: None };
    let mut writer = store.file_writer(&grant(Action::PutObject, BUCKET, "a"), place, None, None).unwrap();
    writer.write(b"changed".to_vec().into()).await.unwrap();
    writer.commit(Attributes::default(), Precondition::None).await.unwrap();
    assert_eq!((current(&store, "a").await, current(&store, "b").await), (b"changed".to_vec(), b"one".to_vec()));
    rename(&store, "a", "c").await.unwrap();
    assert_eq!(place_of(&store, other), Some("c".into()));
    // Both that had it are gone: whoever comes first has it again.
    rename(&store, "b", "d").await.unwrap();
    node::delete(&store, BUCKET, "d").await;
    assert_eq!(place_of(&store, number), None);
    bring_back(&store, "b").await;
    assert_eq!(described(&store, "b").file.inode, number);
    bring_back(&store, "d").await;
    assert!(![number, other].contains(&described(&store, "d").file.inode));
    bring_back(&store, "a").await;
    store = reopen(&node, store, true);
    let numbers = ["a", "b", "c", "d"].map(|key| described(&store, key).file.inode);
    for (key, number) in ["a", "b", "c", "d"].into_iter().zip(numbers) {
        assert_eq!(place_of(&store, number).as_deref(), Some(key), "{numbers:?}");
    }
    set(&store, Versioning::Suspended).await;
    set(&store, Versioning::Enabled).await;
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_versioning_is_suspended_the_null_version_goes() {
    let node = Node::new(profile(3, 1));
    let mut store = ready(&node, Versioning::Enabled).await;
    let large = body(1, 2 << 20);
    make(&store, "kept", &large).await;
    set(&store, Versioning::Suspended).await;
    make(&store, "null", &large).await;
    make(&store, "small", b"small").await;
    make(&store, "to", b"gives way").await;
    let before = usage(&store);
    rename(&store, "null", "to").await.unwrap();
    assert_eq!(usage(&store), (before.0 - 1, before.1 - 9));
    rename(&store, "kept", "away").await.unwrap();
    rename(&store, "small", "null").await.unwrap();
    for anew in [false, true, true] {
        let whole = Some(large.clone());
        assert!(contents(&store, "to").await == [whole.clone()]);
        assert!(contents(&store, "kept").await == [None, whole.clone()] && contents(&store, "away").await == [whole]);
        assert_eq!(contents(&store, "null").await, [Some(b"small".to_vec())], "in place of the delete marker");
        assert_eq!(contents(&store, "small").await, [None]);
        expect_sound(&store);
        seal(&store).await;
        store = reopen(&node, store, anew);
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_locked_is_neither_renamed_nor_renamed_over() {
    let node = Node::new(profile(2, 1));
    let store = ready(&node, Versioning::Enabled).await;
    lock_by(&store, None).await;
    let until = store.compliance_time() + DAY;
    make(&store, "free", b"free").await;
    for (key, change) in [
        ("compliance", AttributeChange::Retention(Some(Retention { mode: Mode::Compliance, until }))),
        ("governance", AttributeChange::Retention(Some(Retention { mode: Mode::Governance, until }))),
        ("held", AttributeChange::LegalHold(true)),
    ] {
        make(&store, key, key.as_bytes()).await;
        let is_hold = change == AttributeChange::LegalHold(true);
        let action = if is_hold { Action::PutObjectLegalHold } else { Action::PutObjectRetention };
        let locked = amend(&store, key, action, change).await;
        for (from, to) in [(key, "away"), ("free", key), (key, key)] {
            let refused = rename(&store, from, to).await;
            assert!(matches!(refused, Err(Error::Locked { .. } | Error::LegalHold)), "{from} {to}: {refused:?}");
        }
        assert_eq!(described(&store, key).version, locked.version);
        // Below a delete marker it is no hindrance, and stays.
        node::delete(&store, BUCKET, key).await;
        rename(&store, "free", key).await.unwrap();
        rename(&store, key, "free").await.unwrap();
        assert_eq!(contents(&store, key).await[3..], [Some(key.as_bytes().to_vec())]);
        assert!(end(&store, key, locked.version).await.is_err());
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_lock_waits_on_and_leaves_nothing() {
    let node = Node::new(profile(3, 1));
    let mut store = ready(&node, Versioning::Enabled).await;
    lock_by(&store, Some(RULE)).await;
    let large = body(1, 2 << 20);
    let waiting = |store: &Store| {
        let (page, _) = store.pending(&node::administer(), 0, 100).unwrap();
        page.into_iter().map(|file| file.key).collect::<Vec<_>>()
    };
    node::put(&store, BUCKET, "record", b"locked").await;
    node::delete(&store, BUCKET, "record").await;
    make(&store, "record", b"over a marker").await;
    make(&store, "large", &large).await;
    make(&store, "small", b"small").await;
    let since = described(&store, "large").attributes.pending;
    // The rule that counts is the one of the content.
    lock_by(&store, None).await;
    let before = usage(&store);
    rename(&store, "large", "other").await.unwrap();
    assert_eq!((described(&store, "other").attributes.pending, usage(&store)), (since, before));
    rename(&store, "small", "other").await.unwrap();
    rename(&store, "record", "free").await.unwrap();
    for anew in [false, true, true] {
        assert_eq!(
            contents(&store, "other").await,
            [Some(b"small".to_vec())],
            "a file that waits gives way as a whole"
        );
        assert_eq!(contents(&store, "record").await, [None, Some(b"locked".to_vec())]);
        assert_eq!(contents(&store, "free").await, [Some(b"over a marker".to_vec())]);
        assert_eq!((contents(&store, "large").await.len(), contents(&store, "small").await.len()), (0, 0));
        assert_eq!(waiting(&store), ["other", "free"]);
        seal(&store).await;
        store = reopen(&node, store, anew);
    }
    let held = described(&store, "other");
    let locked = store.lock_pending(&grant(Action::PutObjectRetention, BUCKET, "other"), &held).await.unwrap();
    assert!(locked.attributes.retention.unwrap().until >= store.compliance_time() + 10 * DAY - 60);
    assert!(matches!(rename(&store, "other", "away").await, Err(Error::Locked { .. })));
    assert!(matches!(rename(&store, "free", "other").await, Err(Error::Locked { .. })));
    // In front of an older version a delete marker stays, so that it doesn't come back.
    make(&store, "free2", b"x").await;
    lock_by(&store, Some(RULE)).await;
    make(&store, "free2", b"waits").await;
    rename(&store, "free2", "away").await.unwrap();
    assert_eq!(contents(&store, "free2").await, [None, Some(b"x".to_vec())]);
    node::close(&store);
}

/// A lock that is over, or a bucket's new default, is no way around the lock that whatever comes is given.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_a_rename_is_locked_as_what_is_put() {
    let node = Node::new(profile(2, 1));
    let store = ready(&node, Versioning::Enabled).await;
    lock_by(&store, None).await;
    make(&store, "file", b"file").await;
    node::put(&store, BUCKET, "object", b"object").await;
    let until = store.compliance_time() + 1;
    for key in ["file", "object"] {
        let over = AttributeChange::Retention(Some(Retention { mode: Mode::Governance, until }));
        amend(&store, key, Action::PutObjectRetention, over).await;
    }
    lock_by(&store, Some(RULE)).await;
    while store.compliance_time() <= until {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let file = rename(&store, "file", "file2").await.unwrap().attributes;
    assert_eq!((file.retention, file.pending.unwrap().rule), (None, RULE));
    let object = rename(&store, "object", "object2").await.unwrap().attributes;
    let held = object.retention.unwrap();
    assert!(held.mode == Mode::Compliance && held.until > until + 9 * DAY && object.pending.is_none());
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_encrypted_stays_so() {
    let node = Node::encrypting();
    let store = ready(&node, Versioning::Enabled).await;
    let customer = CustomerKey::new([5; 32]);
    for (number, length) in [1000, (2 << 20) + 7].into_iter().enumerate() {
        for (how, request) in
            [("managed", EncryptionRequest::Managed), ("customer", EncryptionRequest::Customer(&customer))]
        {
            let (from, to, content) = (format!("{how}{number}"), format!("{how}{number}'"), body(9, length));
            let may = grant(Action::PutObject, BUCKET, &from);
            let cipher = store.cipher(&may, request).await.unwrap();
            let mut writer = store.writer(&may, None, Some(cipher)).unwrap();
            writer.write(content.clone().into()).await.unwrap();
            writer.commit(Attributes::default(), Precondition::None).await.unwrap();
            let before = described(&store, &from);
            rename(&store, &from, &to).await.unwrap();
            let after = described(&store, &to);
            assert_eq!(after.attributes.encryption, before.attributes.encryption);
            let VersionEntry::Version { version: older, .. } = entries(&store, &from).remove(1) else { panic!("none") };
            for (key, version) in [(&from, older.version), (&to, after.version)] {
                let object = store.get(&grant(Action::GetObjectVersion, BUCKET, key), Some(version)).unwrap();
                let object = object.unlocked((how == "customer").then_some(&customer)).unwrap();
                let (mut reader, mut out) = (object.read(0..length as u64), Vec::new());
                while let Some(piece) = reader.next().await {
                    out.extend_from_slice(&piece.unwrap());
                }
                assert!(out == content, "{key}");
            }
        }
    }
    expect_sound(&store);
    node::close(&store);
}

/// Writers of the source and renames of it race, with bytes that are copied before it is decided.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_takes_along_what_stands_when_it_is_decided() {
    let node = Node::new(profile(2, 1));
    let store = ready(&node, Versioning::Enabled).await;
    for round in 0..12u64 {
        let length = if round % 2 == 0 { 3000 } else { 1_200_000 };
        let (older, newer) = (body(round * 2, length), body(round * 2 + 1, length));
        make(&store, "a", &older).await;
        let (writing, renaming, own) = (store.clone(), store.clone(), newer.clone());
        let writer = tokio::spawn(async move { node::put(&writing, BUCKET, "a", &own).await });
        let renamed = tokio::spawn(async move { rename(&renaming, "a", "b").await });
        writer.await.unwrap();
        renamed.await.unwrap().unwrap();
        let moved = current(&store, "b").await;
        match store.describe(&grant(Action::GetObject, BUCKET, "a"), None) {
            Ok(_) => assert!(current(&store, "a").await == newer && moved == older),
            Err(_) => assert!(moved == newer),
        }
    }
    expect_sound(&store);
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_counts_towards_a_quota() {
    let node = Node::new(profile(2, 1));
    let store = ready(&node, Versioning::Enabled).await;
    make(&store, "a", &body(1, 5000)).await;
    let quota = Quota { bytes: Some(9000), objects: None };
    tokio::task::block_in_place(|| store.set_bucket_quota(&node::administer(), BUCKET, quota)).unwrap();
    assert!(matches!(rename(&store, "a", "b").await, Err(Error::QuotaExceeded)));
    set(&store, Versioning::Suspended).await;
    assert!(matches!(rename(&store, "a", "b").await, Err(Error::QuotaExceeded)), "what versioning kept stays");
    make(&store, "c", &body(1, 3500)).await;
    rename(&store, "c", "d").await.unwrap();
    node::close(&store);
}
