//! S3's five checksums: their names, what a request says of them, and what an answer says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, checksum_combine};
use hyper::HeaderMap;
use packstone_store::object::{Checksum, ChecksumAlgorithm, ChecksumKind};
use s3s::dto;
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::digest::Sums;
use crate::error::{custom, invalid_request, refused};

const ALGORITHMS: [ChecksumAlgorithm; 5] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
    ChecksumAlgorithm::Sha1,
    ChecksumAlgorithm::Sha256,
];

/// The name that S3 gives an algorithm.
pub(crate) fn name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => dto::ChecksumAlgorithm::CRC32,
        ChecksumAlgorithm::Crc32c => dto::ChecksumAlgorithm::CRC32C,
        ChecksumAlgorithm::Crc64Nvme => dto::ChecksumAlgorithm::CRC64NVME,
        ChecksumAlgorithm::Sha1 => dto::ChecksumAlgorithm::SHA1,
        ChecksumAlgorithm::Sha256 => dto::ChecksumAlgorithm::SHA256,
    }
}

fn header(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

/// The algorithm of a name, in any case.
pub(crate) fn algorithm(text: &str) -> S3Result<ChecksumAlgorithm> {
    ALGORITHMS
        .into_iter()
        .find(|algorithm| name(*algorithm).eq_ignore_ascii_case(text))
        .ok_or_else(|| invalid_request("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"))
}

pub(crate) fn kind_dto(kind: ChecksumKind) -> dto::ChecksumType {
    dto::ChecksumType::from_static(match kind {
        ChecksumKind::FullObject => dto::ChecksumType::FULL_OBJECT,
        ChecksumKind::Composite => dto::ChecksumType::COMPOSITE,
    })
}

/// The kind that an upload's parts make, when the client named an algorithm and perhaps a kind.
pub(crate) fn kind(algorithm: ChecksumAlgorithm, asked: Option<&dto::ChecksumType>) -> S3Result<ChecksumKind> {
    use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
    match (algorithm, asked.map(dto::ChecksumType::as_str)) {
        (Crc64Nvme, None) => Ok(ChecksumKind::FullObject),
        (Crc32 | Crc32c | Sha1 | Sha256, None | Some(dto::ChecksumType::COMPOSITE)) => Ok(ChecksumKind::Composite),
        (Crc32 | Crc32c | Crc64Nvme, Some(dto::ChecksumType::FULL_OBJECT)) => Ok(ChecksumKind::FullObject),
        (_, Some(other)) => Err(invalid_request(format!(
            "The {other} checksum type cannot be used with the {} checksum algorithm.",
            name(algorithm).to_ascii_lowercase()
        ))),
    }
}

/// A checksum that a client announced, and where it says the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    pub algorithm: ChecksumAlgorithm,
    /// `None` when a trailer brings it.
    pub value: Option<Vec<u8>>,
}

impl Announced {
    /// Reads the headers of a request with a body.
    pub fn parse(headers: &HeaderMap) -> S3Result<Option<Self>> {
        let mut found = None;
        for algorithm in ALGORITHMS {
            let Some(value) = headers.get(header(algorithm)) else { continue };
            if found.is_some() {
                return Err(invalid_request(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
                ));
            }
            let value = value.to_str().ok().and_then(|text| decode(algorithm, text));
            let value = value.ok_or_else(|| invalid_value(algorithm))?;
            found = Some(Self { algorithm, value: Some(value) });
        }
        if found.is_none() {
            found = trailer(headers)?;
        }
        if found.is_none() && headers.contains_key("x-amz-sdk-checksum-algorithm") {
            return Err(invalid_request(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
                 headers were found.",
            ));
        }
        Ok(found)
    }

    /// The value, once the body is read to its end.
    fn expected(&self, trailers: Option<&HeaderMap>) -> S3Result<Vec<u8>> {
        if let Some(value) = &self.value {
            return Ok(value.clone());
        }
        let text = trailers
            .and_then(|trailers| trailers.get(header(self.algorithm))?.to_str().ok())
            .ok_or_else(malformed_trailer)?;
        decode(self.algorithm, text).ok_or_else(|| invalid_value(self.algorithm))
    }

    /// Compares what was announced with what came.
    pub fn verify(&self, sums: &Sums, trailers: Option<&HeaderMap>) -> S3Result<()> {
        let expected = self.expected(trailers)?;
        match &sums.checksum {
            Some(checksum) if checksum.value == expected => Ok(()),
            _ => Err(mismatch(self.algorithm)),
        }
    }
}

