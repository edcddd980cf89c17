//! When names in directories changed, over restarts of the node.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod node;

use std::sync::Arc;
use std::time::{Duration, Instant};

use node::{Mount, Node, grant, ready};
use packstone_access::Action;
use packstone_posix::client;
use packstone_posix::protocol::{Attributes, Change, Request};
use packstone_store::object::{AttributeChange, Version};

fn marker(node: &Node, path: &str) -> Option<Version> {
    node.store().describe(&grant(Action::GetObject, path), None).ok()
}

fn sync(mount: &Mount, inode: u64) -> Result<(), i32> {
    mount.ask(Request::SyncDirectory { inode }, client::done)
}

fn mtime(mount: &Mount, inode: u64) -> i64 {
    mount.attributes(inode).unwrap().mtime
}

fn set(mount: &Mount, inode: u64, mtime: i64) {
    mount.change(inode, Change { mtime: Some(mtime), ..Change::default() }).unwrap();
}

/// What is told of directories stays, and their change times are no earlier, after a restart.
fn expect_kept(node: &mut Node, mount: &Mount, directories: &[u64], restart: impl Fn(&mut Node)) {
    let told = || -> Vec<Attributes> { directories.iter().map(|inode| mount.attributes(*inode).unwrap()).collect() };
    let before = told();
    restart(node);
    for (before, after) in before.iter().zip(told()) {
        assert_eq!((before.inode, before.mtime, before.mode), (after.inode, after.mtime, after.mode));
        assert!(before.ctime <= after.ctime);
    }
}

fn restart(node: &mut Node) {
    node.stop();
    node.start();
}

#[test]
fn what_was_told_of_directories_is_told_after_a_restart() {
    let (mut node, mount, bucket) = ready();
    let make = |name| mount.make_directory(bucket, name).unwrap().inode;
    let all = ["made", "unlinked", "renamed", "linked", "symbolic", "source", "target", "parent", "still"].map(make);
    let [made, unlinked, renamed, linked, symbolic, source, target, parent, _] = all;
    let file = mount.put(unlinked, "file", b"tick");
    mount.put(source, "file", b"tick");
    mount.hard_link(file, linked, "other").unwrap();
    mount.make_directory(parent, "gone").unwrap();
    for inode in all {
        set(&mount, inode, 7);
    }
    mount.put(made, "file", b"tick");
    mount.unlink(unlinked, "file").unwrap();
    mount.put(renamed, "file", b"tick");
    mount.rename((bucket, "renamed"), (bucket, "renamed again"), false).unwrap();
    mount.unlink(linked, "other").unwrap();
    let request = Request::Link { parent: symbolic, name: b"link", target: b"..", maker: node::MAKER };
    mount.ask(request, client::attributes).unwrap();
    mount.rename((source, "file"), (target, "file"), false).unwrap();
    mount.remove_directory(parent, "gone").unwrap();
    let told: Vec<i64> = all.iter().map(|inode| mtime(&mount, *inode)).collect();
    assert!(told[..8].iter().all(|mtime| *mtime > 7) && told[8] == 7, "{told:?}");
    let directories = [&all[..], &[bucket]].concat();
    expect_kept(&mut node, &mount, &directories, restart);
    expect_kept(&mut node, &mount, &directories, restart);
    expect_kept(&mut node, &mount, &directories, Node::restart_without_index);
}

#[test]
fn what_is_synced_is_durable() {
    let (node, mount, bucket) = ready();
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    for round in 0..3 {
        let (_, handle) = mount.create(directory, &format!("{round}"), true).unwrap();
        let told = mtime(&mount, directory);
        assert!(marker(&node, "d/").unwrap().file.mtime < told);
        sync(&mount, directory).unwrap();
        sync(&mount, directory).unwrap();
        assert_eq!((marker(&node, "d/").unwrap().file.mtime, mtime(&mount, directory)), (told, told));
        mount.release(handle).unwrap();
    }
    sync(&mount, bucket).unwrap();
    let kept = node.store().bucket_state(node::BUCKET).unwrap().names_changed();
    assert_eq!(kept, Some(mtime(&mount, bucket)));
    assert_eq!((sync(&mount, 1), sync(&mount, 12345)), (Ok(()), Err(libc::ESTALE)));
    let file = mount.walk("d/0").unwrap();
    assert_eq!(sync(&mount, file), Err(libc::ESTALE));
}

