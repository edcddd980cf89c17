//! Uploads by HTML forms: `multipart/form-data` posted to a bucket, authorised by a policy that is one of its fields.
//!
//! The fields stand in front of the file and are bounded. Everything that can refuse an upload is asked when they have
//! come, before the first byte of the file is read; the file then goes to the same verb as a PUT's body, as it comes.
//!
//! Concurrency: none; a form belongs to one request.

mod answer;
mod fields;
mod file;
mod parts;
mod policy;
mod proof;
mod put;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod trial;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use http_body_util::BodyExt as _;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, REFERER, USER_AGENT};
use hyper::http::Extensions;
use hyper::http::request::Parts as Head;
use hyper::{HeaderMap, Method, Response, StatusCode};
use packstone_store::object::MAX_PUT;
use s3s::dto::{PutObjectInput, StreamingBlob, Timestamp};
use s3s::{Body, S3, S3Request};

use super::inflow::{Inflow, InflowError, RequestBody};
use super::query::{Query, Subresources};
use super::refusal::Refusal;
use super::route::Target;
use crate::asker::{Arrival, Signed, anonymous};
use crate::body::Within;
use crate::detail::Element;
use crate::identity::KeyRing;
use crate::number::decimal;
use answer::Made;
use file::{File, LARGEST_REST};
use parts::{Event, Parts};
use policy::Policy;
use proof::Signer;

pub(super) use fields::{Fields, bucket_name};

/// The field that brings the object, which comes last.
pub(super) const FILE: &str = "file";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// What may stand in front of the file, in bytes.
const LARGEST_FIELDS: u64 = 20 << 10;

/// Whether this is one: posted to a bucket, and to no sub-resource of it.
pub(super) fn is_upload(parts: &Head, target: Target<'_>, query: &Query<'_>) -> bool {
    let is_bare = query.subresources == Subresources::NONE && !query.foreign;
    parts.method == Method::POST && matches!(target, Target::Bucket(_)) && is_bare && is_form(parts)
}

/// Whether the body is a form.
pub(super) fn is_form(parts: &Head) -> bool {
    const FORM: &[u8] = b"multipart/form-data";
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().get(..FORM.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(FORM))
}

/// Who keeps what a form brings, and how it came.
pub(super) struct Desk<'a> {
    pub s3: &'a dyn S3,
    pub region: &'a Arc<str>,
    /// Whether connections come by TLS.
    pub secure: bool,
    pub remote: IpAddr,
}

/// An upload whose fields have come, and whose file has begun.
pub(super) struct Form {
    head: Head,
    bucket: String,
    fields: Fields,
    key: String,
    file: File,
    inflow: Arc<Inflow>,
    /// Bytes that are left of the body.
    left: u64,
}

