//! Taking a body: small ones whole to the journal, large ones in stripes to a stream.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use packstone_access::{Action, Grant};

use super::{Attributes, Precondition, UploadId, Version};
use crate::checksum::{record_hash, truncate};
use crate::codec::Writer;
use crate::commit::{Body, Draft, Op, Outcome};
use crate::compression::shrink;
use crate::error::{Error, Result};
use crate::object::attributes::MAX_ENCODED;
use crate::record::{Compression, Extent};
use crate::segment::stream::OpenStream;
use crate::segment::stripe::UNIT;
use crate::store::{Inner, Store};

/// Where a body will belong.
#[derive(Debug)]
enum Destination {
    Object,
    Part { upload: UploadId, number: u16 },
}

/// Takes a body piece by piece. Holds at most one stripe in memory; dropped without a commit it leaves nothing that
/// anything names.
#[derive(Debug)]
pub struct ObjectWriter {
    store: Arc<Inner>,
    bucket: u32,
    key: String,
    destination: Destination,
    written: u64,
    buffer: BytesMut,
    /// Bytes that the buffer holds before they are streamed.
    limit: usize,
    streaming: Option<Streaming>,
}

/// A body that has outgrown the journal.
#[derive(Debug)]
struct Streaming {
    /// `None` while a stripe is being written, and for good when that failed.
    stream: Option<OpenStream>,
    /// Streams that were full before the body ended, and its extents in them. They are held until the commit: one that is
    /// sealed before its bytes are claimed has no claims, and is erased.
    full: Vec<OpenStream>,
    extents: Vec<Extent>,
    /// The extent that grows.
    row: u64,
    length: u64,
    hasher: blake3::Hasher,
}

impl Store {
    /// Begins a PUT. Nothing is visible until [`ObjectWriter::commit`].
    ///
    /// # Errors
    /// No such bucket, a key that can't be, or a grant for something else.
    pub fn writer(&self, grant: &Grant, length: Option<u64>) -> Result<ObjectWriter> {
        grant.covers(Action::PutObject)?;
        self.begin(grant, Destination::Object, length)
    }

    /// Begins a part of an open upload. Of its attributes only ETag and checksum count; a part of the same number
    /// gives way to it.
    ///
    /// # Errors
    /// As [`Self::writer`], or no such upload.
    pub fn part_writer(
        &self,
        grant: &Grant,
        upload: UploadId,
        number: u16,
        length: Option<u64>,
    ) -> Result<ObjectWriter> {
        grant.covers(Action::PutObject)?;
        self.upload_row(grant, upload)?;
        self.begin(grant, Destination::Part { upload, number }, length)
    }

    fn begin(&self, grant: &Grant, destination: Destination, length: Option<u64>) -> Result<ObjectWriter> {
        let bucket = self.bucket_of(grant)?.id;
        let key = grant.key();
        if key.is_empty() || key.len() > super::MAX_KEY {
            return Err(Error::InvalidKey);
        }
        let small = usize::try_from(self.inner.small_limit).unwrap_or(usize::MAX);
        // Parts of an upload stay in one place, so completing it moves no bytes out of a journal.
        let limit = match destination {
            Destination::Object => small,
            Destination::Part { .. } => 0,
        };
        let expected = usize::try_from(length.unwrap_or(0)).unwrap_or(small).min(small);
        Ok(ObjectWriter {
            store: self.inner.clone(),
            bucket,
            key: key.to_owned(),
            destination,
            written: 0,
            buffer: BytesMut::with_capacity(expected),
            limit,
            streaming: None,
        })
    }
}

