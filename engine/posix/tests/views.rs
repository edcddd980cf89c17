//! `.versions/` and `.keys/`: what has no place of its own among files, to be read and not changed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use node::{MAKER, Mount, Node, body, grant};
use packstone_access::Action;
use packstone_posix::protocol::{Change, Request};
use packstone_store::object::{VersionEntry, VersionQuery};

fn ready(versioning: bool) -> (Node, Mount, u64) {
    let node = Node::new();
    let documents: &[(&str, &[u8])] = if versioning { &[("versioning", &[1])] } else { &[] };
    node.create_bucket(documents);
    let mount = node.mount();
    let bucket = mount.bucket();
    (node, mount, bucket)
}

/// Ids of the versions of a key, newest first.
fn ids(node: &Node, of: &str) -> Vec<String> {
    let query = VersionQuery { limit: 1000, ..VersionQuery::default() };
    let page = node.store().list_versions(&grant(Action::ListBucketVersions, ""), &query).unwrap();
    let id = |entry: VersionEntry| match entry {
        VersionEntry::Version { key, version } if key == of => Some(version.version.to_string()),
        _ => None,
    };
    page.entries.into_iter().filter_map(id).collect()
}

/// Everything below a directory, by path.
fn tree(mount: &Mount, inode: u64, path: &str, found: &mut Vec<String>) {
    for entry in mount.list(inode).unwrap() {
        let inner = format!("{path}{}", entry.name);
        let told = mount.lookup(inode, &entry.name).unwrap();
        assert_eq!(told, entry.attributes, "{inner}");
        assert_eq!(mount.lookup(told.inode, "."), Ok(told));
        assert_eq!(mount.lookup(told.inode, "..").unwrap().inode, inode, "{inner}");
        if told.mode & libc::S_IFMT == libc::S_IFDIR {
            tree(mount, told.inode, &format!("{inner}/"), found);
        } else {
            found.push(inner);
        }
    }
}

fn all(mount: &Mount, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    tree(mount, mount.walk(path).unwrap(), "", &mut found);
    found
}

#[test]
fn every_version_is_a_file() {
    let (mut node, mount, _) = ready(true);
    let large = body(1, 3_000_000);
    for (key, content) in [
        ("a", b"one".as_slice()),
        ("a", b"two"),
        ("a/b", b"below"),
        ("a!", b"between"),
        ("d/e/f", b"1"),
        ("d/e/f", &large),
        ("gone", b"was here"),
        ("d/", b""),
        ("x//y", b"no path"),
    ] {
        node.put(key, content);
    }
    node.delete("gone");
    node.put("d/e/g", b"");
    node.delete("d/e/g");
    let mut expected = Vec::new();
    for key in ["a", "a/b", "a!", "d/e/f", "gone", "d/e/g"] {
        expected.extend(ids(&node, key).into_iter().map(|id| format!("{key}/{id}")));
    }
    expected.sort();
    let mut found = all(&mount, ".versions");
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(found.iter().filter(|path| path.starts_with("a/")).count(), 3);
    // The newest comes first.
    let listed: Vec<_> = mount.names(mount.walk(".versions/a").unwrap());
    assert_eq!(listed, [ids(&node, "a"), vec!["b".to_owned()]].concat());
    let version = |key: &str, at: usize| format!(".versions/{key}/{}", ids(&node, key)[at]);
    let paths = [version("a", 0), version("a", 1), version("d/e/f", 0), version("gone", 0)];
    let contents = [b"two".to_vec(), b"one".to_vec(), large, b"was here".to_vec()];
    let mut inodes = Vec::new();
    for (path, content) in paths.iter().zip(&contents) {
        let inode = mount.walk(path).unwrap();
        assert_eq!(&mount.content(inode).unwrap(), content, "{path}");
        let told = mount.attributes(inode).unwrap();
        assert_eq!((told.size, told.mode, told.links), (content.len() as u64, libc::S_IFREG | 0o440, 1));
        inodes.push(inode);
    }
    assert_eq!(mount.extended(inodes[0], "user.s3.version-id").unwrap(), ids(&node, "a")[0].as_bytes());
    for missing in
        [".versions/b", ".versions/a/c", ".versions/a/null", ".versions/null", ".versions/d/e/f/g", ".versions/x//"]
    {
        let parts = mount.walk(missing);
        assert!(parts == Err(libc::ENOENT) || missing.ends_with("//"), "{missing}: {parts:?}");
    }
    // Numbers are those of the places, also in another life of the node.
    node.restart_without_index();
    let mount = node.mount();
    for (path, inode) in paths.iter().zip(inodes) {
        assert_eq!(mount.walk(path), Ok(inode));
    }
}

