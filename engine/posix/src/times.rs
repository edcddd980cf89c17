//! When names in directories changed, told at once and kept over restarts.
//!
//! A directory's time moves with each name that comes to it or goes; a commit for each time would be one more for each file
//! that is made. So a time is *noted* in memory, told from there, and *written* later, the last one of many: every
//! [`PERIOD`] (of buckets every [`BUCKETS_EVERY`] periods), many directories in a commit; at once where a directory is
//! synced; and when the node ends.
//!
//! What stands in the index has times of its own, but tells nothing of names that went, nor who changed them.
//!
//! | the directory | where its time is written |
//! |---|---|
//! | has a marker | on the marker, as what is said of it ([`NamesChanged`]) |
//! | is a bucket | in a document of the bucket |
//! | is told of by keys alone, or its marker is locked | nowhere: it is remembered, of as many as changed last |
//!
//! What holds:
//!
//! - A time counts as long as it is later than the change time of what stands for the directory: every change of that has
//!   the time of its commit. It leaves memory a period after it counts no more: who has read the directory before finds it
//!   there. So what was told is told until something later is.
//! - Whoever changes what is said of a directory says with it what is noted, and keeps its names as they are meanwhile; a
//!   time that is set explicitly is said in its place. So nothing noted is hidden, and what was set stands.
//! - A write is decided by the commit loop, against what stands for the directory then. It makes no marker, and changes none
//!   of another directory, or of which something later was said.
//! - S3's changes are noted when they are first told, of directories that have a place for it.
//!
//! | cut off after | what the next start finds |
//! |---|---|
//! | names changed | the names; a modification time that is at most [`PERIOD`] (a bucket's: [`BUCKETS_EVERY`] of them) and a commit older, and a change time that is later, that of the start |
//! | some directories of many were written | these with their times, the others as above |
//! | a directory was synced, or the node ended | all times |
//!
//! What can't be written stays noted, and is tried again; the log says it once.
//!
//! Concurrency: the maps are leaf locks. One writes at a time, up to [`AT_ONCE`] directories: who finds that a later time
//! is kept of one leaves that.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use packstone_access::Action;
use packstone_store::Error;
use packstone_store::object::{AttributeChange, NamesChanged};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::content::{Which, now};
use crate::number::{self, Kind};
use crate::tree::{Directory, Node};
use crate::{Errno, Files};

/// What is noted is written this often.
const PERIOD: Duration = Duration::from_secs(5);
/// Periods after which that of buckets is written, whose times are documents and each a batch of its own.
const BUCKETS_EVERY: u32 = 12;
/// Writes that are on their way at once, to share the journal's syncs.
const AT_ONCE: usize = 256;
/// Directories whose times have no place, and are remembered.
const REMEMBERED: usize = 100_000;
/// Directories that wait to be written; more are remembered, where nothing can be written for long.
const MOST: usize = 1 << 20;
/// How often a directory is synced anew that is renamed meanwhile.
const TRIES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unwritten,
    /// What stands for the directory says it now. Who has read that before goes by what is noted still.
    Written,
    /// The same, a period later: nobody does any more.
    Leaving,
}

/// Times of directories that nothing durable tells, by inode, in Unix nanoseconds.
pub struct Times {
    noted: Mutex<HashMap<u64, (i64, State)>>,
    /// Those that there is no place for.
    remembered: Cache<u64, i64>,
    /// Keys of markers that are being written: what mounts were told of them is as it is.
    own: Mutex<HashSet<(u32, Box<str>)>>,
    writing: tokio::sync::Mutex<()>,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            noted: Mutex::default(),
            remembered: Cache::new(REMEMBERED),
            own: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        }
    }
}

impl Times {
    /// The latest time that was noted, if it is known.
    pub fn get(&self, inode: u64) -> Option<i64> {
        let noted = self.noted.lock().get(&inode).map(|(time, _)| *time);
        noted.max(self.remembered.get(&inode))
    }

    pub fn note(&self, inode: u64, time: i64) {
        let mut noted = self.noted.lock();
        if noted.len() >= MOST && !noted.contains_key(&inode) {
            drop(noted);
            self.remembered.insert(inode, time.max(self.remembered.get(&inode).unwrap_or(time)));
            return;
        }
        let held = noted.entry(inode).or_insert((time, State::Unwritten));
        if time > held.0 {
            *held = (time, State::Unwritten);
        }
    }

    /// What stands for a directory says a time, or a later one.
    pub fn settle(&self, inode: u64, time: i64) {
        let mut noted = self.noted.lock();
        if let Some((_, state @ State::Unwritten)) = noted.get_mut(&inode).filter(|(held, _)| *held <= time) {
            *state = State::Written;
        }
    }

