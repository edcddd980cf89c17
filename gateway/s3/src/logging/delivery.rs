//! Collecting lines, and putting them as objects.
//!
//! Concurrency: requests put lines into a bounded queue and never wait; one task takes them out, and owns everything
//! else. What finds the queue full is dropped and counted: logs of buckets are delivered as well as can be, as on AWS.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use md5::{Digest as _, Md5};
use packstone_access::{Action, Context, Grant, Identity, Kind, Name, Owner, Principal, Request, Resource};
use packstone_store::Store;
use packstone_store::object::{Attributes, BucketState, EncryptionRequest, Etag, Precondition, SystemHeader};
use time::{Date, OffsetDateTime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::destination::Destination;
use crate::encryption::Method;
use crate::face::Face;
use crate::front::Line;
use crate::permission::scope_of;
use crate::rules::Rules;
use crate::{acl, owner};

/// Lines that may wait for the task.
const QUEUE: usize = 8192;
/// A log object is delivered once it is as large as this, whatever its time.
const LARGEST: usize = 1 << 20;
/// The most bytes that wait to be delivered; beyond, everything is.
const MOST: usize = 32 << 20;
/// Who delivers.
const SERVICE: &str = "logging.s3.amazonaws.com";

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deliveries {
    pub delivered: u64,
    pub lost: u64,
}

#[derive(Default)]
struct Counters {
    delivered: AtomicU64,
    lost: AtomicU64,
}

enum Message {
    Line(Arc<Destination>, Arc<Line>),
    /// Everything is to be delivered now; told when it is.
    Flush(oneshot::Sender<()>),
}

/// Takes lines, and delivers them by and by.
#[derive(Clone)]
pub(crate) struct Delivery {
    queue: mpsc::Sender<Message>,
    counters: Arc<Counters>,
}

impl Delivery {
    /// Starts the task on the runtime that this is called within. It ends when the last [`Delivery`] is dropped.
    pub fn start(face: Face, interval: Duration) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let collector = Collector { face, interval, counters: counters.clone(), batches: HashMap::new(), held: 0 };
        tokio::spawn(collector.run(messages));
        Self { queue, counters }
    }

    pub fn counts(&self) -> Deliveries {
        Deliveries {
            delivered: self.counters.delivered.load(Ordering::Relaxed),
            lost: self.counters.lost.load(Ordering::Relaxed),
        }
    }

    /// Takes a line, unless too many wait.
    pub fn take(&self, destination: Arc<Destination>, line: Arc<Line>) {
        if self.queue.try_send(Message::Line(destination, line)).is_err() {
            self.counters.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Delivers everything that was taken until now.
    pub async fn flush(&self) {
        let (told, done) = oneshot::channel();
        if self.queue.send(Message::Flush(told)).await.is_ok() {
            let _ = done.await;
        }
    }
}

/// Lines that will be one object.
struct Batch {
    text: String,
    lines: u64,
    due: Instant,
}

struct Collector {
    face: Face,
    interval: Duration,
    counters: Arc<Counters>,
    batches: HashMap<(Arc<Destination>, Option<Date>), Batch>,
    /// Bytes in them.
    held: usize,
}

impl Collector {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        loop {
            let due = self.batches.values().map(|batch| batch.due).min();
            let message = match due {
                None => messages.recv().await,
                Some(due) => match tokio::time::timeout_at(due, messages.recv()).await {
                    Ok(message) => message,
                    Err(_) => {
                        self.deliver_due(Instant::now()).await;
                        continue;
                    }
                },
            };
            match message {
                Some(Message::Line(destination, line)) => self.take(destination, &line).await,
                Some(Message::Flush(done)) => {
                    self.deliver_all().await;
                    let _ = done.send(());
                }
                None => return self.deliver_all().await,
            }
        }
    }

    async fn take(&mut self, destination: Arc<Destination>, line: &Line) {
        let key = (destination.clone(), destination.day(line.ended()));
        let due = Instant::now() + self.interval;
        let batch = self.batches.entry(key.clone()).or_insert_with(|| Batch { text: String::new(), lines: 0, due });
        let before = batch.text.len();
        line.format(&mut batch.text);
        batch.lines += 1;
        self.held += batch.text.len() - before;
        if batch.text.len() >= LARGEST {
            if let Some(batch) = self.batches.remove(&key) {
                self.deliver(&key.0, key.1, batch).await;
            }
        } else if self.held >= MOST {
            self.deliver_all().await;
        }
    }

    async fn deliver_due(&mut self, now: Instant) {
        let due: Vec<_> =
            self.batches.iter().filter(|(_, batch)| batch.due <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            if let Some(batch) = self.batches.remove(&key) {
                self.deliver(&key.0, key.1, batch).await;
            }
        }
    }

    async fn deliver_all(&mut self) {
        for ((destination, day), batch) in std::mem::take(&mut self.batches) {
            self.deliver(&destination, day, batch).await;
        }
    }

    async fn deliver(&mut self, destination: &Destination, day: Option<Date>, batch: Batch) {
        let Batch { text, lines, .. } = batch;
        self.held = self.held.saturating_sub(text.len());
        let counter = match self.put(destination, day, text).await {
            Ok(()) => &self.counters.delivered,
            Err(reason) => {
                let (source, target) = (&*destination.source, &*destination.bucket);
                tracing::warn!(source, target, lines, reason, "access log lines could not be delivered");
                &self.counters.lost
            }
        };
        counter.fetch_add(lines, Ordering::Relaxed);
    }

    async fn put(&self, destination: &Destination, day: Option<Date>, text: String) -> Result<(), String> {
        let now = OffsetDateTime::now_utc();
        let key = destination.key(&self.face.region, day, now, &unique(now)?);
        let store = &self.face.store;
        let state = store.bucket_state(&destination.bucket).ok_or("the target bucket is gone")?;
        let grant = leave(&state, destination, &key)?;
        let attributes = Attributes {
            etag: Etag { md5: Md5::digest(&text).into(), parts: 0 },
            headers: vec![(SystemHeader::ContentType, "text/plain".to_owned())],
            acl: destination.acl.clone().filter(|encoded| may_stand(encoded, &Rules::of(&state))),
            ..Attributes::default()
        };
        let put = write(store, &grant, text.into(), attributes, Rules::of(&state).encryption.is_some());
        put.await.map_err(|error| error.to_string())
    }
}

/// What tells a log object from others: microseconds of its delivery, so that log objects list in the order in which
/// they were delivered, also those of one second; then three random digits, for other nodes and clocks set back.
fn unique(now: OffsetDateTime) -> Result<String, String> {
    let mut random = [0; 2];
    getrandom::fill(&mut random).map_err(|error| error.to_string())?;
    let random = u16::from_le_bytes(random) & 0xFFF;
    Ok(format!("{:013X}{random:03X}", now.unix_timestamp_nanos() / 1_000))
}

/// Whether an ACL counts in the target bucket, and its public access block lets it stand.
fn may_stand(encoded: &[u8], rules: &Rules) -> bool {
    rules.has_acls() && acl::decode(encoded).is_some_and(|acl| !rules.block.refuses_acl(&acl))
}

async fn write(
    store: &Store,
    grant: &Grant,
    body: Bytes,
    attributes: Attributes,
    encrypts: bool,
) -> Result<(), packstone_store::Error> {
    let cipher = if encrypts { Some(store.cipher(grant, EncryptionRequest::Managed).await?) } else { None };
    let mut writer = store.writer(grant, Some(body.len() as u64), cipher)?;
    writer.write(body).await?;
    writer.commit(attributes, Precondition::default()).await.map(drop)
}

/// Leave to put a log object: by the bucket's policy for the service, or by its ACL for the group.
pub(crate) fn leave(state: &BucketState, destination: &Destination, key: &str) -> Result<Grant, String> {
    if state.default_retention().is_some() {
        return Err("the target bucket has a default retention".to_owned());
    }
    let rules = Rules::of(state);
    if rules.encryption_unread || matches!(rules.encryption, Some(Method::Kms(_))) {
        return Err("the target bucket's default encryption isn't SSE-S3".to_owned());
    }
    if rules.broken {
        return Err("what the target bucket says of access can't be read".to_owned());
    }
    let nobody = Owner { account: Box::from(""), canonical_id: Box::from("") };
    let identity = Arc::new(Identity::new(Principal::new(Kind::Service { name: SERVICE.into() }, nobody)));
    let facts = Context::new()
        .with(Name::SourceArn, &format!("arn:aws:s3:::{}", destination.source))
        .with(Name::SourceAccount, owner::ACCOUNT)
        .with(Name::SecureTransport, "true");
    let resource = Resource::Object { bucket: &state.bucket.name, key };
    let request =
        Request { identity: &identity, action: Action::PutObject, resource, facts: &facts, scope: scope_of(&rules) };
    request.grant().map_err(|refusal| refusal.because(Action::PutObject.name()))
}
