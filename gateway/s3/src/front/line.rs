//! What an access log says of a request: one line, in the format of AWS's server access logs. The node's own log and
//! those of buckets have the same lines.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HOST, HeaderMap, HeaderName, HeaderValue, REFERER, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri, Version};
use packstone_access::Kind;
use percent_encoding::percent_decode_str;
use time::OffsetDateTime;
use tokio_rustls::rustls::{CommonState, ProtocolVersion};

use super::ids::RequestId;
use super::operation::operation;
use super::route::Verb;
use crate::asker::{Arrival, Signed};
use crate::identity::Bearer;
use crate::owner;

/// Parameters whose values are not written.
const SECRET: [&str; 4] = [
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key",
];
/// The most bytes of a header, and of path and query, that a line has.
const LONGEST_FIELD: usize = 2 << 10;
const LONGEST_URI: usize = 8 << 10;
const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What a TLS handshake agreed on, as AWS writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secured {
    pub version: &'static str,
    pub cipher: String,
}

impl Secured {
    pub fn of(connection: &CommonState) -> Option<Self> {
        let version = match connection.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let name = format!("{:?}", connection.negotiated_cipher_suite()?.suite());
        let cipher = match name.strip_prefix("TLS13_") {
            Some(name) => format!("TLS_{name}"),
            None => name.replace("TLS_", "").replace("_WITH", "").replace("AES_", "AES").replace('_', "-"),
        };
        Some(Self { version, cipher })
    }
}

/// What a line says of a request.
#[derive(Debug)]
pub(crate) struct Line {
    remote: SocketAddr,
    secured: Option<Arc<Secured>>,
    id: RequestId,
    /// The value of `x-amz-id-2`.
    host_id: HeaderValue,
    method: Method,
    uri: String,
    version: Version,
    host: Option<String>,
    referer: Option<String>,
    agent: Option<String>,
    version_id: Option<String>,
    pub bucket: Option<String>,
    pub key: Option<String>,
    pub error: Option<String>,
    /// Who says to have signed it.
    pub arrival: Option<Arc<Arrival>>,
    /// Who signed the form that it brought.
    pub posted: Option<Arc<Bearer>>,
    verb: Verb,
    status: Option<StatusCode>,
    /// Bytes of the request's body.
    announced: Option<u64>,
    /// Bytes of the object that was sent or taken.
    size: Option<u64>,
    sent: u64,
    /// Until the first byte of the answer.
    turnaround: Option<Duration>,
    took: Duration,
    ended: SystemTime,
}

impl Line {
    /// A line for a request that has just come.
    pub(super) fn new(
        (remote, secured): (SocketAddr, Option<Arc<Secured>>),
        (id, host_id): (RequestId, &HeaderValue),
        parts: &Parts,
    ) -> Self {
        let authority = parts.uri.authority().map(|authority| cut(authority.as_str(), LONGEST_FIELD).to_owned());
        Self {
            remote,
            secured,
            id,
            host_id: host_id.clone(),
            method: parts.method.clone(),
            uri: cut(&masked(&parts.uri), LONGEST_URI).to_owned(),
            version: parts.version,
            host: text_of(&parts.headers, &HOST).or(authority),
            referer: text_of(&parts.headers, &REFERER),
            agent: text_of(&parts.headers, &USER_AGENT),
            version_id: version_id(&parts.uri),
            bucket: None,
            key: None,
            error: None,
            arrival: None,
            posted: None,
            verb: Verb::Unserved,
            status: None,
            announced: announced(&parts.headers),
            size: None,
            sent: 0,
            turnaround: None,
            took: Duration::ZERO,
            ended: SystemTime::UNIX_EPOCH,
        }
    }

    /// Notes an answer whose body is still to be sent.
    pub fn answered(&mut self, verb: Verb, headers: &HeaderMap, took: Duration) {
        let number = |name: &HeaderName| headers.get(name)?.to_str().ok()?.parse().ok();
        let whole = || headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok();
        self.size = match verb {
            Verb::GetObject | Verb::HeadObject => whole().or_else(|| number(&CONTENT_LENGTH)),
            Verb::PutObject | Verb::UploadPart => self.announced,
            _ => None,
        };
        // When the last byte of a body came isn't known here.
        self.turnaround = self.announced.is_none_or(|length| length == 0).then_some(took);
    }

    pub fn finish(&mut self, verb: Verb, status: Option<StatusCode>, sent: u64, took: Duration) {
        self.verb = verb;
        self.status = status;
        self.sent = sent;
        self.took = took;
        self.ended = SystemTime::now();
    }

    /// When the request ended.
    pub fn ended(&self) -> OffsetDateTime {
        self.ended.into()
    }

    /// Who signed, and where the signature stands.
    fn signer(&self) -> Option<(&Bearer, &'static str)> {
        let of_form = || Some((self.posted.as_deref()?, "-"));
        let signed = self.arrival.as_ref().and_then(|arrival| {
            let place = match arrival.signed {
                Signed::Header => "AuthHeader",
                Signed::Url => "QueryString",
                Signed::Form => "-",
            };
            Some((arrival.signer()?, place))
        });
        signed.or_else(of_form)
    }

