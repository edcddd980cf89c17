//! Appending: a body becomes the end of an object, whose bytes stay where they are.
//!
//! What is appended is a piece of its own, streamed however small, as a part of an upload is: then the object's entry
//! names extents and nothing else. A small record's bytes live with its entry, so the first append to one writes them to
//! a stream, too. What the caller says of the whole (its tag, its checksum) is said of the version that it saw: the
//! commit loop takes it if that is still the one.

use std::sync::Arc;

use packstone_access::{Action, Grant};

use super::attributes::lock_of;
use super::destination::Destination;
use super::get::Object;
use super::put::ObjectWriter;
use super::{Cipher, CustomerKey, MAX_PARTS, Precondition, Version, Versioning};
use crate::commit::{Beside, Draft, Op};
use crate::error::{Error, Result};
use crate::index::row::corrupt;
use crate::index::{Row, Space, keys};
use crate::placement::StorageClass;
use crate::record::Extent;
use crate::retention;
use crate::store::{Inner, Store};
use crate::streams::Lease;
use crate::time::to_seconds;

/// What an append was begun with.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Where the body begins: the size of what it is appended to.
    pub offset: u64,
    /// The record that is there; `None` where there was none.
    pub base: Option<Base>,
}

#[derive(Clone, Debug)]
pub struct Base {
    pub record: u64,
    /// How many extents it had.
    pub extents: usize,
    /// Whether its bytes live with its entry.
    pub small: bool,
    /// These bytes in a stream, where they were brought to one.
    pub streamed: Vec<Extent>,
    /// Whether it stays the same file; else another one comes, as by every PUT.
    pub stays: bool,
    /// Of a file that stays the same, what it is said to have changed at, Unix nanoseconds, where that is not with the commit.
    pub mtime: Option<i64>,
    /// Its other names.
    pub beside: Beside,
}

impl Store {
    /// Begins an append at `offset`, which must be the size of the object; 0 makes one where there is none. Answers with
    /// the version that is appended to as well: the attributes that the commit gets say ETag and checksum of the whole,
    /// and for a new object everything. What is appended to bytes is encrypted as they are, a customer's key given again;
    /// `cipher` is for an object that has none yet.
    ///
    /// # Errors
    /// [`Error::InvalidWriteOffset`], [`Error::TooManyParts`], a lock, a bucket that keeps or kept versions, a customer's
    /// key that isn't the object's, or as [`Self::writer`].
    pub fn appender(
        &self,
        grant: &Grant,
        offset: u64,
        length: Option<u64>,
        cipher: Option<Cipher>,
        customer: Option<&CustomerKey>,
    ) -> Result<(ObjectWriter, Option<Version>)> {
        grant.covers(Action::PutObject)?;
        let state = self.bucket_of(grant)?;
        let snapshot = self.inner.shared.namespace();
        let value = snapshot.get(Space::Current, &keys::current(state.bucket.id, grant.key()))?;
        let held = value.map(|value| Row::decode_whole(&value, &*snapshot)).transpose()?;
        if let Some(row) = &held {
            let lock = lock_of(&row.record.attributes).map_err(corrupt)?;
            retention::may_end(lock, to_seconds(self.inner.shared.compliance.now().compliance), false)?;
        }
        expect_appendable(state.versioning(), held.as_ref(), offset)?;
        let base = held.as_ref().map(|row| Base {
            record: row.record.id,
            extents: row.record.extents.len(),
            small: row.record.size > 0 && row.record.small().is_some(),
            streamed: Vec::new(),
            stays: false,
            mtime: None,
            beside: Beside::default(),
        });
        let version = held.map(|row| Version::from_row(&row, true)).transpose()?;
        let class = version.as_ref().map(|version| StorageClass::of(&version.attributes)).unwrap_or_default();
        let cipher = match version.as_ref().filter(|version| version.size > 0) {
            None => cipher,
            Some(version) => {
                let encryption = version.attributes.encryption.clone();
                let key = self.key_of(&state, encryption.as_ref(), customer)?;
                let bucket = state.bucket.id;
                encryption.zip(key).map(|(encryption, key)| Cipher { bucket, encryption, key })
            }
        };
        let writer = self.begin(grant, Destination::Append(Appended { offset, base }), length, cipher)?;
        Ok((writer.in_class(class), version))
    }
}

/// Whether something may be appended at `offset`.
///
/// # Errors
/// As [`Store::appender`].
pub(crate) fn expect_appendable(versioning: Versioning, held: Option<&Row>, offset: u64) -> Result<()> {
    if versioning != Versioning::Never {
        return Err(Error::InvalidBucketState("nothing is appended to objects where versions are kept, or were"));
    }
    let size = held.map_or(0, |row| row.record.size);
    if size != offset {
        return Err(Error::InvalidWriteOffset { size });
    }
    match held {
        Some(row) if row.record.pieces().count() >= usize::from(MAX_PARTS) => Err(Error::TooManyParts),
        _ => Ok(()),
    }
}

impl Appended {
    /// The operation, once its base needs no journal; and the streams that this took.
    pub(super) async fn into_op(
        mut self,
        store: &Arc<Inner>,
        (bucket, key): (u32, String),
        draft: Draft,
        precondition: Precondition,
        cipher: Option<Cipher>,
    ) -> Result<(Op, Vec<Lease>)> {
        let mut held = Vec::new();
        if let Some(base) = &mut self.base {
            base.beside = store.beside(bucket, &key)?;
        }
        if let Some(base) = self.base.as_mut().filter(|base| base.small && draft.size > 0) {
            (base.streamed, held) = streamed(store, (bucket, &key), base.record, cipher).await?;
        }
        Ok((Op::Append { bucket, key, appended: self, draft, precondition }, held))
    }
}

/// Writes the bytes of a small record to a stream, encrypted as they were.
async fn streamed(
    store: &Arc<Inner>,
    place: (u32, &str),
    record: u64,
    cipher: Option<Cipher>,
) -> Result<(Vec<Extent>, Vec<Lease>)> {
    let object = Object::of_record(store, place, record, cipher.as_ref().map(|cipher| cipher.key.clone()))?;
    let size = object.version.size;
    let class = StorageClass::of(&object.version.attributes);
    let mut writer = ObjectWriter::of_piece(store.clone(), place, cipher).in_class(class);
    let mut reader = object.read(0..size);
    while let Some(piece) = reader.next().await {
        writer.write(piece?).await?;
    }
    writer.into_streamed().await
}

#[cfg(test)]
mod tests;
