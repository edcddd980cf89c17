//! The file of a form, as the store reads it: to its boundary, and on to the end of the form.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use http_body::Body as _;

use super::parts::{Event, Malformed, Parts};
use crate::front::inflow::{InflowError, RequestBody};

/// What may follow the file, in bytes.
pub const LARGEST_REST: u64 = 64 << 10;

/// The bytes of the file. It ends well only with the form, so that nothing is kept of one that was cut off.
pub struct File {
    parts: Parts,
    body: RequestBody,
    ended: bool,
    /// Bytes that came after its end.
    rest: u64,
}

/// Why the file couldn't be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Inflow(#[from] InflowError),
    #[error(transparent)]
    Form(#[from] Malformed),
}

impl File {
    pub fn new(parts: Parts, body: RequestBody) -> Self {
        Self { parts, body, ended: false, rest: 0 }
    }

    /// What there is of the file in what has come; `Ok(None)` when more has to come.
    fn take(&mut self) -> Result<Option<Bytes>, Malformed> {
        while let Some(event) = self.parts.next()? {
            match event {
                Event::Data(data) if !self.ended => return Ok(Some(data)),
                Event::Part(head) if head.name == super::FILE => return Err(Malformed),
                Event::Ended => self.ended = true,
                // Fields behind the file mean nothing.
                Event::Data(_) | Event::Part(_) | Event::Closed => {}
            }
        }
        Ok(None)
    }

    fn feed(&mut self, piece: Bytes) -> Result<(), Malformed> {
        if self.ended {
            self.rest += piece.len() as u64;
            if self.rest > LARGEST_REST {
                return Err(Malformed);
            }
        }
        self.parts.feed(piece);
        Ok(())
    }
}

impl Stream for File {
    type Item = Result<Bytes, FileError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(data) = self.take()? {
                return Poll::Ready(Some(Ok(data)));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(frame) => {
                    if let Ok(piece) = frame?.into_data() {
                        self.feed(piece)?;
                    }
                }
                None if self.parts.is_closed() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(Malformed.into()))),
            }
        }
    }
}
