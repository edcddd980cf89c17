//! What a version is as a file: its inode number, owner, mode and times, and its extended attributes.
//!
//! A record says how it was made ([`Posix`]); what was said of it since stands with its attributes ([`FileFacts`]), as
//! tags do, and so goes where they go.

use packstone_access::{Action, Grant};

use super::{Attributes, Object, Version};
use crate::codec::{DecodeError, Reader, Writer};
use crate::commit::BucketState;
use crate::error::{Error, Result};
use crate::index::Row;
use crate::name_changes::NameChange;
use crate::record::{Posix, Record};
use crate::store::Store;

/// The bits of a mode that `chmod` sets.
pub const PERMISSIONS: u32 = 0o7777;

/// Stands for a time of change that is the epoch itself.
const EPOCH: i64 = i64::MIN;

/// What was said of a file since its record was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FileFacts {
    pub uid: u32,
    pub gid: u32,
    /// With the type of file.
    pub mode: u32,
    /// Unix nanoseconds; 0: the commit time counts; [`EPOCH`]: 0.
    pub mtime: i64,
    /// When any of this was last said, Unix nanoseconds.
    pub ctime: i64,
}

impl FileFacts {
    pub(crate) fn encode(&self, out: &mut Writer) {
        out.u32(self.uid);
        out.u32(self.gid);
        out.u32(self.mode);
        out.i64(self.mtime);
        out.i64(self.ctime);
    }

    pub(crate) fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { uid: from.u32()?, gid: from.u32()?, mode: from.u32()?, mtime: from.i64()?, ctime: from.i64()? })
    }

    /// What holds of a record.
    pub(crate) fn of(record: &Record, attributes: &Attributes) -> Self {
        let Posix { uid, gid, mode, mtime, .. } = record.posix;
        attributes.file.unwrap_or(Self { uid, gid, mode, mtime, ctime: 0 })
    }
}

/// A version as a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct File {
    pub inode: u64,
    pub uid: u32,
    pub gid: u32,
    /// Without a type where it was not made as a file.
    pub mode: u32,
    /// Unix nanoseconds, as the next.
    pub mtime: i64,
    pub ctime: i64,
}

impl File {
    pub(crate) fn of(record: &Record, attributes: &Attributes) -> Self {
        let FileFacts { uid, gid, mode, mtime, ctime } = FileFacts::of(record, attributes);
        let mtime = match mtime {
            0 => record.modified,
            EPOCH => 0,
            said => said,
        };
        // Of a file that was told before its commit, the time that was told.
        let told = record.posix.mtime;
        let ctime = if attributes.file.is_none() && told != 0 { told } else { ctime.max(record.modified) };
        Self { inode: record.inode(), uid, gid, mode, mtime, ctime }
    }
}

/// What `chmod`, `chown` and `touch` change; `None` leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FileChange {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Of [`PERMISSIONS`]; with a type, which holds for what has none.
    pub mode: Option<u32>,
    /// Unix nanoseconds.
    pub mtime: Option<i64>,
}

impl FileChange {
    /// What is said of a file after the change.
    #[must_use]
    pub fn apply(&self, held: FileFacts, now: i64) -> FileFacts {
        let mode = self.mode.map_or(held.mode, |mode| match held.mode & !PERMISSIONS {
            0 => mode,
            kind => kind | mode & PERMISSIONS,
        });
        FileFacts {
            uid: self.uid.unwrap_or(held.uid),
            gid: self.gid.unwrap_or(held.gid),
            mode,
            mtime: self.mtime.map_or(held.mtime, |said| if said == 0 { EPOCH } else { said }),
            ctime: now,
        }
    }
}

/// That names in the directory of that number changed, at a time. Whatever is said of it later stands: each such thing has
/// the time of its commit, and whoever said it knew of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamesChanged {
    pub inode: u64,
    /// Unix nanoseconds.
    pub time: i64,
}

impl NamesChanged {
    /// What is said of a record then: nothing new where it has another number, or a later change.
    pub(super) fn apply(self, record: &Record, attributes: &Attributes) -> Option<FileFacts> {
        let Self { inode, time } = self;
        if record.inode() != inode || File::of(record, attributes).ctime >= time {
            return attributes.file;
        }
        Some(FileFacts { mtime: time, ctime: time, ..FileFacts::of(record, attributes) })
    }
}

/// What the content of a file is put in the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The record that must be current still.
    pub record: u64,
    /// Whether the same writer made that version, which is not kept then.
    pub own: bool,
    /// What the content is said to have changed at, Unix nanoseconds, where that is not with the commit.
    pub mtime: Option<i64>,
}

impl Store {
    /// The bucket and key whose current version has that inode number, of several the first.
    ///
    /// # Errors
    /// A grant for something else, or a fault of the index.
    pub fn inode(&self, grant: &Grant, inode: u64) -> Result<Option<(String, String)>> {
        Ok(self.names(grant, inode)?.into_iter().next())
    }

    /// A file that nobody made yet, as its maker sees it: without bytes, and with the inode number that is said of it.
    ///
    /// # Errors
    /// No such bucket, a path that can't be, or a grant for something else.
    pub fn unmade(&self, grant: &Grant, posix: Posix, now: i64) -> Result<Object> {
        grant.covers(Action::PutObject)?;
        let bucket = self.bucket_of_path(grant)?;
        let attributes = Attributes::default().to_bytes()?;
        let record = Record { posix, attributes, ..Record::empty(0, now) };
        let version = Version::from_row(&Row::plain(0, 0, record.clone()), true)?;
        let store = self.inner.clone();
        Ok(Object { version, store, bucket, record, homes: Vec::new(), key: None, dictionary: None })
    }

    /// The bucket of an id.
    #[must_use]
    pub fn bucket_of_id(&self, id: u32) -> Option<std::sync::Arc<BucketState>> {
        self.inner.shared.buckets.load().by_id(id).cloned()
    }

    /// When names in or below a directory may have changed last.
    #[must_use]
    pub fn names_changed(&self, bucket: u32, path: &str) -> NameChange {
        let latest = self.inner.shared.name_changes.latest(bucket, path);
        let buckets = self.inner.shared.buckets.load();
        let came = buckets.redirects().of(bucket).filter(|redirect| path.starts_with(&*redirect.to));
        match (latest, came.map(|redirect| redirect.since).max()) {
            (NameChange::By(then) | NameChange::Before(then), Some(since)) if since > then => NameChange::By(since),
            (latest, _) => latest,
        }
    }

    /// When S3 changed names in or below a directory last, as far as that is known.
    #[must_use]
    pub fn names_changed_by_s3(&self, bucket: u32, path: &str) -> Option<i64> {
        self.inner.shared.name_changes.latest_of_s3(bucket, path)
    }

    /// That the current version of a key may be changed: none is that is locked.
    ///
    /// # Errors
    /// [`Error::Locked`] or [`Error::LegalHold`].
    pub fn expect_unlocked(&self, version: &Version) -> Result<(), Error> {
        let Attributes { retention, legal_hold, .. } = version.attributes;
        let lock = crate::retention::Lock { retention, legal_hold };
        let now = crate::time::to_seconds(self.inner.shared.compliance.now().compliance);
        crate::retention::may_end(lock, now, false)
    }
}
