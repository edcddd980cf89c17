//! Files in buckets with default retention: they wait for their lock, and get it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use std::thread::sleep;
use std::time::Duration;

use node::{Mount, Node, body, grant};
use packstone_access::{Action, Actor, Resource, authorise};
use packstone_posix::protocol::Change;
use packstone_store::object::{
    AttributeChange, Attributes, DefaultRetention, Mode, ObjectLock, Period, Precondition, Replaces, Retention,
    Version, VersionEntry, VersionQuery,
};

const DAY: i64 = 86_400;
const RULE: DefaultRetention = DefaultRetention { mode: Mode::Compliance, period: Period::Days(10) };

fn documents() -> Vec<u8> {
    ObjectLock { default: Some(RULE) }.encode()
}

fn ready() -> (Node, Mount, u64) {
    let node = Node::new();
    node.create_bucket(&[("versioning", &[1]), ("object-lock", &documents())]);
    let mount = node.mount();
    let bucket = mount.bucket();
    (node, mount, bucket)
}

fn described(node: &Node, key: &str) -> Version {
    node.store().describe(&grant(Action::GetObject, key), None).unwrap()
}

fn versions(node: &Node, of: &str) -> Vec<Version> {
    let query = VersionQuery { limit: 100, ..VersionQuery::default() };
    let page = node.store().list_versions(&grant(Action::ListBucketVersions, ""), &query).unwrap();
    let entries = page.entries.into_iter();
    let version = |entry| match entry {
        VersionEntry::Version { key, version } if key == of => Some(version),
        _ => None,
    };
    entries.filter_map(version).collect()
}

/// The records that wait, as the index lists them.
fn waiting(node: &Node) -> Vec<(String, u64)> {
    let grant = authorise(&Actor::Root, Action::Administer, Resource::Node).unwrap();
    let (mut found, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let (page, next) = node.store().pending(&grant, from, 2).unwrap();
        found.extend(page.into_iter().map(|file| (file.key, file.version.record)));
        after = next;
    }
    found
}

fn lock(node: &Node, version: &Version, key: &str) -> Version {
    node.run(node.store().lock_pending(&grant(Action::PutObjectRetention, key), version)).unwrap()
}

/// That a version is locked from about now on, for as long as the rule says.
fn expect_locked(node: &Node, version: &Version) {
    assert_eq!(version.attributes.pending, None);
    let Retention { mode, until } = version.attributes.retention.unwrap();
    let now = node.store().compliance_time();
    assert_eq!(mode, Mode::Compliance);
    assert!((now + 10 * DAY - 120..=now + 10 * DAY).contains(&until), "{until} {now}");
}

#[test]
fn what_is_written_waits_as_one_version() {
    let (mut node, mount, bucket) = ready();
    let inode = mount.put(bucket, "file", b"one");
    let held = described(&node, "file");
    assert_eq!((held.attributes.retention, held.attributes.pending.unwrap().rule), (None, RULE));
    assert_eq!(mount.extended(inode, "user.s3.lock-pending").unwrap(), b"COMPLIANCE");
    for content in [b"two".to_vec(), body(1, 3_000_000), b"three".to_vec()] {
        let handle = mount.open_empty(inode).unwrap();
        mount.write(handle, 0, &content[..content.len().min(1 << 20)]).unwrap();
        mount.publish(handle).unwrap();
        mount.write(handle, 0, b"x").unwrap();
        mount.release(handle).unwrap();
        assert_eq!(versions(&node, "file").len(), 1);
        assert_eq!(waiting(&node), [("file".to_owned(), described(&node, "file").record)]);
    }
    mount.set_extended(inode, "user.desk", b"fx").unwrap();
    mount.change(inode, Change { mode: Some(0o600), uid: Some(7), ..Change::default() }).unwrap();
    let record = described(&node, "file").record;
    node.restart_without_index();
    assert_eq!(waiting(&node), [("file".to_owned(), record)]);
    node.store().seal().unwrap();
    node.restart_without_index();
    assert_eq!(waiting(&node), [("file".to_owned(), record)]);
    assert_eq!(described(&node, "file").attributes.pending.unwrap().rule, RULE);
    let mount = node.mount();
    mount.unlink(bucket, "file").unwrap();
    assert_eq!((versions(&node, "file").len(), waiting(&node)), (0, vec![]));
}

