//! Taking a checkpoint: one state of the index, written while the node goes on.

use std::io;
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Instant;

use super::frames::{Change, FrameWriter};
use super::opening::{Census, Changes};
use super::soundness::expect_sound;
use super::{Checkpoint, read_manifest};
use crate::commit::Shared;
use crate::index::apply::Marks;
use crate::index::{IndexError, IndexResult, Snapshot, Space, keys};
use crate::journal::{Entry, Manifest};
use crate::sealing::blank;
use crate::segment::rebuild::Pace;
use crate::segment::shard::path_of;
use crate::segment::stream::OpenStream;
use crate::segment::stripe::UNIT;
use crate::segment::toc::TocBuilder;
use crate::segment::{Home, Pin, Segment, SegmentError, SegmentInfo, SegmentKind};

/// Pairs between two rests.
const SLICE: u64 = 1000;

/// One state of the index that is to become a checkpoint.
pub struct Taking {
    snapshot: Box<dyn Snapshot>,
    mark: u64,
    files: Vec<u64>,
}

impl Taking {
    /// Holds the index as it is.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn begin(shared: &Shared) -> IndexResult<Self> {
        // First: whatever is finished by now the snapshot has seen.
        let files = finished(shared);
        let snapshot = shared.index.snapshot();
        let mark = Marks::read(&*snapshot)?.agreed()?;
        Ok(Self { snapshot, mark, files })
    }

    /// Writes the checkpoint, as what differs from `base` where there is one, and opens it. Durable, and named by nothing
    /// yet.
    ///
    /// # Errors
    /// Too few drives, no space, an index or base that can't be read, a checkpoint that doesn't open as what it was taken of,
    /// or [`io::ErrorKind::Interrupted`] when `pace` said so: what was written is removed again.
    pub fn write(
        &self,
        shared: &Shared,
        base: Option<&Checkpoint>,
        pace: &Pace<'_>,
    ) -> Result<SegmentInfo, SegmentError> {
        let id = shared.take_file_id();
        let info =
            SegmentInfo { kind: SegmentKind::Checkpoint, ..blank(id, shared.hardware.landing_pool().as_deref())? };
        let drives = info.drives.clone();
        let written = self.write_shards(shared, info, base, pace).and_then(|info| {
            verify(shared, &info, base, pace)?;
            Ok(info)
        });
        if written.is_err() {
            for (number, shard) in drives.iter().zip(0..) {
                if let Some(member) = shared.hardware.in_use(*number) {
                    // The next start removes what this can't.
                    let _ = member.drive.remove(&path_of(id, shard));
                }
            }
        }
        written
    }

    fn write_shards(
        &self,
        shared: &Shared,
        info: SegmentInfo,
        base: Option<&Checkpoint>,
        pace: &Pace<'_>,
    ) -> Result<SegmentInfo, SegmentError> {
        let stream = OpenStream::begin(&shared.hardware, info)?;
        let mut body = Body { shared, stream, frame: FrameWriter::default(), stripe: Vec::new(), length: 0 };
        let mut before = base.map(|base| {
            let segment = Arc::new(base.segment.apart(&shared.hardware));
            Changes::new(segment, base.manifest.length).peekable()
        });
        let mut census = Census::default();
        let mut began = Instant::now();
        for pair in self.pairs() {
            let (space, key, value) = pair.map_err(fault)?;
            census.count(space, &key, &value);
            if census.pairs % SLICE == 0 {
                keep_pace(pace, &mut began)?;
            }
            let stood = match &mut before {
                Some(before) => body.take_away(before, Some((space.code(), &key)))?,
                None => None,
            };
            if stood.as_deref() != Some(&*value) {
                body.push(space, &key, Some(&value))?;
            }
        }
        if let Some(before) = &mut before {
            body.take_away(before, None)?;
        }
        let manifest = Manifest {
            mark: self.mark,
            taken: shared.compliance.now().wall,
            base: base.map_or(0, |base| base.segment.info.id),
            length: 0,
            pairs: census.pairs,
            digest: census.digest(),
            files: self.files.clone(),
        };
        body.finish(manifest)
    }

    /// Every pair of the index but the marks.
    fn pairs(&self) -> impl Iterator<Item = IndexResult<(Space, crate::index::Value, crate::index::Value)>> + '_ {
        let of = |space: Space| {
            self.snapshot.prefix(space, &[]).map(move |pair| pair.map(|(key, value)| (space, key, value)))
        };
        let is_mark = |pair: &IndexResult<(Space, crate::index::Value, crate::index::Value)>| matches!(pair, Ok((_, key, _)) if **key == *keys::MARK);
        Space::ALL.into_iter().flat_map(of).filter(move |pair| !is_mark(pair))
    }
}

