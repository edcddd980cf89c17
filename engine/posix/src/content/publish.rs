//! Making the content of an open file a version.
//!
//! Of content that stands in streams, and in a bucket that never kept versions, the pieces are written that changed; the
//! version goes on with the others ([`layout`](super::layout), `packstone_store::object::pieces`). All else is written
//! whole: up to 1 MiB, what was small before, and what is in the clear where the bucket encrypts.
//!
//! | cut off after | what the next start finds |
//! |---|---|
//! | some bytes went to the engine | the version that was there; what nothing names is dead |
//! | the commit | the new one, whole |

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use md5::{Digest, Md5};
use packstone_access::Action;
use packstone_store::object::{
    Attributes, Cipher, EncryptionRequest, Etag, FileChange, FileFacts, Precondition, Rewritten, Version, Versioning,
};
use packstone_store::record::Posix;
use packstone_store::{Error, Object, ObjectWriter};

use super::layout::{Grid, Item};
use super::spool::PAGE;
use super::{Content, OpenFile, Place, STREAM_FROM, length};
use crate::{DefaultEncryption, Errno, Files};

/// Bytes that are read and passed on at once.
const PIECE: u64 = 1 << 20;
/// Up to this a file's ETag is the MD5 of its bytes, as of a body that was put whole.
pub(super) const MD5_UP_TO: u64 = 1 << 20;

/// Content on its way into the engine.
#[derive(Debug)]
pub struct Stream {
    writer: ObjectWriter,
    hasher: blake3::Hasher,
    /// Where pieces end.
    grid: Grid,
    at: u64,
}

impl Stream {
    fn new(writer: ObjectWriter, grid: Grid) -> Self {
        Self { writer, hasher: blake3::Hasher::new(), grid, at: 0 }
    }

    pub async fn write(&mut self, mut data: Bytes) -> Result<(), Errno> {
        self.hasher.update(&data);
        while !data.is_empty() {
            let end = self.grid.cell(self.at).end;
            let take = usize::try_from(end - self.at).unwrap_or(usize::MAX).min(data.len());
            self.at += take as u64;
            self.writer.write(data.split_to(take)).await?;
            if self.at == end {
                self.writer.end_piece().await?;
            }
        }
        Ok(())
    }

    async fn commit(self, mtime: Option<i64>) -> Result<Version, Error> {
        let etag = hashed(&self.hasher, self.writer.pieces());
        self.writer.changed_at(mtime).commit(Attributes { etag, ..Attributes::default() }, Precondition::None).await
    }
}

/// The tag of content that no single body made: it says with the number of its pieces that it is no MD5.
fn hashed(hasher: &blake3::Hasher, pieces: u16) -> Etag {
    let mut md5 = [0; 16];
    hasher.finalize_xof().fill(&mut md5);
    Etag { md5, parts: pieces.max(1) }
}

impl OpenFile {
    /// Makes what was written a version, durable and visible to every face.
    ///
    /// # Errors
    /// The engine's; what was written is kept, and published by the next try.
    pub async fn publish(&self, files: &Files, content: &mut Content) -> Result<(), Errno> {
        let outcome = content.publish(files).await;
        self.tell(content);
        if outcome.is_ok() {
            files.end_way(self);
        }
        outcome
    }

