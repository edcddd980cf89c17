//! Renaming files in buckets that keep or kept versions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod node;

use node::{Mount, Node, body, grant};
use packstone_access::Action;
use packstone_posix::protocol::Change;
use packstone_store::object::{
    AttributeChange, DefaultRetention, Mode, ObjectLock, Pending, Period, Retention, Version, VersionEntry,
    VersionQuery,
};

const RULE: DefaultRetention = DefaultRetention { mode: Mode::Compliance, period: Period::Days(10) };

fn versioned() -> (Node, Mount, u64) {
    let node = Node::new();
    node.create_bucket(&[("versioning", &[1])]);
    let mount = node.mount();
    let bucket = mount.bucket();
    (node, mount, bucket)
}

fn lockable(default: Option<DefaultRetention>) -> (Node, Mount, u64) {
    let node = Node::new();
    node.create_bucket(&[("versioning", &[1]), ("object-lock", &ObjectLock { default }.encode())]);
    let mount = node.mount();
    let bucket = mount.bucket();
    (node, mount, bucket)
}

fn described(node: &Node, key: &str) -> Version {
    node.store().describe(&grant(Action::GetObject, key), None).unwrap()
}

/// Sizes of a key's versions, the newest first; `None` for a delete marker.
fn sizes(node: &Node, of: &str) -> Vec<Option<u64>> {
    let entries = entries(node, of).into_iter();
    let size = |entry| match entry {
        VersionEntry::Version { version, .. } => Some(version.size),
        _ => None,
    };
    entries.map(size).collect()
}

fn entries(node: &Node, of: &str) -> Vec<VersionEntry> {
    let query = VersionQuery { prefix: of.into(), limit: 100, ..VersionQuery::default() };
    let page = node.store().list_versions(&grant(Action::ListBucketVersions, ""), &query).unwrap();
    let is_of = |entry: &VersionEntry| match entry {
        VersionEntry::Version { key, .. } | VersionEntry::Marker { key, .. } => key == of,
        VersionEntry::Prefix(_) => false,
    };
    page.entries.into_iter().filter(is_of).collect()
}

/// As S3 brings back what was deleted.
fn bring_back(node: &Node, key: &str) {
    let Some(VersionEntry::Marker { version, .. }) = entries(node, key).into_iter().next() else { panic!("no marker") };
    node.delete_version(key, version);
}

fn retain(node: &Node, key: &str) {
    let until = node.store().compliance_time() + 1000;
    let change = AttributeChange::Retention(Some(Retention { mode: Mode::Compliance, until }));
    node.run(node.store().amend(&grant(Action::PutObjectRetention, key), None, change, None)).unwrap();
}

#[test]
fn a_file_keeps_its_number_and_what_is_said_of_it() {
    let (mut node, mount, bucket) = versioned();
    mount.put(bucket, "to", b"replaced");
    for (round, content) in [b"small".to_vec(), Vec::new(), body(1, 3_000_000)].into_iter().enumerate() {
        let inode = mount.put(bucket, "from", &content);
        let change = Change { mode: Some(0o600), mtime: Some(5_000_000_000), ..Change::default() };
        mount.change(inode, change).unwrap();
        mount.set_extended(inode, "user.desk", b"fx").unwrap();
        let before = mount.attributes(inode).unwrap();
        assert_eq!(mount.rename((bucket, "from"), (bucket, "to"), true), Err(libc::EEXIST));
        mount.rename((bucket, "from"), (bucket, "to"), false).unwrap();
        assert_eq!(mount.lookup(bucket, "from"), Err(libc::ENOENT));
        let after = mount.lookup(bucket, "to").unwrap();
        let same =
            |told: &packstone_posix::protocol::Attributes| (told.inode, told.mode, told.uid, told.mtime, told.links);
        assert_eq!(same(&after), same(&before));
        assert_eq!(mount.extended(inode, "user.desk").unwrap(), b"fx");
        assert!(mount.content(inode).unwrap() == content);
        // What it took the place of, and what it was, stay as versions.
        assert_eq!(sizes(&node, "to").len(), round + 2);
        assert_eq!(sizes(&node, "from")[..2], [None, Some(content.len() as u64)]);
    }
    mount.rename((bucket, "to"), (bucket, "free"), true).unwrap();
    let inode = mount.walk("free").unwrap();
    node.restart_without_index();
    let mount = node.mount();
    assert_eq!(mount.walk("free").unwrap(), inode);
    assert!(mount.content(inode).unwrap() == body(1, 3_000_000));
    node.expect_sound();
}