/// The files whose entries, as far as the index has seen them, all have their places in it: journals and what they became,
/// and compaction's segments once every row is moved and the sources are gone.
fn finished(shared: &Shared) -> Vec<u64> {
    let table = shared.table.all();
    let is_finished = |home: &Home| match home {
        Home::Journal(_) => true,
        Home::Segment(segment) => {
            let info = &segment.info;
            info.kind == SegmentKind::Packed && !info.sources.iter().any(|source| table.contains_key(source))
        }
    };
    let mut files: Vec<u64> = table.iter().filter(|(_, home)| is_finished(home)).map(|(id, _)| *id).collect();
    files.sort_unstable();
    files
}

/// Opens a checkpoint that nothing names yet, all of it, and holds every pair against what it must be.
///
/// # Errors
/// What can't be read, or is not what the checkpoint was taken of.
pub fn verify(
    shared: &Shared,
    info: &SegmentInfo,
    base: Option<&Checkpoint>,
    pace: &Pace<'_>,
) -> Result<(), SegmentError> {
    let code = shared.hardware.codes.of(info.profile)?;
    let segment = Arc::new(Segment::new(info.clone(), &shared.hardware, code, Pin::default()));
    let manifest = read_manifest(&segment)?;
    let checkpoint = Checkpoint { segment, manifest, base: base.cloned().map(Box::new) };
    let mut began = Instant::now();
    for (pair, number) in checkpoint.open(&shared.hardware).zip(1..) {
        let (space, key, value) = pair?;
        expect_sound(space, &key, &value).map_err(fault)?;
        if number % SLICE == 0 {
            keep_pace(pace, &mut began)?;
        }
    }
    Ok(())
}

fn keep_pace(pace: &Pace<'_>, began: &mut Instant) -> Result<(), SegmentError> {
    let goes_on = pace(began.elapsed());
    *began = Instant::now();
    if goes_on { Ok(()) } else { Err(io::Error::from(io::ErrorKind::Interrupted).into()) }
}

fn fault(error: IndexError) -> SegmentError {
    SegmentError::Io(io::Error::other(error))
}

/// The frames of a checkpoint on their way to its shards.
struct Body<'a> {
    shared: &'a Shared,
    stream: OpenStream,
    frame: FrameWriter,
    stripe: Vec<u8>,
    length: u64,
}

impl Body<'_> {
    /// Takes away what stood in front of `place` and is no more; what stood there, if anything did.
    fn take_away(
        &mut self,
        before: &mut Peekable<Changes>,
        place: Option<(u8, &[u8])>,
    ) -> Result<Option<Vec<u8>>, SegmentError> {
        loop {
            let next = match before.peek() {
                Some(Ok(change)) => Some(change.place()),
                Some(Err(_)) => None,
                None => return Ok(None),
            };
            if let (Some(next), Some(place)) = (next, place)
                && next > place
            {
                return Ok(None);
            }
            let stands = next == place && place.is_some();
            let Some(Change { space, key, value }) = before.next().transpose()? else { return Ok(None) };
            if stands {
                return Ok(value);
            }
            self.push(space, &key, None)?;
        }
    }

    fn push(&mut self, space: Space, key: &[u8], value: Option<&[u8]>) -> Result<(), SegmentError> {
        self.frame.push(space, key, value);
        if self.frame.is_full() { self.end_frame() } else { Ok(()) }
    }

    fn end_frame(&mut self) -> Result<(), SegmentError> {
        let frame = self.frame.finish()?;
        self.length += frame.len() as u64;
        self.stripe.extend_from_slice(&frame);
        let stripe = usize::try_from(UNIT).unwrap_or(1 << 20) * usize::from(self.stream.info.profile.data);
        while self.stripe.len() >= stripe {
            let rest = self.stripe.split_off(stripe);
            self.stream.write_stripe(&self.shared.hardware, &self.stripe)?;
            self.stripe = rest;
        }
        Ok(())
    }

    fn finish(mut self, manifest: Manifest) -> Result<SegmentInfo, SegmentError> {
        self.end_frame()?;
        if !self.stripe.is_empty() {
            self.stream.write_stripe(&self.shared.hardware, &self.stripe)?;
        }
        let mut toc = TocBuilder::default();
        toc.push(manifest.mark, &Entry::Checkpoint(Manifest { length: self.length, ..manifest }));
        let mut info = self.stream.finish(&self.shared.hardware, toc.finish()?)?;
        info.payload = info.toc.offset * u64::from(info.profile.data);
        Ok(info)
    }
}
