//! What a connection from another machine begins with: an HTTP request that asks the S3 endpoint to speak of files from
//! there on, signed as its calls of IAM are.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::time::SystemTime;

use aws_lc_rs::{digest, hmac};
use time::OffsetDateTime;

/// What the connection becomes. Which release speaks is the greeting's to say.
pub const UPGRADE: &str = "packstone-files";
/// Where it is asked for: no bucket has such a name.
pub const UPGRADE_PATH: &str = "/.packstone/files";
/// The scope of the signature, beside the day. The node takes any region there.
const SCOPE: &str = "us-east-1/packstone/aws4_request";
/// The longest head and body of an answer that are read.
const LONGEST_HEAD: usize = 16 << 10;
const LONGEST_BODY: usize = 64 << 10;

/// S3 credentials, with the token of temporary ones.
#[derive(Clone)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: String,
    pub token: Option<String>,
}

/// All but what is secret.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// Asks for the upgrade, and reads the answer to the end of its head.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] where the credentials are refused, [`io::ErrorKind::Unsupported`] where nothing there
/// knows of files.
pub fn ask(stream: &mut (impl Read + Write), host: &str, credentials: &Credentials) -> io::Result<()> {
    stream.write_all(request(host, credentials, SystemTime::now().into())?.as_bytes())?;
    stream.flush()?;
    let head = head(stream)?;
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut answer = httparse::Response::new(&mut fields);
    let status = match answer.parse(&head) {
        Ok(httparse::Status::Complete(_)) => answer.code.unwrap_or(0),
        _ => return Err(strange("it doesn't speak HTTP")),
    };
    if status == 101 {
        return Ok(());
    }
    let length = answer.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.trim().parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    let most = u64::try_from(LONGEST_BODY.min(length)).unwrap_or(0);
    // What can't be read of it isn't told.
    let _ = stream.take(most).read_to_end(&mut body);
    Err(refusal(status, &String::from_utf8_lossy(&body)))
}

fn refusal(status: u16, document: &str) -> io::Error {
    let element = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
    };
    let told = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => format!("HTTP status {status}"),
    };
    match status {
        400 | 401 | 403 => io::Error::new(io::ErrorKind::PermissionDenied, told),
        503 => io::Error::other(told),
        _ => io::Error::new(io::ErrorKind::Unsupported, told),
    }
}

fn strange(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// An answer up to the empty line, and not a byte behind it.
fn head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
        if head.len() > LONGEST_HEAD {
            return Err(strange("it doesn't speak HTTP"));
        }
    }
    Ok(head)
}

/// The request, signed at a time.
fn request(
    host: &str,
    Credentials { access_key, secret_key, token }: &Credentials,
    at: OffsetDateTime,
) -> io::Result<String> {
    let token = token.as_deref();
    if [host, access_key, token.unwrap_or_default()].iter().any(|text| text.bytes().any(|byte| byte <= b' ')) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the credentials have a space or a line break in them",
        ));
    }
    let (date, month) = (at.date(), u8::from(at.month()));
    let day = format!("{:04}{month:02}{:02}", date.year(), date.day());
    let time = format!("{day}T{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second());
    let mut headers = format!("host:{host}\nx-amz-date:{time}\n");
    let mut names = "host;x-amz-date".to_owned();
    if let Some(token) = token {
        headers.extend(["x-amz-security-token:", token, "\n"]);
        names.push_str(";x-amz-security-token");
    }
    let canonical = format!("GET\n{UPGRADE_PATH}\n\n{headers}\n{names}\n{}", sha256(b""));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{day}/{SCOPE}\n{}", sha256(canonical.as_bytes()));
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret_key}").as_bytes());
    for step in [&*day].into_iter().chain(SCOPE.split('/')) {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, step.as_bytes()).as_ref());
    }
    let signature = hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
    let token = token.map(|token| format!("X-Amz-Security-Token: {token}\r\n")).unwrap_or_default();
    Ok(format!(
        "GET {UPGRADE_PATH} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: {UPGRADE}\r\n\
         X-Amz-Date: {time}\r\n{token}Authorization: AWS4-HMAC-SHA256 Credential={access_key}/{day}/{SCOPE}, \
         SignedHeaders={names}, Signature={signature}\r\n\r\n"
    ))
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // To a string there is nothing that could fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
