//! What may not end: for auditors, who see names and dates of whatever bucket.

use std::time::SystemTime;

use packstone_access::{Action, Grant};

use super::{VersionEntry, VersionQuery};
use crate::error::{Error, Result};
use crate::index::list;
use crate::retention::{DefaultRetention, Lock, Retention, may_end};
use crate::store::Store;
use crate::time::to_seconds;
use crate::version::VersionId;

/// Versions that one page looks at.
const LOOKED_AT: usize = 1000;

/// A bucket whose versions may be locked.
#[derive(Clone, Debug)]
pub struct LockableBucket {
    pub name: String,
    pub default: Option<DefaultRetention>,
}

/// A version that may not end, or only by who may bypass governance.
#[derive(Clone, Debug)]
pub struct LockedVersion {
    pub key: String,
    pub version: VersionId,
    pub size: u64,
    pub modified: SystemTime,
    /// `None` where a legal hold alone holds it.
    pub retention: Option<Retention>,
    pub legal_hold: bool,
}

#[derive(Clone, Debug, Default)]
pub struct LockedPage {
    pub versions: Vec<LockedVersion>,
    /// Where the next page goes on; `None` after the last one.
    pub next: Option<(String, VersionId)>,
}

impl Store {
    /// The buckets with object lock, in order of their names.
    ///
    /// # Errors
    /// A grant for something else.
    pub fn lockable_buckets(&self, grant: &Grant) -> Result<Vec<LockableBucket>> {
        grant.covers(Action::Administer)?;
        let buckets = self.inner.shared.buckets.load();
        let states = buckets.iter().filter_map(|bucket| buckets.state(&bucket.name));
        let mut lockable: Vec<_> = states
            .filter(|state| state.is_lockable())
            .map(|state| LockableBucket { name: state.bucket.name.to_string(), default: state.default_retention() })
            .collect();
        lockable.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(lockable)
    }

    /// What is locked among the next versions of a bucket, by key, the newest first. A page may be empty and not the
    /// last. Synchronous: a page takes about a millisecond.
    ///
    /// # Errors
    /// A grant for something else, or no such bucket.
    pub fn locked(&self, grant: &Grant, bucket: &str, after: Option<(String, VersionId)>) -> Result<LockedPage> {
        grant.covers(Action::Administer)?;
        let shared = &self.inner.shared;
        let bucket = shared.buckets.load().state(bucket).ok_or(Error::NoSuchBucket)?.bucket.id;
        let after = after.map(|(key, version)| (key, Some(version)));
        let query = VersionQuery { after, limit: LOOKED_AT, ..VersionQuery::default() };
        let page = list::versions(&*shared.namespace(), bucket, &query)?;
        let now = to_seconds(shared.compliance.now().compliance);
        let next = page.entries.last().filter(|_| page.truncated).and_then(place);
        Ok(LockedPage { versions: page.entries.into_iter().filter_map(|entry| held(entry, now)).collect(), next })
    }
}

fn place(entry: &VersionEntry) -> Option<(String, VersionId)> {
    match entry {
        VersionEntry::Version { key, version } => Some((key.clone(), version.version)),
        VersionEntry::Marker { key, version, .. } => Some((key.clone(), *version)),
        VersionEntry::Prefix(_) => None,
    }
}

/// A version as the report shows it, if anything holds it at `now`, Unix seconds.
fn held(entry: VersionEntry, now: i64) -> Option<LockedVersion> {
    let VersionEntry::Version { key, version } = entry else { return None };
    let lock = Lock { retention: version.attributes.retention, legal_hold: version.attributes.legal_hold };
    may_end(lock, now, false).err()?;
    Some(LockedVersion {
        key,
        version: version.version,
        size: version.size,
        modified: version.modified,
        retention: lock.retention.filter(|retention| retention.until > now),
        legal_hold: lock.legal_hold,
    })
}
