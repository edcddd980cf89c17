//! Calls of the query APIs (IAM and STS, and our own): forms that are posted to `/`, with a SigV4 scope of their own, which s3s
//! doesn't serve. They are verified here and answered by whoever knows identities.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, Response};
use percent_encoding::percent_decode_str;
use s3s::Body;

use super::route::Target;
use crate::asker::{Arrival, Asker, Signed, anonymous};
use crate::facts::compact;
use crate::identity::{Bearer, KeyRing, Stranger, equal, now};

/// The largest form, in bytes: the longest policy document with every character of it escaped.
const LARGEST: usize = 512 << 10;
/// The largest form that nobody signed: a token and two policies.
const LARGEST_UNSIGNED: usize = 64 << 10;
/// The one call that needs no signature: a token says who calls.
const UNSIGNED: &str = "AssumeRoleWithWebIdentity";
/// How far a client's clock may be off, in seconds.
const SKEW: i64 = 15 * 60;

/// Which API is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Iam,
    Sts,
    /// What AWS doesn't have.
    Packstone,
}

impl Api {
    /// As a signature's scope names it.
    fn of(service: &str) -> Option<Self> {
        match service {
            "iam" => Some(Self::Iam),
            "sts" => Some(Self::Sts),
            "packstone" => Some(Self::Packstone),
            _ => None,
        }
    }
}

/// A call whose signature was verified.
pub(crate) struct Call {
    pub api: Api,
    pub asker: Asker,
    pub parameters: Vec<(String, String)>,
    pub request_id: String,
}

/// Why a call isn't heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unheard {
    TooLarge,
    Broken,
    Unsigned,
    Malformed,
    /// Signed for another time than now.
    Skewed,
    Stranger(Stranger),
    WrongSignature,
}

/// What answers calls.
pub(crate) trait QueryApi: Send + Sync + 'static {
    fn answer(&self, call: Call) -> BoxFuture<'_, Response<Body>>;
    fn refuse(&self, api: Api, unheard: Unheard, request_id: &str) -> Response<Body>;
}

/// Whether this is such a call: to no bucket, and a form.
pub(super) fn is_call(parts: &Parts, target: Target<'_>) -> bool {
    let form = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    parts.method == Method::POST
        && target == Target::Service
        && parts.uri.path() == "/"
        && form.is_some_and(|form| form.starts_with("application/x-www-form-urlencoded"))
}

/// A call as it came.
pub(super) struct Received {
    pub parts: Parts,
    pub body: Incoming,
    pub remote: IpAddr,
    pub region: Arc<str>,
    pub secure: bool,
    pub request_id: String,
}

/// Answers a call whose body comes within `timeout`. One with a key that nobody holds is refused before its body is
/// read; of one that isn't signed little is read.
pub(super) async fn answer(api: &dyn QueryApi, ring: &KeyRing, call: Received, timeout: Duration) -> Response<Body> {
    let which = match claim(&call.parts.headers) {
        Ok(claim) => {
            let which = claim.api;
            if let Err(unheard) = holder(ring, &claim, &call.parts.headers) {
                return api.refuse(which, unheard, &call.request_id);
            }
            which
        }
        Err(Unheard::Unsigned) => return answer_unsigned(api, call, timeout).await,
        Err(unheard) => return api.refuse(Api::Iam, unheard, &call.request_id),
    };
    let Received { parts, body, remote, region, secure, request_id } = call;
    let body = match read(body, LARGEST, timeout).await {
        Ok(body) => body,
        Err(unheard) => return api.refuse(which, unheard, &request_id),
    };
    let bearer = match verify(ring, &parts, &body) {
        Ok(bearer) => bearer,
        Err(unheard) => return api.refuse(which, unheard, &request_id),
    };
    let Parts { headers, uri, .. } = parts;
    let (signed, verified) = (Signed::Header, AtomicBool::new(true));
    let arrival = Arrival { bearer: bearer.clone(), remote, region, secure, signed, headers, uri, verified };
    let asker = Asker { bearer, arrival: Some(Arc::new(arrival)) };
    api.answer(Call { api: which, asker, parameters: form(&body), request_id }).await
}

/// Answers the one call that needs no signature, and refuses every other.
async fn answer_unsigned(api: &dyn QueryApi, call: Received, timeout: Duration) -> Response<Body> {
    let Received { parts: Parts { headers, uri, .. }, body, remote, region, secure, request_id } = call;
    let parameters = match read(body, LARGEST_UNSIGNED, timeout).await {
        Ok(body) => form(&body),
        // What is larger can't be that call.
        Err(Unheard::TooLarge) => return api.refuse(Api::Iam, Unheard::Unsigned, &request_id),
        Err(unheard) => return api.refuse(Api::Iam, unheard, &request_id),
    };
    // Once and nothing else: whoever reads the call after this must not find another action in it.
    let actions: Vec<&str> =
        parameters.iter().filter(|(name, _)| name == "Action").map(|(_, value)| value.as_str()).collect();
    if actions != [UNSIGNED] {
        return api.refuse(Api::Iam, Unheard::Unsigned, &request_id);
    }
    let bearer = anonymous();
    let (signed, verified) = (Signed::Header, AtomicBool::new(false));
    let arrival = Arrival { bearer: bearer.clone(), remote, region, secure, signed, headers, uri, verified };
    let asker = Asker { bearer, arrival: Some(Arc::new(arrival)) };
    api.answer(Call { api: Api::Sts, asker, parameters, request_id }).await
}

