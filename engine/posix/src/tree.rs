//! What inode numbers and names lead to.
//!
//! Where a key and keys below it both stand (`a` beside `a/b`), the directory is shown and the key is not.

use std::sync::Arc;

use packstone_access::Action;
use packstone_store::object::{BucketState, ListEntry, ListQuery, Version};
use packstone_store::time::from_system_time;
use packstone_store::{Error, NameChange};

use crate::content::{Place, Seen};
use crate::number::{self, Implicit, Kind, ROOT};
use crate::protocol::Attributes;
use crate::view::View;
use crate::{Errno, Files, name};

/// What a directory's mode is where nobody said it.
const DIRECTORY: u32 = libc::S_IFDIR | 0o755;

/// What a number or a name leads to.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "it lives for one request: a box would be an allocation for each")]
pub enum Node {
    /// The directory of all buckets.
    Root,
    Directory(Directory),
    File(File),
    View(View),
}

#[derive(Clone, Debug)]
pub struct Directory {
    pub bucket: Arc<BucketState>,
    /// Of the keys in it: empty for the bucket itself, else it ends with a slash.
    pub path: String,
    pub inode: u64,
    /// The object that stands for the directory.
    pub marker: Option<Version>,
}

#[derive(Clone, Debug)]
pub struct File {
    pub bucket: Arc<BucketState>,
    pub key: String,
    pub version: Version,
}

impl Node {
    /// The bucket and the key that it stands for; a directory's ends with a slash.
    pub fn key(&self) -> Option<(u32, &str)> {
        match self {
            Self::File(file) => Some((file.bucket.bucket.id, &file.key)),
            Self::Directory(directory) if !directory.path.is_empty() => {
                Some((directory.bucket.bucket.id, &directory.path))
            }
            Self::Root | Self::Directory(_) | Self::View(_) => None,
        }
    }
}

impl Directory {
    pub fn bucket_name(&self) -> &str {
        &self.bucket.bucket.name
    }

    /// Whether there is something that says when names in it changed.
    pub fn has_place(&self) -> bool {
        self.marker.is_some() || self.path.is_empty()
    }

    /// What is said of it, but for names that changed since.
    pub fn attributes(&self) -> Attributes {
        let made = from_system_time(self.bucket.bucket.created);
        let changed = if self.path.is_empty() { self.bucket.names_changed() } else { None };
        let made = changed.map_or(made, |changed| changed.max(made));
        let file = self.marker.as_ref().map(|marker| marker.file);
        let typed = file.filter(|file| file.mode & libc::S_IFMT == libc::S_IFDIR);
        Attributes {
            inode: self.inode,
            mode: typed.map_or(DIRECTORY, |file| file.mode),
            links: 2,
            uid: file.map_or(0, |file| file.uid),
            gid: file.map_or(0, |file| file.gid),
            size: 0,
            mtime: file.map_or(made, |file| file.mtime),
            ctime: file.map_or(made, |file| file.ctime),
            device: 0,
            content: 0,
        }
    }
}

impl File {
    pub fn place(&self) -> Place {
        Place { bucket: self.bucket.bucket.name.to_string(), key: self.key.clone() }
    }

    pub fn is_link(&self) -> bool {
        self.version.file.mode & libc::S_IFMT == libc::S_IFLNK
    }
}

/// Under this name a device's numbers stand among the extended attributes, where no mount's own have a place.
pub const DEVICE: &str = "device";

