//! What a mount was told lately, and is to be told when it is no more so.
//!
//! The kernel believes what it was told of a name for a while. A mount that *watches* says for how long, and each name it is
//! told of is remembered for that time: when something is committed to the key, the mount is told to forget it. What it
//! changed itself, the kernel knows: of a name that the mount has just changed ([`OWN`]) the next commit is passed over.
//!
//! It is a service, and no promise: what can't be told, because the mount reads too slowly, or was not connected, is
//! believed until its time is over, as it is without it. That time is the bound.
//!
//! Concurrency: the maps are leaf locks; the commit loop waits for nothing but these.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use packstone_store::watch::Watcher;
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::Files;
use crate::session::Session;

/// So long a change by the mount itself explains what is committed to a key.
const OWN: Duration = Duration::from_millis(100);
/// Names that wait to be told.
const WAITING: usize = 10_000;
/// Names that are remembered, of each half of the time; what is told beyond is believed until its time is over.
const MOST: usize = 1 << 20;

/// A name that the kernel is to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    pub parent: u64,
    pub name: Box<[u8]>,
    pub inode: u64,
}

#[derive(Debug)]
struct Name {
    forgotten: Forgotten,
    /// When the mount changed it last itself.
    own: Option<Instant>,
}

/// What one mount was told.
#[derive(Debug, Default)]
pub struct Told {
    is_watched: AtomicBool,
    hashes: RandomState,
    names: Mutex<Names>,
}

/// A key, and where it stands for whom it was told to.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub bucket: u32,
    pub key: &'a str,
    pub parent: u64,
    pub name: &'a [u8],
    pub inode: u64,
}

#[derive(Debug, Default)]
struct Names {
    /// Told since `begun`, and in the time before that, by a hash of bucket and key.
    recent: HashMap<u64, Name>,
    earlier: HashMap<u64, Name>,
    /// The hash of each of these.
    by_inode: HashMap<u64, u64>,
    begun: Option<Instant>,
    believed: Duration,
    to: Option<Sender<Forgotten>>,
}

impl Told {
    pub fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Acquire)
    }

    /// Begins to watch, for a mount whose kernel believes things that long; in place of who watched before.
    pub fn watch(&self, believed: Duration) -> Receiver<Forgotten> {
        let (to, told) = mpsc::channel(WAITING);
        *self.names.lock() = Names { believed, to: Some(to), begun: Some(Instant::now()), ..Names::default() };
        self.is_watched.store(true, Ordering::Release);
        told
    }

    /// Notes that a mount was told what stands at a key, or with `own`, that it has made that.
    pub fn note(&self, standing: Standing<'_>, own: bool) {
        if !self.is_watched() {
            return;
        }
        let Standing { bucket, key, parent, name, inode } = standing;
        let hash = self.hashes.hash_one((bucket, key));
        let mut names = self.names.lock();
        names.turn();
        if names.recent.len() >= MOST {
            return;
        }
        let held = names.recent.get(&hash).or_else(|| names.earlier.get(&hash)).and_then(|held| held.own);
        let own = if own { Some(Instant::now()) } else { held };
        let name = Name { forgotten: Forgotten { parent, name: name.into(), inode }, own };
        if let Some(held) = names.recent.insert(hash, name).filter(|held| held.forgotten.inode != inode) {
            names.by_inode.remove(&held.forgotten.inode);
        }
        names.by_inode.insert(inode, hash);
    }

    /// Notes that a mount changes a file itself.
    pub fn note_own(&self, inode: u64) {
        if !self.is_watched() {
            return;
        }
        let mut names = self.names.lock();
        let Names { recent, earlier, by_inode, .. } = &mut *names;
        let held = by_inode.get(&inode).and_then(|hash| recent.get_mut(hash).or_else(|| earlier.get_mut(hash)));
        if let Some(held) = held {
            held.own = Some(Instant::now());
        }
    }

    fn changed(&self, bucket: u32, key: &str) {
        if !self.is_watched() {
            return;
        }
        let hash = self.hashes.hash_one((bucket, key));
        let mut names = self.names.lock();
        let Names { recent, earlier, .. } = &mut *names;
        let Some(held) = recent.get_mut(&hash).or_else(|| earlier.get_mut(&hash)) else { return };
        if held.own.take().is_some_and(|then| then.elapsed() < OWN) {
            return;
        }
        let held = names.recent.remove(&hash).or_else(|| names.earlier.remove(&hash));
        names.earlier.remove(&hash);
        if let Some(held) = &held {
            names.by_inode.remove(&held.forgotten.inode);
        }
        if let (Some(held), Some(to)) = (held, &names.to) {
            // Who reads too slowly believes it until its time is over.
            let _ = to.try_send(held.forgotten);
        }
    }
}

impl Names {
    /// Forgets what nobody believes any more.
    fn turn(&mut self) {
        if self.begun.is_none_or(|begun| begun.elapsed() >= self.believed) {
            self.earlier = std::mem::take(&mut self.recent);
            self.by_inode.retain(|_, hash| self.earlier.contains_key(hash));
            self.begun = Some(Instant::now());
        }
    }
}

/// The mounts that watch.
#[derive(Debug, Default)]
pub struct Watching(RwLock<Vec<Weak<Session>>>);

impl Watching {
    pub fn enter(&self, session: &Arc<Session>) {
        let mut watching = self.0.write();
        watching.retain(|held| held.upgrade().is_some_and(|held| !Arc::ptr_eq(&held, session)));
        watching.push(Arc::downgrade(session));
    }

    pub fn leave(&self, session: &Session) {
        self.0.write().retain(|held| !std::ptr::eq(held.as_ptr(), session));
    }
}

impl Watcher for Files {
    fn is_watching(&self) -> bool {
        !self.watching.0.read().is_empty()
    }

    fn changed(&self, bucket: u32, key: &str) {
        if !self.times.is_own(bucket, key) {
            self.tell(bucket, key);
        }
    }
}

impl Files {
    /// Tells mounts to forget a key.
    pub(crate) fn tell(&self, bucket: u32, key: &str) {
        for session in self.watching.0.read().iter().filter_map(Weak::upgrade) {
            session.told.changed(bucket, key);
        }
    }
}
