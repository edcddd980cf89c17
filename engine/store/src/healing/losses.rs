//! What can't be read any more of segments that too few shards are left of, by object.
//!
//! Healing has them looked for when it can't make a shard whole, and again each time it tries. They are kept in memory: what is
//! lost is found again after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use parking_lot::Mutex;

use crate::commit::Shared;
use crate::compaction::{Tenant, tenants};
use crate::index::{IndexResult, Place, keys};
use crate::segment::rebuild::Pace;
use crate::segment::{Home, Segment, SegmentKind};
use crate::version::VersionId;

/// So many are named of one segment; the rest is counted.
const MOST_NAMED: usize = 10_000;

/// A version, or a part of an upload, that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostObject {
    /// Empty for a part of an upload that is not completed; its key says which.
    pub bucket: String,
    pub key: String,
    /// `None` for such a part.
    pub version: Option<VersionId>,
    /// Of its stored bytes those that stand in the segment, of which not all can be read.
    pub bytes: u64,
    pub segment: u64,
}

/// What of one segment can't be read.
#[derive(Clone, Debug, Default)]
struct Loss {
    named: Vec<LostObject>,
    count: u64,
}

impl Loss {
    /// `None` where `pace` ended it.
    fn of(shared: &Shared, segment: &Segment, tenants: Vec<Tenant>, pace: &Pace<'_>) -> Option<Self> {
        let mut loss = Self::default();
        for tenant in tenants {
            let began = Instant::now();
            if !can_read(segment, &tenant) {
                loss.count += 1;
                if loss.named.len() < MOST_NAMED {
                    loss.named.push(name(shared, segment.info.id, &tenant));
                }
            }
            if !pace(began.elapsed()) {
                return None;
            }
        }
        Some(loss)
    }
}

/// By segment. Its lock is a leaf.
#[derive(Debug, Default)]
pub struct Losses(Mutex<BTreeMap<u64, Loss>>);

impl Losses {
    /// Looks which objects of some segments can't be read, by one walk through the index, and says so of those that it didn't
    /// know of. Blocks.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn examine(&self, shared: &Shared, segments: &BTreeSet<u64>, pace: &Pace<'_>) -> IndexResult<()> {
        let ids: Vec<u64> = segments.iter().copied().collect();
        let mut tenants = tenants(shared, &ids)?;
        for id in ids {
            let loss = match shared.table.get(id) {
                Some(Home::Segment(segment)) => {
                    let tenants = tenants.remove(&id).unwrap_or_default();
                    match Loss::of(shared, &segment.apart(&shared.hardware), tenants, pace) {
                        Some(loss) => loss,
                        None => return Ok(()),
                    }
                }
                _ => Loss::default(),
            };
            let known = self.0.lock().remove(&id).unwrap_or_default().named;
            for LostObject { bucket, key, version, .. } in loss.named.iter().filter(|object| !known.contains(object)) {
                let version = version.map(|version| version.to_string());
                tracing::error!(bucket, key, version, "can't be read: too few shards of segment {id:016x} are left");
            }
            if loss.count > 0 {
                self.0.lock().insert(id, loss);
            }
        }
        Ok(())
    }

    /// The segments of which something couldn't be read.
    #[must_use]
    pub fn segments(&self) -> BTreeSet<u64> {
        self.0.lock().keys().copied().collect()
    }

    /// Whether something of a segment couldn't be read when that was looked for last.
    #[must_use]
    pub fn knows(&self, segment: u64) -> bool {
        self.0.lock().contains_key(&segment)
    }

    /// How many there are in segments that are still there.
    #[must_use]
    pub fn count(&self, shared: &Shared) -> u64 {
        let is_there = |id: &u64| shared.table.get(*id).is_some();
        self.0.lock().iter().filter(|(id, _)| is_there(id)).map(|(_, loss)| loss.count).sum()
    }

    /// Those that have names, the oldest segment's first.
    #[must_use]
    pub fn named(&self, shared: &Shared) -> Vec<LostObject> {
        let is_there = |id: &u64| shared.table.get(*id).is_some();
        let held = self.0.lock();
        held.iter().filter(|(id, _)| is_there(id)).flat_map(|(_, loss)| loss.named.iter().cloned()).collect()
    }
}

/// Whether all that a row has in a segment can be read, and is what was written.
fn can_read(segment: &Segment, (_, row): &Tenant) -> bool {
    let mut own = row.record.extents.iter().filter(|extent| extent.segment == segment.info.id);
    own.all(|extent| match segment.info.kind {
        SegmentKind::Stream => segment.check_stream(extent).is_ok(),
        SegmentKind::Packed | SegmentKind::Checkpoint => segment.read_record(extent).is_ok(),
    })
}

fn name(shared: &Shared, segment: u64, (place, row): &Tenant) -> LostObject {
    let own = row.record.extents.iter().filter(|extent| extent.segment == segment);
    let bytes = own.map(|extent| extent.length).sum();
    let buckets = shared.buckets.load();
    let (bucket, key, version) = match place {
        Place::Version { bucket, key, record } | Place::Amendment { bucket, key, record } => {
            let key = buckets.redirects().shown(*bucket, key, *record).into_owned();
            (*bucket, key, Some(row.version))
        }
        Place::Row(_, held) => {
            let (upload, part) = keys::parse_part(held).unwrap_or_default();
            (0, format!("part {part} of upload {upload:x}"), None)
        }
    };
    let bucket = buckets.by_id(bucket).map(|state| state.bucket.name.to_string()).unwrap_or_default();
    LostObject { bucket, key, version, bytes, segment }
}
