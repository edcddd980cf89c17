//! What the verbs on parts share: numbers, ids, pages, and the commit of one part.

use packstone_store::ObjectWriter;
use packstone_store::object::{Attributes, MAX_PARTS, Precondition, UploadId, Version};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::digest::Sums;
use crate::error::{argument, from_store};

/// The most parts on a page.
const MOST: i32 = 1000;

/// A part's number, within what S3 allows.
pub(crate) fn number(number: i32) -> S3Result<u16> {
    u16::try_from(number)
        .ok()
        .filter(|number| (1..=MAX_PARTS).contains(number))
        .ok_or_else(|| argument("partNumber", "Part number must be an integer between 1 and 10000, inclusive"))
}

/// Reads an upload's id; text that can't be one names no upload.
pub(crate) fn upload_id(text: &str) -> S3Result<UploadId> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(text, 16)
        .ok()
        .filter(|_| digits)
        .map(UploadId)
        .ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchUpload))
}

/// An upload's id as clients see it.
pub(crate) fn upload_text(id: UploadId) -> String {
    format!("{:032x}", id.0)
}

/// The number that a page of parts begins after, and how many it holds at most.
pub(crate) fn page_of(marker: Option<i32>, most: Option<i32>) -> S3Result<(u16, usize)> {
    let after = u16::try_from(marker.unwrap_or(0).min(i32::from(u16::MAX)));
    let most = usize::try_from(most.unwrap_or(MOST).min(MOST));
    match (after, most) {
        (Ok(after), Ok(most)) => Ok((after, most)),
        _ => Err(argument("max-parts", "Argument max-parts and part-number-marker must not be negative")),
    }
}

/// Makes a part durable, with what was computed of it.
pub(crate) async fn commit(writer: ObjectWriter, sums: &Sums) -> S3Result<Version> {
    let attributes = Attributes { etag: sums.etag(), checksum: sums.checksum.clone(), ..Attributes::default() };
    writer.commit(attributes, Precondition::None).await.map_err(from_store)
}
