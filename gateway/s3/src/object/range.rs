//! Which of an object's bytes a read asks for.

use std::ops::Range;

use hyper::StatusCode;
use hyper::header::{CONTENT_RANGE, HeaderMap, HeaderValue};
use packstone_store::object::Version;
use s3s::{S3Error, S3ErrorCode, S3Result, dto};

use crate::detail::{Element, Saying as _};
use crate::error::{argument, custom, invalid_request};
use crate::number::decimal;

const COPY_RANGE: &str = "x-amz-copy-source-range";

/// The bytes of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub range: Range<u64>,
    /// `Content-Range`, when the client asked for a part of the object.
    pub content_range: Option<String>,
    /// How many parts made the object, when the client asked for one by number.
    pub parts: Option<i32>,
    /// The part that the client asked for by number, counted from 0.
    pub part: Option<usize>,
}

impl Selection {
    /// Length of the answer in bytes, as s3s has it.
    pub fn length(&self) -> i64 {
        i64::try_from(self.range.end - self.range.start).unwrap_or(i64::MAX)
    }
}

/// Works out what `range` or `part` selects of `version`.
///
/// # Errors
/// `InvalidRange` or `InvalidPartNumber` for what the object doesn't have.
pub(crate) fn select(version: &Version, range: Option<dto::Range>, part: Option<i32>) -> S3Result<Selection> {
    match (range, part) {
        (None, None) => Ok(Selection { range: 0..version.size, content_range: None, parts: None, part: None }),
        (Some(_), Some(_)) => Err(invalid_request("Cannot specify both Range header and partNumber query parameter")),
        (Some(range), None) => {
            let selected = range.check(version.size).map_err(|_| unsatisfiable(version.size))?;
            if selected.is_empty() {
                return Err(unsatisfiable(version.size));
            }
            let content_range = Some(described(&selected, version.size));
            Ok(Selection { content_range, range: selected, parts: None, part: None })
        }
        (None, Some(part)) => select_part(version, part),
    }
}

fn select_part(version: &Version, part: i32) -> S3Result<Selection> {
    if !(1..=10_000).contains(&part) {
        return Err(argument("partNumber", "Part number must be an integer between 1 and 10000, inclusive"));
    }
    let index = usize::try_from(part - 1).unwrap_or(usize::MAX);
    let (selected, parts) = match version.parts.get(index) {
        Some(size) => {
            let start: u64 = version.parts.iter().take(index).sum();
            (start..start + size, i32::try_from(version.parts.len()).ok())
        }
        // An object that one body made is its own first part.
        None if version.parts.is_empty() && index == 0 => (0..version.size, None),
        None => {
            return Err(custom(
                "InvalidPartNumber",
                StatusCode::RANGE_NOT_SATISFIABLE,
                "The requested partnumber is not satisfiable",
            )
            .saying(Element::ActualPartCount, version.parts.len().max(1)));
        }
    };
    // An empty body has no first and last byte to name.
    let content_range = (!selected.is_empty()).then(|| described(&selected, version.size));
    Ok(Selection { range: selected, content_range, parts, part: Some(index) })
}

fn described(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))
}

fn unsatisfiable(size: u64) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::InvalidRange);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        error.set_headers(HeaderMap::from_iter([(CONTENT_RANGE, value)]));
    }
    error.saying(Element::ActualObjectSize, size)
}

/// Reads `x-amz-copy-source-range`, which names both ends and must lie within the source.
pub(crate) fn copied(text: &str, size: u64) -> S3Result<Range<u64>> {
    let ends = text.strip_prefix("bytes=").and_then(|ends| ends.split_once('-'));
    let ends = ends.and_then(|(first, last)| Some((decimal(first)?, decimal(last)?)));
    match ends {
        Some((first, last)) if first <= last && last < size => Ok(first..last + 1),
        Some((first, last)) if first <= last => {
            Err(argument(COPY_RANGE, format!("Range specified is not valid for source object of size: {size}")))
        }
        _ => Err(argument(
            COPY_RANGE,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy",
        )),
    }
}

#[cfg(test)]
mod tests;
