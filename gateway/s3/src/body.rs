//! A request's body on its way into the store: counted, hashed, verified, and refused when it is not what was
//! announced.

use std::ops::RangeInclusive;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use hyper::http::Extensions;
use hyper::{HeaderMap, StatusCode};
use packstone_store::ObjectWriter;
use packstone_store::object::{ChecksumAlgorithm, MAX_PUT};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};

use crate::checksum::Announced;
use crate::detail::{Element, Saying as _};
use crate::digest::{Digester, Sums};
use crate::error::{custom, from_store, invalid_request};
use crate::front::{Fault, Inflow, OVERSIZED};
use crate::number::decimal;

/// How the body's bytes vouch for themselves, which tells what a fault in the middle of them means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    /// Not at all.
    Plain,
    /// By one SHA-256 in the header.
    Digest,
    /// `aws-chunked`, each chunk signed.
    SignedChunks,
    /// `aws-chunked`, not signed.
    Chunks,
    /// A file in a form.
    Form,
}

impl Payload {
    fn of(headers: &HeaderMap) -> Self {
        match headers.get("x-amz-content-sha256").map(|value| value.as_bytes()) {
            Some(value) if value.starts_with(b"STREAMING-UNSIGNED-") => Self::Chunks,
            Some(value) if value.starts_with(b"STREAMING-") => Self::SignedChunks,
            Some(value) if value.len() == 64 => Self::Digest,
            _ => Self::Plain,
        }
    }

    fn is_chunked(self) -> bool {
        matches!(self, Self::SignedChunks | Self::Chunks)
    }
}

/// How long a body may be whose length isn't known before its end. A form's request carries it in its extensions.
#[derive(Clone, Debug)]
pub(crate) struct Within(pub RangeInclusive<u64>);

/// What the headers of a request announce of its body.
pub(crate) struct Announcement {
    /// Length of the content, in bytes, or the most that it may be.
    pub length: u64,
    /// The least that it may be, where the length isn't known.
    least: Option<u64>,
    pub checksum: Option<Announced>,
    md5: Option<[u8; 16]>,
    payload: Payload,
    inflow: Option<Arc<Inflow>>,
    trailers: Option<TrailingHeaders>,
}

impl Announcement {
    /// Reads the headers, before any of the body.
    ///
    /// # Errors
    /// `MissingContentLength`, `EntityTooLarge`, or what is wrong with a digest.
    pub fn parse(
        headers: &HeaderMap,
        extensions: &Extensions,
        content_length: Option<i64>,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<Self> {
        let within = extensions.get::<Within>().map(|Within(range)| range.clone());
        let payload = if within.is_some() { Payload::Form } else { Payload::of(headers) };
        let length = if let Some(range) = &within {
            Some(*range.end())
        } else if payload.is_chunked() {
            decoded_length(headers)
        } else {
            content_length.and_then(|length| u64::try_from(length).ok())
        };
        let length = length.ok_or_else(|| S3Error::new(S3ErrorCode::MissingContentLength))?;
        if length > MAX_PUT {
            return Err(S3Error::new(S3ErrorCode::EntityTooLarge)
                .saying(Element::ProposedSize, length)
                .saying(Element::MaxSizeAllowed, MAX_PUT));
        }
        Ok(Self {
            length,
            least: within.map(|range| *range.start()),
            checksum: Announced::parse(headers)?,
            md5: content_md5(headers)?,
            payload,
            inflow: extensions.get::<Arc<Inflow>>().cloned(),
            trailers,
        })
    }

    /// The length of the content, where it is known.
    pub fn exact(&self) -> Option<u64> {
        if self.least.is_some() { None } else { Some(self.length) }
    }

    /// The algorithm of the checksum announced, if any.
    pub fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.checksum.as_ref().map(|announced| announced.algorithm)
    }

    /// Reads the body to its end into `writer`, hashing it with `algorithm` too, and checks it against everything
    /// that was announced. Nothing is visible until the writer commits.
    pub async fn pour(
        &self,
        body: Option<StreamingBlob>,
        algorithm: Option<ChecksumAlgorithm>,
        writer: &mut ObjectWriter,
    ) -> S3Result<Sums> {
        let mut digester = Digester::new(self.length, algorithm);
        let mut taken = 0_u64;
        if let Some(mut body) = body {
            while let Some(piece) = body.next().await {
                let piece = piece.map_err(|_| self.fault(taken))?;
                taken += piece.len() as u64;
                if taken > self.length {
                    return Err(self.misfit(S3ErrorCode::EntityTooLarge).saying(Element::MaxSizeAllowed, self.length));
                }
                digester.update(&piece).await?;
                writer.write(piece).await.map_err(from_store)?;
            }
        }
        if taken < self.least.unwrap_or(self.length) {
            let least = self.least.unwrap_or(self.length);
            return Err(self
                .misfit(S3ErrorCode::EntityTooSmall)
                .saying(Element::ProposedSize, taken)
                .saying(Element::MinSizeAllowed, least));
        }
        let sums = digester.finish().await?;
        self.verify(&sums)?;
        Ok(sums)
    }

