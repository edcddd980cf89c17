//! A socket that gives up on a client that doesn't keep pace, and that closes without losing its last answer.
//!
//! Concurrency: belongs to the one task that serves its connection, with [`Pace::unread`] shared with the bodies of
//! that connection's requests.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Bytes after which a connection has said which protocol it speaks: the length of HTTP/2's preface. Until then no
/// time-out of HTTP holds, so the socket has its own.
const OPENING: usize = 24;
/// How long, and for how many bytes, a closing socket reads on what its client still sends.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 << 20;

/// How long the two sides may keep the other waiting.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the first bytes of a connection.
    pub opening: Duration,
    /// For a client that doesn't take what is sent to it.
    pub writing: Duration,
}

/// A TCP stream with time-outs.
pub struct Pace {
    inner: TcpStream,
    patience: Patience,
    /// Bytes read while the opening lasts; its deadline stands in `opening`.
    read: usize,
    opening: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
    unread: Arc<AtomicBool>,
    lingering: Option<Linger>,
}

struct Linger {
    deadline: Pin<Box<Sleep>>,
    left: usize,
}

impl Pace {
    #[must_use]
    pub fn new(inner: TcpStream, patience: Patience, unread: Arc<AtomicBool>) -> Self {
        let opening = Some(Box::pin(sleep(patience.opening)));
        Self { inner, patience, read: 0, opening, writing: None, unread, lingering: None }
    }

    fn paced_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match write(Pin::new(&mut self.inner), cx) {
            Poll::Ready(result) => {
                self.writing = None;
                Poll::Ready(result)
            }
            Poll::Pending => {
                let patience = self.patience.writing;
                let deadline = self.writing.get_or_insert_with(|| Box::pin(sleep(patience)));
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads no more")))
            }
        }
    }

    /// A close with unread bytes makes the kernel reset the connection, and the answer that explains the close may
    /// be lost with it. So what a refused client still sends is read and thrown away for a moment.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger =
            self.lingering.get_or_insert_with(|| Linger { deadline: Box::pin(sleep(LINGER_TIME)), left: LINGER_BYTES });
        let mut scrap = [0; 16 << 10];
        while linger.left > 0 && linger.deadline.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    linger.left = linger.left.saturating_sub(buffer.filled().len())
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Pace {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if self.opening.is_none() {
            return polled;
        }
        self.read += buffer.filled().len() - before;
        if self.read >= OPENING {
            self.opening = None;
            return polled;
        }
        match (&polled, self.opening.as_mut()) {
            (Poll::Pending, Some(deadline)) => {
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client said nothing")))
            }
            _ => polled,
        }
    }
}

impl AsyncWrite for Pace {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.paced_write(cx, |inner, cx| inner.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.paced_write(cx, |inner, cx| inner.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.paced_write(cx, |inner, cx| inner.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            if !self.unread.load(Ordering::Acquire) {
                return Poll::Ready(Ok(()));
            }
        }
        ready!(self.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}
