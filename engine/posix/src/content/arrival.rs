//! Files that are told of before the index knows them.
//!
//! A file that is made is told at once, and its first `close` returns once the node holds the bytes; name and content are
//! committed a moment later, in one, with those of many others. Until then the file is *unmade*, and on its way:
//!
//! | the file | what brings it there |
//! |---|---|
//! | open | a question about it and [`LATEST`], which make it empty; `fsync`; `close` |
//! | closed | a task that its `close` starts |
//!
//! Whoever asks about its key, its name, its number or its directory, on whatever face, waits until it is there
//! ([`Files::arrive`], [`Arrivals`]): that is what makes this a matter of durability alone. A crash of the node leaves
//! no file, or an empty one. So only what is small, and goes where nothing is likely to refuse it, is let on its way
//! ([`Files::may_arrive_later`]); all else is committed before it is answered. What couldn't be committed stays on its way and
//! is tried again every [`PAUSE`], [`TRIES`] times; meanwhile, and for [`CAUTION`] after, nothing more is let on its way.
//!
//! Where S3 puts a key while a closed file is on its way to it, that counts as the later change.
//!
//! Concurrency: the map of what is on its way is a leaf lock; a file enters it under its own lock, and leaves it when it is
//! published. What publishes is a task of its own, which nobody's going away ends.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use packstone_store::arrivals::Arrivals;
use packstone_store::object::{BucketState, Versioning};
use parking_lot::Mutex;

use super::publish::MD5_UP_TO;
use super::{Content, OpenFile};
use crate::tree::Node;
use crate::{DefaultEncryption, Errno, Files, name};

/// So long a file may stay unmade while it is open.
const LATEST: Duration = Duration::from_secs(1);
/// So long everything waits for the disk after something was not committed at the first try.
const CAUTION: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// After so many what was closed is given up.
const TRIES: usize = 3600;
/// Files on their way at once.
const MOST: usize = 256;

/// What is on its way, by inode.
#[derive(Debug, Default)]
pub struct OnTheirWay {
    /// As many as the map has: read without its lock.
    count: AtomicUsize,
    files: Mutex<HashMap<u64, Arriving>>,
    /// When something that had been answered could not be published.
    failed: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Arriving {
    file: Arc<OpenFile>,
    bucket: String,
    key: String,
    /// Whether a task publishes it now, or is about to.
    is_closed: bool,
    /// Whether it was tried in vain, and is tried again.
    is_late: bool,
}

/// Which of the files that are on their way.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    Inode(u64),
    /// Those that have that name, in whatever directory.
    Name(&'a [u8]),
    Key(&'a str, &'a str),
    OfBucket(&'a str),
    All,
}

impl Which<'_> {
    fn is(&self, inode: u64, arriving: &Arriving) -> bool {
        match *self {
            Self::Inode(wanted) => inode == wanted,
            Self::Name(wanted) => name::split(&arriving.key).1.as_bytes() == wanted,
            Self::Key(bucket, key) => (&*arriving.bucket, &*arriving.key) == (bucket, key),
            Self::OfBucket(bucket) => arriving.bucket == bucket,
            Self::All => true,
        }
    }
}

impl OnTheirWay {
    fn are_any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Whether the file is on its way now; not where too many are.
    fn enter(&self, file: &Arc<OpenFile>, content: &Content, is_closed: bool) -> bool {
        let Some(place) = &content.place else { return false };
        let mut files = self.files.lock();
        if files.len() >= MOST && !files.contains_key(&file.inode) {
            return false;
        }
        let (bucket, key) = (place.bucket.clone(), place.key.clone());
        let new = Arriving { file: file.clone(), bucket, key, is_closed, is_late: false };
        let held = files.entry(file.inode).or_insert(new);
        if !Arc::ptr_eq(&held.file, file) {
            return false;
        }
        held.is_closed |= is_closed;
        self.count.store(files.len(), Ordering::Release);
        true
    }

    /// Whether it was on its way.
    fn leave(&self, file: &OpenFile) -> bool {
        if !self.are_any() {
            return false;
        }
        let mut files = self.files.lock();
        let was = files.get(&file.inode).is_some_and(|held| std::ptr::eq(&*held.file, file));
        if was {
            files.remove(&file.inode);
            self.count.store(files.len(), Ordering::Release);
        }
        was
    }

    fn those(&self, which: Which<'_>) -> Vec<Arc<OpenFile>> {
        let files = self.files.lock();
        files.iter().filter(|(inode, arriving)| which.is(**inode, arriving)).map(|(_, it)| it.file.clone()).collect()
    }

    /// What is said of a file's way, if it is on it.
    fn of<T>(&self, file: &OpenFile, said: impl FnOnce(&mut Arriving) -> T) -> Option<T> {
        if !self.are_any() {
            return None;
        }
        let mut files = self.files.lock();
        files.get_mut(&file.inode).filter(|held| std::ptr::eq(&*held.file, file)).map(said)
    }

    pub fn has(&self, inode: u64) -> bool {
        self.are_any() && self.files.lock().contains_key(&inode)
    }

    fn is_careful(&self) -> bool {
        let is_recent = self.failed.lock().is_some_and(|then| then.elapsed() <= CAUTION);
        is_recent || self.are_any() && self.files.lock().values().any(|held| held.is_late)
    }
}

impl Files {
    /// Waits for what is on its way.
    pub(crate) async fn arrive(&self, which: Which<'_>) {
        if !self.open.on_their_way.are_any() {
            return;
        }
        let those = self.open.on_their_way.those(which).into_iter();
        let arriving: Vec<_> = those.map(|file| tokio::spawn(arrived(self.own.clone(), file))).collect();
        for task in arriving {
            // One that panicked has said so.
            let _ = task.await;
        }
    }

