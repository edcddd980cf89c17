//! Where each drive of the appliance stands, as every one of them remembers it.
//!
//! A drive that isn't there can't say which it is, and a number that is given to another one would bring shards of two drives,
//! or of two pools, together. So each drive has `packstone.places`, which says the number, pool and path of all. It is
//! replaced whole when drives come and go, and at each start; what a crash leaves is the one before or the one after. Nothing
//! else hangs on it: where none can be read, numbers are given out in the order of the configuration.

use std::collections::BTreeMap;
use std::io;

use super::{Drive, DriveNumber};
use crate::checksum::{BLOCK, seeded_crc64};
use crate::codec::{DecodeError, Reader, Writer};

pub const PATH: &str = "packstone.places";
const MAGIC: &[u8; 8] = b"PKSTPLCS";
const VERSION: u16 = 1;
/// No file of it is longer: paths of 4 KiB for 256 drives.
const LONGEST: u64 = 2 << 20;

/// A drive's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub pool: u8,
    /// As the configuration had it when the drive was last there.
    pub path: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The number of the epoch that it was written in: the newest of several counts.
    pub epoch: u64,
    pub drives: BTreeMap<DriveNumber, Place>,
}

impl Places {
    /// The drive that stood there.
    #[must_use]
    pub fn at(&self, pool: u8, path: &str) -> Option<DriveNumber> {
        self.drives.iter().find(|(_, place)| place.pool == pool && place.path == path).map(|(number, _)| *number)
    }

    /// A drive stands there now, and no other any more.
    pub fn note(&mut self, number: DriveNumber, place: Place) {
        self.drives.retain(|_, held| held.path != place.path);
        self.drives.insert(number, place);
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(MAGIC);
        out.u16(VERSION);
        out.u64(self.epoch);
        out.u16(u16::try_from(self.drives.len()).unwrap_or(u16::MAX));
        for (number, place) in &self.drives {
            out.u16(*number);
            out.u8(place.pool);
            out.short(place.path.as_bytes());
        }
        let length = (out.len() + 8).next_multiple_of(BLOCK);
        out.0.resize(length - 8, 0);
        let crc = seeded_crc64(0, &[&out.0]);
        out.u64(crc);
        out.0
    }

    /// # Errors
    /// Bytes that are none, or a newer release's.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (body, crc) = bytes.split_at_checked(bytes.len().saturating_sub(8)).ok_or(DecodeError::Short)?;
        let mut from = Reader(body);
        if from.array()? != *MAGIC {
            return Err(DecodeError::Magic("places of drives"));
        }
        if Reader(crc).u64()? != seeded_crc64(0, &[body]) {
            return Err(DecodeError::Checksum);
        }
        let version = from.u16()?;
        if version > VERSION {
            return Err(DecodeError::Newer("places of drives", version));
        }
        let mut places = Self { epoch: from.u64()?, drives: BTreeMap::new() };
        for _ in 0..from.u16()? {
            let number = from.u16()?;
            places.drives.insert(number, Place { pool: from.u8()?, path: from.short_str()? });
        }
        Ok(places)
    }

    /// # Errors
    /// The drive's own.
    pub fn store(&self, drive: &dyn Drive) -> io::Result<()> {
        let beside = format!("{PATH}.new");
        let file = drive.create(&beside)?;
        file.write_at(0, &self.encode())?;
        file.sync()?;
        drive.rename(&beside, PATH)?;
        drive.sync_directory("")
    }

    /// What a drive remembers; nothing where that can't be read.
    #[must_use]
    pub fn load(drive: &dyn Drive) -> Self {
        let read = || -> io::Result<Self> {
            let file = drive.open(PATH)?;
            let length = usize::try_from(file.length()?.min(LONGEST)).map_err(io::Error::other)?;
            let mut bytes = vec![0; length];
            file.read_at(0, &mut bytes)?;
            Self::decode(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        };
        match read() {
            Ok(places) => places,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => {
                tracing::warn!(drive = drive.path(), %error, "what it knows of other drives' places can't be read");
                Self::default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn one_drive_stands_at_a_path() {
        let place = |path: &str| Place { pool: 0, path: path.to_owned() };
        let mut places = Places::default();
        places.note(3, place("/mnt/a"));
        places.note(5, place("/mnt/b"));
        // Drive 3 is away, and 5 was mounted in its place.
        places.note(5, place("/mnt/a"));
        assert_eq!((places.at(0, "/mnt/a"), places.at(0, "/mnt/b")), (Some(5), None));
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let place = |pool, path: &str| Place { pool, path: path.to_owned() };
        let drives = BTreeMap::from([(0, place(0, "/mnt/a")), (7, place(1, &"/mnt/b".repeat(900)))]);
        let places = Places { epoch: 9, drives };
        let bytes = places.encode();
        assert_eq!(Places::decode(&bytes).unwrap(), places);
        assert_eq!((places.at(0, "/mnt/a"), places.at(1, "/mnt/a"), places.at(0, "/mnt/c")), (Some(0), None, None));
        for end in 0..bytes.len() {
            assert!(Places::decode(bytes.get(..end).unwrap()).is_err(), "{end}");
        }
        for at in (0..bytes.len()).step_by(97) {
            let mut changed = bytes.clone();
            *changed.get_mut(at).unwrap() ^= 4;
            assert!(Places::decode(&changed).is_err(), "{at}");
        }
    }
}
