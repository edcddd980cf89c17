//! TLS: both protocols, a certificate changed under way, and what can't be used is one clear error.

use std::path::Path;
use std::sync::Arc;

use packstone_s3::front::{Front, Settings, StartError, TlsFiles};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::{Answer, Request};
use crate::memory::{Memory, Server, ring, server, server_with, settings};

const CERTIFICATES: [[&str; 2]; 2] = [
    [include_str!("certificates/first.pem"), include_str!("certificates/first.key.pem")],
    [include_str!("certificates/second.pem"), include_str!("certificates/second.key.pem")],
];

fn install(directory: &Path, number: usize) -> TlsFiles {
    let files = TlsFiles { certificate: directory.join("certificate.pem"), key: directory.join("key.pem") };
    std::fs::write(&files.certificate, CERTIFICATES[number][0]).unwrap();
    std::fs::write(&files.key, CERTIFICATES[number][1]).unwrap();
    files
}

/// Asks for the list of buckets, trusting one certificate and no other.
fn ask(server: &Server, trusted: usize, protocol: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATES[trusted][0].as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let address = server.front.address();
    server.runtime.block_on(async {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        if protocol == b"h2" {
            // The preface and empty settings; the server's settings come back.
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
            let mut frame = vec![0; 9];
            stream.read_exact(&mut frame).await?;
            return Ok(frame);
        }
        stream.write_all(Request::new("GET", "/").head("localhost").as_bytes()).await?;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).await?;
        Ok(raw)
    })
}

#[test]
fn both_protocols_are_spoken() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with(&Settings { tls: Some(install(directory.path(), 0)), ..settings() });
    assert_eq!(Answer::parse(&ask(&server, 0, b"http/1.1").unwrap()).status, 200);
    let frame = ask(&server, 0, b"h2").unwrap();
    assert_eq!(frame[3], 4, "not a SETTINGS frame: {frame:?}");
}

#[test]
fn a_certificate_is_changed_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = server_with(&Settings { tls: Some(install(directory.path(), 0)), ..settings() });
    assert!(ask(&server, 1, b"http/1.1").is_err());
    let files = install(directory.path(), 1);
    server.front.reload_tls().unwrap();
    assert_eq!(Answer::parse(&ask(&server, 1, b"http/1.1").unwrap()).status, 200);
    // A pair that doesn't fit changes nothing.
    std::fs::write(&files.key, CERTIFICATES[0][1]).unwrap();
    assert!(matches!(server.front.reload_tls(), Err(StartError::Certificate { .. })));
    assert_eq!(Answer::parse(&ask(&server, 1, b"http/1.1").unwrap()).status, 200);
}

#[test]
fn a_certificate_that_is_none() {
    let server = server();
    let directory = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: directory.path().join("absent.pem"), key: directory.path().join("key.pem") };
    let with = Settings { tls: Some(files.clone()), ..settings() };
    let start = || Front::start(Memory::default(), ring(&with), &with, server.runtime.handle());
    assert!(matches!(start(), Err(StartError::Certificate { path, .. }) if path == files.certificate));
    std::fs::write(&files.certificate, "not PEM").unwrap();
    std::fs::write(&files.key, "not PEM").unwrap();
    assert!(matches!(start(), Err(StartError::Certificate { path, .. }) if path == files.certificate));
}