impl ObjectWriter {
    /// Bytes taken so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// Too few drives, or no space.
    pub async fn write(&mut self, mut piece: Bytes) -> Result<()> {
        self.written += piece.len() as u64;
        if self.streaming.is_none() && self.buffer.len() + piece.len() <= self.limit {
            self.buffer.extend_from_slice(&piece);
            return Ok(());
        }
        if self.streaming.is_none() {
            self.begin_stream().await?;
        }
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
        let stream = blocking(move || store.streams.take()).await?;
        self.limit = usize::try_from(UNIT).unwrap_or(1 << 20) * usize::from(stream.info.profile.data);
        self.buffer.reserve(self.limit - self.buffer.len().min(self.limit));
        let row = stream.next_row();
        self.streaming = Some(Streaming {
            stream: Some(stream),
            full: Vec::new(),
            extents: Vec::new(),
            row,
            length: 0,
            hasher: blake3::Hasher::new(),
        });
        Ok(())
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

    /// Makes the version durable on m+1 drives and visible, if the precondition holds; a part's has none.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`], no such bucket or upload any more, too few drives, or no space.
    pub async fn commit(mut self, attributes: Attributes, precondition: Precondition) -> Result<Version> {
        let mut encoded = Writer::default();
        attributes.encode(&mut encoded);
        if encoded.len() > MAX_ENCODED {
            return Err(Error::AttributesTooLarge(encoded.len()));
        }
        let is_part = matches!(self.destination, Destination::Part { .. });
        if is_part && self.streaming.is_none() && self.written > 0 {
            self.begin_stream().await?;
        }
        if self.streaming.is_some() && !self.buffer.is_empty() {
            self.flush().await?;
        }
        let size = self.written;
        let store = self.store.clone();
        // The streams are given back only after the commit: then the claims of its bytes are known.
        let (body, compression, streams) = match self.streaming.take() {
            None => {
                let (body, compression) = small_body(std::mem::take(&mut self.buffer).freeze());
                (body, compression, Vec::new())
            }
            Some(streaming) => {
                let own = store.clone();
                let (extents, streams) = blocking(move || streaming.finish(&own)).await?;
                (Body::Streamed(extents), Compression::Raw, streams)
            }
        };
        let draft = Draft { size, compression, attributes: encoded.0, body };
        let (bucket, key) = (self.bucket, std::mem::take(&mut self.key));
        let op = match self.destination {
            Destination::Object => Op::Put { bucket, key, draft, precondition },
            Destination::Part { upload, number } => Op::PutPart { bucket, key, upload, number, draft },
        };
        let outcome = store.queue.commit(op).await;
        streams.into_iter().for_each(|stream| store.streams.give(stream));
        match outcome? {
            Outcome::Record(record) => Version::from_record(&record),
            Outcome::Done | Outcome::Bucket(_) | Outcome::Moved(_) => {
                Err(Error::Unavailable("an answer to something else".into()))
            }
        }
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let Some(mut streaming) = self.streaming.take() {
            streaming.give_back(&self.store);
        }
    }
}

fn small_body(plain: Bytes) -> (Body, Compression) {
    match shrink(&plain) {
        Some(packed) => {
            let hash = record_hash(&packed);
            (Body::Small { stored: packed.into(), hash }, Compression::Zstd)
        }
        None => {
            let hash = record_hash(&plain);
            (Body::Small { stored: plain, hash }, Compression::Raw)
        }
    }
}

impl Streaming {
    /// Gives up what the body holds, with nothing of it claimed.
    fn give_back(&mut self, store: &Inner) {
        self.full.drain(..).chain(self.stream.take()).for_each(|stream| store.streams.give(stream));
    }

    /// Appends one stripe; blocks.
    fn append(&mut self, store: &Inner, stripe: &[u8]) -> Result<()> {
        let outcome = self.try_append(store, stripe);
        if outcome.is_err() {
            self.give_back(store);
        }
        outcome
    }

    fn try_append(&mut self, store: &Inner, stripe: &[u8]) -> Result<()> {
        let hardware = &store.shared.hardware;
        let mut stream = self.stream.take().ok_or(Error::ShuttingDown)?;
        if stream.next_row() * stream.info.profile.shards() as u64 >= store.stream_size && self.length > 0 {
            if let Err(error) = stream.sync(hardware) {
                store.streams.retire(stream);
                return Err(error.into());
            }
            self.close_extent(stream.info.id);
            self.full.push(stream);
            stream = store.streams.take()?;
            self.row = stream.next_row();
        }
        self.hasher.update(stripe);
        self.length += stripe.len() as u64;
        match stream.write_stripe(hardware, stripe) {
            Ok(()) => {
                self.stream = Some(stream);
                Ok(())
            }
            Err(error) => {
                store.streams.retire(stream);
                Err(error.into())
            }
        }
    }

    fn close_extent(&mut self, segment: u64) {
        let hash = truncate(&self.hasher.finalize());
        self.extents.push(Extent { segment, offset: self.row, length: self.length, part: 0, hash });
        self.length = 0;
        self.hasher.reset();
    }

    /// Makes every stripe durable; blocks.
    fn finish(mut self, store: &Inner) -> Result<(Vec<Extent>, Vec<OpenStream>)> {
        let mut stream = self.stream.take().ok_or(Error::ShuttingDown)?;
        if let Err(error) = stream.sync(&store.shared.hardware) {
            store.streams.retire(stream);
            self.give_back(store);
            return Err(error.into());
        }
        self.close_extent(stream.info.id);
        self.full.push(stream);
        Ok((self.extents, self.full))
    }
}

/// Runs what may wait for a drive away from the threads that serve requests.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::ShuttingDown)?
}
