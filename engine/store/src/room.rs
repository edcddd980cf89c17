//! What there is room for, in bytes of objects.

use std::collections::BTreeMap;

use packstone_access::{Action, Grant};

use crate::error::Result;
use crate::index::tallies;
use crate::store::Store;

/// Bytes of objects, parity not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    pub total: u64,
    pub free: u64,
}

impl Store {
    /// What the pool that takes new objects has room for, and how many objects there are. Directories of one device share
    /// its space. Blocks.
    ///
    /// # Errors
    /// A grant for something else, or a fault of the index.
    pub fn space(&self, grant: &Grant) -> Result<(Room, u64)> {
        grant.covers(Action::ListAllMyBuckets)?;
        let shared = &self.inner.shared;
        let mut room = Room::default();
        if let Some(pool) = shared.hardware.landing_pool() {
            let online = pool.members.iter().filter(|member| member.online());
            let spaces = online.filter_map(|member| member.drive.space().ok());
            let devices: BTreeMap<u64, _> = spaces.map(|space| (space.device, space)).collect();
            let (data, shards) = (u64::from(pool.profile.data), pool.profile.shards() as u64);
            for space in devices.values() {
                room.total += space.total / shards * data;
                room.free += space.free / shards * data;
            }
        }
        let snapshot = shared.index.snapshot();
        let mut objects = 0;
        for bucket in shared.buckets.load().iter() {
            objects += tallies::read(&*snapshot, bucket.id)?.objects;
        }
        Ok((room, objects))
    }
}
