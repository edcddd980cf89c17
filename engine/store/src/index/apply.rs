//! What an entry does to the index.
//!
//! The same code serves the commit loop, replay after a crash and the making of an index from nothing. Replay may meet
//! entries that a space has already seen: [`Applier::new`] takes each space's mark, and an entry at or below it leaves
//! that space alone. Tallies change in the same batch as what they count.

use std::collections::HashMap;

use super::row::{BucketRow, Mark, Row, UploadRow};
use super::tallies::Tallies;
use super::{IndexBatch, IndexResult, Snapshot, Space, keys};
use crate::journal::{Entry, Removed, Target};
use crate::record::Record;

/// Marks of all spaces.
#[derive(Clone, Debug, Default)]
pub struct Marks(HashMap<Space, Mark>);

impl Marks {
    /// # Errors
    /// A fault of the index.
    pub fn read(snapshot: &dyn Snapshot) -> IndexResult<Self> {
        let mut marks = HashMap::new();
        for space in Space::ALL {
            let mark = snapshot.get(space, keys::MARK)?.and_then(|value| Mark::decode(&value)).unwrap_or_default();
            marks.insert(space, mark);
        }
        Ok(Self(marks))
    }

    #[must_use]
    pub fn lowest(&self) -> u64 {
        Space::ALL.iter().map(|space| self.of(*space)).min().unwrap_or(0)
    }

    #[must_use]
    pub fn highest(&self) -> u64 {
        Space::ALL.iter().map(|space| self.of(*space)).max().unwrap_or(0)
    }

    fn of(&self, space: Space) -> u64 {
        self.0.get(&space).copied().unwrap_or_default().0
    }
}

/// Turns entries into one index batch; to the commit loop it is also what the batch has decided so far.
pub struct Applier<'a> {
    snapshot: &'a dyn Snapshot,
    marks: Marks,
    batch: IndexBatch,
    tallies: Tallies,
    /// Rows that end in this batch or came in it, so that a kill finds what an earlier entry brought.
    rows: HashMap<(Space, Vec<u8>), Option<Row>>,
    /// Buckets that came in this batch.
    created: HashMap<String, u32>,
    last_lsn: u64,
}

impl<'a> Applier<'a> {
    #[must_use]
    pub fn new(snapshot: &'a dyn Snapshot, marks: Marks) -> Self {
        Self {
            snapshot,
            marks,
            batch: IndexBatch::default(),
            tallies: Tallies::default(),
            rows: HashMap::new(),
            created: HashMap::new(),
            last_lsn: 0,
        }
    }

    fn put(&mut self, lsn: u64, space: Space, key: Vec<u8>, value: Vec<u8>) {
        if lsn > self.marks.of(space) {
            self.batch.put(space, key, value);
        }
    }

    fn remove(&mut self, lsn: u64, space: Space, key: Vec<u8>) {
        if lsn > self.marks.of(space) {
            self.batch.remove(space, key);
        }
    }

