//! What an entry does to the index.
//!
//! The same code serves the commit loop and replay after a crash: both apply each entry once, in order of LSNs, to an
//! index that has seen everything before it ([`Marks`] say so). Making an index from nothing lays the live entries out
//! in any order and settles them afterwards ([`lay`]). Tallies change in the same batch as what they count.

mod inode;
mod lay;
mod upload;
mod version;

use std::collections::{BTreeMap, HashMap};

use super::names::Names;
use super::row::{BucketRow, BucketTally, DocumentRow, Mark, Row};
use super::tallies::Tallies;
use super::{IndexBatch, IndexError, IndexResult, Snapshot, Space, keys};
use crate::journal::{Entry, Removed, Target};
use crate::record::Record;

pub use lay::key_groups;
pub use version::pointed;

/// Up to which LSN the spaces have seen everything. A batch marks all of them alike, whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    pub lowest: u64,
    pub highest: u64,
}

impl Marks {
    /// # Errors
    /// A fault of the index.
    pub fn read(snapshot: &dyn Snapshot) -> IndexResult<Self> {
        let mut marks = Vec::with_capacity(Space::ALL.len());
        for space in Space::ALL {
            let mark = snapshot.get(space, keys::MARK)?.and_then(|value| Mark::decode(&value)).unwrap_or_default();
            marks.push(mark.0);
        }
        let (lowest, highest) = (marks.iter().min(), marks.iter().max());
        Ok(Self { lowest: lowest.copied().unwrap_or(0), highest: highest.copied().unwrap_or(0) })
    }

    /// The LSN that all spaces have come to.
    ///
    /// # Errors
    /// Spaces of different times: what one tells of another is no ground to go on from, and the index is made anew.
    pub fn agreed(self) -> IndexResult<u64> {
        if self.lowest == self.highest {
            return Ok(self.lowest);
        }
        Err(IndexError(format!("its key spaces are of different times: LSN {} to {}", self.lowest, self.highest)))
    }
}

/// Turns entries into one index batch; to the commit loop it is also what the batch has decided so far.
pub struct Applier<'a> {
    snapshot: &'a dyn Snapshot,
    batch: IndexBatch,
    tallies: Tallies,
    /// Rows of `Current` and `Uploads` that end in this batch or came in it, so that an entry finds what an earlier one
    /// brought.
    rows: HashMap<(Space, Vec<u8>), Option<Row>>,
    /// The same of `Versions`, in order.
    versions: BTreeMap<Vec<u8>, Option<Row>>,
    /// Null versions among these, as the pointers to them stand after this batch.
    nulls: HashMap<Vec<u8>, Option<u64>>,
    /// Where inodes lead after this batch.
    inodes: HashMap<u64, Names>,
    /// Whether entries come in no order: then what one of them made another may have named before.
    is_laid: bool,
    last_lsn: u64,
}

impl<'a> Applier<'a> {
    #[must_use]
    pub fn new(snapshot: &'a dyn Snapshot) -> Self {
        Self {
            snapshot,
            batch: IndexBatch::default(),
            tallies: Tallies::default(),
            rows: HashMap::new(),
            versions: BTreeMap::new(),
            nulls: HashMap::new(),
            inodes: HashMap::new(),
            is_laid: false,
            last_lsn: 0,
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
        let row = self.stored(space, key)?;
        self.rows.insert(place, row.clone());
        Ok(row)
    }

    /// The row under a key as it stood before this batch.
    fn stored(&self, space: Space, key: &[u8]) -> IndexResult<Option<Row>> {
        let value = self.snapshot.get(space, key)?;
        value.map(|value| Row::decode_whole(&value, self.snapshot)).transpose()
    }

    /// The state that this batch is applied to.
    #[must_use]
    pub fn snapshot(&self) -> &'a dyn Snapshot {
        self.snapshot
    }

    /// A bucket's counters after everything applied so far.
    ///
    /// # Errors
    /// A fault of the index.
    pub fn tally(&self, bucket: u32) -> IndexResult<BucketTally> {
        self.tallies.of_bucket(self.snapshot, bucket)
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
        self.note(lsn);
        self.bury(lsn, entry.kills())?;
        match entry {
            Entry::Put { .. }
            | Entry::PutVersion { .. }
            | Entry::Marker { .. }
            | Entry::Kill { .. }
            | Entry::KillVersion { .. }
            | Entry::Amend { .. } => self.apply_version(lsn, home, entry)?,
            Entry::Part { .. } | Entry::UploadOpen { .. } | Entry::UploadAbort { .. } => {
                self.apply_upload(lsn, home, entry)?;
            }
            Entry::BucketCreate { id, name, created } => {
                let row = BucketRow { lsn, home, id: *id, created: *created };
                self.batch.put(Space::Buckets, name.as_bytes().to_vec(), row.encode());
            }
            Entry::BucketDelete { name, .. } => self.delete_bucket(name)?,
            Entry::Document { scope, kind, name, value, .. } => {
                let key = keys::document(*scope, kind, name);
                match value.clone() {
                    Some(value) => {
                        self.batch.put(Space::Documents, key, DocumentRow { lsn, home, value }.encode());
                    }
                    None => self.batch.remove(Space::Documents, key),
                }
            }
            Entry::Erased { id } => self.forget(*id)?,
            Entry::Live(_)
            | Entry::StreamOpen(_)
            | Entry::Sealed(_)
            | Entry::Placed { .. }
            | Entry::Grave { .. }
            | Entry::Claims(_)
            | Entry::Checkpoint(_) => {}
        }
        Ok(())
    }

