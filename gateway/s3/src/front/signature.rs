//! What the front asks of a signature before s3s verifies it.
//!
//! s3s computes signatures and compares them. It does not mind a presigned life of years, an `x-amz-*` header that
//! nobody signed, version 2, another service's scope, or another region; those are refused here.

use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderName};

use super::features;
use super::query::{Presigned, Query};
use super::refusal::Refusal;
use crate::detail::Element;
use crate::number::decimal;

/// The longest life of a presigned request, in seconds: seven days.
const LONGEST_LIFE: u64 = 7 * 24 * 60 * 60;
/// The most bytes that the names and values of a request's headers may take together.
const MAX_HEADERS: usize = 16 << 10;
pub(super) const TOKEN: &str = "x-amz-security-token";

const AMZ: &str = "x-amz-";

/// What a request is told that is signed in two ways.
pub(super) const ONE_MECHANISM: &str = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature \
                                        query string parameter or the Authorization header should be specified";

/// How a request says who signed it.
pub(super) struct Claim<'a> {
    pub credential: &'a str,
    /// Names in lower case, with semicolons between them.
    pub signed_headers: &'a str,
    pub signature: &'a str,
}

/// What a request says of who signed it, which is not proved yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Claimed<'a> {
    pub access_key: &'a str,
    /// The session token that came with it.
    pub token: Option<&'a str>,
    /// Whether the signature stands in the URL.
    pub presigned: bool,
}

/// Refuses a request whose signature must not be accepted, whether or not it would verify.
///
/// `region` is the region of this server, or `None` where a request may name any (GetBucketLocation is how a client
/// learns it). A request without any signature is nobody's, and answered with `None`.
///
/// # Errors
/// The answer that AWS would give.
pub fn check<'a>(
    headers: &'a HeaderMap,
    query: &'a Query<'_>,
    region: Option<&str>,
) -> Result<Option<Claimed<'a>>, Refusal> {
    let authorization = headers.get(AUTHORIZATION);
    if query.version2 || authorization.is_some_and(|value| value.as_bytes().starts_with(b"AWS ")) {
        return Err(Refusal::invalid_request(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ));
    }
    let Some(claim) = claim(headers, query)? else { return check_headers(headers, None).map(|()| None) };
    let access_key = check_scope(claim.credential, region)?;
    check_headers(headers, Some(claim.signed_headers))?;
    let presigned = query.presigned.as_ref();
    let header = headers.get(TOKEN).and_then(|value| value.to_str().ok());
    let token = presigned.and_then(|presigned| presigned.token.as_deref()).or(header);
    Ok(Some(Claimed { access_key, token, presigned: presigned.is_some() }))
}

/// Whether the signature of a request covers a header. Only the query tells a presigned request from any other.
pub fn covers(headers: &HeaderMap, query: &Query<'_>, name: &HeaderName) -> bool {
    let claim = claim(headers, query).ok().flatten();
    claim.is_some_and(|claim| is_signed(claim.signed_headers, name.as_str()))
}

/// What a request says of its signature; nothing of one that has none.
pub(super) fn claim<'a>(headers: &'a HeaderMap, query: &'a Query<'_>) -> Result<Option<Claim<'a>>, Refusal> {
    match (headers.get(AUTHORIZATION), &query.presigned) {
        (Some(_), Some(_)) => Err(Refusal::invalid_argument(ONE_MECHANISM)),
        (Some(value), None) => claim_of_header(value.to_str().map_err(|_| malformed())?).map(Some),
        (None, Some(presigned)) => claim_of_query(presigned).map(Some),
        (None, None) => Ok(None),
    }
}

fn claim_of_header(value: &str) -> Result<Claim<'_>, Refusal> {
    let Some(fields) = value.strip_prefix("AWS4-HMAC-SHA256") else {
        return Err(Refusal::invalid_argument("Unsupported Authorization Type"));
    };
    let (mut credential, mut signed_headers, mut signature) = (None, None, "");
    for field in fields.split(',') {
        match field.trim().split_once('=') {
            Some(("Credential", text)) => credential = Some(text),
            Some(("SignedHeaders", text)) => signed_headers = Some(text),
            Some(("Signature", text)) => signature = text,
            _ => {}
        }
    }
    match (credential, signed_headers) {
        (Some(credential), Some(signed_headers)) => Ok(Claim { credential, signed_headers, signature }),
        _ => Err(malformed()),
    }
}

