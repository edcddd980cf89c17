//! Listing versions and delete markers: `Current` and `Versions` are walked side by side, since each version stands in one
//! of them.

use std::iter::Peekable;
use std::ops::Bound;

use super::{common_prefix, shortened};
use crate::error::Result;
use crate::index::apply::pointed;
use crate::index::row::Row;
use crate::index::{IndexResult, Pairs, Snapshot, Space, Value, keys};
use crate::object::{MAX_PATH, Version, VersionEntry, VersionPage, VersionQuery};
use crate::time::to_system_time;
use crate::version::VersionId;

/// The newest row of a key in `Versions`, with its key there.
///
/// # Errors
/// A fault of the index.
pub(crate) fn newest(snapshot: &dyn Snapshot, bucket: u32, key: &str) -> IndexResult<Option<(Value, Row)>> {
    let (from, end) = (keys::versions(bucket, key), keys::null_pointer(bucket, key));
    let first = snapshot.range(Space::Versions, Bound::Included(&from), Bound::Excluded(&end)).next().transpose()?;
    first.map(|(place, value)| Ok((place, Row::decode_brief(&value)?))).transpose()
}

/// One page of versions, delete markers and common prefixes: keys in order, the newest version of each first.
///
/// # Errors
/// A fault of the index.
pub fn versions(snapshot: &dyn Snapshot, bucket: u32, query: &VersionQuery) -> Result<VersionPage> {
    let mut page = VersionPage::default();
    if query.limit == 0 || query.prefix.len() > MAX_PATH {
        return Ok(page);
    }
    let mut walk = match &query.after {
        None => Walk::from(snapshot, bucket, query, &query.prefix),
        Some((key, _)) if key.len() > MAX_PATH => Walk::after(snapshot, bucket, query, &shortened(key)),
        Some((key, None)) => Walk::after(snapshot, bucket, query, key),
        Some((key, Some(version))) => match rest_of(snapshot, bucket, key, *version)? {
            Some(rows) => {
                let latest = newest_record(snapshot, bucket, key)?;
                for row in rows {
                    if page.entries.len() >= query.limit {
                        page.truncated = true;
                        return Ok(page);
                    }
                    let row = row?;
                    page.entries.push(entry(key, &row, latest == Some(row.record.id))?);
                }
                Walk::after(snapshot, bucket, query, key)
            }
            // What was told before is told again rather than what is older passed over.
            None => Walk::from(snapshot, bucket, query, key),
        },
    };
    while let Some(next) = walk.next()? {
        if page.entries.len() >= query.limit {
            page.truncated = true;
            return Ok(page);
        }
        if let Some(common) = common_prefix(&next.key, &query.prefix, &query.delimiter) {
            page.entries.push(VersionEntry::Prefix(common.to_owned()));
            walk = Walk::behind(snapshot, bucket, query, common);
            continue;
        }
        page.entries.push(entry(&next.key, &next.row, next.latest)?);
    }
    Ok(page)
}

/// Rows of a key that are older than a version of it, newest first; `None` for a version that tells nothing of its place,
/// as a null version that is gone.
fn rest_of<'a>(
    snapshot: &'a dyn Snapshot,
    bucket: u32,
    key: &str,
    version: VersionId,
) -> IndexResult<Option<impl Iterator<Item = IndexResult<Row>> + 'a>> {
    let record = if version.is_null() { null_record(snapshot, bucket, key)? } else { Some(version.record()) };
    let Some(record) = record.filter(|record| *record != 0) else { return Ok(None) };
    let (from, end) = (keys::version(bucket, key, record), keys::null_pointer(bucket, key));
    let current = current_row(snapshot, bucket, key)?.filter(|row| row.record.id < record);
    let older = snapshot.range(Space::Versions, Bound::Excluded(&from), Bound::Excluded(&end));
    let older = older.map(|pair| Row::decode_brief(&pair?.1));
    Ok(Some(current.map(Ok).into_iter().chain(older)))
}

fn current_row(snapshot: &dyn Snapshot, bucket: u32, key: &str) -> IndexResult<Option<Row>> {
    let value = snapshot.get(Space::Current, &keys::current(bucket, key))?;
    value.map(|value| Row::decode_brief(&value)).transpose()
}

fn newest_record(snapshot: &dyn Snapshot, bucket: u32, key: &str) -> IndexResult<Option<u64>> {
    if let Some(row) = current_row(snapshot, bucket, key)? {
        return Ok(Some(row.record.id));
    }
    Ok(newest(snapshot, bucket, key)?.map(|(_, row)| row.record.id))
}

