//! Files with several names: what a mount sees and does, beside what S3 does to the same objects.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use node::{Node, body, ready};
use packstone_posix::protocol::Change;

#[test]
fn all_names_are_one_file() {
    let (mut node, mount, bucket) = ready();
    for size in [0, 5000, 3_000_000] {
        let inode = mount.put(bucket, "one", &body(1, size));
        let before = mount.attributes(inode).unwrap();
        let directory = mount.make_directory(bucket, "d").unwrap().inode;
        let told = mount.hard_link(inode, directory, "two").unwrap();
        assert_eq!((told.inode, told.links, told.mtime), (inode, 2, before.mtime));
        assert!(told.ctime > before.ctime);
        assert_eq!(mount.hard_link(inode, directory, "two"), Err(libc::EEXIST));
        assert_eq!(mount.hard_link(directory, bucket, "three"), Err(libc::EPERM));
        assert_eq!(node.get("d/two").unwrap(), body(1, size));

        let handle = mount.open(mount.walk("d/two").unwrap(), true).unwrap();
        mount.write(handle, 0, b"written").unwrap();
        assert_eq!(&mount.content(mount.walk("one").unwrap()).unwrap()[..7], b"written", "before it is published");
        mount.publish(handle).unwrap();
        for key in ["one", "d/two"] {
            assert_eq!(&node.get(key).unwrap()[..7], b"written");
        }
        mount.change(inode, Change { mode: Some(0o400), size: Some(3), ..Change::default() }).unwrap();
        node.restart_without_index();
        for path in ["one", "d/two"] {
            assert_eq!((mount.walk(path), node.get(path).unwrap()), (Ok(inode), b"wri".to_vec()));
        }
        let told = mount.lookup(bucket, "one").unwrap();
        assert_eq!((told.links, told.mode & 0o777), (2, 0o400));
        mount.rename((bucket, "one"), (directory, "two"), false).unwrap();
        assert_eq!((mount.walk("one"), mount.walk("d/two")), (Ok(inode), Ok(inode)), "two names of one file both stay");
        mount.rename((bucket, "d"), (bucket, "e"), false).unwrap();
        assert_eq!(mount.walk("e/two"), Ok(inode));
        mount.unlink(bucket, "one").unwrap();
        assert_eq!(mount.attributes(inode).unwrap().links, 1);
        assert!(mount.attributes(inode).unwrap().ctime > told.ctime);
        mount.unlink(directory, "two").unwrap();
        assert_eq!(mount.attributes(inode), Err(libc::ESTALE));
        assert_eq!(mount.hard_link(inode, bucket, "again"), Err(libc::ENOENT));
        mount.remove_directory(bucket, "e").unwrap();
    }
}

#[test]
fn an_open_file_stays_as_long_as_it_has_a_name() {
    let (node, mount, bucket) = ready();
    for large in [false, true] {
        let (told, handle) = mount.create(bucket, "one", true).unwrap();
        let pieces: u64 = if large { 6 } else { 1 };
        for at in 0..pieces {
            mount.write(handle, at << 20, &body(at, 1 << 20)).unwrap();
        }
        mount.hard_link(told.inode, bucket, "two").unwrap();
        mount.write(handle, pieces << 20, b"more").unwrap();
        mount.unlink(bucket, "one").unwrap();
        mount.write(handle, (pieces << 20) + 4, b" and more").unwrap();
        mount.publish(handle).unwrap();
        assert_eq!(node.get("two").unwrap()[(pieces as usize) << 20..], *b"more and more");
        mount.rename((bucket, "two"), (bucket, "three"), false).unwrap();
        mount.hard_link(told.inode, bucket, "four").unwrap();
        // S3 takes the name that the file was opened by.
        node.delete("three");
        mount.write(handle, 0, b"still").unwrap();
        mount.release(handle).unwrap();
        assert_eq!(node.get("four").unwrap()[..5], *b"still");
        mount.put(bucket, "other", b"other");
        mount.rename((bucket, "other"), (bucket, "four"), false).unwrap();
        assert_eq!(mount.attributes(told.inode), Err(libc::ESTALE));
        mount.unlink(bucket, "four").unwrap();
    }
}

#[test]
fn what_s3_puts_over_a_name_leaves_the_file() {
    let (node, mount, bucket) = ready();
    let inode = mount.put(bucket, "one", b"content");
    mount.hard_link(inode, bucket, "two").unwrap();
    let handle = mount.open(inode, true).unwrap();
    mount.write(handle, 0, b"C").unwrap();
    node.put("one", b"another");
    assert_ne!(mount.walk("one").unwrap(), inode);
    assert_eq!((mount.walk("two").unwrap(), mount.attributes(inode).unwrap().links), (inode, 1));
    mount.release(handle).unwrap();
    assert_eq!((node.get("one").unwrap(), node.get("two").unwrap()), (b"another".to_vec(), b"Content".to_vec()));
    mount.put(bucket, "three", b"3");
    mount.hard_link(mount.walk("three").unwrap(), bucket, "four").unwrap();
    node.delete("three");
    assert_eq!(mount.lookup(bucket, "four").unwrap().links, 1);
    node.put("four", b"4");
    assert_eq!(mount.lookup(bucket, "four").unwrap().links, 1);
}

#[test]
fn where_versions_are_kept_a_file_has_one_name() {
    let node = Node::new();
    node.create_bucket(&[("versioning", &[1])]);
    let mount = node.mount();
    let bucket = mount.bucket();
    let inode = mount.put(bucket, "file", b"x");
    assert_eq!(mount.hard_link(inode, bucket, "other"), Err(libc::EOPNOTSUPP));
}

#[test]
fn paths_may_be_longer_than_s3_makes_keys() {
    let (mut node, mount, bucket) = ready();
    let name = "n".repeat(255);
    let (mut at, mut path) = (bucket, String::new());
    while path.len() + 256 < 4095 {
        at = mount.make_directory(at, &name).unwrap().inode;
        path = format!("{path}{name}/");
    }
    let rest = "f".repeat(4094 - path.len());
    assert_eq!(mount.create(at, &format!("{rest}f"), true).map(|_| ()), Err(libc::ENAMETOOLONG));
    let inode = mount.put(at, &rest, b"deep");
    assert!(mount.names(at).iter().eq([&rest]));
    assert_eq!(mount.lookup(at, "none"), Err(libc::ENOENT));
    mount.hard_link(inode, bucket, "short").unwrap();
    node.restart_without_index();
    let key = [path.clone(), rest.clone()].concat();
    assert_eq!(
        (node.get(&key).unwrap(), mount.walk(&key), mount.walk("short")),
        (b"deep".to_vec(), Ok(inode), Ok(inode))
    );
    mount.rename((bucket, "short"), (at, "g"), false).unwrap();
    assert_eq!(mount.rename((bucket, &name), (bucket, &name[..250]), false), Ok(()));
    mount.unlink(at, &rest).unwrap();
    assert_eq!(mount.attributes(inode).unwrap().links, 1);
}
