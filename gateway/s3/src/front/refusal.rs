//! Errors as S3 clients read them: a code, a status, and an XML document that names the request.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::StatusCode;

use super::message;
use crate::identity::Stranger;

/// A request that the front turns away, or the error that takes the place of what s3s said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: Cow<'static, str>,
    /// The region to sign for, by which clients mend a wrong one.
    pub region: Option<Box<str>>,
    /// What the document says besides, by the names of its elements.
    pub details: Vec<(&'static str, Box<str>)>,
}

impl Refusal {
    /// An error with the message that AWS gives for its code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, message: Cow::Borrowed(message::of(code)), region: None, details: Vec::new() }
    }

    /// An error with a message of its own.
    #[must_use]
    pub fn with(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), region: None, details: Vec::new() }
    }

    /// With one thing more that the document says.
    #[must_use]
    pub fn saying(mut self, element: &'static str, text: &str) -> Self {
        self.details.push((element, text.into()));
        self
    }

    #[must_use]
    pub fn not_implemented() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented")
    }

    /// The answer to who can't be who they say.
    #[must_use]
    pub fn stranger(stranger: Stranger) -> Self {
        match stranger {
            Stranger::UnknownKey => Self::new(StatusCode::FORBIDDEN, "InvalidAccessKeyId"),
            Stranger::InvalidToken => Self::new(StatusCode::BAD_REQUEST, "InvalidToken"),
            Stranger::ExpiredToken => Self::new(StatusCode::BAD_REQUEST, "ExpiredToken"),
        }
    }

    #[must_use]
    pub fn invalid_argument(message: &'static str) -> Self {
        Self::with(StatusCode::BAD_REQUEST, "InvalidArgument", message)
    }

    #[must_use]
    pub fn invalid_request(message: &'static str) -> Self {
        Self::with(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }
}

/// What an error document says besides its code and message.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The path of the request, as sent.
    pub resource: &'a str,
    pub request_id: &'a str,
    pub host_id: &'a str,
}

/// The document for a refusal.
#[must_use]
pub fn document(refusal: &Refusal, context: Context<'_>) -> Bytes {
    let mut message = String::with_capacity(refusal.message.len());
    escape(&refusal.message, &mut message);
    let region = refusal.region.as_deref().map(|region| ("Region", region));
    let details = refusal.details.iter().map(|(name, text)| (*name, &**text));
    compose(refusal.code, &message, region.into_iter().chain(details), context)
}

/// `message` is escaped already.
fn compose<'a>(
    code: &str,
    message: &str,
    details: impl Iterator<Item = (&'static str, &'a str)>,
    context: Context<'_>,
) -> Bytes {
    let mut xml = String::with_capacity(320 + message.len() + context.resource.len());
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>");
    xml.push_str(code);
    xml.push_str("</Code><Message>");
    xml.push_str(message);
    xml.push_str("</Message>");
    for (name, text) in details {
        xml.extend(["<", name, ">"]);
        escape(text, &mut xml);
        xml.extend(["</", name, ">"]);
    }
    xml.push_str("<Resource>");
    escape(context.resource, &mut xml);
    xml.push_str("</Resource><RequestId>");
    xml.push_str(context.request_id);
    xml.push_str("</RequestId><HostId>");
    xml.push_str(context.host_id);
    xml.push_str("</HostId></Error>");
    Bytes::from(xml)
}

/// Writes the document of s3s anew, which has the code, at times a message, and nothing more. Answers the code too.
#[must_use]
pub fn completed(document: &[u8], context: Context<'_>) -> Option<(String, Bytes)> {
    let text = std::str::from_utf8(document).ok()?;
    let code = element(text, "<Code>", "</Code>")?;
    let message = element(text, "<Message>", "</Message>").unwrap_or_else(|| message::of(code));
    Some((code.to_owned(), compose(code, message, std::iter::empty(), context)))
}

fn element<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(open)?;
    let (content, _) = rest.split_once(close)?;
    Some(content)
}

pub(crate) fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // No other control character may stand in XML 1.0, even as a reference, nor these two.
            '\t' | '\n' | '\r' => out.push(character),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            plain => out.push(plain),
        }
    }
}
