//! Headers as s3s takes them, where AWS takes them otherwise.
//!
//! A header that the signature covers stays as it came: without it the signature would not verify.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, DATE, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, RANGE};
use s3s::dto::{CopySource, Range, Timestamp, TimestampFormat};
use time::format_description::well_known::Rfc2822;
use time::{OffsetDateTime, UtcOffset};

use super::ambiguity::METADATA;
use super::query::Query;
use super::refusal::Refusal;
use super::route::Verb;
use super::signature;

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
pub const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const WRITE_OFFSET: HeaderName = HeaderName::from_static("x-amz-write-offset-bytes");
const RENAME_SOURCE: HeaderName = HeaderName::from_static("x-amz-rename-source");

/// Headers that ask for less than a whole read. HTTP passes over what can't be read of them, s3s refuses it.
const PASSED_OVER: [HeaderName; 3] = [RANGE, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];

/// Makes of the headers of an admitted request what s3s takes.
pub fn amend(headers: &mut HeaderMap, raw_query: Option<&str>, verb: Verb) {
    join_metadata(headers);
    if headers.contains_key(AUTHORIZATION)
        && !headers.contains_key(&AMZ_DATE)
        && let Some(date) = headers.get(DATE).and_then(signing_date)
    {
        headers.insert(AMZ_DATE, date);
    }
    if !matches!(verb, Verb::GetObject | Verb::HeadObject) {
        return;
    }
    for name in PASSED_OVER {
        let is_unread = headers.get(&name).is_some_and(|value| !is_read(&name, value));
        if is_unread && !signature::covers(headers, &raw_query.map(Query::parse).unwrap_or_default(), &name) {
            headers.remove(&name);
        }
    }
}

/// Lines of one name are one value, as AWS has it; they are signed as one line, too.
fn join_metadata(headers: &mut HeaderMap) {
    if headers.len() == headers.keys_len() {
        return;
    }
    let names = headers.keys().filter(|name| name.as_str().starts_with(METADATA)).cloned();
    for name in names.collect::<Vec<_>>() {
        let values: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        if values.len() > 1
            && let Ok(joined) = HeaderValue::from_bytes(&values.join(&b","[..]))
        {
            headers.insert(name, joined);
        }
    }
}

/// A signature's date as `x-amz-date` has it, from the `Date` that stands for it.
fn signing_date(date: &HeaderValue) -> Option<HeaderValue> {
    let text = date.to_str().ok()?;
    let Ok(date) = OffsetDateTime::parse(text, &Rfc2822) else { return Some(date.clone()) };
    let date = date.to_offset(UtcOffset::UTC);
    let (day, time) = (date.date(), date.time());
    let text = format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        day.year(),
        u8::from(day.month()),
        day.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    HeaderValue::from_str(&text).ok()
}

fn is_read(name: &HeaderName, value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    match *name {
        RANGE => Range::parse(text).is_ok(),
        _ => Timestamp::parse(TimestampFormat::HttpDate, text).is_ok(),
    }
}

/// Refuses a copy whose source can't be read, and what a header makes of a verb that doesn't know it: a PUT that names
/// what it renames would be stored as an object.
///
/// # Errors
/// `InvalidArgument`, or `NotImplemented`.
pub fn expect_source(headers: &HeaderMap, verb: Verb) -> Result<(), Refusal> {
    if verb != Verb::PutObject && headers.contains_key(WRITE_OFFSET) {
        return Err(Refusal::unserved_header(WRITE_OFFSET.as_str()));
    }
    match (verb, headers.contains_key(RENAME_SOURCE)) {
        (Verb::RenameObject, false) => {
            return Err(Refusal::argument(RENAME_SOURCE.as_str(), "x-amz-rename-source is missing."));
        }
        (verb, true) if verb != Verb::RenameObject => return Err(Refusal::unserved_header(RENAME_SOURCE.as_str())),
        _ => {}
    }
    if !matches!(verb, Verb::CopyObject | Verb::UploadPartCopy) {
        return Ok(());
    }
    let source = headers.get(COPY_SOURCE).and_then(|source| source.to_str().ok());
    match source.map(CopySource::parse) {
        Some(Ok(_)) => Ok(()),
        _ => {
            let message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
            Err(Refusal::argument(COPY_SOURCE.as_str(), message))
        }
    }
}

#[cfg(test)]
mod tests;
