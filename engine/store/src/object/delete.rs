//! Deleting: the current version, or one that is named.

use packstone_access::{Action, Grant};

use super::Precondition;
use crate::commit::{Op, Outcome};
use crate::error::{Error, Result};
use crate::index::apply::Applier;
use crate::index::row::corrupt;
use crate::index::{Row, Space, keys};
use crate::object::attributes::is_pending;
use crate::store::Store;
use crate::time::now;
use crate::version::VersionId;

/// How often the end of a version is tried anew while others of its key come and go.
const TRIES: usize = 8;
/// Bytes of a number among attributes, at most.
const NUMBER: usize = 32;

/// What a delete came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// There was nothing to end.
    Nothing,
    /// A version ended, or a delete marker.
    Ended { version: VersionId, marker: bool },
    /// A delete marker stands in front of the versions.
    Marked { version: VersionId },
}

impl Store {
    /// Deletes a key as its bucket keeps versions: ends the current version, or puts a delete marker in front of it. A
    /// key that does not exist is no error, unless the precondition asks for it.
    ///
    /// # Errors
    /// No such bucket, a precondition that does not hold, or a lock.
    pub async fn delete(&self, grant: &Grant, precondition: Precondition) -> Result<Deleted> {
        grant.covers(Action::DeleteObject)?;
        let deleted = self.commit_delete(grant, None, precondition, None).await?;
        self.note_gone(grant, deleted);
        Ok(deleted)
    }

    /// Ends one version, or a delete marker; the precondition is asked of it. A grant for
    /// [`Action::BypassGovernanceRetention`] on the same key ends what GOVERNANCE holds.
    ///
    /// # Errors
    /// As [`Self::delete`].
    pub async fn delete_version(
        &self,
        grant: &Grant,
        version: VersionId,
        precondition: Precondition,
        bypass: Option<&Grant>,
    ) -> Result<Deleted> {
        grant.covers(Action::DeleteObjectVersion)?;
        if let Some(bypass) = bypass {
            covers_bypass(bypass, grant)?;
        }
        let bypass = bypass.map(|bypass| bypass.actor().to_string());
        let deleted = self.commit_delete(grant, Some(version), precondition, bypass).await?;
        self.note_gone(grant, deleted);
        Ok(deleted)
    }

    /// A mount keeps the directories above what it removes; nobody else does.
    fn note_gone(&self, grant: &Grant, deleted: Deleted) {
        if let Ok(state) = self.bucket_of(grant)
            && deleted != Deleted::Nothing
        {
            self.inner.shared.name_changes.note_s3(state.bucket.id, grant.key(), now());
        }
    }

    /// Deletes a key as a mount does, which knows in which directory: a version that waits for its lock ends, as it would where versions are not kept; in
    /// front of any other comes a delete marker. A crash between leaves what stood below the one that ended.
    ///
    /// # Errors
    /// As [`Self::delete`].
    pub async fn unlink(&self, grant: &Grant) -> Result<Deleted> {
        grant.covers(Action::DeleteObject)?;
        let bucket = self.bucket_of(grant)?.bucket.id;
        let place = keys::current(bucket, grant.key());
        let current = || -> Result<Option<Row>> {
            let snapshot = self.inner.shared.namespace();
            let held = snapshot.get(Space::Current, &place)?;
            Ok(held.map(|value| Row::decode_brief(&value)).transpose()?)
        };
        if let Some(row) = current()?
            && is_pending(&row.record.attributes).map_err(corrupt)?
        {
            let ended = self.commit_delete(grant, Some(row.version), Precondition::None, None).await?;
            if current()?.is_none() {
                return Ok(ended);
            }
        }
        self.commit_delete(grant, None, Precondition::None, None).await
    }

    async fn commit_delete(
        &self,
        grant: &Grant,
        version: Option<VersionId>,
        precondition: Precondition,
        bypass: Option<String>,
    ) -> Result<Deleted> {
        let bucket = self.bucket_of(grant)?.bucket.id;
        let mut returning = 0;
        for _ in 0..TRIES {
            let (key, precondition, bypass) = (grant.key().to_owned(), precondition.clone(), bypass.clone());
            let op = Op::Delete { bucket, key, version, precondition, bypass, returning };
            match self.inner.commit(op).await {
                // Something is to be said of the version that comes back, which takes room in the journal.
                Err(Error::Changed) => returning = self.returning(bucket, grant.key())?,
                Ok(Outcome::Deleted(deleted)) => return Ok(deleted),
                Ok(_) => return Err(Error::Unavailable("an answer to something else".into())),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Changed)
    }

    /// Bytes of what is said of the version below a key's newest, with another number.
    fn returning(&self, bucket: u32, key: &str) -> Result<usize> {
        let snapshot = self.inner.shared.index.snapshot();
        let mut applier = Applier::new(&*snapshot);
        let Some(newest) = applier.newest(bucket, key)? else { return Ok(0) };
        let below = applier.below(bucket, key, newest.record.id)?;
        Ok(below.map_or(0, |below| below.record.attributes.len() + NUMBER))
    }
}

/// Checks that `bypass` lets governance be bypassed on what `grant` is for.
pub(super) fn covers_bypass(bypass: &Grant, grant: &Grant) -> Result<()> {
    let action = Action::BypassGovernanceRetention;
    bypass.covers(action)?;
    let same = bypass.bucket() == grant.bucket() && bypass.key() == grant.key();
    if same { Ok(()) } else { Err(Error::Denied(packstone_access::Denied { action })) }
}