fn claim_of_query<'a>(presigned: &'a Presigned<'a>) -> Result<Claim<'a>, Refusal> {
    let (Some(_), Some(credential), Some(_), Some(expires), Some(signed_headers), Some(signature)) = (
        &presigned.algorithm,
        &presigned.credential,
        &presigned.date,
        &presigned.expires,
        &presigned.signed_headers,
        &presigned.signature,
    ) else {
        return Err(bad_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
             X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ));
    };
    if expires.starts_with('-') {
        return Err(bad_query("X-Amz-Expires must be non-negative"));
    }
    match decimal(expires) {
        None => Err(bad_query("X-Amz-Expires should be a number")),
        Some(life) if life > LONGEST_LIFE => Err(bad_query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        )),
        Some(_) => Ok(Claim { credential, signed_headers, signature }),
    }
}

/// The credential is `KEY/DATE/REGION/SERVICE/aws4_request`, and a key may hold slashes. Answers the key.
///
/// # Errors
/// A credential for another service or region.
pub(super) fn check_scope<'c>(credential: &'c str, region: Option<&str>) -> Result<&'c str, Refusal> {
    let mut fields = credential.rsplitn(5, '/');
    let (Some("aws4_request"), Some(service), Some(named), Some(_), Some(access_key)) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(malformed());
    };
    if service != "s3" {
        return Err(Refusal::with(
            StatusCode::BAD_REQUEST,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; incorrect service. This endpoint belongs to \"s3\".",
        ));
    }
    match region {
        Some(expected) if expected != named => Err(Refusal::with(
            StatusCode::BAD_REQUEST,
            "AuthorizationHeaderMalformed",
            format!("The authorization header is malformed; the region is wrong; expecting '{expected}'"),
        )
        .saying(Element::Region, expected)),
        _ => Ok(access_key),
    }
}

/// Looks at the headers: their size, who signed them, and whether they ask for something that isn't served. Without a
/// signature nobody signed them.
fn check_headers(headers: &HeaderMap, signed: Option<&str>) -> Result<(), Refusal> {
    check_size(headers)?;
    if let Some(signed) = signed {
        let needed =
            ["host"].into_iter().chain(headers.keys().filter(|name| needs_signing(name)).map(HeaderName::as_str));
        let unsigned: Vec<&str> = needed.filter(|name| !is_signed(signed, name)).collect();
        if !unsigned.is_empty() {
            return Err(not_signed(&unsigned));
        }
    }
    for (name, value) in headers {
        if let Some(amz) = name.as_str().strip_prefix(AMZ) {
            features::check(amz, value.as_bytes())?;
        }
    }
    Ok(())
}

/// Refuses more of headers than a request may have.
///
/// # Errors
/// `RequestHeaderSectionTooLarge`.
pub fn check_size(headers: &HeaderMap) -> Result<(), Refusal> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > MAX_HEADERS {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, "RequestHeaderSectionTooLarge");
        return Err(refusal.saying(Element::MaxSizeAllowed, MAX_HEADERS));
    }
    Ok(())
}

/// All `x-amz-*` headers do, but for the digest of the body, which is part of what is signed in any case, or else
/// can only make the check of the body stricter.
fn needs_signing(name: &HeaderName) -> bool {
    name.as_str().starts_with(AMZ) && name != "x-amz-content-sha256"
}

fn is_signed(signed: &str, name: &str) -> bool {
    signed.split(';').any(|entry| entry == name)
}

fn not_signed(headers: &[&str]) -> Refusal {
    Refusal::with(
        StatusCode::FORBIDDEN,
        "AccessDenied",
        "There were headers present in the request which were not signed",
    )
    .saying(Element::HeadersNotSigned, headers.join(", "))
}

fn malformed() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed")
}

fn bad_query(message: &'static str) -> Refusal {
    Refusal::with(StatusCode::BAD_REQUEST, "AuthorizationQueryParametersError", message)
}
