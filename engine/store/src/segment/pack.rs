//! Writing a packed segment: payload and TOC into contiguous shards, parity behind them, all synced.
//!
//! Nothing names the segment until its `Sealed` entry is journalled, so a crash at any step here leaves files that
//! recovery removes, and the source as it was.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::shard::{crcs, path_of};
use super::toc::FinishedToc;
use super::{DIRECTORY, SegmentError, SegmentInfo};
use crate::checksum::{BLOCK, block_align};
use crate::drive::{DriveFile, DriveState, Job, Member, NO_DRIVE};
use crate::erasure::Code;
use crate::node::Hardware;

/// Bytes of each shard that are written at a time.
const STEP: u64 = 256 << 10;
/// Shards are synced after so many bytes each: a journal's sync waits for whatever the device has in its queue.
const SYNC_EVERY: u64 = 512 << 10;

/// Reads payload bytes: fills the buffer from the offset.
pub type Source<'a> = dyn FnMut(u64, &mut [u8]) -> io::Result<()> + 'a;

/// Called after each step with how long it took, so that who writes a segment can leave the device to others.
pub type Rest<'a> = dyn Fn(Duration) + 'a;

/// A shard file with its drive.
type ShardFile = (Arc<Member>, Arc<dyn DriveFile>);

/// The shard files of a segment that is being written.
#[derive(Debug)]
pub struct ShardWriters {
    files: Vec<Option<ShardFile>>,
}

impl ShardWriters {
    /// Creates the shard files of `info` with their headers.
    ///
    /// # Errors
    /// Fewer shards than the profile needs data could be made.
    pub fn create(hardware: &Hardware, info: &mut SegmentInfo) -> Result<Self, SegmentError> {
        let mut files = Vec::new();
        for (shard, number) in info.drives.iter_mut().enumerate() {
            let member = hardware.in_use(*number);
            let created = member.as_ref().map(|member| {
                let file = member.drive.create(&path_of(info.id, shard));
                file.map(|file| (member.clone(), file))
                    .map_err(|error| member.retire(DriveState::Failed, error.to_string()))
            });
            files.push(created.and_then(Result::ok));
            if files.last().is_some_and(Option::is_none) {
                *number = NO_DRIVE;
            }
        }
        let mut writers = Self { files };
        let headers = (0..writers.files.len()).map(|shard| super::shard::header(hardware.appliance, info, shard));
        writers.write(hardware, info, headers.map(|block| (0, Arc::new(block))).collect())?;
        Ok(writers)
    }

    /// Opens the shard files of a stream again; with how many rows the longest of them has, in whole blocks. A drive that
    /// is out of use keeps its place in `info`: a committed row is written once, so what passes its CRCs there is right, and
    /// what it missed does not pass. Only behind the committed rows it may hold units that others write anew. One that is in
    /// use and has no such file loses its place.
    ///
    /// # Errors
    /// Fewer shards than the profile needs data can be opened.
    pub fn reopen(hardware: &Hardware, info: &mut SegmentInfo) -> Result<(Self, u64), SegmentError> {
        let mut files = Vec::new();
        let mut rows = 0;
        for (shard, number) in info.drives.iter_mut().enumerate() {
            let member = hardware.member(*number).filter(|member| member.online());
            let away = member.is_none();
            let opened = member.and_then(|member| {
                let file = member.drive.open(&path_of(info.id, shard)).ok()?;
                rows = rows.max(block_align(file.length().ok()?.saturating_sub(BLOCK as u64)));
                Some((member.clone(), file))
            });
            if opened.is_none() && !away {
                *number = NO_DRIVE;
            }
            files.push(opened);
        }
        let mut writers = Self { files };
        writers.each(hardware, info, |_, _| Box::new(|| Ok(())))?;
        Ok((writers, rows))
    }

    /// How many shards have no drive, or one that went out of use or is to be emptied.
    #[must_use]
    pub fn lacking(&self) -> usize {
        self.files.iter().filter(|held| !held.as_ref().is_some_and(|(member, _)| member.takes_shards())).count()
    }

