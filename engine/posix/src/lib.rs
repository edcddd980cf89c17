//! The same namespace as files: a bucket is a top directory, a key a path below it.
//!
//! Rooms, from the ground up: `errno` and `name` (what is answered, which names there are), `protocol` (the bytes between
//! a mount and the node), `caller` (who asks, and leave for it), `number` and `tree` (inode numbers, and what they and names lead to), `content` (open files),
//! `view` (what is shown beside files), `verbs` (one file a family), `locker` (what becomes of idle files where retention is the default), `times` (when names in directories changed), `session` and `service` (who has what open, and the connections; `claim` is what those from another machine may say of
//! themselves, `told` what a mount is to forget); `shared_buffer` is what content goes through on this machine, `client` is a mount's side of it, `transport` the connections that it makes, `upgrade` how one to another machine begins. `docs/namespace.md` says what is promised.
//!
//! What is there is what the store's index says, for every face at once: nothing is kept here but open files. Each
//! change is an entry of the commit loop, under a grant of the caller's or, where nobody asked for it, of the node's.

mod caller;
mod claim;
pub mod client;
mod content;
mod errno;
mod locker;
mod name;
mod number;
pub mod protocol;
mod service;
mod session;
mod shared_buffer;
mod times;
mod told;
mod transport;
mod tree;
mod upgrade;
mod verbs;
mod view;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

pub use caller::{Authority, Holder, Refused, Said, Signer};
pub use client::Client;
pub use errno::Errno;
use packstone_access::{Action, Actor, Grant, Resource, authorise};
use packstone_store::Store;
use packstone_store::object::BucketState;
pub use service::{Place, Service};
use tokio::sync::Mutex;
pub use transport::Remote;
pub use upgrade::{Credentials, UPGRADE, UPGRADE_PATH};

use crate::content::{Crowded, OpenFiles};
use crate::locker::Writers;
use crate::number::Implicit;
use crate::times::Times;
use crate::told::Watching;

/// What new objects of a bucket are encrypted with where a request says nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultEncryption {
    None,
    Managed,
    Kms {
        key: String,
        bucket_key: bool,
    },
    /// The bucket's rule can't be read: nothing may be written by it.
    Unreadable,
}

/// Reads a bucket's rule, which the S3 face keeps.
pub type EncryptionRule = dyn Fn(&BucketState) -> DefaultEncryption + Send + Sync;

/// How many locks the names of all directories share.
const STRIPES: usize = 64;
/// Milliseconds.
const LOCK_AFTER: u64 = 5 * 60 * 1000;

/// The namespace of one node, which all its mounts see.
///
/// Concurrency: verbs run in any number of tasks. What changes names takes the lock of each directory that it changes
/// (in order of their places, so that two never wait for each other), then that of the open file, then the commit loop
/// decides. Locks of maps are leaves: none is held while another is taken or anything is awaited.
pub struct Files {
    pub(crate) store: Store,
    pub(crate) rule: Box<EncryptionRule>,
    pub(crate) authority: Box<dyn Authority>,
    pub(crate) open: OpenFiles,
    /// For tasks that outlive a request.
    pub(crate) own: Weak<Self>,
    pub(crate) implicit: Implicit,
    pub(crate) views: view::Numbers,
    pub(crate) times: Times,
    pub(crate) writers: Writers,
    pub(crate) crowded: Crowded,
    pub(crate) watching: Watching,
    /// Milliseconds.
    lock_after: AtomicU64,
    /// By the hash of a directory's inode.
    pub(crate) names: [Mutex<()>; STRIPES],
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    /// The files of a store, which mounts are let to by `authority`; what open files don't hold in memory spills,
    /// encrypted, into files without a name in `scratch`.
    #[must_use]
    pub fn new(store: Store, scratch: &Path, rule: Box<EncryptionRule>, authority: Box<dyn Authority>) -> Arc<Self> {
        let files = Arc::new_cyclic(|own| Self {
            store,
            rule,
            authority,
            open: OpenFiles::new(scratch),
            own: own.clone(),
            implicit: Implicit::default(),
            views: view::Numbers::default(),
            times: Times::default(),
            writers: Writers::default(),
            crowded: Crowded::default(),
            watching: Watching::default(),
            lock_after: AtomicU64::new(LOCK_AFTER),
            names: std::array::from_fn(|_| Mutex::const_new(())),
        });
        let arrivals: Weak<Self> = Arc::downgrade(&files);
        files.store.set_arrivals(arrivals);
        let watcher: Weak<Self> = Arc::downgrade(&files);
        files.store.set_watcher(watcher);
        files
    }

    /// For how long nobody must have written a file in a bucket with default retention for it to be locked.
    pub fn set_lock_after(&self, idle: Duration) {
        self.lock_after.store(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Of the pieces that a file may stand in beyond whole ones, which share there must be for short ones to be merged in the
    /// background: 0 to 1, which is never.
    pub fn set_merge_from(&self, share: f64) {
        self.crowded.set_from(share);
    }

    pub(crate) fn lock_after(&self) -> Duration {
        Duration::from_millis(self.lock_after.load(Ordering::Relaxed))
    }

    /// Leave for what nobody asks for: to find things, to keep the tree whole, and to carry out what was asked for when
    /// a file was opened. What a caller wants goes through [`Files::ask`].
    pub(crate) fn may(&self, action: Action, bucket: &str, key: &str) -> Result<Grant, Errno> {
        let resource = if key.is_empty() { Resource::Bucket(bucket) } else { Resource::Object { bucket, key } };
        authorise(&Actor::Root, action, resource).map_err(|_| Errno::ACCESS)
    }

    pub(crate) fn may_of_node(&self, action: Action) -> Result<Grant, Errno> {
        authorise(&Actor::Root, action, Resource::Node).map_err(|_| Errno::ACCESS)
    }
}
