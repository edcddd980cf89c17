//! What a form is answered with when its file is kept.

use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION};
use hyper::http::uri::Scheme;
use hyper::{HeaderMap, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::Body;
use s3s::dto::PutObjectOutput;

use super::fields::Fields;
use crate::front::refusal::escape;

const VERSION: HeaderName = HeaderName::from_static("x-amz-version-id");
/// What stands for itself in a URL.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');

/// What was made of a form.
pub struct Made<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    /// URL of the bucket, with a slash at its end.
    pub base: &'a str,
}

/// The answer that the form asks for: a redirect, a document, or nothing.
pub fn made(fields: &Fields, made: &Made<'_>, output: &PutObjectOutput) -> Response<Body> {
    let etag = output.e_tag.as_ref().map_or_else(String::new, |etag| format!("\"{}\"", etag.value()));
    let url = format!("{}{}", made.base, utf8_percent_encode(made.key, IN_PATH));
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = told(output, &etag);
    let wanted = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
    if let Some(location) = wanted.and_then(|wanted| redirect(wanted, made, &etag)) {
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(LOCATION, location);
        return response;
    }
    if let Ok(location) = HeaderValue::from_str(&url) {
        response.headers_mut().insert(LOCATION, location);
    }
    *response.status_mut() = match fields.get("success_action_status") {
        Some("200") => StatusCode::OK,
        Some("201") => {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            *response.body_mut() = Body::from(document(made, &url, &etag));
            StatusCode::CREATED
        }
        _ => StatusCode::NO_CONTENT,
    };
    response
}

fn told(output: &PutObjectOutput, etag: &str) -> HeaderMap {
    let kind = output.checksum_type.as_ref().map(|kind| kind.as_str().to_owned());
    let told = [
        (ETAG, Some(etag.to_owned())),
        (VERSION, output.version_id.clone()),
        (HeaderName::from_static("x-amz-checksum-crc32"), output.checksum_crc32.clone()),
        (HeaderName::from_static("x-amz-checksum-crc32c"), output.checksum_crc32c.clone()),
        (HeaderName::from_static("x-amz-checksum-crc64nvme"), output.checksum_crc64nvme.clone()),
        (HeaderName::from_static("x-amz-checksum-sha1"), output.checksum_sha1.clone()),
        (HeaderName::from_static("x-amz-checksum-sha256"), output.checksum_sha256.clone()),
        (HeaderName::from_static("x-amz-checksum-type"), kind),
    ];
    told.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value?).ok()?))).collect()
}

/// Where the browser goes on, which is told what was made; `None` for what is no URL, as if it weren't there.
fn redirect(wanted: &str, made: &Made<'_>, etag: &str) -> Option<HeaderValue> {
    let uri: Uri = wanted.parse().ok()?;
    let scheme = uri.scheme().filter(|scheme| [&Scheme::HTTP, &Scheme::HTTPS].contains(scheme));
    scheme?;
    let joint = if uri.query().is_some() { '&' } else { '?' };
    let encoded = |text| utf8_percent_encode(text, IN_QUERY);
    let (bucket, key) = (encoded(made.bucket), encoded(made.key));
    HeaderValue::from_str(&format!("{wanted}{joint}bucket={bucket}&key={key}&etag={}", encoded(etag))).ok()
}

fn document(made: &Made<'_>, url: &str, etag: &str) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
    for (name, text) in [("Location", url), ("Bucket", made.bucket), ("Key", made.key), ("ETag", etag)] {
        xml.extend(["<", name, ">"]);
        escape(text, &mut xml);
        xml.extend(["</", name, ">"]);
    }
    xml.push_str("</PostResponse>");
    xml
}

#[cfg(test)]
mod tests;
