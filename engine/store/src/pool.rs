//! Pools: drives of one class under one erasure profile.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use crate::codec::DecodeError;
use crate::drive::{DriveNumber, Member, NO_DRIVE};
use crate::enclosure::spread;
use crate::placement::StorageClass;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum DriveClass {
    /// Fastest first: the journal stands on the lowest class that has drives enough.
    Ssd = 1,
    Hdd = 2,
}

impl TryFrom<u8> for DriveClass {
    type Error = DecodeError;
    fn try_from(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            1 => Ok(Self::Ssd),
            2 => Ok(Self::Hdd),
            other => Err(DecodeError::Unknown("drive class", other)),
        }
    }
}

impl fmt::Display for DriveClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssd => "ssd",
            Self::Hdd => "hdd",
        })
    }
}

/// An erasure profile `k+m`: any `data` of the `data + parity` shards give the whole back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    pub data: u8,
    pub parity: u8,
}

impl Profile {
    #[must_use]
    pub fn shards(self) -> usize {
        usize::from(self.data) + usize::from(self.parity)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.data, self.parity)
    }
}

#[derive(Clone, Debug)]
pub struct Pool {
    pub number: u8,
    pub name: String,
    pub class: DriveClass,
    pub profile: Profile,
    /// Whose records belong to it because it is configured so.
    pub storage_classes: Vec<StorageClass>,
    pub members: Vec<Arc<Member>>,
}

impl Pool {
    /// Whether it has drives enough for a new segment.
    #[must_use]
    pub fn can_take(&self) -> bool {
        self.members.iter().filter(|member| member.takes_shards()).count() >= usize::from(self.profile.data)
    }

    /// Chooses a drive for each shard of a new segment: spread over enclosures, in each the emptiest ones that are not much
    /// slower than others, rotated by the segment's id so that data and parity spread evenly. Where drives are out of use, or
    /// are being emptied, the last parity shards go without ([`NO_DRIVE`]).
    ///
    /// Returns `None` when fewer than `data` drives are left.
    #[must_use]
    pub fn place(&self, segment: u64) -> Option<Vec<DriveNumber>> {
        let mut online: Vec<_> = self.members.iter().filter(|member| member.takes_shards()).cloned().collect();
        if online.len() > self.profile.shards() {
            // Free space in steps of 1 GiB, so that drives of one size take turns instead of flapping.
            let free = |member: &Member| member.drive.space().map_or(0, |space| space.free >> 30);
            let order = |member: &Member| (member.is_sluggish(), Reverse(free(member)), member.number);
            online = spread(online, self.profile.shards(), order);
        }
        if online.len() < usize::from(self.profile.data) {
            return None;
        }
        let mut chosen: Vec<_> = online.into_iter().map(|member| member.number).collect();
        chosen.sort_unstable();
        let turn = usize::try_from(segment % chosen.len() as u64).unwrap_or(0);
        chosen.rotate_left(turn);
        chosen.resize(self.profile.shards(), NO_DRIVE);
        Some(chosen)
    }
}
