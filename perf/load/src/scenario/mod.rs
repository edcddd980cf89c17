//! What the workers do, one file a verb.

mod delete;
mod get;
mod list;
mod mixed;
mod put;

use std::time::Duration;

use serde::Serialize;

use crate::{
    client::{Client, Failure},
    keys::{Dice, KeySpace},
    options::{Name, Options},
};

/// What a request did, for telling latencies apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Put,
    Get,
    List,
    Delete,
}

/// A request that succeeded.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub kind: Kind,
    pub latency: Duration,
    /// Objects that were written, read, listed or deleted; common prefixes count as objects.
    pub objects: u64,
    /// Bytes of object content.
    pub bytes: u64,
}

/// One worker's part of a load.
pub trait Scenario {
    /// Sends one request. `number` counts the requests of all workers from 0 and is never given twice.
    fn step(&mut self, client: &mut Client, number: u64) -> Result<Done, Failure>;
}

/// The part of worker `worker`, counted from 0.
#[must_use]
pub fn build(options: &Options, worker: u64) -> Box<dyn Scenario> {
    match &options.scenario {
        Name::Put | Name::PutLarge => Box::new(put::Put::new(options, options.load.first)),
        Name::Get | Name::GetLarge => Box::new(get::Get::new(options, worker)),
        Name::List => Box::new(list::List::keys(options, worker)),
        Name::ListDelimiter => Box::new(list::List::prefixes()),
        Name::Delete => Box::new(delete::Delete::new(options)),
        Name::Mixed(shares) => Box::new(mixed::Mixed::new(options, *shares, worker)),
    }
}

/// Random keys of the run's key space.
#[derive(Clone, Debug)]
struct RandomKeys {
    space: KeySpace,
    dice: Dice,
    first: u64,
    keys: u64,
}

impl RandomKeys {
    fn new(options: &Options, worker: u64) -> Self {
        Self {
            space: options.key_space(),
            dice: Dice::new(options.load.seed.wrapping_mul(65_537).wrapping_add(worker)),
            first: options.load.first,
            keys: options.load.keys,
        }
    }

    fn write(&mut self, key: &mut String) {
        let number = self.first.wrapping_add(self.dice.below(self.keys));
        self.space.write(number, key);
    }
}
