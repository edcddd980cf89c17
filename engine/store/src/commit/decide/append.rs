//! Appending a body to an object.

use super::object::check;
use super::{Decider, attributes_of, claimed, without_claims_of};
use crate::codec::Reader;
use crate::commit::op::{Draft, Outcome};
use crate::error::{Error, Result};
use crate::index::Row;
use crate::index::row::corrupt;
use crate::journal::Entry;
use crate::object::append::{Appended, Base, expect_appendable};
use crate::object::{Attributes, FileFacts, Precondition};
use crate::record::{Extent, Posix, Record};

impl Decider<'_, '_> {
    pub(super) fn append(
        &mut self,
        bucket: u32,
        key: &str,
        appended: &Appended,
        draft: &Draft,
        precondition: &Precondition,
    ) -> Result<Outcome> {
        let versioning = self.bucket(bucket)?.versioning();
        let held = self.applier.current(bucket, key)?;
        if let Some(row) = &held {
            self.ending((bucket, key), row, false)?;
        }
        check(precondition, held.as_ref())?;
        expect_appendable(versioning, held.as_ref(), appended.offset)?;
        match (held, &appended.base) {
            (None, None) => self.put(bucket, key, draft, &Precondition::None),
            (Some(row), Some(base)) if row.record.id == base.record => self.extend((bucket, key), row, base, draft),
            _ => Err(Error::Changed),
        }
    }

    /// The version that comes takes over everything of the one that ends, and adds the body as a piece of its own.
    fn extend(&mut self, (bucket, key): (u32, &str), row: Row, base: &Base, draft: &Draft) -> Result<Outcome> {
        if draft.size == 0 {
            return Ok(Outcome::Stored(row));
        }
        self.expect_live(draft)?;
        let others = self.all_beside(bucket, key, &row, base.beside)?;
        if !base.stays && !others.is_empty() {
            return Err(Error::InvalidBucketState("nothing is appended to a file with several names"));
        }
        self.expect_fits_all(bucket, row.record.size.saturating_add(draft.size), &row, others.len())?;
        let said = Attributes::decode(&mut Reader(&draft.attributes)).map_err(corrupt)?;
        let held = match base.stays {
            false => Attributes { upload: None, ..attributes_of(&row)? },
            true => self.carried(&row, None)?,
        };
        let others = self.carried_beside(others, &said, None)?;
        let Attributes { etag, checksum, encryption, .. } = said;
        let mut attributes = Attributes { etag, checksum, encryption, ..held };
        if !base.stays {
            // It is changed now, whatever was said before.
            attributes.file = attributes.file.map(|file| FileFacts { mtime: 0, ctime: 0, ..file });
        }
        let record = self.longer(&row.record, base, draft, attributes.to_bytes()?)?;
        let (removed, targets) = self.ending((bucket, key), &row, false)?;
        let kills = without_claims_of(targets, &record);
        let row = Row::plain(record.id, self.site.file, record.clone());
        self.push(Entry::Put { bucket, key: key.to_owned(), upload: 0, record, removed, kills })?;
        for (name, held, attributes) in others {
            let record = self.longer(&held.record, base, draft, attributes)?;
            self.bring_beside(bucket, name, &held, record)?;
        }
        Ok(Outcome::Stored(row))
    }

    /// What a file's own writer adds to it is the same file; what S3 adds makes another one.
    fn longer(&mut self, held: &Record, base: &Base, draft: &Draft, attributes: Vec<u8>) -> Result<Record> {
        let inode = if base.stays { held.inode() } else { 0 };
        let posix = Posix { inode, mtime: 0, ..held.posix };
        Ok(Record { size: held.size + draft.size, posix, ..self.extended(held, base, draft, attributes)? })
    }

    fn extended(&mut self, held: &Record, base: &Base, draft: &Draft, attributes: Vec<u8>) -> Result<Record> {
        let body = self.record(draft, attributes);
        // What held no byte is no piece, though it may be encrypted.
        if held.size == 0 {
            return Ok(Record { posix: held.posix, ..body });
        }
        let mut extents = match held.small() {
            None => held.extents.clone(),
            Some(small) => self.brought(base, small.part, body.id)?,
        };
        let part = extents.last().map_or(0, |extent| extent.part) + 1;
        extents.extend(body.extents.iter().map(|extent| Extent { part, ..*extent }));
        Ok(Record { extents, posix: held.posix, ..body })
    }

    /// A small record's bytes where they were brought to a stream.
    fn brought(&self, base: &Base, part: u16, lsn: u64) -> Result<Vec<Extent>> {
        if base.streamed.is_empty() || !self.are_live(&base.streamed) {
            return Err(Error::Changed);
        }
        Ok(base.streamed.iter().map(|extent| Extent { part, ..claimed(*extent, lsn) }).collect())
    }
}
