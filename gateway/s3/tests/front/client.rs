//! A client made by hand: it signs what it is told to, and can leave out what a well-behaved one would not.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use s3s::dto::{Timestamp, TimestampFormat};
use sha2::{Digest, Sha256};

use crate::memory::{ACCESS, SECRET};

pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Answer {
    pub fn parse(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer in {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: body.to_owned() }
    }

    /// The text of an element of an XML body.
    pub fn element(&self, name: &str) -> &str {
        let open = format!("<{name}>");
        let close = format!("</{name}>");
        self.body.split_once(&open).and_then(|(_, rest)| rest.split_once(&close)).map_or("", |(text, _)| text)
    }
}

#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    /// In the order of their names.
    pub query: Vec<(String, String)>,
    /// Signed with the rest.
    pub headers: Vec<(String, String)>,
    /// Sent all the same.
    pub unsigned: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub digest: Option<String>,
    pub region: &'static str,
    pub service: &'static str,
    pub secret: &'static str,
}

impl Request {
    pub fn new(method: &'static str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut query: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        query.sort();
        Self {
            method,
            path: path.to_owned(),
            query,
            headers: Vec::new(),
            unsigned: Vec::new(),
            body: Vec::new(),
            digest: None,
            region: "us-east-1",
            service: "s3",
            secret: SECRET,
        }
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn unsigned(mut self, name: &str, value: &str) -> Self {
        self.unsigned.push((name.to_owned(), value.to_owned()));
        self
    }

    fn query_text(&self) -> String {
        let pairs: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    fn scope(&self, date: &str) -> String {
        format!("{}/{}/{}/aws4_request", &date[..8], self.region, self.service)
    }

    fn signature(&self, canonical: &str, date: &str) -> String {
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{date}\n{}\n{}", self.scope(date), hex(&Sha256::digest(canonical.as_bytes())));
        let mut key = hmac(format!("AWS4{}", self.secret).as_bytes(), &date.as_bytes()[..8]);
        for field in [self.region, self.service, "aws4_request"] {
            key = hmac(&key, field.as_bytes());
        }
        hex(&hmac(&key, to_sign.as_bytes()))
    }

    /// The head of the request with its signature in a header, up to the empty line.
    pub fn head(&self, host: &str) -> String {
        let date = now();
        let digest = self.digest.clone().unwrap_or_else(|| hex(&Sha256::digest(&self.body)));
        let mut headers = self.headers.clone();
        headers.push(("host".into(), host.into()));
        headers.push(("x-amz-content-sha256".into(), digest.clone()));
        headers.push(("x-amz-date".into(), date.clone()));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{}\n{}\n{}\n{lines}\n{names}\n{digest}", self.method, self.path, self.query_text());
        let signature = self.signature(&canonical, &date);
        let scope = self.scope(&date);
        headers.push((
            "authorization".into(),
            format!("AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={names}, Signature={signature}"),
        ));
        self.text(&headers)
    }

    /// The same with its signature in the query, which covers `host` and the headers asked for.
    pub fn presigned_head(&self, host: &str, life: &str) -> String {
        let date = now();
        let mut headers = self.headers.clone();
        headers.push(("host".into(), host.into()));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join("%3B");
        let mut signed = self.clone();
        for (name, value) in [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{ACCESS}/{}", self.scope(&date)).replace('/', "%2F")),
            ("X-Amz-Date", date.clone()),
            ("X-Amz-Expires", life.to_owned()),
            ("X-Amz-SignedHeaders", names.clone()),
        ] {
            signed.query.push((name.into(), value));
        }
        signed.query.sort();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!(
            "{}\n{}\n{}\n{lines}\n{}\nUNSIGNED-PAYLOAD",
            self.method,
            self.path,
            signed.query_text(),
            names.replace("%3B", ";")
        );
        let signature = signed.signature(&canonical, &date);
        signed.query.push(("X-Amz-Signature".into(), signature));
        signed.text(&headers)
    }

    fn text(&self, headers: &[(String, String)]) -> String {
        let mut text = format!("{} {}", self.method, self.path);
        if !self.query.is_empty() {
            write!(text, "?{}", self.query_text()).unwrap();
        }
        text.push_str(" HTTP/1.1\r\n");
        for (name, value) in headers.iter().chain(&self.unsigned) {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        let named = |wanted: &str| headers.iter().chain(&self.unsigned).any(|(name, _)| name == wanted);
        if !named("content-length") && !named("transfer-encoding") && (!self.body.is_empty() || self.method == "PUT") {
            write!(text, "content-length: {}\r\n", self.body.len()).unwrap();
        }
        text.push_str("connection: close\r\n\r\n");
        text
    }

    /// Signs and sends; answers what came back.
    pub fn send(&self, address: SocketAddr) -> Answer {
        exchange(address, &[self.head(&address.to_string()).as_bytes(), &self.body].concat())
    }

    pub fn send_presigned(&self, address: SocketAddr, life: &str) -> Answer {
        exchange(address, &[self.presigned_head(&address.to_string(), life).as_bytes(), &self.body].concat())
    }

    /// Sends without any signature.
    pub fn send_anonymous(&self, address: SocketAddr) -> Answer {
        let headers = [("host".to_owned(), address.to_string())];
        exchange(address, &[self.text(&headers).as_bytes(), &self.body].concat())
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends bytes and reads until the server closes.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(address);
    // A server that refuses early may close before it has read all.
    let _ = stream.write_all(bytes);
    Answer::parse(&read_to_end(&mut stream))
}

pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).unwrap();
    raw
}

fn now() -> String {
    let mut text = Vec::new();
    Timestamp::from(SystemTime::now()).format(TimestampFormat::DateTime, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    format!("{}Z", text.split('.').next().unwrap().replace(['-', ':'], ""))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}
