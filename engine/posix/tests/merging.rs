//! Pieces of large files that are merged in the background: nobody sees a change, and what is changed meanwhile is.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use std::ops::Range;
use std::slice::from_ref;
use std::time::{Duration, Instant};

use node::{Mount, Node, body};
use packstone_access::Action;
use packstone_posix::DefaultEncryption;
use packstone_posix::protocol::Change;
use packstone_store::object::merge::Copied;
use packstone_store::object::{RenameTerms, Version};
use packstone_store::{Error, Object, Store};

const MIB: usize = 1 << 20;
/// Of the file that is merged: ten cells.
const SIZE: usize = 40 * MIB;

fn object(store: &Store, key: &str) -> Object {
    store.get(&node::grant(Action::GetObject, key), None).unwrap().unlocked(None).unwrap()
}

fn pieces(node: &Node, key: &str) -> usize {
    object(&node.store(), key).pieces().map_or(0, |pieces| pieces.len())
}

fn described(node: &Node, key: &str) -> Version {
    node.store().describe(&node::grant(Action::GetObject, key), None).unwrap()
}

fn read(node: &Node, object: Object) -> Vec<u8> {
    let size = object.version.size;
    let mut reader = object.read(0..size);
    let mut out = Vec::new();
    while let Some(bytes) = node.run(reader.next()) {
        out.extend_from_slice(&bytes.unwrap());
    }
    out
}

