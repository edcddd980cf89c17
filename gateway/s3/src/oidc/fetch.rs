//! Asking an issuer: a GET of a small document, over TLS that is trusted.
//!
//! Whoever registers an issuer says whom the node asks, and whoever sends a token says when. So a document is small and
//! comes soon or not at all, no redirect is followed, and nothing of an answer but its document counts.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::issuer::secured;

/// How long a document may take, from the look-up of its host on.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest document, in bytes.
const LARGEST: usize = 256 << 10;

/// The file of further authorities can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub(crate) struct NoAuthorities {
    pub path: PathBuf,
    pub reason: String,
}

/// What can be asked over TLS: those whose certificates the system's authorities vouch for, or those that the operator
/// named.
pub(crate) struct Fetch {
    named: Vec<CertificateDer<'static>>,
    /// Made when it is first needed: the system's authorities are many.
    tls: OnceCell<TlsConnector>,
}

impl Fetch {
    /// # Errors
    /// [`NoAuthorities`].
    pub fn new(authorities: Option<&Path>) -> Result<Self, NoAuthorities> {
        let named = match authorities {
            Some(path) => read(path).map_err(|reason| NoAuthorities { path: path.into(), reason })?,
            None => Vec::new(),
        };
        Ok(Self { named, tls: OnceCell::new() })
    }

    /// The document at `url`.
    ///
    /// # Errors
    /// Why there is none, for the log.
    pub async fn get(&self, url: &str) -> Result<Bytes, String> {
        let got = tokio::time::timeout(TIMEOUT, self.got(url)).await;
        got.map_err(|_| format!("{url}: no answer within {} s", TIMEOUT.as_secs()))?
            .map_err(|reason| format!("{url}: {reason}"))
    }

    async fn got(&self, url: &str) -> Result<Bytes, String> {
        let uri = secured(url).map_err(|error| error.to_string())?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let plain = uri.scheme() != Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if plain { 80 } else { 443 });
        let stream = connect(host, port, plain).await.map_err(|error| error.to_string())?;
        let response = if plain {
            ask(stream, &uri).await?
        } else {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
            let tls = self.tls.get_or_try_init(|| self.connector()).await?;
            ask(tls.connect(name, stream).await.map_err(|error| error.to_string())?, &uri).await?
        };
        if response.status() != StatusCode::OK {
            return Err(format!("it answers {}", response.status()));
        }
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| error.to_string())
    }

    async fn connector(&self) -> Result<TlsConnector, String> {
        let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        let found = found.map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs.into_iter().chain(self.named.iter().cloned()));
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let named: Vec<CertificateDer<'static>> = read.map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in &named {
        roots.add(certificate.clone()).map_err(|error| error.to_string())?;
    }
    if named.is_empty() { Err("it holds no certificate".into()) } else { Ok(named) }
}

/// Without TLS to this machine alone, whatever its names resolve to.
async fn connect(host: &str, port: u16, plain: bool) -> io::Result<TcpStream> {
    let found: Vec<SocketAddr> =
        lookup_host((host, port)).await?.filter(|address| !plain || address.ip().is_loopback()).collect();
    TcpStream::connect(found.as_slice()).await
}

async fn ask<S>(stream: S, uri: &Uri) -> Result<Response<Incoming>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    // It ends with the answer's body, or with the sender.
    tokio::spawn(connection);
    let authority = uri.authority().map_or("", hyper::http::uri::Authority::as_str);
    let request = Request::get(uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str))
        .header(HOST, authority)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, "Packstone")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    sender.send_request(request).await.map_err(|error| error.to_string())
}
