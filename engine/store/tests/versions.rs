//! Versions, delete markers, amendments, locks and documents as the verbs give them, across restarts and with the index
//! made anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod node;

use node::{Node, body, grant, profile};
use packstone_access::{Action, Actor, Grant, Resource, authorise};
use packstone_store::configuration::{OBJECT_LOCK, VERSIONING};
use packstone_store::index::fjall::FjallIndex;
use packstone_store::index::{Index, IndexBatch, Mark, Space, keys};
use packstone_store::object::*;
use packstone_store::{Error, Result, Store};

const FAR: i64 = 1 << 40;

fn document(kind: &str, value: Vec<u8>) -> NewDocument {
    NewDocument { kind: kind.into(), name: String::new(), value: value.into() }
}

/// Documents of a bucket with object lock.
fn locked(default: Option<DefaultRetention>) -> Vec<NewDocument> {
    vec![
        document(VERSIONING, Versioning::Enabled.encode().unwrap()),
        document(OBJECT_LOCK, ObjectLock { default }.encode()),
    ]
}

async fn create(store: &Store, bucket: &str, documents: Vec<NewDocument>) -> Result<Bucket> {
    store.create_bucket(&grant(Action::CreateBucket, bucket, ""), documents).await
}

async fn set(store: &Store, bucket: &str, to: Versioning) -> Result<u64> {
    let value = to.encode().map(Into::into);
    let grant = grant(Action::PutBucketVersioning, bucket, "");
    store.put_document(&grant, VERSIONING, "", value, Replaces::Anything).await
}

async fn versioned(store: &Store) {
    create(store, "bkt", vec![]).await.unwrap();
    set(store, "bkt", Versioning::Enabled).await.unwrap();
}

async fn put(store: &Store, key: &str, text: &str) -> VersionId {
    node::put(store, "bkt", key, text.as_bytes()).await.version
}

async fn delete(store: &Store, key: &str) -> Deleted {
    store.delete(&grant(Action::DeleteObject, "bkt", key), Precondition::None).await.unwrap()
}

async fn end(store: &Store, key: &str, version: VersionId) -> Result<Deleted> {
    let grant = grant(Action::DeleteObjectVersion, "bkt", key);
    store.delete_version(&grant, version, Precondition::None, None).await
}

fn bypass(key: &str) -> Grant {
    grant(Action::BypassGovernanceRetention, "bkt", key)
}

async fn amend(store: &Store, key: &str, version: VersionId, change: AttributeChange) -> Result<Version> {
    let action = match change {
        AttributeChange::Tags(_) => Action::PutObjectTagging,
        AttributeChange::Retention(_) | AttributeChange::Lock => Action::PutObjectRetention,
        AttributeChange::LegalHold(_) => Action::PutObjectLegalHold,
        AttributeChange::Acl(_) => Action::PutObjectAcl,
        AttributeChange::File(_) | AttributeChange::Names(_) | AttributeChange::Extended(..) => Action::PutObject,
    };
    store.amend(&grant(action, "bkt", key), Some(version), change, None).await
}

fn named(store: &Store, key: &str, version: VersionId) -> Result<Object> {
    store.get(&grant(Action::GetObjectVersion, "bkt", key), Some(version))
}

