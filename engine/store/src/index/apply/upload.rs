//! Uploads and their parts.

use super::Applier;
use crate::index::row::UploadRow;
use crate::index::{IndexResult, Row, Space, keys};
use crate::journal::Entry;

impl Applier<'_> {
    pub(super) fn apply_upload(&mut self, lsn: u64, home: u64, entry: &Entry) -> IndexResult<()> {
        match entry {
            Entry::Part { upload, number, record, .. } => {
                let row = Row::plain(lsn, home, record.clone());
                self.replace(Space::Uploads, keys::part(*upload, *number), Some(row))
            }
            Entry::UploadOpen { bucket, key, upload, initiated, attributes } => {
                let row = UploadRow { lsn, home, initiated: *initiated, attributes: attributes.clone() };
                self.batch.put(Space::Uploads, keys::upload(*bucket, key, *upload), row.encode());
                self.tallies.bucket(self.snapshot, *bucket)?.uploads += 1;
                Ok(())
            }
            Entry::UploadAbort { bucket, key, upload, .. } => self.end_upload(*bucket, key, *upload),
            _ => Ok(()),
        }
    }

    pub(super) fn end_upload(&mut self, bucket: u32, key: &str, upload: u128) -> IndexResult<()> {
        let prefix = keys::parts(upload);
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for pair in self.snapshot.prefix(Space::Uploads, &prefix) {
            parts.push(pair?.0.to_vec());
        }
        // Parts that came in this very batch are not in the snapshot yet.
        let fresh = self
            .rows
            .iter()
            .filter(|((space, key), row)| *space == Space::Uploads && key.starts_with(&prefix) && row.is_some());
        let fresh: Vec<_> = fresh.map(|((_, key), _)| key.clone()).collect();
        parts.extend(fresh);
        parts.sort_unstable();
        parts.dedup();
        for part in parts {
            self.replace(Space::Uploads, part, None)?;
        }
        self.batch.remove(Space::Uploads, keys::upload(bucket, key, upload));
        let tally = self.tallies.bucket(self.snapshot, bucket)?;
        tally.uploads = tally.uploads.saturating_sub(1);
        Ok(())
    }
}