#[test]
fn who_has_it_open_goes_on() {
    let (node, mount, bucket) = versioned();
    let replaced = mount.put(bucket, "to", b"replaced");
    let reader = mount.open(replaced, false).unwrap();
    for (number, length) in [10, 6_000_000].into_iter().enumerate() {
        let (told, handle) = mount.create(bucket, "from", true).unwrap();
        let content = body(number as u64, length);
        for (at, piece) in content.chunks(1 << 20).enumerate() {
            mount.write(handle, (at << 20) as u64, piece).unwrap();
        }
        // Nothing of it was published yet, or part of it is on its way.
        mount.rename((bucket, "from"), (bucket, "to"), false).unwrap();
        mount.write(handle, length as u64, b"more").unwrap();
        mount.publish(handle).unwrap();
        mount.release(handle).unwrap();
        assert_eq!(mount.walk("to").unwrap(), told.inode);
        assert!(node.get("to").unwrap() == [&content[..], b"more"].concat());
    }
    assert_eq!(mount.read(reader, 0, 100).unwrap(), b"replaced", "who has what was replaced open keeps it");
    assert_eq!(mount.attributes(replaced).unwrap().links, 0);
    mount.release(reader).unwrap();
    // What an opening published for the time being is no version beside its next one.
    assert_eq!(sizes(&node, "to").iter().flatten().filter(|size| **size > 0).count(), 3);
}

/// As editors save: the new content under another name, in place of the old one.
#[test]
fn a_save_by_a_temporary_name_leaves_one_version_of_what_waits() {
    let (mut node, mount, bucket) = lockable(Some(RULE));
    mount.put(bucket, "file", b"first");
    let since = described(&node, "file").attributes.pending.unwrap();
    for round in 0..3u64 {
        let content = body(round, 1000 + 2_000_000 * (round as usize % 2));
        mount.put(bucket, ".file.swp", &content);
        let held = described(&node, ".file.swp").attributes.pending;
        mount.rename((bucket, ".file.swp"), (bucket, "file"), false).unwrap();
        assert_eq!((sizes(&node, ".file.swp").len(), sizes(&node, "file").len()), (0, 1));
        let version = described(&node, "file");
        let Pending { rule, since: then } = version.attributes.pending.unwrap();
        assert!(version.attributes.pending == held && rule == RULE && then >= since.since);
        assert!(node.get("file").unwrap() == content);
    }
    node.restart_without_index();
    let mount = node.mount();
    let inode = mount.walk("file").unwrap();
    mount.change(inode, Change { mode: Some(0o444), ..Change::default() }).unwrap();
    assert!(described(&node, "file").attributes.retention.is_some());
    mount.put(bucket, "other", b"other");
    assert_eq!(mount.rename((bucket, "file"), (bucket, "away"), false), Err(libc::EPERM));
    assert_eq!(mount.rename((bucket, "other"), (bucket, "file"), false), Err(libc::EPERM));
    assert_eq!(mount.rename((bucket, "other"), (bucket, "file"), true), Err(libc::EEXIST));
    node.put("object", b"of S3, locked as it came");
    assert_eq!(mount.rename((bucket, "object"), (bucket, "away"), false), Err(libc::EPERM));
    assert_eq!(mount.rename((bucket, "other"), (bucket, "object"), false), Err(libc::EPERM));
    assert_eq!((sizes(&node, "object").len(), sizes(&node, "other").len(), sizes(&node, "away").len()), (1, 1, 0));
}

