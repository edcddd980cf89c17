//! Changes in the middle of large files: what is written, what stays, and that it is right whatever happens between.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use std::time::{Duration, Instant};

use node::{Mount, Node, body};
use packstone_access::Action;
use packstone_posix::DefaultEncryption;
use packstone_posix::protocol::Change;
use packstone_store::object::{Version, VersionQuery};
use proptest::prelude::*;

const MIB: usize = 1 << 20;

fn ready(node: Node) -> (Node, Mount, u64) {
    node.create_bucket(&[]);
    let mount = node.mount();
    let bucket = mount.bucket();
    (node, mount, bucket)
}

fn described(node: &Node, key: &str) -> Version {
    node.store().describe(&node::grant(Action::GetObject, key), None).unwrap()
}

/// Writes over what is there, and over the model of it.
fn write(mount: &Mount, handle: u64, model: &mut Vec<u8>, offset: usize, piece: &[u8]) {
    mount.write(handle, offset as u64, piece).unwrap();
    model.resize(model.len().max(offset + piece.len()), 0);
    model[offset..offset + piece.len()].copy_from_slice(piece);
}

/// A file that was written from its first byte to its last.
fn streamed(mount: &Mount, bucket: u64, name: &str, content: &[u8]) -> u64 {
    let (told, handle) = mount.create(bucket, name, true).unwrap();
    for (at, piece) in content.chunks(MIB).enumerate() {
        mount.write(handle, (at * MIB) as u64, piece).unwrap();
    }
    mount.release(handle).unwrap();
    told.inode
}

#[test]
fn a_change_writes_the_piece_that_changed() {
    for encryption in [DefaultEncryption::None, DefaultEncryption::Managed] {
        // No stream gets full: nothing is compacted meanwhile.
        let (mut node, mount, bucket) = ready(Node::encrypting(encryption).with_streams(1 << 30));
        let mut model = body(1, 40 * MIB);
        let inode = streamed(&mount, bucket, "file", &model);
        let version = described(&node, "file");
        assert_eq!((version.parts.len(), version.attributes.etag.parts), (10, 10));
        let handle = mount.open(inode, true).unwrap();
        // The cell of 4 MiB at first, then a 16th of it; of each twice as many bytes stand on drives, with parity.
        for (turn, most) in [(0, 7 * MIB), (1, MIB), (2, MIB)] {
            let before = (node.stored(), described(&node, "file"));
            write(&mount, handle, &mut model, 17 * MIB + turn, b"changed");
            mount.publish(handle).unwrap();
            let grown = node.stored() - before.0;
            assert!(grown < most as u64, "{grown} bytes written for 7, turn {turn}");
            let version = described(&node, "file");
            assert_eq!((version.parts.len(), version.attributes.etag.parts), (25, 25));
            assert_ne!(version.attributes.etag, before.1.attributes.etag);
            assert!(node.get("file").unwrap() == model);
            assert_eq!(mount.attributes(inode).unwrap().inode, inode);
        }
        // An end, a cut, a hole and a cut within a piece.
        write(&mount, handle, &mut model, 40 * MIB, &body(2, 100_000));
        mount.publish(handle).unwrap();
        assert_eq!(described(&node, "file").parts.len(), 26);
        for size in [40 * MIB, 41 * MIB + 5, 33 * MIB - 1, 8 * MIB] {
            let before = node.stored();
            mount.change(inode, Change { size: Some(size as u64), ..Change::default() }).unwrap();
            mount.publish(handle).unwrap();
            model.resize(size, 0);
            assert!(node.stored() - before < 7 * MIB as u64, "{size}");
            assert!(node.get("file").unwrap() == model, "{size}");
        }
        // What was cut off comes back as zeros, though its pieces are there until it is published.
        for size in [3 * MIB, 8 * MIB] {
            mount.change(inode, Change { size: Some(size as u64), ..Change::default() }).unwrap();
            model.resize(size, 0);
        }
        mount.publish(handle).unwrap();
        assert!(node.get("file").unwrap() == model, "cut and grown at once");
        mount.release(handle).unwrap();
        node.seal();
        node.restart_without_index();
        assert!(node.get("file").unwrap() == model);
        assert_eq!(mount.walk("file"), Ok(inode));
        node.expect_sound();
    }
}

