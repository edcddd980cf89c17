//! Who signed a form: SigV4 over its policy.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use hyper::StatusCode;
use s3s::auth::Credentials;
use s3s::dto::{Timestamp, TimestampFormat};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::fields::Fields;
use crate::detail::Element;
use crate::front::refusal::Refusal;
use crate::front::signature;
use crate::identity::{Bearer, KeyRing, Stranger};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How long a signature holds, and how far a client's clock may be off.
const LONGEST_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const SKEW: Duration = Duration::from_secs(15 * 60);

/// Who signed a form.
pub struct Signer {
    pub bearer: Arc<Bearer>,
    pub credentials: Credentials,
}

/// Who signed the form; `None` for one that nobody did.
///
/// # Errors
/// The answer that AWS would give to a signature that lacks something, or is wrong.
pub fn signer(fields: &Fields, ring: &KeyRing, region: &str) -> Result<Option<Signer>, Refusal> {
    if fields.get("awsaccesskeyid").is_some() || fields.get("signature").is_some() {
        return Err(Refusal::invalid_request(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ));
    }
    if ["policy", "x-amz-credential", "x-amz-signature"].iter().all(|name| fields.get(name).is_none()) {
        return Ok(None);
    }
    let policy = fields.expect("policy")?;
    if fields.expect("X-Amz-Algorithm")? != ALGORITHM {
        return Err(Refusal::invalid_argument("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let credential = fields.expect("X-Amz-Credential")?;
    let date = fields.expect("X-Amz-Date")?;
    let signature = fields.expect("X-Amz-Signature")?;
    let access_key = signature::check_scope(credential, Some(region))?;
    let scope = credential.strip_prefix(access_key).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    check_date(date, scope)?;
    let bearer = ring
        .bearer(access_key, fields.get("x-amz-security-token"))
        .map_err(|stranger| strange(stranger, access_key))?;
    let secret_key = ring.secret(access_key).ok_or_else(|| strange(Stranger::UnknownKey, access_key))?;
    let computed = sign(secret_key.expose(), scope, policy);
    match verify_slices_are_equal(computed.as_bytes(), signature.as_bytes()) {
        Ok(()) => {
            let credentials = Credentials { access_key: access_key.to_owned(), secret_key };
            Ok(Some(Signer { bearer, credentials }))
        }
        Err(_) => Err(Refusal::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
            .saying(Element::AccessKeyId, access_key)
            .saying(Element::StringToSign, policy)
            .saying(Element::SignatureProvided, signature)),
    }
}

fn strange(stranger: Stranger, access_key: &str) -> Refusal {
    let refusal = Refusal::stranger(stranger);
    if stranger == Stranger::UnknownKey { refusal.saying(Element::AccessKeyId, access_key) } else { refusal }
}

/// The signature of a policy, of which `scope` names date, region and service.
fn sign(secret: &str, scope: &str, policy: &str) -> String {
    let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    let key = scope
        .split('/')
        .fold(first, |key, step| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, step.as_bytes()).as_ref()));
    hmac::sign(&key, policy.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The date is the scope's, and not so long ago that the key would be another.
fn check_date(date: &str, scope: &str) -> Result<(), Refusal> {
    let signed = instant(date).filter(|_| scope.split('/').next() == date.get(..8));
    let signed = signed.ok_or_else(|| Refusal::invalid_argument("X-Amz-Date must be the date of X-Amz-Credential"))?;
    let now = SystemTime::now();
    if signed > Timestamp::from(now + SKEW) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "RequestTimeTooSkewed"));
    }
    if signed < Timestamp::from(now - LONGEST_LIFE) {
        return Err(Refusal::with(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired"));
    }
    Ok(())
}

/// A time as signatures have it: `20260101T000000Z`.
fn instant(text: &str) -> Option<Timestamp> {
    let digits =
        |from: usize, to: usize| text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let (year, month, day) = (digits(0, 4)?, digits(4, 6)?, digits(6, 8)?);
    let (hour, minute, second) = (digits(9, 11)?, digits(11, 13)?, digits(13, 15)?);
    (text.get(8..9) == Some("T") && text.get(15..) == Some("Z")).then_some(())?;
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Timestamp::parse(TimestampFormat::DateTime, &text).ok()
}

#[cfg(test)]
mod tests;
