//! The current journal file and how it is written.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use super::Shared;
use super::superblocks::{Superblocks, begin_epoch};
use crate::checksum::BLOCK;
use crate::drive::{DriveNumber, DriveState, Job, Member};
use crate::enclosure::is_spread;
use crate::epoch::{Epoch, Fence};
use crate::error::{Error, Result};
use crate::journal::batch::{Batch, Chain, FileKey, Position};
use crate::journal::file::{FileHeader, JournalCopy, Place, path_of};
use crate::journal::{DIRECTORY, Entry, Journal, LiveSet, spare};
use crate::node::{Hardware, Roster};
use crate::segment::Home;

/// Bytes of a journal file that has to be made on the spot.
pub const HASTY_CAPACITY: u64 = 8 << 20;
/// A copy that takes longer than so many twentieths of the time-out after another one was synced takes its drive out of use.
const LAG: u32 = 3;
/// What a file needs beside its batches' weight: a batch's header and padding, and room to spare.
const MARGIN: u64 = 16 << 10;

#[derive(Debug)]
pub struct Log {
    pub journal: Arc<Journal>,
    pub next_lsn: u64,
    pub chain: Chain,
    /// Where the next batch goes in the file.
    offset: u64,
    /// Batches in the current file.
    pub batches: u64,
    pub superblocks: Superblocks,
    /// The drives that know the epoch, or may.
    told: Vec<Arc<Member>>,
    /// How long a copy may take once another one is there.
    patience: Duration,
    /// Commit time of the newest batch, Unix nanoseconds.
    pub last_time: i64,
    /// The epoch that a fence wrote to the drives and that no file could be opened in yet, with the drives that were told of it.
    fenced: Option<(Epoch, Vec<Arc<Member>>)>,
}

/// Refuses to go on where a restart would: with more than M drives out of use, or too few left for the copies that the
/// promise needs. Nothing is written then, so that the drives that come back are not stale.
///
/// # Errors
/// That, for the operator.
pub fn check_strength(roster: &Roster) -> Result<()> {
    let most = roster.most_parity();
    let out = roster.members.len() - roster.online().len();
    let copies = roster.place_journal();
    // Of an enclosure that is gone the others make up for all; of single drives each is a copy less to lose.
    let has_copies = copies.len() + out.min(most) > most && !copies.is_empty();
    let has_copies = has_copies && (out <= most || (copies.len() > most && is_spread(copies.iter())));
    if !roster.bears_what_is_out() || !has_copies {
        return Err(Error::Unavailable(format!(
            "{out} drives are out of use and at most {most} may be: bring one back, and restart where that alone does not help"
        )));
    }
    Ok(())
}

impl Log {
    /// Whether a drive went out of use that knows this epoch, or may: a write that failed can be there all the same.
    #[must_use]
    pub fn lost_a_drive(&self) -> bool {
        self.told.iter().any(|member| !member.online())
    }

    /// A drive is none of the appliance's any more.
    pub fn forget(&mut self, number: DriveNumber) {
        self.told.retain(|member| member.number != number);
        self.superblocks.lock().remove(&number);
    }

    #[must_use]
    pub fn position(&self, time: i64) -> Position {
        Position {
            key: self.journal.key,
            epoch: self.journal.epoch,
            first_lsn: self.next_lsn,
            data_offset: self.journal.payload(),
            time,
            previous: self.chain,
        }
    }

    /// Whether a batch of that weight has room in the current file.
    #[must_use]
    pub fn fits(&self, weight: u64) -> bool {
        self.offset + weight + MARGIN <= self.journal.capacity
    }