    /// The answer to a body of another length: `code` where it was free to have one.
    fn misfit(&self, code: S3ErrorCode) -> S3Error {
        S3Error::new(if self.least.is_some() { code } else { S3ErrorCode::IncompleteBody })
    }

    fn verify(&self, sums: &Sums) -> S3Result<()> {
        expect_md5(self.md5, sums.md5)?;
        match &self.checksum {
            Some(announced) => announced.verify(sums, self.trailers().as_ref()),
            None => Ok(()),
        }
    }

    /// What stood behind the last chunk, decoded by s3s or, of who didn't sign, by the front.
    fn trailers(&self) -> Option<HeaderMap> {
        match &self.trailers {
            Some(trailers) => trailers.read(HeaderMap::clone),
            None => self.inflow.as_ref().and_then(|inflow| inflow.trailers()),
        }
    }

    /// Why the body broke off after `taken` bytes. The front knows of stalls and of broken connections; of what s3s
    /// found wrong inside a body that came whole, it hands out no type, so how the body was to be verified decides.
    fn fault(&self, taken: u64) -> S3Error {
        let inflow = self.inflow.as_deref();
        match inflow.and_then(Inflow::fault) {
            Some(Fault::Stalled) => return S3Error::new(S3ErrorCode::RequestTimeout),
            Some(Fault::Broken) => return S3Error::new(S3ErrorCode::IncompleteBody),
            Some(Fault::Oversized) => return invalid_request(OVERSIZED),
            Some(Fault::Malformed) | None => {}
        }
        let ended_early = taken < self.length && inflow.is_some_and(Inflow::ended);
        match self.payload {
            Payload::Digest => custom(
                "XAmzContentSHA256Mismatch",
                StatusCode::BAD_REQUEST,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            Payload::Form => S3Error::new(S3ErrorCode::MalformedPOSTRequest),
            Payload::SignedChunks if !ended_early => S3Error::new(S3ErrorCode::SignatureDoesNotMatch),
            Payload::SignedChunks | Payload::Chunks | Payload::Plain => S3Error::new(S3ErrorCode::IncompleteBody),
        }
    }
}

/// Checks a document that s3s has parsed against `Content-MD5` and the checksum announced for it.
///
/// # Errors
/// `BadDigest`; `InvalidRequest` when `required` and none was announced.
pub(crate) fn verify_document(headers: &HeaderMap, extensions: &Extensions, required: bool) -> S3Result<()> {
    let md5 = content_md5(headers)?;
    let announced = Announced::parse(headers)?;
    if required && md5.is_none() && announced.is_none() {
        return Err(invalid_request("Missing required header for this request: Content-MD5 OR x-amz-checksum-*"));
    }
    let pieces = extensions.get::<Arc<Inflow>>().map(|inflow| inflow.kept()).unwrap_or_default();
    let document = pieces.concat();
    expect_md5(md5, crate::digest::md5(&document))?;
    match announced {
        Some(Announced { algorithm, value: Some(value) }) if value != crate::digest::checksum(algorithm, &document) => {
            Err(crate::checksum::mismatch(algorithm))
        }
        _ => Ok(()),
    }
}

fn expect_md5(announced: Option<[u8; 16]>, computed: [u8; 16]) -> S3Result<()> {
    match announced {
        Some(announced) if announced != computed => Err(S3Error::with_message(
            S3ErrorCode::BadDigest,
            "The Content-MD5 you specified did not match what we received.",
        )
        .saying(Element::ExpectedDigest, STANDARD.encode(announced))
        .saying(Element::CalculatedDigest, STANDARD.encode(computed))),
        _ => Ok(()),
    }
}

fn content_md5(headers: &HeaderMap) -> S3Result<Option<[u8; 16]>> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    STANDARD
        .decode(value.as_bytes())
        .ok()
        .and_then(|digest| digest.try_into().ok())
        .map(Some)
        .ok_or_else(|| S3Error::new(S3ErrorCode::InvalidDigest))
}

fn decoded_length(headers: &HeaderMap) -> Option<u64> {
    decimal(headers.get("x-amz-decoded-content-length")?.to_str().ok()?)
}
