//! Listing open uploads.

use std::ops::Bound;

use super::{common_prefix, shortened};
use crate::error::Result;
use crate::index::row::UploadRow;
use crate::index::{IndexResult, Snapshot, Space, keys};
use crate::object::{MAX_KEY, UploadEntry, UploadId, UploadPage, UploadQuery, upload};

/// One page of open uploads and common prefixes.
///
/// # Errors
/// A fault of the index.
pub fn uploads(snapshot: &dyn Snapshot, bucket: u32, query: &UploadQuery) -> Result<UploadPage> {
    if query.prefix.len() > MAX_KEY {
        return Ok(UploadPage::default());
    }
    if let Some((key, _)) = query.after.as_ref().filter(|(key, _)| key.len() > MAX_KEY) {
        let query = UploadQuery { after: Some((shortened(key), None)), ..query.clone() };
        return uploads(snapshot, bucket, &query);
    }
    let end = keys::after_prefix(&keys::upload_prefix(bucket, &query.prefix)).unwrap_or_default();
    let mut from = match &query.after {
        None => Bound::Included(keys::upload_prefix(bucket, &query.prefix)),
        Some((key, Some(id))) => Bound::Excluded(keys::upload(bucket, key, id.0)),
        Some((key, None)) => after_key(bucket, key, query),
    };
    let first = keys::upload_prefix(bucket, &query.prefix);
    if matches!(&from, Bound::Included(key) | Bound::Excluded(key) if *key < first) {
        from = Bound::Included(first);
    }
    let mut page = UploadPage::default();
    if query.limit == 0 {
        return Ok(page);
    }
    'seek: loop {
        if matches!(&from, Bound::Included(key) | Bound::Excluded(key) if *key >= end) || from == Bound::Unbounded {
            return Ok(page);
        }
        for pair in snapshot.range(Space::Uploads, from.as_ref().map(Vec::as_slice), Bound::Excluded(&end)) {
            let (key, value) = pair?;
            let Some((name, id)) = keys::parse_upload(&key) else { continue };
            if page.entries.len() >= query.limit {
                page.truncated = true;
                return Ok(page);
            }
            if let Some(common) = common_prefix(&name, &query.prefix, &query.delimiter) {
                page.entries.push(UploadEntry::Prefix(common.to_owned()));
                let next = keys::after_prefix(&keys::upload_prefix(bucket, common));
                from = next.map_or(Bound::Unbounded, Bound::Included);
                continue 'seek;
            }
            let row: IndexResult<UploadRow> = UploadRow::decode(&value);
            page.entries.push(UploadEntry::Upload(upload::open(UploadId(id), name, &row?)?));
        }
        return Ok(page);
    }
}

/// Behind every upload of a key, or behind a common prefix that was listed.
fn after_key(bucket: u32, key: &str, query: &UploadQuery) -> Bound<Vec<u8>> {
    let passed = match common_prefix(key, &query.prefix, &query.delimiter) {
        Some(common) if common == key => keys::upload_prefix(bucket, common),
        _ => keys::upload_key(bucket, key),
    };
    keys::after_prefix(&passed).map_or(Bound::Unbounded, Bound::Included)
}
