//! Deciding: an operation against the index plus what its batch has decided before it, into an entry that holds the
//! outcome.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;

use super::Buckets;
use super::op::{Body, Draft, Op, Outcome, Relocation};
use crate::codec::{Reader, Writer};
use crate::error::{Error, Result};
use crate::index::apply::{Applier, Marks};
use crate::index::row::{BucketRow, UploadRow};
use crate::index::{Row, Snapshot, Space, keys};
use crate::journal::{Entry, Removed, Target};
use crate::object::{Attributes, Bucket, Checksum, Etag, MIN_PART, NamedPart, Precondition, UploadId};
use crate::record::{Compression, Extent, Posix, Record};
use crate::segment::SegmentInfo;
use crate::time::to_system_time;

/// Where the entries of a batch will stand.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    pub file: u64,
    pub first_lsn: u64,
    pub data_offset: u64,
    /// Unix nanoseconds.
    pub now: i64,
    pub next_bucket: u32,
    /// Whether there is room for what grows.
    pub room: bool,
}

/// A batch as it is being decided.
pub struct Decider<'live, 'index> {
    site: Site,
    buckets: &'live Buckets,
    segments: &'live BTreeMap<u64, SegmentInfo>,
    applier: Applier<'index>,
    pub entries: Vec<Entry>,
    pub data: Vec<Bytes>,
    data_offset: u64,
}

impl<'live, 'index> Decider<'live, 'index> {
    #[must_use]
    pub fn new(
        site: Site,
        buckets: &'live Buckets,
        segments: &'live BTreeMap<u64, SegmentInfo>,
        snapshot: &'index dyn Snapshot,
    ) -> Self {
        Self {
            site,
            buckets,
            segments,
            applier: Applier::new(snapshot, Marks::default()),
            entries: Vec::new(),
            data: Vec::new(),
            data_offset: site.data_offset,
        }
    }

