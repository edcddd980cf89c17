//! What must hold of the front's readers whatever a request says, each stated once and against a plain model of what is
//! read. Property tests drive it (`trial/tests.rs`), and the fuzzer in `tests/fuzz`. Every function panics where
//! something doesn't hold.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a trial says by a panic what doesn't hold")]

use std::collections::VecDeque;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use s3s::host::S3Host as _;
use s3s::path::{S3Path, parse_virtual_hosted_style};

use super::chunks::{ChunkError, Chunks, LARGEST_SIGNED, LONGEST_LINE, MOST_DIGITS, WHOLE};
use super::host::Domains;
use super::query::Query;
use super::refusal::{Context, Refusal, document};
use super::route::{Target, Verb, verb};
use super::signature;

pub use super::form::trial::{form, policy};

const DOMAIN: &str = "s3.example";

/// What the front takes a request for is what s3s, behind it, takes it for.
pub fn route(method: &Method, host: &str, path: &str, raw_query: &str, copies: bool) {
    let domains = Domains::new([DOMAIN]);
    let bucket = domains.bucket(host);
    let told = domains.parse_host_header(host).unwrap();
    assert_eq!(told.bucket().map(str::to_owned), bucket.map(str::to_ascii_lowercase));
    let target = Target::parse(path, bucket);
    if let Ok(decoded) = percent_decode_str(path).decode_utf8() {
        agrees(target, parse_virtual_hosted_style(told.bucket(), &decoded).ok().as_ref());
    }

    let query = Query::parse(raw_query);
    let names = names(raw_query);
    let named = |name: &str| names.iter().any(|(named, _)| named == name);
    assert_eq!(query.part_number, named("partNumber"));
    assert_eq!(query.version_id, named("versionId"));
    assert_eq!(query.presigned.is_some(), PRESIGNED.iter().any(|name| named(name)));
    let list_type = names.iter().rfind(|(name, _)| name == "list-type").map(|(_, value)| value.as_str());
    assert_eq!(query.list_type.as_deref(), list_type);

    let Ok(verb) = verb(method, target, &query, copies) else { return };
    let subresources = SUBRESOURCES.iter().filter(|name| named(name)).count();
    assert!(subresources <= 1, "{verb:?} of {raw_query}");
    let scope = match target {
        Target::Service => 0,
        Target::Bucket(_) => 1,
        Target::Object { .. } => 2,
    };
    assert_eq!((method, scope), asked_by(verb), "{verb:?}");
}

const SUBRESOURCES: [&str; 30] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "retention",
    "tagging",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
];
const PRESIGNED: [&str; 6] =
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"];

fn agrees(target: Target<'_>, path: Option<&S3Path>) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    match (target, path) {
        // A bucket with an impossible name: s3s refuses it.
        (_, None) => {}
        (Target::Service, Some(S3Path::Root)) => {}
        (Target::Bucket(bucket), Some(S3Path::Bucket { bucket: name })) => {
            assert_eq!(decoded(bucket).to_ascii_lowercase(), name.to_ascii_lowercase());
        }
        (Target::Object { bucket, key }, Some(S3Path::Object { bucket: name, key: told })) => {
            assert_eq!(decoded(bucket).to_ascii_lowercase(), name.to_ascii_lowercase());
            assert_eq!(decoded(key), **told);
        }
        (target, Some(path)) => panic!("the front reads {target:?}, s3s {path:?}"),
    }
}