fn null_record(snapshot: &dyn Snapshot, bucket: u32, key: &str) -> IndexResult<Option<u64>> {
    if let Some(row) = current_row(snapshot, bucket, key)?.filter(|row| row.version.is_null()) {
        return Ok(Some(row.record.id));
    }
    let pointer = snapshot.get(Space::Versions, &keys::null_pointer(bucket, key))?;
    pointer.map(|value| pointed(&value)).transpose()
}

fn entry(key: &str, row: &Row, latest: bool) -> Result<VersionEntry> {
    let key = key.to_owned();
    Ok(if row.marker {
        let modified = to_system_time(row.record.modified);
        VersionEntry::Marker { key, version: row.version, modified, latest }
    } else {
        VersionEntry::Version { key, version: Version::from_row(row, latest)? }
    })
}

/// A row as the walk comes by it.
struct Passed {
    key: String,
    row: Row,
    latest: bool,
}

/// All rows of a bucket's keys from some key on, in order.
struct Walk<'a> {
    current: Peekable<Pairs<'a>>,
    versions: Peekable<Pairs<'a>>,
    /// The key whose newest row was passed.
    passed: Option<String>,
}

impl<'a> Walk<'a> {
    fn new(
        snapshot: &'a dyn Snapshot,
        bucket: u32,
        query: &VersionQuery,
        (current, versions): (Option<Vec<u8>>, Option<Vec<u8>>),
    ) -> Self {
        let end = |prefix: Vec<u8>| keys::after_prefix(&prefix).unwrap_or_default();
        let walk = |space, from: Option<Vec<u8>>, first: Vec<u8>| {
            let end = end(first.clone());
            let from = from.map_or_else(|| end.clone(), |from| from.max(first)).min(end.clone());
            snapshot.range(space, Bound::Included(&from), Bound::Excluded(&end)).peekable()
        };
        Self {
            current: walk(Space::Current, current, keys::current(bucket, &query.prefix)),
            versions: walk(Space::Versions, versions, keys::versions_prefix(bucket, &query.prefix)),
            passed: None,
        }
    }

    /// Keys from `key` on.
    fn from(snapshot: &'a dyn Snapshot, bucket: u32, query: &VersionQuery, key: &str) -> Self {
        let from = (Some(keys::current(bucket, key)), Some(keys::versions_prefix(bucket, key)));
        Self::new(snapshot, bucket, query, from)
    }

    /// Keys after `key`, and where it falls under a common prefix, after that.
    fn after(snapshot: &'a dyn Snapshot, bucket: u32, query: &VersionQuery, key: &str) -> Self {
        match common_prefix(key, &query.prefix, &query.delimiter) {
            Some(common) if key.starts_with(&query.prefix) && common == key => {
                Self::behind(snapshot, bucket, query, common)
            }
            _ => {
                let mut current = keys::current(bucket, key);
                current.push(0);
                let from = (Some(current), keys::after_prefix(&keys::versions(bucket, key)));
                Self::new(snapshot, bucket, query, from)
            }
        }
    }

    /// Keys behind all that begin with `prefix`.
    fn behind(snapshot: &'a dyn Snapshot, bucket: u32, query: &VersionQuery, prefix: &str) -> Self {
        let current = keys::after_prefix(&keys::current(bucket, prefix));
        let versions = keys::after_prefix(&keys::versions_prefix(bucket, prefix));
        Self::new(snapshot, bucket, query, (current, versions))
    }

    fn next(&mut self) -> IndexResult<Option<Passed>> {
        loop {
            let current = peek(&mut self.current, keys::parse_current)?.map(|(_, key)| key.to_owned());
            let version = peek(&mut self.versions, keys::parse_version)?;
            // Of one key, what is in `Current` is the newest.
            let of_current = match (&current, &version) {
                (Some(current), Some((_, key, _))) => current <= key,
                (current, _) => current.is_some(),
            };
            let pairs = if of_current { &mut self.current } else { &mut self.versions };
            let Some((_, value)) = pairs.next().transpose()? else { return Ok(None) };
            let key = match (of_current, current, version) {
                (true, Some(key), _) => key,
                (false, _, Some((_, key, record))) if record != 0 => key,
                // The pointer to a null version is no row.
                _ => continue,
            };
            let latest = self.passed.as_ref() != Some(&key);
            if latest {
                self.passed = Some(key.clone());
            }
            return Ok(Some(Passed { key, row: Row::decode_brief(&value)?, latest }));
        }
    }
}

/// The key of the next pair.
fn peek<'p, 'a, T>(
    pairs: &'p mut Peekable<Pairs<'a>>,
    parse: impl Fn(&'p [u8]) -> Option<T>,
) -> IndexResult<Option<T>> {
    match pairs.peek() {
        Some(Ok((place, _))) => Ok(parse(place)),
        Some(Err(error)) => Err(crate::index::IndexError(error.0.clone())),
        None => Ok(None),
    }
}
