//! The way of one request: admitted or refused, answered by s3s, its answer completed.
//!
//! Concurrency: one [`Service`] for all connections, read only; what belongs to a request stays in its task.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::body::{Body as _, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, EXPECT, HOST, HeaderName, HeaderValue, SERVER};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use percent_encoding::percent_decode_str;
use s3s::service::S3Service;
use s3s::{Body, HttpRequest, S3};

use super::access_log::AccessLog;
use super::ambiguity;
use super::answer::Asked;
use super::chunks::Chunks;
use super::cors::{self, Sharing};
use super::counters::Counters;
use super::fields::{self, COPY_SOURCE};
use super::form::{self, Desk, Form};
use super::host::Domains;
use super::ids::{RequestId, RequestIds};
use super::inflow::RequestBody;
use super::line::{Line, Secured};
use super::named;
use super::outflow::{Record, ResponseBody};
use super::query::{Query, Subresources};
use super::query_api::{self, QueryApi, Received};
use super::refusal::Refusal;
use super::route::{self, Target, Verb};
use super::signature;
use super::upgrade::{self, Mounts};
use super::{Buckets, Door, Settings, Standing};
use crate::asker::{Arrival, Signed, anonymous};
use crate::identity::{Bearer, KeyRing};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const NAME: HeaderValue = HeaderValue::from_static("Packstone");

/// Who is at the other end of a connection.
pub(super) struct Client {
    pub remote: SocketAddr,
    /// What its TLS is, if it has any.
    pub secured: Option<Arc<Secured>>,
    /// Whether the connection holds bytes of a body that nobody will read.
    pub unread: Arc<AtomicBool>,
}

/// A request that s3s may see.
struct Admitted {
    verb: Verb,
    /// Who says to have signed it.
    bearer: Arc<Bearer>,
    signed: Signed,
}

impl Admitted {
    /// One that is heard whoever sends it.
    fn unsigned(verb: Verb) -> Self {
        Self { verb, bearer: anonymous(), signed: Signed::Header }
    }
}

/// What a front has behind it beside the verbs of S3.
#[derive(Default)]
pub(crate) struct Collaborators {
    /// Calls of IAM and STS.
    pub api: Option<Arc<dyn QueryApi>>,
    /// What is said of buckets.
    pub buckets: Option<Arc<dyn Buckets>>,
    /// From whom a document may be taken; without, from everybody.
    pub door: Option<Arc<dyn Door>>,
    /// What serves files to mounts on other machines.
    pub mounts: Option<Arc<dyn Mounts>>,
}

/// What answers requests, whatever connection they come by.
pub(super) struct Service {
    s3: S3Service,
    /// The same verbs, for forms, which s3s doesn't read.
    verbs: Arc<dyn S3>,
    collaborators: Collaborators,
    ring: KeyRing,
    /// Whether connections come by TLS.
    secure: bool,
    region: Arc<str>,
    domains: Domains,
    body_timeout: Duration,
    ids: RequestIds,
    counters: Arc<Counters>,
    log: Option<AccessLog>,
}

impl Service {
    pub fn new(
        (s3, verbs): (S3Service, Arc<dyn S3>),
        collaborators: Collaborators,
        ring: KeyRing,
        domains: Domains,
        log: Option<AccessLog>,
        counters: &Arc<Counters>,
        settings: &Settings,
    ) -> Self {
        Self {
            s3,
            verbs,
            collaborators,
            ring,
            secure: settings.tls.is_some(),
            region: settings.region.as_str().into(),
            domains,
            body_timeout: settings.body_timeout,
            ids: RequestIds::new(),
            counters: Arc::clone(counters),
            log,
        }
    }

    /// Counts a connection for as long as the answer lives.
    pub fn connection(&self) -> impl Drop + use<> {
        self.counters.connected(1);
        Connection(Arc::clone(&self.counters))
    }

