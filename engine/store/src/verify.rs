//! Reading everything, or a sample, and checking it against its hashes and CRCs.

use packstone_access::{Action, Grant};

use crate::error::{Error, Result};
use crate::index::{Row, Space, keys};
use crate::record::{Extent, Record};
use crate::recovery::Progress;
use crate::segment::{Home, SegmentKind};
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
    /// against its hash. `progress` counts segments, then records. Blocks.
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
        let chosen: std::collections::HashSet<u64> = ids
            .iter()
            .enumerate()
            .filter(|(place, _)| ((*place as f64 + 1.0) * sample).floor() > (*place as f64 * sample).floor())
            .map(|(_, id)| *id)
            .collect();
        let objects: u64 = self.status(grant)?.objects;
        let of_how_many = chosen.len() as u64 + objects;
        for id in ids.iter().filter(|id| chosen.contains(id)) {
            if let Some(Home::Segment(segment)) = table.get(id) {
                // By the names that the next start will look for: a file that reads hold open may have lost its own.
                report
                    .faults
                    .extend(segment.apart(&self.inner.shared.hardware).scrub(&self.inner.shared.hardware, &|_| true));
                if segment.info.sealed
                    && let Err(error) = segment.read_toc()
                {
                    report.faults.push(error.to_string());
                }
            }
            report.segments += 1;
            go_on(progress(report.segments, of_how_many))?;
        }
        drop(table);
        for bucket in self.inner.shared.buckets.load().iter() {
            for space in [Space::Current, Space::Versions] {
                let progress = |done| progress(done, of_how_many);
                self.verify_bucket((space, bucket.id, &bucket.name), &chosen, &mut report, &progress)?;
            }
        }
        progress(of_how_many, of_how_many);
        Ok(report)
    }

    fn verify_bucket(
        &self,
        (space, bucket, name): (Space, u32, &str),
        chosen: &std::collections::HashSet<u64>,
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
            if record.extents.first().is_some_and(|extent| !chosen.contains(&extent.segment)) {
                continue;
            }
            report.records += 1;
            report.bytes += record.stored();
            let whole = record.extents.iter().try_for_each(|extent| self.inner.check(extent));
            let whole = whole.and_then(|()| self.inner.expect_dictionary(bucket, &record));
            if let Err(error) = whole {
                // What moved or ended meanwhile is not lost.
                let held = self.inner.shared.index.snapshot().get(space, &key)?;
                if held.is_some_and(|held| *held == *value) {
                    let buckets = self.inner.shared.buckets.load();
                    let object = buckets.redirects().shown(bucket, &object, record.id);
                    report.faults.push(format!("{name}/{object}: {error}"));
                    report.lost.push(format!("{name}/{object}"));
                }
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
