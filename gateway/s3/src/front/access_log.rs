//! The access log: one line a request, in the format of AWS's server access logs.
//!
//! Concurrency: requests put lines into a bounded queue and never wait; one thread takes them out and writes them.
//! When the disk is slower than the requests, lines are dropped and their number is written in their place: this is
//! a log for operators, not the audit trail.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};

use hyper::header::{HeaderMap, REFERER, USER_AGENT};
use hyper::{Method, StatusCode, Uri, Version};
use percent_encoding::percent_decode_str;
use s3s::dto::{Timestamp, TimestampFormat};

use super::ids::RequestId;
use super::route::Verb;

/// Lines that may wait for the writer.
const QUEUE: usize = 8192;
/// Parameters whose values are not written.
const SECRET: [&str; 4] = [
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key",
];

/// A log that requests write lines to. The file is flushed whenever the queue is empty.
#[derive(Clone)]
pub struct AccessLog {
    queue: SyncSender<Box<Line>>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Opens `path` for appending and starts the writer. A file that is made is for its owner alone.
    ///
    /// # Errors
    /// When the file can't be opened, or no thread can be had.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let (queue, lines) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        std::thread::Builder::new().name("access-log".into()).spawn(move || write_lines(file, &lines, &counter))?;
        Ok(Self { queue, dropped })
    }

    pub(super) fn write(&self, line: Box<Line>) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(line) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Ends when the last [`AccessLog`] of its queue is dropped.
fn write_lines(file: File, lines: &Receiver<Box<Line>>, dropped: &AtomicU64) {
    let mut out = BufWriter::with_capacity(64 << 10, file);
    let mut failed = false;
    let mut text = String::new();
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        let mut result = Ok(());
        while let Some(line) = next {
            text.clear();
            line.format(&mut text);
            result = result.and(out.write_all(text.as_bytes()));
            next = lines.try_recv().ok();
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            result = result.and(writeln!(out, "- {lost} lines were dropped"));
        }
        match result.and_then(|()| out.flush()) {
            Ok(()) => failed = false,
            // Said once, not once a line: the disk is full or gone, and requests go on.
            Err(error) if !failed => {
                tracing::warn!(%error, "the access log can't be written");
                failed = true;
            }
            Err(_) => {}
        }
    }
}

/// What a line says of a request.
#[derive(Debug)]
pub(super) struct Line {
    pub remote: SocketAddr,
    pub id: RequestId,
    pub method: Method,
    pub uri: String,
    pub version: Version,
    pub bucket: Option<String>,
    pub key: Option<String>,
    pub access_key: Option<String>,
    pub referer: Option<String>,
    pub agent: Option<String>,
    pub error: Option<String>,
    verb: Verb,
    status: Option<StatusCode>,
    sent: u64,
    took: Duration,
    ended: SystemTime,
}

impl Line {
    /// A line for a request that has just come.
    pub fn new(remote: SocketAddr, id: RequestId, parts: &hyper::http::request::Parts) -> Self {
        Self {
            remote,
            id,
            method: parts.method.clone(),
            uri: masked(&parts.uri),
            version: parts.version,
            bucket: None,
            key: None,
            access_key: None,
            referer: text_of(&parts.headers, &REFERER),
            agent: text_of(&parts.headers, &USER_AGENT),
            error: None,
            verb: Verb::Unserved,
            status: None,
            sent: 0,
            took: Duration::ZERO,
            ended: SystemTime::UNIX_EPOCH,
        }
    }

    pub fn finish(&mut self, verb: Verb, status: Option<StatusCode>, sent: u64, took: Duration) {
        self.verb = verb;
        self.status = status;
        self.sent = sent;
        self.took = took;
        self.ended = SystemTime::now();
    }

    /// Fields in AWS's order; those that have no meaning here are dashes.
    fn format(&self, out: &mut String) {
        out.push_str("- ");
        field(out, self.bucket.as_deref());
        let mut time = Vec::with_capacity(32);
        let _ = Timestamp::from(self.ended).format(TimestampFormat::DateTime, &mut time);
        let _ = write!(out, "[{}] {} ", String::from_utf8_lossy(&time), self.remote.ip());
        field(out, self.access_key.as_deref());
        let _ = write!(out, "{} REST.{} ", self.id, self.verb.name());
        field(out, self.key.as_deref());
        let _ = write!(out, "\"{} {} {:?}\" ", self.method, Quoted(&self.uri), self.version);
        match self.status {
            Some(status) => {
                let _ = write!(out, "{} ", status.as_u16());
            }
            None => out.push_str("499 "),
        }
        field(out, self.error.as_deref());
        let _ = write!(out, "{} - {} - ", self.sent, self.took.as_millis());
        quoted(out, self.referer.as_deref());
        quoted(out, self.agent.as_deref());
        out.push_str("- - SigV4 - -\n");
    }
}

/// Path and query, without what would let a reader of the log send the request again.
fn masked(uri: &Uri) -> String {
    let mut text = uri.path().to_owned();
    for (number, pair) in uri.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
        text.push(if number == 0 { '?' } else { '&' });
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let decoded = percent_decode_str(name).decode_utf8_lossy();
        if SECRET.iter().any(|secret| decoded.eq_ignore_ascii_case(secret)) {
            text.extend([name, "=***"]);
        } else {
            text.push_str(pair);
        }
    }
    text
}

fn text_of(headers: &HeaderMap, name: &hyper::header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn field(out: &mut String, value: Option<&str>) {
    match value {
        Some(value) if !value.is_empty() => {
            let _ = write!(out, "{} ", Bare(value));
        }
        _ => out.push_str("- "),
    }
}

fn quoted(out: &mut String, value: Option<&str>) {
    match value {
        Some(value) => {
            let _ = write!(out, "\"{}\" ", Quoted(value));
        }
        None => out.push_str("\"-\" "),
    }
}

/// Text from a client in a field without quotes, which it must not be able to end.
struct Bare<'a>(&'a str);

impl std::fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut words = self.0.split(' ');
        write!(f, "{}", Quoted(words.next().unwrap_or_default()))?;
        words.try_for_each(|word| write!(f, "%20{}", Quoted(word)))
    }
}

/// Text from a client in a field with quotes, which it must not be able to end, nor the line.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '"' => f.write_str("%22"),
            control if control.is_control() => write!(f, "%{:02X}", u32::from(control)),
            plain => f.write_char(plain),
        })
    }
}

#[cfg(test)]
mod tests;
