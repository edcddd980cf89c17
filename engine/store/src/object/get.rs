//! Looking a version up.
//!
//! A look-up pins every file that the version's bytes stand in. Between index and pin a file may have given way to what
//! compaction made of it: then the index is asked again.

use std::sync::Arc;

use packstone_access::{Action, Grant};

use super::{CustomerKey, Version, Versioning, covers_one_of, is_marker};
use crate::commit::BucketState;
use crate::crypto::DataKey;
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::index::apply::pointed;
use crate::index::list::newest;
use crate::index::{Row, Snapshot, Space, keys};
use crate::record::{Extent, Record};
use crate::segment::Home;
use crate::store::{Inner, Store};
use crate::version::VersionId;

/// How often a look-up races with a compaction before it is called a fault.
const TRIES: usize = 8;

/// A version whose bytes can be read: what they stand in is pinned as long as this lives.
#[derive(Clone, Debug)]
pub struct Object {
    pub version: Version,
    pub(super) store: Arc<Inner>,
    pub(super) bucket: Arc<BucketState>,
    pub(super) record: Record,
    pub(super) homes: Vec<Home>,
    /// What [`Object::unlocked`] found.
    pub(super) key: Option<Arc<DataKey>>,
    /// What the record was compressed with; `None` too where that is not there any more.
    pub(super) dictionary: Option<Arc<Dictionary>>,
}

/// Actions that ask what is said of a version.
const DESCRIBES: &[Action] = &[
    Action::GetObject,
    Action::GetObjectVersion,
    Action::GetObjectAcl,
    Action::GetObjectVersionAcl,
    Action::GetObjectAttributes,
    Action::GetObjectVersionAttributes,
    Action::GetObjectTagging,
    Action::GetObjectVersionTagging,
    Action::GetObjectRetention,
    Action::GetObjectLegalHold,
];

impl Store {
    /// What is said of the current version, or of the one that is named; its bytes can't be read by it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn describe(&self, grant: &Grant, version: Option<VersionId>) -> Result<Version> {
        covers_one_of(grant, DESCRIBES)?;
        let state = self.bucket_of(grant)?;
        let (row, latest) = find(&*self.inner.shared.namespace(), &state, grant.key(), version)?;
        Version::from_row(&row, latest)
    }

    /// Looks the current version up, or the one that is named; reads no data yet.
    ///
    /// # Errors
    /// No such bucket, key or version, or a delete marker that stands there.
    pub fn get(&self, grant: &Grant, version: Option<VersionId>) -> Result<Object> {
        grant.covers(if version.is_some() { Action::GetObjectVersion } else { Action::GetObject })?;
        let state = self.bucket_of(grant)?;
        for _ in 0..TRIES {
            let snapshot = self.inner.shared.namespace();
            let (row, latest) = find(&*snapshot, &state, grant.key(), version)?;
            if let Some(homes) = self.inner.pin(&row.record.extents) {
                let version = Version::from_row(&row, latest)?;
                let (store, record) = (self.inner.clone(), row.record);
                let dictionary = store.dictionary_of(state.bucket.id, &record);
                return Ok(Object { version, store, bucket: state, record, homes, key: None, dictionary });
            }
        }
        Err(Error::Unavailable("the index names a segment that is not there: run `packstone rebuild-index`".into()))
    }
}

/// The current version of a key or the one that is named, and whether it is the newest.
fn find(snapshot: &dyn Snapshot, state: &BucketState, key: &str, version: Option<VersionId>) -> Result<(Row, bool)> {
    match version {
        None => Ok((current(snapshot, state, key)?, true)),
        Some(version) => named(snapshot, state, key, version),
    }
}

/// The current version of a key.
fn current(snapshot: &dyn Snapshot, state: &BucketState, key: &str) -> Result<Row> {
    let bucket = state.bucket.id;
    if let Some(value) = snapshot.get(Space::Current, &keys::current(bucket, key))? {
        return Ok(Row::decode_whole(&value, snapshot)?);
    }
    match state.versioning() {
        Versioning::Never => Err(Error::NoSuchKey),
        _ => Err(newest(snapshot, bucket, key)?.map_or(Error::NoSuchKey, |(_, row)| is_marker(&row))),
    }
}