async fn read(body: Incoming, largest: usize, timeout: Duration) -> Result<Bytes, Unheard> {
    if body.size_hint().lower() > largest as u64 {
        return Err(Unheard::TooLarge);
    }
    match tokio::time::timeout(timeout, Limited::new(body, largest).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Unheard::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Unheard::Broken),
    }
}

/// What `Authorization` says.
#[derive(Debug, PartialEq, Eq)]
struct Claim<'a> {
    access_key: &'a str,
    /// `DATE/REGION/SERVICE/aws4_request`
    scope: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    api: Api,
    signed_headers: &'a str,
    signature: &'a str,
}

fn claim(headers: &HeaderMap) -> Result<Claim<'_>, Unheard> {
    let value = headers.get(AUTHORIZATION).ok_or(Unheard::Unsigned)?;
    let fields =
        value.to_str().ok().and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 ")).ok_or(Unheard::Malformed)?;
    let field = |name: &str| {
        let mut found =
            fields.split(',').filter_map(|field| field.trim().split_once('=')).filter(|(of, _)| *of == name);
        found.next().map(|(_, value)| value).filter(|_| found.next().is_none()).ok_or(Unheard::Malformed)
    };
    let (credential, signed_headers, signature) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let (access_key, scope) = credential.split_once('/').ok_or(Unheard::Malformed)?;
    let mut parts = scope.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(date), Some(region), Some(service), Some("aws4_request"), None) => {
            let api = Api::of(service).ok_or(Unheard::Malformed)?;
            Ok(Claim { access_key, scope, date, region, service, api, signed_headers, signature })
        }
        _ => Err(Unheard::Malformed),
    }
}

/// Whose key a call says to be signed with.
fn holder(ring: &KeyRing, claim: &Claim<'_>, headers: &HeaderMap) -> Result<Arc<Bearer>, Unheard> {
    let token = headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
    ring.bearer(claim.access_key, token).map_err(Unheard::Stranger)
}

/// Who signed a request for what AWS doesn't have, which brings no body.
///
/// # Errors
/// Why it isn't heard.
pub(super) fn signer(ring: &KeyRing, parts: &Parts) -> Result<Arc<Bearer>, Unheard> {
    match claim(&parts.headers)?.api {
        Api::Packstone => verify(ring, parts, &Bytes::new()),
        Api::Iam | Api::Sts => Err(Unheard::Malformed),
    }
}

/// Who signed the call. Whatever decides on it must be signed: the host, the time, the session token, the form.
fn verify(ring: &KeyRing, parts: &Parts, body: &Bytes) -> Result<Arc<Bearer>, Unheard> {
    let claim = claim(&parts.headers)?;
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let time = text("x-amz-date").ok_or(Unheard::Malformed)?;
    let at = compact(time).ok_or(Unheard::Malformed)?;
    if (now() - at).abs() > SKEW || time.get(..8) != Some(claim.date) {
        return Err(Unheard::Skewed);
    }
    let signed: Vec<&str> = claim.signed_headers.split(';').collect();
    let amz = parts.headers.keys().map(hyper::header::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    if ["host"].into_iter().chain(amz).any(|name| name != "x-amz-content-sha256" && !signed.contains(&name)) {
        return Err(Unheard::Malformed);
    }
    // The key is looked for before its secret, so that an inactive one and an unknown one are answered alike.
    let bearer = holder(ring, &claim, &parts.headers)?;
    let secret = ring.secret(claim.access_key).ok_or(Unheard::Stranger(Stranger::UnknownKey))?;
    let canonical = canonical(parts, &signed, claim.signed_headers, body);
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{}\n{}", claim.scope, sha256(canonical.as_bytes()));
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{}", secret.expose()).as_bytes());
    for step in [claim.date, claim.region, claim.service, "aws4_request"] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, step.as_bytes()).as_ref());
    }
    let signature = hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
    if equal(&signature, claim.signature) { Ok(bearer) } else { Err(Unheard::WrongSignature) }
}

fn canonical(parts: &Parts, signed: &[&str], names: &str, body: &[u8]) -> String {
    let mut query: Vec<&str> =
        parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let mut text = format!("{}\n{}\n{}\n", parts.method, parts.uri.path(), query.join("&"));
    for name in signed {
        let values = parts.headers.get_all(*name).iter().filter_map(|value| value.to_str().ok());
        let values: Vec<String> = values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let value = match (values.is_empty(), *name) {
            // HTTP/2 names the host elsewhere.
            (true, "host") => parts.uri.authority().map(ToString::to_string).unwrap_or_default(),
            _ => values.join(","),
        };
        text.extend([name, ":", &value, "\n"]);
    }
    text.extend(["\n", names, "\n", &sha256(body)]);
    text
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fields of a form.
fn form(body: &[u8]) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    String::from_utf8_lossy(body)
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}
