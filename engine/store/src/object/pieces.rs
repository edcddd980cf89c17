//! Changing large content in its middle: pieces that did not change stay where they are.
//!
//! Content that streams is a list of *pieces*, each hashed and encrypted as one: a body, a part of an upload, what was
//! appended. Whoever writes ends a piece where they like ([`ObjectWriter::end_piece`]); who changes a version
//! ([`Store::file_changer`]) names pieces of it ([`ObjectWriter::keep`]) between those that it writes. The entry states
//! the list that comes of both, whole.
//!
//! * A piece is kept as a whole or not at all, so a record's extents are what they always were, and what counts live
//!   bytes counts those that are read.
//! * A claim on a stream lives as long as the last piece under it: the entry that comes ends the claims of which it keeps
//!   nothing. What is dead under one that lives is won back as all dead bytes in streams are: the rest is copied, and
//!   claimed anew.
//! * Nothing but the names of one file shares a claim. So the version that is changed must end as the new one comes, as
//!   it does where versions were never kept; elsewhere content is written whole.
//! * Kept bytes stay under their key: what is written between them is encrypted as they are.
//!
//! | cut off after | what the next start finds |
//! |---|---|
//! | some or all pieces are in a stream | the version that was there; no claim names the new bytes |
//! | the entry is durable | the new version, whole; the claims that it ends are dead |

use std::ops::Range;

use packstone_access::{Action, Grant};

use super::destination::Destination;
use super::get::Object;
use super::put::ObjectWriter;
use super::{Attributes, Cipher, MAX_PARTS, Rewritten, Versioning};
use crate::codec::Reader;
use crate::crypto::plain_length;
use crate::error::{Error, Result};
use crate::index::row::corrupt;
use crate::index::{Row, Space, keys};
use crate::placement::StorageClass;
use crate::record::{Extent, Record};
use crate::store::Store;

/// What changed content takes over from the version that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Pieces of that version, counted from 0, each run with the number that its first one comes to have, from 1 on.
    pub runs: Vec<(u16, Range<u16>)>,
    /// How many pieces that version had when they were counted: they may have been [merged](super::merge) since.
    pub pieces: usize,
    /// How many extents that version had.
    pub extents: usize,
    /// Bytes of the content that comes.
    pub size: u64,
}

impl Store {
    /// Begins to change the content of a file to `size` bytes, in a bucket that never kept versions: pieces are written, or
    /// kept of those that [`crate::Object::pieces`] tells, so many of them, from the first to the last. What is written is
    /// encrypted as what is kept.
    ///
    /// # Errors
    /// [`Error::Changed`] where another record has come, or has other pieces by now, [`Error::InvalidBucketState`] where nothing can be kept, or as
    /// [`Self::file_writer`].
    pub fn file_changer(&self, grant: &Grant, place: Rewritten, pieces: usize, size: u64) -> Result<ObjectWriter> {
        grant.covers(Action::PutObject)?;
        let state = self.bucket_of(grant)?;
        let snapshot = self.inner.shared.namespace();
        let held = snapshot.get(Space::Current, &keys::current(state.bucket.id, grant.key()))?;
        let row = held.map(|value| Row::decode_whole(&value, &*snapshot)).transpose()?;
        let row = row.filter(|row| row.record.id == place.record).ok_or(Error::Changed)?;
        expect_changeable(state.versioning(), &row)?;
        if row.record.pieces().count() != pieces {
            return Err(Error::Changed);
        }
        let attributes = Attributes::decode(&mut Reader(&row.record.attributes)).map_err(corrupt)?;
        let class = StorageClass::of(&attributes);
        let key = self.key_of(&state, attributes.encryption.as_ref(), None)?;
        let bucket = state.bucket.id;
        let cipher = attributes.encryption.zip(key).map(|(encryption, key)| Cipher { bucket, encryption, key });
        let kept = Kept { runs: Vec::new(), pieces, extents: row.record.extents.len(), size };
        let writer = self.begin(grant, Destination::Changed(place, kept), Some(size), cipher)?;
        Ok(writer.in_class(class))
    }
}

