//! Where what an entry brought is found. Versions of an object change their space while they live, so an entry names
//! its version, not the space.

use super::row::{self, Row};
use super::{IndexResult, Snapshot, Space, Value, keys};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A row that stands under one key as long as it lives.
    Row(Space, Vec<u8>),
    /// A version or delete marker: in [`Space::Current`] or [`Space::Versions`].
    Version { bucket: u32, key: String, record: u64 },
    /// An amendment: in the row of its version.
    Amendment { bucket: u32, key: String, record: u64 },
}

/// A row as it is found.
#[derive(Debug)]
pub struct Standing {
    pub space: Space,
    pub key: Vec<u8>,
    pub value: Value,
    /// The file that the entry which was looked for stands in.
    pub home: u64,
}

impl Place {
    /// The row that holds what the entry `lsn` brought; `None` where nothing of it stands.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn find(&self, snapshot: &dyn Snapshot, lsn: u64) -> IndexResult<Option<Standing>> {
        for (space, key) in self.candidates() {
            let Some(value) = snapshot.get(space, &key)? else { continue };
            let held = match self {
                Self::Row(..) | Self::Version { .. } => Some(row::identity(&value)?),
                Self::Amendment { record, .. } => {
                    let row = Row::decode_brief(&value)?;
                    row.amendment.filter(|_| row.record.id == *record).map(|amendment| (amendment.lsn, amendment.file))
                }
            };
            if let Some((_, home)) = held.filter(|(held, _)| *held == lsn) {
                return Ok(Some(Standing { space, key, value, home }));
            }
        }
        Ok(None)
    }

    /// The row of that place, whatever was said of it since, if its record has bytes in `segment`.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn stands_in(&self, snapshot: &dyn Snapshot, segment: u64) -> IndexResult<Option<Row>> {
        for (space, key) in self.candidates() {
            let Some(value) = snapshot.get(space, &key)? else { continue };
            let row = Row::decode_whole(&value, snapshot)?;
            let is_it = match self {
                Self::Row(..) => true,
                Self::Version { record, .. } | Self::Amendment { record, .. } => row.record.id == *record,
            };
            if is_it && row.record.extents.iter().any(|extent| extent.segment == segment) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn candidates(&self) -> Vec<(Space, Vec<u8>)> {
        match self {
            Self::Row(space, key) => vec![(*space, key.clone())],
            Self::Version { bucket, key, record } | Self::Amendment { bucket, key, record } => {
                vec![
                    (Space::Current, keys::current(*bucket, key)),
                    (Space::Versions, keys::version(*bucket, key, *record)),
                ]
            }
        }
    }
}