/// A version that is named, and whether it is the newest of its key.
fn named(snapshot: &dyn Snapshot, state: &BucketState, key: &str, version: VersionId) -> Result<(Row, bool)> {
    let bucket = state.bucket.id;
    if let Some(value) = snapshot.get(Space::Current, &keys::current(bucket, key))? {
        let row = Row::decode_whole(&value, snapshot)?;
        if row.version == version {
            return Ok((row, true));
        }
    }
    let record = match version.is_null() {
        false => version.record(),
        true => match snapshot.get(Space::Versions, &keys::null_pointer(bucket, key))? {
            Some(value) => pointed(&value)?,
            None => return Err(Error::NoSuchVersion),
        },
    };
    // The pointer to the null version stands where record 0 would.
    let place = keys::version(bucket, key, record);
    let value = if record == 0 { None } else { snapshot.get(Space::Versions, &place)? };
    let row = Row::decode_whole(&value.ok_or(Error::NoSuchVersion)?, snapshot)?;
    match (row.version == version, row.marker) {
        (false, _) => Err(Error::NoSuchVersion),
        (true, true) => Err(is_marker(&row)),
        (true, false) => Ok((row, false)),
    }
}

impl Inner {
    /// The files of the extents, in their order; `None` where one is not there any more.
    pub(crate) fn pin(&self, extents: &[Extent]) -> Option<Vec<Home>> {
        extents.iter().map(|extent| self.shared.table.get(extent.segment)).collect()
    }

    /// What a record of a bucket was compressed with. A bucket's state that was looked up before the record was may lack
    /// its dictionary: the newest has it.
    pub(crate) fn dictionary_of(&self, bucket: u32, record: &Record) -> Option<Arc<Dictionary>> {
        if record.dictionary == 0 {
            return None;
        }
        self.shared.buckets.load().by_id(bucket)?.dictionaries().get(record.dictionary).cloned()
    }

    /// A whole small record's stored bytes.
    pub(crate) fn read_record(home: &Home, extent: &Extent) -> Result<Vec<u8>> {
        match home {
            Home::Journal(journal) => Ok(journal.read(extent)?),
            Home::Segment(segment) => Ok(segment.read_record(extent)?),
        }
    }
}

impl Object {
    /// The object with the key that it is encrypted with, which its bytes can't be read without; `customer` is the key that
    /// the request brings.
    ///
    /// # Errors
    /// A customer's key that is missing, doesn't fit or isn't asked for; or a key that is lost.
    pub fn unlocked(mut self, customer: Option<&CustomerKey>) -> Result<Self> {
        let store = Store { inner: self.store.clone() };
        self.key = store.key_of(&self.bucket, self.version.attributes.encryption.as_ref(), customer)?;
        Ok(self)
    }

    /// The current version of a key, if it is still that record, with the key that it is encrypted with.
    pub(super) fn of_record(
        store: &Arc<Inner>,
        (bucket, name): (u32, &str),
        record: u64,
        key: Option<Arc<DataKey>>,
    ) -> Result<Self> {
        let bucket = store.shared.buckets.load().by_id(bucket).cloned().ok_or(Error::NoSuchBucket)?;
        for _ in 0..TRIES {
            let snapshot = store.shared.namespace();
            let value = snapshot.get(Space::Current, &keys::current(bucket.bucket.id, name))?;
            let row = value.map(|value| Row::decode_whole(&value, &*snapshot)).transpose()?;
            let row = row.filter(|row| row.record.id == record).ok_or(Error::Changed)?;
            if let Some(homes) = store.pin(&row.record.extents) {
                let version = Version::from_row(&row, true)?;
                let dictionary = store.dictionary_of(bucket.bucket.id, &row.record);
                return Ok(Self { version, store: store.clone(), bucket, record: row.record, homes, key, dictionary });
            }
        }
        Err(Error::Changed)
    }
}
