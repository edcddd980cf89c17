//! Uploads that nobody completes: aborted once they are old enough, by the operation that a client's abort is too.
//!
//! A look goes through all open uploads in slices, some at each turn of the thread, so that nothing else that it does
//! waits. Cut short anywhere it begins anew: what is aborted is not there to be found again. How old an upload is, the
//! commit loop decides.

use std::ops::Bound;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Work;
use crate::commit::{Op, Outcome};
use crate::error::{Error, Result};
use crate::index::row::UploadRow;
use crate::index::{Space, keys};
use crate::object::UploadId;

/// Rows that one turn looks at.
const SLICE: usize = 1000;
/// Uploads that one turn aborts: each may name ten thousand parts.
const ABORTS: usize = 16;
/// Between the looks; a tenth of the age where that is less.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Where a look through the uploads is.
#[derive(Debug)]
pub(super) struct Look {
    after: Option<Vec<u8>>,
    /// When the last one ended.
    ended: Option<Instant>,
    aborted: u64,
}

impl Look {
    pub fn new() -> Self {
        Self { after: None, ended: None, aborted: 0 }
    }
}

/// An upload as the index has it.
struct Found {
    bucket: u32,
    key: String,
    upload: u128,
    initiated: i64,
    place: Vec<u8>,
}

impl Work {
    /// One turn.
    pub(super) fn abort_abandoned(&self, look: &mut Look) {
        let Some(age) = self.abandoned_after else { return };
        if look.ended.is_some_and(|ended| ended.elapsed() < (age / 10).min(LONGEST_PAUSE)) {
            return;
        }
        match self.look_on(look, i64::try_from(age.as_nanos()).unwrap_or(i64::MAX)) {
            Ok(false) => return,
            Ok(true) => {}
            Err(Error::ShuttingDown) => return,
            Err(error) => tracing::warn!(%error, "abandoned uploads could not be aborted: trying again"),
        }
        if look.aborted > 0 {
            tracing::info!(uploads = look.aborted, "uploads that nobody completed were aborted");
        }
        *look = Look { ended: Some(Instant::now()), ..Look::new() };
    }

    /// Looks at the next slice; whether it was the last.
    fn look_on(&self, look: &mut Look, age: i64) -> Result<bool> {
        let found = self.next_uploads(look.after.as_deref())?;
        let is_last = found.len() < SLICE;
        let mut aborts = 0;
        for Found { bucket, key, upload, initiated, place } in found {
            if self.stopping() {
                return Err(Error::ShuttingDown);
            }
            look.after = Some(place);
            // A clock that is right tells most of them apart without asking the loop.
            if self.shared.compliance.now().wall.saturating_sub(initiated) < age {
                continue;
            }
            let began = Instant::now();
            let op = Op::AbandonUpload { bucket, key, upload: UploadId(upload), age };
            match self.queue.commit_blocking(op) {
                Ok(Outcome::Aborted(aborted)) => {
                    look.aborted += u64::from(aborted);
                    self.shared.abandoned_uploads.fetch_add(u64::from(aborted), Ordering::Relaxed);
                }
                Ok(_) | Err(Error::NoSuchUpload | Error::NoSuchBucket) => {}
                Err(error) => return Err(error),
            }
            self.rest(began.elapsed());
            aborts += 1;
            if aborts == ABORTS {
                return Ok(false);
            }
        }
        Ok(is_last)
    }

    fn next_uploads(&self, after: Option<&[u8]>) -> Result<Vec<Found>> {
        let snapshot = self.shared.index.snapshot();
        let (first, end) = keys::all_uploads();
        let from = after.map_or(Bound::Included(first.as_slice()), Bound::Excluded);
        let mut found = Vec::new();
        for pair in snapshot.range(Space::Uploads, from, Bound::Excluded(&end)).take(SLICE) {
            let (place, value) = pair?;
            let (Some(bucket), Some((key, upload))) = (keys::bucket_of_upload(&place), keys::parse_upload(&place))
            else {
                return Err(Error::Index("an upload's key that can't be read".into()));
            };
            let initiated = UploadRow::decode(&value)?.initiated;
            found.push(Found { bucket, key, upload, initiated, place: place.to_vec() });
        }
        Ok(found)
    }
}
