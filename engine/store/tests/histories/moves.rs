//! What changes an object that is there, its bytes staying where they are.

use packstone_store::commit::Op;
use packstone_store::index::{Row, Space, keys};
use packstone_store::object::{RenameTerms, StoredCopy};

use crate::check;
use crate::model::Effect;
use crate::run::{Life, Run, Step};

impl Run {
    pub fn moves(&mut self, life: &mut Life) -> Step {
        let Some(bucket) = self.bucket() else { return Ok(()) };
        self.rename(life, bucket)
    }

    /// The row of a key's current version.
    fn row(&self, life: &Life, bucket: &str, key: &str) -> Option<Row> {
        let snapshot = life.core.shared.index.snapshot();
        let value = snapshot.get(Space::Current, &keys::current(self.ids[bucket], key)).unwrap()?;
        Some(Row::decode_whole(&value, &*snapshot).unwrap())
    }

    /// A small record's bytes, as a rename reads them before it is decided; of a record that is gone, some of the time.
    fn copy(&mut self, life: &Life, bucket: &str, key: &str) -> Option<StoredCopy> {
        let row = self.row(life, bucket, key)?;
        let extent = row.record.small()?;
        let stored = check::get(&life.core.shared, bucket, key)?.to_vec().into();
        Some(StoredCopy { record: row.record.id, stored, hash: extent.hash })
    }

    fn rename(&mut self, life: &mut Life, bucket: String) -> Step {
        let (from, to) = (self.key(), self.key());
        let copy = self.copy(life, &bucket, &from);
        let op = Op::Rename {
            bucket: self.ids[&bucket],
            source: from.clone(),
            destination: to.clone(),
            terms: Box::new(RenameTerms::default()),
            copy,
            extents: 1,
        };
        self.commit(life, vec![(op, Effect::Rename { bucket, from, to })])
    }
}