    /// Answers one request, whatever is wrong with it.
    pub async fn answer(&self, request: Request<Incoming>, client: &Client) -> Response<ResponseBody> {
        let (parts, incoming) = request.into_parts();
        let mut record = self.record();
        let mut asked = Asked {
            id: self.ids.mint(),
            host_id: self.ids.host(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            hosted: self.hosted(&parts).map(Box::from),
            arrival: None,
            digest: None,
            inflow: None,
        };
        let Standing { sharing, recorder } = self.standing(&parts);
        if self.log.is_some() || recorder.is_some() {
            let from = (client.remote, client.secured.clone());
            record.line = Some(Box::new(Line::new(from, (asked.id, self.ids.host()), &parts)));
        }
        record.recorder = recorder;
        let expectation = is_unanswered_expectation(&parts, &incoming);
        let has_body = parts.version == Version::HTTP_11 && !incoming.is_end_stream();
        let shared = cors::shared(&parts.method, &parts.headers, &sharing);
        let mut response = match self.respond(parts, incoming, client, &sharing, &mut asked, &mut record).await {
            Ok(response) => response,
            Err(refusal) => asked.refuse(&refusal, &mut record),
        };
        // Whoever is told no before the body was read must not send the next request behind it.
        let is_read = asked.inflow.as_ref().is_some_and(|inflow| inflow.ended());
        let unread = has_body && !is_read && !response.status().is_success();
        let headers = response.headers_mut();
        headers.extend(shared);
        headers.insert(REQUEST_ID, asked.id.header());
        headers.insert(HOST_ID, self.ids.host().clone());
        headers.insert(SERVER, NAME);
        if expectation || unread {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        sealed(response, record)
    }

    async fn respond(
        &self,
        parts: Parts,
        incoming: Incoming,
        client: &Client,
        sharing: &Sharing,
        asked: &mut Asked<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let admitted = self.admit(&parts, record).map_err(|mut refusal| {
            // Else the socket would be reset with the answer still on its way.
            client.unread.fetch_or(!incoming.is_end_stream(), Ordering::Release);
            self.named(&parts).complete(refusal.code, &mut refusal.details);
            refusal
        })?;
        record.verb = admitted.verb;
        let response = match admitted.verb {
            Verb::Preflight => {
                return cors::preflight(&parts.headers, self.target(&parts), sharing).map(told_alone);
            }
            Verb::IdentityQuery => return Ok(self.query(parts, incoming, client, asked.id).await),
            Verb::MountFiles => return self.mount(parts, &incoming, client, record),
            Verb::PostObject => self.post(parts, incoming, client, asked, record).await?,
            verb => {
                let request = self.prepare(parts, incoming, admitted, client, asked);
                if let Some(line) = &mut record.line {
                    line.arrival = request.extensions().get().cloned();
                }
                self.s3.call(request).await.map_err(|error| {
                    tracing::error!(id = %asked.id, verb = verb.name(), ?error, "no answer could be made");
                    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
                })?
            }
        };
        Ok(asked.complete(response, record))
    }

    fn record(&self) -> Record {
        self.counters.began();
        Record {
            verb: Verb::Unserved,
            status: None,
            sent: 0,
            started: Instant::now(),
            counters: Arc::clone(&self.counters),
            line: None,
            log: self.log.clone(),
            recorder: None,
        }
    }

    /// The bucket that the host names.
    fn hosted<'p>(&self, parts: &'p Parts) -> Option<&'p str> {
        let host = if self.domains.is_empty() { None } else { host_of(parts) };
        host.and_then(|host| self.domains.bucket(host))
    }

