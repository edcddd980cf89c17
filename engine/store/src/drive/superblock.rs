//! The superblock: who a drive is, and what it last knew.
//!
//! `packstone.superblock` holds two slots of one [`BLOCK`] each. A change goes into the slot that does not hold the
//! newest valid state and is synced, so that a torn write leaves the other one. Readers take the valid slot with the
//! higher `change`. What a crash leaves: the old state, or the new one.

use std::io;

use super::{Drive, DriveNumber};
use crate::checksum::{BLOCK, seeded_crc64};
use crate::codec::{DecodeError, Reader, Writer};
use crate::compliance::Reading;
use crate::epoch::{Epoch, Fence};
use crate::pool::{DriveClass, Profile};

pub const PATH: &str = "packstone.superblock";
const MAGIC: &[u8; 8] = b"PKSTSUPR";
const VERSION: u16 = 5;
/// The ends of so many epochs that took effect are kept; older journals were sealed long before.
const ENDED: usize = 100;
/// So many epochs are kept that never took effect.
const IDLE: usize = 32;
/// So many drives may be removed from an appliance for good.
pub const MOST_REMOVED: usize = 128;
/// No pool has a longer name, in bytes. With this and the number of fences bounded, what was read can be written.
const LONGEST_NAME: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The appliance that the drive belongs to.
    pub appliance: u128,
    pub drive: u128,
    /// This drive's number in the appliance; never reused.
    pub number: u16,
    /// How many numbers of drives the appliance has given out, from 0 on.
    pub drives: u16,
    /// Of these, the numbers of drives that were emptied and removed, in ascending order.
    pub removed: Vec<DriveNumber>,
    pub pool: u8,
    pub pool_name: String,
    pub class: DriveClass,
    pub profile: Profile,
    /// Which drives of the appliance are in which enclosure, as its journals were spread over them
    /// ([`digest`](crate::enclosure::digest)); 0 for none.
    pub enclosures: u64,
    /// The newest generation of the journal and the live set that this drive took part in.
    pub epoch: Epoch,
    /// In the order of their epochs.
    pub fences: Vec<Fence>,
    /// The latest retain-until of any record here, in Unix nanoseconds; 0 for none, `i64::MAX` for a legal hold.
    pub retain_until: i64,
    /// When the drive was formatted, Unix nanoseconds.
    pub formatted: i64,
    /// The compliance clock when this was written; `None` in what a release before it wrote.
    pub clock: Option<Reading>,
    /// Counts writes of the superblock; its parity chooses the slot.
    pub change: u64,
}

impl Superblock {
    /// Notes that `epoch` has begun, and where others ended.
    pub fn advance(&mut self, epoch: Epoch, fences: &[Fence]) {
        self.epoch = epoch;
        self.fences.extend_from_slice(fences);
        self.fences.sort_unstable();
        self.fences.dedup();
        // Starts that fail over and over must not push out where an epoch ended whose journals are still needed.
        let (mut idle, mut ended): (Vec<_>, Vec<_>) = self.fences.iter().partition(|fence| fence.lsn == 0);
        ended.drain(..ended.len().saturating_sub(ENDED));
        idle.drain(..idle.len().saturating_sub(IDLE));
        self.fences = ended;
        self.fences.append(&mut idle);
        self.fences.sort_unstable();
    }

    /// Takes over what `other` knows of the appliance's drives.
    pub fn learn_drives(&mut self, other: &Self) {
        self.drives = self.drives.max(other.drives);
        self.removed.extend_from_slice(&other.removed);
        self.removed.sort_unstable();
        self.removed.dedup();
    }

    /// Whether the drive took part in `epoch`: it is in it, or was told where it ended.
    #[must_use]
    pub fn knows(&self, epoch: Epoch) -> bool {
        // Version 1 told nobody of epochs that never took effect: there the higher number knows.
        let both_numbered = self.epoch.nonce == 0 && epoch.nonce == 0;
        self.epoch == epoch
            || self.fences.iter().any(|fence| fence.epoch == epoch)
            || (both_numbered && self.epoch.number >= epoch.number)
    }