impl Form {
    /// Reads the fields.
    ///
    /// # Errors
    /// What is wrong with them, or with the form.
    pub async fn read(head: Head, bucket: String, body: RequestBody, inflow: Arc<Inflow>) -> Result<Self, Refusal> {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let length = text(&CONTENT_LENGTH).and_then(decimal);
        let length = length.ok_or_else(|| Refusal::new(StatusCode::LENGTH_REQUIRED, "MissingContentLength"))?;
        if length > MAX_PUT + LARGEST_FIELDS + LARGEST_REST {
            return Err(too_large(length, MAX_PUT));
        }
        let parts = text(&CONTENT_TYPE).and_then(Parts::new).ok_or_else(malformed)?;
        let mut reader = Reader { parts, body, fed: 0 };
        let (mut fields, filename) = reader.fields().await?;
        fields.name_file(filename.as_deref());
        let key = fields.expect("key")?.to_owned();
        if key.is_empty() {
            return Err(Refusal::argument("key", "User key must have a length greater than 0."));
        }
        let left = length.saturating_sub(reader.consumed());
        Ok(Self { head, bucket, fields, key, file: File::new(reader.parts, reader.body), inflow, left })
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// Who signed it, if anybody did.
    ///
    /// # Errors
    /// A signature that isn't accepted.
    pub fn signer(&self, ring: &KeyRing, region: &str) -> Result<Option<Signer>, Refusal> {
        proof::signer(&self.fields, ring, region)
    }

    /// Puts the object, by leave of whoever signed, or of anybody.
    ///
    /// # Errors
    /// What the policy doesn't allow; errors of the verb are answers.
    pub async fn put(self, desk: &Desk<'_>, signer: Option<Signer>) -> Result<Response<Body>, Refusal> {
        let length = self.length(&Timestamp::from(SystemTime::now()))?;
        let base = self.base(desk.secure);
        let headers = put::headers(&self.fields)?;
        let input = put::input(&self.fields, &headers, (self.bucket.clone(), self.key.clone()))?;
        let seen = self.seen(&headers);
        let (bearer, credentials) =
            signer.map_or_else(|| (anonymous(), None), |signer| (signer.bearer, Some(signer.credentials)));
        let mut extensions = Extensions::new();
        extensions.insert(Arc::new(Arrival {
            bearer,
            remote: desk.remote,
            region: Arc::clone(desk.region),
            secure: desk.secure,
            signed: Signed::Form,
            headers: seen,
            uri: self.head.uri.clone(),
            verified: AtomicBool::new(true),
        }));
        extensions.insert(self.inflow);
        extensions.insert(Within(length));
        let request = S3Request {
            input: PutObjectInput { body: Some(StreamingBlob::wrap(self.file)), ..input },
            method: self.head.method,
            uri: self.head.uri,
            headers,
            extensions,
            credentials,
            region: None,
            service: None,
            trailing_headers: None,
        };
        match desk.s3.put_object(request).await {
            Ok(response) => {
                let made = Made { bucket: &self.bucket, key: &self.key, base: &base };
                let mut answer = answer::made(&self.fields, &made, &response.output);
                answer.headers_mut().extend(response.headers);
                Ok(answer)
            }
            Err(error) => {
                error.to_http_response().map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"))
            }
        }
    }

    /// How long the file may be, by its policy and by what is left of the body. One that can't be refuses itself here.
    fn length(&self, now: &Timestamp) -> Result<RangeInclusive<u64>, Refusal> {
        let allowed = match self.fields.get("policy") {
            Some(policy) => Policy::parse(policy)?.check(&self.fields, &self.bucket, now)?,
            None => 0..=MAX_PUT,
        };
        let most = (*allowed.end()).min(MAX_PUT);
        if self.left < *allowed.start() {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "EntityTooSmall")
                .saying(Element::ProposedSize, self.left)
                .saying(Element::MinSizeAllowed, allowed.start()));
        }
        if self.left.saturating_sub(LARGEST_REST) > most {
            return Err(too_large(self.left, most));
        }
        Ok(*allowed.start()..=most.min(self.left))
    }

    /// The headers that bucket policies see: the fields, and of the request's own those that nobody has to vouch for, and
    /// when it was signed.
    fn seen(&self, fields: &HeaderMap) -> HeaderMap {
        let date = self.fields.get(DATE.as_str()).and_then(|date| HeaderValue::from_str(date).ok());
        let own = [REFERER, USER_AGENT].into_iter();
        let own = own.filter_map(|name| self.head.headers.get(&name).map(|value| (name, value.clone())));
        let mut seen = fields.clone();
        seen.extend(own.chain(date.map(|date| (DATE, date))));
        seen
    }

    /// The bucket's URL, as the client wrote it.
    fn base(&self, secure: bool) -> String {
        let host = self.head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| self.head.uri.authority().map(|authority| authority.as_str())).unwrap_or_default();
        let path = self.head.uri.path().trim_end_matches('/');
        format!("{}://{host}{path}/", if secure { "https" } else { "http" })
    }
}

/// Who reads the fields.
struct Reader {
    parts: Parts,
    body: RequestBody,
    fed: u64,
}

impl Reader {
    /// All fields in front of the file, and the file's name.
    async fn fields(&mut self) -> Result<(Fields, Option<String>), Refusal> {
        let mut fields = Fields::default();
        let (mut name, mut value) = (String::new(), Vec::new());
        loop {
            match self.parts.next().map_err(|_| malformed())? {
                Some(Event::Part(head)) if head.name == FILE => {
                    return if self.consumed() > LARGEST_FIELDS {
                        Err(fields_too_large())
                    } else {
                        Ok((fields, head.filename))
                    };
                }
                Some(Event::Part(head)) => name = head.name,
                Some(Event::Data(data)) => value.extend_from_slice(&data),
                Some(Event::Ended) => fields.add(std::mem::take(&mut name), std::mem::take(&mut value))?,
                Some(Event::Closed) => {
                    return Err(Refusal::argument("file", "POST requires exactly one file upload per request."));
                }
                None if self.fed > LARGEST_FIELDS => return Err(fields_too_large()),
                None => self.feed().await?,
            }
        }
    }

    async fn feed(&mut self) -> Result<(), Refusal> {
        let bad = |code| Refusal::new(StatusCode::BAD_REQUEST, code);
        match self.body.frame().await {
            None => Err(malformed()),
            Some(Err(InflowError::Stalled)) => Err(bad("RequestTimeout")),
            Some(Err(InflowError::Broken(_) | InflowError::Chunks(_))) => Err(bad("IncompleteBody")),
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    self.fed += piece.len() as u64;
                    self.parts.feed(piece);
                }
                Ok(())
            }
        }
    }

    /// Bytes of the body that the events so far stood in.
    fn consumed(&self) -> u64 {
        self.fed.saturating_sub(self.parts.held() as u64)
    }
}

fn malformed() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "MalformedPOSTRequest")
}

fn fields_too_large() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "MaxPostPreDataLengthExceededError")
        .saying(Element::MaxPostPreDataLength, LARGEST_FIELDS)
}

fn too_large(proposed: u64, most: u64) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "EntityTooLarge")
        .saying(Element::ProposedSize, proposed)
        .saying(Element::MaxSizeAllowed, most)
}
