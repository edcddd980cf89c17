//! Uploads, their parts, and the objects that they become.

use super::object::check;
use super::{Decider, attributes_of, without_claims_of};
use crate::codec::Reader;
use crate::commit::op::{Body, Draft, Outcome};
use crate::error::{Error, Result};
use crate::index::row::{UploadRow, corrupt};
use crate::index::{Row, Space, keys};
use crate::journal::{Entry, Target};
use crate::object::{
    Attributes, Checksum, Encryption, Etag, MIN_PART, NamedPart, PartChecksums, Precondition, UploadId,
};
use crate::record::{Compression, Extent, Posix};

/// What an upload's parts make together.
#[derive(Default)]
struct Gathered {
    size: u64,
    extents: Vec<Extent>,
    /// Each part's own.
    checksums: Vec<Option<Checksum>>,
}

impl Decider<'_, '_> {
    pub(super) fn open_upload(
        &mut self,
        bucket: u32,
        key: &str,
        upload: UploadId,
        attributes: &[u8],
    ) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        self.check_lock(state, attributes)?;
        self.push(Entry::UploadOpen {
            bucket,
            key: key.to_owned(),
            upload: upload.0,
            initiated: self.site.now,
            attributes: attributes.to_vec(),
        })?;
        Ok(Outcome::Done)
    }

    fn upload_row(&self, bucket: u32, key: &str, upload: UploadId) -> Result<UploadRow> {
        let value = self.applier.snapshot().get(Space::Uploads, &keys::upload(bucket, key, upload.0))?;
        Ok(UploadRow::decode(&value.ok_or(Error::NoSuchUpload)?)?)
    }

    /// An open upload, and what must be named to end it with all its parts.
    pub(super) fn upload(&self, bucket: u32, key: &str, upload: UploadId) -> Result<(UploadRow, Vec<Target>)> {
        let row = self.upload_row(bucket, key, upload)?;
        let mut kills = vec![Target { file: row.home, lsn: row.lsn }];
        let snapshot = self.applier.snapshot();
        for pair in snapshot.prefix(Space::Uploads, &keys::parts(upload.0)) {
            kills.extend(Row::decode_whole(&pair?.1, snapshot)?.targets());
        }
        Ok((row, kills))
    }

    pub(super) fn abort(&mut self, bucket: u32, key: &str, upload: UploadId) -> Result<Outcome> {
        let (_, kills) = self.upload(bucket, key, upload)?;
        self.push(Entry::UploadAbort { bucket, key: key.to_owned(), upload: upload.0, kills })?;
        Ok(Outcome::Aborted(true))
    }

    /// Aborts an upload that is old by both clocks: the one that it was opened by, and the one that nobody sets forward.
    pub(super) fn abandon(&mut self, bucket: u32, key: &str, upload: UploadId, age: i64) -> Result<Outcome> {
        let compliance = self.site.compliance.saturating_mul(1_000_000_000);
        let now = self.site.now.min(compliance);
        if now.saturating_sub(self.upload_row(bucket, key, upload)?.initiated) < age {
            return Ok(Outcome::Aborted(false));
        }
        self.abort(bucket, key, upload)
    }

    pub(super) fn put_part(
        &mut self,
        bucket: u32,
        key: &str,
        upload: UploadId,
        number: u16,
        draft: &Draft,
    ) -> Result<Outcome> {
        self.upload_row(bucket, key, upload)?;
        self.expect_live(draft)?;
        let held = self.applier.row(Space::Uploads, &keys::part(upload.0, number))?;
        let record = self.record(draft, draft.attributes.clone());
        let row = Row::plain(record.id, self.site.file, record.clone());
        let kills = held.map(|row| row.targets()).unwrap_or_default();
        self.push(Entry::Part { bucket, key: key.to_owned(), upload: upload.0, number, record, kills })?;
        Ok(Outcome::Stored(row))
    }

    pub(super) fn complete(
        &mut self,
        bucket: u32,
        key: &str,
        upload: UploadId,
        named: &[NamedPart],
        (etag, checksum, posix): (Etag, Option<Checksum>, Posix),
        precondition: &Precondition,
    ) -> Result<Outcome> {
        let (opened, kills) = self.upload(bucket, key, upload)?;
        let state = self.bucket(bucket)?;
        let held = self.applier.current(bucket, key)?;
        check(precondition, held.as_ref())?;
        let algorithm = checksum.as_ref().map(|checksum| checksum.algorithm);
        let Gathered { size, extents, checksums } = self.gather(upload, named)?;
        let way = self.make_way(state, key, held)?;
        let mut attributes = Attributes::decode(&mut Reader(&opened.attributes)).map_err(corrupt)?;
        attributes.etag = etag;
        attributes.checksum = checksum;
        attributes.upload = Some(upload);
        self.hold(state, &mut attributes);
        let (compression, body) = (Compression::Raw, Body::Streamed(extents));
        let key_id = attributes.encryption.as_ref().map_or(0, Encryption::key_id);
        let draft = Draft { size, compression, dictionary: 0, key_id, posix, attributes: Vec::new(), body };
        let mut record = self.record(&draft, attributes.to_bytes()?);
        let checksums = algorithm.and_then(|by| PartChecksums::of(by, checksums.iter().map(Option::as_ref)));
        record.part_checksums = checksums.map(|checksums| checksums.to_bytes()).unwrap_or_default();
        // The parts end as entries; the claims that the object took over from them live on.
        let kills = without_claims_of(kills, &record);
        self.bring(state, key, (upload.0, kills), record, way)
    }

    /// What the named parts bring, each checked against what was uploaded.
    fn gather(&mut self, upload: UploadId, named: &[NamedPart]) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        let mut before = 0;
        for (place, part) in named.iter().enumerate() {
            if part.number <= before {
                return Err(Error::InvalidPartOrder);
            }
            before = part.number;
            let row = self.applier.row(Space::Uploads, &keys::part(upload.0, part.number))?;
            let row = row.ok_or(Error::InvalidPart(part.number))?;
            let (held, record) = (attributes_of(&row)?, row.record);
            if held.etag.md5 != part.etag.md5 {
                return Err(Error::InvalidPart(part.number));
            }
            if place + 1 < named.len() && record.size < MIN_PART {
                return Err(Error::PartTooSmall { number: part.number, size: record.size });
            }
            gathered.size += record.size;
            gathered.extents.extend(record.extents.into_iter().map(|extent| Extent { part: part.number, ..extent }));
            gathered.checksums.push(held.checksum);
        }
        Ok(gathered)
    }
}