/// Whether pieces of a version may be taken over by the one that comes in its place.
///
/// # Errors
/// [`Error::InvalidBucketState`].
pub(crate) fn expect_changeable(versioning: Versioning, row: &Row) -> Result<()> {
    expect_streamed(versioning, &row.record)
}

/// The same of a record.
///
/// # Errors
/// [`Error::InvalidBucketState`].
pub(super) fn expect_streamed(versioning: Versioning, record: &Record) -> Result<()> {
    if versioning != Versioning::Never {
        return Err(Error::InvalidBucketState("content is written whole where versions are kept, or were"));
    }
    if record.extents.is_empty() || record.small().is_some() {
        return Err(Error::InvalidBucketState("content that does not stream is written whole"));
    }
    Ok(())
}

impl ObjectWriter {
    /// Goes on with pieces of the version that is changed, counted from 0, behind what was written or kept before.
    ///
    /// # Errors
    /// As [`Self::write`], or more pieces than there may be. The commit answers [`Error::Changed`] where that version has
    /// no such pieces.
    pub async fn keep(&mut self, pieces: Range<u16>) -> Result<()> {
        self.end_piece().await?;
        let first = self.pieces();
        let count = pieces.end.saturating_sub(pieces.start);
        let next = first.checked_add(count).filter(|next| *next <= MAX_PARTS).ok_or(Error::TooManyParts)?;
        if let Some(kept) = self.kept() {
            kept.runs.push((first + 1, pieces));
        }
        self.go_on_at(next);
        Ok(())
    }
}

impl Object {
    /// Sizes of the pieces of which a version that changes this one may keep some; `None` where its bytes stand in no
    /// stream.
    #[must_use]
    pub fn pieces(&self) -> Option<Vec<u64>> {
        let plain = |stored| if self.record.chunking == 0 { stored } else { plain_length(stored) };
        let is_streamed = !self.record.extents.is_empty() && self.record.small().is_none();
        is_streamed.then(|| self.record.pieces().map(plain).collect())
    }

    /// For each of these the LSN of the newest entry that claimed bytes of it: as a rule, of the last change there.
    #[must_use]
    pub fn ages(&self) -> Vec<u64> {
        let newest = |piece: &[Extent]| piece.iter().map(|extent| extent.claim).max().unwrap_or_default();
        pieces(&self.record.extents).map(newest).collect()
    }
}

impl Kept {
    /// The extents of all content: those of the pieces that are kept, and those that were written, which say what number
    /// their pieces come to have. `None` where something is missing, or said twice.
    pub(crate) fn with(&self, held: &[Extent], written: &[Extent]) -> Option<Vec<Extent>> {
        let pieces: Vec<&[Extent]> = pieces(held).collect();
        let mut all: Vec<(u16, &[Extent])> = Vec::new();
        for run in self::pieces(written) {
            all.push((run.first()?.part, run));
        }
        for (first, kept) in &self.runs {
            for (number, piece) in (*first..).zip(kept.clone()) {
                all.push((number, pieces.get(usize::from(piece))?));
            }
        }
        let mut taken: Vec<u16> = self.runs.iter().flat_map(|(_, kept)| kept.clone()).collect();
        taken.sort_unstable();
        let is_taken_once = taken.windows(2).all(|pair| pair.first() != pair.last());
        all.sort_by_key(|(number, _)| *number);
        let is_whole = all.iter().zip(1..).all(|((number, _), place)| *number == place);
        // One piece is one body.
        let number_of = |number| if all.len() > 1 { number } else { 0 };
        let extents = all
            .iter()
            .flat_map(|(number, run)| run.iter().map(|extent| Extent { part: number_of(*number), ..*extent }));
        (is_whole && is_taken_once && all.len() <= usize::from(MAX_PARTS)).then(|| extents.collect())
    }
}

/// The extents of each piece.
pub(super) fn pieces(extents: &[Extent]) -> impl Iterator<Item = &[Extent]> {
    extents.chunk_by(|one, next| one.part == next.part)
}

#[cfg(test)]
mod tests;