    /// A period is over.
    fn age(&self) {
        self.noted.lock().retain(|_, (_, state)| {
            let stays = *state != State::Leaving;
            if *state == State::Written {
                *state = State::Leaving;
            }
            stays
        });
    }

    /// There is no place for a time.
    fn remember(&self, inode: u64, time: i64) {
        self.remembered.insert(inode, time);
        self.settle(inode, time);
    }

    /// All that is to be written.
    fn unwritten(&self) -> Vec<(u64, i64)> {
        let noted = self.noted.lock();
        let those = noted.iter().filter(|(_, (_, state))| *state == State::Unwritten);
        those.map(|(inode, (time, _))| (*inode, *time)).collect()
    }

    fn unwritten_of(&self, inode: u64) -> Option<i64> {
        self.noted.lock().get(&inode).filter(|(_, state)| *state == State::Unwritten).map(|(time, _)| *time)
    }

    /// Whether what was committed to a key is a time that mounts were told already; once for each that is written.
    pub fn is_own(&self, bucket: u32, key: &str) -> bool {
        key.ends_with('/') && self.own.lock().remove(&(bucket, Box::from(key)))
    }
}

/// Writes what is noted until the end is asked for.
pub async fn run(files: Arc<Files>, mut stopped: watch::Receiver<bool>) {
    let mut fails = false;
    for turn in 1_u32.. {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
        files.times.age();
        match files.write_times(turn.is_multiple_of(BUCKETS_EVERY)).await {
            Ok(()) => fails = false,
            Err(error) => {
                if !std::mem::replace(&mut fails, true) {
                    tracing::warn!(%error, "times of directories can't be written yet: trying again");
                }
            }
        }
    }
}

impl Files {
    /// Notes that names in a directory changed, which its holder keeps as they are meanwhile.
    pub(crate) fn note_change(&self, directory: &Directory) {
        // Later than what was set, wherever the clock stands.
        self.times.note(directory.inode, now().max(directory.attributes().ctime + 1));
    }

    /// When names in a directory changed, where that is later than all that is said of it.
    pub(crate) fn names_changed(&self, directory: &Directory) -> Option<i64> {
        let said = directory.attributes().ctime;
        let noted = self.times.get(directory.inode);
        let by_s3 = self.store.names_changed_by_s3(directory.bucket.bucket.id, &directory.path);
        let changed = noted.max(by_s3).filter(|then| *then > said);
        if let Some(then) = changed.filter(|then| Some(*then) != noted && directory.has_place()) {
            self.times.note(directory.inode, then);
        }
        changed
    }

    /// Writes all that is noted, or without `buckets` all but what is noted of these.
    ///
    /// # Errors
    /// The first of what couldn't be written, which stays noted.
    pub(crate) async fn write_times(&self, buckets: bool) -> Result<(), Error> {
        let mut outcome = Ok(());
        let mut noted = self.times.unwritten();
        noted.retain(|(inode, _)| buckets || !matches!(number::kind(*inode), Kind::Bucket(_)));
        for some in noted.chunks(AT_ONCE) {
            // Who syncs a directory waits for no more than these.
            let _one = self.times.writing.lock().await;
            let Some(files) = self.own.upgrade() else { return outcome };
            let mut writes = JoinSet::new();
            for (inode, time) in some.iter().copied() {
                let files = files.clone();
                writes.spawn(async move { files.write_time(inode, time).await });
            }
            let mut failed = 0;
            while let Some(written) = writes.join_next().await {
                let written = written.unwrap_or_else(|error| Err(Error::Unavailable(error.to_string())));
                failed += usize::from(written.is_err());
                outcome = outcome.and(written.map(drop));
            }
            // Nothing is written now.
            if failed == some.len() {
                break;
            }
        }
        outcome
    }

    /// Writes what is noted of one directory.
    ///
    /// # Errors
    /// It couldn't be written, and stays noted.
    pub(crate) async fn write_time_of(&self, inode: u64) -> Result<(), Errno> {
        let _one = self.times.writing.lock().await;
        for _ in 0..TRIES {
            let Some(time) = self.times.unwritten_of(inode) else { return Ok(()) };
            if self.write_time(inode, time).await? {
                return Ok(());
            }
        }
        Err(Errno::BUSY)
    }