async fn text(object: Object) -> String {
    let size = object.version.size;
    let mut reader = object.read(0..size);
    let mut out = Vec::new();
    while let Some(piece) = reader.next().await {
        out.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(out).unwrap()
}

async fn current(store: &Store, key: &str) -> Result<String> {
    node::get(store, "bkt", key).await.map(|bytes| String::from_utf8(bytes).unwrap())
}

/// One line for each entry of a listing.
fn listed(store: &Store, query: &VersionQuery) -> (Vec<String>, bool) {
    let page = store.list_versions(&grant(Action::ListBucketVersions, "bkt", ""), query).unwrap();
    let latest = |is: bool| if is { "*" } else { "" };
    let line = |entry: &VersionEntry| match entry {
        VersionEntry::Version { key, version } => format!("{key}={}{}", version.version, latest(version.latest)),
        VersionEntry::Marker { key, version, latest: is, .. } => format!("{key}-{version}{}", latest(*is)),
        VersionEntry::Prefix(prefix) => format!("{prefix}…"),
    };
    (page.entries.iter().map(line).collect(), page.truncated)
}

fn all(store: &Store) -> Vec<String> {
    listed(store, &VersionQuery { limit: 1000, ..VersionQuery::default() }).0
}

/// Closes a store and opens it again, with the index made anew if asked for.
fn reopen(node: &Node, store: Store, anew: bool) -> Store {
    node::close(&store);
    drop(store);
    if anew {
        std::fs::remove_dir_all(node.index()).unwrap();
    }
    node.open()
}

fn usage(store: &Store) -> (u64, u64) {
    let status = store.status(&node::administer()).unwrap();
    (status.objects, status.bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_keeps_versions() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    create(&store, "bkt", vec![]).await.unwrap();
    assert_eq!(put(&store, "k", "zero").await, VersionId::NULL);
    set(&store, "bkt", Versioning::Enabled).await.unwrap();
    let one = put(&store, "k", "one").await;
    let two = put(&store, "k", "two").await;
    let Deleted::Marked { version: marker } = delete(&store, "k").await else { panic!("no marker") };
    for anew in [false, false, true] {
        assert!(matches!(current(&store, "k").await, Err(Error::DeleteMarker { version, .. }) if version == marker));
        assert!(matches!(named(&store, "k", marker), Err(Error::DeleteMarker { version, .. }) if version == marker));
        assert!(matches!(current(&store, "other").await, Err(Error::NoSuchKey)));
        let unknown = VersionId(two.0 ^ 1);
        assert!(matches!(named(&store, "k", unknown), Err(Error::NoSuchVersion)), "an id that was made up");
        assert_eq!(text(named(&store, "k", VersionId::NULL).unwrap()).await, "zero");
        assert_eq!(text(named(&store, "k", one).unwrap()).await, "one");
        assert!(!named(&store, "k", two).unwrap().version.latest);
        let expected = [format!("k-{marker}*"), format!("k={two}"), format!("k={one}"), "k=null".into()];
        assert_eq!(all(&store), expected);
        assert_eq!(usage(&store), (3, 10));
        store = reopen(&node, store, anew);
    }
    assert_eq!(end(&store, "k", marker).await.unwrap(), Deleted::Ended { version: marker, marker: true });
    assert_eq!(current(&store, "k").await.unwrap(), "two");
    assert_eq!(end(&store, "k", one).await.unwrap(), Deleted::Ended { version: one, marker: false });
    assert_eq!(end(&store, "k", one).await.unwrap(), Deleted::Nothing);
    assert_eq!(end(&store, "k", two).await.unwrap(), Deleted::Ended { version: two, marker: false });
    assert_eq!(current(&store, "k").await.unwrap(), "zero");
    assert_eq!(all(&store), ["k=null*"]);
    let refused = store.delete_bucket(&grant(Action::DeleteBucket, "bkt", "")).await;
    assert!(matches!(refused, Err(Error::BucketNotEmpty)));
    let Deleted::Marked { version: marker } = delete(&store, "k").await else { panic!("no marker") };
    end(&store, "k", VersionId::NULL).await.unwrap();
    let refused = store.delete_bucket(&grant(Action::DeleteBucket, "bkt", "")).await;
    assert!(matches!(refused, Err(Error::BucketNotEmpty)), "a delete marker is left");
    end(&store, "k", marker).await.unwrap();
    assert_eq!(usage(&store), (0, 0));
    store.delete_bucket(&grant(Action::DeleteBucket, "bkt", "")).await.unwrap();
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_bucket_has_one_null_version_of_a_key() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    versioned(&store).await;
    let one = put(&store, "k", "one").await;
    set(&store, "bkt", Versioning::Suspended).await.unwrap();
    for number in 0..3 {
        assert_eq!(put(&store, "k", &format!("null{number}")).await, VersionId::NULL);
        assert_eq!(all(&store), ["k=null*".to_owned(), format!("k={one}")]);
    }
    set(&store, "bkt", Versioning::Enabled).await.unwrap();
    let two = put(&store, "k", "two").await;
    set(&store, "bkt", Versioning::Suspended).await.unwrap();
    store = reopen(&node, store, true);
    // The null version stands between the others: what comes takes its place, and is the newest.
    assert_eq!(text(named(&store, "k", VersionId::NULL).unwrap()).await, "null2");
    assert_eq!(delete(&store, "k").await, Deleted::Marked { version: VersionId::NULL });
    assert_eq!(all(&store), ["k-null*".to_owned(), format!("k={two}"), format!("k={one}")]);
    store = reopen(&node, store, true);
    assert_eq!(put(&store, "k", "null3").await, VersionId::NULL);
    assert_eq!(all(&store), ["k=null*".to_owned(), format!("k={two}"), format!("k={one}")]);
    end(&store, "k", VersionId::NULL).await.unwrap();
    assert_eq!(current(&store, "k").await.unwrap(), "two");
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn preconditions_ask_the_current_version_or_the_one_that_is_named() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    versioned(&store).await;
    let one = put(&store, "k", "one").await;
    delete(&store, "k").await;
    let mut writer = store.writer(&grant(Action::PutObject, "bkt", "k"), None, None).unwrap();
    writer.write(bytes::Bytes::from_static(b"two")).await.unwrap();
    let two = writer.commit(Attributes::default(), Precondition::Absent).await.unwrap();
    let delete = grant(Action::DeleteObjectVersion, "bkt", "k");
    let modified = two.modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    for wrong in [
        Precondition::Same { etag: None, modified: Some(modified + 1), size: None },
        Precondition::Same { etag: None, modified: None, size: Some(4) },
        Precondition::Same { etag: Some(Etag { md5: [1; 16], parts: 0 }), modified: None, size: None },
    ] {
        let refused = store.delete_version(&delete, one, wrong.clone(), None).await;
        assert!(matches!(refused, Err(Error::PreconditionFailed)), "{wrong:?}");
    }
    let right = Precondition::Same { etag: Some(Etag::default()), modified: Some(modified), size: Some(3) };
    store.delete_version(&delete, two.version, right, None).await.unwrap();
    assert!(matches!(current(&store, "k").await, Err(Error::DeleteMarker { .. })));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_page_by_page() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    versioned(&store).await;
    for key in ["a", "a\0b", "d/1", "d/2", "e"] {
        put(&store, key, "x").await;
        delete(&store, key).await;
        put(&store, key, "y").await;
    }
    delete(&store, "e").await;
    let whole = all(&store);
    assert_eq!(whole.len(), 16);
    for limit in 1..8 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let query = VersionQuery { after: after.take(), limit, ..VersionQuery::default() };
            let grant = grant(Action::ListBucketVersions, "bkt", "");
            let page = store.list_versions(&grant, &query).unwrap();
            seen.extend(listed(&store, &query).0);
            after = page.entries.last().map(|last| match last {
                VersionEntry::Version { key, version } => (key.clone(), Some(version.version)),
                VersionEntry::Marker { key, version, .. } => (key.clone(), Some(*version)),
                VersionEntry::Prefix(prefix) => (prefix.clone(), None),
            });
            if !page.truncated {
                break;
            }
        }
        assert_eq!(seen, whole, "{limit} at a time");
    }
    let under = |prefix: &str, after: Option<&str>| {
        let after = after.map(|key| (key.to_owned(), None));
        let query = VersionQuery { prefix: prefix.into(), delimiter: "/".into(), after, limit: 100 };
        listed(&store, &query).0
    };
    assert_eq!(under("", None).iter().filter(|line| *line == "d/…").count(), 1);
    assert_eq!(under("", None).len(), 11);
    assert_eq!(under("", Some("d/")), whole[12..], "a common prefix that was listed is passed over");
    assert_eq!(under("", Some("a")), [&whole[3..6], &["d/…".to_owned()], &whole[12..]].concat());
    assert_eq!(under("d/", None), whole[6..12]);
    assert!(under("zz", None).is_empty());
    let behind = |version: VersionId| {
        let after = Some(("a".to_owned(), Some(version)));
        listed(&store, &VersionQuery { after, limit: 100, ..VersionQuery::default() }).0
    };
    assert_eq!(behind(VersionId(u128::MAX)), whole, "one that would be newer than all");
    for placeless in [VersionId::NULL, VersionId(5)] {
        assert_eq!(behind(placeless), whole, "one that tells nothing of its place, as a null version that is gone");
    }
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_change_without_the_bytes() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    create(&store, "bkt", vec![]).await.unwrap();
    put(&store, "plain", "plain").await;
    let tags = |name: &str| vec![(name.to_owned(), "value".to_owned())];
    for name in ["first", "second"] {
        amend(&store, "plain", VersionId::NULL, AttributeChange::Tags(tags(name))).await.unwrap();
    }
    set(&store, "bkt", Versioning::Enabled).await.unwrap();
    let large = node::put(&store, "bkt", "large", &body(1, 2_000_000)).await.version;
    amend(&store, "large", large, AttributeChange::Acl(Some(b"acl".to_vec()))).await.unwrap();
    put(&store, "plain", "over").await;
    put(&store, "large", "over").await;
    for anew in [false, true, true] {
        let plain = named(&store, "plain", VersionId::NULL).unwrap();
        assert_eq!(plain.version.attributes.tags, tags("second"));
        assert_eq!(text(plain).await, "plain");
        let asks = grant(Action::GetObjectVersionTagging, "bkt", "plain");
        assert_eq!(store.describe(&asks, Some(VersionId::NULL)).unwrap().attributes.tags, tags("second"));
        assert!(matches!(store.get(&asks, Some(VersionId::NULL)), Err(Error::Denied(_))), "tags are no bytes");
        assert_eq!(named(&store, "large", large).unwrap().version.attributes.acl.as_deref(), Some(&b"acl"[..]));
        tokio::task::block_in_place(|| store.seal()).unwrap();
        store = reopen(&node, store, anew);
    }
    assert!(matches!(
        amend(&store, "plain", VersionId(7), AttributeChange::Tags(vec![])).await,
        Err(Error::NoSuchVersion)
    ));
    let Deleted::Marked { version } = delete(&store, "plain").await else { panic!("no marker") };
    let refused = amend(&store, "plain", version, AttributeChange::Tags(vec![])).await;
    assert!(matches!(refused, Err(Error::DeleteMarker { .. })));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_locked_does_not_end() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    let default = DefaultRetention { mode: Mode::Governance, period: Period::Days(1) };
    create(&store, "bkt", locked(Some(default))).await.unwrap();
    let version = put(&store, "k", "one").await;
    let held = named(&store, "k", version).unwrap().version.attributes.retention.unwrap();
    assert_eq!(held.mode, Mode::Governance);
    assert!(matches!(end(&store, "k", version).await, Err(Error::Locked { until }) if until == held.until));
    let compliance = Retention { mode: Mode::Compliance, until: FAR };
    let kept = put(&store, "kept", "kept").await;
    let refused = amend(&store, "kept", kept, AttributeChange::Retention(Some(compliance))).await;
    assert!(matches!(refused, Err(Error::Locked { .. })), "another mode needs a bypass");
    let change = AttributeChange::Retention(Some(compliance));
    let with = grant(Action::PutObjectRetention, "bkt", "kept");
    assert!(store.amend(&with, Some(kept), change.clone(), Some(&bypass("k"))).await.is_err(), "of another key");
    store.amend(&with, Some(kept), change, Some(&bypass("kept"))).await.unwrap();
    amend(&store, "kept", kept, AttributeChange::LegalHold(true)).await.unwrap();
    for anew in [false, true] {
        for change in [None, Some(Retention { until: FAR - 1, ..compliance })] {
            let change = AttributeChange::Retention(change);
            assert!(store.amend(&with, Some(kept), change, Some(&bypass("kept"))).await.is_err());
        }
        let delete = grant(Action::DeleteObjectVersion, "bkt", "kept");
        let ended = store.delete_version(&delete, kept, Precondition::None, Some(&bypass("kept"))).await;
        assert!(matches!(ended, Err(Error::LegalHold)));
        tokio::task::block_in_place(|| store.seal()).unwrap();
        store = reopen(&node, store, anew);
    }
    amend(&store, "kept", kept, AttributeChange::LegalHold(false)).await.unwrap();
    assert!(matches!(end(&store, "kept", kept).await, Err(Error::Locked { until: FAR })));
    let later = Retention { until: FAR + 1, ..compliance };
    amend(&store, "kept", kept, AttributeChange::Retention(Some(later))).await.unwrap();
    // In front of it anything may come: a DELETE puts a marker, a PUT a version.
    assert!(matches!(delete(&store, "kept").await, Deleted::Marked { .. }));
    put(&store, "kept", "over").await;
    assert_eq!(text(named(&store, "kept", kept).unwrap()).await, "kept");
    let delete = grant(Action::DeleteObjectVersion, "bkt", "k");
    store.delete_version(&delete, version, Precondition::None, Some(&bypass("k"))).await.unwrap();
    assert!(set(&store, "bkt", Versioning::Suspended).await.is_err());
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_are_for_buckets_that_have_them() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    versioned(&store).await;
    let one = put(&store, "k", "one").await;
    for change in [AttributeChange::LegalHold(true), AttributeChange::Retention(None)] {
        assert!(matches!(amend(&store, "k", one, change).await, Err(Error::NoObjectLock)));
    }
    let try_with = async |attributes: Attributes| {
        let writer = store.writer(&grant(Action::PutObject, "bkt", "k"), Some(0), None).unwrap();
        writer.commit(attributes, Precondition::None).await
    };
    let held = Attributes { legal_hold: true, ..Attributes::default() };
    assert!(matches!(try_with(held.clone()).await, Err(Error::NoObjectLock)));
    let upload = store.open_upload(&grant(Action::PutObject, "bkt", "k"), held, None).await;
    assert!(matches!(upload, Err(Error::NoObjectLock)));
    let lock = Some(ObjectLock::default().encode().into());
    let configure = grant(Action::PutBucketObjectLockConfiguration, "bkt", "");
    store.put_document(&configure, OBJECT_LOCK, "", lock, Replaces::Nothing).await.unwrap();
    let past = Some(Retention { mode: Mode::Governance, until: 1 });
    let past = try_with(Attributes { retention: past, ..Attributes::default() }).await;
    assert!(matches!(past, Err(Error::RetentionPast)));
    assert_eq!(current(&store, "k").await.unwrap(), "one");
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_completed_as_a_version() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    let default = DefaultRetention { mode: Mode::Compliance, period: Period::Years(1) };
    create(&store, "bkt", locked(Some(default))).await.unwrap();
    let one = put(&store, "k", "one").await;
    let put = grant(Action::PutObject, "bkt", "k");
    let upload = store.open_upload(&put, Attributes::default(), None).await.unwrap();
    let mut part = store.part_writer(&put, upload, 1, None, None).unwrap();
    part.write(bytes::Bytes::from_static(b"part")).await.unwrap();
    part.commit(Attributes::default(), Precondition::None).await.unwrap();
    let named_part = [NamedPart { number: 1, etag: Etag::default() }];
    let whole =
        store.complete_upload(&put, upload, &named_part, Etag::default(), None, Precondition::None).await.unwrap();
    assert_eq!(whole.attributes.retention.map(|held| held.mode), Some(Mode::Compliance));
    for anew in [false, true] {
        assert_eq!(all(&store), [format!("k={}*", whole.version), format!("k={one}")]);
        assert_eq!(current(&store, "k").await.unwrap(), "part");
        assert!(matches!(end(&store, "k", whole.version).await, Err(Error::Locked { .. })));
        assert_eq!(store.completed_upload(&put, upload).unwrap().record, whole.record);
        let another = store.completed_upload(&put, UploadId(upload.0 ^ 1));
        assert!(matches!(another, Err(Error::NoSuchUpload)));
        store = reopen(&node, store, anew);
    }
    store.delete(&grant(Action::DeleteObject, "bkt", "k"), Precondition::None).await.unwrap();
    assert!(matches!(store.completed_upload(&put, upload), Err(Error::NoSuchUpload)));
    node::close(&store);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_stand_until_they_are_replaced_and_die_with_their_bucket() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    let both = vec![document(VERSIONING, vec![9]), document("policy", b"allow".to_vec())];
    assert!(matches!(create(&store, "bkt", both).await, Err(Error::InvalidDocument(_))));
    assert!(store.bucket_state("bkt").is_none(), "all or nothing");
    create(&store, "bkt", vec![document("policy", b"allow".to_vec())]).await.unwrap();
    let (change, read) = (grant(Action::PutBucketPolicy, "bkt", ""), grant(Action::GetBucketPolicy, "bkt", ""));
    let first = store.bucket_state("bkt").unwrap().document("policy", "").unwrap().lsn;
    let large: bytes::Bytes = body(1, 1 << 20).into();
    let second = store.put_document(&change, "policy", "", Some(large.clone()), Replaces::Lsn(first)).await.unwrap();
    for stale in [Replaces::Lsn(first), Replaces::Nothing] {
        let remove = grant(Action::DeleteBucketPolicy, "bkt", "");
        let refused = store.put_document(&remove, "policy", "", None, stale).await;
        assert!(matches!(refused, Err(Error::DocumentChanged)));
    }
    for kind in ["cors", "quota"] {
        let refused = store.put_document(&change, kind, "", Some(large.clone()), Replaces::Anything).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{kind} with a grant for the policy");
    }
    let over = store.put_document(&change, "policy", "", Some(body(1, (1 << 20) + 1).into()), Replaces::Anything).await;
    assert!(matches!(over, Err(Error::InvalidDocument(_))));
    let administer = authorise(&Actor::Root, Action::Administer, Resource::Node).unwrap();
    for name in ["b", "a", "c"] {
        store.put_document(&administer, "user", name, Some(name.to_owned().into()), Replaces::Nothing).await.unwrap();
    }
    store.put_document(&administer, "user", "c", None, Replaces::Anything).await.unwrap();
    for anew in [false, true, true] {
        let state = store.bucket_state("bkt").unwrap();
        assert_eq!(state.document("policy", ""), Some(&Document { lsn: second, value: large.clone() }));
        assert_eq!(store.document(&read, "policy", "").unwrap().unwrap().value, large);
        let users: Vec<String> =
            store.documents(&administer, "user").unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(users, ["a", "b"]);
        tokio::task::block_in_place(|| store.seal()).unwrap();
        store = reopen(&node, store, anew);
    }
    store.delete_bucket(&grant(Action::DeleteBucket, "bkt", "")).await.unwrap();
    create(&store, "bkt", vec![]).await.unwrap();
    for anew in [false, true] {
        assert_eq!(store.bucket_state("bkt").unwrap().count_documents(), 0);
        assert!(store.document(&read, "policy", "").unwrap().is_none());
        store = reopen(&node, store, anew);
    }
    node::close(&store);
}

