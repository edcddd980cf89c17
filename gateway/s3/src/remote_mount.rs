//! Mounts on other machines: each connection is whoever signed the request that it began as, for as long as its credentials
//! would be taken of a request that is signed now.

use std::sync::{Arc, OnceLock};

use hyper::StatusCode;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use packstone_access::{Action, Actor, Grant, Resource};
use packstone_posix::{Place, Refused, Said, Service, Signer};
use s3s::auth::SecretKey;
use sha2::{Digest, Sha256};

use crate::asker::{Arrival, Asker};
use crate::face::Face;
use crate::facts;
use crate::front::refusal::Refusal;
use crate::front::upgrade;
use crate::identity::equal;

/// Where the front hands over connections from other machines, once something serves files.
pub(crate) struct Mounts {
    face: Face,
    service: OnceLock<Arc<Service>>,
}

impl Mounts {
    pub fn new(face: Face) -> Self {
        Self { face, service: OnceLock::new() }
    }

    pub fn serve(&self, service: Arc<Service>) {
        // Whoever came first serves on.
        let _ = self.service.set(service);
    }
}

impl upgrade::Mounts for Mounts {
    fn admit(&self, access_key: &str) -> Result<Place, Refusal> {
        let unavailable = |code| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code);
        let service = self.service.get().ok_or_else(|| unavailable("ServiceUnavailable"))?;
        service.admit(access_key).ok_or_else(|| unavailable("SlowDown"))
    }

    fn take(&self, stream: Upgraded, arrival: Arc<Arrival>, token: Option<String>, place: Place) {
        let Some(service) = self.service.get() else { return };
        let remote = arrival.remote;
        if let Some(signer) = Mounted::new(self.face.clone(), arrival, token) {
            tracing::debug!(%remote, access_key = signer.access_key(), "a mount on another machine");
            service.take(TokioIo::new(stream), Arc::new(signer), place);
        }
    }
}

/// A connection from another machine, whose signature was verified.
pub(crate) struct Mounted {
    face: Face,
    asker: Asker,
    token: Option<String>,
    /// What it was signed with.
    secret: SecretKey,
}

impl Mounted {
    /// None where the credentials were withdrawn since.
    pub fn new(face: Face, arrival: Arc<Arrival>, token: Option<String>) -> Option<Self> {
        let bearer = arrival.bearer.clone();
        let secret = face.ring.secret(&bearer.access_key)?;
        Some(Self { face, asker: Asker { bearer, arrival: Some(arrival) }, token, secret })
    }
}

/// Nothing that is secret.
impl std::fmt::Debug for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mounted").field("access_key", &self.asker.bearer.access_key).finish_non_exhaustive()
    }
}

impl Signer for Mounted {
    fn access_key(&self) -> &str {
        &self.asker.bearer.access_key
    }

    fn fingerprint(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [self.access_key(), self.token.as_deref().unwrap_or_default(), self.secret.expose()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// As they would be taken of a request that is signed now.
    fn actor(&self) -> Option<Actor> {
        let bearer = self.face.ring.bearer(self.access_key(), self.token.as_deref()).ok()?;
        let secret = self.face.ring.secret(self.access_key())?;
        equal(secret.expose(), self.secret.expose()).then(|| bearer.actor.clone())
    }

    fn may(&self, actor: &Actor, action: Action, resource: Resource<'_>, said: Said<'_>) -> Result<Grant, Refused> {
        self.face.asked_by_mount(actor, action, resource, said, Face::facts(&self.asker, facts::Said::default()))
    }

    fn may_use_key(&self, actor: &Actor, action: Action, key: &str) -> Result<(), Refused> {
        self.face.key_asked_by_mount(actor, action, key, &Face::facts(&self.asker, facts::Said::default()))
    }
}

#[cfg(test)]
mod tests;
