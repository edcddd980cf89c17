//! `multipart/form-data` taken apart as it comes (RFC 7578, RFC 2046): names of fields, their bytes, and the end.
//!
//! Nothing is held but the headers of a part, which the caller bounds by what it has fed, and bytes that may turn out to
//! be the beginning of a boundary.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem::{Finder, find};

/// The longest boundary that RFC 2046 allows.
const LONGEST_BOUNDARY: usize = 70;

/// What stands in a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Part(Head),
    /// Bytes of the part that was named last.
    Data(Bytes),
    /// The part ended.
    Ended,
    /// The form ended; what follows means nothing.
    Closed,
}

/// How a part is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// In lower case.
    pub name: String,
    pub filename: Option<String>,
}

/// A body that is no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is no well-formed multipart/form-data")]
pub struct Malformed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// Behind a boundary: two dashes close the form, the end of the line opens a part.
    Boundary,
    Headers,
    Content,
    Closed,
}

/// Who takes a form apart.
#[derive(Debug)]
pub struct Parts {
    boundary: Finder<'static>,
    held: Bytes,
    state: State,
}

impl Parts {
    /// For a body of that `Content-Type`; `None` without a boundary in it that could be one.
    #[must_use]
    pub fn new(content_type: &str) -> Option<Self> {
        let boundary = parameter(content_type, "boundary")?;
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY {
            return None;
        }
        // The line break in front belongs to the boundary; the first one may stand at the very beginning.
        Some(Self {
            boundary: Finder::new(&format!("\r\n--{boundary}")).into_owned(),
            held: Bytes::from_static(b"\r\n"),
            state: State::Preamble,
        })
    }

    /// Takes the next piece of the body. All events of the one before must have been asked for.
    pub fn feed(&mut self, piece: Bytes) {
        if self.held.is_empty() {
            self.held = piece;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.held.len() + piece.len());
        joined.extend_from_slice(&self.held);
        joined.extend_from_slice(&piece);
        self.held = joined.freeze();
    }

    /// Bytes that no event has stood in yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether the form has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// The next event in what was fed; `None` when more is needed.
    ///
    /// # Errors
    /// [`Malformed`], of which there is no way back.
    pub fn next(&mut self) -> Result<Option<Event>, Malformed> {
        loop {
            match self.state {
                State::Preamble => {
                    self.up_to_boundary();
                    if !self.takes_boundary() {
                        return Ok(None);
                    }
                    self.state = State::Boundary;
                }
                State::Boundary => match self.behind_boundary()? {
                    Some(State::Closed) => {
                        self.state = State::Closed;
                        return Ok(Some(Event::Closed));
                    }
                    Some(state) => self.state = state,
                    None => return Ok(None),
                },
                State::Headers => return self.head(),
                State::Content => {
                    let data = self.up_to_boundary();
                    if !data.is_empty() {
                        return Ok(Some(Event::Data(data)));
                    }
                    if !self.takes_boundary() {
                        return Ok(None);
                    }
                    self.state = State::Boundary;
                    return Ok(Some(Event::Ended));
                }
                State::Closed => {
                    self.held.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// Bytes that no boundary begins in.
    fn up_to_boundary(&mut self) -> Bytes {
        let needle = self.boundary.needle();
        let end = self.boundary.find(&self.held).unwrap_or_else(|| {
            let longest = self.held.len().min(needle.len().saturating_sub(1));
            let begun =
                (1..=longest).rev().find(|length| needle.get(..*length).is_some_and(|it| self.held.ends_with(it)));
            self.held.len() - begun.unwrap_or(0)
        });
        self.held.split_to(end)
    }

    fn takes_boundary(&mut self) -> bool {
        let found = self.held.starts_with(self.boundary.needle());
        if found {
            self.held.advance(self.boundary.needle().len());
        }
        found
    }

    /// What a boundary opens, once the rest of its line is there. Blanks may stand behind it.
    fn behind_boundary(&mut self) -> Result<Option<State>, Malformed> {
        if self.held.starts_with(b"--") {
            return Ok(Some(State::Closed));
        }
        let blanks = self.held.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match self.held.get(blanks..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {
                self.held.advance(blanks + 2);
                Ok(Some(State::Headers))
            }
            [] | [b'\r'] => Ok(None),
            [b'-'] if blanks == 0 => Ok(None),
            _ => Err(Malformed),
        }
    }

    fn head(&mut self) -> Result<Option<Event>, Malformed> {
        if self.held.starts_with(b"\r\n") {
            return Err(Malformed);
        }
        let Some(end) = find(&self.held, b"\r\n\r\n") else { return Ok(None) };
        let headers = self.held.split_to(end);
        self.held.advance(4);
        self.state = State::Content;
        Head::parse(&headers).map(|head| Some(Event::Part(head)))
    }
}

impl Head {
    fn parse(headers: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(headers).map_err(|_| Malformed)?;
        let mut dispositions = text.split("\r\n").filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.trim())
        });
        let (Some(disposition), None) = (dispositions.next(), dispositions.next()) else { return Err(Malformed) };
        let kind = disposition.split(';').next().unwrap_or_default();
        let name = parameter(disposition, "name").filter(|_| kind.trim().eq_ignore_ascii_case("form-data"));
        Ok(Self { name: name.ok_or(Malformed)?.to_lowercase(), filename: parameter(disposition, "filename") })
    }
}

/// A parameter of a header's value, without its quotes. A backslash stands for itself, as in the paths that browsers
/// send, but in front of a quote.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = value.split_once(';')?;
    loop {
        let (name, value) = rest.split_once('=')?;
        let (text, behind) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = value.find(';').unwrap_or(value.len());
                let (text, behind) = value.split_at(end);
                (text.trim().to_owned(), behind)
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = behind.trim_start().strip_prefix(';')?;
    }
}

/// Text up to its closing quote, and what stands behind that.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = quoted;
    loop {
        let (before, behind) = rest.split_once('"')?;
        rest = behind;
        match before.strip_suffix('\\') {
            Some(before) if behind.contains('"') => text.extend([before, "\""]),
            _ => {
                text.push_str(before);
                return Some((text, rest));
            }
        }
    }
}

#[cfg(test)]
mod tests;