/// Key spaces that tell different times: no crash leaves such an index, but nothing may be built upon one.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_unequal_spaces_is_made_anew() {
    let node = Node::new(profile(3, 1));
    let mut store = node.open();
    versioned(&store).await;
    let one = put(&store, "k", "one").await;
    let two = put(&store, "k", "two").await;
    let expected = [format!("k={two}*"), format!("k={one}")];
    for space in Space::ALL {
        node::close(&store);
        drop(store);
        let index = FjallIndex::open(&node.index()).unwrap();
        let mark = index.snapshot().get(space, keys::MARK).unwrap().unwrap();
        let mark = Mark::decode(&mark).unwrap();
        let mut batch = IndexBatch::default();
        batch.put(space, keys::MARK.to_vec(), Mark(mark.0 - 1).encode());
        let rows: Vec<_> = index.snapshot().prefix(space, &[]).map(|pair| pair.unwrap().0.to_vec()).collect();
        rows.into_iter().filter(|key| key != keys::MARK).for_each(|key| batch.remove(space, key));
        index.write(batch).unwrap();
        index.persist().unwrap();
        drop(index);
        store = node.open();
        assert_eq!(all(&store), expected, "{space:?}");
        assert_eq!(usage(&store), (2, 6), "{space:?}");
    }
    node::close(&store);
}