    /// Writes one piece to each shard at its offset, in shard order, and starts its way to the device.
    ///
    /// # Errors
    /// Fewer shards than the profile needs data are left. A drive that fails is taken out of use and the segment goes on
    /// without it.
    pub fn write(
        &mut self,
        hardware: &Hardware,
        info: &mut SegmentInfo,
        pieces: Vec<(u64, Arc<Vec<u8>>)>,
    ) -> Result<(), SegmentError> {
        self.each(hardware, info, |shard, file| {
            let (offset, piece) = pieces.get(shard).cloned().unwrap_or_default();
            let file = file.clone();
            Box::new(move || {
                file.write_at(offset, &piece)?;
                file.start_writeback(offset, piece.len() as u64);
                Ok(())
            })
        })
    }

    /// Writes one piece of `stripe` to each shard at `offset`, in shard order, past the page cache where that can be.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_stripe(
        &mut self,
        hardware: &Hardware,
        info: &mut SegmentInfo,
        offset: u64,
        stripe: &Bytes,
        piece: usize,
    ) -> Result<(), SegmentError> {
        self.each(hardware, info, |shard, file| {
            let (file, stripe) = (file.clone(), stripe.clone());
            Box::new(move || {
                let piece = stripe.get(shard * piece..(shard + 1) * piece).ok_or(io::ErrorKind::InvalidInput)?;
                file.write_past_cache_at(offset, piece)
            })
        })
    }

    /// Makes all shards durable.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn sync(&mut self, hardware: &Hardware, info: &mut SegmentInfo) -> Result<(), SegmentError> {
        self.each(hardware, info, |_, file| {
            let file = file.clone();
            Box::new(move || file.sync())
        })
    }

    /// Makes the names of all shards durable.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn sync_directories(&mut self, hardware: &Hardware, info: &mut SegmentInfo) -> Result<(), SegmentError> {
        let drives: Vec<_> =
            self.files.iter().map(|held| held.as_ref().map(|(member, _)| member.drive.clone())).collect();
        self.each(hardware, info, |shard, _| {
            let drive = drives.get(shard).cloned().flatten();
            Box::new(move || drive.map_or(Ok(()), |drive| drive.sync_directory(DIRECTORY)))
        })
    }

    fn each(
        &mut self,
        hardware: &Hardware,
        info: &mut SegmentInfo,
        job: impl Fn(usize, &Arc<dyn DriveFile>) -> Job,
    ) -> Result<(), SegmentError> {
        // The drive may be back as another member, which has what others wrote meanwhile from nobody.
        for (held, number) in self.files.iter_mut().zip(&mut info.drives) {
            if held.take_if(|(member, _)| !member.online()).is_some() {
                *number = NO_DRIVE;
            }
        }
        let live: Vec<usize> =
            self.files.iter().enumerate().filter(|(_, held)| held.is_some()).map(|(shard, _)| shard).collect();
        let jobs = live.iter().filter_map(|shard| {
            let (_, file) = self.files.get(*shard)?.as_ref()?;
            Some(job(*shard, file))
        });
        let results = hardware.executor.run(jobs.collect(), hardware.timeout);
        let mut full = None;
        for (shard, result) in live.into_iter().zip(results) {
            let Err(error) = result else { continue };
            if error.kind() == io::ErrorKind::StorageFull {
                full = Some(error);
                continue;
            }
            if let Some((member, _)) = self.files.get_mut(shard).and_then(Option::take) {
                member.retire(DriveState::Failed, format!("{}: {error}", path_of(info.id, shard)));
            }
            if let Some(number) = info.drives.get_mut(shard) {
                *number = NO_DRIVE;
            }
        }
        if let Some(error) = full {
            return Err(error.into());
        }
        let healthy = self.files.iter().flatten().count();
        let needed = usize::from(info.profile.data);
        if healthy < needed {
            return Err(SegmentError::TooFewShards { segment: info.id, healthy, needed });
        }
        Ok(())
    }
}

