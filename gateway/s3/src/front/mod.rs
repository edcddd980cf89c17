//! The front: our own HTTP service around `s3s`, which decodes and encodes S3.
//!
//! The front owns what happens to a request before it is S3 and after: listening, time-outs, TLS, request ids, hosts,
//! what a signature must cover, refusing what isn't served, the form of errors, the access log, counters, draining.
//! It serves any implementation of [`s3s::S3`].
//!
//! Concurrency: one task accepts, one task serves each connection, and they share nothing that waits: settings don't
//! change, keys and the certificate are swapped whole, counters are atomics, the access log is a queue. The
//! phase (serving, draining, ended) goes one way, from [`Front::drain`] to every task; a front has drained when no
//! task holds a receiver of it any more.

mod access_log;
mod ambiguity;
mod answer;
mod canonical;
mod chunks;
pub(crate) mod cors;
mod counters;
mod features;
mod fields;
mod form;
mod host;
mod ids;
mod inflow;
mod line;
mod listener;
mod message;
mod named;
mod operation;
mod outflow;
mod pace;
mod query;
pub(crate) mod query_api;
pub(crate) mod refusal;
mod route;
mod service;
mod signature;
mod tls;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod trial;
pub(crate) mod upgrade;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use packstone_access::ObjectOwnership;
use s3s::access::{S3Access, S3AccessContext};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;

pub use counters::{Counts, LATENCY_BOUNDS, Outcome, VerbCounts};
pub use inflow::{Fault, Inflow};
pub use message::of as message_of;
pub use route::Verb;

use crate::asker::Arrival;
use crate::error::access_denied;
use crate::identity::{DirectoryError, KeyRing, PreviousRoot};
use access_log::AccessLog;
use counters::Counters;
use host::Domains;
use listener::{Listener, Phase};
use service::Service;
use tls::Tls;

pub(crate) use answer::OVERSIZED;
pub(crate) use line::Line;
pub(crate) use service::Collaborators;

/// The largest document that a request may bring, in bytes: a thousand keys to delete, every character of them
/// escaped, or the checksums of ten thousand parts.
const LARGEST_DOCUMENT: usize = 8 << 20;

/// How the front listens and whom it knows.
#[derive(Clone)]
pub struct Settings {
    /// `HOST:PORT`; port 0 takes any that is free.
    pub address: String,
    pub access_key: String,
    pub secret_key: String,
    /// Root credentials that these have replaced.
    pub previous_root: Option<PreviousRoot>,
    pub region: String,
    /// Domains under which buckets are addressed as `bucket.domain`.
    pub domains: Vec<String>,
    /// What a bucket has that is made without naming any.
    pub object_ownership: ObjectOwnership,
    pub tls: Option<TlsFiles>,
    /// Where to write a line for each request, if anywhere.
    pub access_log: Option<PathBuf>,
    /// How long lines of buckets that are logged are collected before they are delivered.
    pub log_interval: Duration,
    /// Authorities, in PEM, that identity providers' certificates may come from beside those of the system.
    pub issuer_authorities: Option<PathBuf>,
    /// How long a client may take to send its headers, to begin its next request, or to shake hands.
    pub header_timeout: Duration,
    /// How long a client may send nothing of a body, or take nothing of an answer.
    pub body_timeout: Duration,
    /// Threads of [`Settings::runtime`]; 0 for one a core.
    pub threads: usize,
}

/// A certificate chain and its key, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Settings {
    /// Settings with every choice left at its default.
    #[must_use]
    pub fn new(address: &str, access_key: &str, secret_key: &str) -> Self {
        Self {
            address: address.into(),
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            previous_root: None,
            region: "us-east-1".into(),
            domains: Vec::new(),
            object_ownership: ObjectOwnership::default(),
            tls: None,
            access_log: None,
            log_interval: Duration::from_secs(300),
            issuer_authorities: None,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            threads: 0,
        }
    }

    /// A runtime with as many threads as asked for.
    ///
    /// # Errors
    /// When the threads can't be had.
    pub fn runtime(&self) -> io::Result<Runtime> {
        let mut builder = Builder::new_multi_thread();
        if self.threads > 0 {
            builder.worker_threads(self.threads);
        }
        builder.thread_name("s3").enable_all().build()
    }
}

/// All but the secret keys.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("address", &self.address)
            .field("access_key", &self.access_key)
            .field("region", &self.region)
            .field("domains", &self.domains)
            .field("object_ownership", &self.object_ownership)
            .field("tls", &self.tls)
            .field("access_log", &self.access_log)
            .field("log_interval", &self.log_interval)
            .field("issuer_authorities", &self.issuer_authorities)
            .field("header_timeout", &self.header_timeout)
            .field("body_timeout", &self.body_timeout)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// Why a front could not start. Each is something that the operator can mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{address} is in use by another process: stop it, or choose another address")]
    AddressInUse { address: String },
    #[error("can't listen on {address}: {source}")]
    Address { address: String, source: io::Error },
    #[error("can't use the certificate: {path}: {reason}")]
    Certificate { path: PathBuf, reason: String },
    #[error("can't write the access log {path}: {source}")]
    AccessLog { path: PathBuf, source: io::Error },
    #[error("can't use the authorities of identity providers: {path}: {reason}")]
    Authorities { path: PathBuf, reason: String },
    #[error("can't read users and policies: {0}")]
    Identities(#[from] DirectoryError),
}

/// A front that serves.
pub struct Front {
    address: SocketAddr,
    ring: KeyRing,
    tls: Option<Arc<Tls>>,
    counters: Arc<Counters>,
    phase: watch::Sender<Phase>,
}