#[test]
fn what_s3_made_is_changed_in_its_place_too() {
    let (node, mount, _) = ready(Node::new().with_streams(1 << 30));
    let mut model = body(1, 9 * MIB);
    node.put("one", &model);
    node.append("one", model.len() as u64, &body(2, 5 * MIB));
    node.append("one", 14 * MIB as u64, &body(3, 10));
    model.extend([body(2, 5 * MIB), body(3, 10)].concat());
    let inode = mount.walk("one").unwrap();
    let handle = mount.open(inode, true).unwrap();
    let before = node.stored();
    write(&mount, handle, &mut model, 10 * MIB, b"in the second piece");
    mount.publish(handle).unwrap();
    assert!(node.stored() - before < 9 * MIB as u64, "the first piece was written, too");
    let version = described(&node, "one");
    assert_eq!((version.parts[0], version.parts.last()), (9 * MIB as u64, Some(&10)));
    assert_eq!(usize::from(version.attributes.etag.parts), version.parts.len());
    // S3 appends to it, which makes it another file.
    mount.release(handle).unwrap();
    node.append("one", model.len() as u64, b"more");
    model.extend(b"more");
    let inode = mount.walk("one").unwrap();
    let handle = mount.open(inode, true).unwrap();
    write(&mount, handle, &mut model, 5, b"at the front");
    mount.release(handle).unwrap();
    assert!(node.get("one").unwrap() == model);
    node.expect_sound();
}

#[test]
fn what_was_replaced_comes_back_as_space() {
    let (mut node, mount, bucket) = ready(Node::new().with_streams(24 << 20));
    let mut model = body(1, 16 * MIB);
    let inode = streamed(&mount, bucket, "file", &model);
    mount.hard_link(inode, bucket, "other").unwrap();
    let handle = mount.open(inode, true).unwrap();
    for turn in 0..60 {
        write(&mount, handle, &mut model, turn * 271_828, &body(turn as u64, 300));
        mount.publish(handle).unwrap();
        assert!(node.get("other").unwrap() == model, "{turn}");
    }
    mount.release(handle).unwrap();
    // What has two names counts as living twice.
    mount.unlink(bucket, "file").unwrap();
    node.seal();
    let deadline = Instant::now() + Duration::from_secs(240);
    // Half as much again with parity, and what may be dead.
    while node.stored() > 40 << 20 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(node.stored() <= 40 << 20, "{} bytes for 16 MiB", node.stored());
    assert!(node.get("other").unwrap() == model);
    node.expect_sound();
    node.restart_without_index();
    assert!(node.get("other").unwrap() == model);
    node.delete("other");
    node.seal();
    let deadline = Instant::now() + Duration::from_secs(240);
    while node.stored() > 2 << 20 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(node.stored() <= 2 << 20, "{} bytes of nothing", node.stored());
}

#[test]
fn what_is_dead_under_a_claim_that_lives_comes_back() {
    let (mut node, mount, bucket) = ready(Node::new().with_streams(1 << 30));
    let mut model = body(1, 40 * MIB);
    let inode = streamed(&mount, bucket, "file", &model);
    node.seal();
    let handle = mount.open(inode, true).unwrap();
    // All of it but one cell, so that the one claim on the one stream lives.
    for at in (4..40).map(|at| at * MIB) {
        write(&mount, handle, &mut model, at, &body(at as u64, MIB));
    }
    mount.publish(handle).unwrap();
    mount.release(handle).unwrap();
    node.seal();
    node.restart_without_index();
    let deadline = Instant::now() + Duration::from_secs(240);
    // 60 MiB with parity, and 54 that are dead at first.
    while node.stored() > 70 << 20 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(node.stored() <= 70 << 20, "{} bytes for 40 MiB", node.stored());
    assert!(node.get("file").unwrap() == model);
    node.expect_sound();
}

/// Two versions claim no bytes together: each is whole, whatever becomes of the other.
#[test]
fn a_bucket_that_keeps_versions_has_each_of_them_whole() {
    let (node, mount, _) = ready(Node::new());
    let bucket = mount.bucket();
    let first = body(1, 10 * MIB);
    let inode = streamed(&mount, bucket, "file", &first);
    node.enable_versioning();
    let mut model = first.clone();
    let handle = mount.open(inode, true).unwrap();
    write(&mount, handle, &mut model, 5 * MIB, b"the second version");
    mount.release(handle).unwrap();
    let grant = node::grant(Action::ListBucketVersions, "");
    let page = node.store().list_versions(&grant, &VersionQuery { limit: 10, ..VersionQuery::default() }).unwrap();
    assert_eq!(page.entries.len(), 2);
    assert!(node.get("file").unwrap() == model);
    node.delete_version("file", described(&node, "file").version);
    assert!(node.get("file").unwrap() == first);
    node.expect_sound();
}

/// Nothing stays in the clear in a bucket that encrypts, once it is changed.
#[test]
fn what_is_changed_is_encrypted_as_the_bucket_says() {
    let (node, mount, _) = ready(Node::encrypting(DefaultEncryption::Managed));
    let mut model = body(1, 6 * MIB);
    node.put("clear", &model);
    assert_eq!(described(&node, "clear").attributes.encryption, None);
    let inode = mount.walk("clear").unwrap();
    let handle = mount.open(inode, true).unwrap();
    write(&mount, handle, &mut model, 5 * MIB, b"changed");
    mount.publish(handle).unwrap();
    let version = described(&node, "clear");
    assert!(version.attributes.encryption.is_some());
    assert_eq!(version.parts.len(), 2);
    assert!(node.get("clear").unwrap() == model);
    mount.release(handle).unwrap();
}