    fn target<'p>(&self, parts: &'p Parts) -> Target<'p> {
        Target::parse(parts.uri.path(), self.hosted(parts))
    }

    /// The request as errors name it.
    fn named<'p>(&self, parts: &'p Parts) -> named::Request<'p> {
        let target = self.target(parts);
        named::Request { method: &parts.method, uri: &parts.uri, headers: &parts.headers, target, verified: false }
    }

    /// What is said of the bucket asked for.
    fn standing(&self, parts: &Parts) -> Standing {
        match (&self.collaborators.buckets, self.target(parts).bucket()) {
            (Some(buckets), Some(bucket)) => {
                buckets.standing(&percent_decode_str(bucket).decode_utf8_lossy().to_ascii_lowercase())
            }
            _ => Standing { sharing: Sharing::NoBucket, recorder: None },
        }
    }

    /// Finds out what is asked, and refuses what must not reach s3s.
    fn admit(&self, parts: &Parts, record: &mut Record) -> Result<Admitted, Refusal> {
        let target = self.target(parts);
        if let Some(line) = &mut record.line {
            line.bucket = target.bucket().map(str::to_owned);
            line.key = target.key().map(str::to_owned);
        }
        let query = parts.uri.query().map(Query::parse).unwrap_or_default();
        ambiguity::check(parts, &query)?;
        // A browser asks before it signs.
        if parts.method == Method::OPTIONS {
            return Ok(Admitted::unsigned(Verb::Preflight));
        }
        if self.collaborators.api.is_some() && query_api::is_call(parts, target) {
            return Ok(Admitted::unsigned(Verb::IdentityQuery));
        }
        if self.collaborators.mounts.is_some() && upgrade::is_asked(parts, target) {
            return Ok(Admitted::unsigned(Verb::MountFiles));
        }
        if form::is_upload(parts, target, &query) {
            return Ok(Admitted::unsigned(Verb::PostObject));
        }
        let region = (query.subresources != Subresources::LOCATION).then_some(&*self.region);
        let claimed = signature::check(&parts.headers, &query, region)?;
        let presigned = claimed.as_ref().is_some_and(|claimed| claimed.presigned);
        let signed = if presigned { Signed::Url } else { Signed::Header };
        let bearer = match claimed {
            Some(claimed) => self.ring.bearer(claimed.access_key, claimed.token).map_err(Refusal::stranger)?,
            // There is no key that chunks could be signed with.
            None if parts.headers.get(CONTENT_SHA256).is_some_and(claims_signed_chunks) => {
                return Err(Refusal::new(StatusCode::FORBIDDEN, "AccessDenied"));
            }
            None => anonymous(),
        };
        // s3s would take any form for an upload, and read it whole.
        if parts.method == Method::POST && form::is_form(parts) {
            return Err(Refusal::not_implemented());
        }
        let verb = route::verb(&parts.method, target, &query, parts.headers.contains_key(COPY_SOURCE))?;
        fields::expect_source(&parts.headers, verb)?;
        Ok(Admitted { verb, bearer, signed })
    }

    /// Answers a call of IAM or STS.
    async fn query(&self, parts: Parts, incoming: Incoming, client: &Client, id: RequestId) -> Response<Body> {
        let Some(api) = &self.collaborators.api else { return Response::new(Body::empty()) };
        let call = Received {
            parts,
            body: incoming,
            remote: client.remote.ip(),
            region: Arc::clone(&self.region),
            secure: self.secure,
            request_id: id.to_string(),
        };
        query_api::answer(&**api, &self.ring, call, self.body_timeout).await
    }

    /// Hands a connection over to who serves files.
    fn mount(
        &self,
        parts: Parts,
        incoming: &Incoming,
        client: &Client,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let Some(mounts) = &self.collaborators.mounts else { return Err(Refusal::not_implemented()) };
        let from = upgrade::From { remote: client.remote.ip(), region: &self.region, secure: self.secure };
        let arrival = upgrade::arrival(&self.ring, &parts, incoming.is_end_stream(), &from)?;
        if let Some(line) = &mut record.line {
            line.arrival = Some(Arc::clone(&arrival));
        }
        upgrade::hand_over(mounts, parts, arrival)
    }

    /// Answers an upload by a form.
    async fn post(
        &self,
        parts: Parts,
        incoming: Incoming,
        client: &Client,
        asked: &mut Asked<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        signature::check_size(&parts.headers)?;
        if parts.headers.contains_key(AUTHORIZATION) {
            return Err(Refusal::invalid_argument(signature::ONE_MECHANISM));
        }
        let bucket = form::bucket_name(self.target(&parts).bucket().unwrap_or_default());
        let (counters, unread) = (Arc::clone(&self.counters), Arc::clone(&client.unread));
        let (body, inflow) = RequestBody::new(incoming, false, None, self.body_timeout, counters, unread);
        asked.inflow = Some(Arc::clone(&inflow));
        let form = Form::read(parts, bucket, body, inflow).await?;
        if let Some(line) = &mut record.line {
            line.key = Some(form.key().to_owned());
        }
        let signer = form.signer(&self.ring, &self.region)?;
        if let (Some(line), Some(signer)) = (&mut record.line, &signer) {
            line.posted = Some(signer.bearer.clone());
        }
        let desk = Desk { s3: &*self.verbs, region: &self.region, secure: self.secure, remote: client.remote.ip() };
        form.put(&desk, signer).await
    }

    fn prepare(
        &self,
        mut parts: Parts,
        incoming: Incoming,
        Admitted { verb, bearer, signed }: Admitted,
        client: &Client,
        asked: &mut Asked<'_>,
    ) -> HttpRequest {
        fields::amend(&mut parts.headers, parts.uri.query(), verb);
        // s3s takes a rename for a PUT: the verb says what it is.
        if verb.takes_document() || verb == Verb::RenameObject {
            parts.extensions.insert(verb);
        }
        let anonymous = bearer.is_anonymous();
        let arrival = Arc::new(Arrival {
            bearer,
            remote: client.remote.ip(),
            region: Arc::clone(&self.region),
            secure: self.secure,
            signed,
            headers: parts.headers.clone(),
            uri: parts.uri.clone(),
            verified: AtomicBool::new(false),
        });
        asked.arrival = Some(Arc::clone(&arrival));
        parts.extensions.insert(arrival);
        if incoming.is_end_stream() {
            return Request::from_parts(parts, Body::empty());
        }
        let keeps = verb.takes_document();
        let digest = parts.headers.get(CONTENT_SHA256);
        let chunks = digest.and_then(|digest| chunks_of(digest, anonymous));
        if keeps {
            asked.digest = digest.cloned();
        }
        let (body, inflow) = RequestBody::new(
            incoming,
            keeps,
            chunks,
            self.body_timeout,
            Arc::clone(&self.counters),
            Arc::clone(&client.unread),
        );
        parts.extensions.insert(Arc::clone(&inflow));
        asked.inflow = Some(inflow);
        Request::from_parts(parts, Body::http_body(body))
    }
}

