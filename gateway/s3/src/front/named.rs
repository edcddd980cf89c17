//! What a request itself says of the error that it is answered with: the bucket, key or version that isn't there, the
//! header that asks too much, what was signed.

use std::borrow::Cow;
use std::time::SystemTime;

use hyper::header::{HeaderMap, RANGE};
use hyper::{Method, Uri};
use percent_encoding::percent_decode_str;
use s3s::dto::{Timestamp, TimestampFormat};

use super::LARGEST_DOCUMENT;
use super::canonical::Calculated;
use super::route::Target;
use super::signature;
use crate::detail::{Detail, Element};

/// How far a client's clock may be off, as s3s has it.
const SKEW_MILLISECONDS: u32 = 15 * 60 * 1000;
/// The longest key, in bytes.
const LONGEST_KEY: usize = 1024;
/// Headers that a write is made to depend on, in the order in which they are named.
const CONDITIONS: [&str; 8] = [
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "If-Modified-Since",
    "x-amz-if-match-size",
    "x-amz-if-match-last-modified-time",
    "x-amz-rename-source-if-match",
    "x-amz-rename-source-if-none-match",
];

/// What a code's document names of the request.
fn named(code: &str) -> &'static [Element] {
    match code {
        "NoSuchBucket"
        | "BucketNotEmpty"
        | "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "InvalidBucketName"
        | "NoSuchBucketPolicy"
        | "NoSuchCORSConfiguration"
        | "NoSuchLifecycleConfiguration"
        | "NoSuchPublicAccessBlockConfiguration"
        | "NoSuchTagSet"
        | "ObjectLockConfigurationNotFoundError"
        | "OwnershipControlsNotFoundError"
        | "ReplicationConfigurationNotFoundError"
        | "ServerSideEncryptionConfigurationNotFoundError" => &[Element::BucketName],
        "NoSuchKey" | "NoSuchObjectLockConfiguration" => &[Element::Key],
        "NoSuchVersion" => &[Element::Key, Element::VersionId],
        "NoSuchUpload" | "InvalidPart" => &[Element::UploadId],
        "InvalidRange" => &[Element::RangeRequested],
        "InvalidPartNumber" => &[Element::PartNumberRequested],
        "InvalidDigest" => &[Element::ContentMd5],
        "InvalidStorageClass" => &[Element::StorageClassRequested],
        "InvalidArgument" => &[Element::ArgumentValue],
        "MethodNotAllowed" => &[Element::Method, Element::ResourceType],
        "PreconditionFailed" => &[Element::Condition],
        "MaxMessageLengthExceeded" => &[Element::MaxMessageLength],
        "KeyTooLongError" => &[Element::Size, Element::MaxSizeAllowed],
        "XAmzContentSHA256Mismatch" => &[Element::ClientComputedSha256],
        "InvalidToken" | "ExpiredToken" => &[Element::Token],
        "InvalidAccessKeyId" => &[Element::AccessKeyId],
        "RequestTimeTooSkewed" => &[Element::RequestTime, Element::ServerTime, Element::MaxAllowedSkew],
        "SignatureDoesNotMatch" => &[
            Element::AccessKeyId,
            Element::StringToSign,
            Element::SignatureProvided,
            Element::StringToSignBytes,
            Element::CanonicalRequest,
            Element::CanonicalRequestBytes,
        ],
        _ => &[],
    }
}

/// A request, as far as errors name it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    /// What path and host name.
    pub target: Target<'a>,
    /// Whether what is signed of it is proven, so that a wrong signature is that of a chunk.
    pub verified: bool,
}

