//! DeleteObjects and DeleteObject.

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::Md5;
use sha2::{Digest, Sha256};

use super::{Done, Kind, Scenario};
use crate::{
    client::{Body, Client, Failure, Request, element},
    encoding,
    keys::KeySpace,
    options::Options,
};

/// Deletes the keys of the key space in order, a batch a step.
pub struct Delete {
    space: KeySpace,
    first: u64,
    keys: u64,
    batch: u64,
    key: String,
    path: String,
    document: String,
    digest: String,
}

impl Delete {
    pub fn new(options: &Options) -> Self {
        let (key, path, document, digest) = Default::default();
        Self {
            space: options.key_space(),
            first: options.load.first,
            keys: options.load.keys,
            batch: options.load.batch.clamp(1, 1_000),
            key,
            path,
            document,
            digest,
        }
    }

    /// One DeleteObjects for the keys with these numbers, counted from the first key.
    fn delete_batch(&mut self, client: &mut Client, from: u64, to: u64) -> Result<Done, Failure> {
        self.document.clear();
        self.document.push_str("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for number in from..to {
            self.space.write(self.first.wrapping_add(number), &mut self.key);
            self.document.push_str("<Object><Key>");
            encoding::push_xml(&self.key, &mut self.document);
            self.document.push_str("</Key></Object>");
        }
        self.document.push_str("<Quiet>true</Quiet></Delete>");
        let content_md5 = STANDARD.encode(Md5::digest(self.document.as_bytes()));
        self.digest.clear();
        encoding::push_hex(&Sha256::digest(self.document.as_bytes()), &mut self.digest);
        client.write_path("", &mut self.path);
        let request = Request {
            method: "POST",
            path: &self.path,
            query: "delete=",
            content_md5: Some(&content_md5),
            payload: &self.digest,
        };
        let mut answer = Vec::new();
        let latency = client
            .exchange(&request, Body::Bytes(self.document.as_bytes()), &mut |bytes| answer.extend_from_slice(bytes))?;
        let answer = String::from_utf8_lossy(&answer);
        if let Some(error) = element(&answer, "Error") {
            return Err(Failure::Wrong(format!("a key was not deleted: {error}")));
        }
        Ok(Done { kind: Kind::Delete, latency, objects: to - from, bytes: 0 })
    }
}

impl Scenario for Delete {
    fn step(&mut self, client: &mut Client, number: u64) -> Result<Done, Failure> {
        let from = number.saturating_mul(self.batch).min(self.keys);
        let to = from.saturating_add(self.batch).min(self.keys);
        if self.batch > 1 {
            return self.delete_batch(client, from, to);
        }
        self.space.write(self.first.wrapping_add(from), &mut self.key);
        delete_one(client, &self.key, &mut self.path)
    }
}

/// One DeleteObject; `path` is scratch space.
pub fn delete_one(client: &mut Client, key: &str, path: &mut String) -> Result<Done, Failure> {
    client.write_path(key, path);
    let latency = client.exchange(&Request::bodiless("DELETE", path, ""), Body::Bytes(&[]), &mut |_| {})?;
    Ok(Done { kind: Kind::Delete, latency, objects: 1, bytes: 0 })
}
