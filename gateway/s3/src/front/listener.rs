//! Accepting connections, and serving each until it ends or must end.
//!
//! Concurrency: the accepting task and every connection's task hold a receiver of the phase; dropping it is how they
//! say that they have ended.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::line::Secured;
use super::pace::{Pace, Patience};
use super::service::{Client, Service};
use super::tls::Tls;
use super::{Settings, StartError};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// The most that is buffered of a request on its way in, which bounds its headers too.
const READ_BUFFER: usize = 256 << 10;
/// The most bytes of headers over HTTP/2.
const HTTP2_HEADERS: u32 = 64 << 10;
/// What may be under way of one HTTP/2 stream, and of all streams of a connection.
const HTTP2_STREAM_WINDOW: u32 = 1 << 20;
const HTTP2_CONNECTION_WINDOW: u32 = 4 << 20;
/// How long to wait after a failure that the next `accept` would meet as well (no file descriptor left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A client that says nothing is asked whether it is there after so long, so often, so many times.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(20), Duration::from_secs(10), 4);

/// Where a front is in its life. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Serving,
    /// Requests under way end, no others begin.
    Draining,
    /// Connections are dropped as they are.
    Ended,
}

/// A bound socket, not accepting yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    door: Arc<Door>,
}

/// What every connection needs.
struct Door {
    service: Arc<Service>,
    tls: Option<Arc<Tls>>,
    http: Builder<TokioExecutor>,
    http1: http1::Builder,
    patience: Patience,
}

impl Listener {
    /// Binds, within a runtime.
    ///
    /// # Errors
    /// [`StartError::AddressInUse`] or [`StartError::Address`].
    pub fn bind(settings: &Settings, service: Arc<Service>, tls: Option<Arc<Tls>>) -> Result<Self, StartError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse { address: settings.address.clone() },
            _ => StartError::Address { address: settings.address.clone(), source },
        };
        let socket = listen(&settings.address).map_err(failed)?;
        watch_over(&socket, settings.body_timeout).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let patience = Patience { opening: settings.header_timeout, writing: settings.body_timeout };
        let door = Arc::new(Door { service, tls, http: protocols(settings), http1: http1(settings), patience });
        Ok(Self { socket, address, door })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the phase changes.
    pub async fn accept(self, mut phase: watch::Receiver<Phase>) {
        loop {
            let accepted = tokio::select! {
                _ = phase.changed() => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    tokio::spawn(Arc::clone(&self.door).serve(stream, remote, phase.clone()));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "can't accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn listen(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "not HOST:PORT");
    for address in address.to_socket_addrs()? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Has connections of machines that are gone without a word end: each has what the listening socket has.
fn watch_over(socket: &TcpListener, patience: Duration) -> io::Result<()> {
    let (idle, interval, count) = KEEP_ALIVE;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, idle)?;
    sockopt::set_tcp_keepintvl(socket, interval)?;
    sockopt::set_tcp_keepcnt(socket, count)?;
    sockopt::set_tcp_user_timeout(socket, u32::try_from(patience.as_millis()).unwrap_or(u32::MAX))?;
    Ok(())
}

/// Whether an `accept` failed for the one connection, and the next may do better.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn protocols(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(READ_BUFFER)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.header_timeout)
        .keep_alive_timeout(settings.header_timeout)
        .max_header_list_size(HTTP2_HEADERS)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW);
    builder
}

fn http1(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(settings.header_timeout).max_buf_size(READ_BUFFER);
    builder
}

impl Door {
    async fn serve(self: Arc<Self>, stream: TcpStream, remote: SocketAddr, phase: watch::Receiver<Phase>) {
        let _counted = self.service.connection();
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%remote, %error, "gone before it was served");
            return;
        }
        let unread = Arc::new(AtomicBool::new(false));
        let client = |secured: Option<Secured>| {
            Arc::new(Client { remote, secured: secured.map(Arc::new), unread: Arc::clone(&unread) })
        };
        let service = Arc::clone(&self.service);
        let served = move |client: Arc<Client>| {
            service_fn(move |request| {
                let (service, client) = (Arc::clone(&service), Arc::clone(&client));
                async move { Ok::<_, Infallible>(service.answer(request, &client).await) }
            })
        };
        let paced = Pace::new(stream, self.patience, Arc::clone(&unread));
        let Some(tls) = &self.tls else {
            let connection = self.http.serve_connection_with_upgrades(TokioIo::new(paced), served(client(None)));
            return until_ended(connection, |connection| connection.graceful_shutdown(), remote, phase).await;
        };
        match tokio::time::timeout(self.patience.opening, tls.acceptor().accept(paced)).await {
            Ok(Ok(stream)) => {
                // What the handshake agreed on needs no guessing from the first bytes, which has no time-out.
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let service = served(client(Secured::of(stream.get_ref().1)));
                if http2 {
                    let http = self.http.clone().http2_only();
                    let connection = http.serve_connection(TokioIo::new(stream), service);
                    until_ended(connection, |connection| connection.graceful_shutdown(), remote, phase).await;
                } else {
                    let connection = self.http1.serve_connection(TokioIo::new(stream), service).with_upgrades();
                    until_ended(connection, |connection| connection.graceful_shutdown(), remote, phase).await;
                }
            }
            Ok(Err(error)) => tracing::debug!(%remote, %error, "no TLS handshake"),
            Err(_) => tracing::debug!(%remote, "the TLS handshake took too long"),
        }
    }
}

/// Serves one connection until it ends. A drain lets it end its requests first.
async fn until_ended<C, E>(
    connection: C,
    drain: impl Fn(Pin<&mut C>),
    remote: SocketAddr,
    mut phase: watch::Receiver<Phase>,
) where
    C: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%remote, %error, "a connection broke off");
                }
                return;
            }
            changed = phase.changed() => {
                if changed.is_err() || *phase.borrow_and_update() == Phase::Ended {
                    return;
                }
                drain(connection.as_mut());
            }
        }
    }
}
