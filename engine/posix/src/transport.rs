//! The connections that a mount makes: to a socket of its own machine, or to the S3 endpoint of another, by TLS.
//!
//! A machine that is gone without a word is found out by TCP: the connection fails then, as one that was closed.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{RecvFlags, sockopt};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::upgrade::{self, Credentials};

/// How long a machine may take to be connected with, and to each step until files are spoken of.
const OPENING: Duration = Duration::from_secs(10);
/// A connection is asked whether it stands after so long, so often, so many times.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 4);
/// Milliseconds for which nothing that was sent is acknowledged, until the other side counts as gone.
const UNACKNOWLEDGED: u32 = 30_000;

/// Where a mount's node is.
#[derive(Debug)]
pub enum Transport {
    Local(PathBuf),
    Remote(Box<Remote>),
}

impl Transport {
    /// A connection on which nothing was said of files yet.
    ///
    /// # Errors
    /// As [`Remote::open`].
    pub fn open(&self) -> io::Result<Stream> {
        match self {
            Self::Local(path) => UnixStream::connect(path).map(Stream::Local),
            Self::Remote(remote) => remote.open(),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    Local(UnixStream),
    /// To the endpoint of this very machine, which needs no TLS.
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Whether a connection that is not in use may be used: over TCP, what is written to one that the other side has
    /// closed seems to be sent.
    pub fn is_alive(&self) -> bool {
        let stream = match self {
            Self::Local(_) => return true,
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref(),
        };
        let looked = rustix::net::recv(stream, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        looked.is_err_and(|errno| errno == rustix::io::Errno::AGAIN)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Local(stream) => stream.read(buffer),
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Local(stream) => stream.write(bytes),
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Local(stream) => stream.flush(),
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// The S3 endpoint of another machine, and who asks there.
#[derive(Debug)]
pub struct Remote {
    host: String,
    port: u16,
    /// As the `Host` header has it.
    authority: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    credentials: Credentials,
}

impl Remote {
    /// An endpoint by its URL. Its certificate is vouched for by the authorities in the PEM file `authorities`, or without
    /// one by those of the system.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for what is no such URL or file.
    pub fn new(endpoint: &str, authorities: Option<&Path>, credentials: Credentials) -> io::Result<Self> {
        let no_url = || invalid(format!("{endpoint} is no URL such as https://HOST:9000"));
        let (scheme, authority) = endpoint.split_once("://").ok_or_else(no_url)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let by_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(no_url()),
        };
        if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ']) {
            return Err(no_url());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| no_url())?),
            _ => (authority, if by_tls { 443 } else { 80 }),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        let tls = if by_tls {
            let name = ServerName::try_from(host.clone()).map_err(|_| no_url())?;
            Some((Arc::new(trusting(authorities)?), name))
        } else {
            None
        };
        Ok(Self { host, port, authority: authority.to_owned(), tls, credentials })
    }

    /// A connection on which the node waits for a greeting.
    ///
    /// # Errors
    /// It can't be reached or isn't trusted, or as [`upgrade::ask`].
    fn open(&self) -> io::Result<Stream> {
        let stream = self.connect()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(OPENING))?;
        stream.set_write_timeout(Some(OPENING))?;
        let mut stream = match &self.tls {
            None => Stream::Plain(stream),
            Some((config, name)) => {
                let connection = ClientConnection::new(config.clone(), name.clone()).map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
        };
        upgrade::ask(&mut stream, &self.authority, &self.credentials).map_err(told)?;
        let socket = match &stream {
            Stream::Local(_) => return Ok(stream),
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref(),
        };
        // Files may take as long as they take.
        socket.set_read_timeout(None)?;
        socket.set_write_timeout(None)?;
        let (idle, interval, count) = KEEP_ALIVE;
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, idle)?;
        sockopt::set_tcp_keepintvl(socket, interval)?;
        sockopt::set_tcp_keepcnt(socket, count)?;
        sockopt::set_tcp_user_timeout(socket, UNACKNOWLEDGED)?;
        Ok(stream)
    }

    /// Without TLS to this machine alone, whatever its names resolve to: else somebody could listen, and take what is
    /// written.
    fn connect(&self) -> io::Result<TcpStream> {
        let found: Vec<SocketAddr> = (&*self.host, self.port).to_socket_addrs()?.collect();
        let usable = found.iter().filter(|address| self.tls.is_some() || address.ip().to_canonical().is_loopback());
        let mut last = invalid("http:// is for the machine itself: use https://".to_owned());
        for address in usable {
            match TcpStream::connect_timeout(address, OPENING) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// What went wrong with TLS, in words for who can mend it.
fn told(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            io::Error::new(io::ErrorKind::InvalidData, format!("its certificate isn't trusted: {reason}"))
        }
        Some(other) => io::Error::new(io::ErrorKind::Unsupported, format!("it doesn't speak TLS: {other}")),
        None => error,
    }
}

/// TLS with whom the authorities of a file, or of the system, vouch for.
fn trusting(authorities: Option<&Path>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(path) => {
            let wrong = |reason: String| invalid(format!("{}: {reason}", path.display()));
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            for certificate in read.map_err(|error| wrong(error.to_string()))? {
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("it holds no certificate".to_owned()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
