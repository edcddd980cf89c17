//! Copying what lives in a stream segment to another one, record by record.
//!
//! Each record is stated anew under a new LSN (`Op::Restate`, a compare-and-set): its id, hashes and commit time stay.
//! Cut short anywhere, some records have moved and the rest have not; the next run goes on. The source is erased once
//! every claim on it is known to be dead, as any stream is.

use std::collections::{BTreeMap, HashMap};

use crate::commit::{Relocation, Shared};
use crate::index::{IndexError, Place, Row, Snapshot, Space, keys};
use crate::record::Extent;
use crate::segment::stream::OpenStream;
use crate::segment::stripe::UNIT;
use crate::segment::{Segment, SegmentError};

/// A row with its place in the index.
pub type Tenant = (Place, Row);

/// Rows whose records have bytes in any of some segments, by segment, from one walk through the index.
///
/// # Errors
/// A fault of the index.
pub fn tenants(shared: &Shared, segments: &[u64]) -> Result<HashMap<u64, Vec<Tenant>>, IndexError> {
    let mut found: HashMap<u64, Vec<Tenant>> = HashMap::new();
    let spaces = [Space::Current, Space::Versions, Space::Uploads];
    walk(&*shared.index.snapshot(), &spaces, &mut |(place, row)| {
        for segment in segments {
            if row.record.extents.iter().any(|extent| extent.segment == *segment) {
                found.entry(*segment).or_default().push((place.clone(), row.clone()));
            }
        }
        true
    })?;
    Ok(found)
}

/// Shows every row of the spaces of versions and parts that are asked for, until `visit` wants no more; whether it saw all.
///
/// # Errors
/// A fault of the index.
pub fn walk(
    snapshot: &dyn Snapshot,
    spaces: &[Space],
    visit: &mut dyn FnMut(Tenant) -> bool,
) -> Result<bool, IndexError> {
    for space in spaces {
        for pair in snapshot.prefix(*space, &[]) {
            let (key, value) = pair?;
            if *key == *keys::MARK {
                continue;
            }
            let is_row = match space {
                Space::Current => true,
                // The pointer to a null version is no row.
                Space::Versions => keys::parse_version(&key).is_some_and(|(_, _, record)| record != 0),
                _ => keys::parse_part(&key).is_some(),
            };
            if !is_row {
                continue;
            }
            let row = Row::decode_whole(&value, snapshot)?;
            if !visit((place_of(*space, &key, &row), row)) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Those together that hold the same bytes and belong to the same pool: names of one file. What is copied for one of them is
/// there for all.
pub fn together<P: Ord>(tenants: Vec<Tenant>, pool_of: impl Fn(&Tenant) -> P) -> Vec<(P, Vec<Tenant>)> {
    let mut groups = BTreeMap::<_, Vec<Tenant>>::new();
    for tenant in tenants {
        let bytes: Vec<_> = tenant.1.record.extents.iter().map(|extent| (extent.segment, extent.offset)).collect();
        groups.entry((pool_of(&tenant), bytes)).or_default().push(tenant);
    }
    groups.into_iter().map(|((pool, _), tenants)| (pool, tenants)).collect()
}

/// The step that gives another one what was copied for one of them: it claims that for itself, and keeps its own claims on
/// the rest.
#[must_use]
pub fn shared(step: &Relocation, (place, row): Tenant) -> Relocation {
    let moved = step.extents.iter().flatten();
    let of_each = |(own, moved): (&Extent, &Extent)| if own.segment == step.from { *moved } else { *own };
    let extents = row.record.extents.iter().zip(moved).map(of_each).collect();
    Relocation { place, lsn: row.lsn, extents: Some(extents), ..step.clone() }
}

/// How the row under that key is found again, whatever space its version is in by then.
fn place_of(space: Space, key: &[u8], row: &Row) -> Place {
    let version = match space {
        Space::Current => keys::parse_current(key).map(|(bucket, key)| (bucket, key.to_owned())),
        Space::Versions => keys::parse_version(key).map(|(bucket, key, _)| (bucket, key)),
        _ => None,
    };
    let version = version.map(|(bucket, key)| Place::Version { bucket, key, record: row.record.id });
    version.unwrap_or_else(|| Place::Row(space, key.to_vec()))
}

/// Copies a record's bytes that lie in `source` to the end of `target`, and makes them durable there. Each extent is
/// checked against its hash on the way.
///
/// # Errors
/// Bytes that can't be read, too few drives, or no space.
pub fn copy(
    shared: &Shared,
    source: &Segment,
    target: &mut OpenStream,
    (place, row): Tenant,
) -> Result<Relocation, SegmentError> {
    let mut extents = Vec::with_capacity(row.record.extents.len());
    for extent in &row.record.extents {
        if extent.segment == source.info.id {
            extents.push(copy_extent(shared, source, target, extent)?);
        } else {
            extents.push(*extent);
        }
    }
    target.sync(&shared.hardware)?;
    Ok(Relocation { place, lsn: row.lsn, from: source.info.id, to: target.info.id, extents: Some(extents) })
}

fn copy_extent(
    shared: &Shared,
    source: &Segment,
    target: &mut OpenStream,
    extent: &Extent,
) -> Result<Extent, SegmentError> {
    let offset = target.next_row();
    let stripe = usize::try_from(UNIT).unwrap_or(1 << 20) * usize::from(target.info.profile.data);
    let mut hasher = blake3::Hasher::new();
    let mut buffer = Vec::with_capacity(stripe);
    let mut at = 0;
    while at < extent.length {
        let piece = source.read_stream(extent, at..extent.length)?;
        at += piece.len() as u64;
        hasher.update(&piece);
        buffer.extend_from_slice(&piece);
        while buffer.len() >= stripe {
            let rest = buffer.split_off(stripe);
            target.write_stripe(&shared.hardware, &buffer)?;
            buffer = rest;
        }
    }
    if !buffer.is_empty() {
        target.write_stripe(&shared.hardware, &buffer)?;
    }
    if crate::checksum::truncate(&hasher.finalize()) != extent.hash {
        return Err(SegmentError::Rotten { segment: extent.segment });
    }
    Ok(Extent { segment: target.info.id, offset, claim: 0, ..*extent })
}
