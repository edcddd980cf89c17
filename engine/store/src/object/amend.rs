//! Changing what is said of a version, its bytes left alone.

use packstone_access::{Action, Grant};

use super::delete::covers_bypass;
use super::{Attributes, FileChange, FileFacts, NamesChanged, Version, covers_one_of};
use crate::commit::{Beside, Op, Outcome};
use crate::error::{Error, Result};
use crate::record::Record;
use crate::retention::Retention;
use crate::store::Store;
use crate::version::VersionId;

/// How often a change of a file is tried anew while it gets more names.
const TRIES: usize = 8;

/// Bits of a mode that give leave to write.
const WRITABLE: u32 = 0o222;
/// Bytes of [`FileFacts`], encoded.
const FACTS: usize = 64;

/// One change of a version's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeChange {
    /// These in place of all before.
    Tags(Vec<(String, String)>),
    Retention(Option<Retention>),
    /// The lock that a pending version waits for; see [`super::Pending`].
    Lock,
    LegalHold(bool),
    Acl(Option<Vec<u8>>),
    File(FileChange),
    /// Names in a directory changed; see [`NamesChanged`].
    Names(NamesChanged),
    /// An extended attribute; `None` takes it away.
    Extended(String, Option<Vec<u8>>),
}

impl AttributeChange {
    /// The actions that a grant may be for.
    fn actions(&self) -> &'static [Action] {
        match self {
            Self::Tags(_) => &[
                Action::PutObjectTagging,
                Action::PutObjectVersionTagging,
                Action::DeleteObjectTagging,
                Action::DeleteObjectVersionTagging,
            ],
            Self::Retention(_) | Self::Lock => &[Action::PutObjectRetention],
            Self::LegalHold(_) => &[Action::PutObjectLegalHold],
            Self::Acl(_) => &[Action::PutObjectAcl, Action::PutObjectVersionAcl],
            Self::File(_) | Self::Names(_) | Self::Extended(..) => &[Action::PutObject],
        }
    }

    /// Bytes that it adds to attributes at most.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::File(_) | Self::Names(_) => FACTS,
            Self::Extended(name, value) => FACTS + name.len() + value.as_ref().map_or(0, Vec::len) + 16,
            // These are one key's alone.
            Self::Tags(_) | Self::Retention(_) | Self::Lock | Self::LegalHold(_) | Self::Acl(_) => 0,
        }
    }

    /// Whether it changes the file itself, which none may while it is locked.
    pub(crate) fn is_of_file(&self) -> bool {
        matches!(self, Self::File(_) | Self::Names(_) | Self::Extended(..))
    }

    /// Whether a version that waits for its lock gets it by this.
    fn locks(&self) -> bool {
        match self {
            Self::Lock | Self::Retention(_) => true,
            Self::File(change) => change.mode.is_some_and(|mode| mode & WRITABLE == 0),
            Self::Tags(_) | Self::LegalHold(_) | Self::Acl(_) | Self::Names(_) | Self::Extended(..) => false,
        }
    }

    /// The attributes of a record with the change made at `now`, Unix nanoseconds, and `compliance`, Unix seconds.
    pub(crate) fn apply(&self, record: &Record, mut attributes: Attributes, now: i64, compliance: i64) -> Attributes {
        if let Self::Names(change) = self {
            attributes.file = change.apply(record, &attributes);
            return attributes;
        }
        if self.is_of_file() {
            let held = FileFacts::of(record, &attributes);
            attributes.file = Some(FileFacts { ctime: now, ..held });
        }
        match self {
            Self::Tags(tags) => attributes.tags.clone_from(tags),
            Self::Retention(to) => attributes.retention = *to,
            Self::Lock | Self::Names(_) => {}
            Self::LegalHold(on) => attributes.legal_hold = *on,
            Self::Acl(acl) => attributes.acl.clone_from(acl),
            Self::File(change) => attributes.file = attributes.file.map(|held| change.apply(held, now)),
            Self::Extended(name, value) => {
                attributes.extended.retain(|(held, _)| held != name);
                attributes.extended.extend(value.clone().map(|value| (name.clone(), value)));
                attributes.extended.sort_unstable();
            }
        }
        if self.locks()
            && let Some(pending) = attributes.pending.take()
        {
            attributes.retention = attributes.retention.or_else(|| Some(pending.lock(compliance)));
        }
        attributes
    }
}

impl Store {
    /// Changes the attributes of a version, or of the current one. A grant for [`Action::BypassGovernanceRetention`] on
    /// the same key loosens what GOVERNANCE holds.
    ///
    /// # Errors
    /// No such key or version, a delete marker, a lock that the change would loosen, or no object lock in the bucket.
    pub async fn amend(
        &self,
        grant: &Grant,
        version: Option<VersionId>,
        change: AttributeChange,
        bypass: Option<&Grant>,
    ) -> Result<Version> {
        covers_one_of(grant, change.actions())?;
        if let Some(bypass) = bypass {
            covers_bypass(bypass, grant)?;
        }
        let (actor, bypass) = (grant.actor().to_string(), bypass.is_some());
        let bucket = self.bucket_of(grant)?.bucket.id;
        for _ in 0..TRIES {
            let (key, change, actor) = (grant.key().to_owned(), change.clone(), actor.clone());
            let beside = if change.is_of_file() { self.inner.beside(bucket, &key)? } else { Beside::default() };
            let op = Op::Amend { bucket, key, version, change, actor, bypass, beside };
            match self.inner.commit(op).await {
                Err(Error::Changed) => {}
                Ok(Outcome::Stored(row)) => return Version::from_row(&row, false),
                Ok(_) => return Err(Error::Unavailable("an answer to something else".into())),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Changed)
    }
}
