//! What clients ask for.

use std::sync::Arc;

use bytes::Bytes;
use packstone_store::Error;
use packstone_store::checksum::record_hash;
use packstone_store::codec::Writer;
use packstone_store::commit::log::durable_lsn;
use packstone_store::commit::{Body, Draft, Op};
use packstone_store::object::{
    Attributes, Checksum, ChecksumAlgorithm, ChecksumKind, Etag, NamedPart, Precondition, SystemHeader, UploadId,
};
use packstone_store::placement::StorageClass;
use packstone_store::record::{Compression, Extent, Posix};
use packstone_store::segment::stream::OpenStream;
use packstone_store::segment::stripe::UNIT;

use crate::model::{Content, Effect};
use crate::node::pick;
use crate::run::{Life, Run, Step};
use crate::versions::locked;

/// A stream is retired when its shards have so many bytes together.
const STREAM_SIZE: u64 = 2 << 20;
/// Attributes of a body of some size: those that say nothing, or that it belongs to slower drives where there are some.
fn kept_as(size: usize) -> Vec<u8> {
    let cold = (SystemHeader::StorageClass, StorageClass::Glacier.name().to_owned());
    encoded(Attributes { headers: if size % 3 == 1 { vec![cold] } else { Vec::new() }, ..Attributes::default() })
}

/// Bytes that are a function of the number, and don't compress.
fn body(number: u64, length: usize) -> Content {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    Arc::new(out)
}

pub fn draft(size: usize, body: Body) -> Draft {
    Draft {
        size: size as u64,
        compression: Compression::Raw,
        // Nothing here expands a body: what is said of it must go wherever the record goes.
        dictionary: size as u32 % 3,
        key_id: 0,
        posix: Posix::default(),
        attributes: kept_as(size),
        body,
    }
}

/// What stands for the checksum of some bytes.
pub fn checksum(bytes: &[u8]) -> Checksum {
    let value = record_hash(bytes)[..4].to_vec();
    Checksum { algorithm: ChecksumAlgorithm::Crc32, kind: ChecksumKind::FullObject, value }
}

pub fn encoded(attributes: Attributes) -> Vec<u8> {
    let mut out = Writer::default();
    attributes.encode(&mut out);
    out.0
}

impl Run {
    pub fn body(&mut self, length: u64) -> Content {
        self.next_body += 1;
        body(self.next_body, length as usize)
    }

    pub fn tag(&mut self) -> u64 {
        self.next_body += 1;
        self.next_body
    }

    pub fn bucket(&mut self) -> Option<String> {
        let names: Vec<String> = self.model.buckets.keys().cloned().collect();
        pick(&names, &mut self.generator).cloned()
    }

    /// Few keys, so that they are overwritten; one may be another's prefix, or hold a NUL.
    pub fn key(&mut self) -> String {
        let number = self.below(12);
        format!("k{}{}", number, ["", "/", "/x", "/y/é", "\0", "é"][self.below(6) as usize])
    }

    pub fn objects(&mut self, life: &mut Life) -> Step {
        let Some(first) = self.bucket() else { return self.buckets(life) };
        let mut batch = Vec::new();
        for _ in 0..self.below(4) + 1 {
            let bucket = self.bucket().unwrap_or(first.clone());
            let is_renaming = life.core.shared.buckets.load().redirects().of(self.ids[&bucket]).next().is_some();
            // What is there is on its way, then.
            let key = if is_renaming { self.held_key(&bucket) } else { self.key() };
            let id = self.ids[&bucket];
            if self.generator.happens(3000) {
                let op = Op::Delete {
                    bucket: id,
                    key: key.clone(),
                    version: None,
                    precondition: Precondition::None,
                    bypass: None,
                    returning: 0,
                };
                let tag = self.tag();
                batch.push((op, Effect::Delete { bucket, key, tag }));
            } else {
                let length = match self.below(10) {
                    0 => 0,
                    1..8 => self.below(6000),
                    _ => self.below(60_000),
                };
                let content = self.body(length);
                let absent = self.generator.happens(2000);
                let small = Body::Small { stored: Bytes::from(content.to_vec()), hash: record_hash(&content) };
                let precondition = if absent { Precondition::Absent } else { Precondition::None };
                let file = self.generator.happens(3000);
                let posix = Posix { mode: if file { 0o100_644 } else { 0o640 }, ..Posix::default() };
                let draft = Draft { posix, ..draft(content.len(), small) };
                let op = Op::Put { bucket: id, key: key.clone(), draft, precondition };
                let tag = self.tag();
                batch.push((op, Effect::Put { bucket, key, tag, content, absent, file }));
            }
        }
        self.commit(life, batch)
    }

    pub fn buckets(&mut self, life: &mut Life) -> Step {
        let name = format!("bucket{}", self.below(3));
        if self.model.buckets.is_empty() || self.generator.happens(6000) {
            let lock = name != "bucket0" && self.generator.happens(2500);
            let documents = if lock { locked() } else { Vec::new() };
            let op = Op::CreateBucket { name: name.clone(), documents };
            self.commit(life, vec![(op, Effect::CreateBucket { name, lock })])
        } else {
            self.commit(life, vec![(Op::DeleteBucket { name: name.clone() }, Effect::DeleteBucket(name))])
        }
    }

    /// As `StreamPool::take`.
    pub fn take_stream(&mut self, life: &mut Life, class: StorageClass) -> Result<OpenStream, Error> {
        let shared = life.core.shared.clone();
        let pool = shared.hardware.roster().pool_of(class).cloned().unwrap();
        if let Some(at) = life.idle.iter().position(|stream| stream.info.pool == pool.number) {
            return Ok(life.idle.remove(at));
        }
        let id = shared.take_file_id();
        let drives = pool.place(id).unwrap();
        let mut stream = OpenStream::create(&shared.hardware, &pool, id, drives)?;
        self.commit_one(life, Op::OpenStream(stream.info.clone()))?;
        stream.info.first_lsn = durable_lsn(&shared);
        Ok(stream)
    }

