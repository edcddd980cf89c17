//! Making the content of an open file a version.
//!
//! | cut off after | what the next start finds |
//! |---|---|
//! | some bytes went to the engine | the version that was there; what nothing names is dead |
//! | the commit | the new one, whole |

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use md5::{Digest, Md5};
use packstone_access::Action;
use packstone_store::object::{
    Attributes, Cipher, EncryptionRequest, Etag, Precondition, Rewritten, Version, Versioning,
};
use packstone_store::{Error, Object, ObjectWriter};

use super::{Content, OpenFile, Place};
use crate::{DefaultEncryption, Errno, Files};

/// Bytes that are read and passed on at once.
const PIECE: u64 = 1 << 20;
/// Up to this a file's ETag is the MD5 of its bytes, as of a body that was put whole.
const MD5_UP_TO: u64 = 1 << 20;

/// Content on its way into the engine.
#[derive(Debug)]
pub struct Stream {
    writer: ObjectWriter,
    hasher: blake3::Hasher,
}

impl Stream {
    fn new(writer: ObjectWriter) -> Self {
        Self { writer, hasher: blake3::Hasher::new() }
    }

    pub async fn write(&mut self, data: Bytes) -> Result<(), Errno> {
        self.hasher.update(&data);
        Ok(self.writer.write(data).await?)
    }

    async fn commit(self) -> Result<Version, Error> {
        let etag = hashed(&self.hasher);
        self.writer.commit(Attributes { etag, ..Attributes::default() }, Precondition::None).await
    }
}

/// The tag of content that no single body made: it says with its `-1` that it is no MD5.
fn hashed(hasher: &blake3::Hasher) -> Etag {
    let mut md5 = [0; 16];
    hasher.finalize_xof().fill(&mut md5);
    Etag { md5, parts: 1 }
}

impl OpenFile {
    /// Makes what was written a version, durable and visible to every face.
    ///
    /// # Errors
    /// The engine's; what was written is kept, and published by the next try.
    pub async fn publish(&self, files: &Files, content: &mut Content) -> Result<(), Errno> {
        let outcome = content.publish(files).await;
        self.tell(content);
        outcome
    }
}

