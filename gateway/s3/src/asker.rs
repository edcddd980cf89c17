//! Who asks, and what the request says of itself.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use hyper::{HeaderMap, Uri};
use s3s::S3Request;

use crate::identity::Bearer;

static ANONYMOUS: LazyLock<Arc<Bearer>> = LazyLock::new(|| Arc::new(Bearer::anonymous()));

/// Whoever didn't sign.
pub(crate) fn anonymous() -> Arc<Bearer> {
    ANONYMOUS.clone()
}

/// Where the signature stands, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    Header,
    Url,
    Form,
}

impl Signed {
    /// As `s3:authType` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "REST-HEADER",
            Self::Url => "REST-QUERY-STRING",
            Self::Form => "POST",
        }
    }
}

/// What the front found out about a request on its way in. The signature isn't verified then: only [`Asker::of`] says
/// whose request it is.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub bearer: Arc<Bearer>,
    pub remote: IpAddr,
    pub region: Arc<str>,
    /// Whether it came by TLS.
    pub secure: bool,
    pub signed: Signed,
    pub headers: HeaderMap,
    pub uri: Uri,
    /// Whether the signature has been verified: set once, by [`Arrival::verify`].
    pub verified: AtomicBool,
}

impl Arrival {
    /// Notes that the signature holds.
    pub fn verify(&self) {
        self.verified.store(true, Ordering::Relaxed);
    }

    /// Whether the signature was found to hold.
    pub fn is_verified(&self) -> bool {
        self.verified.load(Ordering::Relaxed)
    }

    /// Who sent it, as far as that is proven.
    pub fn signer(&self) -> Option<&Bearer> {
        Some(&*self.bearer).filter(|bearer| !bearer.is_anonymous() && self.is_verified())
    }
}

/// Who sent a request.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub bearer: Arc<Bearer>,
    pub arrival: Option<Arc<Arrival>>,
}

impl Asker {
    /// Who sent this one: the holder of the key whose signature was verified, and nobody else.
    pub fn of<T>(request: &S3Request<T>) -> Self {
        let verified = request.credentials.as_ref().map_or("", |credentials| credentials.access_key.as_str());
        let arrival = request.extensions.get::<Arc<Arrival>>().cloned();
        let bearer = arrival.as_ref().map(|arrival| &arrival.bearer).filter(|bearer| *bearer.access_key == *verified);
        Self { bearer: bearer.cloned().unwrap_or_else(anonymous), arrival }
    }
}
