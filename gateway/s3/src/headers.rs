//! Headers that stand with an object: read from a request, given back with the object.

use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES, HeaderName,
};
use packstone_store::object::{Attributes, SystemHeader};
use packstone_store::placement::StorageClass;
use s3s::dto::{Metadata, Timestamp, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::detail::{Element, Saying as _};
use crate::error::custom;

/// The most bytes that names and values of user metadata may take together.
const MAX_METADATA: usize = 2 << 10;
/// What an object's type is when nobody said.
pub(crate) const DEFAULT_TYPE: &str = "binary/octet-stream";

const KEPT: [(SystemHeader, HeaderName); 6] = [
    (SystemHeader::ContentType, CONTENT_TYPE),
    (SystemHeader::CacheControl, CACHE_CONTROL),
    (SystemHeader::ContentDisposition, CONTENT_DISPOSITION),
    (SystemHeader::ContentEncoding, CONTENT_ENCODING),
    (SystemHeader::ContentLanguage, CONTENT_LANGUAGE),
    (SystemHeader::Expires, EXPIRES),
];
/// Where a request says how an object is to be kept.
pub(crate) const STORAGE_CLASS: &str = "x-amz-storage-class";
const REDIRECT: &str = "x-amz-website-redirect-location";

/// The attributes that a request describes, without its tag and checksum.
///
/// # Errors
/// `MetadataTooLarge`, or `InvalidArgument` for a header that isn't text.
pub(crate) fn described(headers: &HeaderMap, metadata: Option<Metadata>) -> S3Result<Attributes> {
    let mut kept = Vec::new();
    for (header, name) in KEPT {
        let Some(value) = headers.get(&name) else { continue };
        let value = text(value.as_bytes())?;
        match header {
            SystemHeader::ContentType if value == DEFAULT_TYPE => {}
            SystemHeader::ContentEncoding => kept.extend(without_chunking(value).map(|value| (header, value))),
            _ if value.is_empty() => {}
            _ => kept.push((header, value.to_owned())),
        }
    }
    kept.extend(redirect(headers)?);
    kept.extend(storage_class(headers));
    Ok(Attributes { headers: kept, user: user(metadata)?, ..Attributes::default() })
}

/// The storage class that a request asks for, which a copy doesn't inherit; what says none is `STANDARD`.
pub(crate) fn storage_class(headers: &HeaderMap) -> Option<(SystemHeader, String)> {
    let class = headers.get(STORAGE_CLASS)?.to_str().ok().and_then(StorageClass::named)?;
    (class != StorageClass::Standard).then(|| (SystemHeader::StorageClass, class.name().to_owned()))
}

/// The storage class of a version, in the type of whatever tells it.
pub(crate) fn class_of<T: From<String>>(attributes: &Attributes) -> T {
    StorageClass::of(attributes).name().to_owned().into()
}

/// The same for a header, which is left out for `STANDARD`.
pub(crate) fn told_class(attributes: &Attributes) -> Option<s3s::dto::StorageClass> {
    let class = StorageClass::of(attributes);
    (class != StorageClass::Standard).then(|| class.name().to_owned().into())
}

/// Where a website would send whoever asks for the object, which a copy doesn't inherit.
pub(crate) fn redirect(headers: &HeaderMap) -> S3Result<Option<(SystemHeader, String)>> {
    let Some(value) = headers.get(REDIRECT) else { return Ok(None) };
    let value = text(value.as_bytes())?;
    if !["/", "http://", "https://"].iter().any(|start| value.starts_with(start)) {
        return Err(custom(
            "InvalidRedirectLocation",
            hyper::StatusCode::BAD_REQUEST,
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        ));
    }
    Ok(Some((SystemHeader::WebsiteRedirectLocation, value.to_owned())))
}

/// `aws-chunked` says how the body came, not what it is.
fn without_chunking(value: &str) -> Option<String> {
    const CHUNKED: &str = "aws-chunked";
    let codings = value.split(',').map(str::trim);
    if !codings.clone().any(|coding| coding == CHUNKED) {
        return (!value.is_empty()).then(|| value.to_owned());
    }
    let codings: Vec<&str> = codings.filter(|coding| !coding.is_empty() && *coding != CHUNKED).collect();
    (!codings.is_empty()).then(|| codings.join(", "))
}

/// In the order of their names: the same metadata always takes the same bytes.
fn user(metadata: Option<Metadata>) -> S3Result<Vec<(String, String)>> {
    let mut user: Vec<(String, String)> = metadata.unwrap_or_default().into_iter().collect();
    let size: usize = user.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_METADATA {
        return Err(S3Error::new(S3ErrorCode::MetadataTooLarge)
            .saying(Element::Size, size)
            .saying(Element::MaxSizeAllowed, MAX_METADATA));
    }
    user.sort_unstable();
    Ok(user)
}

fn text(bytes: &[u8]) -> S3Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| crate::error::invalid_argument("A header's value is not UTF-8."))
}

/// User metadata as s3s takes it.
pub(crate) fn metadata(attributes: &Attributes) -> Option<Metadata> {
    (!attributes.user.is_empty()).then(|| attributes.user.iter().cloned().collect())
}

/// A system header's text.
pub(crate) fn owned(attributes: &Attributes, header: SystemHeader) -> Option<String> {
    attributes.header(header).map(str::to_owned)
}

/// The object's type.
pub(crate) fn content_type(attributes: &Attributes) -> String {
    attributes.header(SystemHeader::ContentType).unwrap_or(DEFAULT_TYPE).to_owned()
}

/// When the object expires for caches; s3s let only a date in.
pub(crate) fn expires(attributes: &Attributes) -> Option<Timestamp> {
    attributes.header(SystemHeader::Expires).and_then(|text| Timestamp::parse(TimestampFormat::HttpDate, text).ok())
}

#[cfg(test)]
mod tests;