impl Content {
    pub(super) async fn publish(&mut self, files: &Files) -> Result<(), Errno> {
        self.expect_whole()?;
        let Some(place) = self.place.clone().filter(|_| self.dirty) else { return Ok(()) };
        let streamed = self.stream.is_some();
        let mut committed = self.commit(files, &place).await;
        // What streamed is nowhere but where it went.
        self.lost = streamed && committed.is_err();
        let mut place = place;
        if !streamed
            && is_another(&committed)
            && let Some(found) = self.found_elsewhere(files)?
        {
            committed = self.commit(files, &found).await;
            place = found;
        }
        match committed {
            Ok(version) => self.rebase(files, &place, version.record),
            // Another file stands there, or none: this one is nobody's but its openers'.
            Err(_) if is_another(&committed) => {
                (self.place, self.displaced) = (None, true);
                self.expect_whole()
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn commit(&mut self, files: &Files, place: &Place) -> Result<Version, Error> {
        if let Some(stream) = self.stream.take() {
            return stream.commit().await;
        }
        if self.is_append(files, place) {
            match self.append(files, place).await {
                // It has as many pieces as there may be: written anew, it has one.
                Err(Error::TooManyParts) => {}
                other => return other,
            }
        }
        self.pour(files, place).await
    }

    /// Where the same file stands with the same content, if S3 renamed it.
    fn found_elsewhere(&mut self, files: &Files) -> Result<Option<Place>, Errno> {
        let held = &self.object.version;
        let grant = files.may_of_node(Action::ListAllMyBuckets)?;
        let Some((bucket, key)) = files.store.inode(&grant, held.file.inode)? else { return Ok(None) };
        let place = Place { bucket, key };
        let Ok(object) = files.object(&place) else { return Ok(None) };
        let (tag, size) = (held.attributes.etag, held.size);
        if (object.version.attributes.etag, object.version.size, object.version.file.inode)
            != (tag, size, held.file.inode)
        {
            return Ok(None);
        }
        (self.object, self.place) = (Arc::new(object), Some(place.clone()));
        Ok(Some(place))
    }

    /// Takes up the version that was made.
    fn rebase(&mut self, files: &Files, place: &Place, record: u64) -> Result<(), Errno> {
        let object = files.object(place)?;
        if object.version.record != record {
            // Something came between. The bytes are still here, unless they were streamed.
            self.place = None;
            self.lost = self.spool.is_empty() && self.size > self.kept;
            return self.expect_whole();
        }
        self.object = Arc::new(object);
        self.kept = self.size;
        self.spool.cut(0);
        (self.lowest, self.in_order) = (u64::MAX, self.size == 0);
        self.own.store(true, Ordering::Relaxed);
        self.dirty = false;
        Ok(())
    }

    /// That what was written had a place to come to: who wrote it is told once if it had none.
    ///
    /// # Errors
    /// [`Errno::STALE`].
    pub fn expect_placed(&mut self) -> Result<(), Errno> {
        if std::mem::take(&mut self.displaced) { Err(Errno::STALE) } else { Ok(()) }
    }

    fn rewritten(&self) -> Rewritten {
        Rewritten { record: self.object.version.record, own: self.own.load(Ordering::Relaxed) }
    }

    /// Whether nothing of the version changed but that more follows, and the engine takes that.
    fn is_append(&self, files: &Files, place: &Place) -> bool {
        let held = self.object.version.size;
        let keeps_none =
            files.store.bucket_state(&place.bucket).is_some_and(|state| state.versioning() == Versioning::Never);
        keeps_none && held > 0 && self.kept == held && self.lowest >= held && self.size > held
    }

    /// Adds what follows the version that is there, whose bytes stay where they are.
    async fn append(&mut self, files: &Files, place: &Place) -> Result<Version, Error> {
        let grant = files.may(Action::PutObject, &place.bucket, &place.key).map_err(|_| Error::Changed)?;
        let held = self.object.version.clone();
        let length = self.size - held.size;
        let (writer, base) = files.store.appender(&grant, held.size, Some(length), None, None)?;
        if base.is_none_or(|base| base.record != held.record) {
            return Err(Error::Changed);
        }
        let mut stream = Stream::new(writer.extending_file());
        stream.hasher.update(&held.attributes.etag.md5);
        self.pour_into(&mut stream, held.size).await?;
        let parts = u16::try_from(held.parts.len().max(1) + 1).unwrap_or(u16::MAX);
        let etag = Etag { parts, ..hashed(&stream.hasher) };
        stream.writer.commit(Attributes { etag, ..Attributes::default() }, Precondition::None).await
    }

    /// Writes all of the content anew.
    async fn pour(&mut self, files: &Files, place: &Place) -> Result<Version, Error> {
        let writer = self.writer(files, place, Some(self.size)).await?;
        let mut stream = Stream::new(writer);
        let mut md5 = Md5::new();
        if self.size <= MD5_UP_TO {
            let bytes = Bytes::from(self.read(0..self.size).await.map_err(failed)?);
            md5.update(&bytes);
            stream.writer.write(bytes).await?;
            let etag = Etag { md5: md5.finalize().into(), parts: 0 };
            return stream.writer.commit(Attributes { etag, ..Attributes::default() }, Precondition::None).await;
        }
        self.pour_into(&mut stream, 0).await?;
        stream.commit().await
    }

    async fn pour_into(&mut self, stream: &mut Stream, from: u64) -> Result<(), Error> {
        let mut at = from;
        while at < self.size {
            let next = self.size.min(at + PIECE);
            let bytes = self.read(at..next).await.map_err(failed)?;
            stream.write(bytes.into()).await.map_err(failed)?;
            at = next;
        }
        Ok(())
    }

    async fn writer(&self, files: &Files, place: &Place, length: Option<u64>) -> Result<ObjectWriter, Error> {
        let grant = files.may(Action::PutObject, &place.bucket, &place.key).map_err(|_| Error::Changed)?;
        let cipher = files.cipher(place).await?;
        files.store.file_writer(&grant, self.rewritten(), length, cipher)
    }

    /// Passes on what was gathered, and from here on what comes.
    pub(super) async fn begin_stream(&mut self, files: &Files) -> Result<(), Errno> {
        let Some(place) = self.place.clone() else { return Ok(()) };
        let mut stream = Stream::new(self.writer(files, &place, None).await?);
        self.pour_into(&mut stream, 0).await?;
        self.spool.cut(0);
        self.stream = Some(stream);
        Ok(())
    }
}

/// Whether a commit found another file in its place, or none.
fn is_another(committed: &Result<Version, Error>) -> bool {
    matches!(committed, Err(Error::Changed | Error::NoSuchKey | Error::NoSuchBucket))
}

/// A fault of reading what is to be written.
fn failed(errno: Errno) -> Error {
    Error::Io(std::io::Error::from_raw_os_error(errno.0))
}

impl Files {
    /// The current version of a key, ready to be read.
    ///
    /// # Errors
    /// The engine's, or an object whose key the client alone has.
    pub fn object(&self, place: &Place) -> Result<Object, Errno> {
        let grant = self.may(Action::GetObject, &place.bucket, &place.key)?;
        Ok(self.store.get(&grant, None)?.unlocked(None)?)
    }

    /// What new content of a key is encrypted with.
    pub async fn cipher(&self, place: &Place) -> Result<Option<Cipher>, Error> {
        let state = self.store.bucket_state(&place.bucket).ok_or(Error::NoSuchBucket)?;
        let rule = (self.rule)(&state);
        let request = match &rule {
            DefaultEncryption::None => return Ok(None),
            DefaultEncryption::Unreadable => {
                return Err(Error::Unavailable("the bucket's default encryption can't be read".into()));
            }
            DefaultEncryption::Managed => EncryptionRequest::Managed,
            DefaultEncryption::Kms { key, bucket_key } => {
                EncryptionRequest::Kms { key, context: &[], bucket_key: *bucket_key }
            }
        };
        let grant = self.may(Action::PutObject, &place.bucket, &place.key).map_err(|_| Error::Changed)?;
        self.store.cipher(&grant, request).await.map(Some)
    }
}