    /// Writes a batch to every copy and syncs it. `false` when a copy failed: its drive is out of use now, and the file
    /// must not be written again.
    ///
    /// # Errors
    /// [`Error::OutOfSpace`]: nobody is to blame, but the file must not be written again either.
    pub fn write(&self, hardware: &Hardware, batch: &Batch) -> Result<bool> {
        let bytes: Arc<[u8]> = batch.bytes.as_slice().into();
        let offset = self.offset;
        let jobs = self.journal.copies.iter().map(|copy| -> Job {
            let (file, bytes) = (copy.file.clone(), bytes.clone());
            Box::new(move || {
                file.write_at(offset, &bytes)?;
                file.sync()
            })
        });
        let results = hardware.executor.run_together(jobs.collect(), hardware.timeout, self.patience);
        let (mut whole, mut full) = (true, false);
        for (copy, result) in self.journal.copies.iter().zip(results) {
            if let Err(error) = result {
                whole = false;
                // A full drive is no broken drive; the file is done with all the same.
                if error.kind() == io::ErrorKind::StorageFull {
                    full = true;
                    continue;
                }
                copy.member.retire(DriveState::Failed, format!("journal {:016x}: {error}", self.journal.id));
            }
        }
        if full { Err(Error::OutOfSpace) } else { Ok(whole) }
    }

    /// Notes a batch that is durable.
    pub fn advance(&mut self, batch: &Batch) {
        let header = &batch.header;
        let place = Place {
            logical: header.data_offset,
            physical: self.offset + header.data_start(),
            length: header.data_length,
            batch: self.offset,
            batch_length: header.length(),
        };
        self.journal.note(place, header.first_lsn, header.last_lsn());
        self.offset += header.length();
        self.batches += 1;
        self.next_lsn = header.last_lsn() + 1;
        self.chain = batch.chain;
        self.last_time = header.time;
    }

    /// Opens the next file of this epoch with its live set.
    ///
    /// # Errors
    /// No drive takes it, or there is no space.
    pub fn open_next(&self, shared: &Shared, live: LiveSet, now: i64) -> Result<(Self, Batch)> {
        open(shared, self.start(now), live, &self.superblocks)
    }

    /// Ends this epoch at the last acknowledged batch on every drive in use, and opens the first file of the next.
    ///
    /// # Errors
    /// No drive takes it, or there is no space.
    pub fn fence(&mut self, shared: &Shared, live: LiveSet, now: i64) -> Result<(Self, Batch)> {
        check_strength(&shared.hardware.roster())?;
        let online = shared.hardware.online();
        let (epoch, told) = match self.fenced.take() {
            // Those that were told of it and went out of use since then must miss another one.
            Some((epoch, mut told)) => {
                told.extend(online);
                (epoch, told)
            }
            None => {
                let known = self.superblocks.lock().values().map(|held| held.epoch.number).max().unwrap_or(0);
                (Epoch::after(known.max(self.journal.epoch.number))?, online)
            }
        };
        self.fenced = Some((epoch, told.clone()));
        let fence = Fence { epoch: self.journal.epoch, lsn: self.next_lsn - 1 };
        tracing::info!(epoch = epoch.number, lsn = fence.lsn, drives = told.len(), "beginning a new epoch");
        begin_epoch(shared, &self.superblocks, epoch, &[fence])?;
        open(shared, Start { epoch, told, ..self.start(now) }, live, &self.superblocks)
    }

    fn start(&self, now: i64) -> Start {
        let (epoch, told) = (self.journal.epoch, self.told.clone());
        Start { epoch, told, next_lsn: self.next_lsn, chain: self.chain, now }
    }
}

/// Where a journal file begins.
#[derive(Clone, Debug)]
pub struct Start {
    pub epoch: Epoch,
    /// The drives that know the epoch, or may.
    pub told: Vec<Arc<Member>>,
    pub next_lsn: u64,
    pub chain: Chain,
    /// Commit time of the first batch, Unix nanoseconds.
    pub now: i64,
}

