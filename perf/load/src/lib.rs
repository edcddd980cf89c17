//! The load generator: one thread and one keep-alive connection a worker, blocking sockets, buffers that are reused.
//!
//! It runs on the same cores as the server under test, so every microsecond that it spends is taken from the server:
//! the signing key and the date are cached, a small request leaves in one system call, and bodies are compared in
//! full on a sample only.

pub mod client;
pub mod connection;
pub mod content;
pub mod encoding;
pub mod endpoint;
pub mod keys;
pub mod options;
pub mod process;
pub mod report;
pub mod run;
pub mod scenario;
pub mod signer;
pub mod tally;