    /// What is to be written to the index when the entries are durable.
    #[must_use]
    pub fn into_applier(self) -> Applier<'index> {
        self.applier
    }

    fn next_lsn(&self) -> u64 {
        self.site.first_lsn + self.entries.len() as u64
    }

    fn push(&mut self, entry: Entry) -> Result<()> {
        self.applier.apply(self.next_lsn(), self.site.file, &entry)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Decides one operation; it leaves an entry behind only if it answers `Ok`.
    ///
    /// # Errors
    /// Whatever stands against it.
    pub fn decide(&mut self, op: &Op) -> Result<Outcome> {
        if op.grows() && !self.site.room {
            return Err(Error::OutOfSpace);
        }
        match op {
            Op::CreateBucket { name } => self.create_bucket(name),
            Op::DeleteBucket { name } => self.delete_bucket(name),
            Op::Put { bucket, key, draft, precondition } => self.put(*bucket, key, draft, precondition),
            Op::Delete { bucket, key, precondition } => self.delete(*bucket, key, precondition),
            Op::OpenUpload { bucket, key, upload, attributes } => {
                self.expect_bucket(*bucket)?;
                self.push(Entry::UploadOpen {
                    bucket: *bucket,
                    key: key.clone(),
                    upload: upload.0,
                    initiated: self.site.now,
                    attributes: attributes.clone(),
                })?;
                Ok(Outcome::Done)
            }
            Op::PutPart { bucket, key, upload, number, draft } => self.put_part(*bucket, key, *upload, *number, draft),
            Op::CompleteUpload { bucket, key, upload, parts, etag, checksum, precondition } => {
                self.complete(*bucket, key, *upload, parts, (*etag, checksum.clone()), precondition)
            }
            Op::AbortUpload { bucket, key, upload } => {
                let (_, kills) = self.upload(*bucket, key, *upload)?;
                self.push(Entry::UploadAbort { bucket: *bucket, key: key.clone(), upload: upload.0, kills })?;
                Ok(Outcome::Done)
            }
            Op::OpenStream(info) => {
                let mut info = info.clone();
                info.first_lsn = self.next_lsn();
                self.push(Entry::StreamOpen(info)).map(|()| Outcome::Done)
            }
            Op::Sealed(info) => {
                let mut info = info.clone();
                info.sealed_lsn = self.next_lsn();
                self.push(Entry::Sealed(info)).map(|()| Outcome::Done)
            }
            Op::Erase { id } => self.push(Entry::Erased { id: *id }).map(|()| Outcome::Done),
            Op::Restate(step) => self.restate(step),
            // These make no entry: the loop carries them out.
            Op::Relocate(_) | Op::CloseJournal => Ok(Outcome::Done),
        }
    }

    /// The bucket was there when the request looked it up; it must not have gone since.
    fn expect_bucket(&self, id: u32) -> Result<()> {
        if self.buckets.knows(id) { Ok(()) } else { Err(Error::NoSuchBucket) }
    }

    fn bucket_row(&self, name: &str) -> Result<Option<BucketRow>> {
        let value = self.applier.snapshot().get(Space::Buckets, name.as_bytes())?;
        Ok(value.map(|value| BucketRow::decode(&value)).transpose()?)
    }

    fn create_bucket(&mut self, name: &str) -> Result<Outcome> {
        if self.bucket_row(name)?.is_some() {
            return Err(Error::BucketExists);
        }
        let id = self.site.next_bucket;
        self.push(Entry::BucketCreate { id, name: name.to_owned(), created: self.site.now })?;
        Ok(Outcome::Bucket(Bucket { id, name: name.into(), created: to_system_time(self.site.now) }))
    }

    fn delete_bucket(&mut self, name: &str) -> Result<Outcome> {
        let row = self.bucket_row(name)?.ok_or(Error::NoSuchBucket)?;
        let snapshot = self.applier.snapshot();
        let objects = keys::current(row.id, "");
        let uploads = keys::upload_prefix(row.id, "");
        let held = snapshot.prefix(Space::Current, &objects).next().transpose()?.is_some()
            || snapshot.prefix(Space::Uploads, &uploads).next().transpose()?.is_some();
        if held {
            return Err(Error::BucketNotEmpty);
        }
        let kills = vec![Target { file: row.home, lsn: row.lsn }];
        self.push(Entry::BucketDelete { name: name.to_owned(), kills })?;
        Ok(Outcome::Bucket(Bucket { id: row.id, name: name.into(), created: to_system_time(row.created) }))
    }

    /// A streamed body must stand in segments that are live: nothing may have erased them meanwhile.
    fn expect_live(&self, draft: &Draft) -> Result<()> {
        match &draft.body {
            Body::Streamed(extents) if !extents.iter().all(|extent| self.segments.contains_key(&extent.segment)) => {
                Err(Error::Unavailable("the stream that took the body is gone: send it again".into()))
            }
            _ => Ok(()),
        }
    }

    /// Makes a record of a draft, with its bytes at the end of the batch where the journal takes them.
    fn record(&mut self, draft: &Draft) -> Record {
        let id = self.next_lsn();
        let extents = match &draft.body {
            Body::Small { stored, .. } if stored.is_empty() => Vec::new(),
            Body::Small { stored, hash } => {
                let length = stored.len() as u64;
                let extent = Extent {
                    segment: self.site.file,
                    offset: self.data_offset,
                    length,
                    part: 0,
                    claim: 0,
                    hash: *hash,
                };
                self.data_offset += length;
                self.data.push(stored.clone());
                vec![extent]
            }
            // Bytes that an upload's part claimed stay claimed by that.
            Body::Streamed(extents) => extents.iter().map(|extent| claimed(*extent, id)).collect(),
        };
        Record {
            id,
            size: draft.size,
            modified: self.site.now,
            compression: draft.compression,
            dictionary: 0,
            key_id: 0,
            chunking: 0,
            posix: Posix::default(),
            attributes: draft.attributes.clone(),
            extents,
        }
    }

    fn put(&mut self, bucket: u32, key: &str, draft: &Draft, precondition: &Precondition) -> Result<Outcome> {
        self.expect_bucket(bucket)?;
        self.expect_live(draft)?;
        let held = self.applier.row(Space::Current, &keys::current(bucket, key))?;
        check(precondition, held.as_ref())?;
        let record = self.record(draft);
        let (removed, kills) = ending(held.as_ref());
        let entry = Entry::Put { bucket, key: key.to_owned(), upload: 0, record: record.clone(), removed, kills };
        self.push(entry)?;
        Ok(Outcome::Record(record))
    }

    fn delete(&mut self, bucket: u32, key: &str, precondition: &Precondition) -> Result<Outcome> {
        let held = self.applier.row(Space::Current, &keys::current(bucket, key))?;
        check(precondition, held.as_ref())?;
        let Some(row) = held else { return Ok(Outcome::Done) };
        let (removed, kills) = ending(Some(&row));
        self.push(Entry::Kill { bucket, key: key.to_owned(), removed, kills })?;
        Ok(Outcome::Record(row.record))
    }

    fn upload_row(&self, bucket: u32, key: &str, upload: UploadId) -> Result<UploadRow> {
        let value = self.applier.snapshot().get(Space::Uploads, &keys::upload(bucket, key, upload.0))?;
        Ok(UploadRow::decode(&value.ok_or(Error::NoSuchUpload)?)?)
    }

    /// An open upload, and what must be named to end it with all its parts.
    fn upload(&self, bucket: u32, key: &str, upload: UploadId) -> Result<(UploadRow, Vec<Target>)> {
        let row = self.upload_row(bucket, key, upload)?;
        let mut kills = vec![Target { file: row.home, lsn: row.lsn }];
        let snapshot = self.applier.snapshot();
        for pair in snapshot.prefix(Space::Uploads, &keys::parts(upload.0)) {
            kills.extend(Row::decode_whole(&pair?.1, snapshot)?.targets());
        }
        Ok((row, kills))
    }

    /// The same record under a new LSN with its bytes elsewhere: its id, hashes and commit time stay.
    fn restate(&mut self, step: &Relocation) -> Result<Outcome> {
        let held = self.applier.row(step.space, &step.key)?.filter(|row| row.lsn == step.lsn);
        let (Some(row), Some(extents)) = (held, &step.extents) else { return Ok(Outcome::Moved(0)) };
        let targets = row.targets();
        let extents = extents.iter().map(|extent| claimed(*extent, self.next_lsn())).collect();
        let (bytes, record) = (row.record.size, Record { extents, ..row.record });
        let kills = without_claims_of(targets, &record);
        let entry = match step.space {
            Space::Current => {
                let (bucket, key) = keys::parse_current(&step.key).ok_or(Error::InvalidKey)?;
                let removed = Removed { objects: 1, bytes };
                Entry::Put { bucket, key: key.to_owned(), upload: 0, record, removed, kills }
            }
            _ => {
                let (upload, number) = keys::parse_part(&step.key).ok_or(Error::InvalidKey)?;
                Entry::Part { bucket: 0, key: String::new(), upload, number, record, kills }
            }
        };
        self.push(entry)?;
        Ok(Outcome::Moved(1))
    }

    fn put_part(&mut self, bucket: u32, key: &str, upload: UploadId, number: u16, draft: &Draft) -> Result<Outcome> {
        self.upload_row(bucket, key, upload)?;
        self.expect_live(draft)?;
        let held = self.applier.row(Space::Uploads, &keys::part(upload.0, number))?;
        let record = self.record(draft);
        let kills = held.map(|row| row.targets()).unwrap_or_default();
        self.push(Entry::Part {
            bucket,
            key: key.to_owned(),
            upload: upload.0,
            number,
            record: record.clone(),
            kills,
        })?;
        Ok(Outcome::Record(record))
    }

    fn complete(
        &mut self,
        bucket: u32,
        key: &str,
        upload: UploadId,
        named: &[NamedPart],
        (etag, checksum): (Etag, Option<Checksum>),
        precondition: &Precondition,
    ) -> Result<Outcome> {
        let (opened, kills) = self.upload(bucket, key, upload)?;
        let held = self.applier.row(Space::Current, &keys::current(bucket, key))?;
        check(precondition, held.as_ref())?;
        let (size, extents) = self.gather(upload, named)?;
        let mut attributes = Attributes::decode(&mut Reader(&opened.attributes)).map_err(crate::index::row::corrupt)?;
        attributes.etag = etag;
        attributes.checksum = checksum;
        let mut encoded = Writer::default();
        attributes.encode(&mut encoded);
        let draft = Draft { size, compression: Compression::Raw, attributes: encoded.0, body: Body::Streamed(extents) };
        let record = self.record(&draft);
        // The parts end as entries; the claims that the object took over from them live on.
        let mut kills = without_claims_of(kills, &record);
        let (removed, replaced) = ending(held.as_ref());
        kills.extend(replaced);
        let entry =
            Entry::Put { bucket, key: key.to_owned(), upload: upload.0, record: record.clone(), removed, kills };
        self.push(entry)?;
        Ok(Outcome::Record(record))
    }

    /// Size and extents of the named parts, each checked against what was uploaded.
    fn gather(&mut self, upload: UploadId, named: &[NamedPart]) -> Result<(u64, Vec<Extent>)> {
        let (mut size, mut extents) = (0, Vec::new());
        let mut before = 0;
        for (place, part) in named.iter().enumerate() {
            if part.number <= before {
                return Err(Error::InvalidPartOrder);
            }
            before = part.number;
            let row = self.applier.row(Space::Uploads, &keys::part(upload.0, part.number))?;
            let record = row.ok_or(Error::InvalidPart(part.number))?.record;
            let held = Attributes::decode(&mut Reader(&record.attributes)).map_err(crate::index::row::corrupt)?;
            if held.etag.md5 != part.etag.md5 {
                return Err(Error::InvalidPart(part.number));
            }
            if place + 1 < named.len() && record.size < MIN_PART {
                return Err(Error::PartTooSmall { number: part.number, size: record.size });
            }
            size += record.size;
            extents.extend(record.extents.into_iter().map(|extent| Extent { part: part.number, ..extent }));
        }
        Ok((size, extents))
    }
}

