//! Merging short pieces of files that stand in many, a few at a time, so that no `fsync` has to.
//!
//! | state of a file | how it gets there, and on |
//! |---|---|
//! | sparse | it has fewer pieces than the first of its [marks](super::layout::Marks), or nobody noted it |
//! | noted | a publication left it with more. What is forgotten by a restart, or where too many are noted, is noted by the next |
//! | in hand | it is its turn: [`choose`](Grid::choose) says which runs of its pieces become one each, in this slice |
//! | copied | their bytes stand in a stream once more |
//! | stated | they have given way; it is noted again as long as it has more pieces than are enough |
//! | busy | somebody has the content for itself: it is noted again, and where it was copied in vain, for a smaller slice |
//!
//! * A slice changes nothing but where bytes stand: content, ETag, times, owner, inode number and names are as they were, to
//!   every face, and a handle, a map or a GET goes on with the pieces that it began with (`packstone_store::object::merge`).
//! * Copying holds no lock, and bounded memory. What is written, published, renamed, linked, replaced or deleted meanwhile
//!   is so; a run loses to what changed it, and to nothing else.
//! * Who has the file open waits for no more than the commit: the content is held while it is stated, so that nothing that is
//!   being published names pieces which are there no more. Who opens it at that very moment finds them gone when publishing,
//!   and does so anew.
//! * Files in buckets that keep or kept versions, parts of uploads, and what is in the clear where the bucket encrypts by
//!   now, stay as they are.
//!
//! | cut off after | what the next start finds |
//! |---|---|
//! | some bytes were copied | the pieces that were there; what nothing names is dead |
//! | they were stated | the merged ones, under all names of the file |
//!
//! Concurrency: one task; [`Crowded`] is a leaf lock, taken by whoever publishes. A slice takes the lock of the open file, and
//! then asks the commit loop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use packstone_access::Action;
use packstone_store::object::merge::Copied;
use packstone_store::{Error, Object};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::layout::{Grid, SLICE};
use super::publish::failed;
use super::{Content, Place};
use crate::Files;

/// Files that are noted at once.
const MOST: usize = 1024;
/// So many slices may lose to who writes a file, after each a pause, and each half as large as the one before.
const TRIES: usize = 8;
const PAUSE: Duration = Duration::from_secs(1);
/// After a step it rests for so many times as long as that took, and long enough that steps of up to a MiB begin this
/// often; in a hurry for as long as it took.
const RESTS: u32 = 3;
const STEP: Duration = Duration::from_millis(32);
/// So long a slice waits for who has the content, so that other files' pieces don't wait for many GiB to be published.
const PATIENCE: Duration = Duration::from_secs(2);
/// Thousandths.
const FROM: usize = 500;

/// Files in many pieces.
#[derive(Debug)]
pub struct Crowded {
    /// In the order in which it is their turn, by inode, with the slices that were lost.
    noted: Mutex<VecDeque<(u64, usize)>>,
    came: Notify,
    /// Thousandths of the pieces that a file may have beyond its cells.
    from: AtomicUsize,
    /// Since the start: how many pieces fewer there are, and bytes that were written for it.
    pieces: AtomicU64,
    bytes: AtomicU64,
}