    /// Whether a time is written, or has no place; not where the directory was renamed meanwhile.
    async fn write_time(&self, inode: u64, time: i64) -> Result<bool, Error> {
        match number::kind(inode) {
            Kind::Bucket(id) => {
                if let Some(bucket) = self.store.bucket_of_id(id) {
                    let grant = self.may(Action::Administer, &bucket.bucket.name, "").map_err(unexpected)?;
                    match self.store.keep_names_changed(&grant, time).await {
                        Ok(()) | Err(Error::NoSuchBucket) => {}
                        Err(error) => return Err(error),
                    }
                }
                self.times.settle(inode, time);
            }
            Kind::Record | Kind::Implicit => match self.recorded(inode).map_err(unexpected)? {
                Some(Node::Directory(directory)) => return self.write_marked(&directory, time).await,
                // It has no marker, or is gone, too.
                _ if number::kind(inode) == Kind::Implicit => self.times.remember(inode, time),
                _ => self.times.settle(inode, time),
            },
            // Nothing is noted of these.
            Kind::Root | Kind::View => self.times.settle(inode, time),
        }
        Ok(true)
    }

    async fn write_marked(&self, directory: &Directory, time: i64) -> Result<bool, Error> {
        let (id, inode) = (directory.bucket.bucket.id, directory.inode);
        let grant = self.may(Action::PutObject, directory.bucket_name(), &directory.path).map_err(unexpected)?;
        let own = (id, Box::from(directory.path.as_str()));
        self.times.own.lock().insert(own.clone());
        let change = AttributeChange::Names(NamesChanged { inode, time });
        let outcome = self.store.amend(&grant, None, change, None).await;
        let is_untold = !self.times.own.lock().remove(&own);
        match outcome {
            Ok(marker) => {
                let is_same = marker.file.inode == inode;
                if is_same {
                    self.times.settle(inode, time);
                }
                if is_untold && marker.file.ctime != time {
                    // It was somebody else's change that went by as this one.
                    self.tell(id, &directory.path);
                }
                Ok(is_same)
            }
            Err(Error::Locked { .. } | Error::LegalHold) => {
                self.times.remember(inode, time);
                Ok(true)
            }
            // It was renamed or removed meanwhile, or is being renamed: the next time finds out.
            Err(
                Error::NoSuchKey | Error::NoSuchBucket | Error::DeleteMarker { .. } | Error::Changed | Error::Renaming,
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes names in a directory durable, and its times.
    ///
    /// # Errors
    /// [`Errno::STALE`], or something couldn't be committed yet.
    pub(crate) async fn sync_directory(&self, inode: u64) -> Result<(), Errno> {
        let directory = match self.node(inode)? {
            Node::Directory(directory) => directory,
            Node::Root | Node::View(_) => return Ok(()),
            // By a number alone nobody learns of a file.
            Node::File(_) => return Err(Errno::STALE),
        };
        self.arrive(Which::OfBucket(directory.bucket_name())).await;
        if self.is_late_in(directory.bucket_name(), &directory.path) {
            return Err(Errno::IO);
        }
        // What S3 changed is noted.
        self.names_changed(&directory);
        self.write_time_of(inode).await
    }
}

/// What nobody asked for is answered to nobody by a number.
fn unexpected(errno: Errno) -> Error {
    Error::Unavailable(errno.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_time_is_told_until_something_later_is_said() {
        let times = Times::default();
        times.note(7, 30);
        times.note(7, 20);
        assert_eq!((times.get(7), times.get(8)), (Some(30), None));
        times.settle(7, 29);
        assert_eq!(times.unwritten(), [(7, 30)], "what was written is no more the latest");
        times.settle(7, 30);
        assert_eq!((times.get(7), times.unwritten_of(7)), (Some(30), None), "who has read before still needs it");
        times.age();
        times.note(7, 30);
        assert_eq!((times.get(7), times.unwritten()), (Some(30), vec![]));
        times.age();
        assert_eq!(times.get(7), None);
    }

    #[test]
    fn what_is_noted_while_another_time_leaves_is_written() {
        let times = Times::default();
        times.note(7, 30);
        times.settle(7, 30);
        times.age();
        times.note(7, 40);
        times.age();
        times.age();
        assert_eq!(times.unwritten(), [(7, 40)]);
    }

    #[test]
    fn what_has_no_place_is_remembered_and_written_no_more() {
        let times = Times::default();
        times.note(7, 30);
        times.remember(7, 30);
        assert_eq!((times.get(7), times.unwritten()), (Some(30), vec![]));
        times.note(7, 40);
        times.remember(7, 30);
        assert_eq!((times.get(7), times.unwritten()), (Some(40), vec![(7, 40)]), "another change came");
    }
}