#[test]
fn whoever_takes_all_leave_to_write_locks() {
    let (mut node, mount, bucket) = ready();
    let (told, handle) = mount.create(bucket, "file", true).unwrap();
    let other = mount.open(told.inode, true).unwrap();
    mount.write(handle, 0, b"written").unwrap();
    mount.change(told.inode, Change { mode: Some(0o640), ..Change::default() }).unwrap();
    assert!(described(&node, "file").attributes.pending.is_some(), "the owner may write still");
    mount.change(told.inode, Change { mode: Some(0o444), ..Change::default() }).unwrap();
    expect_locked(&node, &described(&node, "file"));
    assert_eq!(node.get("file").unwrap(), b"written", "what was written before belongs to it");
    for handle in [handle, other] {
        mount.write(handle, 0, b"W").unwrap();
        assert_eq!(mount.publish(handle), Err(libc::EPERM));
    }
    assert_eq!(mount.change(told.inode, Change { mode: Some(0o644), ..Change::default() }), Err(libc::EPERM));
    assert_eq!(mount.change(told.inode, Change { size: Some(1), ..Change::default() }), Err(libc::EPERM));
    assert_eq!(mount.unlink(bucket, "file"), Err(libc::EPERM));
    assert_eq!(mount.open_empty(told.inode), Err(libc::EPERM));
    node.restart_without_index();
    expect_locked(&node, &described(&node, "file"));
    assert_eq!((node.get("file").unwrap(), waiting(&node)), (b"written".to_vec(), vec![]));
}

#[test]
fn what_nobody_writes_is_locked_also_by_the_next_start() {
    let (mut node, mount, bucket) = ready();
    mount.put(bucket, "idle", b"idle");
    let (_, handle) = mount.create(bucket, "open", true).unwrap();
    mount.write(handle, 0, b"open").unwrap();
    mount.publish(handle).unwrap();
    node.stop();
    node.lock_after = Duration::from_secs(1);
    node.start();
    // Nobody holds either of them open in this life of the node.
    while !waiting(&node).is_empty() {
        sleep(Duration::from_millis(20));
    }
    for key in ["idle", "open"] {
        expect_locked(&node, &described(&node, key));
        assert_eq!(node.get(key).unwrap(), key.as_bytes());
    }
    let mount = node.mount();
    let (_, writer) = mount.create(bucket, "busy", true).unwrap();
    mount.write(writer, 0, b"not published").unwrap();
    mount.put(bucket, "later", b"later");
    while described(&node, "later").attributes.pending.is_some() {
        sleep(Duration::from_millis(20));
    }
    // It is older, and somebody writes it.
    assert!(described(&node, "busy").attributes.pending.is_some());
    mount.release(writer).unwrap();
    while described(&node, "busy").attributes.pending.is_some() {
        sleep(Duration::from_millis(20));
    }
    expect_locked(&node, &described(&node, "busy"));
    assert_eq!(node.get("busy").unwrap(), b"not published");
}

