//! Multipart uploads: parts are records of their own, and completing an upload moves none of their bytes.

use packstone_access::{Action, Denied, Grant};

use super::{
    Attributes, Checksum, Cipher, Etag, NamedPart, Part, Precondition, Upload, UploadId, UploadQuery, Version,
};
use crate::codec::Reader;
use crate::commit::{Op, Outcome};
use crate::error::{Error, Result};
use crate::index::row::{Row, UploadRow, corrupt};
use crate::index::{Space, keys};
use crate::record::Posix;
use crate::store::Store;
use crate::time::to_system_time;

impl Store {
    /// Opens an upload; its attributes become the object's, and its parts are encrypted with `cipher`.
    ///
    /// # Errors
    /// No such bucket, or a key that can't be.
    pub async fn open_upload(
        &self,
        grant: &Grant,
        mut attributes: Attributes,
        cipher: Option<Cipher>,
    ) -> Result<UploadId> {
        grant.covers(Action::PutObject)?;
        let bucket = self.bucket_of(grant)?.bucket.id;
        if grant.key().is_empty() || grant.key().len() > super::MAX_KEY {
            return Err(Error::InvalidKey);
        }
        if cipher.as_ref().is_some_and(|cipher| cipher.bucket != bucket) {
            return Err(Error::NoSuchBucket);
        }
        attributes.encryption = cipher.map(|cipher| cipher.encryption);
        let encoded = attributes.to_bytes()?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| Error::Unavailable(error.to_string()))?;
        // 0 stands for no upload in the journal.
        let upload = UploadId(u128::from_le_bytes(id).max(1));
        let op = Op::OpenUpload { bucket, key: grant.key().to_owned(), upload, attributes: encoded };
        self.inner.commit(op).await?;
        Ok(upload)
    }

    pub(crate) fn upload_row(&self, grant: &Grant, upload: UploadId) -> Result<UploadRow> {
        let bucket = self.bucket_of(grant)?.bucket.id;
        let snapshot = self.inner.shared.index.snapshot();
        let value = snapshot.get(Space::Uploads, &keys::upload(bucket, grant.key(), upload.0))?;
        Ok(UploadRow::decode(&value.ok_or(Error::NoSuchUpload)?)?)
    }

    /// The open upload itself.
    ///
    /// # Errors
    /// No such upload of that key.
    pub fn upload(&self, grant: &Grant, upload: UploadId) -> Result<Upload> {
        covers_upload(grant)?;
        let row = self.upload_row(grant, upload)?;
        open(upload, grant.key().to_owned(), &row)
    }

    /// Parts with numbers above `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// No such upload of that key.
    pub fn parts(&self, grant: &Grant, upload: UploadId, after: u16, limit: usize) -> Result<Vec<Part>> {
        covers_upload(grant)?;
        self.upload_row(grant, upload)?;
        let snapshot = self.inner.shared.index.snapshot();
        let prefix = keys::parts(upload.0);
        let from = keys::part(upload.0, after.saturating_add(1));
        let end = keys::after_prefix(&prefix).unwrap_or_default();
        let from = std::ops::Bound::Included(from.as_slice());
        let mut parts = Vec::new();
        for pair in snapshot.range(Space::Uploads, from, std::ops::Bound::Excluded(&end)).take(limit) {
            let (key, value) = pair?;
            let record = Row::decode_brief(&value)?.record;
            let attributes = Attributes::decode(&mut Reader(&record.attributes)).map_err(corrupt)?;
            parts.push(Part {
                number: keys::part_number(&key).unwrap_or_default(),
                size: record.size,
                modified: to_system_time(record.modified),
                etag: attributes.etag,
                checksum: attributes.checksum,
            });
        }
        Ok(parts)
    }

    /// Makes the named parts the object; moves no bytes. `etag` and `checksum` are the finished object's.
    ///
    /// # Errors
    /// No such upload, parts that are not what was uploaded, or a precondition that does not hold.
    pub async fn complete_upload(
        &self,
        grant: &Grant,
        upload: UploadId,
        parts: &[NamedPart],
        etag: Etag,
        checksum: Option<Checksum>,
        precondition: Precondition,
    ) -> Result<Version> {
        grant.covers(Action::PutObject)?;
        let op = Op::CompleteUpload {
            bucket: self.bucket_of(grant)?.bucket.id,
            key: grant.key().to_owned(),
            upload,
            parts: parts.to_vec(),
            etag,
            checksum,
            posix: Posix::of(grant.actor()),
            precondition,
        };
        match self.inner.commit(op).await? {
            Outcome::Stored(row) => Version::from_row(&row, true),
            _ => Err(Error::Unavailable("an answer to something else".into())),
        }
    }

    /// The current version of the key, if it is what the upload became.
    ///
    /// # Errors
    /// No such upload, where it became something else, or nothing.
    pub fn completed_upload(&self, grant: &Grant, upload: UploadId) -> Result<Version> {
        grant.covers(Action::PutObject)?;
        let state = self.bucket_of(grant)?;
        let snapshot = self.inner.shared.namespace();
        let value = snapshot.get(Space::Current, &keys::current(state.bucket.id, grant.key()))?;
        let row = Row::decode_whole(&value.ok_or(Error::NoSuchUpload)?, &*snapshot)?;
        let version = Version::from_row(&row, true)?;
        if version.attributes.upload == Some(upload) { Ok(version) } else { Err(Error::NoSuchUpload) }
    }

    /// Ends an upload and its parts.
    ///
    /// # Errors
    /// No such upload of that key.
    pub async fn abort_upload(&self, grant: &Grant, upload: UploadId) -> Result<()> {
        grant.covers(Action::AbortMultipartUpload)?;
        let bucket = self.bucket_of(grant)?.bucket.id;
        let op = Op::AbortUpload { bucket, key: grant.key().to_owned(), upload };
        self.inner.commit(op).await.map(|_| ())
    }

    /// Open uploads in order of (key, id).
    ///
    /// # Errors
    /// No such bucket.
    pub fn uploads(&self, grant: &Grant, query: &UploadQuery) -> Result<super::UploadPage> {
        grant.covers(Action::ListBucketMultipartUploads)?;
        let bucket = self.bucket_of(grant)?.bucket.id;
        let snapshot = self.inner.shared.index.snapshot();
        crate::index::list::uploads(&*snapshot, bucket, query)
    }
}

fn covers_upload(grant: &Grant) -> Result<(), Denied> {
    grant.covers(Action::PutObject).or_else(|_| grant.covers(Action::ListMultipartUploadParts))
}

/// An upload as faces see it.
///
/// # Errors
/// Attributes that can't be read.
pub(crate) fn open(id: UploadId, key: String, row: &UploadRow) -> Result<Upload> {
    let attributes = Attributes::decode(&mut Reader(&row.attributes)).map_err(corrupt)?;
    Ok(Upload { id, key, initiated: to_system_time(row.initiated), attributes })
}
