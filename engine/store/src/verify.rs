//! Reading everything, or a sample, and checking it against its hashes and CRCs.

use std::collections::HashSet;

use packstone_access::{Action, Grant};

use crate::error::{Error, Result};
use crate::index::{Row, Space, keys};
use crate::record::{Extent, Record};
use crate::recovery::Progress;
use crate::segment::{Home, Segment, SegmentKind};
use crate::store::{Inner, Store};

#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    pub segments: u64,
    pub records: u64,
    /// Stored bytes of these records.
    pub bytes: u64,
    /// What is wrong and was made good by parity or another copy; one line each.
    pub faults: Vec<String>,
    /// Objects that can't be read any more, as `bucket/key`.
    pub lost: Vec<String>,
}

impl Store {
    /// Checks every block of a `sample` (0 to 1) of the sealed segments, then reads every record that stands in them
    /// against its hash. What moves to a new segment meanwhile is read there, whatever the sample. `progress` counts
    /// segments, then records. Blocks.
    ///
    /// # Errors
    /// A grant for something else, a fault of the index, or [`Error::ShuttingDown`] when `progress` said so.
    pub fn verify(&self, grant: &Grant, sample: f64, progress: &Progress) -> Result<VerifyReport> {
        grant.covers(Action::Administer)?;
        let mut report = VerifyReport::default();
        let table = self.inner.shared.table.all();
        let mut ids: Vec<u64> = table.keys().copied().collect();
        ids.sort_unstable();
        // Spread over all ages alike: every n-th.
        let (chosen, passed): (Vec<_>, Vec<_>) = ids
            .into_iter()
            .enumerate()
            .partition(|(place, _)| ((*place as f64 + 1.0) * sample).floor() > (*place as f64 * sample).floor());
        let chosen: Vec<u64> = chosen.into_iter().map(|(_, id)| id).collect();
        let passed: HashSet<u64> = passed.into_iter().map(|(_, id)| id).collect();
        let objects: u64 = self.status(grant)?.objects;
        let of_how_many = chosen.len() as u64 + objects;
        for id in &chosen {
            if let Some(Home::Segment(segment)) = table.get(id) {
                let faults = self.faults_of(segment);
                // What compaction emptied and erased meanwhile has no fault.
                if self.inner.shared.table.get(*id).is_some() {
                    report.faults.extend(faults);
                }
            }
            report.segments += 1;
            go_on(progress(report.segments, of_how_many))?;
        }
        drop(table);
        for bucket in self.inner.shared.buckets.load().iter() {
            for space in [Space::Current, Space::Versions] {
                let progress = |done| progress(done, of_how_many);
                self.verify_bucket((space, bucket.id, &bucket.name), &passed, &mut report, &progress)?;
            }
        }
        progress(of_how_many, of_how_many);
        Ok(report)
    }

    fn faults_of(&self, segment: &Segment) -> Vec<String> {
        // By the names that the next start will look for: a file that reads hold open may have lost its own.
        let hardware = &self.inner.shared.hardware;
        let mut faults = segment.apart(hardware).scrub(hardware, &|_| true);
        if segment.info.sealed
            && let Err(error) = segment.read_toc()
        {
            faults.push(error.to_string());
        }
        faults
    }

    fn verify_bucket(
        &self,
        (space, bucket, name): (Space, u32, &str),
        passed: &HashSet<u64>,
        report: &mut VerifyReport,
        progress: &dyn Fn(u64) -> bool,
    ) -> Result<()> {
        let snapshot = self.inner.shared.index.snapshot();
        for pair in snapshot.prefix(space, &bucket.to_be_bytes()) {
            let (key, value) = pair?;
            let Some(object) = object_of(space, &key) else { continue };
            let row = Row::decode_whole(&value, &*snapshot)?;
            if row.marker {
                continue;
            }
            let record = row.record;
            let id = record.id;
            if record.extents.first().is_some_and(|extent| passed.contains(&extent.segment)) {
                continue;
            }
            report.records += 1;
            report.bytes += record.stored();
            if let Some(error) = self.inner.unreadable(bucket, record, (space, &key))? {
                let buckets = self.inner.shared.buckets.load();
                let object = buckets.redirects().shown(bucket, &object, id);
                report.faults.push(format!("{name}/{object}: {error}"));
                report.lost.push(format!("{name}/{object}"));
            }
            if report.records.is_multiple_of(256) {
                go_on(progress(report.segments + report.records))?;
            }
        }
        Ok(())
    }
}

/// What the report calls a row; `None` for what is no row.
fn object_of(space: Space, key: &[u8]) -> Option<String> {
    if space == Space::Current {
        return keys::object_key(key).map(str::to_owned);
    }
    let (_, key, record) = keys::parse_version(key)?;
    (record != 0).then(|| format!("{key} (record {record})"))
}

fn go_on(wanted: bool) -> Result<()> {
    if wanted { Ok(()) } else { Err(Error::ShuttingDown) }
}

impl Inner {
    /// What a record was compressed with must be there.
    fn expect_dictionary(&self, bucket: u32, record: &Record) -> Result<()> {
        match self.dictionary_of(bucket, record) {
            None if record.dictionary != 0 => {
                Err(Error::Lost(format!("dictionary {} is not there, or can't be read", record.dictionary)))
            }
            _ => Ok(()),
        }
    }

    /// Why a version that was found at `row` can't be read; `None` when all its bytes are as its hashes say, wherever
    /// they moved meanwhile, or when it ended.
    fn unreadable(&self, bucket: u32, found: Record, row: (Space, &[u8])) -> Result<Option<Error>> {
        let mut record = found;
        loop {
            let whole = record.extents.iter().try_for_each(|extent| self.check(extent));
            let Err(error) = whole.and_then(|()| self.expect_dictionary(bucket, &record)) else { return Ok(None) };
            let snapshot = self.shared.index.snapshot();
            let Some(held) = snapshot.get(row.0, row.1)? else { return Ok(None) };
            let held = Row::decode_whole(&held, &*snapshot)?.record;
            if (held.id, &held.extents) == (record.id, &record.extents) {
                return Ok(Some(error));
            }
            record = held;
        }
    }

    /// Reads all bytes of an extent against its hash.
    fn check(&self, extent: &Extent) -> Result<()> {
        let gone = || Error::Lost(format!("segment {:016x} is not there", extent.segment));
        let home = self.shared.table.get(extent.segment).ok_or_else(gone)?;
        match &home {
            Home::Segment(segment) if segment.info.kind == SegmentKind::Stream => Ok(segment.check_stream(extent)?),
            _ => Self::read_record(&home, extent).map(|_| ()),
        }
    }
}
