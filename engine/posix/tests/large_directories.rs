//! Directories that have too much in them to be renamed in one batch.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use node::{Mount, Node, body, ready};

const MANY: usize = 1300;

fn fill(node: &Node, path: &str) {
    for at in 0..MANY {
        node.put(&format!("{path}/{:03}/{at}", at % 7), &body(at as u64, at % 50));
    }
}

/// Every file below a directory by its path from there, with its content.
fn tree(mount: &Mount, directory: u64) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for name in mount.names(directory) {
        let entry = mount.lookup(directory, &name).unwrap();
        if entry.mode & libc::S_IFMT == libc::S_IFDIR {
            let below = tree(mount, entry.inode);
            found.extend(below.into_iter().map(|(path, content)| (format!("{name}/{path}"), content)));
        } else {
            found.insert(name, mount.content(entry.inode).unwrap());
        }
    }
    found
}

/// Until every key has moved.
fn wait(node: &Node) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while node.redirects() > 0 {
        assert!(Instant::now() < deadline, "the keys don't move");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_large_directory_is_renamed_at_once_with_all_that_is_in_it() {
    let (mut node, mount, bucket) = ready();
    fill(&node, "many");
    let from = mount.walk("many").unwrap();
    let before = tree(&mount, from);
    assert_eq!(before.len(), MANY);
    let (known, file) = (mount.walk("many/003").unwrap(), mount.walk("many/003/3").unwrap());
    mount.rename((bucket, "many"), (bucket, "else"), false).unwrap();
    assert_eq!(mount.lookup(bucket, "many").map(drop), Err(libc::ENOENT));
    assert_eq!(mount.walk("else").unwrap(), from);
    assert_eq!((mount.walk("else/003").unwrap(), mount.walk("else/003/3").unwrap()), (known, file));
    // By its number, whatever has moved by now.
    assert_eq!(mount.lookup(known, "..").unwrap().inode, from);
    assert!(tree(&mount, from) == before);

    // Another directory of that name has nothing to do with it.
    let again = mount.make_directory(bucket, "many").unwrap().inode;
    assert_eq!(mount.names(again), Vec::<String>::new());
    mount.put(again, "000", b"a file");
    assert_eq!(tree(&mount, again), BTreeMap::from([("000".to_owned(), b"a file".to_vec())]));
    assert!(tree(&mount, from) == before);

    node.stop();
    node.start();
    let mount = node.mount();
    assert!(tree(&mount, mount.walk("else").unwrap()) == before);
    wait(&node);
    assert!(tree(&mount, mount.walk("else").unwrap()) == before);
    assert_eq!(mount.names(mount.walk("many").unwrap()), ["000"]);
    node.restart_without_index();
    let mount = node.mount();
    assert!(tree(&mount, mount.walk("else").unwrap()) == before);
    node.expect_sound();
}

#[test]
fn what_is_open_stays_so_and_is_written_where_it_went() {
    let (node, mount, bucket) = ready();
    fill(&node, "many");
    let inode = mount.walk("many/001/1").unwrap();
    let (reader, writer) = (mount.open(inode, false).unwrap(), mount.open(inode, true).unwrap());
    mount.write(writer, 0, b"before").unwrap();
    mount.rename((bucket, "many"), (bucket, "else"), false).unwrap();
    mount.write(writer, 6, b" and after").unwrap();
    assert_eq!(mount.read(reader, 0, 100).unwrap(), b"before and after");
    let large = body(9, 6 << 20);
    let other = mount.open(mount.walk("else/002/2").unwrap(), true).unwrap();
    for (at, piece) in large.chunks(1 << 20).enumerate() {
        mount.write(other, (at << 20) as u64, piece).unwrap();
    }
    wait(&node);
    mount.release(writer).unwrap();
    mount.release(other).unwrap();
    assert_eq!(node.get("else/001/1").unwrap(), b"before and after");
    assert!(node.get("else/002/2").unwrap() == large);
    assert_eq!(node.get("many/001/1"), None);
}

#[test]
fn who_reads_before_a_key_moved_hinders_no_writer_after() {
    let (node, mount, bucket) = ready();
    fill(&node, "many");
    mount.rename((bucket, "many"), (bucket, "else"), false).unwrap();
    // Of several, some have not moved when they are opened.
    let inodes: Vec<u64> = mount
        .names(mount.walk("else/006").unwrap())
        .iter()
        .map(|name| format!("else/006/{name}"))
        .map(|path| mount.walk(&path).unwrap())
        .collect();
    let readers: Vec<u64> = inodes.iter().map(|inode| mount.open(*inode, false).unwrap()).collect();
    wait(&node);
    let large = body(7, 5 << 20);
    for inode in &inodes[inodes.len() - 5..] {
        let writer = mount.open_empty(*inode).unwrap();
        for (at, piece) in large.chunks(1 << 20).enumerate() {
            mount.write(writer, (at << 20) as u64, piece).unwrap();
        }
        mount.release(writer).unwrap();
        assert!(mount.content(*inode).unwrap() == large);
    }
    readers.into_iter().for_each(|reader| mount.release(reader).unwrap());
}

#[test]
fn what_is_open_in_another_bucket_has_nothing_to_do_with_it() {
    let (node, mount, bucket) = ready();
    fill(&node, "many");
    let other = mount.make_directory(1, "other").unwrap().inode;
    let directory = mount.make_directory(other, "many").unwrap().inode;
    let (file, handle) = mount.create(directory, "file", true).unwrap();
    mount.write(handle, 0, b"of another bucket").unwrap();
    mount.rename((bucket, "many"), (bucket, "else"), false).unwrap();
    mount.write(handle, 17, b", still").unwrap();
    mount.release(handle).unwrap();
    assert_eq!(mount.content(file.inode).unwrap(), b"of another bucket, still");
    assert_eq!(mount.lookup(directory, "file").unwrap().inode, file.inode);
}

#[test]
fn a_small_directory_takes_the_place_of_a_large_one() {
    let (node, mount, bucket) = ready();
    fill(&node, "data");
    node.put("data.new/file", b"new");
    mount.rename((bucket, "data"), (bucket, "data.old"), false).unwrap();
    mount.rename((bucket, "data.new"), (bucket, "data"), false).unwrap();
    assert_eq!(mount.names(mount.walk("data").unwrap()), ["file"]);
    assert_eq!(tree(&mount, mount.walk("data.old").unwrap()).len(), MANY);
}

#[test]
fn it_is_renamed_again_and_again_and_its_files_one_by_one() {
    let (node, mount, bucket) = ready();
    fill(&node, "a");
    let inode = mount.walk("a").unwrap();
    let mut expected = tree(&mount, inode);
    mount.hard_link(mount.walk("a/004/4").unwrap(), bucket, "outside").unwrap();
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")] {
        mount.rename((bucket, from), (bucket, to), false).unwrap();
        let (one, two) = (mount.walk(&format!("{to}/005")).unwrap(), mount.walk(to).unwrap());
        let name = mount.names(one)[0].clone();
        mount.rename((one, &name), (two, &format!("{from}-{name}")), false).unwrap();
        let content = expected.remove(&format!("005/{name}")).unwrap();
        expected.insert(format!("{from}-{name}"), content);
        let gone = mount.names(one)[0].clone();
        mount.unlink(one, &gone).unwrap();
        expected.remove(&format!("005/{gone}")).unwrap();
        let linked = mount.open(mount.walk("outside").unwrap(), true).unwrap();
        mount.write(linked, 0, to.as_bytes()).unwrap();
        mount.release(linked).unwrap();
        let held = expected.get_mut("004/4").unwrap();
        held[..to.len()].copy_from_slice(to.as_bytes());
        assert!(tree(&mount, inode) == expected, "{from} to {to}");
        assert_eq!(mount.walk("outside").unwrap(), mount.walk(&format!("{to}/004/4")).unwrap());
    }
    // Nothing that is not empty gives way, and nothing comes below itself.
    mount.make_directory(bucket, "full").unwrap();
    mount.put(mount.walk("full").unwrap(), "file", b"x");
    assert_eq!(mount.rename((bucket, "d"), (bucket, "full"), false), Err(libc::ENOTEMPTY));
    assert_eq!(mount.rename((bucket, "d"), (inode, "within"), false), Err(libc::EINVAL));
    assert_eq!(mount.rename((bucket, "d"), (bucket, "full"), true), Err(libc::EEXIST));
    wait(&node);
    assert!(tree(&mount, inode) == expected);
    node.seal();
    node.expect_sound();
}
