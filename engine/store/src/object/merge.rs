//! Merging: runs of pieces that stand beside each other come to be one piece each, of the same bytes.
//!
//! Content that changes in many places comes to stand in many [`pieces`](super::pieces), and each entry of it names them
//! all. A merge copies the bytes of a run to a stream as one piece, and then states the version anew with that piece in the
//! run's place. Its record id, ETag, commit time and all else that is said of it stay: to every face it is the same version,
//! as where compaction moves bytes.
//!
//! | state | what it is |
//! |---|---|
//! | begun ([`Merge`]) | the version is pinned; some of the runs' bytes may be in a stream |
//! | copied ([`Copied`]) | all of them are, durable; the streams are held, and nothing names what is there |
//! | stated | one batch holds an entry for each name of the file; claims that nothing uses any more end with it |
//!
//! * A run is looked for in what is current when the loop decides: at its offset in the same file, piece by piece the same
//!   stored bytes, by their hashes. So of what is committed between copying and stating, a run loses to what touched it,
//!   and to nothing else.
//! * Pieces only get fewer by it. Who names pieces of a version says how many there were ([`super::Kept`]), so that no
//!   number ever means another piece than the one that was seen.
//! * What is copied is encrypted as it was, under the same key.
//! * Parts of an upload stay what they are, and so does what stands where versions are kept, or were.
//! * A version with fewer pieces than its ETag counts tells S3 of no parts ([`super::Version::parts`]): who reads one part
//!   after the other gets an error then, and never parts of two layouts.
//!
//! | cut off after | what the next start finds |
//! |---|---|
//! | some or all runs are in a stream | the version as it was; no claim names the new bytes |
//! | the entry is durable | the version in fewer pieces, whole, under all names |

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use packstone_access::{Action, Grant};

use super::get::Object;
use super::pieces::{expect_streamed, pieces};
use super::put::ObjectWriter;
use super::read::ObjectReader;
use super::{Cipher, Versioning};
use crate::commit::{Op, Outcome};
use crate::crypto::plain_length;
use crate::error::{Error, Result};
use crate::placement::StorageClass;
use crate::record::{Extent, Record};
use crate::store::{Inner, Store};
use crate::streams::Lease;

/// So many more extents the version may have by the time that it is stated; and an eighth of what it has.
const GROWTH: usize = 64;

/// What becomes of runs of pieces.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Of the file that they are of.
    pub inode: u64,
    /// What they are encrypted with, as the record says it.
    pub key_id: u32,
    pub chunking: u32,
    /// In order.
    pub runs: Vec<MergedRun>,
    /// How many extents the version may have.
    pub extents: usize,
}

#[derive(Clone, Debug)]
pub struct MergedRun {
    /// Where its first byte is in the content, before encryption.
    pub at: u64,
    /// The pieces that there were.
    pub held: Vec<Extent>,
    /// The one that takes their place.
    pub piece: Vec<Extent>,
}

impl Merged {
    /// The extents of a version in which runs that are there still are one piece each, and how many pieces fewer that
    /// makes.
    pub(crate) fn of(&self, held: &Record) -> (Vec<Extent>, usize) {
        let plain = |stored| if self.chunking == 0 { stored } else { plain_length(stored) };
        let all: Vec<&[Extent]> = pieces(&held.extents).collect();
        let mut runs = self.runs.iter().peekable();
        let mut merged: Vec<&[Extent]> = Vec::with_capacity(all.len());
        let (mut place, mut at) = (0, 0_u64);
        while let Some(piece) = all.get(place) {
            while runs.next_if(|run| run.at < at).is_some() {}
            let run =
                runs.peek().filter(|run| run.at == at).and_then(|run| Some((run, run.count_at(all.get(place..)?)?)));
            let count = run.map_or(1, |(_, count)| count);
            merged.push(run.map_or(*piece, |(run, _)| &run.piece));
            let taken = all.get(place..place + count).unwrap_or_default().iter();
            at = taken.fold(at, |at, piece| at.saturating_add(plain(stored(piece))));
            place += count;
        }
        // One piece is one body.
        let number_of = |number| if merged.len() > 1 { number } else { 0 };
        let numbered = (1..)
            .zip(&merged)
            .flat_map(|(number, piece)| piece.iter().map(move |extent| Extent { part: number_of(number), ..*extent }));
        (numbered.collect(), all.len() - merged.len())
    }
}

impl MergedRun {
    /// How many pieces it takes the place of, if those there begin with them.
    fn count_at(&self, there: &[&[Extent]]) -> Option<usize> {
        let is_same = |(one, other): (&[Extent], &&[Extent])| {
            let of = |piece: &[Extent]| piece.iter().map(|extent| (extent.length, extent.hash)).collect::<Vec<_>>();
            of(one) == of(other)
        };
        let count = pieces(&self.held).count();
        (count > 1 && count <= there.len() && pieces(&self.held).zip(there).all(is_same)).then_some(count)
    }
}

/// Stored bytes of a piece.
fn stored(piece: &[Extent]) -> u64 {
    piece.iter().fold(0, |sum, extent| sum.saturating_add(extent.length))
}

/// That pieces of a record may be merged.
///
/// # Errors
/// [`Error::InvalidBucketState`].
pub(crate) fn expect_mergeable(versioning: Versioning, record: &Record, is_upload: bool) -> Result<()> {
    expect_streamed(versioning, record)?;
    match is_upload || !record.part_checksums.is_empty() {
        true => Err(Error::InvalidBucketState("parts of an upload are not merged")),
        false => Ok(()),
    }
}

