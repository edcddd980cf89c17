//! A node on directories of a scratch folder that serves files, and a mount's client of it.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test: a panic is its answer")]

pub mod desk;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use packstone_access::{Action, Actor, Grant, Resource, authorise};
use packstone_posix::protocol::{Attributes, Change, Entry, Maker, Request};
use packstone_posix::{Client, DefaultEncryption, Files, Service, client};
use packstone_store::crypto::MasterSecret;
use packstone_store::object::{
    AttributeChange, Attributes as ObjectAttributes, BucketState, NewDocument, Precondition, Replaces, VersionId,
};
use packstone_store::pool::{DriveClass, Profile};
use packstone_store::recovery::drives::PoolSettings;
use packstone_store::{Settings, Store, initialise};

use desk::Desk;
use tokio::runtime::Runtime;

pub const BUCKET: &str = "bkt";
const HOUR: Duration = Duration::from_secs(3600);
pub const MAKER: Maker = Maker { mode: 0o644, uid: 1, gid: 2, device: 0 };

pub struct Node {
    pub scratch: tempfile::TempDir,
    settings: Settings,
    encryption: DefaultEncryption,
    /// Who there is beside root.
    pub desk: Desk,
    /// For how long nobody writes what is then locked; counts from the next start on.
    pub lock_after: Duration,
    /// From which share of pieces on they are merged; counts from the next start on.
    pub merge_from: f64,
    runtime: Runtime,
    running: Option<(Store, Service)>,
}

impl Node {
    pub fn new() -> Self {
        Self::encrypting(DefaultEncryption::None)
    }

    /// One whose buckets encrypt like that.
    pub fn encrypting(encryption: DefaultEncryption) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let profile = Profile { data: 2, parity: 1 };
        let drives: Vec<PathBuf> = (0..3).map(|n| scratch.path().join(format!("drive{n}"))).collect();
        let pools = vec![PoolSettings::new("main", DriveClass::Ssd, profile, drives)];
        let settings = Settings {
            master_key: Some(MasterSecret([9; 32])),
            ..Settings::small(scratch.path().join("index"), pools)
        };
        initialise(&settings, false).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut node = Self {
            scratch,
            settings,
            encryption,
            desk: Desk::default(),
            lock_after: HOUR,
            merge_from: 0.5,
            runtime,
            running: None,
        };
        node.start();
        node
    }

    pub fn socket(&self) -> PathBuf {
        self.scratch.path().join("files.sock")
    }

    pub fn start(&mut self) {
        let store = Store::open(&self.settings).unwrap();
        let encryption = self.encryption.clone();
        let rule = Box::new(move |_: &BucketState| encryption.clone());
        let files = Files::new(store.clone(), self.scratch.path(), rule, Box::new(self.desk.clone()));
        files.set_lock_after(self.lock_after);
        files.set_merge_from(self.merge_from);
        let service = Service::start(files, &self.socket(), self.runtime.handle()).unwrap();
        self.running = Some((store, service));
    }

    pub fn stop(&mut self) {
        if let Some((store, service)) = self.running.take() {
            self.runtime.block_on(service.stop());
            store.close();
        }
    }

    /// As a crash leaves it that loses the index as well.
    pub fn restart_without_index(&mut self) {
        self.stop();
        std::fs::remove_dir_all(&self.settings.index).unwrap();
        self.start();
    }

    /// With streams of that size from here on.
    pub fn with_streams(mut self, size: u64) -> Self {
        self.stop();
        self.settings.stream_size = size;
        self.start();
        self
    }

    /// Directories that were renamed and whose keys have not all moved.
    pub fn redirects(&self) -> u64 {
        let may = authorise(&Actor::Root, Action::Administer, Resource::Node).unwrap();
        self.store().status(&may).unwrap().redirects
    }

    /// Bytes of all segments on all drives.
    pub fn stored(&self) -> u64 {
        let folders = (0..3).map(|n| self.scratch.path().join(format!("drive{n}/segments")));
        let files = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap());
        files.filter_map(|file| file.unwrap().metadata().ok()).map(|file| file.len()).sum()
    }

    /// Has everything that was written stand in segments.
    pub fn seal(&self) {
        self.store().seal().unwrap();
    }

    /// That every record on the drives is what it was.
    pub fn expect_sound(&self) {
        let may = authorise(&Actor::Root, Action::Administer, Resource::Node).unwrap();
        let report = self.store().verify(&may, 1.0, &(std::sync::Arc::new(|_, _| true) as _)).unwrap();
        assert_eq!(report.faults, Vec::<String>::new());
    }

    /// Once all that is on its way is there, as S3 waits for it.
    pub fn store(&self) -> Store {
        let store = self.running.as_ref().unwrap().0.clone();
        if tokio::runtime::Handle::try_current().is_err() {
            self.runtime.block_on(store.await_arrivals(None, None));
        }
        store
    }

    pub fn create_bucket(&self, documents: &[(&str, &[u8])]) {
        let documents = documents.iter().map(|(kind, value)| NewDocument {
            kind: (*kind).into(),
            name: String::new(),
            value: value.to_vec().into(),
        });
        let grant = grant(Action::CreateBucket, "");
        self.runtime.block_on(self.store().create_bucket(&grant, documents.collect())).unwrap();
    }

    /// As S3 puts.
    pub fn put(&self, key: &str, body: &[u8]) {
        let store = self.store();
        self.runtime.block_on(async {
            let mut writer = store.writer(&grant(Action::PutObject, key), None, None).unwrap();
            writer.write(body.to_vec().into()).await.unwrap();
            writer.commit(ObjectAttributes::default(), Precondition::None).await.unwrap();
        });
    }

    /// As S3 gets.
    pub fn append(&self, key: &str, offset: u64, body: &[u8]) {
        let grant = grant(Action::PutObject, key);
        self.run(async {
            let length = Some(body.len() as u64);
            let (mut writer, _) = self.store().appender(&grant, offset, length, None, None).unwrap();
            writer.write(body.to_vec().into()).await.unwrap();
            writer.commit(ObjectAttributes::default(), Precondition::None).await.unwrap();
        });
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let store = self.store();
        self.runtime.block_on(async {
            let object = store.get(&grant(Action::GetObject, key), None).ok()?.unlocked(None).unwrap();
            let size = object.version.size;
            let mut reader = object.read(0..size);
            let mut out = Vec::new();
            while let Some(piece) = reader.next().await {
                out.extend_from_slice(&piece.unwrap());
            }
            Some(out)
        })
    }

    pub fn delete(&self, key: &str) {
        let store = self.store();
        self.runtime.block_on(store.delete(&grant(Action::DeleteObject, key), Precondition::None)).unwrap();
    }

    /// As S3 tags.
    pub fn tag(&self, key: &str, name: &str, value: &str) {
        let (grant, tags) = (grant(Action::PutObjectTagging, key), vec![(name.to_owned(), value.to_owned())]);
        self.run(self.store().amend(&grant, None, AttributeChange::Tags(tags), None)).unwrap();
    }

    /// Has the bucket keep versions from here on.
    pub fn enable_versioning(&self) {
        let (grant, value) = (grant(Action::PutBucketVersioning, ""), Some(vec![1].into()));
        let store = self.store();
        self.runtime.block_on(store.put_document(&grant, "versioning", "", value, Replaces::Anything)).unwrap();
    }

    pub fn delete_version(&self, key: &str, version: VersionId) {
        let grant = grant(Action::DeleteObjectVersion, key);
        self.runtime.block_on(self.store().delete_version(&grant, version, Precondition::None, None)).unwrap();
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn mount(&self) -> Mount {
        self.mount_for("")
    }

    /// A mount that speaks for a user.
    pub fn mount_for(&self, user: &str) -> Mount {
        Mount(Arc::new(Client::connect(&self.socket(), user, false).unwrap()), 0)
    }
}