/// Opens a journal file and writes its first batch, the live set.
///
/// # Errors
/// No drive takes it, or there is no space.
pub fn open(shared: &Shared, start: Start, live: LiveSet, superblocks: &Superblocks) -> Result<(Log, Batch)> {
    loop {
        check_strength(&shared.hardware.roster())?;
        let id = shared.take_file_id();
        let members = shared.hardware.place_journal();
        let live = LiveSet { next_file: id + 1, ..live.clone() };
        let entries = [Entry::Live(live)];
        let least = HASTY_CAPACITY.max(entries_weight(&entries) * 4);
        let Some((copies, capacity)) = create_copies(&shared.hardware, id, start.epoch, least, &members)? else {
            continue;
        };
        let journal =
            Arc::new(Journal::new(FileKey::new(shared.hardware.appliance, id), start.epoch, capacity, copies));
        let mut log = Log {
            patience: patience(&journal, shared.hardware.timeout),
            journal,
            next_lsn: start.next_lsn,
            chain: start.chain,
            offset: BLOCK as u64,
            batches: 0,
            superblocks: superblocks.clone(),
            told: start.told.clone(),
            last_time: start.now,
            fenced: None,
        };
        let batch = Batch::build(log.position(start.now), &entries, &[] as &[&[u8]]);
        if log.write(&shared.hardware, &batch)? {
            log.advance(&batch);
            shared.table.insert(id, &Home::Journal(log.journal.clone()));
            return Ok((log, batch));
        }
    }
}

/// How long a copy may take once another one is there. Copies on one device say nothing of each other.
fn patience(journal: &Journal, timeout: Duration) -> Duration {
    let mut devices = HashSet::new();
    let apart = journal.copies.iter().all(|copy| copy.member.device().is_some_and(|device| devices.insert(device)));
    if apart { timeout * LAG / 20 } else { timeout }
}

fn entries_weight(entries: &[Entry]) -> u64 {
    let mut out = crate::codec::Writer::default();
    entries.iter().for_each(|entry| entry.encode(&mut out));
    out.len() as u64
}

type Created = Arc<Mutex<Vec<(usize, JournalCopy, u64)>>>;

/// Makes a file on each drive with its header; `None` when one of them failed, to be tried again without it.
fn create_copies(
    hardware: &Hardware,
    id: u64,
    epoch: Epoch,
    least: u64,
    members: &[Arc<Member>],
) -> Result<Option<(Vec<JournalCopy>, u64)>> {
    let created = Created::default();
    let jobs = members.iter().enumerate().map(|(place, member)| -> Job {
        let (member, created) = (member.clone(), created.clone());
        Box::new(move || {
            let (file, capacity) = spare::take(&*member.drive, id, least)?;
            created.lock().push((place, JournalCopy { member, file }, capacity));
            Ok(())
        })
    });
    if !settle(id, members, hardware.executor.run(jobs.collect(), hardware.timeout))? {
        return Ok(None);
    }
    let mut created = std::mem::take(&mut *created.lock());
    created.sort_by_key(|(place, ..)| *place);
    let capacity = created.iter().map(|(_, _, capacity)| *capacity).min().unwrap_or(0);
    let header = FileHeader { appliance: hardware.appliance, file: id, epoch, capacity };
    let block: Arc<[u8]> = header.encode().into();
    let jobs = created.iter().map(|(_, copy, _)| -> Job {
        let (copy, block) = (copy.clone(), block.clone());
        Box::new(move || {
            copy.file.write_at(0, &block)?;
            copy.file.sync()?;
            copy.member.drive.sync_directory(DIRECTORY)
        })
    });
    let results = hardware.executor.run(jobs.collect(), hardware.timeout);
    if !settle(id, members, results)? {
        return Ok(None);
    }
    Ok(Some((created.into_iter().map(|(_, copy, _)| copy).collect(), capacity)))
}

/// Takes failed drives out of use; whether there was none.
fn settle(id: u64, members: &[Arc<Member>], results: Vec<io::Result<()>>) -> Result<bool> {
    let mut whole = true;
    for (member, result) in members.iter().zip(results) {
        match result {
            Ok(()) => {}
            // A full drive is no broken drive.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                for member in members {
                    // What was made of it is of no use; when that fails too, recovery removes it.
                    let _ = member.drive.remove(&path_of(id));
                }
                return Err(Error::OutOfSpace);
            }
            Err(error) => {
                whole = false;
                member.retire(DriveState::Failed, format!("journal {id:016x}: {error}"));
            }
        }
    }
    Ok(whole)
}

/// The newest LSN that is durable.
#[must_use]
pub fn durable_lsn(shared: &Shared) -> u64 {
    shared.lsn.load(Ordering::Acquire)
}
