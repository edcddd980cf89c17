//! The content of a file anew: all that is said of it stays.

use super::object::Way;
use super::{Decider, attributes_of};
use crate::codec::Reader;
use crate::commit::op::{Draft, Outcome};
use crate::configuration::Versioning;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::index::row::corrupt;
use crate::object::{Attributes, FileFacts, Rewritten};
use crate::record::{Posix, Record};

impl Decider<'_, '_> {
    /// Where versions are kept the one that is there stays, unless its own writer made it for the time being.
    pub(super) fn rewrite(&mut self, bucket: u32, key: &str, place: &Rewritten, draft: &Draft) -> Result<Outcome> {
        let state = self.bucket(bucket)?;
        self.expect_live(draft)?;
        let held = self.applier.current(bucket, key)?.filter(|row| row.record.id == place.record);
        let held = held.ok_or(Error::Changed)?;
        let (removed, kills) = self.ending(&held, false)?;
        let way = match state.versioning() {
            Versioning::Enabled if place.own => Way { replaces: held.record.id, removed, kills },
            _ => self.make_way(state, key, Some(held.clone()))?,
        };
        let said = Attributes::decode(&mut Reader(&draft.attributes)).map_err(corrupt)?;
        let mut attributes = self.carried(&held)?;
        (attributes.etag, attributes.checksum, attributes.encryption) = (said.etag, said.checksum, said.encryption);
        self.hold(state, &mut attributes);
        let posix = Posix { inode: held.record.inode(), mtime: 0, ..held.record.posix };
        let record = Record { posix, ..self.record(draft, attributes.to_bytes()?) };
        self.bring(state, key, (0, Vec::new()), record, way)
    }

    /// What is said of a version that stays when its content changes, which is its last change.
    pub(super) fn carried(&self, held: &Row) -> Result<Attributes> {
        let attributes = attributes_of(held)?;
        let ctime = self.site.now;
        let file = attributes.file.map(|file| FileFacts { mtime: 0, ctime, ..file });
        Ok(Attributes { upload: None, renamed: None, retention: None, legal_hold: false, file, ..attributes })
    }
}