fn trailer(headers: &HeaderMap) -> S3Result<Option<Announced>> {
    let Some(names) = headers.get("x-amz-trailer") else { return Ok(None) };
    let names = names.to_str().map_err(|_| malformed_trailer())?;
    let named = names
        .split(',')
        .map(str::trim)
        .find_map(|named| ALGORITHMS.into_iter().find(|algorithm| header(*algorithm).eq_ignore_ascii_case(named)));
    match named {
        Some(algorithm) => Ok(Some(Announced { algorithm, value: None })),
        None => Err(invalid_request("The value specified in the x-amz-trailer header is not supported")),
    }
}

/// Reads the base64 of a checksum; `None` when it isn't one of this algorithm.
pub(crate) fn decode(algorithm: ChecksumAlgorithm, text: &str) -> Option<Vec<u8>> {
    // A composite value ends with the number of its parts, which clients may repeat.
    let digest = text.split_once('-').map_or(text, |(digest, _)| digest);
    STANDARD.decode(digest).ok().filter(|value| value.len() == algorithm.length())
}

/// The base64 of a checksum, with `-N` for one that `parts` parts made.
pub(crate) fn encode(checksum: &Checksum, parts: u16) -> String {
    let text = STANDARD.encode(&checksum.value);
    match checksum.kind {
        ChecksumKind::FullObject => text,
        ChecksumKind::Composite => format!("{text}-{parts}"),
    }
}

/// The checksum of an object made of parts, from theirs in order; `None` when a part has none of this algorithm.
pub(crate) fn of_parts<'a>(
    algorithm: ChecksumAlgorithm,
    kind: ChecksumKind,
    parts: impl Iterator<Item = (u64, Option<&'a Checksum>)>,
) -> Option<Checksum> {
    let mut joined: Vec<u8> = Vec::new();
    let mut crc: Option<u64> = None;
    for (size, checksum) in parts {
        let value = &checksum.filter(|checksum| checksum.algorithm == algorithm)?.value;
        match kind {
            ChecksumKind::Composite => joined.extend_from_slice(value),
            ChecksumKind::FullObject => {
                let next = number(value);
                crc = Some(match crc {
                    None => next,
                    Some(before) => checksum_combine(crc_algorithm(algorithm)?, before, next, size),
                });
            }
        }
    }
    let value = match kind {
        ChecksumKind::Composite => crate::digest::checksum(algorithm, &joined),
        ChecksumKind::FullObject => {
            let bytes = crc?.to_be_bytes();
            bytes.get(bytes.len().checked_sub(algorithm.length())?..)?.to_vec()
        }
    };
    Some(Checksum { algorithm, kind, value })
}

fn number(value: &[u8]) -> u64 {
    value.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

pub(crate) fn crc_algorithm(algorithm: ChecksumAlgorithm) -> Option<CrcAlgorithm> {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
    }
}

pub(crate) fn mismatch(algorithm: ChecksumAlgorithm) -> S3Error {
    refused(
        S3ErrorCode::BadDigest,
        format!("The {} you specified did not match the calculated checksum.", name(algorithm)),
    )
}

fn invalid_value(algorithm: ChecksumAlgorithm) -> S3Error {
    invalid_request(format!("Value for {} header is invalid.", header(algorithm)))
}

fn malformed_trailer() -> S3Error {
    custom(
        "MalformedTrailerError",
        hyper::StatusCode::BAD_REQUEST,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
}

/// Puts a checksum into the field of its algorithm, in any of s3s's structs that have the five.
macro_rules! place {
    ($into:expr, $checksum:expr, $text:expr) => {
        match $checksum.algorithm {
            packstone_store::object::ChecksumAlgorithm::Crc32 => $into.checksum_crc32 = Some($text),
            packstone_store::object::ChecksumAlgorithm::Crc32c => $into.checksum_crc32c = Some($text),
            packstone_store::object::ChecksumAlgorithm::Crc64Nvme => $into.checksum_crc64nvme = Some($text),
            packstone_store::object::ChecksumAlgorithm::Sha1 => $into.checksum_sha1 = Some($text),
            packstone_store::object::ChecksumAlgorithm::Sha256 => $into.checksum_sha256 = Some($text),
        }
    };
}
pub(crate) use place;

#[cfg(test)]
mod tests;