/// Whatever ends a version ends what amended it: else it would be carried for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_amendment_dies_with_its_version() {
    let node = Node::new(profile(3, 1));
    let store = node.open();
    versioned(&store).await;
    for (number, ends) in [("1", true), ("2", false)] {
        let version = put(&store, number, "text").await;
        let tags = |value: &str| AttributeChange::Tags(vec![("tag".into(), value.into())]);
        amend(&store, number, version, tags("before")).await.unwrap();
        amend(&store, number, version, tags("after")).await.unwrap();
        if ends {
            end(&store, number, version).await.unwrap();
        }
    }
    node::close(&store);
    drop(store);
    let index = FjallIndex::open(&node.index()).unwrap();
    let dead = index.snapshot().prefix(Space::Dead, &[]).count() - 1;
    assert_eq!(dead, 4, "two amendments that were replaced, a version, and the amendment it had");
}

/// What compaction drops and carries: versions of both spaces in packed and stream segments, markers, amendments.
#[tokio::test(flavor = "multi_thread")]
async fn versions_outlive_compaction() {
    let mut node = Node::new(profile(3, 1));
    node.settings.stream_size = 8 << 20;
    let mut store = node.open();
    versioned(&store).await;
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for number in 0..60u64 {
        let (key, length) = (format!("{}", number % 5), if number % 6 == 0 { 1_500_000 } else { 10_000 });
        let version = node::put(&store, "bkt", &key, &body(number, length)).await.version;
        if number % 7 == 0 {
            let tags = AttributeChange::Tags(vec![("number".into(), number.to_string())]);
            amend(&store, &key, version, tags).await.unwrap();
        }
        let list = if number % 4 == 1 || number % 12 == 0 { &mut kept } else { &mut gone };
        list.push((key.clone(), version, number, length));
    }
    delete(&store, "0").await;
    tokio::task::block_in_place(|| store.seal()).unwrap();
    for (key, version, ..) in &gone {
        end(&store, key, *version).await.unwrap();
    }
    let before = all(&store);
    tokio::task::block_in_place(|| store.seal()).unwrap();
    let dead = |store: &Store| {
        let pool = &store.status(&node::administer()).unwrap().pools[0];
        pool.dead as f64 / pool.bytes.max(1) as f64
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while dead(&store) > 0.25 {
        assert!(std::time::Instant::now() < deadline, "{} of all is dead", dead(&store));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for anew in [false, true, false] {
        assert_eq!(all(&store), before);
        for (key, version, number, length) in &kept {
            let object = named(&store, key, *version).unwrap();
            assert_eq!(object.version.size, *length as u64);
            let tagged = !object.version.attributes.tags.is_empty();
            assert_eq!(tagged, number % 7 == 0, "{key} {version}");
            let mut reader = object.read(0..*length as u64);
            let mut held = Vec::new();
            while let Some(piece) = reader.next().await {
                held.extend_from_slice(&piece.unwrap());
            }
            assert!(held == body(*number, *length), "{key} {version}");
        }
        for (key, version, ..) in &gone {
            assert!(matches!(named(&store, key, *version), Err(Error::NoSuchVersion)), "{key} {version} came back");
        }
        let report = store.verify(&node::administer(), 1.0, &node::silent()).unwrap();
        assert_eq!((report.records, report.faults), (kept.len() as u64, vec![]));
        store = reopen(&node, store, anew);
    }
    node::close(&store);
}