    /// Whether an entry must be the first of its batch: it asks for rows that others of one batch may bring.
    #[must_use]
    pub fn begins_batch(entry: &Entry) -> bool {
        matches!(entry, Entry::BucketDelete { .. })
    }

    /// A bucket ends with its documents and counters.
    fn delete_bucket(&mut self, name: &str) -> IndexResult<()> {
        if let Some(value) = self.snapshot.get(Space::Buckets, name.as_bytes())? {
            let id = BucketRow::decode(&value)?.id;
            self.tallies.forget_bucket(id);
            self.batch.remove(Space::Tallies, keys::bucket_tally(id));
            for pair in self.snapshot.prefix(Space::Documents, &id.to_be_bytes()) {
                self.batch.remove(Space::Documents, pair?.0.to_vec());
            }
        }
        self.batch.remove(Space::Buckets, name.as_bytes().to_vec());
        Ok(())
    }

    /// Notes in each file what ended there.
    fn bury(&mut self, lsn: u64, kills: &[Target]) -> IndexResult<()> {
        for target in kills {
            self.batch.put(Space::Dead, keys::dead(target.file, target.lsn), lsn.to_le_bytes().to_vec());
            self.tallies.file(self.snapshot, target.file)?.dead += 1;
        }
        Ok(())
    }

    /// Puts a row in place of the one under `key`, or only takes that away, and moves what they claim.
    fn replace(&mut self, space: Space, key: Vec<u8>, with: Option<Row>) -> IndexResult<()> {
        if let Some(row) = self.row(space, &key)? {
            self.release(&row)?;
            if space == Space::Current {
                self.leave_inode(&row, &key)?;
            }
        }
        if let Some(row) = with.as_ref().filter(|_| space == Space::Current) {
            match row.lsn == row.record.inode() && !self.is_laid {
                true => self.enter_new_inode(row, &key),
                false => self.enter_inode(row, &key)?,
            }
        }
        match &with {
            Some(row) => {
                self.tallies.claim(self.snapshot, &row.record.extents, true)?;
                self.write(space, key.clone(), row);
            }
            None => self.batch.remove(space, key.clone()),
        }
        self.rows.insert((space, key), with);
        Ok(())
    }

    /// Lets go of what an ending row holds beside itself.
    fn release(&mut self, row: &Row) -> IndexResult<()> {
        for apart in row.apart_keys() {
            self.batch.remove(Space::Extents, apart);
        }
        self.tallies.claim(self.snapshot, &row.record.extents, false)
    }

    fn write(&mut self, space: Space, key: Vec<u8>, row: &Row) {
        let (value, apart) = row.encode();
        self.batch.put(space, key, value);
        for (key, extents) in apart {
            self.batch.put(Space::Extents, key, extents);
        }
    }

    fn count(&mut self, bucket: u32, removed: Removed, record: Option<&Record>) -> IndexResult<()> {
        let tally = self.tallies.bucket(self.snapshot, bucket)?;
        tally.objects = (tally.objects + u64::from(record.is_some())).saturating_sub(u64::from(removed.objects));
        tally.bytes = (tally.bytes + record.map_or(0, |record| record.size)).saturating_sub(removed.bytes);
        Ok(())
    }

    /// A file is no more: what was noted of it goes.
    fn forget(&mut self, file: u64) -> IndexResult<()> {
        for pair in self.snapshot.prefix(Space::Dead, &file.to_be_bytes()) {
            self.batch.remove(Space::Dead, pair?.0.to_vec());
        }
        self.tallies.forget(file);
        self.batch.remove(Space::Tallies, keys::file_tally(file));
        Ok(())
    }

    /// The batch, with tallies and the LSN of the last entry in every space.
    #[must_use]
    pub fn finish(self) -> IndexBatch {
        let last_lsn = self.last_lsn;
        let mut batch = self.finish_tallies();
        for space in Space::ALL {
            batch.put(space, keys::MARK.to_vec(), Mark(last_lsn).encode());
        }
        batch
    }

    /// The batch as a part of an index that is being made in no order of LSNs: one space alone is marked, and a crash
    /// leaves what no start takes for an index.
    #[must_use]
    pub fn finish_part(self) -> IndexBatch {
        let mut batch = self.finish_tallies();
        batch.put(Space::Buckets, keys::MARK.to_vec(), Mark(1).encode());
        batch
    }

    fn finish_tallies(mut self) -> IndexBatch {
        self.write_inodes();
        self.tallies.write(&mut self.batch);
        self.batch
    }
}