#[test]
fn a_version_is_no_other_file() {
    let (node, mount, bucket) = ready(true);
    let inode = mount.put(bucket, "file", b"first");
    let handle = mount.open(inode, true).unwrap();
    mount.write(handle, 0, b"FIRST").unwrap();
    let older = mount.walk(&format!(".versions/file/{}", ids(&node, "file")[0])).unwrap();
    let read = mount.open(older, false).unwrap();
    // The same record's number, and yet what is written is the file's alone.
    assert_eq!(mount.read(read, 0, 100).unwrap(), b"first");
    assert_eq!(mount.read(read, 2, 100).unwrap(), b"rst");
    assert_eq!(mount.read(read, 9, 100).unwrap(), b"");
    mount.publish(handle).unwrap();
    mount.write(handle, 5, b"!").unwrap();
    mount.release(handle).unwrap();
    assert_eq!((mount.read(read, 0, 100).unwrap(), node.get("file").unwrap()), (b"first".to_vec(), b"FIRST!".to_vec()));
    assert_eq!(mount.write(read, 0, b"x"), Err(libc::EBADF));
    mount.publish(read).unwrap();
    let ended = mount.open(older, false).unwrap();
    let version = ids(&node, "file")[1].parse().unwrap();
    let may = grant(Action::DeleteObjectVersion, "file");
    node.run(node.store().delete_version(&may, version, packstone_store::object::Precondition::None, None)).unwrap();
    assert_eq!(mount.read(ended, 0, 100).unwrap(), b"first", "an open version stays");
    assert_eq!(mount.open(older, false), Err(libc::ESTALE));
    mount.release(read).unwrap();
    mount.release(ended).unwrap();
}

#[test]
fn keys_without_a_place_are_files() {
    let (mut node, mount, bucket) = ready(false);
    let long = "k".repeat(300);
    let deep = format!("q/{}/b", "ü".repeat(400));
    let keys = ["a", "b//c", "/", "..", "./x", "%", "e/../f", ".keys/g", ".versions", &long, &deep];
    for key in keys {
        node.put(key, key.as_bytes());
    }
    for key in ["a/b", "plain", "50%", "z/y/x", "m/"] {
        node.put(key, b"has a place");
    }
    let keys_view = mount.walk(".keys").unwrap();
    let listed = mount.list(keys_view).unwrap();
    let mut contents: Vec<_> = Vec::new();
    for entry in &listed {
        assert_eq!(mount.lookup(keys_view, &entry.name), Ok(entry.attributes));
        contents.push(String::from_utf8(mount.content(entry.attributes.inode).unwrap()).unwrap());
    }
    let mut expected: Vec<_> = keys.iter().filter(|key| **key != "%").map(|key| (*key).to_owned()).collect();
    expected.sort();
    contents.sort();
    assert_eq!(contents, expected, "a percent sign alone is a name");
    for (name, key) in [("a", "a"), ("b%2F%2Fc", "b//c"), ("%2F", "/"), ("%2E%2E", ".."), (".%2Fx", "./x")] {
        let inode = mount.lookup(keys_view, name).unwrap().inode;
        assert_eq!(mount.content(inode).unwrap(), key.as_bytes());
    }
    for absent in ["plain", "%", "%25", "b%2f%2fc", "b", "%2", "a%2Fb", "none"] {
        assert_eq!(mount.lookup(keys_view, absent), Err(libc::ENOENT), "{absent}");
    }
    let shown = mount.names(bucket);
    assert!(!shown.contains(&".keys".to_owned()) && !shown.contains(&".versions".to_owned()), "{shown:?}");
    let inode = mount.lookup(keys_view, "a").unwrap();
    assert_eq!(mount.lookup(bucket, "a").unwrap().mode & libc::S_IFMT, libc::S_IFDIR);
    node.delete("a/b");
    assert_eq!(mount.lookup(keys_view, "a"), Err(libc::ENOENT), "it has its place again");
    assert_eq!(mount.attributes(inode.inode), Err(libc::ESTALE));
    assert_eq!(mount.walk(".versions/b/null").unwrap_err(), libc::ENOENT);
    assert_eq!(mount.content(mount.walk(".versions/plain/null").unwrap()).unwrap(), b"has a place");
    node.restart_without_index();
    let mount = node.mount();
    assert_eq!(mount.lookup(keys_view, "b%2F%2Fc"), Err(libc::ESTALE), "a kernel looks the path up again on this");
    assert_eq!(mount.walk(".keys"), Ok(keys_view));
    assert_eq!(mount.lookup(keys_view, "b%2F%2Fc").unwrap().size, 4);
}