    /// Fields in AWS's order; those that have no meaning here, or no value, are dashes.
    pub fn format(&self, out: &mut String) {
        let signer = self.signer();
        field(out, self.bucket.as_ref().map(|_| owner::CANONICAL_ID));
        field(out, self.bucket.as_deref());
        time(out, self.ended());
        let _ = write!(out, "{} ", self.remote.ip().to_canonical());
        field(out, signer.map(|(bearer, _)| requester(bearer)));
        let _ = write!(out, "{} {} ", self.id, operation(self.verb, &self.method));
        field(out, self.key.as_deref());
        let _ = write!(out, "\"{} {} {:?}\" ", self.method, Quoted(&self.uri), self.version);
        let _ = write!(out, "{} ", self.status.map_or(499, |status| status.as_u16()));
        field(out, self.error.as_deref());
        number(out, Some(self.sent).filter(|sent| *sent > 0));
        number(out, self.size);
        let _ = write!(out, "{} ", self.took.as_millis());
        number(out, self.turnaround.and_then(|took| u64::try_from(took.as_millis()).ok()));
        quoted(out, self.referer.as_deref());
        quoted(out, self.agent.as_deref());
        field(out, self.version_id.as_deref());
        field(out, self.host_id.to_str().ok());
        field(out, signer.map(|_| "SigV4"));
        field(out, self.secured.as_ref().map(|secured| secured.cipher.as_str()));
        field(out, signer.map(|(_, place)| place));
        field(out, self.host.as_deref());
        field(out, self.secured.as_ref().map(|secured| secured.version));
        // There are no access points, and which ACL decided isn't told.
        out.push_str("- -\n");
    }
}

/// The account for root, the ARN for everybody else.
fn requester(bearer: &Bearer) -> &str {
    let principal = &bearer.identity.principal;
    match principal.kind() {
        Kind::Root => owner::CANONICAL_ID,
        _ => principal.acting_arn(),
    }
}

/// How long the body is, without the frames that it comes in.
fn announced(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(DECODED_LENGTH).or_else(|| headers.get(CONTENT_LENGTH))?;
    value.to_str().ok()?.parse().ok()
}

fn version_id(uri: &Uri) -> Option<String> {
    let mut pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == "versionId").map(|(_, value)| value.to_owned())
}

/// Path and query, without what would let a reader of the log send the request again.
fn masked(uri: &Uri) -> String {
    let mut text = uri.path().to_owned();
    for (number, pair) in uri.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
        text.push(if number == 0 { '?' } else { '&' });
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let decoded = percent_decode_str(name).decode_utf8_lossy();
        if SECRET.iter().any(|secret| decoded.eq_ignore_ascii_case(secret)) {
            text.extend([name, "=***"]);
        } else {
            text.push_str(pair);
        }
    }
    text
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| cut(&String::from_utf8_lossy(value.as_bytes()), LONGEST_FIELD).to_owned())
}

/// At most so many bytes of a text: lines wait in memory, and whoever writes them to us pays for none.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// `[06/Feb/2019:00:00:38 +0000] `
fn time(out: &mut String, at: OffsetDateTime) {
    let month = MONTHS.get(usize::from(u8::from(at.month())).saturating_sub(1)).copied().unwrap_or_default();
    let (year, day) = (at.year(), at.day());
    let _ = write!(out, "[{day:02}/{month}/{year:04}:{:02}:{:02}:{:02} +0000] ", at.hour(), at.minute(), at.second());
}

fn number(out: &mut String, value: Option<u64>) {
    match value {
        Some(value) => {
            let _ = write!(out, "{value} ");
        }
        None => out.push_str("- "),
    }
}

fn field(out: &mut String, value: Option<&str>) {
    match value {
        Some(value) if !value.is_empty() => {
            let _ = write!(out, "{} ", Bare(value));
        }
        _ => out.push_str("- "),
    }
}

fn quoted(out: &mut String, value: Option<&str>) {
    match value {
        Some(value) => {
            let _ = write!(out, "\"{}\" ", Quoted(value));
        }
        None => out.push_str("\"-\" "),
    }
}

/// Text from a client in a field without quotes, which it must not be able to end.
struct Bare<'a>(&'a str);

impl std::fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words = self.0.split(' ');
        write!(f, "{}", Quoted(words.next().unwrap_or_default()))?;
        words.try_for_each(|word| write!(f, "%20{}", Quoted(word)))
    }
}

/// Text from a client in a field with quotes, which it must not be able to end, nor the line.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '"' => f.write_str("%22"),
            plain if plain.is_ascii() && !plain.is_control() => f.write_char(plain),
            // Some readers of logs take letters of other scripts for the end of a field or a line.
            other => other.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(f, "%{byte:02X}")),
        })
    }
}

#[cfg(test)]
mod tests;
