//! Random operations of a mount, with restarts and a lost index between, against a tree in memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod node;

use std::collections::BTreeMap;

use node::{Mount, Node, body};
use packstone_posix::protocol::Change;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Write(usize, u64, usize),
    Truncate(usize, u64),
    Publish(usize),
    Close(usize),
    Unlink(usize),
    Rename(usize, usize),
    Link(usize, usize),
    /// S3 puts over a name, or deletes it.
    Put(usize, usize),
    Delete(usize),
    MakeDirectory(usize),
    RemoveDirectory(usize),
    Mode(usize, u32),
    Restart,
    LoseIndex,
}

/// Paths that steps name, parents before what is in them.
const PATHS: [&str; 9] = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "e", "e/a"];

fn step() -> impl Strategy<Value = Step> {
    let path = 0..PATHS.len();
    let offset = prop_oneof![Just(0), 0..200u64, 60_000..70_000u64, 0..3_000_000u64];
    let length = prop_oneof![1..100usize, 60_000..70_000usize, Just(1_048_576usize)];
    prop_oneof![
        6 => path.clone().prop_map(Step::Create),
        8 => (path.clone(), offset.clone(), length).prop_map(|(path, offset, length)| Step::Write(path, offset, length)),
        3 => (path.clone(), offset).prop_map(|(path, size)| Step::Truncate(path, size)),
        2 => path.clone().prop_map(Step::Publish),
        4 => path.clone().prop_map(Step::Close),
        3 => path.clone().prop_map(Step::Unlink),
        4 => (path.clone(), path.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        4 => (path.clone(), path.clone()).prop_map(|(from, to)| Step::Link(from, to)),
        1 => (path.clone(), 0..100usize).prop_map(|(path, length)| Step::Put(path, length)),
        1 => path.clone().prop_map(Step::Delete),
        5 => path.clone().prop_map(Step::MakeDirectory),
        2 => path.clone().prop_map(Step::RemoveDirectory),
        2 => (path, 0..0o1000u32).prop_map(|(path, mode)| Step::Mode(path, mode)),
        1 => Just(Step::Restart),
        1 => Just(Step::LoseIndex),
    ]
}

#[derive(Clone, Debug, PartialEq)]
enum Held {
    Directory,
    /// Content, inode, permissions.
    File(Vec<u8>, u64, u32),
}

/// The tree as it should be, and what is open in it by inode.
struct World {
    node: Node,
    mount: Mount,
    tree: BTreeMap<String, Held>,
    open: BTreeMap<u64, u64>,
    seed: u64,
    /// Whether the bucket keeps versions.
    versioned: bool,
}

fn inode_of(held: &Held) -> Option<u64> {
    match held {
        Held::Directory => None,
        Held::File(_, inode, _) => Some(*inode),
    }
}

fn parent_of(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl World {
    fn new(versioned: bool) -> Self {
        let node = Node::new();
        let documents: &[(&str, &[u8])] = if versioned { &[("versioning", &[1])] } else { &[] };
        node.create_bucket(documents);
        let mount = node.mount();
        Self { node, mount, tree: BTreeMap::new(), open: BTreeMap::new(), seed: 0, versioned }
    }

    /// The directory that a path is in, if it is one, and the name there.
    fn parent(&self, path: &str) -> Option<(u64, String)> {
        let (parent, name) = parent_of(path);
        let is_directory = parent.is_empty() || self.tree.get(parent) == Some(&Held::Directory);
        is_directory.then(|| (self.mount.walk(parent).unwrap(), name.to_owned()))
    }

    fn children(&self, path: &str) -> usize {
        let below = format!("{path}/");
        self.tree.keys().filter(|held| held.starts_with(&below)).count()
    }

    fn close_all(&mut self) {
        for handle in std::mem::take(&mut self.open).into_values() {
            self.mount.release(handle).unwrap();
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Restart | Step::LoseIndex => {
                self.close_all();
                self.node.stop();
                if matches!(step, Step::LoseIndex) {
                    std::fs::remove_dir_all(self.node.scratch.path().join("index")).unwrap();
                }
                self.node.start();
            }
            Step::Rename(from, to) => self.rename(PATHS[from], PATHS[to]),
            Step::Link(from, to) => self.link(PATHS[from], PATHS[to]),
            Step::Put(path, length) => self.put(PATHS[path], length),
            Step::Delete(path) => self.delete(PATHS[path]),
            Step::Create(path)
            | Step::Write(path, ..)
            | Step::Truncate(path, _)
            | Step::Publish(path)
            | Step::Close(path)
            | Step::Unlink(path)
            | Step::MakeDirectory(path)
            | Step::RemoveDirectory(path)
            | Step::Mode(path, _) => {
                if let Some((parent, name)) = self.parent(PATHS[path]) {
                    self.take_on(step, PATHS[path], parent, &name);
                }
            }
        }
    }

    fn take_on(&mut self, step: &Step, path: &str, parent: u64, name: &str) {
        let held = self.tree.get(path).cloned();
        match (step, held) {
            (Step::Create(_), None) => {
                let (told, handle) = self.mount.create(parent, name, true).unwrap();
                self.open.insert(told.inode, handle);
                self.tree.insert(path.into(), Held::File(Vec::new(), told.inode, 0o644));
            }
            (Step::Create(_) | Step::MakeDirectory(_), Some(_)) => {
                assert_eq!(self.mount.create(parent, name, true).map(|_| ()), Err(libc::EEXIST));
                assert_eq!(self.mount.make_directory(parent, name), Err(libc::EEXIST));
            }
            (Step::MakeDirectory(_), None) => {
                self.mount.make_directory(parent, name).unwrap();
                self.tree.insert(path.into(), Held::Directory);
            }
            (Step::RemoveDirectory(_), Some(Held::Directory)) => {
                let outcome = self.mount.remove_directory(parent, name);
                if self.children(path) > 0 {
                    assert_eq!(outcome, Err(libc::ENOTEMPTY));
                } else {
                    outcome.unwrap();
                    self.tree.remove(path);
                }
            }
            (Step::RemoveDirectory(_), Some(Held::File(..))) => {
                assert_eq!(self.mount.remove_directory(parent, name), Err(libc::ENOTDIR));
            }
            (Step::Unlink(_), Some(Held::File(content, inode, _))) => {
                self.mount.unlink(parent, name).unwrap();
                self.tree.remove(path);
                if let Some(handle) = self.open.get(&inode) {
                    assert_eq!(self.mount.read(*handle, 0, 1 << 20).unwrap(), content[..content.len().min(1 << 20)]);
                }
                self.close_if_gone(inode);
            }
            (Step::Unlink(_), Some(Held::Directory)) => {
                assert_eq!(self.mount.unlink(parent, name), Err(libc::EISDIR));
            }
            (_, Some(Held::File(content, inode, mode))) => {
                let next = self.take_on_file(step, content, inode, mode);
                self.change_all(inode, &next);
            }
            (_, None) => assert_eq!(self.mount.lookup(parent, name), Err(libc::ENOENT)),
            (_, Some(Held::Directory)) => {}
        }
    }

    fn take_on_file(&mut self, step: &Step, mut content: Vec<u8>, inode: u64, mut mode: u32) -> Held {
        match *step {
            Step::Write(_, offset, length) => {
                let handle = match self.open.get(&inode) {
                    Some(handle) => *handle,
                    None => self.mount.open(inode, true).unwrap(),
                };
                self.open.insert(inode, handle);
                self.seed += 1;
                let piece = body(self.seed, length);
                self.mount.write(handle, offset, &piece).unwrap();
                let offset = usize::try_from(offset).unwrap();
                content.resize(content.len().max(offset + length), 0);
                content[offset..offset + length].copy_from_slice(&piece);
            }
            Step::Truncate(_, size) => {
                self.mount.change(inode, Change { size: Some(size), ..Change::default() }).unwrap();
                content.resize(usize::try_from(size).unwrap(), 0);
            }
            Step::Publish(_) => {
                if let Some(handle) = self.open.get(&inode) {
                    self.mount.publish(*handle).unwrap();
                }
            }
            Step::Close(_) => {
                if let Some(handle) = self.open.remove(&inode) {
                    self.mount.release(handle).unwrap();
                }
            }
            Step::Mode(_, with) => {
                self.mount.change(inode, Change { mode: Some(with), ..Change::default() }).unwrap();
                mode = with;
            }
            _ => {}
        }
        Held::File(content, inode, mode)
    }

    fn rename(&mut self, from: &str, to: &str) {
        let (Some((old, name)), Some((new, new_name))) = (self.parent(from), self.parent(to)) else { return };
        let outcome = self.mount.rename((old, &name), (new, &new_name), false);
        match (self.tree.get(from).cloned(), self.tree.get(to).cloned()) {
            (None, _) => assert_eq!(outcome, Err(libc::ENOENT)),
            (Some(Held::File(..)), Some(Held::Directory)) => assert_eq!(outcome, Err(libc::EISDIR)),
            (Some(held @ Held::File(..)), replaced) => {
                outcome.unwrap();
                if inode_of(&held) == replaced.as_ref().and_then(inode_of) {
                    // Two names of one file, which both stay.
                    return;
                }
                self.tree.remove(from);
                self.tree.insert(to.into(), held);
                if let Some(inode) = replaced.as_ref().and_then(inode_of) {
                    self.close_if_gone(inode);
                }
            }
            (Some(Held::Directory), _) if from == to => outcome.unwrap(),
            (Some(Held::Directory), _) if to.starts_with(&format!("{from}/")) => {
                assert_eq!(outcome, Err(libc::EINVAL));
            }
            (Some(Held::Directory), Some(Held::File(..))) => assert_eq!(outcome, Err(libc::ENOTDIR)),
            (Some(Held::Directory), _) if self.versioned && self.children(from) > 0 => {
                assert_eq!(outcome, Err(libc::EXDEV));
            }
            (Some(Held::Directory), Some(Held::Directory)) if self.children(to) > 0 => {
                assert_eq!(outcome, Err(libc::ENOTEMPTY));
            }
            (Some(Held::Directory), _) => {
                outcome.unwrap();
                let moves = |path: &String| path == from || path.starts_with(&format!("{from}/"));
                let moved: Vec<_> = self.tree.keys().filter(|path| moves(path)).cloned().collect();
                for path in moved {
                    let held = self.tree.remove(&path).unwrap();
                    self.tree.insert([to, &path[from.len()..]].concat(), held);
                }
            }
        }
    }

    fn link(&mut self, from: &str, to: &str) {
        let (Some(_), Some((new, new_name))) = (self.parent(from), self.parent(to)) else { return };
        let Some(held) = self.tree.get(from).cloned() else { return };
        let outcome = self.mount.hard_link(self.mount.walk(from).unwrap(), new, &new_name);
        match (inode_of(&held), self.tree.contains_key(to)) {
            (None, _) => assert_eq!(outcome, Err(libc::EPERM)),
            (_, true) => assert_eq!(outcome, Err(libc::EEXIST)),
            (Some(_), false) if self.versioned => assert_eq!(outcome, Err(libc::EOPNOTSUPP)),
            (Some(inode), false) => {
                assert_eq!(outcome.unwrap().inode, inode);
                self.tree.insert(to.into(), held);
            }
        }
    }

    fn put(&mut self, path: &str, length: usize) {
        let (Some(_), Some(held @ Held::File(..))) = (self.parent(path), self.tree.get(path).cloned()) else { return };
        self.close_before_s3(&held);
        self.seed += 1;
        let content = body(self.seed, length);
        self.node.put(path, &content);
        let told = self.mount.attributes(self.mount.walk(path).unwrap()).unwrap();
        self.tree.insert(path.into(), Held::File(content, told.inode, 0o640));
    }

    fn delete(&mut self, path: &str) {
        let Some(held @ Held::File(..)) = self.tree.get(path).cloned() else { return };
        self.close_before_s3(&held);
        self.node.delete(path);
        self.tree.remove(path);
        let (parent, _) = parent_of(path);
        // The directory goes with its last key where only keys tell of it; here it was made.
        assert!(parent.is_empty() || self.mount.walk(parent).is_ok());
    }

    /// What is written to a file whose last name S3 takes is lost: here it is written before.
    fn close_before_s3(&mut self, held: &Held) {
        if let Some(handle) = inode_of(held).and_then(|inode| self.open.remove(&inode)) {
            self.mount.release(handle).unwrap();
        }
    }

    /// All names of a file hold the same.
    fn change_all(&mut self, inode: u64, next: &Held) {
        self.tree.values_mut().filter(|held| inode_of(held) == Some(inode)).for_each(|held| *held = next.clone());
    }

    fn links(&self, inode: u64) -> usize {
        self.tree.values().filter(|held| inode_of(held) == Some(inode)).count()
    }

    /// Closes a file that has no name any more.
    fn close_if_gone(&mut self, inode: u64) {
        if self.links(inode) == 0
            && let Some(handle) = self.open.remove(&inode)
        {
            self.mount.release(handle).unwrap();
        }
    }

    /// Compares all there is, and, once everything is closed, what S3 sees.
    fn check(&mut self) {
        self.check_directory("");
        self.close_all();
        for (path, held) in &self.tree {
            if let Held::File(content, inode, _) = held {
                assert!(self.node.get(path).unwrap() == *content, "{path} through S3");
                assert_eq!(self.mount.walk(path).unwrap(), *inode);
            }
        }
    }

    fn check_directory(&self, path: &str) {
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut listed = self.mount.names(self.mount.walk(path).unwrap());
        listed.sort_unstable();
        let direct = self.tree.keys().filter_map(|held| held.strip_prefix(&below)).filter(|rest| !rest.contains('/'));
        assert_eq!(listed, direct.map(str::to_owned).collect::<Vec<_>>(), "in {path:?}");
        for name in listed {
            let path = format!("{below}{name}");
            match &self.tree[&path] {
                Held::Directory => self.check_directory(&path),
                Held::File(content, inode, mode) => {
                    let told = self.mount.attributes(*inode).unwrap();
                    assert_eq!(told.links as usize, self.links(*inode), "{path}");
                    assert_eq!((told.size, told.mode & 0o7777), (content.len() as u64, *mode), "{path}");
                    assert!(self.mount.content(*inode).unwrap() == *content, "{path}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_mount_does_what_a_tree_in_memory_does(steps in prop::collection::vec(step(), 20..80)) {
        let mut world = World::new(false);
        for step in &steps {
            world.take(step);
        }
        world.check();
    }

    #[test]
    fn so_it_does_where_versions_are_kept(steps in prop::collection::vec(step(), 20..80)) {
        let mut world = World::new(true);
        for step in &steps {
            world.take(step);
        }
        world.check();
    }
}
