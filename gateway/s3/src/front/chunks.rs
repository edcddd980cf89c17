//! Chunks of `aws-chunked`, cut to a size that may be held in memory.
//!
//! s3s holds a chunk whole before it hands out its first byte, and a client may announce one of gigabytes (some send
//! a body as a single chunk). A chunk that nobody signed is passed on as many small ones. A signed one can't be cut,
//! so its size is bounded.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};

/// Unsigned chunks larger than this, in bytes, are cut into the pieces that they come in.
const WHOLE: u64 = 1 << 20;
/// The largest signed chunk: a hundred times what SDKs send.
const LARGEST_SIGNED: u64 = 16 << 20;
/// The longest line before a chunk's data that s3s would read.
const LONGEST_LINE: usize = 1024;

/// A signed chunk is larger than may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signed chunk is larger than {LARGEST_SIGNED} bytes")]
pub struct Oversized;

/// Follows the chunks of one body. What it can't follow it passes on: s3s says what is wrong with it. Only a line
/// that the body's end cuts short is kept back, which s3s takes for the end as well; the length announced tells.
#[derive(Debug)]
pub struct Chunks {
    signed: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// In the line that announces a chunk; what came of it so far.
    Line(Vec<u8>),
    /// In a chunk's data, with so many bytes to come.
    Data { left: u64, cut: bool },
    /// Behind the data of a chunk that was cut: so many bytes of its line end are still to come.
    End(usize),
    /// Behind the last chunk, or lost.
    Rest,
}

impl Chunks {
    #[must_use]
    pub fn new(signed: bool) -> Self {
        Self { signed, state: State::Line(Vec::new()) }
    }

    /// Takes a piece of the body and appends to `out` what is to be passed on.
    ///
    /// # Errors
    /// [`Oversized`], before anything of that chunk is passed on.
    pub fn take(&mut self, mut piece: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), Oversized> {
        while !piece.is_empty() {
            match &mut self.state {
                State::Line(_) => self.take_line(&mut piece, out)?,
                State::Data { left, cut } => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(piece.len());
                    let data = piece.split_to(length);
                    *left -= data.len() as u64;
                    let (done, cut) = (*left == 0, *cut);
                    pass(data, cut, out);
                    if done {
                        // The line end of a chunk that was not cut passes as an empty line before the next.
                        self.state = if cut { State::End(2) } else { State::Line(Vec::new()) };
                    }
                }
                State::End(left) => {
                    let skipped = (*left).min(piece.len());
                    piece.advance(skipped);
                    *left -= skipped;
                    if *left == 0 {
                        self.state = State::Line(Vec::new());
                    }
                }
                State::Rest => out.push_back(std::mem::take(&mut piece)),
            }
        }
        Ok(())
    }

    fn take_line(&mut self, piece: &mut Bytes, out: &mut VecDeque<Bytes>) -> Result<(), Oversized> {
        let State::Line(line) = &mut self.state else { return Ok(()) };
        let end = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |at| at + 1);
        line.extend_from_slice(&piece.split_to(end));
        let complete = line.last() == Some(&b'\n');
        if !complete && line.len() <= LONGEST_LINE {
            return Ok(());
        }
        let line = std::mem::take(line);
        let size = if complete { size_of(&line) } else { None };
        self.state = match size {
            _ if line == b"\r\n" => State::Line(Vec::new()),
            None | Some(0) => State::Rest,
            Some(size) if self.signed && size > LARGEST_SIGNED => return Err(Oversized),
            Some(size) => State::Data { left: size, cut: !self.signed && size > WHOLE },
        };
        if !matches!(self.state, State::Data { cut: true, .. }) {
            out.push_back(Bytes::from(line));
        }
        Ok(())
    }
}

fn pass(data: Bytes, cut: bool, out: &mut VecDeque<Bytes>) {
    if cut {
        out.push_back(Bytes::from(format!("{:x}\r\n", data.len())));
        out.push_back(data);
        out.push_back(Bytes::from_static(b"\r\n"));
    } else {
        out.push_back(data);
    }
}

/// The size that a line announces: hexadecimal digits up to a semicolon or the line's end.
fn size_of(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| matches!(byte, b';' | b'\r' | b'\n')).next()?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests;
