//! Locking what nobody writes any more, in buckets with default retention.
//!
//! What waits for its lock stands in the index, in the order in which it was published: a pass goes from the oldest on and
//! ends at the first that is not due, so a start needs to know nothing of what was before. A version is due when nothing
//! was published of it for the idle time, by the compliance clock, and nobody has it open to write; where its writers
//! ended later, the idle time begins there. Only these ends are kept in memory: after a restart, nobody has anything open.
//! Of a version that another has come over nobody's writing matters.
//!
//! A lock is one entry, decided on the version as it is then: what is published meanwhile is another version, and waits anew.
//!
//! Concurrency: one task; `Writers` is a leaf lock, taken by whoever opens and closes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use packstone_access::Action;
use packstone_store::Error;
use packstone_store::object::{Pending, PendingFile};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Errno, Files};

/// Versions that are looked at in one piece.
const PAGE: usize = 500;
/// Locks that are on their way at once, to share the journal's syncs.
const AT_ONCE: usize = 64;
/// A pass begins this often, or ten times in the idle time.
const PERIOD: Duration = Duration::from_secs(10);

/// Who writes what waits for its lock.
#[derive(Debug, Default)]
pub struct Writers(Mutex<HashMap<u64, Writer>>);

#[derive(Clone, Copy, Debug, Default)]
struct Writer {
    handles: usize,
    /// When the last one closed, by the compliance clock, Unix seconds.
    ended: i64,
}

impl Writers {
    pub fn enter(&self, inode: u64) {
        self.0.lock().entry(inode).or_default().handles += 1;
    }

    /// One less, at `now`, where a lock is waited for.
    pub fn leave(&self, inode: u64, now: Option<i64>) {
        let mut writers = self.0.lock();
        let Some(writer) = writers.get_mut(&inode) else { return };
        writer.handles = writer.handles.saturating_sub(1);
        writer.ended = now.unwrap_or(i64::MIN);
        if writer.handles == 0 && now.is_none() {
            writers.remove(&inode);
        }
    }

    /// Whether nobody has written for `idle` seconds.
    fn are_idle(&self, inode: u64, now: i64, idle: i64) -> bool {
        let writers = self.0.lock();
        writers.get(&inode).is_none_or(|writer| writer.handles == 0 && now.saturating_sub(writer.ended) >= idle)
    }

    /// Leaves out whose end is past counting.
    fn tidy(&self, now: i64, idle: i64) {
        self.0.lock().retain(|_, writer| writer.handles > 0 || now.saturating_sub(writer.ended) < idle);
    }
}

/// Locks what is due until the end is asked for.
pub async fn run(files: Arc<Files>, mut stopped: watch::Receiver<bool>) {
    loop {
        let period = PERIOD.min(files.lock_after() / 10).max(Duration::from_millis(100));
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(period) => {}
        }
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            passed = pass(&files) => if let Err(errno) = passed {
                tracing::warn!(%errno, "files that wait for their lock can't be looked for");
            },
        }
    }
}

async fn pass(files: &Arc<Files>) -> Result<(), Errno> {
    let idle = i64::try_from(files.lock_after().as_secs()).unwrap_or(i64::MAX);
    let now = files.store.compliance_time();
    let grant = files.may_of_node(Action::Administer)?;
    let mut after = Some(0);
    while let Some(from) = after {
        let (page, next) = files.store.pending(&grant, from, PAGE)?;
        after = next;
        let mut locks = JoinSet::new();
        for file in page {
            let Some(Pending { since, .. }) = file.version.attributes.pending else { continue };
            if now.saturating_sub(since) < idle {
                after = None;
                break;
            }
            if file.version.latest && !files.writers.are_idle(file.version.file.inode, now, idle) {
                continue;
            }
            if locks.len() >= AT_ONCE {
                locks.join_next().await;
            }
            locks.spawn(lock(files.clone(), file));
        }
        while locks.join_next().await.is_some() {}
    }
    files.writers.tidy(now, idle);
    Ok(())
}

async fn lock(files: Arc<Files>, file: PendingFile) {
    let PendingFile { bucket, key, version } = file;
    let Ok(grant) = files.may(Action::PutObjectRetention, &bucket, &key) else { return };
    match files.store.lock_pending(&grant, &version).await {
        Ok(locked) => {
            if let Some(open) = files.open.get(locked.file.inode).filter(|_| locked.latest) {
                open.describe(locked);
            }
        }
        // It ended meanwhile, or is another one.
        Err(Error::NoSuchKey | Error::NoSuchVersion | Error::NoSuchBucket | Error::Changed) => {}
        Err(error) => tracing::warn!(%bucket, %key, %error, "a file can't be locked yet"),
    }
}
