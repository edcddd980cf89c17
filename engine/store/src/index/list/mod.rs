//! Listing: a range scan, which seeks past a common prefix and never walks through it.

mod uploads;
mod versions;

use std::ops::Bound;

use super::row::Row;
use super::{Snapshot, Space, keys};
use crate::error::Result;
use crate::object::{ListEntry, ListPage, ListQuery, MAX_PATH, Version};

pub use uploads::uploads;
pub(crate) use versions::newest;
pub use versions::versions;

/// The common prefix that a key falls under, its delimiter included.
fn common_prefix<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let behind = key.get(prefix.len()..)?;
    let at = behind.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// The key of the first row that may be listed.
fn start(query: &ListQuery, of_bucket: &[u8]) -> Bound<Vec<u8>> {
    let key = |text: &str| [of_bucket, text.as_bytes()].concat();
    if query.after.is_empty() || query.after.as_str() < query.prefix.as_str() {
        return Bound::Included(key(&query.prefix));
    }
    // A common prefix that was listed already is passed over whole.
    match common_prefix(&query.after, &query.prefix, &query.delimiter) {
        Some(common) if query.after.starts_with(&query.prefix) && common == query.after => {
            keys::after_prefix(&key(common)).map_or(Bound::Unbounded, Bound::Included)
        }
        _ => Bound::Excluded(key(&query.after)),
    }
}

/// One page of objects and common prefixes.
///
/// # Errors
/// A fault of the index.
pub fn objects(snapshot: &dyn Snapshot, bucket: u32, query: &ListQuery) -> Result<ListPage> {
    // No key is longer than that: what comes after a longer text comes after its beginning.
    if query.prefix.len() > MAX_PATH {
        return Ok(ListPage::default());
    }
    if query.after.len() > MAX_PATH {
        let query = ListQuery { after: shortened(&query.after), ..query.clone() };
        return objects(snapshot, bucket, &query);
    }
    let of_bucket = keys::current(bucket, "");
    let end = keys::after_prefix(&keys::current(bucket, &query.prefix)).unwrap_or_default();
    let mut from = start(query, &of_bucket);
    let mut page = ListPage::default();
    if query.limit == 0 {
        return Ok(page);
    }
    'seek: loop {
        let after_end = match &from {
            Bound::Included(key) | Bound::Excluded(key) => key.as_slice() >= end.as_slice(),
            Bound::Unbounded => true,
        };
        if after_end {
            return Ok(page);
        }
        let bound = from.as_ref().map(Vec::as_slice);
        for pair in snapshot.range(Space::Current, bound, Bound::Excluded(&end)) {
            let (key, value) = pair?;
            let Some(name) = keys::object_key(&key) else { continue };
            if page.entries.len() >= query.limit {
                page.truncated = true;
                return Ok(page);
            }
            if let Some(common) = common_prefix(name, &query.prefix, &query.delimiter) {
                page.entries.push(ListEntry::Prefix(common.to_owned()));
                let next = keys::after_prefix(&[of_bucket.as_slice(), common.as_bytes()].concat());
                from = next.map_or(Bound::Unbounded, Bound::Included);
                continue 'seek;
            }
            let version = Version::from_row(&Row::decode_brief(&value)?, true)?;
            page.entries.push(ListEntry::Object { key: name.to_owned(), version });
        }
        return Ok(page);
    }
}

/// The longest beginning of a text that a key could be.
fn shortened(text: &str) -> String {
    let mut end = MAX_PATH;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