    /// Whether an epoch of that number may have been known and was forgotten since.
    #[must_use]
    pub fn forgot(&self, number: u64) -> bool {
        let oldest = |idle: bool, most: usize| {
            let mut kind = self.fences.iter().filter(|fence| (fence.lsn == 0) == idle);
            let oldest = kind.next().map_or(0, |fence| fence.epoch.number);
            if kind.count() + 1 >= most { oldest } else { 0 }
        };
        number < oldest(false, ENDED).max(oldest(true, IDLE))
    }

    /// One slot's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
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
        out.u64(self.epoch.number);
        out.i64(self.retain_until);
        out.i64(self.formatted);
        out.u64(self.change);
        out.u64(self.epoch.nonce);
        match &self.clock {
            Some(reading) => reading.encode(&mut out),
            None => out.bytes(&[0; Reading::ENCODED]),
        }
        out.short(self.pool_name.as_bytes());
        out.u16(u16::try_from(self.fences.len()).unwrap_or(u16::MAX));
        for fence in &self.fences {
            fence.epoch.encode(&mut out);
            out.u64(fence.lsn);
        }
        out.u16(u16::try_from(self.removed.len()).unwrap_or(u16::MAX));
        self.removed.iter().for_each(|number| out.u16(*number));
        out.u64(self.enclosures);
        out.0.resize(BLOCK - 8, 0);
        let crc = seeded_crc64(0, &[&out.0]);
        out.u64(crc);
        out.0
    }

    /// # Errors
    /// A slot that holds no superblock that this release can read.
    pub fn decode(slot: &[u8]) -> Result<Self, DecodeError> {
        let body = slot.get(..BLOCK - 8).ok_or(DecodeError::Short)?;
        let mut from = Reader(body);
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
            epoch: Epoch { number: from.u64()?, nonce: 0 },
            retain_until: from.i64()?,
            formatted: from.i64()?,
            change: from.u64()?,
            clock: None,
            pool_name: String::new(),
            fences: Vec::new(),
            removed: Vec::new(),
            enclosures: 0,
        };
        // Version 1 knew epochs by their numbers.
        let nonces = version > 1;
        superblock.epoch.nonce = if nonces { from.u64()? } else { 0 };
        // Version 2 knew no compliance clock.
        superblock.clock = if version > 2 { Reading::decode(&mut from)? } else { None };
        superblock.pool_name = from.short_str()?;
        let fences = from.u16()?;
        if superblock.pool_name.len() > LONGEST_NAME || usize::from(fences) > ENDED + IDLE {
            return Err(DecodeError::Inconsistent("a superblock that says more than any"));
        }
        for _ in 0..fences {
            let epoch = if nonces { Epoch::decode(&mut from)? } else { Epoch { number: from.u64()?, nonce: 0 } };
            superblock.fences.push(Fence { epoch, lsn: from.u64()? });
        }
        // Version 3 knew of no drive that was removed.
        let removed = if version > 3 { from.u16()? } else { 0 };
        if usize::from(removed) > MOST_REMOVED {
            return Err(DecodeError::Inconsistent("a superblock that says more than any"));
        }
        for _ in 0..removed {
            superblock.removed.push(from.u16()?);
        }
        // Version 4 knew of no enclosures.
        superblock.enclosures = if version > 4 { from.u64()? } else { 0 };
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

    /// Writes it as it is to a file of its own, which takes the place of the one before. What a crash leaves: either.
    ///
    /// # Errors
    /// The drive's own.
    pub fn store_anew(&self, drive: &dyn Drive) -> io::Result<()> {
        let beside = format!("{PATH}.new");
        let file = drive.create(&beside)?;
        file.write_at(0, &vec![0; 2 * BLOCK])?;
        file.write_at((self.change % 2) * BLOCK as u64, &self.encode())?;
        file.sync()?;
        drive.rename(&beside, PATH)?;
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