    pub fn give_stream(life: &mut Life, stream: OpenStream) {
        let full = stream.next_row() * stream.info.profile.shards() as u64 >= STREAM_SIZE;
        if full { life.retired.push(stream) } else { life.idle.push(stream) }
    }

    /// Writes a body to a stream; `None` where the client went away in between.
    pub fn stream_body(&mut self, life: &mut Life, content: &Content) -> Result<Option<(Extent, OpenStream)>, Error> {
        let class = [StorageClass::Standard, StorageClass::Glacier][self.below(2) as usize];
        let mut stream = self.take_stream(life, class)?;
        let hardware = &life.core.shared.hardware;
        let extent = Extent {
            segment: stream.info.id,
            offset: stream.next_row(),
            length: content.len() as u64,
            part: 0,
            claim: 0,
            hash: record_hash(content),
        };
        for stripe in content.chunks(UNIT as usize * usize::from(stream.info.profile.data)) {
            if let Err(error) = stream.write_stripe(hardware, stripe) {
                life.retired.push(stream);
                return Err(error.into());
            }
        }
        if self.generator.happens(1500) {
            Self::give_stream(life, stream);
            return Ok(None);
        }
        if let Err(error) = stream.sync(hardware) {
            life.retired.push(stream);
            return Err(error.into());
        }
        Ok(Some((extent, stream)))
    }

    pub fn streamed(&mut self, life: &mut Life) -> Step {
        let Some(bucket) = self.bucket() else { return Ok(()) };
        let length = self.below(150_000) + 1;
        let (content, key) = (self.body(length), self.key());
        let Some((extent, stream)) = self.stream_body(life, &content)? else { return Ok(()) };
        let draft = draft(content.len(), Body::Streamed(vec![extent]));
        let op = Op::Put { bucket: self.ids[&bucket], key: key.clone(), draft, precondition: Precondition::None };
        let tag = self.tag();
        let effect = Effect::Put { bucket, key, tag, content, absent: false, file: false };
        let result = self.commit(life, vec![(op, effect)]);
        Self::give_stream(life, stream);
        result
    }

    pub fn uploads(&mut self, life: &mut Life) -> Step {
        let Some(bucket) = self.bucket() else { return Ok(()) };
        let open: Vec<(String, u128)> = self.model.buckets[&bucket].uploads.keys().cloned().collect();
        let Some((key, upload)) = pick(&open, &mut self.generator).cloned() else {
            let (key, upload) = (self.key(), u128::from(self.generator.number() | 1));
            let id = self.ids[&bucket];
            let attributes = encoded(Attributes::default());
            let op = Op::OpenUpload { bucket: id, key: key.clone(), upload: UploadId(upload), attributes };
            return self.commit(life, vec![(op, Effect::OpenUpload { bucket, key, upload })]);
        };
        let parts: Vec<(u16, usize)> = self.model.buckets[&bucket].uploads[&(key.clone(), upload)]
            .iter()
            .map(|(number, part)| (*number, part.len()))
            .collect();
        match self.below(10) {
            0..6 => self.part(life, bucket, key, upload),
            6 => {
                let op = Op::AbortUpload { bucket: self.ids[&bucket], key: key.clone(), upload: UploadId(upload) };
                self.commit(life, vec![(op, Effect::Abort { bucket, key, upload })])
            }
            _ => self.complete(life, bucket, key, upload, &parts),
        }
    }

    fn part(&mut self, life: &mut Life, bucket: String, key: String, upload: u128) -> Step {
        let number = self.below(3) as u16 + 1;
        let length = if self.generator.happens(300) { 5 << 20 } else { self.below(80_000) + 1 };
        let content = self.body(length);
        let Some((extent, stream)) = self.stream_body(life, &content)? else { return Ok(()) };
        let mut draft = draft(content.len(), Body::Streamed(vec![extent]));
        draft.attributes = encoded(Attributes { checksum: Some(checksum(&content)), ..Attributes::default() });
        let id = self.ids[&bucket];
        let op = Op::PutPart { bucket: id, key: key.clone(), upload: UploadId(upload), number, draft };
        let result = self.commit(life, vec![(op, Effect::Part { bucket, key, upload, number, content })]);
        Self::give_stream(life, stream);
        result
    }

    /// Completes an upload with some of its parts: all but the last of those named must be large.
    fn complete(&mut self, life: &mut Life, bucket: String, key: String, upload: u128, parts: &[(u16, usize)]) -> Step {
        let Some(last) = pick(parts, &mut self.generator) else { return Ok(()) };
        let mut named: Vec<u16> = parts
            .iter()
            .filter(|(number, size)| number < &last.0 && *size >= 5 << 20)
            .map(|(number, _)| *number)
            .collect();
        named.push(last.0);
        let op = Op::CompleteUpload {
            bucket: self.ids[&bucket],
            key: key.clone(),
            upload: UploadId(upload),
            parts: named.iter().map(|number| NamedPart { number: *number, etag: Etag::default() }).collect(),
            etag: Etag::default(),
            checksum: Some(checksum(b"the whole")),
            posix: Posix::default(),
            precondition: Precondition::None,
        };
        let tag = self.tag();
        self.commit(life, vec![(op, Effect::Complete { bucket, key, upload, tag, parts: named })])
    }
}
