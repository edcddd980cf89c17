//! What an error document says beside code and message, from where it is known to where it is written.
//!
//! s3s keeps code, message and headers of an error. So what a verb adds ([`Saying`]) travels in headers of the answer
//! that the front takes off again ([`take`]): they come of no request, and go into no answer.

use std::fmt::Display;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use s3s::S3Error;

/// What no header may hold, and what stands for it.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
const DETAIL: HeaderName = HeaderName::from_static("packstone-error-detail");

macro_rules! elements {
    ($($element:ident $name:literal)+) => {
        /// The elements of an error document, by the names that AWS gives them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Element {
            $($element,)+
        }

        impl Element {
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$element => $name,)+
                }
            }

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$element),)+
                    _ => None,
                }
            }
        }
    };
}

elements! {
    AccessKeyId "AWSAccessKeyId"
    ActualObjectSize "ActualObjectSize"
    ActualPartCount "ActualPartCount"
    ArgumentName "ArgumentName"
    ArgumentValue "ArgumentValue"
    BucketName "BucketName"
    CalculatedDigest "CalculatedDigest"
    CanonicalRequest "CanonicalRequest"
    CanonicalRequestBytes "CanonicalRequestBytes"
    ClientComputedSha256 "ClientComputedContentSHA256"
    Condition "Condition"
    ContentMd5 "Content-MD5"
    Etag "ETag"
    ExpectedDigest "ExpectedDigest"
    Header "Header"
    HeadersNotSigned "HeadersNotSigned"
    Key "Key"
    LocationConstraint "LocationConstraint"
    MaxAllowedSkew "MaxAllowedSkewMilliseconds"
    MaxMessageLength "MaxMessageLengthBytes"
    MaxPostPreDataLength "MaxPostPreDataLengthBytes"
    MaxSizeAllowed "MaxSizeAllowed"
    Method "Method"
    MinSizeAllowed "MinSizeAllowed"
    MissingHeaderName "MissingHeaderName"
    PartNumber "PartNumber"
    PartNumberRequested "PartNumberRequested"
    ProposedSize "ProposedSize"
    RangeRequested "RangeRequested"
    Region "Region"
    RequestTime "RequestTime"
    ResourceType "ResourceType"
    ServerComputedSha256 "S3ComputedContentSHA256"
    ServerTime "ServerTime"
    SignatureProvided "SignatureProvided"
    Size "Size"
    StorageClassRequested "StorageClassRequested"
    StringToSign "StringToSign"
    StringToSignBytes "StringToSignBytes"
    Token "Token-0"
    UploadId "UploadId"
    VersionId "VersionId"
}

/// One element with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    pub element: Element,
    pub text: Box<str>,
}

/// Errors to which details are added.
pub(crate) trait Saying {
    /// The error with one thing more that its document says.
    #[must_use]
    fn saying(self, element: Element, text: impl Display) -> Self;
}

impl Saying for S3Error {
    fn saying(mut self, element: Element, text: impl Display) -> Self {
        let text = text.to_string();
        let encoded = format!("{}={}", element.name(), utf8_percent_encode(&text, ENCODED));
        if let Ok(value) = HeaderValue::from_str(&encoded) {
            let mut headers = self.headers().cloned().unwrap_or_default();
            headers.append(DETAIL, value);
            self.set_headers(headers);
        }
        self
    }
}

/// Takes off the headers of an answer what was said, in order.
pub(crate) fn take(headers: &mut HeaderMap) -> Vec<Detail> {
    let details = headers.get_all(DETAIL).iter().filter_map(read).collect();
    headers.remove(DETAIL);
    details
}

fn read(value: &HeaderValue) -> Option<Detail> {
    let (name, text) = value.to_str().ok()?.split_once('=')?;
    let text = percent_decode_str(text).decode_utf8_lossy().into_owned().into();
    Some(Detail { element: Element::named(name)?, text })
}

#[cfg(test)]
mod tests;
