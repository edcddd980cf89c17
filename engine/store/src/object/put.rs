//! Taking a body: small ones whole to the journal, large ones in stripes to a stream.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use packstone_access::{Action, Grant};

use super::append::Appended;
use super::destination::Destination;
use super::{Attributes, Cipher, CustomerKey, Kept, MAX_PARTS, Precondition, Rewritten, UploadId, Version};
use crate::checksum::{record_hash, truncate};
use crate::commit::{Body, BucketState, Draft, Op, Outcome};
use crate::compression::{Method, shrink};
use crate::crypto::{self, Binding, Encryptor, Unfit};
use crate::dictionary;
use crate::error::{Error, Result};
use crate::index::{Row, Space, keys};
use crate::placement::StorageClass;
use crate::record::{Compression, Extent, Posix};
use crate::segment::stripe::UNIT;
use crate::store::{Inner, Store};
use crate::streams::Lease;

/// Takes a body piece by piece. Holds at most one stripe in memory; dropped without a commit it leaves nothing that
/// anything names.
#[derive(Debug)]
pub struct ObjectWriter {
    store: Arc<Inner>,
    bucket: u32,
    key: String,
    posix: Posix,
    class: StorageClass,
    destination: Destination,
    /// How many pieces are whole, kept or written.
    piece: u16,
    written: u64,
    buffer: BytesMut,
    /// Bytes that the buffer holds before they are streamed.
    limit: usize,
    cipher: Option<Cipher>,
    streaming: Option<Streaming>,
}

/// A body that has outgrown the journal.
#[derive(Debug)]
struct Streaming {
    stream: Lease,
    /// Streams that were full before the body ended. They are held until the commit is answered: one that is sealed
    /// before would not know of this body's claim on it.
    full: Vec<Lease>,
    /// What lies in these.
    extents: Vec<Extent>,
    /// The extent that grows.
    row: u64,
    length: u64,
    hasher: blake3::Hasher,
    /// The number of the piece that is written, from 0 on.
    piece: u16,
    /// Of a piece that is encrypted, once it has begun; it ends with the piece.
    encryptor: Option<Encryptor>,
}

impl Store {
    /// Begins a PUT, encrypted with `cipher`. Nothing is visible until [`ObjectWriter::commit`].
    ///
    /// # Errors
    /// No such bucket, a key that can't be, or a grant for something else.
    pub fn writer(&self, grant: &Grant, length: Option<u64>, cipher: Option<Cipher>) -> Result<ObjectWriter> {
        grant.covers(Action::PutObject)?;
        self.begin(grant, Destination::Object, length, cipher)
    }

    /// Begins an object that is made as a file, whose key may be as long as a path.
    ///
    /// # Errors
    /// As [`Self::writer`].
    pub fn file_maker(
        &self,
        grant: &Grant,
        posix: Posix,
        length: Option<u64>,
        cipher: Option<Cipher>,
    ) -> Result<ObjectWriter> {
        grant.covers(Action::PutObject)?;
        let state = self.bucket_of_path(grant)?;
        let writer = self.begin_in(&state, grant, Destination::Object, length, cipher)?;
        Ok(ObjectWriter { posix, ..writer })
    }

    /// Begins to write the content of a file anew, which is there and keeps what is said of it but ETag and checksum.
    ///
    /// # Errors
    /// As [`Self::writer`]; the commit answers [`Error::Changed`] where another record has come, or none is there.
    pub fn file_writer(
        &self,
        grant: &Grant,
        place: Rewritten,
        length: Option<u64>,
        cipher: Option<Cipher>,
    ) -> Result<ObjectWriter> {
        grant.covers(Action::PutObject)?;
        let writer = self.begin(grant, Destination::File(place), length, cipher)?;
        if !self.inner.shared.has_several_pools() {
            return Ok(writer);
        }
        let snapshot = self.inner.shared.namespace();
        let held = snapshot.get(Space::Current, &keys::current(writer.bucket, &writer.key))?;
        let row = held.map(|value| Row::decode_whole(&value, &*snapshot)).transpose()?;
        Ok(writer.in_class(row.map(|row| StorageClass::of_encoded(&row.record.attributes)).unwrap_or_default()))
    }

