//! Reading a checkpoint, with its base, as one state of the index.

use std::iter::Peekable;
use std::sync::Arc;

use super::frames::{Change, HEADER, Header};
use super::{Checkpoint, malformed};
use crate::checksum::{Hash, truncate};
use crate::codec::DecodeError;
use crate::index::Space;
use crate::journal::Manifest;
use crate::node::Hardware;
use crate::record::Extent;
use crate::segment::{Segment, SegmentError};

/// Counts pairs, and takes a digest of all of them in order.
#[derive(Debug, Default)]
pub struct Census {
    pub pairs: u64,
    hasher: blake3::Hasher,
}

impl Census {
    pub fn count(&mut self, space: Space, key: &[u8], value: &[u8]) {
        self.pairs += 1;
        self.hasher.update(&[space.code()]);
        self.hasher.update(&(key.len() as u64).to_le_bytes());
        self.hasher.update(key);
        self.hasher.update(&(value.len() as u64).to_le_bytes());
        self.hasher.update(value);
    }

    #[must_use]
    pub fn digest(&self) -> Hash {
        truncate(&self.hasher.finalize())
    }
}

/// A pair of the index.
pub type Pair = (Space, Vec<u8>, Vec<u8>);

/// The pairs of a checkpoint in order. One that ends without an error has given what the checkpoint was taken of, all of it
/// and nothing else; after an error it ends.
#[derive(Debug)]
pub struct Opening {
    own: Peekable<Changes>,
    base: Option<Peekable<Changes>>,
    manifest: Manifest,
    segment: u64,
    census: Census,
    ended: bool,
}

impl Opening {
    pub(super) fn new(checkpoint: &Checkpoint, hardware: &Hardware) -> Self {
        let changes = |held: &Checkpoint| {
            let segment = Arc::new(held.segment.apart(hardware));
            Changes::new(segment, held.manifest.length).peekable()
        };
        Self {
            own: changes(checkpoint),
            base: checkpoint.base.as_deref().map(changes),
            manifest: checkpoint.manifest.clone(),
            segment: checkpoint.segment.info.id,
            census: Census::default(),
            ended: false,
        }
    }

    /// The next change of both together; that of the increment where both have one.
    fn merge(&mut self) -> Option<Result<Change, SegmentError>> {
        let Some(base) = &mut self.base else { return self.own.next() };
        match (self.own.peek(), base.peek()) {
            (Some(Ok(own)), Some(Ok(held))) => match own.place().cmp(&held.place()) {
                std::cmp::Ordering::Less => self.own.next(),
                std::cmp::Ordering::Equal => {
                    base.next();
                    self.own.next()
                }
                std::cmp::Ordering::Greater => base.next(),
            },
            (Some(_), Some(Err(_))) | (None, _) => base.next(),
            (Some(_), _) => self.own.next(),
        }
    }

    /// Whether everything came that should have.
    fn conclude(&self) -> Result<(), SegmentError> {
        if (self.census.pairs, self.census.digest()) == (self.manifest.pairs, self.manifest.digest) {
            return Ok(());
        }
        Err(malformed(self.segment, "a checkpoint that opens as another state than it was taken of"))
    }
}

impl Iterator for Opening {
    type Item = Result<Pair, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.merge() {
                Some(Ok(Change { space, key, value: Some(value) })) => {
                    self.census.count(space, &key, &value);
                    return Some(Ok((space, key, value)));
                }
                // What an increment takes away its base has; what nobody has is told by the digest.
                Some(Ok(Change { value: None, .. })) => {}
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    return self.conclude().err().map(Err);
                }
            }
        }
        None
    }
}

/// The changes that one checkpoint holds, in order. After an error it ends.
#[derive(Debug)]
pub struct Changes {
    segment: Arc<Segment>,
    /// Its frames, end to end.
    body: Extent,
    at: u64,
    /// Bytes that were read, and how many of them were used.
    held: Vec<u8>,
    used: usize,
    frame: std::vec::IntoIter<Change>,
    last: Option<(u8, Vec<u8>)>,
}

impl Changes {
    #[must_use]
    pub fn new(segment: Arc<Segment>, length: u64) -> Self {
        let body = Extent { segment: segment.info.id, offset: 0, length, part: 0, claim: 0, hash: [0; 16] };
        let (held, frame) = (Vec::new(), Vec::new().into_iter());
        Self { segment, body, at: 0, held, used: 0, frame, last: None }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, SegmentError> {
        if self.held.len() - self.used < count {
            self.held.drain(..self.used);
            self.used = 0;
        }
        while self.held.len() < self.used + count {
            if self.at >= self.body.length {
                return Err(malformed(self.body.segment, "a checkpoint that ends within a frame"));
            }
            let piece = self.segment.read_stream(&self.body, self.at..self.body.length)?;
            self.at += piece.len() as u64;
            self.held.extend_from_slice(&piece);
        }
        let taken = self.held.get(self.used..self.used + count).unwrap_or_default().to_vec();
        self.used += count;
        Ok(taken)
    }

    fn next_frame(&mut self) -> Result<Vec<Change>, SegmentError> {
        let id = self.body.segment;
        let broken = |error: DecodeError| malformed(id, error);
        let header = Header::decode(&self.take(HEADER)?).map_err(broken)?;
        let changes = header.open(&self.take(header.length)?).map_err(broken)?;
        let first = changes.first().map(Change::place);
        if first.is_none_or(|first| self.last.as_ref().is_some_and(|(space, key)| (*space, key.as_slice()) >= first)) {
            return Err(malformed(id, "frames that are in no order"));
        }
        self.last = changes.last().map(|last| (last.space.code(), last.key.clone()));
        Ok(changes)
    }
}

impl Iterator for Changes {
    type Item = Result<Change, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(change) = self.frame.next() {
                return Some(Ok(change));
            }
            if self.at >= self.body.length && self.used >= self.held.len() {
                return None;
            }
            match self.next_frame() {
                Ok(changes) => self.frame = changes.into_iter(),
                Err(error) => {
                    (self.at, self.used) = (self.body.length, self.held.len());
                    return Some(Err(error));
                }
            }
        }
    }
}