/// Writes the packed segment `info` (its id, pool, profile and drives are set) and returns it whole, durable and not yet
/// named by anything.
///
/// # Errors
/// Too few drives, no space, or a source that can't be read: what was written is removed again.
pub fn write_packed(
    hardware: &Hardware,
    info: SegmentInfo,
    payload: u64,
    finished: FinishedToc,
    source: &mut Source<'_>,
    rest: &Rest<'_>,
) -> Result<SegmentInfo, SegmentError> {
    let (id, drives) = (info.id, info.drives.clone());
    let written = write_shards(hardware, info, payload, finished, source, rest);
    if written.is_err() {
        for (number, shard) in drives.iter().zip(0..) {
            if let Some(member) = hardware.in_use(*number) {
                // A full drive stays full of what nobody needs, else; the next start removes what this can't.
                let _ = member.drive.remove(&path_of(id, shard));
            }
        }
    }
    written
}

fn write_shards(
    hardware: &Hardware,
    mut info: SegmentInfo,
    payload: u64,
    finished: FinishedToc,
    source: &mut Source<'_>,
    rest: &Rest<'_>,
) -> Result<SegmentInfo, SegmentError> {
    info.payload = payload;
    info.toc = finished.toc;
    info.toc.offset = payload;
    info.first_lsn = finished.first_lsn;
    info.last_lsn = finished.last_lsn;
    info.shard_length = block_align(info.content().div_ceil(u64::from(info.profile.data)).max(1));
    let code = hardware.codes.of(info.profile)?;
    let mut writers = ShardWriters::create(hardware, &mut info)?;
    let mut tables = vec![Vec::new(); info.profile.shards()];
    let mut at = 0;
    while at < info.shard_length {
        let began = Instant::now();
        let here = STEP.min(info.shard_length - at);
        let range = encode_range(&info, &code, at, here, &finished.stored, source)?;
        let offset = BLOCK as u64 + at;
        for ((shard, piece), table) in range.iter().enumerate().zip(&mut tables) {
            table.extend(crcs(info.id, shard, offset, piece).flatten());
        }
        writers.write(hardware, &mut info, range.into_iter().map(|piece| (offset, Arc::new(piece))).collect())?;
        at += here;
        if at % SYNC_EVERY == 0 {
            writers.sync(hardware, &mut info)?;
        }
        rest(began.elapsed());
    }
    let behind = BLOCK as u64 + info.shard_length;
    let tables = tables.into_iter().map(|mut table| {
        table.resize(table.len().next_multiple_of(BLOCK), 0);
        (behind, Arc::new(table))
    });
    writers.write(hardware, &mut info, tables.collect())?;
    writers.sync(hardware, &mut info)?;
    writers.sync_directories(hardware, &mut info)?;
    info.sealed = true;
    Ok(info)
}

/// Bytes `at..at + length` of every shard, data and parity.
fn encode_range(
    info: &SegmentInfo,
    code: &Code,
    at: u64,
    length: u64,
    toc: &[u8],
    source: &mut Source<'_>,
) -> Result<Vec<Vec<u8>>, SegmentError> {
    let size = usize::try_from(length).map_err(io::Error::other)?;
    let mut data = Vec::with_capacity(info.profile.shards());
    for shard in 0..u64::from(info.profile.data) {
        let mut piece = vec![0; size];
        fill(info, shard * info.shard_length + at, &mut piece, toc, source)?;
        data.push(piece);
    }
    let mut parity = vec![vec![0; size]; usize::from(info.profile.parity)];
    let slices: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    code.encode(&slices, &mut parity)?;
    data.append(&mut parity);
    Ok(data)
}

/// Content bytes from `at` on: payload, then TOC, then zeros.
fn fill(info: &SegmentInfo, at: u64, piece: &mut [u8], toc: &[u8], source: &mut Source<'_>) -> io::Result<()> {
    let from_payload = info.payload.saturating_sub(at).min(piece.len() as u64);
    let (payload, rest) = piece.split_at_mut(usize::try_from(from_payload).map_err(io::Error::other)?);
    if !payload.is_empty() {
        source(at, payload)?;
    }
    let skip = usize::try_from((at + from_payload).saturating_sub(info.payload)).map_err(io::Error::other)?;
    for (to, from) in rest.iter_mut().zip(toc.get(skip..).unwrap_or_default()) {
        *to = *from;
    }
    Ok(())
}