/// Runs of pieces of one version on their way to be merged; dropped it leaves nothing that anything names.
#[derive(Debug)]
pub struct Merge {
    object: Object,
    key: String,
    writer: ObjectWriter,
    /// Those that are not begun, each with where it is in the content.
    waiting: VecDeque<(u64, Range<u16>)>,
    reading: Option<ObjectReader>,
    /// Those that are begun, without their pieces.
    runs: Vec<MergedRun>,
}

/// The same with all bytes in streams.
#[derive(Debug)]
pub struct Copied {
    store: Arc<Inner>,
    bucket: u32,
    key: String,
    merged: Merged,
    held: Vec<Lease>,
}

impl Store {
    /// Begins to merge runs of at least two pieces each, counted from 0 as [`Object::pieces`] does, in order; the object is
    /// unlocked.
    ///
    /// # Errors
    /// [`Error::InvalidBucketState`] where its pieces stay as they are, a grant for something else, or runs of pieces that
    /// are not there.
    pub fn merger(&self, grant: &Grant, object: Object, runs: &[Range<u16>]) -> Result<Merge> {
        grant.covers(Action::PutObject)?;
        let state = self.bucket_of(grant)?;
        let attributes = &object.version.attributes;
        expect_mergeable(state.versioning(), &object.record, attributes.upload.is_some())?;
        let sizes = object.pieces().unwrap_or_default();
        let starts: Vec<u64> = sizes.iter().scan(0, |at, size| Some(std::mem::replace(at, *at + size))).collect();
        let waiting = runs.iter().map(|run| {
            let is_run = run.len() > 1 && usize::from(run.end) <= sizes.len();
            starts.get(usize::from(run.start)).filter(|_| is_run).map(|at| (*at, run.clone()))
        });
        let waiting = waiting.collect::<Option<VecDeque<_>>>().ok_or(Error::Changed)?;
        let (bucket, key) = (state.bucket.id, grant.key().to_owned());
        let cipher = attributes.encryption.clone().zip(object.key.clone());
        let cipher = cipher.map(|(encryption, key)| Cipher { bucket, encryption, key });
        let writer = ObjectWriter::of_piece(self.inner.clone(), (bucket, &key), cipher);
        let writer = writer.in_class(StorageClass::of(attributes));
        Ok(Merge { object, key, writer, waiting, reading: None, runs: Vec::new() })
    }
}

impl Merge {
    /// Copies up to a MiB more; whether there was anything left to copy.
    ///
    /// # Errors
    /// Bytes that can't be read, too few drives, or no space.
    pub async fn step(&mut self) -> Result<bool> {
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => {
                let Some(reader) = self.next_run() else { return Ok(false) };
                self.reading.insert(reader)
            }
        };
        match reading.next().await {
            Some(bytes) => self.writer.write(bytes?).await?,
            None => {
                self.reading = None;
                self.writer.end_piece().await?;
            }
        }
        Ok(true)
    }

    fn next_run(&mut self) -> Option<ObjectReader> {
        let (at, run) = self.waiting.pop_front()?;
        let run = usize::from(run.start)..usize::from(run.end);
        let sizes = self.object.pieces()?;
        let end = at + sizes.get(run.clone())?.iter().sum::<u64>();
        let held = pieces(&self.object.record.extents).skip(run.start).take(run.len()).flatten().copied().collect();
        self.runs.push(MergedRun { at, held, piece: Vec::new() });
        Some(self.object.clone().read(at..end))
    }

    /// Copies what is left, and makes it durable.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub async fn finish(mut self) -> Result<Copied> {
        while self.step().await? {}
        let Self { object, key, writer, mut runs, .. } = self;
        let (written, held) = writer.into_streamed().await?;
        let mut made = pieces(&written);
        for run in &mut runs {
            run.piece = made.next().ok_or(Error::Changed)?.to_vec();
        }
        let Object { record, bucket, store, version, .. } = object;
        let inode = version.file.inode;
        let extents = record.extents.len() / 8 * 9 + GROWTH;
        let merged = Merged { inode, key_id: record.key_id, chunking: record.chunking, runs, extents };
        Ok(Copied { store, bucket: bucket.bucket.id, key, merged, held })
    }
}

impl Copied {
    /// States what is current with the runs merged that are there still, under every name of the file; how many pieces
    /// fewer that makes.
    ///
    /// # Errors
    /// [`Error::Changed`] where another file stands at the key, or none; a bucket that came to keep versions, or no space.
    pub async fn commit(self) -> Result<usize> {
        let Self { store, bucket, key, merged, held } = self;
        let beside = store.beside(bucket, &key)?;
        let op = Op::Merge { bucket, key, merged, beside };
        // In a task of its own: the commit and the streams that it stands in are not to part.
        let stated = tokio::spawn(async move {
            let outcome = store.commit(op).await;
            drop(held);
            outcome
        });
        match stated.await.map_err(|_| Error::ShuttingDown)?? {
            Outcome::Moved(fewer) => Ok(fewer),
            _ => Err(Error::Unavailable("an answer to something else".into())),
        }
    }
}

#[cfg(test)]
mod tests;