#[test]
fn nothing_in_a_view_is_changed() {
    let (node, mount, bucket) = ready(true);
    let file = mount.put(bucket, "file", b"content");
    node.put("a//b", b"key");
    let version = ids(&node, "file")[0].clone();
    let (versions, keys) = (mount.walk(".versions").unwrap(), mount.walk(".keys").unwrap());
    let of_file = mount.walk(".versions/file").unwrap();
    let refused = Err(libc::EROFS);
    for (parent, name) in [(of_file, version.as_str()), (keys, "a%2F%2Fb"), (versions, "file")] {
        let inode = mount.lookup(parent, name).unwrap().inode;
        assert_eq!(mount.unlink(parent, name), refused);
        assert_eq!(mount.remove_directory(parent, name), refused);
        assert_eq!(mount.rename((parent, name), (bucket, "stolen"), false), refused);
        assert_eq!(mount.rename((bucket, "file"), (parent, name), false), refused);
        assert_eq!(mount.rename((bucket, "file"), (parent, "new"), false), refused);
        assert_eq!(mount.open(inode, true).map(drop), refused);
        assert_eq!(mount.open_empty(inode).map(drop), refused);
        assert_eq!(mount.set_extended(inode, "user.x", b""), refused);
        assert_eq!(mount.hard_link(inode, bucket, "again").map(drop), refused);
        assert_eq!(mount.hard_link(file, parent, "again").map(drop), refused);
        for change in [
            Change { mode: Some(0o777), ..Change::default() },
            Change { uid: Some(1), ..Change::default() },
            Change { size: Some(0), ..Change::default() },
            Change { mtime: Some(0), ..Change::default() },
        ] {
            assert_eq!(mount.change(inode, change).map(drop), refused);
        }
    }
    for parent in [versions, keys, of_file] {
        assert_eq!(mount.create(parent, "new", true).map(drop), refused);
        assert_eq!(mount.make_directory(parent, "new").map(drop), refused);
        let link = Request::Link { parent, name: b"new", target: b"t", maker: MAKER };
        assert_eq!(mount.ask(link, packstone_posix::client::attributes).map(drop), refused);
    }
    for name in [".versions", ".keys"] {
        assert_eq!(mount.make_directory(bucket, name).map(drop), Err(libc::EEXIST));
        assert_eq!(mount.create(bucket, name, true).map(drop), Err(libc::EEXIST));
        assert_eq!(mount.create(bucket, name, false).map(drop), Err(libc::EISDIR));
        assert_eq!(mount.unlink(bucket, name), refused);
        assert_eq!(mount.remove_directory(bucket, name), refused);
        assert_eq!(mount.rename((bucket, name), (bucket, "away"), false), refused);
        assert_eq!(mount.rename((bucket, "file"), (bucket, name), false), refused);
        mount.make_directory(bucket, "d").ok();
        assert_eq!(mount.rename((bucket, "d"), (bucket, name), false), refused);
    }
    assert_eq!((ids(&node, "file"), node.get("file").unwrap()), (vec![version], b"content".to_vec()));
}
