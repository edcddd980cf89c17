//! GetObject.

use super::{Done, Kind, RandomKeys, Scenario};
use crate::{
    client::{Body, Client, Failure, Request},
    content::{self, Check},
    options::Options,
};

/// Reads random keys and checks what comes.
pub struct Get {
    keys: RandomKeys,
    seed: u64,
    size: u64,
    verify_every: u64,
    key: String,
    path: String,
}

impl Get {
    pub fn new(options: &Options, worker: u64) -> Self {
        Self {
            keys: RandomKeys::new(options, worker),
            seed: options.load.seed,
            size: options.size(),
            verify_every: options.load.verify_every.max(1),
            key: String::new(),
            path: String::new(),
        }
    }
}

impl Scenario for Get {
    fn step(&mut self, client: &mut Client, number: u64) -> Result<Done, Failure> {
        self.keys.write(&mut self.key);
        client.write_path(&self.key, &mut self.path);
        let whole = number.is_multiple_of(self.verify_every);
        let mut check = Check::new(content::seed_of(&self.key, self.seed), whole);
        let request = Request::bodiless("GET", &self.path, "");
        let latency = client.exchange(&request, Body::Bytes(&[]), &mut |bytes| check.take(bytes))?;
        if check.length() != self.size {
            let (key, length) = (&self.key, check.length());
            return Err(Failure::Wrong(format!("{key} has {length} bytes, not {}", self.size)));
        }
        if let Some(offset) = check.wrong_at() {
            return Err(Failure::Wrong(format!("{} differs from what was put at byte {offset}", self.key)));
        }
        Ok(Done { kind: Kind::Get, latency, objects: 1, bytes: self.size })
    }
}