#[test]
fn what_is_noted_is_written_soon() {
    let (node, mount, bucket) = ready();
    let directories: Vec<u64> =
        (0..600).map(|number| mount.make_directory(bucket, &format!("{number}")).unwrap().inode).collect();
    for inode in &directories {
        mount.put(*inode, "file", b"tick");
    }
    let is_written =
        |number: usize| marker(&node, &format!("{number}/")).unwrap().file.mtime == mtime(&mount, directories[number]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !(0..600).all(is_written) {
        assert!(Instant::now() < deadline, "some are not written");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_was_set_stands_until_names_change_again() {
    let (mut node, mount, bucket) = ready();
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    let far = 4_000_000_000_000_000_000;
    for (round, time) in [7, far, 1_000_000_007].into_iter().enumerate() {
        mount.put(directory, &format!("{round}"), b"tick");
        set(&mount, directory, time);
        assert_eq!(mtime(&mount, directory), time);
        expect_kept(&mut node, &mount, &[directory], restart);
        sync(&mount, directory).unwrap();
        assert_eq!(mtime(&mount, directory), time);
        mount.unlink(directory, &format!("{round}")).unwrap();
        let told = mtime(&mount, directory);
        assert!(told > 1_000_000_007 && told < far, "names changed later than it was set");
        expect_kept(&mut node, &mount, &[directory], restart);
    }
}

#[test]
fn a_change_of_mode_or_attributes_leaves_the_time() {
    let (mut node, mount, bucket) = ready();
    let marked = mount.make_directory(bucket, "d").unwrap().inode;
    node.put("keys/alone", b"tick");
    let alone = mount.walk("keys").unwrap();
    for (round, directory) in [marked, alone, marked].into_iter().enumerate() {
        mount.put(directory, &format!("one{round}"), b"tick");
        let told = mtime(&mount, directory);
        mount.change(directory, Change { mode: Some(0o700), ..Change::default() }).unwrap();
        assert_eq!(mtime(&mount, directory), told);
        mount.put(directory, &format!("two{round}"), b"tick");
        let told = mtime(&mount, directory);
        mount.set_extended(directory, "user.desk", b"fx").unwrap();
        assert_eq!(mtime(&mount, directory), told);
        expect_kept(&mut node, &mount, &[directory], restart);
        assert_eq!(mount.extended(directory, "user.desk").unwrap(), b"fx");
    }
}

#[test]
fn what_s3_changed_and_a_mount_was_told_is_told_again() {
    let (mut node, mount, bucket) = ready();
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    set(&mount, directory, 7);
    node.put("d/file", b"tick");
    assert!(mtime(&mount, directory) > 7);
    expect_kept(&mut node, &mount, &[directory, bucket], restart);
    node.delete("d/file");
    let told = mtime(&mount, directory);
    mount.change(directory, Change { mode: Some(0o700), ..Change::default() }).unwrap();
    assert_eq!(mtime(&mount, directory), told, "to change the mode is no later change of names");
    set(&mount, directory, 8);
    expect_kept(&mut node, &mount, &[directory, bucket], restart);
    assert_eq!(mtime(&mount, directory), 8);
}

#[test]
fn directories_of_keys_alone_get_no_marker() {
    let (mut node, mount, bucket) = ready();
    node.put("keys/alone", b"tick");
    let directory = mount.walk("keys").unwrap();
    mount.put(directory, "file", b"tick");
    let told = mtime(&mount, directory);
    sync(&mount, directory).unwrap();
    assert_eq!(mtime(&mount, directory), told);
    assert!(marker(&node, "keys/").is_none());
    restart(&mut node);
    assert!(marker(&node, "keys/").is_none());
    // The number leads there still.
    assert_eq!((mount.walk("keys").unwrap(), mount.names(bucket)), (directory, vec!["keys".to_owned()]));
}

#[test]
fn a_directory_that_gets_a_marker_keeps_its_time() {
    let (mut node, mount, bucket) = ready();
    node.put("keys/alone", b"tick");
    let directory = mount.walk("keys").unwrap();
    mount.put(directory, "file", b"tick");
    let told = mtime(&mount, directory);
    mount.rename((bucket, "keys"), (bucket, "renamed"), false).unwrap();
    assert_eq!(mtime(&mount, directory), told);
    assert!(marker(&node, "renamed/").is_some());
    expect_kept(&mut node, &mount, &[directory, bucket], restart);
}

#[test]
fn what_was_removed_stays_removed() {
    let (mut node, mount, bucket) = ready();
    for name in ["by us", "by s3", "again"] {
        let directory = mount.make_directory(bucket, name).unwrap().inode;
        mount.put(directory, "file", b"tick");
        mount.unlink(directory, "file").unwrap();
    }
    mount.remove_directory(bucket, "by us").unwrap();
    node.delete("by s3/");
    mount.remove_directory(bucket, "again").unwrap();
    let again = mount.make_directory(bucket, "again").unwrap();
    restart(&mut node);
    assert_eq!(mount.names(bucket), ["again"]);
    assert_eq!((mtime(&mount, again.inode), marker(&node, "by us/").is_none()), (again.mtime, true));
}

#[test]
fn a_locked_marker_is_left_as_it_is() {
    let mut node = Node::new();
    node.create_bucket(&[("versioning", &[1]), ("object-lock", &[0])]);
    let mount = node.mount();
    let bucket = mount.bucket();
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    let hold = AttributeChange::LegalHold(true);
    node.run(node.store().amend(&grant(Action::PutObjectLegalHold, "d/"), None, hold, None)).unwrap();
    let held = marker(&node, "d/").unwrap();
    mount.put(directory, "file", b"tick");
    let told = mtime(&mount, directory);
    assert!(told > held.file.mtime);
    sync(&mount, directory).unwrap();
    assert_eq!((mtime(&mount, directory), marker(&node, "d/").unwrap().file), (told, held.file));
    restart(&mut node);
    assert_eq!((mtime(&mount, directory), marker(&node, "d/").unwrap().file), (held.file.mtime, held.file));
}

/// What is done in each round.
type Work = dyn Fn(&Mount, usize) + Send;

#[test]
fn what_changes_at_once_leaves_the_last_change_of_names() {
    let (mut node, mount, bucket) = ready();
    let directory = mount.make_directory(bucket, "d").unwrap().inode;
    let mount = Arc::new(mount);
    let spawn = |work: Box<Work>| {
        let mount = mount.clone();
        std::thread::spawn(move || (0..100).for_each(|round| work(&mount, round)))
    };
    let workers = [
        spawn(Box::new(move |mount, round| {
            mount.change(directory, Change { mode: Some(0o700 + (round & 7) as u32), ..Change::default() }).unwrap();
        })),
        spawn(Box::new(move |mount, _| sync(mount, directory).unwrap())),
        spawn(Box::new(move |mount, round| {
            mount.set_extended(directory, "user.round", &round.to_le_bytes()).unwrap();
        })),
    ];
    let mut last = 0;
    for round in 0..200 {
        let begun = now();
        mount.put(directory, &format!("{round}"), b"tick");
        let told = mtime(&mount, directory);
        assert!(told >= begun && told > last, "round {round}: {last}, {begun}, {told}");
        last = told;
    }
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(mtime(&mount, directory), last);
    expect_kept(&mut node, &mount, &[directory, bucket], restart);
}

#[test]
fn directories_come_and_go_while_their_times_are_written() {
    let (mut node, mount, bucket) = ready();
    let mount = Arc::new(mount);
    for round in 0..100 {
        let directory = mount.make_directory(bucket, "d").unwrap().inode;
        mount.put(directory, "file", b"tick");
        mount.unlink(directory, "file").unwrap();
        let writer = {
            let mount = mount.clone();
            std::thread::spawn(move || sync(&mount, directory))
        };
        if round % 2 == 0 {
            mount.remove_directory(bucket, "d").unwrap();
        } else {
            mount.rename((bucket, "d"), (bucket, &format!("{round}")), false).unwrap();
        }
        let synced = writer.join().unwrap();
        assert!(matches!(synced, Ok(()) | Err(libc::ESTALE)), "{synced:?}");
        assert!(marker(&node, "d/").is_none());
    }
    assert_eq!(mount.names(bucket).len(), 50);
    let all: Vec<u64> = mount.list(bucket).unwrap().iter().map(|entry| entry.attributes.inode).collect();
    expect_kept(&mut node, &mount, &all, restart);
}

#[test]
fn mounts_forget_nothing_when_a_time_is_written() {
    let (node, mount, bucket) = ready();
    let [written, changed] = ["written", "changed"].map(|name| mount.make_directory(bucket, name).unwrap().inode);
    let other = node.mount();
    let mut watch = other.0.watch(Duration::from_secs(3600)).unwrap();
    for _ in 0..3 {
        other.walk("written").unwrap();
        other.walk("changed").unwrap();
        mount.put(written, "file", b"tick");
        sync(&mount, written).unwrap();
        assert_eq!(marker(&node, "written/").unwrap().file.mtime, mtime(&mount, written));
        mount.unlink(written, "file").unwrap();
        sync(&mount, written).unwrap();
        mount.change(changed, Change { mode: Some(0o700), ..Change::default() }).unwrap();
        let (_, name, inode) = watch.wait().unwrap();
        assert_eq!((&*name, inode), (&b"changed"[..], changed));
    }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_nanos()).unwrap()
}
