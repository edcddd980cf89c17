//! Errors as S3 clients read them: a code, a status, and an XML document that names the request.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use hyper::StatusCode;

use super::message;
use crate::detail::{Detail, Element};
use crate::identity::Stranger;

/// A request that the front turns away, or the error that takes the place of what s3s said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: Cow<'static, str>,
    /// What the document says besides.
    pub details: Vec<Detail>,
}

impl Refusal {
    /// An error with the message that AWS gives for its code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, message: Cow::Borrowed(message::of(code)), details: Vec::new() }
    }

    /// An error with a message of its own.
    #[must_use]
    pub fn with(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new() }
    }

    /// With one thing more that the document says.
    #[must_use]
    pub fn saying(mut self, element: Element, text: impl Display) -> Self {
        self.details.push(Detail { element, text: text.to_string().into() });
        self
    }

    #[must_use]
    pub fn not_implemented() -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented")
    }

    /// The answer to a header that asks for what isn't served.
    #[must_use]
    pub fn unserved_header(name: &str) -> Self {
        Self::not_implemented().saying(Element::Header, name)
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

    /// An argument that is wrong, by its name in query or headers, from which its value is told.
    #[must_use]
    pub fn argument(name: &str, message: &'static str) -> Self {
        Self::invalid_argument(message).saying(Element::ArgumentName, name)
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
    compose(refusal.code, &message, &refusal.details, context)
}

/// `message` is escaped already.
fn compose(code: &str, message: &str, details: &[Detail], context: Context<'_>) -> Bytes {
    let mut xml = String::with_capacity(320 + message.len() + context.resource.len());
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>");
    xml.push_str(code);
    xml.push_str("</Code><Message>");
    xml.push_str(message);
    xml.push_str("</Message>");
    for Detail { element, text } in details {
        let name = element.name();
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

/// The code of an error of s3s, and its message, escaped: that is all that its document has.
#[must_use]
pub fn told(document: &str) -> Option<(&str, &str)> {
    let code = element(document, "<Code>", "</Code>")?;
    Some((code, element(document, "<Message>", "</Message>").unwrap_or_else(|| message::of(code))))
}

/// The document of s3s written anew.
#[must_use]
pub fn completed((code, message): (&str, &str), details: &[Detail], context: Context<'_>) -> Bytes {
    compose(code, message, details, context)
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