fn host_of(parts: &Parts) -> Option<&str> {
    match parts.headers.get(HOST) {
        Some(host) => host.to_str().ok(),
        None => parts.uri.authority().map(|authority| authority.as_str()),
    }
}

/// Whether the client waits for a `100 Continue` before a body that has no bytes. None is sent: no body is read. The aws
/// command line then takes the next answer on the connection for part of this one, and waits until its time-out.
fn is_unanswered_expectation(parts: &Parts, incoming: &Incoming) -> bool {
    parts.version == Version::HTTP_11 && incoming.is_end_stream() && parts.headers.contains_key(EXPECT)
}

/// Whether a body comes in chunks, and signed ones, which stands where its digest would.
fn chunks_of(digest: &HeaderValue, anonymous: bool) -> Option<Chunks> {
    let in_chunks = digest.as_bytes().starts_with(b"STREAMING-");
    in_chunks.then(|| if anonymous { Chunks::unframed() } else { Chunks::new(claims_signed_chunks(digest)) })
}

fn claims_signed_chunks(digest: &HeaderValue) -> bool {
    let kind = digest.as_bytes().strip_prefix(b"STREAMING-");
    kind.is_some_and(|kind| !kind.starts_with(b"UNSIGNED-"))
}

/// An answer that says everything in its headers.
fn told_alone(headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = headers;
    response
}

fn sealed(response: Response<Body>, mut record: Record) -> Response<ResponseBody> {
    record.status = Some(response.status());
    if let Some(line) = &mut record.line {
        line.answered(record.verb, response.headers(), record.started.elapsed());
    }
    response.map(|body| ResponseBody::new(body, record))
}

struct Connection(Arc<Counters>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connected(-1);
    }
}