impl Front {
    /// Listens, and serves `s3` on the runtime of `handle` from then on, to those whose keys are on `ring`.
    ///
    /// # Errors
    /// [`StartError`], before anything was served.
    pub fn start(s3: impl S3 + Clone, ring: KeyRing, settings: &Settings, handle: &Handle) -> Result<Self, StartError> {
        Self::start_with(s3, ring, Collaborators::default(), settings, handle)
    }

    /// As [`Self::start`], with others that answer what is no verb of S3.
    pub(crate) fn start_with(
        s3: impl S3 + Clone,
        ring: KeyRing,
        collaborators: Collaborators,
        settings: &Settings,
        handle: &Handle,
    ) -> Result<Self, StartError> {
        let tls = match &settings.tls {
            Some(files) => Some(Arc::new(Tls::load(&files.certificate, &files.key)?)),
            None => None,
        };
        let log = match &settings.access_log {
            Some(path) => {
                Some(AccessLog::open(path).map_err(|source| StartError::AccessLog { path: path.clone(), source })?)
            }
            None => None,
        };
        let counters = Arc::new(Counters::default());
        let domains = Domains::new(&settings.domains);
        let verbs: Arc<dyn S3> = Arc::new(s3.clone());
        let s3 = (s3_service(s3, ring.clone(), collaborators.door.clone(), &domains), verbs);
        let service = Service::new(s3, collaborators, ring.clone(), domains, log, &counters, settings);
        let (phase, receiver) = watch::channel(Phase::Serving);
        let _within = handle.enter();
        let listener = Listener::bind(settings, Arc::new(service), tls.clone())?;
        let address = listener.address();
        handle.spawn(listener.accept(receiver));
        Ok(Self { address, ring, tls, counters, phase })
    }

    /// The address that it listens on, with the port that it was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the root credentials, for every request from now on, and takes `previous` beside them.
    pub fn set_root(&self, access_key: &str, secret_key: &str, previous: Option<PreviousRoot>) {
        self.ring.set_root(access_key, secret_key, previous);
    }

    /// Reads certificate and key again. Without TLS there is nothing to do.
    ///
    /// # Errors
    /// [`StartError::Certificate`]; the old certificate stays in force.
    pub fn reload_tls(&self) -> Result<(), StartError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// What was counted until now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.snapshot()
    }

    /// Accepts no more connections and no more requests, and waits until those under way have ended. Connections
    /// that are still busy after `timeout` are dropped. Answers whether there were none.
    pub async fn drain(&self, timeout: Duration) -> bool {
        self.phase.send_replace(Phase::Draining);
        if tokio::time::timeout(timeout, self.phase.closed()).await.is_ok() {
            return true;
        }
        self.phase.send_replace(Phase::Ended);
        self.phase.closed().await;
        false
    }
}

/// What is said of a bucket that every request to it must know.
pub(crate) struct Standing {
    pub sharing: cors::Sharing,
    /// Who takes the line of the request, if it is to be logged.
    pub recorder: Option<Box<dyn Recorder>>,
}

/// Who knows what is said of buckets.
pub(crate) trait Buckets: Send + Sync + 'static {
    fn standing(&self, bucket: &str) -> Standing;
}

/// Takes lines, and never waits.
pub(crate) trait Recorder: Send + Sync + 'static {
    fn record(&self, line: Arc<Line>);
}

/// What is asked before a request reaches its verb.
#[async_trait::async_trait]
pub(crate) trait Door: Send + Sync + 'static {
    /// Whether its rules might let in somebody who didn't sign.
    fn may_be_open(&self, bucket: &str) -> bool;

    /// Whether anything was told of that the index is to know only in a moment.
    fn are_arrivals(&self) -> bool;

    /// Waits for that, of a key, of a bucket, or of all.
    async fn await_arrivals(&self, bucket: Option<&str>, key: Option<&str>);
}

/// Headers by which a request names a second object.
const SOURCES: [&str; 2] = ["x-amz-copy-source", "x-amz-rename-source"];

/// Who may do what is decided by each verb, which knows what it acts on. Whoever comes here with credentials has proven
/// them. But documents are read whole before the verb
/// sees them: none is taken from somebody who didn't sign, unless the bucket might let them in.
struct VerbsDecide(Option<Arc<dyn Door>>);

#[async_trait::async_trait]
impl S3Access for VerbsDecide {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let signed = context.credentials().is_some();
        if signed && let Some(arrival) = context.extensions_mut().get::<Arc<Arrival>>() {
            arrival.verify();
        }
        let Some(door) = &self.0 else { return Ok(()) };
        if door.are_arrivals() {
            let (bucket, key) = (context.s3_path().get_bucket_name(), context.s3_path().get_object_key());
            let (bucket, key) = (bucket.map(str::to_owned), key.map(str::to_owned));
            let names_another = SOURCES.iter().any(|source| context.headers().contains_key(*source));
            door.await_arrivals(bucket.as_deref().filter(|_| !names_another), key.as_deref()).await;
        }
        let bucket = context.s3_path().get_bucket_name().unwrap_or_default().to_owned();
        let takes_document = context.extensions_mut().get::<Verb>().is_some_and(|verb| verb.takes_document());
        if signed || !takes_document || door.may_be_open(&bucket) {
            return Ok(());
        }
        Err(access_denied())
    }
}

fn s3_service(s3: impl S3, ring: KeyRing, door: Option<Arc<dyn Door>>, domains: &Domains) -> s3s::service::S3Service {
    let mut builder = S3ServiceBuilder::new(s3);
    builder.set_auth(ring);
    builder.set_access(VerbsDecide(door));
    // Without domains s3s has no host to parse, which spares every request an attempt.
    if !domains.is_empty() {
        builder.set_host(domains.clone());
    }
    let mut config = S3Config::default();
    config.xml_max_body_size = LARGEST_DOCUMENT;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    builder.build()
}
