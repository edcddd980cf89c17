//! Moving the rows that redirects are about, slice by slice, and ending a redirect that has none left.
//!
//! Cut short anywhere, the next start goes on: what is left follows from the redirect and the rows below its path.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Bound;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Work;
use super::healer::Pulse;
use crate::commit::{Op, Outcome};
use crate::error::{Error, Result};
use crate::index::redirect::{REDIRECT, Redirect};
use crate::index::{Space, keys, row};
use crate::object::redirect::Slice;
use crate::object::rename::{Stored, stored_of};
use crate::object::{Replaces, StoredCopy};
use crate::store::Inner;

/// After so long what could not be moved is tried again.
const PAUSE: Duration = Duration::from_secs(5);

impl Work {
    pub(super) fn redirect_loop(&self) {
        let pulse = RefCell::new(Pulse::new(self.activity()));
        let mut put_off: HashMap<u64, Instant> = HashMap::new();
        while !self.stopping() {
            let redirects = self.shared.buckets.load().redirects().clone();
            put_off.retain(|_, due| *due > Instant::now());
            for redirect in redirects.iter().filter(|held| !put_off.contains_key(&held.lsn)).collect::<Vec<_>>() {
                match self.carry_out(redirect, &pulse) {
                    Ok(true) => {}
                    Ok(false) => drop(put_off.insert(redirect.lsn, Instant::now() + PAUSE)),
                    Err(error) => {
                        tracing::debug!(%error, ?redirect, "the directory's keys can't be moved: trying again later");
                        put_off.insert(redirect.lsn, Instant::now() + PAUSE);
                    }
                }
            }
            std::thread::park_timeout(super::TICK);
        }
    }

    /// Whether all has moved.
    fn carry_out(&self, redirect: &Redirect, pulse: &RefCell<Pulse>) -> Result<bool> {
        let path = keys::current(redirect.bucket, &redirect.from);
        // Passing over what has moved costs time: only at the end it is looked through from the beginning.
        let (mut after, mut moved_any) = (None, true);
        loop {
            let began = Instant::now();
            let is_whole = after.is_none();
            if (is_whole && !std::mem::take(&mut moved_any)) || !self.shared.shortage.takes_growth() {
                return Ok(false);
            }
            let slice = self.slice(redirect, &path, &mut after)?;
            if slice.is_empty() {
                if is_whole {
                    return self.end_redirect(redirect).map(|()| true);
                }
                after = None;
                continue;
            }
            if let Outcome::Moved(moved) = self.queue.commit_blocking(slice.into_op(redirect.bucket))? {
                self.own_entries.fetch_add(2 * moved as u64, Ordering::Relaxed);
                moved_any |= moved > 0;
            }
            if !self.yield_to_requests(&mut pulse.borrow_mut(), began.elapsed()) {
                return Err(Error::ShuttingDown);
            }
        }
    }

    /// The next rows that are unmoved, behind `after`, which goes on with them.
    fn slice(&self, redirect: &Redirect, path: &[u8], after: &mut Option<Vec<u8>>) -> Result<Slice> {
        let snapshot = self.shared.index.snapshot();
        let end = keys::after_prefix(path).unwrap_or_default();
        let from = after.take();
        let from = from.as_deref().map_or(Bound::Included(path), Bound::Excluded);
        let mut slice = Slice::default();
        for pair in snapshot.range(Space::Current, from, Bound::Excluded(&end)) {
            let (place, value) = pair?;
            let Some(source) = keys::object_key(&place) else { continue };
            let destination = redirect.destination_of(source);
            let Some(destination) =
                destination.filter(|_| row::record_id(&value).is_ok_and(|id| redirect.is_unmoved(id)))
            else {
                continue;
            };
            let (copy, extents) = match stored_of(&self.shared, &*snapshot, &place)? {
                Some(Stored::Apart(extents)) => (None, extents),
                Some(Stored::AtHand(copy)) => (Some(copy), 1),
                Some(Stored::OnDrives { record, home, extent }) => {
                    // What can't be read stays where it is, and is shown from there.
                    let stored = Inner::read_record(&home, &extent).ok();
                    (stored.map(|stored| StoredCopy { record, stored: stored.into(), hash: extent.hash }), 1)
                }
                // The next look finds where it is.
                Some(Stored::Moved) | None => (None, 0),
            };
            slice.take((source.to_owned(), destination), copy, extents);
            *after = Some(place.to_vec());
            if slice.is_full() {
                break;
            }
        }
        Ok(slice)
    }

    fn end_redirect(&self, redirect: &Redirect) -> Result<()> {
        let op = Op::PutDocument {
            scope: redirect.bucket,
            kind: REDIRECT.into(),
            name: format!("{:016x}", redirect.lsn),
            value: None,
            replaces: Replaces::Anything,
        };
        self.queue.commit_blocking(op).map(|_| ())
    }
}