/// Names and values of a query string, decoded.
fn names(raw: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = raw.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// The method of each verb, and whether it asks for the service, a bucket or an object.
fn asked_by(verb: Verb) -> (&'static Method, u8) {
    match verb {
        Verb::ListBuckets => (&Method::GET, 0),
        Verb::GetBucketLocation | Verb::ListObjects | Verb::ListObjectsV2 | Verb::ListMultipartUploads => {
            (&Method::GET, 1)
        }
        Verb::CreateBucket => (&Method::PUT, 1),
        Verb::HeadBucket => (&Method::HEAD, 1),
        Verb::DeleteBucket => (&Method::DELETE, 1),
        Verb::DeleteObjects => (&Method::POST, 1),
        Verb::GetObject | Verb::GetObjectAttributes | Verb::ListParts => (&Method::GET, 2),
        Verb::HeadObject => (&Method::HEAD, 2),
        Verb::PutObject | Verb::CopyObject | Verb::UploadPart | Verb::UploadPartCopy | Verb::RenameObject => {
            (&Method::PUT, 2)
        }
        Verb::CreateMultipartUpload | Verb::CompleteMultipartUpload => (&Method::POST, 2),
        Verb::DeleteObject | Verb::AbortMultipartUpload => (&Method::DELETE, 2),
        Verb::IdentityQuery | Verb::MountFiles | Verb::Unserved => panic!("no request asks for it"),
        verb => asked_by_name(verb.name()),
    }
}

/// The verbs on what is kept with buckets and objects say in their names what they do, and to what.
fn asked_by_name(name: &str) -> (&'static Method, u8) {
    const OF_OBJECTS: [&str; 4] = ["ObjectAcl", "ObjectTagging", "ObjectRetention", "ObjectLegalHold"];
    let scope = if OF_OBJECTS.iter().any(|what| name.ends_with(what)) { 2 } else { 1 };
    match name {
        _ if name.starts_with("Get") || name.starts_with("List") => (&Method::GET, scope),
        _ if name.starts_with("Put") => (&Method::PUT, scope),
        _ if name.starts_with("Delete") => (&Method::DELETE, scope),
        _ => panic!("{name} doesn't say what it does"),
    }
}

/// A signature is let through to s3s only with everything signed that must be. Answers whether it was.
pub fn signature(headers: &HeaderMap, raw_query: &str) -> bool {
    const REGION: &str = "us-east-1";
    let query = Query::parse(raw_query);
    let Ok(claimed) = signature::check(headers, &query, Some(REGION)) else { return false };
    let names = names(raw_query);
    let of_query = |name: &str| names.iter().rfind(|(named, _)| named == name).map(|(_, value)| value.clone());
    let header = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let of_header = |name: &str| {
        let fields = header.as_ref()?.strip_prefix("AWS4-HMAC-SHA256")?;
        let mut values = fields.split(',').filter_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        values.next_back().map(str::to_owned)
    };
    let Some(claimed) = claimed else {
        assert!(
            header.is_none() && PRESIGNED.iter().all(|name| of_query(name).is_none()),
            "a signature is passed over"
        );
        return true;
    };
    assert_eq!(claimed.presigned, header.is_none());
    let (credential, signed) = match &header {
        Some(_) => (of_header("Credential"), of_header("SignedHeaders")),
        None => {
            assert!(PRESIGNED.iter().all(|name| of_query(name).is_some()), "a presigned request lacks something");
            let life = of_query("X-Amz-Expires").unwrap();
            assert!(life.bytes().all(|byte| byte.is_ascii_digit()), "a life of {life:?}");
            assert!(life.parse::<u128>().is_ok_and(|life| life <= 604_800), "a life of {life:?}");
            (of_query("X-Amz-Credential"), of_query("X-Amz-SignedHeaders"))
        }
    };
    let rest = credential.unwrap().strip_prefix(claimed.access_key).unwrap().to_owned();
    let (date, scope) = rest.strip_prefix('/').unwrap().split_once('/').unwrap();
    assert!(!date.contains('/'));
    assert_eq!(scope, format!("{REGION}/s3/aws4_request"));
    assert!(of_query("Signature").is_none() && of_query("AWSAccessKeyId").is_none(), "version 2");
    let signed = signed.unwrap();
    let must = headers.keys().map(hyper::header::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    for name in must.filter(|name| *name != "x-amz-content-sha256").chain(["host"]) {
        assert!(signed.split(';').any(|entry| entry == name), "{name} is not signed");
    }
    assert!(headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() <= 16 << 10);
    true
}

/// How a body in chunks ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Before the last chunk's line.
    Early,
    Last,
    Refused(ChunkError),
}

/// Chunks pass on what they hold whatever pieces they come in, none larger than may be held; and nothing else does.
pub fn chunks(body: &[u8], step: usize, signed: bool) {
    let (content, largest, expected) = unframed(body, signed);
    let mut chunks = Chunks::new(signed);
    let mut out = VecDeque::new();
    let mut refused = None;
    for piece in body.chunks(step.max(1)) {
        if let Err(error) = chunks.take(Bytes::copy_from_slice(piece), &mut out) {
            refused = Some(error);
            break;
        }
    }
    let out: Vec<u8> = out.into_iter().flatten().collect();
    let (passed, passed_largest, end) = unframed(&out, signed);
    assert!(passed == content, "{} bytes of content became {}", content.len(), passed.len());
    assert_eq!(refused, if let End::Refused(error) = expected { Some(error) } else { None });
    assert_eq!(end, if refused.is_some() { End::Early } else { expected });
    let most = if signed { LARGEST_SIGNED } else { WHOLE.max(step as u64) };
    assert!(passed_largest <= most, "a chunk of {passed_largest}");
    if !signed {
        let mut bare = Chunks::unframed();
        let mut out = VecDeque::new();
        for piece in body.chunks(step.max(1)) {
            if bare.take(Bytes::copy_from_slice(piece), &mut out).is_err() {
                break;
            }
        }
        assert!(out.into_iter().flatten().eq(content.iter().copied()), "the frames were not taken off");
    }
    if largest <= WHOLE {
        let kept_back = body.strip_prefix(&*out).unwrap();
        assert!(refused.is_some() || kept_back.len() <= LONGEST_LINE && !kept_back.contains(&b'\n'));
    }
}

/// The content of a body in chunks, the size of the largest, and how it ends.
fn unframed(mut body: &[u8], signed: bool) -> (Vec<u8>, u64, End) {
    let (mut content, mut largest) = (Vec::new(), 0);
    let end = loop {
        let line = body.iter().position(|byte| *byte == b'\n').map_or(body, |end| body.get(..=end).unwrap());
        if line.len() > LONGEST_LINE {
            break End::Refused(ChunkError::Malformed);
        }
        if line.last() != Some(&b'\n') {
            break End::Early;
        }
        let size = match size_of(line, signed) {
            Ok(0) => break End::Last,
            Ok(size) => size,
            Err(error) => break End::Refused(error),
        };
        largest = largest.max(size);
        let rest = body.get(line.len()..).unwrap();
        let (data, rest) = rest.split_at(rest.len().min(usize::try_from(size).unwrap()));
        content.extend_from_slice(data);
        if (data.len() as u64) < size {
            break End::Early;
        }
        match rest {
            [b'\r', b'\n', rest @ ..] => body = rest,
            [b'\r'] | [] => break End::Early,
            _ => break End::Refused(ChunkError::Malformed),
        }
    };
    (content, largest, end)
}

fn size_of(line: &[u8], signed: bool) -> Result<u64, ChunkError> {
    let text = std::str::from_utf8(line.split(|byte| *byte == b';').next().unwrap()).unwrap_or_default();
    let digits = if line.contains(&b';') { text } else { text.strip_suffix("\r\n").unwrap_or_default() };
    let hexadecimal = line.ends_with(b"\r\n") && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match u64::from_str_radix(digits, 16) {
        Ok(size) if hexadecimal && signed && size > LARGEST_SIGNED => Err(ChunkError::Oversized),
        Ok(size) if hexadecimal && (digits.len() <= MOST_DIGITS || !signed && size > WHOLE) => Ok(size),
        _ => Err(ChunkError::Malformed),
    }
}

/// An error names what was asked for, and is a document that XML allows, with nothing in it that a client put there.
pub fn refusal(resource: &str) {
    let context = Context { resource, request_id: "0123456789ABCDEF", host_id: "host" };
    let bytes = document(&Refusal::not_implemented(), context);
    let text = std::str::from_utf8(&bytes).unwrap();
    let allowed = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(allowed), "{text:?}");
    let (_, rest) = text.split_once("<Resource>").unwrap();
    let (named, rest) = rest.split_once("</Resource>").unwrap();
    assert!(rest.starts_with("<RequestId>0123456789ABCDEF</RequestId>"));
    assert!(!named.contains(['<', '>', '"']));
    for reference in named.split('&').skip(1) {
        assert!(["amp;", "lt;", "gt;", "quot;"].iter().any(|known| reference.starts_with(known)), "{named}");
    }
}

#[cfg(test)]
mod tests;
