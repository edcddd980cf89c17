//! Buckets and documents. Each is decided in a batch of its own, so that the index and the table of buckets show all that
//! was decided before.

use bytes::Bytes;

use super::Decider;
use crate::commit::BucketState;
use crate::commit::op::Outcome;
use crate::configuration::{Versioning, check_document, check_owner};
use crate::error::{Error, Result};
use crate::index::row::{self, BucketRow};
use crate::index::{Space, keys};
use crate::journal::{Entry, Target};
use crate::object::{Bucket, Document, NewDocument, Replaces};
use crate::quota::{OWNER_QUOTA, Quota};
use crate::time::to_system_time;

impl Decider<'_, '_> {
    fn bucket_row(&self, name: &str) -> Result<Option<BucketRow>> {
        let value = self.applier.snapshot().get(Space::Buckets, name.as_bytes())?;
        Ok(value.map(|value| BucketRow::decode(&value)).transpose()?)
    }

    pub(super) fn create_bucket(&mut self, name: &str, documents: &[NewDocument]) -> Result<Outcome> {
        if self.bucket_row(name)?.is_some() {
            return Err(Error::BucketExists);
        }
        let id = self.site.next_bucket;
        let bucket = Bucket { id, name: name.into(), created: to_system_time(self.site.now) };
        // What stands against any of them stands against the bucket.
        let mut state = BucketState::new(bucket.clone());
        for NewDocument { kind, name, value } in documents {
            check_document(kind, name, Some(value))?;
            state = state.with(kind, name, Some(Document { lsn: 0, value: value.clone() }))?;
        }
        if state.count_documents() != documents.len() {
            return Err(Error::InvalidDocument("it is given twice"));
        }
        state.check_size()?;
        self.push(Entry::BucketCreate { id, name: name.to_owned(), created: self.site.now })?;
        for NewDocument { kind, name, value } in documents.iter().cloned() {
            self.push(Entry::Document { scope: id, kind, name, value: Some(value.to_vec()), kills: Vec::new() })?;
        }
        Ok(Outcome::Bucket(bucket))
    }

    pub(super) fn delete_bucket(&mut self, name: &str) -> Result<Outcome> {
        let row = self.bucket_row(name)?.ok_or(Error::NoSuchBucket)?;
        let snapshot = self.applier.snapshot();
        let places = [
            (Space::Current, keys::current(row.id, "")),
            (Space::Versions, keys::versions_prefix(row.id, "")),
            (Space::Uploads, keys::upload_prefix(row.id, "")),
        ];
        for (space, prefix) in places {
            if snapshot.prefix(space, &prefix).next().transpose()?.is_some() {
                return Err(Error::BucketNotEmpty);
            }
        }
        let mut kills = vec![Target { file: row.home, lsn: row.lsn }];
        for pair in snapshot.prefix(Space::Documents, &row.id.to_be_bytes()) {
            let (lsn, file) = row::identity(&pair?.1)?;
            kills.push(Target { file, lsn });
        }
        self.push(Entry::BucketDelete { name: name.to_owned(), kills })?;
        Ok(Outcome::Bucket(Bucket { id: row.id, name: name.into(), created: to_system_time(row.created) }))
    }

    pub(super) fn put_document(
        &mut self,
        scope: u32,
        (kind, name): (&str, &str),
        value: Option<&Bytes>,
        replaces: Replaces,
    ) -> Result<Outcome> {
        check_document(kind, name, value.map(|value| &**value))?;
        if scope == 0 && kind == OWNER_QUOTA {
            check_owner(name.as_bytes())?;
            value.map(|value| Quota::decode(value)).transpose()?;
        }
        if scope != 0 {
            let document = value.map(|value| Document { lsn: 0, value: value.clone() });
            let held = self.bucket(scope)?;
            let next = held.with(kind, name, document)?;
            // What goes makes nothing larger: a bucket that is too full by its redirects must get rid of them.
            if value.is_some() {
                next.check_size()?;
            }
            let begins = held.versioning() == Versioning::Never && next.versioning() != Versioning::Never;
            if begins && self.applier.tally(scope)?.links > 0 {
                return Err(Error::InvalidBucketState("files in it have several names: give each file one name first"));
            }
            if begins && !held.redirects().is_empty() {
                return Err(Error::InvalidBucketState(
                    "a directory in it is being renamed: try again when that is done",
                ));
            }
        }
        let held = self.applier.snapshot().get(Space::Documents, &keys::document(scope, kind, name))?;
        let held = held.map(|held| row::identity(&held)).transpose()?;
        let as_expected = match replaces {
            Replaces::Anything => true,
            Replaces::Nothing => held.is_none(),
            Replaces::Lsn(lsn) => held.is_some_and(|(held, _)| held == lsn),
        };
        if !as_expected {
            return Err(Error::DocumentChanged);
        }
        if held.is_none() && value.is_none() {
            return Ok(Outcome::Document(0));
        }
        let lsn = if value.is_some() { self.next_lsn() } else { 0 };
        self.push(Entry::Document {
            scope,
            kind: kind.to_owned(),
            name: name.to_owned(),
            value: value.map(|value| value.to_vec()),
            kills: held.map(|(lsn, file)| Target { file, lsn }).into_iter().collect(),
        })?;
        Ok(Outcome::Document(lsn))
    }
}