    /// Has an unmade file be there, without what was written to it.
    ///
    /// # Errors
    /// The engine's.
    pub(super) async fn come(&self, files: &Files, content: &mut Content) -> Result<(), Errno> {
        let outcome = content.come(files).await;
        self.tell(content);
        if outcome.is_ok() {
            files.end_way(self);
        }
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
            return stream.commit(self.said).await;
        }
        if let Some(posix) = self.making {
            let is_small = self.size <= MD5_UP_TO;
            let made = self.make(files, place, posix, if is_small { self.size } else { 0 }).await;
            if is_small || made.is_err() {
                return made;
            }
            self.made(files, place)?;
        }
        if let Some((grid, items)) = self.layout(files, place)? {
            match self.change(files, place, grid, items).await {
                // The bucket came to keep versions, or the file to have more names.
                Err(Error::TooManyParts | Error::TooLarge { .. } | Error::InvalidBucketState(_)) => {}
                other => return other,
            }
        } else if self.is_append(files, place) {
            match self.append(files, place).await {
                // It has as many pieces as there may be: written anew, it has one.
                Err(Error::TooManyParts) => {}
                other => return other,
            }
        }
        self.pour(files, place).await
    }

    /// Has an unmade file be there, without what was written to it. Where another stands, it is nobody's but its openers'.
    async fn come(&mut self, files: &Files) -> Result<(), Errno> {
        let (Some(posix), Some(place)) = (self.making, self.place.clone()) else { return Ok(()) };
        let made = self.make(files, &place, posix, 0).await;
        if is_another(&made) {
            (self.place, self.displaced) = (None, true);
            return Ok(());
        }
        made?;
        self.made(files, &place)?;
        // What is empty is all there.
        self.dirty = self.size > 0;
        self.said = self.said.filter(|_| self.dirty);
        Ok(())
    }

    /// Makes a file with its first bytes, where nothing stands.
    async fn make(&mut self, files: &Files, place: &Place, posix: Posix, size: u64) -> Result<Version, Error> {
        let grant = files.may(Action::PutObject, &place.bucket, &place.key).map_err(|_| Error::Changed)?;
        let bytes = self.bytes(0..size).await?;
        let etag = Etag { md5: Md5::digest(&bytes).into(), parts: 0 };
        let cipher = files.cipher(place).await?;
        let posix = Posix { mtime: self.written, ..posix };
        let mut writer = files.store.file_maker(&grant, posix, Some(size), cipher)?;
        writer.write(bytes).await?;
        let file = self.said.map(|said| {
            let Posix { uid, gid, mode, .. } = posix;
            let change = FileChange { mtime: Some(said), ..FileChange::default() };
            change.apply(FileFacts { uid, gid, mode, mtime: 0, ctime: 0 }, self.written)
        });
        writer.commit(Attributes { etag, file, ..Attributes::default() }, Precondition::Absent).await
    }

    /// Takes up a file that was made without its bytes.
    fn made(&mut self, files: &Files, place: &Place) -> Result<(), Error> {
        let object = files.object(place).map_err(failed)?;
        if object.version.file.inode != self.object.version.file.inode {
            return Err(Error::Changed);
        }
        (self.object, self.making) = (Arc::new(object), None);
        self.own.store(true, Ordering::Relaxed);
        Ok(())
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
        (self.object, self.making) = (Arc::new(object), None);
        self.kept = self.size;
        self.spool.cut(0);
        (self.lowest, self.in_order) = (u64::MAX, self.size == 0);
        self.own.store(true, Ordering::Relaxed);
        (self.dirty, self.said) = (false, None);
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
        let (record, own) = (self.object.version.record, self.own.load(Ordering::Relaxed));
        Rewritten { record, own, mtime: self.said }
    }

    /// What is to be written and what to be kept, where anything is.
    fn layout(&self, files: &Files, place: &Place) -> Result<Option<(Grid, Vec<Item>)>, Error> {
        let is_encrypted = self.object.version.attributes.encryption.is_some();
        if !files.may_go_on(place, is_encrypted) || (self.size <= MD5_UP_TO && !self.has_grown()) {
            return Ok(None);
        }
        let Some(pieces) = self.object.pieces() else { return Ok(None) };
        let is_changed = |range: Range<u64>| {
            let pages = range.start / PAGE as u64..range.end.div_ceil(PAGE as u64);
            range.end > self.kept || self.spool.has_any(pages)
        };
        let grid = self.grid(files)?;
        Ok(grid.lay_out(&pieces, self.size, is_changed).map(|items| (grid, items)))
    }

    fn grid(&self, files: &Files) -> Result<Grid, Error> {
        let grant = files.may_of_node(Action::ListAllMyBuckets).map_err(|_| Error::Changed)?;
        Ok(Grid::of(files.store.names(&grant, self.object.version.file.inode)?.len()))
    }

    /// Whether nothing of the version changed but that more follows.
    fn has_grown(&self) -> bool {
        let held = self.object.version.size;
        held > 0 && self.kept == held && self.lowest >= held && self.size > held
    }

    /// Whether that is all there is to say of a version that stands in no stream, which the engine brings to one. What is
    /// large by what comes is written whole.
    fn is_append(&self, files: &Files, place: &Place) -> bool {
        let is_small = self.object.pieces().is_none() && self.size <= STREAM_FROM;
        let is_encrypted = self.object.version.attributes.encryption.is_some();
        is_small && self.has_grown() && files.may_go_on(place, is_encrypted)
    }

    /// Writes the pieces that changed, and goes on with the others.
    async fn change(&mut self, files: &Files, place: &Place, grid: Grid, items: Vec<Item>) -> Result<Version, Error> {
        let grant = files.may(Action::PutObject, &place.bucket, &place.key).map_err(|_| Error::Changed)?;
        let held = self.object.pieces().unwrap_or_default().len();
        let mut writer = files.store.file_changer(&grant, self.rewritten(), held, self.size)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.object.version.attributes.etag.md5);
        for item in items {
            match item {
                Item::Keep(pieces) => {
                    hasher.update(&[pieces.start.to_le_bytes(), pieces.end.to_le_bytes()].concat());
                    writer.keep(pieces).await?;
                }
                Item::Write(range) => {
                    let mut at = range.start;
                    while at < range.end {
                        let next = range.end.min(at + PIECE);
                        let bytes = self.bytes(at..next).await?;
                        hasher.update(&bytes);
                        writer.write(bytes).await?;
                        at = next;
                    }
                    writer.end_piece().await?;
                }
            }
        }
        let etag = hashed(&hasher, writer.pieces());
        let version = writer.commit(Attributes { etag, ..Attributes::default() }, Precondition::None).await?;
        files.crowded.note(version.file.inode, usize::from(etag.parts), grid, self.size);
        Ok(version)
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
        let mut stream = Stream::new(writer.extending_file(), self.grid(files)?);
        stream.hasher.update(&held.attributes.etag.md5);
        self.pour_into(&mut stream, held.size).await?;
        let parts = u16::try_from(held.parts.len().max(1) + 1).unwrap_or(u16::MAX);
        let etag = hashed(&stream.hasher, parts);
        stream
            .writer
            .changed_at(self.said)
            .commit(Attributes { etag, ..Attributes::default() }, Precondition::None)
            .await
    }

    /// Writes all of the content anew.
    async fn pour(&mut self, files: &Files, place: &Place) -> Result<Version, Error> {
        let writer = self.writer(files, place, Some(self.size)).await?;
        let mut stream = Stream::new(writer, self.grid(files)?);
        let mut md5 = Md5::new();
        if self.size <= MD5_UP_TO {
            let bytes = self.bytes(0..self.size).await?;
            md5.update(&bytes);
            stream.writer.write(bytes).await?;
            let etag = Etag { md5: md5.finalize().into(), parts: 0 };
            return stream.writer.commit(Attributes { etag, ..Attributes::default() }, Precondition::None).await;
        }
        self.pour_into(&mut stream, 0).await?;
        stream.commit(self.said).await
    }

    async fn bytes(&mut self, range: Range<u64>) -> Result<Bytes, Error> {
        let mut bytes = Vec::with_capacity(length(&range));
        self.read(range, &mut bytes).await.map_err(failed)?;
        Ok(bytes.into())
    }

    async fn pour_into(&mut self, stream: &mut Stream, from: u64) -> Result<(), Error> {
        let mut at = from;
        while at < self.size {
            let next = self.size.min(at + PIECE);
            let bytes = self.bytes(at..next).await?;
            stream.write(bytes).await.map_err(failed)?;
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
        self.come(files).await?;
        if self.place.is_none() {
            return Ok(());
        }
        let mut stream = Stream::new(self.writer(files, &place, None).await?, self.grid(files)?);
        self.pour_into(&mut stream, 0).await?;
        self.spool.cut(0);
        self.stream = Some(stream);
        Ok(())
    }
}

/// Whether a commit found another file in its place, or none.
fn is_another(committed: &Result<Version, Error>) -> bool {
    matches!(committed, Err(Error::Changed | Error::PreconditionFailed | Error::NoSuchKey | Error::NoSuchBucket))
}

/// A fault of reading what is to be written.
pub(super) fn failed(errno: Errno) -> Error {
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

    /// Whether a version may go on with bytes of the one that is there.
    pub(super) fn may_go_on(&self, place: &Place, is_encrypted: bool) -> bool {
        self.store.bucket_state(&place.bucket).is_some_and(|state| {
            let encrypts = !matches!((self.rule)(&state), DefaultEncryption::None);
            state.versioning() == Versioning::Never && (is_encrypted || !encrypts)
        })
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