#[test]
fn who_changes_what_another_put_is_told() {
    let (node, mount, bucket) = ready(Node::new());
    let mut model = body(1, 8 * MIB);
    let inode = streamed(&mount, bucket, "file", &model);
    let handle = mount.open(inode, true).unwrap();
    write(&mount, handle, &mut model, 3, b"late");
    node.put("file", b"another's");
    assert_eq!(mount.publish(handle), Err(libc::ESTALE));
    assert_eq!(node.get("file").unwrap(), b"another's");
    assert_eq!(mount.read(handle, 0, 100).unwrap(), model[..100]);
    mount.release(handle).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, usize),
    Append(usize),
    Truncate(usize),
    Publish,
    Close,
    Link,
    Unlink,
    Seal,
    Restart,
    LoseIndex,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![1..100usize, 60_000..70_000usize, 1..900_000usize];
    prop_oneof![
        10 => (0..12 * MIB, length.clone()).prop_map(|(offset, length)| Step::Write(offset, length)),
        3 => length.prop_map(Step::Append),
        4 => (0..14 * MIB).prop_map(Step::Truncate),
        8 => Just(Step::Publish),
        2 => Just(Step::Close),
        1 => Just(Step::Link),
        1 => Just(Step::Unlink),
        2 => Just(Step::Seal),
        1 => Just(Step::Restart),
        1 => Just(Step::LoseIndex),
    ]
}

/// One large file, and what it should hold.
struct World {
    node: Node,
    mount: Mount,
    bucket: u64,
    inode: u64,
    handle: Option<u64>,
    model: Vec<u8>,
    linked: bool,
    seed: u64,
}

impl World {
    fn new(encrypts: bool, merges: bool, size: usize) -> Self {
        let rule = if encrypts { DefaultEncryption::Managed } else { DefaultEncryption::None };
        let mut node = Node::encrypting(rule);
        // Whenever there are short pieces, or where there are too many.
        node.merge_from = if merges { 0.0 } else { 0.5 };
        let (node, mount, bucket) = ready(node.with_streams(16 << 20));
        let model = body(0, size);
        let inode = streamed(&mount, bucket, "file", &model);
        Self { node, mount, bucket, inode, handle: None, model, linked: false, seed: 1 }
    }

    fn handle(&mut self) -> u64 {
        *self.handle.get_or_insert_with(|| self.mount.open(self.inode, true).unwrap())
    }

    fn body(&mut self, length: usize) -> Vec<u8> {
        self.seed += 1;
        body(self.seed, length)
    }

    fn close(&mut self) {
        if let Some(handle) = self.handle.take() {
            self.mount.release(handle).unwrap();
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Write(offset, length) => {
                let (handle, piece) = (self.handle(), self.body(length));
                write(&self.mount, handle, &mut self.model, offset, &piece);
            }
            Step::Append(length) => {
                let (handle, piece, end) = (self.handle(), self.body(length), self.model.len());
                write(&self.mount, handle, &mut self.model, end, &piece);
            }
            Step::Truncate(size) => {
                self.mount.change(self.inode, Change { size: Some(size as u64), ..Change::default() }).unwrap();
                self.model.resize(size, 0);
            }
            Step::Publish => {
                if let Some(handle) = self.handle {
                    self.mount.publish(handle).unwrap();
                    self.check();
                }
            }
            Step::Close => {
                self.close();
                self.check();
            }
            Step::Link if !self.linked => {
                // A name is one of what is published.
                self.close();
                self.mount.hard_link(self.inode, self.bucket, "other").unwrap();
                self.linked = true;
            }
            Step::Unlink if self.linked => {
                self.mount.unlink(self.bucket, "other").unwrap();
                self.linked = false;
            }
            Step::Link | Step::Unlink => {}
            Step::Seal => self.node.seal(),
            // What is open is published by an orderly end.
            Step::Restart => {
                self.node.stop();
                self.node.start();
                self.go_on();
            }
            Step::LoseIndex => {
                self.node.restart_without_index();
                self.go_on();
            }
        }
    }

    fn go_on(&mut self) {
        self.mount = self.node.mount();
        self.handle = None;
        self.check();
    }

    fn check(&self) {
        assert!(self.node.get("file").unwrap() == self.model);
        if self.linked {
            assert!(self.node.get("other").unwrap() == self.model);
        }
        assert_eq!(self.mount.walk("file"), Ok(self.inode));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_large_file_is_what_was_written_to_it(
        encrypts in any::<bool>(),
        merges in any::<bool>(),
        size in 5 * MIB..12 * MIB,
        steps in prop::collection::vec(step(), 20..60),
    ) {
        let mut world = World::new(encrypts, merges, size);
        for step in &steps {
            world.take(step);
        }
        world.close();
        world.check();
        world.node.seal();
        world.node.restart_without_index();
        world.mount = world.node.mount();
        world.check();
        world.node.expect_sound();
    }
}
