//! Reads, writes, deletes and pages, drawn by their shares.

use std::collections::VecDeque;

use super::{Done, Scenario, delete, get::Get, list::List, put::Put};
use crate::{
    client::{Client, Failure},
    keys::Dice,
    options::{Options, Shares},
};

/// Reads keys of the key space, which must be there; writes keys behind it; deletes keys that it wrote, oldest first.
pub struct Mixed {
    shares: Shares,
    dice: Dice,
    get: Get,
    put: Put,
    list: List,
    /// Keys written here and not yet deleted.
    written: VecDeque<String>,
    path: String,
}

impl Mixed {
    pub fn new(options: &Options, shares: Shares, worker: u64) -> Self {
        Self {
            shares,
            dice: Dice::new(options.load.seed.wrapping_add(worker).wrapping_mul(257)),
            get: Get::new(options, worker),
            put: Put::new(options, options.load.first.wrapping_add(options.load.keys)),
            list: List::keys(options, worker),
            written: VecDeque::new(),
            path: String::new(),
        }
    }

    fn put(&mut self, client: &mut Client, number: u64) -> Result<Done, Failure> {
        let done = self.put.step(client, number)?;
        self.written.push_back(self.put.key().to_owned());
        Ok(done)
    }
}

impl Scenario for Mixed {
    fn step(&mut self, client: &mut Client, number: u64) -> Result<Done, Failure> {
        let Shares { get, put, delete, list } = self.shares;
        let drawn = self.dice.below(get + put + delete + list);
        if drawn < get {
            self.get.step(client, number)
        } else if drawn < get + list {
            self.list.step(client, number)
        } else if drawn < get + list + delete {
            match self.written.pop_front() {
                Some(key) => delete::delete_one(client, &key, &mut self.path),
                None => self.put(client, number),
            }
        } else {
            self.put(client, number)
        }
    }
}
