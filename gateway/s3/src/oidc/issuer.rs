//! The URL of an issuer.

use std::net::IpAddr;

use hyper::Uri;
use hyper::http::uri::Scheme;

/// The longest URL, in bytes.
const LONGEST: usize = 255;
/// Where an issuer says where its keys are.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An issuer's URL: `https`, or `http` on this machine's loopback, without query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issuer {
    url: String,
}

/// Why a URL can't be an issuer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("Invalid Open ID Connect Provider URL")]
    Malformed,
    #[error("Open ID Connect Provider URL must begin with https://")]
    Insecure,
}

impl Issuer {
    /// # Errors
    /// [`Unusable`].
    pub fn parse(url: &str) -> Result<Self, Unusable> {
        if url.len() > LONGEST || url.contains(['?', '#', '@']) || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Unusable::Malformed);
        }
        let uri = secured(url)?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(Unusable::Malformed);
        }
        Ok(Self { url: url.to_owned() })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What ARNs and condition keys know it by: the URL without its scheme.
    pub fn name(&self) -> &str {
        self.url.split_once("://").map_or(&self.url, |(_, name)| name)
    }

    /// Whether a token's `iss` means this one. A slash at the end means nothing.
    pub fn is(&self, issuer: &str) -> bool {
        self.url.trim_end_matches('/') == issuer.trim_end_matches('/')
    }

    pub fn discovery(&self) -> String {
        [self.url.trim_end_matches('/'), DISCOVERY].concat()
    }

    /// Whether this one may say that its keys are there: one that is trusted over TLS anywhere over TLS, one on this
    /// machine where it listens itself, so that it can't have the node ask what else listens here.
    pub fn may_point_at(&self, url: &str) -> bool {
        let (Ok(own), Ok(uri)) = (secured(&self.url), secured(url)) else { return false };
        let place = |uri: &Uri| (uri.host().map(str::to_owned), uri.port_u16().unwrap_or(80));
        uri.scheme() == own.scheme() && (own.scheme() == Some(&Scheme::HTTPS) || place(&uri) == place(&own))
    }
}

/// A URL over TLS, or on this machine.
pub(super) fn secured(url: &str) -> Result<Uri, Unusable> {
    let uri: Uri = url.parse().map_err(|_| Unusable::Malformed)?;
    match (uri.scheme(), uri.host()) {
        (Some(scheme), Some(_)) if *scheme == Scheme::HTTPS => Ok(uri),
        (Some(scheme), Some(host)) if *scheme == Scheme::HTTP && is_loopback(host) => Ok(uri),
        (Some(_), Some(_)) => Err(Unusable::Insecure),
        _ => Err(Unusable::Malformed),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
