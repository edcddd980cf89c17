//! The S3 face of Packstone: a [`Server`] that speaks S3 over a store.
//!
//! A request goes through [`front`] (listening, time-outs, what a signature must cover, the form of errors), through
//! `s3s` (which verifies the signature, decodes and encodes), to one file per verb family here, and on to
//! `packstone_store`.
//!
//! `s3s` logs every refused request as an error, under targets that begin with [`QUIET_TARGET`]; whoever installs a
//! log leaves that target out, since the front says itself what is worth saying.

mod asker;
mod body;
mod bucket;
mod checksum;
mod condition;
mod digest;
mod error;
mod etag;
mod face;
pub mod front;
mod headers;
mod lock;
mod number;
mod object;
mod owner;
mod tags;
#[cfg(any(test, feature = "fuzzing"))]
pub mod trial;

use std::net::SocketAddr;
use std::time::Duration;

use packstone_store::Store;
use tokio::runtime::Handle;

pub use front::{Counts, Settings, StartError, TlsFiles};

use face::Face;
use front::Front;

/// The target under which `s3s` logs, to be left out of any log.
pub const QUIET_TARGET: &str = "s3s";

/// An S3 server over one store.
pub struct Server(Front);

impl Server {
    /// Listens, and serves `store` on the runtime of `handle` from then on.
    ///
    /// # Errors
    /// [`StartError`], before anything was served: each is something that the operator can mend.
    pub fn start(settings: &Settings, store: Store, handle: &Handle) -> Result<Self, StartError> {
        let face = Face { store, region: settings.region.as_str().into() };
        Front::start(face, settings, handle).map(Self)
    }

    /// The address that it listens on, with the port that it was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Changes the root credentials, for every request from now on.
    pub fn set_root(&self, access_key: &str, secret_key: &str) {
        self.0.set_root(access_key, secret_key);
    }

    /// Reads certificate and key again. Without TLS there is nothing to do.
    ///
    /// # Errors
    /// [`StartError::Certificate`]; the old certificate stays in force.
    pub fn reload_tls(&self) -> Result<(), StartError> {
        self.0.reload_tls()
    }

    /// What was counted until now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }

    /// Accepts no more requests and waits until those under way have ended; what is still busy after `timeout` is
    /// dropped. Answers whether nothing was.
    pub async fn drain(&self, timeout: Duration) -> bool {
        self.0.drain(timeout).await
    }
}
