//! Reading the bytes of a version that was looked up: decrypted, decompressed, in pieces of at most 1 MiB.
//!
//! What came as one body, or as one part of an upload, is a *piece*: encrypted as one, in one or several extents.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::get::Object;
use super::put::blocking;
use crate::checksum::truncate;
use crate::compression::expand;
use crate::crypto::{self, Binding, DataKey, Decryptor, Unfit, Window, plain_length};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::record::{Compression, Extent, Record};
use crate::segment::{Home, SegmentKind};
use crate::store::Inner;

/// Gives an object's bytes in pieces of at most 1 MiB.
#[derive(Debug)]
pub struct ObjectReader {
    store: Arc<Inner>,
    record: Record,
    key: Option<(Arc<DataKey>, Binding)>,
    dictionary: Option<Arc<Dictionary>>,
    /// Whether the extents lie in stream segments; otherwise there is one record to be read whole.
    streamed: bool,
    /// Over an extent that is read whole; what is read in part is checked by block CRCs alone.
    hasher: Option<blake3::Hasher>,
    /// What is still to be read, in order.
    pieces: VecDeque<Piece>,
}

/// What is wanted of a piece.
#[derive(Debug)]
struct Piece {
    runs: VecDeque<Run>,
    decryptor: Option<Decryptor>,
}

/// An extent, and which of its bytes (streamed) or of the object's bytes (else) are wanted.
#[derive(Debug)]
struct Run {
    extent: Extent,
    home: Home,
    range: Range<u64>,
}

impl Object {
    /// The same with what is stored in place of its bytes: those that are encrypted stay so.
    pub(super) fn stored(mut self) -> Self {
        (self.record.size, self.record.chunking) = (self.record.stored(), 0);
        Self { key: None, ..self }
    }

    /// Reads a range of the object's bytes, within `0..size`, piece by piece.
    #[must_use]
    pub fn read(self, range: Range<u64>) -> ObjectReader {
        let streamed = self.record.compression == Compression::Raw
            && self
                .homes
                .iter()
                .all(|home| matches!(home, Home::Segment(held) if held.info.kind == SegmentKind::Stream));
        let binding = Binding {
            bucket: self.bucket.bucket.id,
            key_id: self.record.key_id,
            compression: self.record.compression as u8,
            dictionary: self.record.dictionary,
        };
        let key = self.key.map(|key| (key, binding));
        let extents = self.record.extents.iter().copied().zip(self.homes);
        let pieces = match &key {
            _ if range.is_empty() => VecDeque::new(),
            _ if !streamed => whole(extents, &range),
            Some((key, binding)) => encrypted(&extents.collect::<Vec<_>>(), &range, key, *binding),
            None => [Piece { runs: runs(&extents.collect::<Vec<_>>(), &range), decryptor: None }].into(),
        };
        let Self { store, record, dictionary, .. } = self;
        ObjectReader { store, record, key, dictionary, streamed, hasher: None, pieces }
    }
}

/// One record, which is read whole to be checked.
fn whole(extents: impl Iterator<Item = (Extent, Home)>, range: &Range<u64>) -> VecDeque<Piece> {
    let runs = extents.map(|(extent, home)| Run { extent, home, range: range.clone() }).collect();
    [Piece { runs, decryptor: None }].into()
}

/// The stored bytes of a range, extents end to end.
fn runs(extents: &[(Extent, Home)], range: &Range<u64>) -> VecDeque<Run> {
    let mut start = 0_u64;
    let mut runs = VecDeque::new();
    for (extent, home) in extents {
        let end = start.saturating_add(extent.length);
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            runs.push_back(Run { extent: *extent, home: home.clone(), range: from - start..to - start });
        }
        start = end;
    }
    runs
}

/// The pieces that a range of plain bytes touches.
fn encrypted(extents: &[(Extent, Home)], range: &Range<u64>, key: &Arc<DataKey>, binding: Binding) -> VecDeque<Piece> {
    let mut start = 0_u64;
    let mut pieces = VecDeque::new();
    for piece in extents.chunk_by(|(one, _), (next, _)| one.part == next.part) {
        let stored = piece.iter().fold(0_u64, |sum, (extent, _)| sum.saturating_add(extent.length));
        let end = start.saturating_add(plain_length(stored));
        let wanted = range.start.max(start)..range.end.min(end);
        if !wanted.is_empty()
            && let Some(window) = Window::of(stored, wanted.start - start..wanted.end - start)
        {
            let decryptor = Some(Decryptor::new(key.clone(), binding, &window));
            pieces.push_back(Piece { runs: runs(piece, &window.stored), decryptor });
        }
        start = end;
    }
    pieces
}

