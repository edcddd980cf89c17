//! One keep-alive HTTP/1.1 connection over a blocking socket.
//!
//! A connection belongs to one thread. After an error it is closed, and the next request opens a new one; nothing is
//! retried, so what the report counts is what the server did.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use memchr::memchr;

/// A response's head and headers must fit in here; bodies pass through it.
const BUFFER: usize = 256 << 10;
const MAX_HEADERS: usize = 64;
/// How long a server may stay silent before the request counts as failed.
const SILENCE: Duration = Duration::from_secs(120);

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// A response's status line and what follows from its headers.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub status: u16,
    framing: Framing,
    close: bool,
}

pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// Bytes that have come and were not consumed: `buffer[start..end]`.
    start: usize,
    end: usize,
}

impl Connection {
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: vec![0; BUFFER], start: 0, end: 0 }
    }

    /// Opens the connection unless it is open.
    pub fn open(&mut self) -> io::Result<&mut TcpStream> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(SILENCE))?;
            stream.set_write_timeout(Some(SILENCE))?;
            self.start = 0;
            self.end = 0;
            self.stream = Some(stream);
        }
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Drops the connection; what it still held is lost.
    pub fn close(&mut self) {
        self.stream = None;
    }

    /// Sends a head and the first bytes of a body, in one system call when the socket takes them.
    pub fn send(&mut self, head: &[u8], body: &[u8]) -> io::Result<()> {
        let stream = self.open()?;
        let sent = stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)])?;
        if let Some(rest) = head.get(sent..) {
            stream.write_all(rest)?;
        }
        let of_body = sent.saturating_sub(head.len());
        stream.write_all(body.get(of_body..).unwrap_or_default())
    }

    /// Sends further bytes of a body.
    pub fn send_more(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open()?.write_all(bytes)
    }

    /// Waits for the head of a final response; 1xx responses are skipped.
    pub fn receive_head(&mut self, bodiless: bool) -> io::Result<Head> {
        loop {
            let Some((length, head)) = parse_head(self.window(), bodiless)? else {
                self.fill()?;
                continue;
            };
            self.start += length;
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }

    /// Hands the body of `head` to `sink` piece by piece, and closes the connection if the server said so.
    pub fn receive_body(&mut self, head: Head, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        match head.framing {
            Framing::Length(length) => self.pass(length, sink)?,
            Framing::Chunked => self.pass_chunks(sink)?,
            Framing::UntilClose => self.pass_rest(sink)?,
        }
        if head.close {
            self.close();
        }
        Ok(())
    }

    fn window(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads more bytes behind those that wait.
    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.end == self.buffer.len() && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let free = self.buffer.get_mut(self.end..).filter(|free| !free.is_empty());
        let free = free.ok_or_else(|| invalid("a head or a chunk line is longer than the buffer"))?;
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        match stream.read(free)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }

    fn pass(&mut self, length: u64, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut left = length;
        while left > 0 {
            if self.start == self.end {
                self.fill()?;
            }
            let window = self.window();
            let now = usize::try_from(left).map_or(window.len(), |left| left.min(window.len()));
            sink(window.get(..now).unwrap_or_default());
            self.start += now;
            left -= now as u64;
        }
        Ok(())
    }

    fn pass_chunks(&mut self, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        loop {
            let size = self.line(|line| {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok())
            })?;
            let size = size.ok_or_else(|| invalid("a chunk's size is no hexadecimal number"))?;
            if size == 0 {
                break;
            }
            self.pass(size, sink)?;
            if !self.line(<[u8]>::is_empty)? {
                return Err(invalid("a chunk is longer than it says"));
            }
        }
        while !self.line(<[u8]>::is_empty)? {}
        Ok(())
    }

    fn pass_rest(&mut self, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        loop {
            sink(self.window());
            self.start = self.end;
            match self.fill() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Consumes one line and gives it to `read` without its CRLF.
    fn line<T>(&mut self, read: impl Fn(&[u8]) -> T) -> io::Result<T> {
        loop {
            let window = self.window();
            if let Some(at) = memchr(b'\n', window) {
                let line = window.get(..at).unwrap_or_default();
                let value = read(line.strip_suffix(b"\r").unwrap_or(line));
                self.start += at + 1;
                return Ok(value);
            }
            self.fill()?;
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The head at the start of `bytes` and its length, none while it is incomplete.
fn parse_head(bytes: &[u8], bodiless: bool) -> io::Result<Option<(usize, Head)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    let mut framing = Framing::UntilClose;
    let mut close = response.version == Some(0);
    for header in response.headers.iter() {
        let value = header.value.trim_ascii();
        if header.name.eq_ignore_ascii_case("content-length") && framing != Framing::Chunked {
            let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
            framing = Framing::Length(length.ok_or_else(|| invalid("Content-Length is no number"))?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case(b"chunked") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            close = value.eq_ignore_ascii_case(b"close");
        }
    }
    if bodiless || status < 200 || status == 204 || status == 304 {
        framing = Framing::Length(0);
    }
    close |= framing == Framing::UntilClose;
    Ok(Some((length, Head { status, framing, close })))
}
