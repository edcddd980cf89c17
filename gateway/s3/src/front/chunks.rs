//! Chunks of `aws-chunked`, cut to a size that may be held in memory.
//!
//! s3s holds a chunk whole before it hands out its first byte, and a client may announce one of gigabytes (some send
//! a body as a single chunk). A chunk that nobody signed is passed on as many small ones. A signed one can't be cut,
//! so its size is bounded.
//!
//! s3s decodes chunks for who signed alone. Of who did not, the frames are taken off here, and the trailers kept.

use std::collections::VecDeque;

use bytes::Bytes;
use hyper::HeaderMap;

use crate::number::hexadecimal;

/// Unsigned chunks larger than this, in bytes, are cut into the pieces that they come in.
pub(super) const WHOLE: u64 = 1 << 20;
/// The largest signed chunk: a hundred times what SDKs send.
pub(super) const LARGEST_SIGNED: u64 = 16 << 20;
/// The longest line before a chunk's data that s3s would read.
pub(super) const LONGEST_LINE: usize = 1024;
/// s3s reads no more digits of a size than these, whatever follows.
pub(super) const MOST_DIGITS: usize = 8;

/// The longest trailers that are kept, in bytes.
const LONGEST_TRAILERS: usize = 8 << 10;

/// Why chunks are not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("a signed chunk is larger than {LARGEST_SIGNED} bytes")]
    Oversized,
    /// What stands where a chunk is announced, or ends, is something else.
    #[error("the body's chunks are malformed")]
    Malformed,
}

/// Follows the chunks of one body.
///
/// What it passes on s3s reads as it was read here: a line with any other size than strict digits is refused, since
/// s3s takes the digits that it begins with, and a size that was not understood would not be bounded. Signatures and
/// trailers are left to s3s. A line that the body's end cuts short is kept back, which s3s takes for the end as well;
/// the length announced tells.
#[derive(Debug)]
pub struct Chunks {
    kind: Kind,
    state: State,
    /// What came behind the last chunk, where the frames are taken off.
    trailers: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    /// Unsigned ones that nobody decodes behind this.
    Unframed,
}

#[derive(Debug)]
enum State {
    /// In the line that announces a chunk; what came of it so far.
    Line(Vec<u8>),
    /// In a chunk's data, with so many bytes to come.
    Data { left: u64, cut: bool },
    /// Behind the data of a chunk; what of its line end is still to come.
    End { left: &'static [u8], cut: bool },
    /// Behind the line of the last chunk.
    Trailers,
}

const LINE_END: &[u8] = b"\r\n";

impl Chunks {
    #[must_use]
    pub fn new(signed: bool) -> Self {
        Self::of(if signed { Kind::Signed } else { Kind::Unsigned })
    }

    /// Passes on what unsigned chunks hold, without their frames.
    #[must_use]
    pub fn unframed() -> Self {
        Self::of(Kind::Unframed)
    }

    fn of(kind: Kind) -> Self {
        Self { kind, state: State::Line(Vec::new()), trailers: Vec::new() }
    }

    /// The trailers of a body whose frames were taken off, once it has ended; what is no header is left out.
    #[must_use]
    pub fn trailers(&self) -> HeaderMap {
        let lines = self.trailers.split(|byte| *byte == b'\n');
        let pairs = lines.filter_map(|line| {
            let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
            Some((name.trim().parse().ok()?, value.trim().parse().ok()?))
        });
        pairs.collect()
    }

    /// Takes a piece of the body and appends to `out` what is to be passed on.
    ///
    /// # Errors
    /// [`ChunkError`], after which nothing more must be taken.
    pub fn take(&mut self, mut piece: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), ChunkError> {
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
                        self.state = State::End { left: LINE_END, cut };
                    }
                }
                State::End { left, cut } => {
                    let taken = piece.split_to(left.len().min(piece.len()));
                    *left = left.strip_prefix(&*taken).ok_or(ChunkError::Malformed)?;
                    if !*cut && self.kind != Kind::Unframed {
                        out.push_back(taken);
                    }
                    if left.is_empty() {
                        self.state = State::Line(Vec::new());
                    }
                }
                State::Trailers if self.kind == Kind::Unframed => {
                    self.trailers.extend_from_slice(&std::mem::take(&mut piece));
                    if self.trailers.len() > LONGEST_TRAILERS {
                        return Err(ChunkError::Malformed);
                    }
                }
                State::Trailers => out.push_back(std::mem::take(&mut piece)),
            }
        }
        Ok(())
    }

    fn take_line(&mut self, piece: &mut Bytes, out: &mut VecDeque<Bytes>) -> Result<(), ChunkError> {
        let State::Line(line) = &mut self.state else { return Ok(()) };
        let end = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |at| at + 1);
        line.extend_from_slice(&piece.split_to(end));
        if line.len() > LONGEST_LINE {
            return Err(ChunkError::Malformed);
        }
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        let line = std::mem::take(line);
        let (size, digits) = size_of(&line).ok_or(ChunkError::Malformed)?;
        if self.kind == Kind::Signed && size > LARGEST_SIGNED {
            return Err(ChunkError::Oversized);
        }
        let cut = self.kind == Kind::Unsigned && size > WHOLE;
        self.state = if size == 0 { State::Trailers } else { State::Data { left: size, cut } };
        if cut || self.kind == Kind::Unframed {
            return Ok(());
        }
        if digits > MOST_DIGITS {
            return Err(ChunkError::Malformed);
        }
        out.push_back(Bytes::from(line));
        Ok(())
    }
}

fn pass(data: Bytes, cut: bool, out: &mut VecDeque<Bytes>) {
    if cut {
        out.push_back(Bytes::from(format!("{:x}\r\n", data.len())));
        out.push_back(data);
        out.push_back(Bytes::from_static(LINE_END));
    } else {
        out.push_back(data);
    }
}

/// The size that a line announces, hexadecimal digits up to a semicolon or the line's end, and how many they are.
fn size_of(line: &[u8]) -> Option<(u64, usize)> {
    let line = line.strip_suffix(LINE_END)?;
    let digits = line.split(|byte| *byte == b';').next()?;
    Some((hexadecimal(digits)?, digits.len()))
}

#[cfg(test)]
mod tests;