impl Default for Crowded {
    fn default() -> Self {
        Self {
            noted: Mutex::default(),
            came: Notify::new(),
            from: AtomicUsize::new(FROM),
            pieces: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }
}

impl Crowded {
    /// Notes a file that was published in so many pieces, if they are many.
    pub(super) fn note(&self, inode: u64, pieces: usize, grid: Grid, size: u64) {
        if pieces > grid.marks(size, self.from()).begin {
            self.enter(inode, 0);
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a thousand at most")]
    pub fn set_from(&self, share: f64) {
        self.from.store((share.clamp(0.0, 1.0) * 1000.0) as usize, Ordering::Relaxed);
    }

    /// How many pieces fewer there are since the start, and bytes that were written for it.
    pub fn merged(&self) -> (u64, u64) {
        (self.pieces.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn from(&self) -> usize {
        self.from.load(Ordering::Relaxed)
    }

    fn enter(&self, inode: u64, lost: usize) {
        let mut noted = self.noted.lock();
        // Who writes it notes it again while a slice is in hand.
        if let Some((_, held)) = noted.iter_mut().find(|(held, _)| *held == inode) {
            *held = lost.max(*held);
        } else if noted.len() < MOST {
            noted.push_back((inode, lost));
        }
        drop(noted);
        self.came.notify_one();
    }

    fn take(&self) -> Option<(u64, usize)> {
        self.noted.lock().pop_front()
    }
}

/// Told when the end is asked for: a step under way is not cut off by it, so that nothing of it outlives the task.
type Stopped = watch::Receiver<bool>;

/// What came of a slice.
#[derive(Debug)]
enum Slice {
    /// There are few enough pieces, or none that can be merged.
    Enough,
    /// There may be more to do.
    Merged,
    /// All of its runs were changed meanwhile.
    Lost,
    /// Somebody has the content for itself, before it was copied or for long after that.
    Busy { copied: bool },
}

/// Merges what is noted until the end is asked for.
pub async fn run(files: Arc<Files>, mut stopped: Stopped) {
    loop {
        let Some((inode, lost)) = files.crowded.take() else {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                () = files.crowded.came.notified() => continue,
            }
        };
        take_turn(&files, inode, lost, &mut stopped).await;
        if *stopped.borrow() {
            return;
        }
    }
}

async fn take_turn(files: &Files, inode: u64, lost: usize, stopped: &mut Stopped) {
    match files.merge_slice(inode, SLICE >> lost, stopped).await {
        Ok(Slice::Enough) => {}
        Ok(Slice::Merged) => files.crowded.enter(inode, lost.saturating_sub(1)),
        Ok(Slice::Busy { copied }) => {
            pause(PAUSE, stopped).await;
            files.crowded.enter(inode, if copied { TRIES.min(lost + 1) } else { lost });
        }
        // It may stand elsewhere by now, or in many more pieces.
        Ok(Slice::Lost) | Err(Error::Changed) => {
            pause(PAUSE, stopped).await;
            if lost < TRIES {
                files.crowded.enter(inode, lost + 1);
            }
        }
        // It is another file by now, or none, or stays as it is.
        Err(Error::NoSuchKey | Error::NoSuchBucket | Error::InvalidBucketState(_)) => {}
        Err(error) => {
            tracing::warn!(inode, %error, "pieces of a file can't be merged: after its next change it is tried again");
            pause(PAUSE, stopped).await;
        }
    }
}

/// Waits, if the end isn't asked for meanwhile.
async fn pause(time: Duration, stopped: &mut Stopped) {
    // Where the sender is gone the end was asked for, too.
    let _ = tokio::time::timeout(time, stopped.wait_for(|stopped| *stopped)).await;
}

impl Files {
    async fn merge_slice(&self, inode: u64, most: u64, stopped: &mut Stopped) -> Result<Slice, Error> {
        let node = self.may_of_node(Action::ListAllMyBuckets).map_err(failed)?;
        let names = self.store.names(&node, inode)?;
        let grid = Grid::of(names.len());
        let Some((bucket, key)) = names.into_iter().next() else { return Ok(Slice::Enough) };
        let place = Place { bucket, key };
        let object = self.object(&place).map_err(failed)?;
        let Some(sizes) = object.pieces().filter(|_| object.version.file.inode == inode) else {
            return Ok(Slice::Enough);
        };
        if self.open.get(inode).is_some_and(|open| open.is_busy()) {
            return Ok(Slice::Busy { copied: false });
        }
        if !self.may_go_on(&place, object.version.attributes.encryption.is_some()) {
            return Ok(Slice::Enough);
        }
        let marks = grid.marks(object.version.size, self.crowded.from());
        let runs = grid.choose(&sizes, &object.ages(), (marks.enough, most));
        if runs.is_empty() {
            return Ok(Slice::Enough);
        }
        let grant = self.may(Action::PutObject, &place.bucket, &place.key).map_err(failed)?;
        let mut merge = self.store.merger(&grant, object, &runs)?;
        loop {
            let began = Instant::now();
            if !merge.step().await? {
                break;
            }
            pause(rest(began.elapsed(), sizes.len() > marks.hurry), stopped).await;
            if *stopped.borrow() {
                // What was copied is named by nothing.
                return Ok(Slice::Enough);
            }
        }
        let Some(fewer) = self.state(inode, &place, merge.finish().await?, stopped).await? else {
            return Ok(Slice::Busy { copied: true });
        };
        let bytes: u64 =
            runs.iter().flat_map(|run| sizes.get(usize::from(run.start)..usize::from(run.end))).flatten().sum();
        self.crowded.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.crowded.pieces.fetch_add(fewer as u64, Ordering::Relaxed);
        Ok(if fewer > 0 { Slice::Merged } else { Slice::Lost })
    }

    /// States what was copied, while nobody publishes the file; how many pieces fewer there are. `None` if somebody does
    /// for too long.
    async fn state(
        &self,
        inode: u64,
        place: &Place,
        copied: Copied,
        stopped: &mut Stopped,
    ) -> Result<Option<usize>, Error> {
        let Some(open) = self.open.get(inode) else { return copied.commit().await.map(Some) };
        let mut content = tokio::select! {
            content = open.content() => content,
            () = pause(PATIENCE, stopped) => return Ok(None),
        };
        let fewer = copied.commit().await?;
        if let Ok(object) = self.object(place) {
            content.take_up_merged(object);
        }
        Ok(Some(fewer))
    }
}

impl Content {
    /// The same version stands in other pieces: what is written next goes on with these.
    fn take_up_merged(&mut self, object: Object) {
        if self.stream.is_none() && self.object.version.record == object.version.record {
            self.object = Arc::new(object);
        }
    }
}

/// So long it rests after a step that took so long.
fn rest(took: Duration, is_hurried: bool) -> Duration {
    if is_hurried { took } else { (took * RESTS).max(STEP.saturating_sub(took)) }
}
