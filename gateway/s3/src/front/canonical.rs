//! What a signature is compared with, said to whoever signed something else.
//!
//! s3s verifies signatures and tells nobody what it computed; here the same texts are made once more, for the answer
//! alone. They hold what the request held, and nothing of a secret.

use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::query::Query;
use super::signature::{self, Claim};

const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');
const SIGNATURE: &str = "X-Amz-Signature";

/// The texts behind a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calculated {
    pub access_key: String,
    pub signature: String,
    pub canonical_request: String,
    pub string_to_sign: String,
}

impl Calculated {
    /// Of a request that says that it is signed.
    #[must_use]
    pub fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let query = uri.query().map(Query::parse).unwrap_or_default();
        let claim = signature::claim(headers, &query).ok()??;
        let (access_key, scope) = claim.credential.split_at_checked(access_key_length(claim.credential)?)?;
        let scope = scope.strip_prefix('/')?;
        let presigned = query.presigned.as_ref();
        let date = match presigned {
            Some(presigned) => presigned.date.as_deref()?,
            None => headers.get("x-amz-date")?.to_str().ok()?,
        };
        let payload = match presigned {
            Some(_) => "UNSIGNED-PAYLOAD",
            None => headers.get("x-amz-content-sha256")?.to_str().ok()?,
        };
        let canonical_request = canonical_request(method, uri, headers, &claim, payload);
        let digest = Sha256::digest(canonical_request.as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self {
            access_key: access_key.to_owned(),
            signature: claim.signature.to_owned(),
            string_to_sign: format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"),
            canonical_request,
        })
    }
}

/// An access key may hold slashes, its scope has four fields.
fn access_key_length(credential: &str) -> Option<usize> {
    credential.rmatch_indices('/').nth(3).map(|(at, _)| at)
}

fn canonical_request(method: &Method, uri: &Uri, headers: &HeaderMap, claim: &Claim<'_>, payload: &str) -> String {
    let path = percent_decode_str(uri.path()).decode_utf8_lossy();
    let mut names: Vec<&str> = claim.signed_headers.split(';').collect();
    names.sort_unstable();
    let mut text = format!("{method}\n{}\n{}\n", utf8_percent_encode(&path, IN_PATH), canonical_query(uri));
    for name in &names {
        text.extend([name, ":", &canonical_value(uri, headers, name), "\n"]);
    }
    text.extend(["\n", &names.join(";"), "\n", payload]);
    text
}

fn canonical_query(uri: &Uri) -> String {
    let encoded = |text: &str| {
        let plain = text.replace('+', " ");
        utf8_percent_encode(&percent_decode_str(&plain).decode_utf8_lossy(), IN_QUERY).to_string()
    };
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut pairs: Vec<(String, String)> = pairs.map(|(name, value)| (encoded(name), encoded(value))).collect();
    pairs.retain(|(name, _)| name != SIGNATURE);
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// All values of a header, with spaces at the ends taken away and those in the middle made one.
fn canonical_value(uri: &Uri, headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let values: Vec<String> = values.map(|value| value.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    match uri.authority() {
        // HTTP/2 names the host elsewhere.
        Some(authority) if values.is_empty() && name == HOST => authority.to_string(),
        _ => values.join(","),
    }
}

#[cfg(test)]
mod tests;
