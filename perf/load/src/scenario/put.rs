//! PutObject.

use super::{Done, Kind, Scenario};
use crate::{
    client::{Body, Client, Failure, Request},
    content::{self, Content},
    keys::KeySpace,
    options::Options,
    signer::UNSIGNED,
};

/// Writes key `first + number`.
pub struct Put {
    space: KeySpace,
    first: u64,
    seed: u64,
    signs_payload: bool,
    content: Content,
    key: String,
    path: String,
    digest: String,
}

impl Put {
    pub fn new(options: &Options, first: u64) -> Self {
        Self {
            space: options.key_space(),
            first,
            seed: options.load.seed,
            signs_payload: options.signs_payload(),
            content: Content::new(options.size()),
            key: String::new(),
            path: String::new(),
            digest: UNSIGNED.to_owned(),
        }
    }

    /// The key that the last step wrote.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl Scenario for Put {
    fn step(&mut self, client: &mut Client, number: u64) -> Result<Done, Failure> {
        self.space.write(self.first.wrapping_add(number), &mut self.key);
        client.write_path(&self.key, &mut self.path);
        self.content.rewind(content::seed_of(&self.key, self.seed));
        if self.signs_payload {
            self.content.sha256(&mut self.digest);
        }
        let request = Request { method: "PUT", path: &self.path, query: "", content_md5: None, payload: &self.digest };
        let latency = client.exchange(&request, Body::Generated(&mut self.content), &mut |_| {})?;
        Ok(Done { kind: Kind::Put, latency, objects: 1, bytes: self.content.size() })
    }
}
