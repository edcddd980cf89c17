//! ListObjectsV2.

use std::fmt::Write;

use super::{Done, Kind, RandomKeys, Scenario};
use crate::{
    client::{Body, Client, Failure, Request, element},
    encoding,
    options::Options,
};

/// Entries that a page may hold: S3's most.
const PAGE: usize = 1_000;

/// Walks a listing page by page; a step is a page, and behind the last page a new walk begins.
pub struct List {
    /// Where walks begin: behind random keys, or at the bucket's start.
    starts: Option<RandomKeys>,
    delimiter: bool,
    /// How the walk goes on: the answer's token, none at a walk's start.
    token: Option<String>,
    key: String,
    path: String,
    query: String,
    page: Vec<u8>,
}

impl List {
    /// Walks over all keys behind random ones, or over all.
    pub fn keys(options: &Options, worker: u64) -> Self {
        let starts = (!options.load.from_start).then(|| RandomKeys::new(options, worker));
        Self::new(starts, false)
    }

    /// Walks over the common prefixes.
    pub fn prefixes() -> Self {
        Self::new(None, true)
    }

    fn new(starts: Option<RandomKeys>, delimiter: bool) -> Self {
        let (key, path, query) = Default::default();
        Self { starts, delimiter, token: None, key, path, query, page: Vec::with_capacity(512 << 10) }
    }

    fn write_query(&mut self) {
        self.query.clear();
        if let Some(token) = &self.token {
            self.query.push_str("continuation-token=");
            encoding::push_percent(token, false, &mut self.query);
            self.query.push('&');
        }
        if self.delimiter {
            self.query.push_str("delimiter=%2F&");
        }
        self.query.push_str("list-type=2");
        // Writing to a String cannot fail.
        let _ = write!(self.query, "&max-keys={PAGE}");
        if let (None, Some(starts)) = (&self.token, &mut self.starts) {
            starts.write(&mut self.key);
            self.query.push_str("&start-after=");
            encoding::push_percent(&self.key, false, &mut self.query);
        }
    }
}

impl Scenario for List {
    fn step(&mut self, client: &mut Client, _number: u64) -> Result<Done, Failure> {
        self.write_query();
        client.write_path("", &mut self.path);
        self.page.clear();
        self.token = None;
        let request = Request::bodiless("GET", &self.path, &self.query);
        let page = &mut self.page;
        let latency = client.exchange(&request, Body::Bytes(&[]), &mut |bytes| page.extend_from_slice(bytes))?;
        let page = read_page(std::str::from_utf8(&self.page).unwrap_or_default(), self.delimiter)?;
        self.token = page.token;
        Ok(Done { kind: Kind::List, latency, objects: page.entries, bytes: 0 })
    }
}

struct Page {
    entries: u64,
    token: Option<String>,
}

/// Checks that a page is whole: its entries are in order and as many as it says, and a page that is not the last has
/// entries and tells how to go on.
fn read_page(text: &str, delimiter: bool) -> Result<Page, Failure> {
    let wrong = |what: &str| Failure::Wrong(format!("a page of the listing {what}"));
    let keys = ordered(text, "<Key>").ok_or_else(|| wrong("is not in order"))?;
    // Contents and common prefixes are two sequences, and `Prefix` also names the one that was asked for.
    let prefixes = if delimiter { ordered(text, "<CommonPrefixes><Prefix>") } else { Some(0) };
    let entries = keys + prefixes.ok_or_else(|| wrong("has its prefixes not in order"))?;
    let said = element(text, "KeyCount").and_then(|count| count.parse::<usize>().ok());
    if said.is_some_and(|said| said != entries) {
        return Err(wrong("has not as many entries as it says"));
    }
    let token = match element(text, "IsTruncated") {
        Some("true") if entries == 0 => return Err(wrong("goes on and is empty")),
        Some("true") => {
            let token = element(text, "NextContinuationToken").ok_or_else(|| wrong("goes on without a token"))?;
            Some(encoding::unescape_xml(token))
        }
        Some("false") => None,
        _ => return Err(wrong("has no IsTruncated")),
    };
    Ok(Page { entries: entries as u64, token })
}

/// How many elements open with `tag`, none unless their texts rise strictly.
fn ordered(text: &str, tag: &str) -> Option<usize> {
    let mut last = "";
    let mut count = 0;
    for after in text.split(tag).skip(1) {
        let entry = after.split('<').next().unwrap_or_default();
        if entry <= last {
            return None;
        }
        last = entry;
        count += 1;
    }
    Some(count)
}