    /// The row under a key as it stands after everything applied so far.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn row(&mut self, space: Space, key: &[u8]) -> IndexResult<Option<Row>> {
        let place = (space, key.to_vec());
        if let Some(row) = self.rows.get(&place) {
            return Ok(row.clone());
        }
        let value = self.snapshot.get(space, key)?;
        let row = value.map(|value| Row::decode_whole(&value, self.snapshot)).transpose()?;
        self.rows.insert(place, row.clone());
        Ok(row)
    }

    /// The state that this batch is applied to.
    #[must_use]
    pub fn snapshot(&self) -> &'a dyn Snapshot {
        self.snapshot
    }

    /// Notes that everything up to `lsn` is applied.
    pub fn note(&mut self, lsn: u64) {
        self.last_lsn = self.last_lsn.max(lsn);
    }

    /// Applies the entry with that LSN which stands in file `home`.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn apply(&mut self, lsn: u64, home: u64, entry: &Entry) -> IndexResult<()> {
        self.last_lsn = self.last_lsn.max(lsn);
        self.bury(lsn, entry.kills())?;
        match entry {
            Entry::Put { bucket, key, upload, record, removed, .. } => {
                if *upload != 0 {
                    self.end_upload(lsn, *bucket, key, *upload)?;
                }
                self.replace(lsn, Space::Current, keys::current(*bucket, key), Some((home, record)))?;
                self.count(lsn, *bucket, *removed, Some(record))?;
            }
            Entry::Kill { bucket, key, removed, .. } => {
                self.replace(lsn, Space::Current, keys::current(*bucket, key), None)?;
                self.count(lsn, *bucket, *removed, None)?;
            }
            Entry::Part { upload, number, record, .. } => {
                self.replace(lsn, Space::Uploads, keys::part(*upload, *number), Some((home, record)))?;
            }
            Entry::UploadOpen { bucket, key, upload, initiated, attributes } => {
                let row = UploadRow { lsn, home, initiated: *initiated, attributes: attributes.clone() };
                self.put(lsn, Space::Uploads, keys::upload(*bucket, key, *upload), row.encode());
                if lsn > self.marks.of(Space::Tallies) {
                    self.tallies.bucket(self.snapshot, *bucket)?.uploads += 1;
                }
            }
            Entry::UploadAbort { bucket, key, upload, .. } => self.end_upload(lsn, *bucket, key, *upload)?,
            Entry::BucketCreate { id, name, created } => {
                let row = BucketRow { lsn, home, id: *id, created: *created };
                self.put(lsn, Space::Buckets, name.as_bytes().to_vec(), row.encode());
                self.created.insert(name.clone(), *id);
            }
            Entry::BucketDelete { name, .. } => self.end_bucket(lsn, name)?,
            Entry::Erased { id } => self.forget(lsn, *id)?,
            Entry::Live(_) | Entry::StreamOpen(_) | Entry::Sealed(_) | Entry::Grave { .. } | Entry::Claims(_) => {}
        }
        Ok(())
    }

    /// Notes in each file what ended there.
    fn bury(&mut self, lsn: u64, kills: &[Target]) -> IndexResult<()> {
        for target in kills {
            self.put(lsn, Space::Dead, keys::dead(target.file, target.lsn), lsn.to_le_bytes().to_vec());
            if lsn > self.marks.of(Space::Tallies) {
                self.tallies.file(self.snapshot, target.file)?.dead += 1;
            }
        }
        Ok(())
    }

    /// Puts a row in place of the one under `key`, or only takes that away, and moves what they claim.
    fn replace(&mut self, lsn: u64, space: Space, key: Vec<u8>, with: Option<(u64, &Record)>) -> IndexResult<()> {
        let held = self.row(space, &key)?;
        // At replay the row may be of a later time than this entry: then the space has seen it.
        if let Some(row) = held.filter(|row| row.lsn < lsn) {
            for apart in row.apart_keys() {
                self.remove(lsn, Space::Extents, apart);
            }
            self.claim(lsn, &row.record, false)?;
        }
        match with {
            Some((home, record)) => {
                let row = Row { lsn, home, record: record.clone() };
                self.claim(lsn, record, true)?;
                let (value, apart) = row.encode();
                self.put(lsn, space, key.clone(), value);
                for (apart, extents) in apart {
                    self.put(lsn, Space::Extents, apart, extents);
                }
                self.rows.insert((space, key), Some(row));
            }
            None => {
                self.remove(lsn, space, key.clone());
                self.rows.insert((space, key), None);
            }
        }
        Ok(())
    }

    fn claim(&mut self, lsn: u64, record: &Record, adds: bool) -> IndexResult<()> {
        if lsn <= self.marks.of(Space::Tallies) {
            return Ok(());
        }
        self.tallies.claim(self.snapshot, &record.extents, adds)
    }

    fn count(&mut self, lsn: u64, bucket: u32, removed: Removed, record: Option<&Record>) -> IndexResult<()> {
        if lsn <= self.marks.of(Space::Tallies) {
            return Ok(());
        }
        let tally = self.tallies.bucket(self.snapshot, bucket)?;
        tally.objects = (tally.objects + u64::from(record.is_some())).saturating_sub(u64::from(removed.objects));
        tally.bytes = (tally.bytes + record.map_or(0, |record| record.size)).saturating_sub(removed.bytes);
        Ok(())
    }

    fn end_bucket(&mut self, lsn: u64, name: &str) -> IndexResult<()> {
        self.remove(lsn, Space::Buckets, name.as_bytes().to_vec());
        let held = self.snapshot.get(Space::Buckets, name.as_bytes())?;
        let row = held.map(|value| BucketRow::decode(&value)).transpose()?;
        // At replay the space may have seen this entry, and the name may be another bucket's by then.
        let row = row.filter(|row| row.lsn < lsn).map(|row| row.id);
        if let Some(id) = self.created.remove(name).or(row) {
            self.tallies.forget_bucket(id);
            self.remove(lsn, Space::Tallies, keys::bucket_tally(id));
        }
        Ok(())
    }

    fn end_upload(&mut self, lsn: u64, bucket: u32, key: &str, upload: u128) -> IndexResult<()> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for pair in self.snapshot.prefix(Space::Uploads, &keys::parts(upload)) {
            parts.push(pair?.0.to_vec());
        }
        // Parts that came in this very batch are not in the snapshot yet.
        let prefix = keys::parts(upload);
        let fresh = self
            .rows
            .iter()
            .filter(|((space, key), row)| *space == Space::Uploads && key.starts_with(&prefix) && row.is_some());
        let fresh: Vec<_> = fresh.map(|((_, key), _)| key.clone()).collect();
        parts.extend(fresh);
        parts.sort_unstable();
        parts.dedup();
        for part in parts {
            self.replace(lsn, Space::Uploads, part, None)?;
        }
        self.remove(lsn, Space::Uploads, keys::upload(bucket, key, upload));
        if lsn > self.marks.of(Space::Tallies) {
            let tally = self.tallies.bucket(self.snapshot, bucket)?;
            tally.uploads = tally.uploads.saturating_sub(1);
        }
        Ok(())
    }

    /// A file is no more: what was noted of it goes.
    fn forget(&mut self, lsn: u64, file: u64) -> IndexResult<()> {
        let mut gone = Vec::new();
        for pair in self.snapshot.prefix(Space::Dead, &file.to_be_bytes()) {
            gone.push(pair?.0.to_vec());
        }
        for key in gone {
            self.remove(lsn, Space::Dead, key);
        }
        self.tallies.forget(file);
        self.remove(lsn, Space::Tallies, keys::file_tally(file));
        Ok(())
    }

    /// The batch, with tallies and the LSN of the last entry in every space.
    #[must_use]
    pub fn finish(self) -> IndexBatch {
        let (mut batch, marks, last_lsn) = self.finish_tallies();
        for space in Space::ALL {
            batch.put(space, keys::MARK.to_vec(), Mark(last_lsn.max(marks.of(space))).encode());
        }
        batch
    }

    /// The batch as a part of an index that is being made in no order of LSNs: one space alone is marked, and a crash
    /// leaves what no start takes for an index.
    #[must_use]
    pub fn finish_part(self) -> IndexBatch {
        let (mut batch, ..) = self.finish_tallies();
        batch.put(Space::Buckets, keys::MARK.to_vec(), Mark(1).encode());
        batch
    }

    fn finish_tallies(mut self) -> (IndexBatch, Marks, u64) {
        self.tallies.write(&mut self.batch);
        (self.batch, self.marks, self.last_lsn)
    }
}
