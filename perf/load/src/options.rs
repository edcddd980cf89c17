//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::{
    endpoint::Endpoint,
    keys::{KeySpace, Pattern},
    signer::Credentials,
};

const SMALL: u64 = 4 << 10;
const LARGE: u64 = 16 << 20;

/// Loads an S3 server and prints, as JSON, what it did and what it cost.
#[derive(Debug, Parser)]
#[command(name = "packstone-load", version)]
pub struct Options {
    #[command(subcommand)]
    pub scenario: Name,
    #[command(flatten)]
    pub load: Load,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Name {
    /// Writes keys in order of their numbers; 4 KiB each
    Put,
    /// Reads random keys
    Get,
    /// Pages of 1,000 keys by ListObjectsV2, from random keys to the bucket's end
    List,
    /// Pages of up to 1,000 entries with delimiter `/`, from the bucket's start to its end
    ListDelimiter,
    /// Deletes all keys in order of their numbers
    Delete,
    /// As put, with bodies of 16 MiB that are not signed
    PutLarge,
    /// As get, with bodies of 16 MiB
    GetLarge,
    /// Reads, writes of new keys, deletes of keys written here, and pages, in given shares
    Mixed(Shares),
}

/// Shares of a mixed load; only their relation counts.
#[derive(Clone, Copy, Debug, Args)]
pub struct Shares {
    #[arg(long, default_value_t = 60)]
    pub get: u64,
    #[arg(long, default_value_t = 30)]
    pub put: u64,
    #[arg(long, default_value_t = 5)]
    pub delete: u64,
    #[arg(long, default_value_t = 5)]
    pub list: u64,
}

#[derive(Clone, Debug, Args)]
pub struct Load {
    /// http://HOST:PORT
    #[arg(long, global = true, default_value = "http://127.0.0.1:9000")]
    pub endpoint: Endpoint,
    #[arg(long, global = true, default_value = "packstone", env = "PACKSTONE_ROOT_USER")]
    pub access_key: String,
    #[arg(long, global = true, default_value = "", env = "PACKSTONE_ROOT_PASSWORD", hide_env_values = true)]
    pub secret_key: String,
    #[arg(long, global = true, default_value = "us-east-1")]
    pub region: String,
    #[arg(long, global = true, default_value = "load")]
    pub bucket: String,
    /// Make the bucket first, unless it is there
    #[arg(long, global = true)]
    pub create_bucket: bool,
    /// Connections, each with a thread of its own
    #[arg(long, global = true, default_value_t = 16)]
    pub connections: usize,
    /// Seconds to measure; with --count, whichever ends first
    #[arg(long, global = true)]
    pub duration: Option<f64>,
    /// Requests to send, those of the warm-up included. Without it and --duration: put and delete take every key
    /// once, all else runs 10 seconds
    #[arg(long, global = true)]
    pub count: Option<u64>,
    /// Seconds of load before the measurement
    #[arg(long, global = true, default_value_t = 0.0)]
    pub warmup: f64,
    /// Bytes of an object
    #[arg(long, global = true)]
    pub size: Option<u64>,
    /// How many keys the key space has
    #[arg(long, global = true, default_value_t = 10_000)]
    pub keys: u64,
    /// Number of the first key
    #[arg(long, global = true, default_value_t = 0)]
    pub first: u64,
    /// {n}: the key's number; {p}: the number modulo --prefixes
    #[arg(long, global = true, default_value = "p{p}/k{n}")]
    pub pattern: Pattern,
    #[arg(long, global = true, default_value_t = 1_000)]
    pub prefixes: u64,
    /// Begin listings at the bucket's start, not behind random keys
    #[arg(long, global = true)]
    pub from_start: bool,
    /// Keys that one delete request names; 1 sends DeleteObject
    #[arg(long, global = true, default_value_t = 1_000)]
    pub batch: u64,
    /// Of contents and of the order of random keys
    #[arg(long, global = true, default_value_t = 1)]
    pub seed: u64,
    /// Compare every Nth body in full (of the others the length and the first eight bytes); 1 for all
    #[arg(long, global = true, default_value_t = 64)]
    pub verify_every: u64,
    /// Send UNSIGNED-PAYLOAD in place of the body's SHA-256 (the large scenarios always do)
    #[arg(long, global = true)]
    pub unsigned_payload: bool,
    /// A process of the server, whose processor time and memory are reported; may be repeated
    #[arg(long = "pid", global = true)]
    pub pids: Vec<i32>,
}

impl Name {
    /// As it stands on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::List => "list",
            Self::ListDelimiter => "list-delimiter",
            Self::Delete => "delete",
            Self::PutLarge => "put-large",
            Self::GetLarge => "get-large",
            Self::Mixed(_) => "mixed",
        }
    }

    fn is_large(&self) -> bool {
        matches!(self, Self::PutLarge | Self::GetLarge)
    }
}

impl Options {
    /// Bytes of an object.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.load.size.unwrap_or(if self.scenario.is_large() { LARGE } else { SMALL })
    }

    /// Whether the SHA-256 of a body is computed and signed.
    #[must_use]
    pub fn signs_payload(&self) -> bool {
        !self.load.unsigned_payload && !self.scenario.is_large()
    }

    /// How many requests are sent at most.
    #[must_use]
    pub fn request_limit(&self) -> u64 {
        let once = match self.scenario {
            Name::Put | Name::PutLarge => Some(self.load.keys),
            Name::Delete => Some(self.load.keys.div_ceil(self.load.batch.max(1))),
            Name::Get | Name::GetLarge | Name::List | Name::ListDelimiter | Name::Mixed(_) => None,
        };
        let count = self.load.count.unwrap_or(u64::MAX);
        match self.scenario {
            Name::Delete => count.min(once.unwrap_or(u64::MAX)),
            _ if self.load.count.is_none() && self.load.duration.is_none() => once.unwrap_or(u64::MAX),
            _ => count,
        }
    }

    /// Seconds after which the measurement ends, if time ends it.
    #[must_use]
    pub fn time_limit(&self) -> Option<f64> {
        let takes_every_key = matches!(self.scenario, Name::Put | Name::PutLarge | Name::Delete);
        let by_default = self.load.count.is_none() && !takes_every_key;
        self.load.duration.or(by_default.then_some(10.0))
    }

    #[must_use]
    pub fn key_space(&self) -> KeySpace {
        KeySpace { pattern: self.load.pattern.clone(), prefixes: self.load.prefixes }
    }

    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            access_key: self.load.access_key.clone(),
            secret_key: self.load.secret_key.clone(),
            region: self.load.region.clone(),
        }
    }
}
