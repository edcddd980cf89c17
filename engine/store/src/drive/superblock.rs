//! The superblock: who a drive is, and what it last knew.
//!
//! `packstone.superblock` holds two slots of one [`BLOCK`] each. A change goes into the slot that does not hold the
//! newest valid state and is synced, so that a torn write leaves the other one. Readers take the valid slot with the
//! higher `change`. What a crash leaves: the old state, or the new one.

use std::io;

use super::Drive;
use crate::checksum::{BLOCK, seeded_crc64};
use crate::codec::{DecodeError, Reader, Writer};
use crate::pool::{DriveClass, Profile};

pub const PATH: &str = "packstone.superblock";
const MAGIC: &[u8; 8] = b"PKSTSUPR";
const VERSION: u16 = 1;
/// Fences are kept for this many epochs back; older journals were sealed long before.
const FENCES: usize = 100;

/// Batches of `epoch` above `lsn` are void for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    pub epoch: u64,
    pub lsn: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The appliance that the drive belongs to.
    pub appliance: u128,
    pub drive: u128,
    /// This drive's number in the appliance; never reused.
    pub number: u16,
    /// How many drives the appliance had when this was written.
    pub drives: u16,
    pub pool: u8,
    pub pool_name: String,
    pub class: DriveClass,
    pub profile: Profile,
    /// The newest generation of the journal and the live set that this drive took part in.
    pub epoch: u64,
    pub fences: Vec<Fence>,
    /// The latest retain-until of any record here, in Unix nanoseconds; 0 for none, `i64::MAX` for a legal hold.
    pub retain_until: i64,
    /// When the drive was formatted, Unix nanoseconds.
    pub formatted: i64,
    /// Counts writes of the superblock; its parity chooses the slot.
    pub change: u64,
}

impl Superblock {
    /// Notes that `epoch` has begun and that the one before ended at `fence`.
    pub fn advance(&mut self, epoch: u64, fences: &[Fence]) {
        self.epoch = epoch;
        for fence in fences {
            if !self.fences.contains(fence) {
                self.fences.push(*fence);
            }
        }
        let surplus = self.fences.len().saturating_sub(FENCES);
        self.fences.drain(..surplus);
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(BLOCK);
        out.bytes(MAGIC);
        out.u16(VERSION);
        out.u128(self.appliance);
        out.u128(self.drive);
        out.u16(self.number);
        out.u16(self.drives);
        out.u8(self.pool);
        out.u8(self.class as u8);
        out.u8(self.profile.data);
        out.u8(self.profile.parity);
        out.u64(self.epoch);
        out.i64(self.retain_until);
        out.i64(self.formatted);
        out.u64(self.change);
        out.short(self.pool_name.as_bytes());
        out.u16(u16::try_from(self.fences.len()).unwrap_or(u16::MAX));
        for fence in &self.fences {
            out.u64(fence.epoch);
            out.u64(fence.lsn);
        }
        out.0.resize(BLOCK - 8, 0);
        let crc = seeded_crc64(0, &[&out.0]);
        out.u64(crc);
        out.0
    }

    fn decode(slot: &[u8]) -> Result<Self, DecodeError> {
        let body = slot.get(..BLOCK - 8).ok_or(DecodeError::Short)?;
        let mut from = Reader(slot);
        if from.array()? != *MAGIC {
            return Err(DecodeError::Magic("superblock"));
        }
        let version = from.u16()?;
        let crc = Reader(slot.get(BLOCK - 8..).unwrap_or_default()).u64()?;
        if crc != seeded_crc64(0, &[body]) {
            return Err(DecodeError::Checksum);
        }
        if version > VERSION {
            return Err(DecodeError::Newer("the superblock", version));
        }
        let mut superblock = Self {
            appliance: from.u128()?,
            drive: from.u128()?,
            number: from.u16()?,
            drives: from.u16()?,
            pool: from.u8()?,
            class: DriveClass::try_from(from.u8()?)?,
            profile: Profile { data: from.u8()?, parity: from.u8()? },
            epoch: from.u64()?,
            retain_until: from.i64()?,
            formatted: from.i64()?,
            change: from.u64()?,
            pool_name: from.short_str()?,
            fences: Vec::new(),
        };
        for _ in 0..from.u16()? {
            superblock.fences.push(Fence { epoch: from.u64()?, lsn: from.u64()? });
        }
        Ok(superblock)
    }

    /// Writes the next state and syncs it.
    ///
    /// # Errors
    /// The drive's own: it must then be taken out of use.
    pub fn store(&mut self, drive: &dyn Drive) -> io::Result<()> {
        self.change += 1;
        let file = match drive.open(PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => drive.create(PATH)?,
            other => other?,
        };
        file.write_at((self.change % 2) * BLOCK as u64, &self.encode())?;
        file.sync()?;
        drive.sync_directory("")
    }

    /// Reads the newest valid slot; `None` where the drive was never formatted.
    ///
    /// # Errors
    /// A drive's error, or [`io::ErrorKind::InvalidData`] where no slot can be read.
    pub fn load(drive: &dyn Drive) -> io::Result<Option<Self>> {
        let file = match drive.open(PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut newest: Option<Self> = None;
        let mut fault = DecodeError::Short;
        for slot in 0..2 {
            let mut block = vec![0; BLOCK];
            match file.read_at(slot * BLOCK as u64, &mut block) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                other => other?,
            }
            match Self::decode(&block) {
                Ok(read) if newest.as_ref().is_none_or(|held| held.change < read.change) => newest = Some(read),
                Ok(_) => {}
                // A newer format outranks a torn slot: the operator must hear of it.
                Err(error @ DecodeError::Newer(..)) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                Err(error) => fault = error,
            }
        }
        match newest {
            Some(superblock) => Ok(Some(superblock)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, fault)),
        }
    }
}
