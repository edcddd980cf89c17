//! One journal file, on all its drives.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::batch::FileKey;
use super::{DIRECTORY, JournalInfo};
use crate::checksum::{BLOCK, record_hash, seeded_crc64};
use crate::codec::{DecodeError, Reader, Writer};
use crate::drive::{DriveFile, Member, Patience};
use crate::epoch::Epoch;
use crate::record::Extent;

const MAGIC: &[u8; 8] = b"PKSTJRNL";
const VERSION: u16 = 2;

/// The first block of a journal file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHeader {
    pub appliance: u128,
    /// The file's id, which is the id of the segment it becomes. It seeds every checksum in the file.
    pub file: u64,
    pub epoch: Epoch,
    /// Bytes of the file.
    pub capacity: u64,
}

impl FileHeader {
    /// What names the file and seeds its batches.
    #[must_use]
    pub fn key(&self) -> FileKey {
        FileKey::new(self.appliance, self.file)
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(BLOCK);
        out.bytes(MAGIC);
        out.u16(VERSION);
        out.u128(self.appliance);
        out.u64(self.file);
        out.u64(self.epoch.number);
        out.u64(self.capacity);
        out.u64(self.epoch.nonce);
        out.0.resize(BLOCK - 8, 0);
        let crc = seeded_crc64(self.file, &[&out.0]);
        out.u64(crc);
        out.0
    }

    /// # Errors
    /// A block that is no header of a journal file.
    pub fn decode(block: &[u8]) -> Result<Self, DecodeError> {
        let covered = block.get(..BLOCK - 8).ok_or(DecodeError::Short)?;
        let mut from = Reader(block);
        if from.array()? != *MAGIC {
            return Err(DecodeError::Magic("journal file"));
        }
        let version = from.u16()?;
        let mut header = Self {
            appliance: from.u128()?,
            file: from.u64()?,
            epoch: Epoch { number: from.u64()?, nonce: 0 },
            capacity: from.u64()?,
        };
        // Zeros in version 1.
        header.epoch.nonce = from.u64()?;
        if Reader(block.get(BLOCK - 8..).unwrap_or_default()).u64()? != seeded_crc64(header.file, &[covered]) {
            return Err(DecodeError::Checksum);
        }
        if version > VERSION {
            return Err(DecodeError::Newer("a journal file", version));
        }
        Ok(header)
    }
}

#[must_use]
pub fn path_of(file: u64) -> String {
    format!("{DIRECTORY}/{file:016x}.journal")
}

/// Where a batch's records stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// First byte in the payload.
    pub logical: u64,
    /// First byte in the file.
    pub physical: u64,
    pub length: u64,
    /// The batch in the file: first byte of its header, and all its bytes.
    pub batch: u64,
    pub batch_length: u64,
}

#[derive(Clone, Debug)]
pub struct JournalCopy {
    pub member: Arc<Member>,
    pub file: Arc<dyn DriveFile>,
}

impl JournalCopy {
    fn read(&self, patience: Patience, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        if self.file.read_cached_at(offset, &mut bytes)? {
            return Ok(bytes);
        }
        let file = self.file.clone();
        self.member.read(patience, move || file.read_at(offset, &mut bytes).map(|()| bytes))
    }
}

/// A journal file that is read: written too while it is the current one.
#[derive(Debug)]
pub struct Journal {
    pub id: u64,
    pub key: FileKey,
    pub epoch: Epoch,
    pub capacity: u64,
    pub copies: Vec<JournalCopy>,
    places: RwLock<Vec<Place>>,
    /// Payload bytes so far.
    payload: AtomicU64,
    pub first_lsn: AtomicU64,
    pub last_lsn: AtomicU64,
}

impl Journal {
    #[must_use]
    pub fn new(key: FileKey, epoch: Epoch, capacity: u64, copies: Vec<JournalCopy>) -> Self {
        Self {
            id: key.file,
            key,
            epoch,
            capacity,
            copies,
            places: RwLock::new(Vec::new()),
            payload: AtomicU64::new(0),
            first_lsn: AtomicU64::new(0),
            last_lsn: AtomicU64::new(0),
        }
    }

    #[must_use]
    pub fn info(&self) -> JournalInfo {
        JournalInfo { id: self.id, copies: self.copies.iter().map(|copy| copy.member.number).collect() }
    }

    /// Notes a batch that is durable, before the index shows anything of it.
    pub fn note(&self, place: Place, first_lsn: u64, last_lsn: u64) {
        let mut places = self.places.write();
        if places.is_empty() {
            self.first_lsn.store(first_lsn, Ordering::Release);
        }
        self.payload.store(place.logical + place.length, Ordering::Release);
        self.last_lsn.store(last_lsn, Ordering::Release);
        places.push(place);
    }

    #[must_use]
    pub fn payload(&self) -> u64 {
        self.payload.load(Ordering::Acquire)
    }

    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        self.places.read().clone()
    }

    /// Bytes written, header included.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.places.read().last().map_or(BLOCK as u64, |place| place.batch + place.batch_length)
    }

    /// Where payload bytes stand in the file; a record lies within one batch.
    fn locate(&self, offset: u64, length: u64) -> io::Result<u64> {
        let places = self.places.read();
        let after = places.partition_point(|place| place.logical + place.length <= offset);
        match places.get(after) {
            Some(place) if place.logical <= offset && offset + length <= place.logical + place.length => {
                Ok(place.physical + (offset - place.logical))
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no batch of the journal holds this range")),
        }
    }

    /// Reads a whole record from the page cache of the first copy; `None` where that would wait or does not match.
    #[must_use]
    pub fn read_cached(&self, extent: &Extent) -> Option<Vec<u8>> {
        let physical = self.locate(extent.offset, extent.length).ok()?;
        let mut buffer = vec![0; usize::try_from(extent.length).ok()?];
        let copy = self.copies.iter().find(|copy| copy.member.online())?;
        let whole = copy.file.read_cached_at(physical, &mut buffer).ok()?;
        (whole && record_hash(&buffer) == extent.hash).then_some(buffer)
    }

    /// Reads a whole record from whichever copy has it right: of whichever drives don't hesitate, if one of these has.
    ///
    /// # Errors
    /// When none has.
    pub fn read(&self, extent: &Extent) -> io::Result<Vec<u8>> {
        let physical = self.locate(extent.offset, extent.length)?;
        let length = usize::try_from(extent.length).map_err(io::Error::other)?;
        let mut fault = io::Error::new(io::ErrorKind::NotFound, "no copy of the journal is in use");
        for patience in [Patience::Prompt, Patience::Whole] {
            for copy in self.copies.iter().filter(|copy| copy.member.online()) {
                match copy.read(patience, physical, length) {
                    Ok(record) if record_hash(&record) == extent.hash => return Ok(record),
                    Ok(_) => {
                        fault = io::Error::new(io::ErrorKind::InvalidData, "no copy of the journal has it right");
                        tracing::warn!(
                            drive = copy.member.drive.path(),
                            journal = self.id,
                            "rotten record in a journal"
                        );
                    }
                    // To be slow is no fault; it is asked again if the others don't help.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => fault = error,
                    Err(error) => {
                        tracing::warn!(drive = copy.member.drive.path(), journal = self.id, %error, "unreadable journal");
                        fault = error;
                    }
                }
            }
            if !self.copies.iter().any(|copy| copy.member.hesitates() && copy.member.online()) {
                break;
            }
        }
        Err(fault)
    }
}
