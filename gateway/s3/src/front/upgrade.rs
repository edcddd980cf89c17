//! Connections that begin as a request and go on as those of a mount on another machine: a `GET` of a path that no bucket
//! can have, signed as calls of IAM are, asks for an upgrade, and what comes behind the answer is files' to serve.
//!
//! Who asks must have come by TLS, or from this machine: what is read and written would go over the network in the clear.
//! Policies see of each question what is known of this request, and not what else its headers and query could say.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hyper::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE, USER_AGENT};
use hyper::http::request::Parts;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Method, Response, StatusCode, Uri, Version};
use packstone_posix::Place;
use s3s::Body;

use super::query_api::{self, Unheard};
use super::refusal::Refusal;
use super::route::Target;
use super::signature::TOKEN;
use crate::asker::{Arrival, Signed};
use crate::identity::KeyRing;

const PROTOCOL: HeaderValue = HeaderValue::from_static(packstone_posix::UPGRADE);
const UPGRADED: HeaderValue = HeaderValue::from_static("Upgrade");

/// What serves files to mounts on other machines.
pub(crate) trait Mounts: Send + Sync + 'static {
    /// Leave for one more connection with an access key.
    ///
    /// # Errors
    /// Why there is none.
    fn admit(&self, access_key: &str) -> Result<Place, Refusal>;

    /// Serves a connection. `token` came with the request that it began as.
    fn take(&self, stream: Upgraded, arrival: Arc<Arrival>, token: Option<String>, place: Place);
}

/// Whether a request asks for it.
pub(super) fn is_asked(parts: &Parts, target: Target<'_>) -> bool {
    let path = packstone_posix::UPGRADE_PATH.strip_prefix('/').and_then(|path| path.split_once('/'));
    let meant = matches!((target, path), (Target::Object { bucket, key }, Some(path)) if (bucket, key) == path);
    meant && parts.method == Method::GET
}

/// Where a request comes from.
pub(super) struct From<'a> {
    pub remote: IpAddr,
    pub region: &'a Arc<str>,
    /// Whether it came by TLS.
    pub secure: bool,
}

/// What is known of a request, once all that must be of it is.
///
/// # Errors
/// What speaks against it.
pub(super) fn arrival(ring: &KeyRing, parts: &Parts, is_empty: bool, from: &From<'_>) -> Result<Arc<Arrival>, Refusal> {
    let wants = parts.headers.get(UPGRADE).is_some_and(|wanted| *wanted == PROTOCOL);
    if !wants || parts.version != Version::HTTP_11 || parts.uri.query().is_some() || !is_empty {
        return Err(Refusal::invalid_request(
            "Here the files of this node are mounted by packstone mount, and nothing else.",
        ));
    }
    if !from.secure && !from.remote.to_canonical().is_loopback() {
        let message = "Files are mounted by TLS: this endpoint has none.";
        return Err(Refusal::with(StatusCode::FORBIDDEN, "AccessDenied", message));
    }
    let bearer = query_api::signer(ring, parts).map_err(unheard)?;
    let told = ["x-amz-date", USER_AGENT.as_str()];
    let headers: HeaderMap = parts
        .headers
        .iter()
        .filter(|(name, _)| told.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    Ok(Arc::new(Arrival {
        bearer,
        remote: from.remote,
        region: Arc::clone(from.region),
        secure: from.secure,
        signed: Signed::Header,
        headers,
        uri: Uri::from_static(packstone_posix::UPGRADE_PATH),
        verified: AtomicBool::new(true),
    }))
}

fn unheard(unheard: Unheard) -> Refusal {
    let forbidden = |code| Refusal::new(StatusCode::FORBIDDEN, code);
    match unheard {
        Unheard::Unsigned => forbidden("AccessDenied"),
        Unheard::Skewed => forbidden("RequestTimeTooSkewed"),
        Unheard::WrongSignature => forbidden("SignatureDoesNotMatch"),
        Unheard::Stranger(stranger) => Refusal::stranger(stranger),
        Unheard::Malformed => Refusal::new(StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed"),
        Unheard::TooLarge | Unheard::Broken => Refusal::new(StatusCode::BAD_REQUEST, "IncompleteBody"),
    }
}

/// Answers that the protocol changes, and has the connection be served when that was sent.
///
/// # Errors
/// There are too many such connections, or this one can't change.
pub(super) fn hand_over(
    mounts: &Arc<dyn Mounts>,
    mut parts: Parts,
    arrival: Arc<Arrival>,
) -> Result<Response<Body>, Refusal> {
    let place = mounts.admit(&arrival.bearer.access_key)?;
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else { return Err(Refusal::not_implemented()) };
    let token = parts.headers.get(TOKEN).and_then(|token| token.to_str().ok()).map(str::to_owned);
    let mounts = Arc::clone(mounts);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(stream) => mounts.take(stream, arrival, token, place),
            Err(error) => tracing::debug!(%error, "a mount was gone before it was served"),
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, UPGRADED);
    response.headers_mut().insert(UPGRADE, PROTOCOL);
    Ok(response)
}

#[cfg(test)]
mod tests;