#[test]
fn what_s3_does_meanwhile() {
    let (mut node, mount, bucket) = ready();
    mount.put(bucket, "over", b"mine");
    mount.put(bucket, "deleted", b"mine");
    mount.put(bucket, "retained", b"mine");
    let older = described(&node, "over");
    node.put("over", b"of S3");
    expect_locked(&node, &described(&node, "over"));
    node.delete("deleted");
    assert_eq!(mount.lookup(bucket, "deleted"), Err(libc::ENOENT));
    let until = node.store().compliance_time() + 5 * DAY;
    let retention = Some(Retention { mode: Mode::Governance, until });
    let may = grant(Action::PutObjectRetention, "retained");
    let change = AttributeChange::Retention(retention);
    let held = node.run(node.store().amend(&may, None, change, None)).unwrap();
    assert_eq!((held.attributes.retention, held.attributes.pending), (retention, None), "what S3 says counts");
    let expected = [("over".to_owned(), older.record), ("deleted".to_owned(), versions(&node, "deleted")[0].record)];
    assert_eq!(waiting(&node), expected, "both stay versions, which wait");
    node.restart_without_index();
    assert_eq!(waiting(&node), expected);
    for (key, version) in [("over", &older), ("deleted", &versions(&node, "deleted")[0])] {
        expect_locked(&node, &lock(&node, version, key));
        // Asked again, nothing becomes later.
        let again = lock(&node, version, key);
        assert_eq!(again.attributes.retention, versions(&node, key).last().unwrap().attributes.retention);
    }
    assert!(waiting(&node).is_empty());
    let may = grant(Action::DeleteObjectVersion, "over");
    let ended = node.run(node.store().delete_version(&may, older.version, Precondition::None, None));
    assert!(ended.is_err());
    // A new file in front of a delete marker goes for good.
    let mount = node.mount();
    mount.put(bucket, "deleted", b"again");
    assert_eq!(versions(&node, "deleted").len(), 2);
    mount.unlink(bucket, "deleted").unwrap();
    assert_eq!(versions(&node, "deleted").len(), 1);
    assert_eq!(mount.lookup(bucket, "deleted"), Err(libc::ENOENT));
    // While it waits, S3 may end it.
    mount.put(bucket, "ended", b"mine");
    let version = described(&node, "ended").version;
    let may = grant(Action::DeleteObjectVersion, "ended");
    node.run(node.store().delete_version(&may, version, Precondition::None, None)).unwrap();
    assert!(waiting(&node).is_empty());
}

#[test]
fn the_rule_is_that_of_the_content() {
    let (node, mount, bucket) = ready();
    mount.put(bucket, "file", b"one");
    let none = ObjectLock { default: None }.encode();
    let may = grant(Action::PutBucketObjectLockConfiguration, "");
    node.run(node.store().put_document(&may, "object-lock", "", Some(none.into()), Replaces::Anything)).unwrap();
    let handle = mount.open(mount.walk("file").unwrap(), true).unwrap();
    mount.write(handle, 0, b"two").unwrap();
    mount.release(handle).unwrap();
    mount.put(bucket, "free", b"");
    assert_eq!(waiting(&node).len(), 1);
    expect_locked(&node, &lock(&node, &described(&node, "file"), "file"));
    // What was there before the default waits from its next content on, and its old version stays as it is.
    let rule = documents();
    node.run(node.store().put_document(&may, "object-lock", "", Some(rule.into()), Replaces::Anything)).unwrap();
    let handle = mount.open(mount.walk("free").unwrap(), true).unwrap();
    mount.write(handle, 0, b"content").unwrap();
    mount.release(handle).unwrap();
    assert_eq!(versions(&node, "free").len(), 2);
    assert!(described(&node, "free").attributes.pending.is_some());
}

#[test]
fn directories_and_links_in_such_a_bucket() {
    let (node, mount, bucket) = ready();
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    let file = mount.put(directory, "file", b"x");
    mount.change(directory, Change { mode: Some(0o555), ..Change::default() }).unwrap();
    assert_eq!(described(&node, "d/").attributes, Attributes { retention: None, ..described(&node, "d/").attributes });
    assert_eq!(waiting(&node).len(), 1);
    assert_eq!(mount.hard_link(file, bucket, "again"), Err(libc::EOPNOTSUPP));
    mount.rename((directory, "file"), (bucket, "file"), false).unwrap();
    mount.rename((bucket, "file"), (directory, "file"), false).unwrap();
    assert_eq!((versions(&node, "file").len(), versions(&node, "d/file").len()), (0, 1));
    assert_eq!(mount.rename((bucket, "d"), (bucket, "e"), false), Err(libc::EXDEV));
    mount.change(file, Change { mode: Some(0), ..Change::default() }).unwrap();
    assert_eq!(mount.remove_directory(bucket, "d"), Err(libc::ENOTEMPTY));
    assert_eq!(mount.rename((bucket, "d"), (bucket, "e"), false), Err(libc::EPERM));
    let other = mount.make_directory(bucket, "empty").unwrap().inode;
    mount.rename((bucket, "empty"), (bucket, "o"), false).unwrap();
    assert_eq!(described(&node, "o/").attributes.pending, None);
    mount.put(other, "file", b"x");
    mount.unlink(other, "file").unwrap();
    mount.remove_directory(bucket, "o").unwrap();
    assert_eq!(mount.names(bucket), ["d"]);
}