/// Targets without the claims that a record takes over: those live on.
fn without_claims_of(targets: Vec<Target>, record: &Record) -> Vec<Target> {
    let claims = record.extents.iter().map(|extent| Target { file: extent.segment, lsn: extent.claim });
    let claims: HashSet<Target> = claims.collect();
    targets.into_iter().filter(|target| !claims.contains(target)).collect()
}

/// The extent, claimed by entry `lsn` where nothing claims it yet.
fn claimed(extent: Extent, lsn: u64) -> Extent {
    if extent.claim == 0 { Extent { claim: lsn, ..extent } } else { extent }
}

/// Counter changes and kills for the version that ends, if there is one.
fn ending(held: Option<&Row>) -> (Removed, Vec<Target>) {
    match held {
        Some(row) => (Removed { objects: 1, bytes: row.record.size }, row.targets()),
        None => (Removed::default(), Vec::new()),
    }
}

fn check(precondition: &Precondition, held: Option<&Row>) -> Result<()> {
    match (precondition, held) {
        (Precondition::None, _) | (Precondition::Absent, None) | (Precondition::Match(None), Some(_)) => Ok(()),
        (Precondition::Absent, Some(_)) => Err(Error::PreconditionFailed),
        (Precondition::Match(_), None) => Err(Error::NoSuchKey),
        (Precondition::Match(Some(etag)), Some(row)) => {
            let held = Attributes::decode(&mut Reader(&row.record.attributes)).map_err(crate::index::row::corrupt)?;
            if held.etag == *etag { Ok(()) } else { Err(Error::PreconditionFailed) }
        }
    }
}
