//! The front over raw sockets, with a store of its own in memory.

// What the tests share stands outside of #[test] functions, where clippy.toml's leave for tests doesn't reach.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod answers;
mod client;
mod forms;
mod limits;
mod memory;
mod refusals;
mod shutdown;
mod tls;