fn wait(what: &str, until: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(240);
    while !until() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A file, changed in some places, each published.
struct World {
    node: Node,
    mount: Mount,
    bucket: u64,
    inode: u64,
    model: Vec<u8>,
}

impl World {
    /// One whose node merges short pieces whenever there are any, or never.
    fn new(encryption: DefaultEncryption, merges: bool) -> Self {
        Self::with_streams(1 << 30, encryption, merges)
    }

    fn with_streams(size: u64, encryption: DefaultEncryption, merges: bool) -> Self {
        let mut node = Node::encrypting(encryption).with_streams(size);
        node.merge_from = 1.0;
        node.stop();
        node.start();
        node.create_bucket(&[]);
        let mount = node.mount();
        let bucket = mount.bucket();
        let model = body(1, SIZE);
        let inode = mount.put(bucket, "file", &model);
        let mut world = Self { node, mount, bucket, inode, model };
        world.change(&[1, 2, 5, 8]);
        if merges {
            world.begin_merging();
        }
        world
    }

    fn begin_merging(&mut self) {
        self.node.merge_from = 0.0;
        self.node.stop();
        self.node.start();
        self.mount = self.node.mount();
    }

    fn write(&mut self, handle: u64, offset: usize, piece: &[u8]) {
        self.mount.write(handle, offset as u64, piece).unwrap();
        self.model[offset..offset + piece.len()].copy_from_slice(piece);
    }

    /// Changes a byte of some cells.
    fn change(&mut self, cells: &[usize]) {
        let handle = self.mount.open(self.inode, true).unwrap();
        for cell in cells {
            let offset = cell * 4 * MIB + 70_000 + self.model[*cell] as usize;
            let changed = self.model[offset].wrapping_add(1);
            self.write(handle, offset, &[changed]);
            self.mount.publish(handle).unwrap();
        }
        self.mount.release(handle).unwrap();
    }

    fn wait_until_merged(&self) {
        wait("the pieces are not merged", || pieces(&self.node, "file") == SIZE / (4 * MIB));
    }

    fn expect(&self, key: &str) {
        assert!(self.node.get(key).unwrap() == self.model, "{key}, to S3");
        let inode = self.mount.walk(key).unwrap();
        assert!(self.mount.content(inode).unwrap() == self.model, "{key}, on a mount");
    }

    /// Copies runs as the keeper does, and states nothing yet.
    fn copy(&self, key: &str, runs: impl IntoIterator<Item = Range<u16>>) -> Copied {
        let (store, runs) = (self.node.store(), Vec::from_iter(runs));
        let merge = store.merger(&node::grant(Action::PutObject, key), object(&store, key), &runs).unwrap();
        self.node.run(merge.finish()).unwrap()
    }

    /// The pieces of a cell that was changed, as they were made: 16 in place of one.
    fn run_of(cell: u16) -> Range<u16> {
        let before = [1, 2, 5, 8].iter().filter(|changed| **changed < cell).count() as u16;
        cell + 15 * before..cell + 15 * before + 16
    }
}

/// What must not change: all that any face tells of a version but how many pieces there are.
fn told(version: &Version) -> impl PartialEq + std::fmt::Debug {
    let file = version.file;
    let said = (version.attributes.clone(), version.posix, version.version, version.latest);
    (version.record, version.modified, version.size, format!("{file:?}"), format!("{said:?}"))
}

#[test]
fn short_pieces_become_whole_ones_and_nobody_sees_a_change() {
    for encryption in [DefaultEncryption::None, DefaultEncryption::Managed] {
        let mut world = World::new(encryption, false);
        let (bucket, inode) = (world.bucket, world.inode);
        world.mount.hard_link(inode, bucket, "other").unwrap();
        world.mount.set_extended(inode, "user.said", b"so").unwrap();
        world.node.tag("file", "a", "b");
        world.begin_merging();
        assert_eq!(pieces(&world.node, "file"), 10 + 4 * 15);
        // A publication notes it; what has it open before goes on.
        let (reads, writes) = (world.mount.open(inode, false).unwrap(), world.mount.open(inode, true).unwrap());
        let before = object(&world.node.store(), "file");
        let content = world.model.clone();
        world.write(writes, 33 * MIB, b"noted");
        world.mount.publish(writes).unwrap();
        let versions = ["file", "other"].map(|key| described(&world.node, key));
        let attributes = world.mount.attributes(inode).unwrap();
        world.wait_until_merged();
        assert_eq!(pieces(&world.node, "other"), 10);
        for (key, version) in ["file", "other"].iter().zip(&versions) {
            let now = described(&world.node, key);
            assert_eq!(told(&now), told(version));
            assert!(version.parts.len() > 10);
            assert_eq!(now.parts, Vec::<u64>::new(), "parts of another layout under one ETag");
            world.expect(key);
        }
        assert_eq!(world.mount.attributes(inode).unwrap(), attributes);
        assert!(read(&world.node, before) == content, "a GET that began before");
        assert_eq!(world.mount.read(reads, 33 * MIB as u64, 5).unwrap(), b"noted");
        // The writer goes on with what there is, at the cost of the piece that changes.
        let stored = world.node.stored();
        world.write(writes, 12 * MIB + 5, b"and on");
        world.mount.publish(writes).unwrap();
        assert!(world.node.stored() - stored < 7 * MIB as u64, "it was written whole");
        world.wait_until_merged();
        world.mount.release(reads).unwrap();
        world.mount.release(writes).unwrap();
        assert_eq!(world.mount.extended(inode, "user.said").unwrap(), b"so");
        // And so it is after whatever ends.
        world.node.seal();
        world.node.restart_without_index();
        world.mount = world.node.mount();
        assert_eq!((world.mount.walk("file"), world.mount.walk("other")), (Ok(inode), Ok(inode)));
        assert_eq!((pieces(&world.node, "file"), pieces(&world.node, "other")), (10, 10));
        world.expect("file");
        world.expect("other");
        world.mount.unlink(bucket, "file").unwrap();
        world.expect("other");
        world.node.expect_sound();
    }
}

#[test]
fn what_gave_way_comes_back_as_space() {
    let mut world = World::with_streams(24 << 20, DefaultEncryption::None, true);
    for turn in 0..6 {
        world.change(&[turn, 9 - turn, 3]);
        world.wait_until_merged();
    }
    // What compaction lost to the merger or to a writer it leaves alone for a while, which ends with the node.
    world.node.seal();
    world.begin_merging();
    // Half as much again with parity, and what may be dead.
    wait("what is dead stays", || world.node.stored() <= 100 << 20);
    world.expect("file");
    world.node.delete("file");
    world.node.seal();
    wait("what nothing names stays", || world.node.stored() <= 2 << 20);
}

#[test]
fn a_run_loses_to_what_changes_it_and_to_nothing_else() {
    let mut world = World::new(DefaultEncryption::None, false);
    let copied = world.copy("file", [World::run_of(1), World::run_of(5)]);
    // One byte in the one, and one elsewhere, which has the pieces behind it stand at other numbers.
    world.change(&[0, 5]);
    let version = described(&world.node, "file");
    assert_eq!(pieces(&world.node, "file"), 10 + 5 * 15);
    assert_eq!(world.node.run(copied.commit()).unwrap(), 15);
    assert_eq!(pieces(&world.node, "file"), 10 + 4 * 15);
    assert_eq!(told(&described(&world.node, "file")), told(&version));
    world.expect("file");
    // All of it is cut off, but for a byte; it is longer; it is written anew.
    for size in [5 * MIB, SIZE + 9] {
        let mut world = World::new(DefaultEncryption::Managed, false);
        let copied = world.copy("file", [World::run_of(1), World::run_of(8)]);
        world.mount.change(world.inode, Change { size: Some(size as u64), ..Change::default() }).unwrap();
        world.model.resize(size, 0);
        assert_eq!(world.node.run(copied.commit()).unwrap(), if size > SIZE { 30 } else { 0 });
        world.expect("file");
    }
    let copied = world.copy("file", [World::run_of(2)]);
    let handle = world.mount.open_empty(world.inode).unwrap();
    world.model = body(77, 9 * MIB);
    for (at, piece) in world.model.chunks(MIB).enumerate() {
        world.mount.write(handle, (at * MIB) as u64, piece).unwrap();
    }
    world.mount.release(handle).unwrap();
    assert_eq!(world.node.run(copied.commit()).unwrap(), 0);
    world.expect("file");
    world.node.expect_sound();
}

#[test]
fn what_becomes_of_the_key_meanwhile_counts() {
    let is_changed = |outcome| assert!(matches!(outcome, Err(Error::Changed)), "{outcome:?}");
    let world = World::new(DefaultEncryption::None, false);
    // One more name: both are merged.
    let copied = world.copy("file", [World::run_of(1)]);
    world.mount.hard_link(world.inode, world.bucket, "other").unwrap();
    assert_eq!(world.node.run(copied.commit()).unwrap(), 15);
    assert_eq!((pieces(&world.node, "file"), pieces(&world.node, "other")), (55, 55));
    world.expect("other");
    // One less, which it was to be found under.
    let copied = world.copy("file", Some(0..2));
    world.mount.unlink(world.bucket, "file").unwrap();
    is_changed(world.node.run(copied.commit()));
    world.expect("other");
    // Renamed, by the mount and by S3, and another in its place.
    let copied = world.copy("other", Some(0..2));
    world.mount.rename((world.bucket, "other"), (world.bucket, "renamed"), false).unwrap();
    is_changed(world.node.run(copied.commit()));
    let copied = world.copy("renamed", Some(0..2));
    let renames = world.node.store();
    let (source, destination) = (node::grant(Action::DeleteObject, "renamed"), node::grant(Action::PutObject, "again"));
    world.node.run(renames.rename(&source, &destination, RenameTerms::default())).unwrap();
    is_changed(world.node.run(copied.commit()));
    world.expect("again");
    let copied = world.copy("again", Some(0..2));
    world.node.put("again", &world.model.clone());
    is_changed(world.node.run(copied.commit()));
    world.expect("again");
    // Deleted.
    let mut world = World::new(DefaultEncryption::None, false);
    let copied = world.copy("file", [World::run_of(1)]);
    world.node.delete("file");
    is_changed(world.node.run(copied.commit()));
    assert_eq!(world.node.get("file"), None);
    // The bucket comes to keep versions.
    world.inode = world.mount.put(world.bucket, "late", &world.model);
    let copied = world.copy("late", Some(0..2));
    world.node.enable_versioning();
    let outcome = world.node.run(copied.commit());
    assert!(matches!(outcome, Err(Error::InvalidBucketState(_))), "{outcome:?}");
    world.expect("late");
    world.node.expect_sound();
}

/// What S3 appends to has as many pieces as it says, and parts of an upload or of a body stay what S3 was told.
#[test]
fn what_s3_made_stays_and_may_grow() {
    let mut world = World::new(DefaultEncryption::None, true);
    world.change(&[4]);
    world.wait_until_merged();
    world.node.append("file", SIZE as u64, b"more");
    world.model.extend(b"more");
    assert_eq!(pieces(&world.node, "file"), 11);
    world.expect("file");
    let store = world.node.store();
    let held = object(&store, "file");
    let outcome = store.merger(&node::grant(Action::PutObject, "file"), held.clone(), from_ref(&(3..3)));
    assert!(matches!(outcome, Err(Error::Changed)), "a run of nothing: {outcome:?}");
    let outcome = store.merger(&node::grant(Action::PutObject, "file"), held, from_ref(&(9..12)));
    assert!(matches!(outcome, Err(Error::Changed)), "a run beyond the end: {outcome:?}");
}

/// Files that were open when their pieces were merged, for whom nobody took note: publishing finds the others.
#[test]
fn who_publishes_by_pieces_that_are_gone_does_so_anew() {
    let mut world = World::new(DefaultEncryption::None, false);
    let handle = world.mount.open(world.inode, true).unwrap();
    let copied = world.copy("file", [World::run_of(1), World::run_of(2), World::run_of(5)]);
    assert_eq!(world.node.run(copied.commit()).unwrap(), 45);
    world.write(handle, 35 * MIB, b"by the numbers of before");
    world.mount.publish(handle).unwrap();
    world.expect("file");
    assert_eq!(pieces(&world.node, "file"), 10 + 15);
    world.mount.release(handle).unwrap();
}