    /// Waits for what is on its way to the bucket that a directory is in.
    pub(crate) async fn arrive_below(&self, directory: u64) {
        if !self.open.on_their_way.are_any() {
            return;
        }
        match self.node(directory) {
            Ok(Node::Directory(directory)) => self.arrive(Which::OfBucket(directory.bucket_name())).await,
            _ => self.arrive(Which::All).await,
        }
    }

    /// Whether what comes to a bucket may be answered before it is committed: nothing there is likely to refuse it, and
    /// none of it is a record that must be kept.
    pub(crate) fn may_arrive_later(&self, bucket: &BucketState) -> bool {
        let rule = (self.rule)(bucket);
        bucket.versioning() == Versioning::Never
            && !self.store.has_quota(bucket)
            && matches!(rule, DefaultEncryption::None | DefaultEncryption::Managed)
            && self.store.takes_growth()
            && !self.open.on_their_way.is_careful()
    }

    /// Lets a file that was just made go on its way, or publishes it where too many are. Closed or not, it is there soon.
    ///
    /// # Errors
    /// As [`OpenFile::publish`].
    pub(crate) async fn arrives_later(&self, file: &Arc<OpenFile>) -> Result<(), Errno> {
        let mut content = file.content().await;
        if !self.open.on_their_way.enter(file, &content, false) {
            file.publish(self, &mut content).await?;
            return content.expect_placed();
        }
        let (own, inode) = (self.own.clone(), file.inode);
        tokio::spawn(async move {
            tokio::time::sleep(LATEST).await;
            if let Some(files) = own.upgrade() {
                files.arrive(Which::Inode(inode)).await;
            }
        });
        Ok(())
    }

    /// Whether a file that was closed is on its way.
    pub(crate) fn is_closed(&self, inode: u64) -> bool {
        let held = &self.open.on_their_way;
        held.are_any() && held.files.lock().get(&inode).is_some_and(|arriving| arriving.is_closed)
    }

    /// Whether a file of a directory was made or closed and couldn't be committed yet.
    pub(crate) fn is_late_in(&self, bucket: &str, path: &str) -> bool {
        let held = &self.open.on_their_way;
        let is_late = |it: &Arriving| it.is_late && it.bucket == bucket && name::split(&it.key).0 == path;
        held.are_any() && held.files.lock().values().any(is_late)
    }

    /// A file has come, or will not.
    pub(super) fn end_way(&self, file: &OpenFile) {
        if self.open.on_their_way.leave(file) {
            self.open.tidy(file);
        }
    }

    /// What a `close` waits for: that the content is on its way, or is published.
    ///
    /// # Errors
    /// As [`OpenFile::publish`].
    pub(crate) async fn close_soon(&self, file: &Arc<OpenFile>) -> Result<(), Errno> {
        let mut content = file.content().await;
        if content.is_small_and_unmade() && self.lets_go(&content) && self.open.on_their_way.enter(file, &content, true)
        {
            tokio::spawn(arrived(self.own.clone(), file.clone()));
        } else {
            file.publish(self, &mut content).await?;
        }
        content.expect_placed()
    }

    fn lets_go(&self, content: &Content) -> bool {
        let Some(place) = &content.place else { return false };
        self.store.bucket_state(&place.bucket).is_some_and(|bucket| self.may_arrive_later(&bucket))
    }
}

/// Brings a file where it is on its way to, if it still is.
async fn arrived(files: Weak<Files>, file: Arc<OpenFile>) {
    let Some(files) = files.upgrade() else { return };
    let way = &files.open.on_their_way;
    let mut content = file.content().await;
    let Some(is_closed) = way.of(&file, |held| held.is_closed) else { return };
    let outcome =
        if is_closed { file.publish(&files, &mut content).await } else { file.come(&files, &mut content).await };
    let Err(errno) = outcome else {
        if content.displaced && is_closed {
            tracing::info!(inode = file.inode, "S3 put an object where a file had just been closed");
        }
        return;
    };
    *way.failed.lock() = Some(Instant::now());
    let was_late = way.of(&file, |held| std::mem::replace(&mut held.is_late, true));
    if was_late == Some(false) {
        let place = content.place.clone().unwrap_or_default();
        let (bucket, key) = (place.bucket, place.key);
        tracing::error!(%bucket, %key, %errno, "a file that was made or closed can't be committed yet: trying again");
        tokio::spawn(try_again(files.own.clone(), file.clone()));
    }
}

fn try_again(files: Weak<Files>, file: Arc<OpenFile>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        for _ in 0..TRIES {
            tokio::time::sleep(PAUSE).await;
            arrived(files.clone(), file.clone()).await;
            let is_there = files.upgrade().is_none_or(|files| files.open.on_their_way.of(&file, |_| ()).is_none());
            if is_there {
                return;
            }
        }
        let Some(files) = files.upgrade() else { return };
        files.end_way(&file);
        tracing::error!(
            inode = file.inode,
            "a file that was made or closed is lost: it couldn't be committed for an hour"
        );
    })
}

impl Arrivals for Files {
    fn are_any(&self) -> bool {
        self.open.on_their_way.are_any()
    }

    fn settle<'a>(
        &'a self,
        bucket: Option<&'a str>,
        key: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.arrive(match (bucket, key) {
            (Some(bucket), Some(key)) => Which::Key(bucket, key),
            (Some(bucket), None) => Which::OfBucket(bucket),
            (None, _) => Which::All,
        }))
    }
}

impl Content {
    /// Whether publishing makes a file, of a few bytes.
    fn is_small_and_unmade(&self) -> bool {
        self.making.is_some() && !self.lost && self.stream.is_none() && self.size <= MD5_UP_TO
    }
}
