//! Moving the rows that redirects are about, slice by slice, and ending a redirect that has none left.
//!
//! Cut short anywhere, the next start goes on: what is left follows from the redirect and the rows below its path.

use std::cell::RefCell;
use std::ops::Bound;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Work;
use super::healer::Pulse;
use crate::commit::{Op, Outcome};
use crate::error::{Error, Result};
use crate::index::redirect::{REDIRECT, Redirect};
use crate::index::{Space, keys, row};
use crate::object::rename::{Stored, stored_of};
use crate::object::{Replaces, StoredCopy};
use crate::store::Inner;

/// Rows and bytes of small records that are moved at once: others wait as long as that takes.
const SLICE: usize = 128;
const SLICE_BYTES: usize = 1 << 20;
/// Extents likewise: each is an entry's to name.
const SLICE_EXTENTS: usize = 8192;

/// What is to be moved at once.
#[derive(Default)]
struct Slice {
    moves: Vec<(String, String)>,
    copies: Vec<StoredCopy>,
    bytes: usize,
    extents: usize,
}

impl Slice {
    fn is_full(&self) -> bool {
        self.moves.len() >= SLICE || self.bytes >= SLICE_BYTES || self.extents >= SLICE_EXTENTS
    }
}

impl Work {
    pub(super) fn redirect_loop(&self) {
        let pulse = RefCell::new(Pulse::new(self.activity()));
        while !self.stopping() {
            let redirects = self.shared.buckets.load().redirects().clone();
            for redirect in redirects.iter() {
                if let Err(error) = self.carry_out(redirect, &pulse) {
                    tracing::debug!(%error, ?redirect, "the directory's keys can't be moved: trying again");
                }
            }
            std::thread::park_timeout(super::TICK);
        }
    }

    fn carry_out(&self, redirect: &Redirect, pulse: &RefCell<Pulse>) -> Result<()> {
        let path = keys::current(redirect.bucket, &redirect.from);
        // Passing over what has moved costs time: only at the end it is looked through from the beginning.
        let (mut after, mut moved_any) = (None, true);
        loop {
            let began = Instant::now();
            let is_whole = after.is_none();
            if is_whole && !std::mem::take(&mut moved_any) {
                return Ok(());
            }
            let slice = self.slice(redirect, &path, &mut after)?;
            if slice.moves.is_empty() {
                if is_whole {
                    return self.end_redirect(redirect);
                }
                after = None;
                continue;
            }
            let Slice { moves, copies, extents, .. } = slice;
            let op = Op::Bring { bucket: redirect.bucket, moves, copies, extents };
            if let Outcome::Moved(moved) = self.queue.commit_blocking(op)? {
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
            match stored_of(&self.shared, &*snapshot, &place)? {
                Some(Stored::Apart(extents)) => slice.extents += extents,
                Some(Stored::AtHand(copy)) => slice.take(copy),
                Some(Stored::OnDrives { record, home, extent }) => {
                    // What can't be read stays where it is, and is shown from there.
                    if let Ok(stored) = Inner::read_record(&home, &extent) {
                        slice.take(StoredCopy { record, stored: stored.into(), hash: extent.hash });
                    }
                }
                // The next look finds where it is.
                Some(Stored::Moved) | None => {}
            }
            slice.moves.push((source.to_owned(), destination));
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

impl Slice {
    fn take(&mut self, copy: StoredCopy) {
        self.bytes += copy.stored.len();
        self.extents += 1;
        self.copies.push(copy);
    }
}
