//! S3 requests over one connection: written, signed, sent, answered, and their status checked.

use std::{
    fmt::Write,
    io,
    time::{Duration, Instant},
};

use thiserror::Error;
use time::OffsetDateTime;

use crate::{
    connection::{Connection, Head},
    content::Content,
    encoding,
    endpoint::Endpoint,
    signer::{Credentials, EMPTY, Signable, Signer},
};

/// The longest error body that is looked at, in bytes.
const MAX_ERROR: usize = 16 << 10;

/// Why a request counts as failed.
#[derive(Debug, Error)]
pub enum Failure {
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    #[error("{status} {code}")]
    Refused { status: u16, code: String },
    /// The server said that all is well, and it is not.
    #[error("wrong answer: {0}")]
    Wrong(String),
}

/// A request without its body.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Percent-encoded, from the bucket on.
    pub path: &'a str,
    /// Percent-encoded and sorted; empty for none.
    pub query: &'a str,
    /// Base64 of the body's MD5 where the operation wants it.
    pub content_md5: Option<&'a str>,
    /// Hexadecimal SHA-256 of the body, or [`crate::signer::UNSIGNED`].
    pub payload: &'a str,
}

impl<'a> Request<'a> {
    /// A request without a body.
    #[must_use]
    pub fn bodiless(method: &'a str, path: &'a str, query: &'a str) -> Self {
        Self { method, path, query, content_md5: None, payload: EMPTY }
    }
}

/// What is sent behind the head.
pub enum Body<'a> {
    Bytes(&'a [u8]),
    Generated(&'a mut Content),
}

pub struct Client {
    connection: Connection,
    signer: Signer,
    authority: String,
    bucket: String,
    head: String,
}

impl Client {
    #[must_use]
    pub fn new(endpoint: &Endpoint, credentials: &Credentials, bucket: &str) -> Self {
        Self {
            connection: Connection::new(endpoint.address),
            signer: Signer::new(credentials.clone()),
            authority: endpoint.authority.clone(),
            bucket: bucket.to_owned(),
            head: String::with_capacity(1024),
        }
    }

    /// Opens the connection before the clock runs.
    pub fn open(&mut self) -> io::Result<()> {
        self.connection.open().map(|_| ())
    }

    /// Replaces `path` by the encoded path of `key`; an empty key names the bucket.
    pub fn write_path(&self, key: &str, path: &mut String) {
        path.clear();
        path.push('/');
        path.push_str(&self.bucket);
        if !key.is_empty() {
            path.push('/');
            encoding::push_percent(key, true, path);
        }
    }

    /// Sends the request and takes the answer; `sink` sees the body of a 2xx answer only.
    ///
    /// Returns the time from the first byte sent to the last byte received: writing and signing the head do not count.
    pub fn exchange(
        &mut self,
        request: &Request<'_>,
        body: Body<'_>,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<Duration, Failure> {
        self.write_head(request, &body);
        let started = Instant::now();
        let outcome = self.round_trip(body, sink);
        let took = started.elapsed();
        if matches!(outcome, Err(Failure::Connection(_))) {
            self.connection.close();
        }
        outcome.map(|()| took)
    }

    fn write_head(&mut self, request: &Request<'_>, body: &Body<'_>) {
        let length = match body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Generated(content) => content.size(),
        };
        let mark = if request.query.is_empty() { "" } else { "?" };
        let head = &mut self.head;
        head.clear();
        // Writing to a String cannot fail.
        let _ = write!(
            head,
            "{} {}{mark}{} HTTP/1.1\r\nhost: {}\r\n",
            request.method, request.path, request.query, self.authority
        );
        if length > 0 || request.method == "PUT" || request.method == "POST" {
            let _ = write!(head, "content-length: {length}\r\n");
        }
        self.signer.set_time(OffsetDateTime::now_utc());
        let signable = Signable {
            method: request.method,
            host: &self.authority,
            path: request.path,
            query: request.query,
            content_md5: request.content_md5,
            payload: request.payload,
        };
        self.signer.sign(&signable, head);
        head.push_str("\r\n");
    }

    fn round_trip(&mut self, body: Body<'_>, sink: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        match body {
            Body::Bytes(bytes) => self.connection.send(self.head.as_bytes(), bytes)?,
            Body::Generated(content) => {
                self.connection.send(self.head.as_bytes(), content.chunk().unwrap_or_default())?;
                content.advance();
                while let Some(chunk) = content.chunk() {
                    self.connection.send_more(chunk)?;
                    content.advance();
                }
            }
        }
        let head = self.connection.receive_head(false)?;
        if (200..300).contains(&head.status) {
            return Ok(self.connection.receive_body(head, sink)?);
        }
        Err(self.refusal(head)?)
    }

    fn refusal(&mut self, head: Head) -> io::Result<Failure> {
        let mut text = Vec::new();
        self.connection.receive_body(head, &mut |bytes| {
            let room = MAX_ERROR.saturating_sub(text.len());
            text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        })?;
        let text = String::from_utf8_lossy(&text);
        Ok(Failure::Refused { status: head.status, code: element(&text, "Code").unwrap_or_default().to_owned() })
    }
}

/// The text of the first `<name>` in a document that repeats no element name inside itself.
#[must_use]
pub fn element<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let open = format!("<{name}>");
    let (_, after) = document.split_once(open.as_str())?;
    after.split_once("</").map(|(text, _)| text)
}