impl Request<'_> {
    /// Adds to `details` what the document of `code` says of the request, but for what is said already.
    pub fn complete(&self, code: &str, details: &mut Vec<Detail>) {
        for element in named(code) {
            if details.iter().any(|detail| detail.element == *element) {
                continue;
            }
            if let Some(text) = self.text(*element, details) {
                details.push(Detail { element: *element, text: text.into() });
            }
        }
    }

    fn text(&self, element: Element, said: &[Detail]) -> Option<String> {
        match element {
            Element::BucketName => self.target.bucket().map(decoded),
            Element::Key => self.target.key().map(decoded),
            Element::VersionId => self.parameter("versionId"),
            Element::UploadId => self.parameter("uploadId"),
            Element::PartNumberRequested => self.parameter("partNumber"),
            Element::RangeRequested => self.header(RANGE.as_str()),
            Element::ContentMd5 => self.header("content-md5"),
            Element::StorageClassRequested => self.header("x-amz-storage-class"),
            Element::ClientComputedSha256 => self.header("x-amz-content-sha256"),
            Element::Token => self.header(signature::TOKEN).or_else(|| self.parameter("X-Amz-Security-Token")),
            Element::RequestTime => self.header("x-amz-date").or_else(|| self.parameter("X-Amz-Date")),
            Element::Method => Some(self.method.to_string()),
            Element::ResourceType => Some(self.resource_type().to_owned()),
            Element::Condition => {
                CONDITIONS.iter().find(|name| self.headers.contains_key(**name)).map(|name| (*name).to_owned())
            }
            Element::ArgumentValue => {
                let name = said.iter().find(|detail| detail.element == Element::ArgumentName)?;
                self.parameter(&name.text).or_else(|| self.header(&name.text))
            }
            Element::Size => self.target.key().map(|key| decoded(key).len().to_string()),
            Element::MaxSizeAllowed => Some(LONGEST_KEY.to_string()),
            Element::MaxMessageLength => Some(LARGEST_DOCUMENT.to_string()),
            Element::ServerTime => server_time(),
            Element::MaxAllowedSkew => Some(SKEW_MILLISECONDS.to_string()),
            Element::AccessKeyId => self.claimed().map(|claimed| claimed.access_key),
            Element::StringToSign => self.calculated().map(|claimed| claimed.string_to_sign),
            Element::StringToSignBytes => self.calculated().map(|claimed| spaced(&claimed.string_to_sign)),
            Element::CanonicalRequest => self.calculated().map(|claimed| claimed.canonical_request),
            Element::CanonicalRequestBytes => self.calculated().map(|claimed| spaced(&claimed.canonical_request)),
            Element::SignatureProvided => self.calculated().map(|claimed| claimed.signature),
            // What a verb alone knows.
            Element::ActualObjectSize
            | Element::ActualPartCount
            | Element::ArgumentName
            | Element::CalculatedDigest
            | Element::Etag
            | Element::ExpectedDigest
            | Element::Header
            | Element::HeadersNotSigned
            | Element::LocationConstraint
            | Element::MaxPostPreDataLength
            | Element::MinSizeAllowed
            | Element::MissingHeaderName
            | Element::PartNumber
            | Element::ProposedSize
            | Element::Region
            | Element::ServerComputedSha256 => None,
        }
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(of, _)| decoded(of) == name).map(|(_, value)| decoded(&value.replace('+', " "))).next()
    }

    fn resource_type(&self) -> &'static str {
        match self.target {
            Target::Service => "SERVICE",
            Target::Bucket(_) => "BUCKET",
            Target::Object { .. } => "OBJECT",
        }
    }

    fn claimed(&self) -> Option<Calculated> {
        Calculated::of(self.method, self.uri, self.headers)
    }

    /// What the signature was compared with: nothing that the client hasn't sent.
    fn calculated(&self) -> Option<Calculated> {
        if self.verified { None } else { self.claimed() }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}

fn server_time() -> Option<String> {
    let mut text = Vec::with_capacity(24);
    Timestamp::from(SystemTime::now()).format(TimestampFormat::DateTime, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// Bytes in hexadecimal, as AWS writes them beside a text.
fn spaced(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
