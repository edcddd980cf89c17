//! What a mount was told lately, and is to be told when it is no more so.
//!
//! The kernel believes what it was told of a name for a while. A mount that *watches* says for how long, and each name it is
//! told of is remembered for that time: when something is committed to the key, the mount is told to forget it. What it
//! changed itself, the kernel knows: of a name that the mount has just changed ([`OWN`]) the next commit is passed over.
//!
//! What is told was read a moment before it is noted. What changed in between is found by a [`Mark`] that was taken before
//! the reading: such a name is called back at once.
//!
//! It is a service, and no promise: what can't be told, because the mount reads too slowly, or was not connected, is
//! believed until its time is over, as it is without it. That time is the bound.
//!
//! Concurrency: the maps are leaf locks; the commit loop waits for nothing but these.

use std::collections::{HashMap, VecDeque};
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
/// Changes that are remembered one by one; what was read before more than these may have changed.
const LATELY: usize = 512;

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
    /// The hashes of what others changed last, and how many changes there were.
    lately: VecDeque<u64>,
    changes: u64,
}

/// A moment, by what had changed until then.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

impl Told {
    pub fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Acquire)
    }

    /// Begins to watch, for a mount whose kernel believes things that long; in place of who watched before.
    pub fn watch(&self, believed: Duration) -> Receiver<Forgotten> {
        let (to, told) = mpsc::channel(WAITING);
        let mut names = self.names.lock();
        let changes = names.changes;
        *names = Names { believed, to: Some(to), begun: Some(Instant::now()), changes, ..Names::default() };
        drop(names);
        self.is_watched.store(true, Ordering::Release);
        told
    }

    /// This moment, to be taken before what is told is read.
    pub fn mark(&self) -> Mark {
        Mark(if self.is_watched() { self.names.lock().changes } else { 0 })
    }

    /// Notes that a mount is told what stands at a key, as it was read after `mark`.
    pub fn note(&self, standing: Standing<'_>, mark: Mark) {
        self.enter(standing, Some(mark));
    }

    /// Notes that a mount has made what stands at a key.
    pub fn note_made(&self, standing: Standing<'_>) {
        self.enter(standing, None);
    }

    /// Enters what was read after a mark, or without one, what the mount has made itself.
    fn enter(&self, standing: Standing<'_>, read_after: Option<Mark>) {
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
        let own = if read_after.is_none() { Some(Instant::now()) } else { held };
        let name = Name { forgotten: Forgotten { parent, name: name.into(), inode }, own };
        if let Some(held) = names.recent.insert(hash, name).filter(|held| held.forgotten.inode != inode) {
            names.by_inode.remove(&held.forgotten.inode);
        }
        names.by_inode.insert(inode, hash);
        if read_after.is_some_and(|mark| names.has_changed(hash, mark)) {
            names.call_back(hash);
        }
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
        let held = recent.get_mut(&hash).or_else(|| earlier.get_mut(&hash));
        if held.is_some_and(|held| held.own.take().is_some_and(|then| then.elapsed() < OWN)) {
            return;
        }
        names.remember(hash);
        names.call_back(hash);
    }
}

impl Names {
    fn remember(&mut self, hash: u64) {
        self.changes += 1;
        if self.lately.len() == LATELY {
            self.lately.pop_front();
        }
        self.lately.push_back(hash);
    }

    fn has_changed(&self, hash: u64, since: Mark) -> bool {
        match usize::try_from(self.changes.saturating_sub(since.0)) {
            Ok(count) if count <= self.lately.len() => self.lately.iter().rev().take(count).any(|held| *held == hash),
            _ => true,
        }
    }

    fn call_back(&mut self, hash: u64) {
        let held = self.recent.remove(&hash).or_else(|| self.earlier.remove(&hash));
        self.earlier.remove(&hash);
        if let Some(held) = &held {
            self.by_inode.remove(&held.forgotten.inode);
        }
        if let (Some(held), Some(to)) = (held, &self.to) {
            // Who reads too slowly believes it until its time is over.
            let _ = to.try_send(held.forgotten);
        }
    }

    /// Forgets what nobody believes any more.
    fn turn(&mut self) {
        if self.begun.is_none_or(|begun| begun.elapsed() >= self.believed) {
            self.earlier = std::mem::take(&mut self.recent);
            let earlier = &self.earlier;
            self.by_inode.retain(|inode, hash| earlier.get(hash).is_some_and(|held| held.forgotten.inode == *inode));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(key: &str) -> Standing<'_> {
        Standing { bucket: 1, key, parent: 2, name: key.as_bytes(), inode: 3 + key.len() as u64 }
    }

    #[test]
    fn what_changes_after_it_was_told_is_called_back() {
        let told = Told::default();
        let mut calls = told.watch(Duration::from_secs(60));
        told.note(standing("a"), told.mark());
        told.note(standing("bc"), told.mark());
        told.changed(1, "a");
        assert_eq!(calls.try_recv().unwrap(), Forgotten { parent: 2, name: (*b"a").into(), inode: 4 });
        assert!(calls.try_recv().is_err());
        told.changed(1, "a");
        assert!(calls.try_recv().is_err(), "it was told no more");
    }

    #[test]
    fn what_changed_between_its_reading_and_its_note_is_called_back() {
        let told = Told::default();
        let mut calls = told.watch(Duration::from_secs(60));
        told.changed(1, "a");
        let mark = told.mark();
        told.changed(1, "bc");
        told.note(standing("a"), mark);
        assert!(calls.try_recv().is_err());
        told.note(standing("bc"), mark);
        assert_eq!(calls.try_recv().unwrap().name, (*b"bc").into());
        // Nobody remembers so many one by one.
        for number in 0..LATELY {
            told.changed(1, &number.to_string());
        }
        told.note(standing("def"), mark);
        assert_eq!(calls.try_recv().unwrap().name, (*b"def").into());
        told.note(standing("def"), told.mark());
        assert!(calls.try_recv().is_err());
    }

    #[test]
    fn a_mark_from_before_it_was_watched_counts_for_what_changed_since() {
        let told = Told::default();
        let before = told.mark();
        let mut calls = told.watch(Duration::from_secs(60));
        told.changed(1, "a");
        told.note(standing("a"), before);
        assert!(calls.try_recv().is_ok());
    }

    #[test]
    fn what_the_mount_changed_itself_is_not_called_back() {
        let told = Told::default();
        let mut calls = told.watch(Duration::from_secs(60));
        let mark = told.mark();
        told.note_made(standing("a"));
        told.changed(1, "a");
        told.note(standing("a"), mark);
        assert!(calls.try_recv().is_err());
        told.changed(1, "a");
        assert!(calls.try_recv().is_ok());
    }
}
