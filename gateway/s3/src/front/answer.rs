//! The form of answers: refusals, and the errors of s3s given what they lack.
//!
//! Concurrency: none; everything here belongs to one request.

use std::sync::Arc;

use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};
use s3s::Body;
use sha2::{Digest, Sha256};

use super::ids::RequestId;
use super::inflow::{Fault, Inflow};
use super::named;
use super::outflow::Record;
use super::refusal::{self, Context, Refusal};
use super::route::{Target, Verb};
use crate::asker::Arrival;
use crate::detail::{self, Detail, Element};
use crate::object::versions::name_markers;

const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");
const XML: HeaderValue = HeaderValue::from_static("application/xml");

/// What a client is told of a signed chunk that is too large to be held.
pub(crate) const OVERSIZED: &str = "A signed chunk may have 16 MiB at most.";

/// What is kept of a request while s3s has it.
pub(super) struct Asked<'s> {
    pub id: RequestId,
    /// The value of `x-amz-id-2`.
    pub host_id: &'s HeaderValue,
    pub method: Method,
    pub uri: Uri,
    /// The bucket that the host names.
    pub hosted: Option<Box<str>>,
    /// What s3s was given, once it was.
    pub arrival: Option<Arc<Arrival>>,
    /// The digest that the client announced for a document, which is checked when s3s could not read it.
    pub digest: Option<HeaderValue>,
    pub inflow: Option<Arc<Inflow>>,
}

impl Asked<'_> {
    /// The answer to a request that is turned away.
    pub fn refuse(&self, refusal: &Refusal, record: &mut Record) -> Response<Body> {
        if let Some(line) = &mut record.line {
            line.error = Some(refusal.code.to_owned());
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = refusal.status;
        response.headers_mut().insert(CONTENT_TYPE, XML);
        // A HEAD has no document to name the region in.
        let region = refusal.details.iter().find(|detail| detail.element == Element::Region);
        if let Some(Ok(region)) = region.map(|region| HeaderValue::from_str(&region.text)) {
            response.headers_mut().insert(BUCKET_REGION, region);
        }
        if !self.is_head() {
            let id = self.id.to_string();
            let context = self.context(&id);
            *response.body_mut() = Body::from(refusal::document(refusal, context));
        }
        response
    }

    /// Gives an error of s3s the form that it should have; anything else stays as it is.
    pub fn complete(&self, mut response: Response<Body>, record: &mut Record) -> Response<Body> {
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            response.headers_mut().remove(CONTENT_TYPE);
            *response.body_mut() = Body::empty();
            return response;
        }
        if !status.is_client_error() && !status.is_server_error() {
            amend(&mut response, self.is_head(), record.verb);
            return response;
        }
        if status == StatusCode::INTERNAL_SERVER_ERROR
            && let Some(refusal) = self.fault_of_document()
        {
            return self.refuse(&refusal, record);
        }
        let mut details = detail::take(response.headers_mut());
        let Some(told) = response.body().bytes() else { return response };
        let Some((code, message)) = std::str::from_utf8(&told).ok().and_then(refusal::told) else { return response };
        tell(status, code, self.id, record.verb);
        if let Some(line) = &mut record.line {
            line.error = Some(code.to_owned());
        }
        let id = self.id.to_string();
        *response.body_mut() = if self.is_head() {
            Body::empty()
        } else {
            self.named(code, &mut details);
            response.headers_mut().insert(CONTENT_TYPE, XML);
            Body::from(refusal::completed((code, message), &details, self.context(&id)))
        };
        response
    }

    fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Adds what the request itself says of an error.
    fn named(&self, code: &str, details: &mut Vec<Detail>) {
        let none = HeaderMap::new();
        let arrival = self.arrival.as_deref();
        let request = named::Request {
            method: &self.method,
            uri: &self.uri,
            headers: arrival.map_or(&none, |arrival| &arrival.headers),
            target: Target::parse(self.uri.path(), self.hosted.as_deref()),
            verified: arrival.is_none_or(Arrival::is_verified),
        };
        request.complete(code, details);
    }

    fn context<'a>(&'a self, id: &'a str) -> Context<'a> {
        Context { resource: self.uri.path(), request_id: id, host_id: self.host_id.to_str().unwrap_or_default() }
    }

    /// s3s answers `InternalError` for any document that it could not read to its end. Mostly the client is to blame.
    fn fault_of_document(&self) -> Option<Refusal> {
        let inflow = self.inflow.as_ref()?;
        match inflow.fault() {
            Some(Fault::Stalled) => return Some(Refusal::new(StatusCode::BAD_REQUEST, "RequestTimeout")),
            Some(Fault::Broken | Fault::Malformed) => {
                return Some(Refusal::new(StatusCode::BAD_REQUEST, "IncompleteBody"));
            }
            Some(Fault::Oversized) => return Some(Refusal::invalid_request(OVERSIZED)),
            None => {}
        }
        let announced = self.digest.as_ref()?.to_str().ok().filter(|text| text.len() == 64)?;
        let digest = inflow.kept().iter().fold(Sha256::new(), |digest, piece| digest.chain_update(piece)).finalize();
        let computed: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (!computed.eq_ignore_ascii_case(announced)).then(|| {
            Refusal::new(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch")
                .saying(Element::ClientComputedSha256, announced)
                .saying(Element::ServerComputedSha256, &computed)
        })
    }
}

/// Mends what s3s gets wrong in answers that are no errors: the status of a HEAD for a part of an object, the quotes that
/// S3 doesn't put around the tag in a document of attributes, and the names of delete markers among versions.
fn amend(response: &mut Response<Body>, head: bool, verb: Verb) {
    if head && response.headers().contains_key(CONTENT_RANGE) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let mend: fn(&str) -> String = match verb {
        Verb::GetObjectAttributes => |text| text.replace("<ETag>\"", "<ETag>").replace("\"</ETag>", "</ETag>"),
        Verb::ListObjectVersions => name_markers,
        _ => return,
    };
    if let Some(document) = response.body().bytes()
        && let Ok(text) = std::str::from_utf8(&document)
    {
        *response.body_mut() = Body::from(mend(text));
    }
}

/// A request that is refused is the client's affair; only our own failures are errors in our log.
fn tell(status: StatusCode, code: &str, id: RequestId, verb: Verb) {
    let verb = verb.name();
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(%id, verb, code, "a request failed");
    } else if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
        tracing::warn!(%id, verb, code, "a request could not be served");
    } else {
        tracing::debug!(%id, verb, code, "a request was refused");
    }
}
