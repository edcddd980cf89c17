//! Requests that two readers would take for two things are refused before anybody reads them.
//!
//! The front, policies and s3s each read headers and query for themselves, and a proxy in front of the node did before
//! them. Whichever of two values one of them took, another could take the other: what was authorised would not be what
//! is served. Two header lines are also signed as one line with a comma.

use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode, Version, header};

use super::query::Query;
use super::refusal::Refusal;
use crate::detail::Element;

const AMZ: &str = "x-amz-";
/// Metadata, whose values are joined.
pub(super) const METADATA: &str = "x-amz-meta-";
/// Headers of `x-amz-` that are lists.
const LISTS: [&str; 2] = ["x-amz-object-attributes", "x-amz-optional-object-attributes"];
/// Other headers that have one value.
const SINGLE: [header::HeaderName; 14] = [
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::EXPECT,
    header::EXPIRES,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::ORIGIN,
    header::RANGE,
    header::TRANSFER_ENCODING,
];
const CONTENT_MD5: &str = "content-md5";

/// Refuses a request of which a header or a parameter has two values, whose length is said in two ways, or which names
/// two hosts.
///
/// # Errors
/// `InvalidRequest`, or `InvalidArgument` for a parameter.
pub fn check(parts: &Parts, query: &Query<'_>) -> Result<(), Refusal> {
    let headers = &parts.headers;
    if let Some(name) = repeated(headers) {
        return Err(
            Refusal::invalid_request("A header that has one value was sent twice.").saying(Element::Header, name)
        );
    }
    if headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Refusal::invalid_request("A body has a length or is chunked, and not both."));
    }
    if !is_of_one_host(parts) {
        return Err(Refusal::with(StatusCode::BAD_REQUEST, "InvalidRequest", "A request names one host."));
    }
    match &query.repeated {
        Some(name) => Err(Refusal::argument(name, "A parameter was sent twice.")),
        None => Ok(()),
    }
}

fn repeated(headers: &HeaderMap) -> Option<&str> {
    if headers.len() == headers.keys_len() {
        return None;
    }
    let several = headers.keys().filter(|name| headers.get_all(*name).iter().nth(1).is_some());
    several.map(header::HeaderName::as_str).find(|name| has_one_value(name))
}

fn has_one_value(name: &str) -> bool {
    if name.starts_with(AMZ) {
        return !name.starts_with(METADATA) && !LISTS.contains(&name);
    }
    name == CONTENT_MD5 || SINGLE.iter().any(|single| single == name)
}

/// A URI that names a host must name that of the `Host` header, which alone is signed over HTTP/1.
fn is_of_one_host(parts: &Parts) -> bool {
    match (parts.headers.get(header::HOST), parts.uri.authority()) {
        (Some(host), Some(authority)) => host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()),
        (Some(_), None) => true,
        (None, _) => parts.version >= Version::HTTP_2,
    }
}

#[cfg(test)]
mod tests;