    /// Begins a part of an open upload, encrypted as that says. Of its attributes only ETag and checksum count; a part
    /// of the same number gives way to it.
    ///
    /// # Errors
    /// As [`Self::writer`], no such upload, or a customer's key that isn't the upload's.
    pub fn part_writer(
        &self,
        grant: &Grant,
        upload: UploadId,
        number: u16,
        length: Option<u64>,
        customer: Option<&CustomerKey>,
    ) -> Result<ObjectWriter> {
        let opened = self.upload(grant, upload)?.attributes;
        let (class, encryption) = (StorageClass::of(&opened), opened.encryption);
        grant.covers(Action::PutObject)?;
        let state = self.bucket_of(grant)?;
        let key = self.key_of(&state, encryption.as_ref(), customer)?;
        let bucket = state.bucket.id;
        let cipher = encryption.zip(key).map(|(encryption, key)| Cipher { bucket, encryption, key });
        Ok(self.begin(grant, Destination::Part { upload, number }, length, cipher)?.in_class(class))
    }

    pub(super) fn begin(
        &self,
        grant: &Grant,
        destination: Destination,
        length: Option<u64>,
        cipher: Option<Cipher>,
    ) -> Result<ObjectWriter> {
        let is_made = matches!(destination, Destination::Object | Destination::Part { .. });
        if is_made && grant.key().len() > super::MAX_KEY {
            return Err(Error::InvalidKey);
        }
        let state = self.bucket_of(grant)?;
        self.begin_in(&state, grant, destination, length, cipher)
    }

    fn begin_in(
        &self,
        state: &BucketState,
        grant: &Grant,
        destination: Destination,
        length: Option<u64>,
        cipher: Option<Cipher>,
    ) -> Result<ObjectWriter> {
        let (bucket, key) = (state.bucket.id, grant.key());
        if cipher.as_ref().is_some_and(|cipher| cipher.bucket != bucket) {
            return Err(Error::NoSuchBucket);
        }
        if key.is_empty() {
            return Err(Error::InvalidKey);
        }
        if let Some(length) = length {
            self.expect_fits(state, key, &destination, length)?;
        }
        let small = usize::try_from(self.inner.small_limit).unwrap_or(usize::MAX);
        // Parts of an upload stay in one place, so completing it moves no bytes out of a journal.
        let limit = if destination.is_streamed() { 0 } else { small };
        let expected = usize::try_from(length.unwrap_or(0)).unwrap_or(small).min(small);
        Ok(ObjectWriter {
            store: self.inner.clone(),
            bucket,
            key: key.to_owned(),
            posix: Posix::of(grant.actor()),
            class: StorageClass::default(),
            destination,
            piece: 0,
            written: 0,
            buffer: BytesMut::with_capacity(expected),
            limit,
            cipher,
            streaming: None,
        })
    }
}

impl ObjectWriter {
    /// One for bytes that will be a piece of an object.
    pub(super) fn of_piece(store: Arc<Inner>, (bucket, key): (u32, &str), cipher: Option<Cipher>) -> Self {
        Self {
            store,
            bucket,
            key: key.to_owned(),
            posix: Posix::default(),
            class: StorageClass::default(),
            destination: Destination::Stream,
            piece: 0,
            written: 0,
            buffer: BytesMut::new(),
            limit: 0,
            cipher,
            streaming: None,
        }
    }

    /// Where the bytes are, durable, and the streams that must be held until something names them.
    pub(super) async fn into_streamed(mut self) -> Result<(Vec<Extent>, Vec<Lease>)> {
        self.end_stream().await?;
        let Some(streaming) = self.streaming.take() else { return Ok((Vec::new(), Vec::new())) };
        let store = self.store;
        blocking(move || streaming.finish(&store)).await
    }

    /// The same for what is kept as that storage class: where it streams, it streams to the class's pool. What it is called
    /// stands in the attributes. To be said before anything is written.
    #[must_use]
    pub fn in_class(mut self, class: StorageClass) -> Self {
        self.class = class;
        self
    }

    /// The same for an append that leaves a file the same one.
    #[must_use]
    pub fn extending_file(mut self) -> Self {
        if let Destination::Append(Appended { base: Some(base), .. }) = &mut self.destination {
            base.stays = true;
        }
        self
    }