impl ObjectReader {
    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        self.store.shared.reads.fetch_add(1, Ordering::Relaxed);
        loop {
            let piece = self.pieces.front_mut()?;
            let Some(run) = piece.runs.pop_front() else {
                self.pieces.pop_front();
                continue;
            };
            match self.run(run).await {
                Ok(bytes) if bytes.is_empty() => {}
                outcome => return Some(outcome),
            }
        }
    }

    /// Plain bytes of a run, as far as they are read; none before a chunk is whole.
    async fn run(&mut self, run: Run) -> Result<Bytes> {
        if self.record.chunking != 0 && self.key.is_none() {
            return Err(Error::Unavailable("an encrypted object was not unlocked before it was read".into()));
        }
        if !self.streamed {
            return self.small(run).await;
        }
        let stored = self.unit(run).await?;
        match self.pieces.front_mut().and_then(|piece| piece.decryptor.as_mut()) {
            Some(decryptor) => Ok(decryptor.push(&stored).map_err(changed)?.into()),
            None => Ok(stored),
        }
    }

    async fn unit(&mut self, Run { extent, home, range }: Run) -> Result<Bytes> {
        let Home::Segment(segment) = &home else {
            return Err(Error::Unavailable("a stream that is no segment".into()));
        };
        let (segment, wanted) = (segment.clone(), range.clone());
        if range.start == 0 {
            self.hasher = (range.end == extent.length).then(blake3::Hasher::new);
        }
        let mut hasher = self.hasher.take();
        let (piece, hasher) = blocking(move || {
            let piece = segment.read_stream(&extent, wanted)?;
            if let Some(hasher) = &mut hasher {
                hasher.update(&piece);
            }
            Ok((piece, hasher))
        })
        .await?;
        let next = range.start + piece.len() as u64;
        if next == range.end && hasher.as_ref().is_some_and(|hasher| truncate(&hasher.finalize()) != extent.hash) {
            return Err(Error::Lost(format!("segment {:016x}: a record's hash does not match", extent.segment)));
        }
        self.hasher = hasher;
        if piece.is_empty() {
            return Err(Error::Lost("a stream that ends early".into()));
        }
        if next < range.end
            && let Some(front) = self.pieces.front_mut()
        {
            front.runs.push_front(Run { extent, home, range: next..range.end });
        }
        Ok(piece.into())
    }

    async fn small(&self, Run { extent, home, range }: Run) -> Result<Bytes> {
        let plain = match self.store.cache.get(self.record.id) {
            Some(stored) => self.plain(stored)?,
            None => {
                let stored = match home.read_cached(&extent) {
                    Some(stored) => stored,
                    None => blocking(move || Inner::read_record(&home, &extent)).await?,
                };
                let stored = Bytes::from(stored);
                self.store.cache.insert(self.record.id, &stored);
                self.plain(stored)?
            }
        };
        let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end)) else {
            return Err(Error::Lost("a range beyond memory".into()));
        };
        if end > plain.len() || start > end {
            return Err(Error::Lost("a record shorter than its object".into()));
        }
        Ok(plain.slice(start..end))
    }

    fn plain(&self, stored: Bytes) -> Result<Bytes> {
        let packed = match &self.key {
            Some((key, binding)) => crypto::decrypt(key.clone(), *binding, &stored).map_err(changed)?.into(),
            None => stored,
        };
        match self.record.compression {
            Compression::Raw => Ok(packed),
            Compression::Zstd if self.record.dictionary != 0 => self.expanded(&packed),
            Compression::Zstd => Ok(expand(Compression::Zstd, packed.to_vec(), self.record.size)?.into()),
        }
    }

    fn expanded(&self, packed: &[u8]) -> Result<Bytes> {
        let id = self.record.dictionary;
        let lost = |why: &dyn std::fmt::Display| Error::Lost(format!("dictionary {id} of the bucket: {why}"));
        let dictionary = self.dictionary.as_ref().ok_or_else(|| lost(&"it is not there, or can't be read"))?;
        Ok(dictionary.expand(packed, self.record.size).map_err(|error| lost(&error))?.into())
    }
}

fn changed(_: Unfit) -> Error {
    Error::Lost("an encrypted record does not open: it was changed, or its key is another".into())
}