fn device_of(version: &Version) -> u32 {
    let held = version.attributes.extended.iter().find(|(name, _)| name == DEVICE);
    held.and_then(|(_, value)| value.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// What is said of a version that is no directory's.
pub fn attributes_of(version: &Version) -> Attributes {
    let file = version.file;
    let mode = match file.mode & libc::S_IFMT {
        // What no mount made, or made as a directory.
        0 | libc::S_IFDIR => file.mode & !libc::S_IFMT | libc::S_IFREG,
        _ => file.mode,
    };
    Attributes {
        inode: file.inode,
        mode,
        links: 1,
        uid: file.uid,
        gid: file.gid,
        size: version.size,
        mtime: file.mtime,
        ctime: file.ctime,
        device: device_of(version),
        content: version.record,
    }
}

/// The same of a file that is open.
pub fn attributes_of_open(seen: &Seen) -> Attributes {
    let held = attributes_of(&seen.version);
    let (mtime, ctime) = seen.changed.unwrap_or((held.mtime, held.ctime));
    Attributes { size: seen.size, mtime, ctime, links: u32::from(!seen.orphan), ..held }
}

impl Files {
    /// # Errors
    /// [`Errno::STALE`] for a number that leads nowhere any more.
    pub(crate) fn node(&self, inode: u64) -> Result<Node, Errno> {
        match number::kind(inode) {
            Kind::Root => Ok(Node::Root),
            Kind::Bucket(id) => {
                let bucket = self.store.bucket_of_id(id).ok_or(Errno::STALE)?;
                Ok(Node::Directory(Directory { bucket, path: String::new(), inode, marker: None }))
            }
            Kind::View => self.view_of(inode).map(Node::View),
            Kind::Record => self.recorded(inode)?.ok_or(Errno::STALE),
            Kind::Implicit => match self.recorded(inode)? {
                Some(node) => Ok(node),
                None => self.implicit(inode)?.ok_or(Errno::STALE),
            },
        }
    }

    /// # Errors
    /// As [`Self::node`], or [`Errno::NOT_DIRECTORY`].
    pub(crate) fn directory(&self, inode: u64) -> Result<Directory, Errno> {
        match self.node(inode)? {
            Node::Directory(directory) => Ok(directory),
            // The names there are buckets, and nothing else.
            Node::Root => Err(Errno::NOT_PERMITTED),
            Node::File(_) => Err(Errno::NOT_DIRECTORY),
            Node::View(_) => Err(Errno::READ_ONLY),
        }
    }

    pub(crate) fn recorded(&self, inode: u64) -> Result<Option<Node>, Errno> {
        let Some((bucket, key)) = self.store.inode(&self.may_of_node(Action::ListAllMyBuckets)?, inode)? else {
            return Ok(None);
        };
        let Some(bucket) = self.store.bucket_state(&bucket) else { return Ok(None) };
        let Some(version) = self.version(&bucket, &key)? else { return Ok(None) };
        Ok(Some(match key.ends_with('/') {
            true => Node::Directory(Directory { bucket, inode: version.file.inode, path: key, marker: Some(version) }),
            false => Node::File(File { bucket, key, version }),
        }))
    }

    fn implicit(&self, inode: u64) -> Result<Option<Node>, Errno> {
        if let Some((bucket, path)) = self.implicit.path(inode) {
            let Some(bucket) = self.store.bucket_of_id(bucket) else { return Ok(None) };
            return Ok(self.directory_at(&bucket, &path)?.map(Node::Directory));
        }
        for bucket in self.store.buckets(&self.may_of_node(Action::ListAllMyBuckets)?)? {
            let Some(state) = self.store.bucket_state(&bucket.name) else { continue };
            if let Some(path) = self.walk(&state, inode)? {
                return Ok(self.directory_at(&state, &path)?.map(Node::Directory));
            }
        }
        Ok(None)
    }

    /// The path of a directory of a bucket that may have a number.
    fn walk(&self, bucket: &Arc<BucketState>, inode: u64) -> Result<Option<String>, Errno> {
        let grant = self.may(Action::ListBucket, &bucket.bucket.name, "")?;
        let mut below = vec![String::new()];
        while let Some(prefix) = below.pop() {
            let mut query = ListQuery { prefix, delimiter: "/".into(), after: String::new(), limit: 1000 };
            loop {
                let page = self.store.list(&grant, &query)?;
                for entry in &page.entries {
                    let ListEntry::Prefix(path) = entry else { continue };
                    if Implicit::may_have(bucket.bucket.id, path, inode) {
                        return Ok(Some(path.clone()));
                    }
                    below.push(path.clone());
                }
                match page.entries.last() {
                    Some(last) if page.truncated => place_of(last).clone_into(&mut query.after),
                    _ => break,
                }
            }
        }
        Ok(None)
    }

    /// The current version of a key.
    pub(crate) fn version(&self, bucket: &BucketState, key: &str) -> Result<Option<Version>, Errno> {
        match self.store.describe(&self.may(Action::GetObject, &bucket.bucket.name, key)?, None) {
            Ok(version) => Ok(Some(version)),
            // None that is too long for S3 is there.
            Err(Error::NoSuchKey | Error::NoSuchBucket | Error::DeleteMarker { .. } | Error::InvalidKey) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The directory of a path that ends with a slash, if anything tells of it.
    pub(crate) fn directory_at(&self, bucket: &Arc<BucketState>, path: &str) -> Result<Option<Directory>, Errno> {
        let marker = match self.first_below(bucket, path, "")? {
            None => return Ok(None),
            Some(ListEntry::Object { key, version }) if key == path => Some(version),
            Some(_) => None,
        };
        let inode = match &marker {
            Some(marker) => marker.file.inode,
            None => {
                // A marker that was renamed from here has this path's number still.
                let grant = self.may_of_node(Action::ListAllMyBuckets)?;
                let is_free = |number| Ok::<_, Errno>(self.store.inode(&grant, number)?.is_none());
                self.implicit.number(bucket.bucket.id, path, is_free)?.ok_or(Errno::IO)?
            }
        };
        Ok(Some(Directory { bucket: bucket.clone(), path: path.to_owned(), inode, marker }))
    }

    /// The first object that stands below a path, behind a key.
    pub(crate) fn first_below(
        &self,
        bucket: &BucketState,
        path: &str,
        after: &str,
    ) -> Result<Option<ListEntry>, Errno> {
        let grant = self.may(Action::ListBucket, &bucket.bucket.name, "")?;
        let query = ListQuery { prefix: path.to_owned(), delimiter: String::new(), after: after.to_owned(), limit: 1 };
        Ok(self.store.list(&grant, &query)?.entries.pop())
    }

    /// What a name in a directory leads to.
    ///
    /// # Errors
    /// [`Errno::NOT_FOUND`], or a name that can't be.
    pub(crate) fn child(&self, parent: &Directory, name: &str) -> Result<Node, Errno> {
        if parent.path.is_empty()
            && let Some(view) = self.view(&parent.bucket, name)?
        {
            return Ok(Node::View(view));
        }
        let key = name::key(&parent.path, name)?;
        let path = [&key, "/"].concat();
        if let Some(directory) = self.directory_at(&parent.bucket, &path)? {
            return Ok(Node::Directory(directory));
        }
        let version = self.version(&parent.bucket, &key)?.ok_or(Errno::NOT_FOUND)?;
        Ok(Node::File(File { bucket: parent.bucket.clone(), key, version }))
    }

    /// The same as a mount names it: by a number, and a name that may be `.` or `..`.
    pub(crate) fn named(&self, parent: u64, name: &[u8]) -> Result<Node, Errno> {
        if name == b"." {
            return self.node(parent);
        }
        let node = self.node(parent)?;
        if name == b".." { self.above(node) } else { self.below(&node, name) }
    }

    /// What a name below a node leads to.
    ///
    /// # Errors
    /// As [`Self::child`], or what has nothing below it.
    pub(crate) fn below(&self, node: &Node, name: &[u8]) -> Result<Node, Errno> {
        match node {
            Node::Root => {
                let bucket = std::str::from_utf8(name).ok().and_then(|name| self.store.bucket_state(name));
                let bucket = bucket.ok_or(Errno::NOT_FOUND)?;
                let inode = number::of_bucket(&bucket);
                Ok(Node::Directory(Directory { bucket, path: String::new(), inode, marker: None }))
            }
            Node::Directory(directory) => self.child(directory, name::parse(name)?),
            Node::View(view) => self.view_child(view, name),
            Node::File(_) => Err(Errno::NOT_DIRECTORY),
        }
    }

    fn above(&self, node: Node) -> Result<Node, Errno> {
        let directory = match node {
            Node::Directory(directory) => directory,
            Node::View(view) => return self.view_above(&view),
            Node::Root | Node::File(_) => return Ok(Node::Root),
        };
        if directory.path.is_empty() {
            return Ok(Node::Root);
        }
        let (path, _) = name::split(&directory.path);
        if path.is_empty() {
            return self.node(number::of_bucket(&directory.bucket));
        }
        self.directory_at(&directory.bucket, path)?.map(Node::Directory).ok_or(Errno::STALE)
    }

    /// What is said of a node, with what an open file holds.
    ///
    /// # Errors
    /// A fault of the index.
    pub(crate) fn attributes(&self, node: &Node) -> Result<Attributes, Errno> {
        Ok(match node {
            Node::Root => Attributes {
                inode: ROOT,
                mode: DIRECTORY,
                links: 2,
                uid: 0,
                gid: 0,
                size: 0,
                mtime: 0,
                ctime: 0,
                device: 0,
                content: 0,
            },
            Node::Directory(directory) => {
                let held = directory.attributes();
                // By these go NFS clients that keep names, some by the one and some by the other. What was set since stands.
                let changed = self.names_changed(directory);
                let (mtime, ctime) = changed.map_or((held.mtime, held.ctime), |then| (then, then));
                let ctime = match self.store.names_changed(directory.bucket.bucket.id, &directory.path) {
                    NameChange::By(then) | NameChange::Before(then) => ctime.max(then),
                };
                Attributes { mtime, ctime, ..held }
            }
            Node::File(file) => self.attributes_of(&file.version)?,
            Node::View(view) => view.attributes(),
        })
    }

    /// # Errors
    /// As [`Self::attributes`].
    pub(crate) fn attributes_of(&self, version: &Version) -> Result<Attributes, Errno> {
        let held = Attributes { links: self.links(version)?, ..attributes_of(version) };
        Ok(match self.open.get(held.inode).map(|open| open.seen()) {
            Some(Seen { size, changed: Some((mtime, ctime)), .. }) => Attributes { size, mtime, ctime, ..held },
            _ => held,
        })
    }

    /// How many names a file has. Of one that was given another name something was said.
    fn links(&self, version: &Version) -> Result<u32, Errno> {
        if version.attributes.file.is_none() {
            return Ok(1);
        }
        let names = self.store.names(&self.may_of_node(Action::ListAllMyBuckets)?, version.file.inode)?;
        Ok(u32::try_from(names.len()).unwrap_or(u32::MAX).max(1))
    }
}

/// What to list behind to go on after an entry.
pub fn place_of(entry: &ListEntry) -> &str {
    match entry {
        ListEntry::Object { key, .. } => key,
        ListEntry::Prefix(prefix) => prefix,
    }
}
