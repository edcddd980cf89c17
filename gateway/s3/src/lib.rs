//! The S3 face of Packstone: a [`Server`] that speaks S3 over a store.
//!
//! A request goes through [`front`] (listening, time-outs, what a signature must cover, the form of errors), through
//! `s3s` (which verifies the signature, decodes and encodes), to one file per verb family here, and on to
//! `packstone_store`.
//!
//! `s3s` logs every refused request as an error, under targets that begin with [`QUIET_TARGET`]; whoever installs a
//! log leaves that target out, since the front says itself what is worth saying.

mod acl;
mod asker;
mod backup;
mod body;
mod bound_policy;
mod bucket;
mod checksum;
mod condition;
mod detail;
mod digest;
mod encryption;
mod error;
mod etag;
mod explanation;
mod face;
mod facts;
pub mod front;
mod headers;
mod iam;
pub mod identity;
mod lock;
mod logging;
mod mount;
mod number;
mod object;
mod oidc;
mod owner;
mod permission;
mod quota;
mod remote_mount;
mod rules;
mod tags;
#[cfg(any(test, feature = "fuzzing"))]
pub mod trial;
#[cfg(test)]
mod trial_store;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use packstone_posix::{Authority, EncryptionRule, Service};
use packstone_store::Store;
use tokio::runtime::Handle;

pub use backup::{BackupError, Restored};
pub use front::{Counts, Settings, StartError, TlsFiles};
pub use identity::{MasterKey, PreviousRoot};
pub use quota::QuotaError;

use backup::Backup;
use explanation::Explanation;
use face::Face;
use front::{Collaborators, Front};
use iam::Iam;
use identity::{Directory, KeyRing};
use logging::{Delivery, Known};
use oidc::{Fetch, Keyring, NoAuthorities};
use remote_mount::Mounts;

/// How long the last lines of access logs may take to be delivered, after the last request.
const LAST_DELIVERY: Duration = Duration::from_secs(10);
/// The target under which `s3s` logs, to be left out of any log.
pub const QUIET_TARGET: &str = "s3s";

/// An S3 server over one store.
pub struct Server {
    front: Front,
    explanation: Explanation,
    store: Store,
    ring: KeyRing,
    backup: Backup,
    delivery: Delivery,
    face: Face,
    mounts: Arc<Mounts>,
}

impl Server {
    /// Listens, and serves `store` on the runtime of `handle` from then on.
    ///
    /// # Errors
    /// [`StartError`], before anything was served: each is something that the operator can mend.
    pub fn start(settings: &Settings, master: MasterKey, store: Store, handle: &Handle) -> Result<Self, StartError> {
        let fetch = Fetch::new(settings.issuer_authorities.as_deref());
        let fetch = fetch.map_err(|NoAuthorities { path, reason }| StartError::Authorities { path, reason })?;
        let ring = KeyRing::new(&settings.access_key, &settings.secret_key, Arc::new(master));
        ring.set_root(&settings.access_key, &settings.secret_key, settings.previous_root.clone());
        let directory = Directory::open(store.clone(), ring.clone())?;
        let backup = Backup::new(store.clone(), directory.clone());
        let object_ownership = settings.object_ownership;
        let region = settings.region.as_str().into();
        let face = Face { store: store.clone(), ring: ring.clone(), region, object_ownership };
        let _within = handle.enter();
        let delivery = Delivery::start(face.clone(), settings.log_interval);
        let mounts = Arc::new(Mounts::new(face.clone()));
        let collaborators = Collaborators {
            api: Some(Arc::new(Iam::new(directory, Keyring::new(fetch)))),
            buckets: Some(Arc::new(Known { face: face.clone(), delivery: delivery.clone() })),
            door: Some(Arc::new(face.clone())),
            mounts: Some(mounts.clone()),
        };
        let explanation = Explanation::new(face.clone(), ring.clone());
        let front = Front::start_with(face.clone(), ring.clone(), collaborators, settings, handle)?;
        Ok(Self { front, explanation, store, ring, backup, delivery, face, mounts })
    }

    /// The address that it listens on, with the port that it was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// Changes the root credentials, for every request from now on, and takes `previous` beside them.
    pub fn set_root(&self, access_key: &str, secret_key: &str, previous: Option<PreviousRoot>) {
        self.front.set_root(access_key, secret_key, previous);
    }

    /// Reads certificate and key again. Without TLS there is nothing to do.
    ///
    /// # Errors
    /// [`StartError::Certificate`]; the old certificate stays in force.
    pub fn reload_tls(&self) -> Result<(), StartError> {
        self.front.reload_tls()
    }

    /// Which statement decides whether a user may do something, in one line.
    ///
    /// # Errors
    /// What can't be made sense of, in one line.
    pub fn explain(&self, user: &str, action: &str, resource: &str) -> Result<String, String> {
        self.explanation.explain(user, action, resource)
    }

    /// Buckets with their configurations, and all identities, as a text that [`Self::restore`] takes. It holds the
    /// secrets of access keys in the clear.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn configuration(&self) -> Result<String, BackupError> {
        self.backup.take()
    }

    /// Puts such a text on a node that has neither buckets nor identities, or ends a restore of it that was cut off.
    ///
    /// # Errors
    /// [`BackupError`].
    pub async fn restore(&self, configuration: &str) -> Result<Restored, BackupError> {
        self.backup.restore(configuration).await
    }

    /// What buckets encrypt with by default, for faces whose requests never say it.
    #[must_use]
    pub fn encryption_rule(&self) -> Box<EncryptionRule> {
        let face = self.face.clone();
        Box::new(move |bucket| face.default_encryption(bucket))
    }

    /// Who may do what, for faces whose requests nobody signs.
    #[must_use]
    pub fn authority(&self) -> Box<dyn Authority> {
        Box::new(self.face.clone())
    }

    /// Has `service` serve files to mounts on other machines, which come by the address of S3.
    pub fn mount_by(&self, service: Arc<Service>) {
        self.mounts.serve(service);
    }

    /// What was counted until now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let lines = self.delivery.counts();
        Counts { lines_delivered: lines.delivered, lines_lost: lines.lost, ..self.front.counts() }
    }

    /// Accepts no more requests and waits until those under way have ended; what is still busy after `timeout` is
    /// dropped. Answers whether nothing was. Lines of access logs are delivered then.
    pub async fn drain(&self, timeout: Duration) -> bool {
        let all = self.front.drain(timeout).await;
        if tokio::time::timeout(LAST_DELIVERY, self.delivery.flush()).await.is_err() {
            tracing::warn!("access log lines of buckets could not be delivered in time");
        }
        all
    }
}