#[test]
fn what_is_locked_stays_where_it_is() {
    let (node, mount, bucket) = lockable(None);
    mount.put(bucket, "retained", b"kept");
    retain(&node, "retained");
    mount.put(bucket, "held", b"kept");
    let hold = AttributeChange::LegalHold(true);
    node.run(node.store().amend(&grant(Action::PutObjectLegalHold, "held"), None, hold, None)).unwrap();
    for key in ["retained", "held"] {
        mount.put(bucket, "other", b"other");
        assert_eq!(mount.rename((bucket, key), (bucket, "away"), false), Err(libc::EPERM));
        assert_eq!(mount.rename((bucket, "other"), (bucket, key), false), Err(libc::EPERM));
        assert_eq!((sizes(&node, key), node.get(key).unwrap()), (vec![Some(4)], b"kept".to_vec()));
        mount.unlink(bucket, "other").unwrap();
    }
    // An older version is locked, and stays so: what is in front of it isn't, and may go.
    node.put("retained", b"over it");
    mount.rename((bucket, "retained"), (bucket, "away"), false).unwrap();
    assert_eq!(sizes(&node, "retained"), [None, Some(7), Some(4)]);
    let VersionEntry::Version { version, .. } = entries(&node, "retained").remove(2) else { panic!("no version") };
    assert!(version.attributes.retention.is_some());
}

#[test]
fn what_comes_back_is_another_file() {
    let (mut node, mount, bucket) = versioned();
    let inode = mount.put(bucket, "a", b"one");
    mount.rename((bucket, "a"), (bucket, "b"), false).unwrap();
    bring_back(&node, "a");
    let other = mount.walk("a").unwrap();
    assert!(other != inode && mount.walk("b").unwrap() == inode);
    for (at, content) in [(inode, b"changed b"), (other, b"changed a")] {
        let handle = mount.open_empty(at).unwrap();
        mount.write(handle, 0, content).unwrap();
        mount.release(handle).unwrap();
    }
    assert_eq!((mount.attributes(inode).unwrap().links, mount.attributes(other).unwrap().links), (1, 1));
    node.restart_without_index();
    let mount = node.mount();
    assert_eq!(
        (mount.content(inode).unwrap(), mount.content(other).unwrap()),
        (b"changed b".to_vec(), b"changed a".to_vec())
    );
    // One over the other: they are two.
    mount.rename((bucket, "a"), (bucket, "b"), false).unwrap();
    assert_eq!((mount.walk("b").unwrap(), node.get("b").unwrap()), (other, b"changed a".to_vec()));
}

#[test]
fn an_empty_directory_is_renamed() {
    let (node, mount, bucket) = versioned();
    let inode = mount.make_directory(bucket, "d").unwrap().inode;
    mount.change(inode, Change { mode: Some(0o700), ..Change::default() }).unwrap();
    let full = mount.make_directory(bucket, "full").unwrap().inode;
    mount.put(full, "file", b"x");
    assert_eq!(mount.rename((bucket, "d"), (bucket, "full"), false), Err(libc::ENOTEMPTY));
    assert_eq!(mount.rename((bucket, "full"), (bucket, "d"), false), Err(libc::EXDEV));
    mount.make_directory(bucket, "over").unwrap();
    assert_eq!(mount.rename((bucket, "d"), (bucket, "over"), true), Err(libc::EEXIST));
    mount.rename((bucket, "d"), (bucket, "over"), false).unwrap();
    mount.rename((bucket, "over"), (full, "d"), true).unwrap();
    let told = mount.lookup(full, "d").unwrap();
    assert_eq!((told.inode, told.mode & 0o7777), (inode, 0o700));
    assert_eq!(mount.names(bucket), ["full"]);
    mount.put(told.inode, "file", b"in it");
    assert_eq!(node.get("full/d/file").unwrap(), b"in it");
    // Nothing is left of a directory that only the file told of, but its marker.
    node.put("implicit/file", b"x");
    let implicit = mount.walk("implicit").unwrap();
    mount.rename((implicit, "file"), (bucket, "file"), false).unwrap();
    assert_eq!((mount.walk("implicit").unwrap(), mount.names(implicit)), (implicit, Vec::<String>::new()));
}