/// A node with the bucket, a mount, and the bucket's number.
pub fn ready() -> (Node, Mount, u64) {
    let node = Node::new();
    node.create_bucket(&[]);
    let mount = node.mount();
    let bucket = mount.bucket();
    (node, mount, bucket)
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn grant(action: Action, key: &str) -> Grant {
    let resource = if key.is_empty() { Resource::Bucket(BUCKET) } else { Resource::Object { bucket: BUCKET, key } };
    authorise(&Actor::Root, action, resource).unwrap()
}

/// Short ways to what a mount asks for a uid; errors are their numbers.
pub struct Mount(pub Arc<Client>, pub u32);

type Asked<T> = Result<T, i32>;

impl Mount {
    /// The same mount, for another uid.
    pub fn by(&self, uid: u32) -> Self {
        Self(self.0.clone(), uid)
    }

    pub fn ask<T>(
        &self,
        request: Request<'_>,
        read: impl Fn(&mut packstone_store::codec::Reader<'_>) -> Result<T, packstone_store::codec::DecodeError>,
    ) -> Asked<T> {
        self.0.ask(self.1, request, read).map_err(|error| error.raw_os_error().unwrap())
    }

    pub fn lookup(&self, parent: u64, name: &str) -> Asked<Attributes> {
        self.ask(Request::Lookup { parent, name: name.as_bytes() }, client::attributes)
    }

    pub fn attributes(&self, inode: u64) -> Asked<Attributes> {
        self.ask(Request::Attributes { inode }, client::attributes)
    }

    pub fn bucket(&self) -> u64 {
        self.lookup(1, BUCKET).unwrap().inode
    }

    /// The inode of a path in the bucket.
    pub fn walk(&self, path: &str) -> Asked<u64> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.into_iter().try_fold(self.bucket(), |at, part| Ok(self.lookup(at, part)?.inode))
    }

    pub fn change(&self, inode: u64, change: Change) -> Asked<Attributes> {
        self.ask(Request::Change { inode, handle: None, change }, client::attributes)
    }

    pub fn list(&self, inode: u64) -> Asked<Vec<Entry>> {
        let (mut all, mut after) = (Vec::<Entry>::new(), String::new());
        loop {
            let page = self.ask(Request::List { inode, after: after.as_bytes(), limit: 3 }, client::entries)?;
            let Some(last) = page.last() else { return Ok(all) };
            after.clone_from(&last.place);
            all.extend(page);
        }
    }

    pub fn names(&self, inode: u64) -> Vec<String> {
        self.list(inode).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    pub fn make_directory(&self, parent: u64, name: &str) -> Asked<Attributes> {
        let maker = Maker { mode: 0o755, ..MAKER };
        self.ask(Request::MakeDirectory { parent, name: name.as_bytes(), maker }, client::attributes)
    }

    pub fn remove_directory(&self, parent: u64, name: &str) -> Asked<()> {
        self.ask(Request::RemoveDirectory { parent, name: name.as_bytes() }, client::done)
    }

    pub fn unlink(&self, parent: u64, name: &str) -> Asked<()> {
        self.ask(Request::Unlink { parent, name: name.as_bytes() }, client::done)
    }

    pub fn rename(&self, (parent, name): (u64, &str), (new_parent, new_name): (u64, &str), keep: bool) -> Asked<()> {
        let (name, new_name) = (name.as_bytes(), new_name.as_bytes());
        self.ask(Request::Rename { parent, name, new_parent, new_name, keep }, client::done)
    }

    pub fn create(&self, parent: u64, name: &str, exclusive: bool) -> Asked<(Attributes, u64)> {
        let name = name.as_bytes();
        let request =
            Request::Create { parent, name, maker: MAKER, read: true, exclusive, empty: false, at_once: false };
        self.ask(request, client::opened)
    }

    /// Gives a file one more name.
    pub fn hard_link(&self, inode: u64, parent: u64, name: &str) -> Asked<Attributes> {
        self.ask(Request::HardLink { inode, parent, name: name.as_bytes() }, client::attributes)
    }

    pub fn open(&self, inode: u64, write: bool) -> Asked<u64> {
        self.ask(Request::Open { inode, read: true, write, empty: false }, client::opened).map(|(_, handle)| handle)
    }

    /// Opens a file to write it anew.
    pub fn open_empty(&self, inode: u64) -> Asked<u64> {
        let request = Request::Open { inode, read: true, write: true, empty: true };
        self.ask(request, client::opened).map(|(_, handle)| handle)
    }

    pub fn read(&self, handle: u64, offset: u64, length: u32) -> Asked<Vec<u8>> {
        let reply = self.0.read(handle, offset, length).finish();
        reply.map(|reply| reply.said().to_vec()).map_err(|error| error.raw_os_error().unwrap())
    }

    pub fn write(&self, handle: u64, offset: u64, data: &[u8]) -> Asked<()> {
        self.0.write(handle, offset, data).finish().map(drop).map_err(|error| error.raw_os_error().unwrap())
    }

    pub fn publish(&self, handle: u64) -> Asked<()> {
        self.ask(Request::Publish { handle, at_once: false }, client::done)
    }

    pub fn release(&self, handle: u64) -> Asked<()> {
        self.ask(Request::Release { handle }, client::done)
    }

    pub fn set_extended(&self, inode: u64, name: &str, value: &[u8]) -> Asked<()> {
        self.ask(Request::SetExtended { inode, name: name.as_bytes(), value, flags: 0 }, client::done)
    }

    pub fn extended(&self, inode: u64, name: &str) -> Asked<Vec<u8>> {
        self.ask(Request::Extended { inode, name: name.as_bytes() }, client::bytes)
    }

    /// All of a file, through a handle of its own.
    pub fn content(&self, inode: u64) -> Asked<Vec<u8>> {
        let handle = self.open(inode, false)?;
        let mut out = Vec::new();
        loop {
            let piece = self.read(handle, out.len() as u64, 1 << 20)?;
            if piece.is_empty() {
                self.release(handle)?;
                return Ok(out);
            }
            out.extend(piece);
        }
    }

    /// A file with that content.
    pub fn put(&self, parent: u64, name: &str, content: &[u8]) -> u64 {
        let (attributes, handle) = self.create(parent, name, true).unwrap();
        for (at, piece) in content.chunks(1 << 20).enumerate() {
            self.write(handle, (at << 20) as u64, piece).unwrap();
        }
        self.release(handle).unwrap();
        attributes.inode
    }
}

/// Bytes that are a function of the seed, and don't compress.
pub fn body(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}