    /// The same for a file of which is said when it changed.
    #[must_use]
    pub fn changed_at(mut self, mtime: Option<i64>) -> Self {
        self.destination.change_at(mtime);
        self
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// Too few drives, or no space.
    pub async fn write(&mut self, piece: Bytes) -> Result<()> {
        self.written += piece.len() as u64;
        if self.streaming.is_none() && self.buffer.len() + piece.len() <= self.limit {
            self.buffer.extend_from_slice(&piece);
            return Ok(());
        }
        if self.streaming.is_none() {
            self.begin_stream().await?;
        }
        self.begin_piece()?;
        let encryptor = self.streaming.as_mut().and_then(|streaming| streaming.encryptor.as_mut());
        let stored = match encryptor {
            Some(encryptor) => encryptor.push(&piece).map_err(unencrypted)?.into(),
            None => piece,
        };
        self.take(stored).await
    }

    /// Takes the next bytes that are stored.
    async fn take(&mut self, mut piece: Bytes) -> Result<()> {
        while !piece.is_empty() {
            let take = piece.len().min(self.limit.saturating_sub(self.buffer.len()));
            self.buffer.extend_from_slice(&piece.split_to(take));
            if self.buffer.len() == self.limit {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn begin_stream(&mut self) -> Result<()> {
        let store = self.store.clone();
        let pool = store.shared.pool_of(self.bucket, &self.key, self.class);
        let pool = pool.ok_or_else(|| Error::Unavailable("there is no pool".into()))?.number;
        let stream = blocking(move || store.streams.take(pool)).await?;
        self.limit = usize::try_from(UNIT).unwrap_or(1 << 20) * usize::from(stream.info.profile.data);
        self.buffer.reserve(self.limit - self.buffer.len().min(self.limit));
        let row = stream.next_row();
        self.streaming = Some(Streaming {
            encryptor: None,
            piece: self.piece,
            stream,
            full: Vec::new(),
            extents: Vec::new(),
            row,
            length: 0,
            hasher: blake3::Hasher::new(),
        });
        self.begin_piece()?;
        if let Some(encryptor) = self.streaming.as_mut().and_then(|streaming| streaming.encryptor.as_mut()) {
            let plain = self.buffer.split();
            self.buffer.extend_from_slice(&encryptor.push(&plain).map_err(unencrypted)?);
        }
        Ok(())
    }

    /// What encrypts the next piece, where none is being written.
    fn begin_piece(&mut self) -> Result<()> {
        let (Some(streaming), Some(cipher)) = (&mut self.streaming, &self.cipher) else { return Ok(()) };
        if streaming.encryptor.is_none() {
            let binding = binding(self.bucket, cipher, (Compression::Raw, 0));
            let nonces = self.store.keyring.nonces();
            streaming.encryptor = Some(Encryptor::new(cipher.key.clone(), binding, nonces).map_err(unencrypted)?);
        }
        Ok(())
    }

    /// Ends a piece of the content of a file: what is written from here on may change without what was written before.
    /// Does nothing where nothing was written since the last one ended, or what there is may yet be too small to stream.
    ///
    /// # Errors
    /// As [`Self::write`], or more pieces than there may be.
    pub async fn end_piece(&mut self) -> Result<()> {
        let is_in_pieces =
            matches!(self.destination, Destination::File(_) | Destination::Changed(..) | Destination::Stream);
        if !is_in_pieces || !self.streaming.as_ref().is_some_and(|streaming| streaming.has_begun(&self.buffer)) {
            return Ok(());
        }
        self.end_stream().await?;
        if let Some(streaming) = &mut self.streaming {
            streaming.close_extent();
            streaming.row = streaming.stream.next_row();
        }
        let next = self.piece + 1;
        if next > MAX_PARTS {
            return Err(Error::TooManyParts);
        }
        self.go_on_at(next);
        Ok(())
    }

    /// How many pieces there are, with the one that is being written.
    #[must_use]
    pub fn pieces(&self) -> u16 {
        let has_begun = match &self.streaming {
            Some(streaming) => streaming.has_begun(&self.buffer),
            None => !self.buffer.is_empty(),
        };
        self.piece + u16::from(has_begun)
    }

    pub(super) fn go_on_at(&mut self, piece: u16) {
        self.piece = piece;
        if let Some(streaming) = &mut self.streaming {
            streaming.piece = piece;
        }
    }

    /// What stays of the version that is changed.
    pub(super) fn kept(&mut self) -> Option<&mut Kept> {
        match &mut self.destination {
            Destination::Changed(_, kept) => Some(kept),
            _ => None,
        }
    }

    /// Writes what the buffer holds as one stripe.
    async fn flush(&mut self) -> Result<()> {
        let Some(mut streaming) = self.streaming.take() else { return Ok(()) };
        let mut buffer = std::mem::take(&mut self.buffer);
        let store = self.store.clone();
        let (streaming, buffer) = blocking(move || {
            let outcome = streaming.append(&store, &buffer);
            buffer.clear();
            outcome.map(|()| (streaming, buffer))
        })
        .await?;
        self.streaming = Some(streaming);
        self.buffer = buffer;
        Ok(())
    }

    /// Writes what is left of a streamed body.
    async fn end_stream(&mut self) -> Result<()> {
        if let Some(encryptor) = self.streaming.as_mut().and_then(|streaming| streaming.encryptor.take()) {
            self.take(encryptor.finish().map_err(unencrypted)?.into()).await?;
        }
        if self.streaming.is_some() && !self.buffer.is_empty() {
            self.flush().await?;
        }
        Ok(())
    }

    /// Makes the version durable on m+1 drives and visible, if the precondition holds; a part's has none.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`], no such bucket or upload any more, too few drives, or no space.
    pub async fn commit(mut self, mut attributes: Attributes, precondition: Precondition) -> Result<Version> {
        if let Some(cipher) = &self.cipher {
            attributes.etag.md5 = cipher.entity_tag(attributes.etag.md5);
        }
        // A part's is its upload's.
        attributes.encryption = match self.destination {
            Destination::Object | Destination::File(_) | Destination::Changed(..) | Destination::Append(_) => {
                self.cipher.as_ref().map(|cipher| cipher.encryption.clone())
            }
            Destination::Part { .. } | Destination::Stream => None,
        };
        let encoded = attributes.to_bytes()?;
        if self.destination.is_streamed() && self.streaming.is_none() && self.written > 0 {
            self.begin_stream().await?;
        }
        self.end_stream().await?;
        // In a task of its own: a client that goes away must not part the commit from the streams that it stands in.
        tokio::spawn(self.conclude(encoded, precondition)).await.map_err(|_| Error::ShuttingDown)?
    }

    async fn conclude(mut self, attributes: Vec<u8>, precondition: Precondition) -> Result<Version> {
        let size = self.written;
        let is_change = self.kept().is_some();
        let store = self.store;
        // Held until the commit is answered: then the claims on these streams are known.
        let mut held = Vec::new();
        let (body, (compression, dictionary)) = match self.streaming.take() {
            None if is_change => (Body::Streamed(Vec::new()), (Compression::Raw, 0)),
            None => {
                let plain = std::mem::take(&mut self.buffer).freeze();
                // A dictionary holds pieces of what it was trained from, as they are.
                if self.cipher.is_none() {
                    store.sampler.offer(self.bucket, &self.key, &plain);
                }
                let (stored, how) = store.packed(self.bucket, &self.key, plain);
                let stored = match &self.cipher {
                    Some(cipher) => {
                        let binding = binding(self.bucket, cipher, how);
                        let stored = crypto::encrypt(&cipher.key, binding, store.keyring.nonces(), &stored);
                        stored.map_err(unencrypted)?.into()
                    }
                    None => stored,
                };
                let hash = record_hash(&stored);
                (Body::Small { stored, hash }, how)
            }
            Some(streaming) => {
                let own = store.clone();
                let (extents, streams) = blocking(move || streaming.finish(&own)).await?;
                held = streams;
                (Body::Streamed(numbered(extents, is_change)), (Compression::Raw, 0))
            }
        };
        let key_id = self.cipher.as_ref().map_or(0, |cipher| cipher.encryption.key_id());
        let draft = Draft { size, compression, dictionary, key_id, posix: self.posix, attributes, body };
        let (bucket, key) = (self.bucket, self.key);
        let op = match self.destination {
            Destination::Object => Op::Put { bucket, key, draft, precondition },
            Destination::File(place) => {
                let beside = store.beside(bucket, &key)?;
                Op::Rewrite { bucket, key, place, draft, kept: None, beside }
            }
            Destination::Changed(place, kept) => {
                let beside = store.beside(bucket, &key)?;
                Op::Rewrite { bucket, key, place, draft, kept: Some(kept), beside }
            }
            Destination::Part { upload, number } => Op::PutPart { bucket, key, upload, number, draft },
            Destination::Append(appended) => {
                let (op, streams) = appended.into_op(&store, (bucket, key), draft, precondition, self.cipher).await?;
                held.extend(streams);
                op
            }
            Destination::Stream => return Err(Error::Unavailable("a piece that nothing names".into())),
        };
        let outcome = store.commit(op).await;
        drop(held);
        match outcome? {
            Outcome::Stored(row) => Version::from_row(&row, true),
            _ => Err(Error::Unavailable("an answer to something else".into())),
        }
    }
}

impl Inner {
    /// A small body compressed where that pays, and how: with its family's dictionary where there is one, which it names.
    fn packed(&self, bucket: u32, key: &str, plain: Bytes) -> (Bytes, (Compression, u32)) {
        let sent = plain.len();
        let fits = self.sampler.is_on() && (dictionary::LEAST..=dictionary::LARGEST).contains(&sent);
        let buckets = self.shared.buckets.load();
        let chosen = if fits { buckets.by_id(bucket).and_then(|state| state.dictionaries().choose(key)) } else { None };
        let packed = match chosen {
            Some(dictionary) => dictionary.shrink(&plain).map(|packed| (packed, dictionary.id)),
            None => shrink(&plain).map(|packed| (packed, 0)),
        };
        let (stored, how, method): (Bytes, _, _) = match packed {
            Some((packed, 0)) => (packed.into(), (Compression::Zstd, 0), Method::Zstd),
            Some((packed, id)) => (packed.into(), (Compression::Zstd, id), Method::Dictionary),
            None => (plain, (Compression::Raw, 0), Method::Raw),
        };
        self.compressed.note(method, sent, stored.len());
        (stored, how)
    }
}

/// The extents with the numbers of their pieces, from 1 on; 0 where one body is all there is.
fn numbered(extents: Vec<Extent>, is_change: bool) -> Vec<Extent> {
    let is_one_body = !is_change && extents.iter().all(|extent| extent.part == 0);
    let number = |part: u16| if is_one_body { 0 } else { part + 1 };
    extents.into_iter().map(|extent| Extent { part: number(extent.part), ..extent }).collect()
}

fn binding(bucket: u32, cipher: &Cipher, (compression, dictionary): (Compression, u32)) -> Binding {
    Binding { bucket, key_id: cipher.encryption.key_id(), compression: compression as u8, dictionary }
}

fn unencrypted(_: Unfit) -> Error {
    Error::Unavailable("the body can't be encrypted: the system gives no random bits, or it is too long".into())
}

impl Streaming {
    /// Whether something of the piece was written that comes next; `buffered` is what no stripe has yet.
    fn has_begun(&self, buffered: &[u8]) -> bool {
        self.length > 0 || self.encryptor.is_some() || !buffered.is_empty()
    }

    /// Appends one stripe; blocks.
    fn append(&mut self, store: &Inner, stripe: &[u8]) -> Result<()> {
        let hardware = &store.shared.hardware;
        if self.stream.is_full() {
            // With what pieces left in it that have ended.
            self.sync(store)?;
            if self.length > 0 {
                self.close_extent();
            }
            let next = store.streams.take(self.stream.info.pool)?;
            self.row = next.next_row();
            self.full.push(std::mem::replace(&mut self.stream, next));
        }
        self.hasher.update(stripe);
        self.length += stripe.len() as u64;
        let written = self.stream.write_stripe(hardware, stripe);
        self.stream.broken |= written.is_err();
        Ok(written?)
    }

    fn sync(&mut self, store: &Inner) -> Result<()> {
        let synced = self.stream.sync(&store.shared.hardware);
        self.stream.broken |= synced.is_err();
        Ok(synced?)
    }

    fn close_extent(&mut self) {
        let hash = truncate(&self.hasher.finalize());
        let (segment, offset, length) = (self.stream.info.id, self.row, self.length);
        self.extents.push(Extent { segment, offset, length, part: self.piece, claim: 0, hash });
        self.length = 0;
        self.hasher.reset();
    }

    /// Makes every stripe durable; blocks.
    fn finish(mut self, store: &Inner) -> Result<(Vec<Extent>, Vec<Lease>)> {
        self.sync(store)?;
        if self.length > 0 {
            self.close_extent();
        }
        self.full.push(self.stream);
        Ok((self.extents, self.full))
    }
}

/// Runs what may wait for a drive away from the threads that serve requests.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::ShuttingDown)?
}
