//! AWS Signature Version 4 in the `Authorization` header.
//!
//! The signing key lives for a day and the date stamp for a second, so both are kept; what is left per request is one
//! SHA-256 of a short text and one HMAC.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::encoding;

type HmacSha256 = Hmac<Sha256>;

/// The root or IAM user that the generator acts as.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    pub method: &'a str,
    /// The `Host` header.
    pub host: &'a str,
    /// Percent-encoded.
    pub path: &'a str,
    /// Percent-encoded and sorted; empty for none.
    pub query: &'a str,
    /// Base64 of the body's MD5, sent and signed when given.
    pub content_md5: Option<&'a str>,
    /// Hexadecimal SHA-256 of the body, or [`UNSIGNED`].
    pub payload: &'a str,
}

/// Stands in the place of the body's SHA-256 when the body is not signed.
pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// SHA-256 of an empty body.
pub const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub struct Signer {
    credentials: Credentials,
    /// Seconds since 1970 that `stamp` is the text of.
    second: i64,
    /// `YYYYMMDDTHHMMSSZ`.
    stamp: String,
    /// `YYYYMMDD/region/s3/aws4_request`.
    scope: String,
    /// HMAC keyed with the day's signing key.
    key: HmacSha256,
    text: String,
    digest: String,
}

impl Signer {
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        let mut signer = Self {
            credentials,
            second: 0,
            stamp: String::new(),
            scope: String::new(),
            key: keyed(&[]),
            text: String::with_capacity(1024),
            digest: String::with_capacity(64),
        };
        signer.set_time(OffsetDateTime::UNIX_EPOCH);
        signer
    }

    /// Makes `now` the time of the following signatures.
    pub fn set_time(&mut self, now: OffsetDateTime) {
        let second = now.unix_timestamp();
        if second == self.second && !self.stamp.is_empty() {
            return;
        }
        let (year, month, day) = (now.year(), u8::from(now.month()), now.day());
        let (hour, minute, at) = (now.hour(), now.minute(), now.second());
        self.second = second;
        self.stamp = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{at:02}Z");
        let day = format!("{year:04}{month:02}{day:02}");
        if !self.scope.starts_with(&day) {
            let region = &self.credentials.region;
            let mut key = chain(format!("AWS4{}", self.credentials.secret_key).as_bytes(), &day);
            for step in [region.as_str(), "s3"] {
                key = chain(&key, step);
            }
            self.key = keyed(&chain(&key, "aws4_request"));
            self.scope = format!("{day}/{region}/s3/aws4_request");
        }
    }

    /// Appends the header lines that carry and sign the request, except `Host`.
    pub fn sign(&mut self, request: &Signable<'_>, head: &mut String) {
        let names = match request.content_md5 {
            Some(_) => "content-md5;host;x-amz-content-sha256;x-amz-date",
            None => "host;x-amz-content-sha256;x-amz-date",
        };
        self.write_canonical(request, names);
        let canonical = Sha256::digest(self.text.as_bytes());
        self.text.clear();
        self.digest.clear();
        encoding::push_hex(&canonical, &mut self.digest);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "AWS4-HMAC-SHA256\n{}\n{}\n{}", self.stamp, self.scope, self.digest);
        let mut mac = self.key.clone();
        mac.update(self.text.as_bytes());
        self.digest.clear();
        encoding::push_hex(&mac.finalize().into_bytes(), &mut self.digest);
        if let Some(md5) = request.content_md5 {
            let _ = write!(head, "content-md5: {md5}\r\n");
        }
        let _ = write!(
            head,
            "x-amz-content-sha256: {}\r\nx-amz-date: {}\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential={}/{}, SignedHeaders={names}, Signature={}\r\n",
            request.payload, self.stamp, self.credentials.access_key, self.scope, self.digest
        );
    }

    fn write_canonical(&mut self, request: &Signable<'_>, names: &str) {
        self.text.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{}\n{}\n{}\n", request.method, request.path, request.query);
        if let Some(md5) = request.content_md5 {
            let _ = writeln!(self.text, "content-md5:{md5}");
        }
        let _ = write!(
            self.text,
            "host:{}\nx-amz-content-sha256:{}\nx-amz-date:{}\n\n{names}\n{}",
            request.host, request.payload, self.stamp, request.payload
        );
    }
}

/// HMAC takes keys of every length: it hashes those longer than its block, so the error arm is never taken.
fn keyed(key: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(key).unwrap_or_else(|_| HmacSha256::new(&Default::default()))
}

fn chain(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}
