//! Whether a pair is one that the index can be read by.

use crate::codec::Reader;
use crate::index::apply::pointed;
use crate::index::row::{BucketRow, BucketTally, DocumentRow, FileTally, UploadRow, corrupt};
use crate::index::{IndexError, IndexResult, Row, Space, keys};
use crate::record::Extent;

/// # Errors
/// A pair that is none of its key space.
pub fn expect_sound(space: Space, key: &[u8], value: &[u8]) -> IndexResult<()> {
    let parsed = match space {
        Space::Current => keys::parse_current(key).map(|_| Row::decode_brief(value).map(drop)),
        Space::Inodes => {
            (key.len() == 8 || keys::parse_pending(key).is_some()).then(|| match keys::parse_current(value) {
                Some(_) => Ok(()),
                None => Err(IndexError("an inode that leads to no key".into())),
            })
        }
        Space::Versions => keys::parse_version(key).map(|(_, _, record)| match record {
            0 => pointed(value).map(drop),
            _ => Row::decode_brief(value).map(drop),
        }),
        Space::Extents => (key.len() == 12).then(|| if keys::is_part_checksums(key) { Ok(()) } else { extents(value) }),
        Space::Uploads => match keys::parse_part(key) {
            Some(_) => Some(Row::decode_brief(value).map(drop)),
            None => keys::parse_upload(key).map(|_| UploadRow::decode(value).map(drop)),
        },
        Space::Buckets => std::str::from_utf8(key).ok().map(|_| BucketRow::decode(value).map(drop)),
        Space::Documents => keys::parse_document(key).map(|_| DocumentRow::decode(value).map(drop)),
        Space::Dead => (key.len() == 16 && value.len() == 8).then_some(Ok(())),
        Space::Tallies => match key.split_first() {
            Some((b'b', id)) if id.len() == 4 => Some(BucketTally::decode(value).map(drop)),
            Some((b'f', id)) if id.len() == 8 => Some(FileTally::decode(value).map(drop)),
            _ => None,
        },
    };
    parsed.unwrap_or_else(|| Err(IndexError(format!("a key that is none of {}", space.name()))))
}

fn extents(value: &[u8]) -> IndexResult<()> {
    let mut from = Reader(value);
    while !from.is_empty() {
        Extent::decode(&mut from).map_err(corrupt)?;
    }
    Ok(())
}
