//! What is fuzzed: every reader of bytes that a drive gives back, or a client sends.
//!
//! A target takes any bytes and panics where something doesn't hold. Its seeds are real encodings, from which the fuzzer
//! goes on. Checksums are mended before a target reads its input, or nothing behind them would ever be reached.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a target says by a panic what doesn't hold")]

mod access;
mod drive;
mod mount;
mod request;
mod sample;
mod xml;

use packstone_s3::trial;

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 18] = [
    Target { name: "superblock", run: drive::superblock, seeds: sample::superblocks },
    Target { name: "journal", run: drive::journal, seeds: sample::journals },
    Target { name: "entry", run: drive::entry, seeds: sample::entries },
    Target { name: "shard", run: drive::shard, seeds: sample::shards },
    Target { name: "toc", run: drive::toc, seeds: sample::tocs },
    Target { name: "frame", run: drive::frame, seeds: sample::frames },
    Target { name: "row", run: drive::row, seeds: sample::rows },
    Target { name: "route", run: request::route, seeds: request::routes },
    Target { name: "signature", run: request::signature, seeds: request::signatures },
    Target { name: "chunks", run: request::chunks, seeds: request::bodies },
    Target { name: "form", run: request::form, seeds: request::forms },
    Target { name: "policy", run: request::policy, seeds: request::policies },
    Target { name: "document", run: access::document, seeds: access::documents },
    Target { name: "range", run: request::range, seeds: request::ranges },
    Target { name: "announcement", run: request::announcement, seeds: request::announcements },
    Target { name: "xml", run: trial::document, seeds: xml::documents },
    Target { name: "token", run: request::token, seeds: request::tokens },
    Target { name: "question", run: mount::question, seeds: mount::questions },
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
