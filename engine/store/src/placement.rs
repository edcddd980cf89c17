//! Which pool a record belongs to. `docs/pools.md` says how it gets there.
//!
//! A record *stands* in the pool of its segment, and *belongs* to the one that this module names: that of the longest prefix
//! that its bucket has a rule for, else that of its storage class. Nothing is kept of it with the record, so a changed rule
//! or configuration counts at once, for what comes and for what is there; workers bring the one to the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::codec::{DecodeError, Reader, Writer};
use crate::commit::Shared;
use crate::error::{Error, Result};
use crate::index::Place;
use crate::journal::Entry;
use crate::node::Roster;
use crate::object::attributes::header_of;
use crate::object::{Attributes, SystemHeader};
use crate::pool::Pool;
use crate::record::Record;

/// The kind of the document that holds a bucket's [`Rules`]; its name is empty.
pub const PLACEMENT: &str = "placement";
/// The most rules of one bucket: each record that is sealed or moved is held against all.
pub const MOST_RULES: usize = 64;
const VERSION: u8 = 1;

/// What S3 calls a way of keeping an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageClass {
    #[default]
    Standard,
    StandardIa,
    GlacierIr,
    Glacier,
    DeepArchive,
}

impl StorageClass {
    pub const ALL: [Self; 5] = [Self::Standard, Self::StandardIa, Self::GlacierIr, Self::Glacier, Self::DeepArchive];

    /// As S3 calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::StandardIa => "STANDARD_IA",
            Self::GlacierIr => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// What attributes say; one that says none, or one that this release doesn't know, is [`Self::Standard`].
    #[must_use]
    pub fn of(attributes: &Attributes) -> Self {
        attributes.header(SystemHeader::StorageClass).and_then(Self::named).unwrap_or_default()
    }

    /// What encoded attributes say, likewise.
    #[must_use]
    pub fn of_encoded(attributes: &[u8]) -> Self {
        let header = header_of(attributes, SystemHeader::StorageClass).ok().flatten();
        header.and_then(|name| std::str::from_utf8(name).ok()).and_then(Self::named).unwrap_or_default()
    }
}

/// What moving between pools came to since start.
#[derive(Debug)]
pub struct MovingCounts {
    /// How often something changed that says what belongs where, and which of these changes the last walk through the index
    /// knew of.
    pub changes: AtomicU64,
    pub answered: AtomicU64,
    /// Rows that were looked at.
    pub looked: AtomicU64,
    /// Bytes that are known to stand in another pool than the one that they belong to.
    pub displaced: AtomicU64,
    /// Bytes that were moved.
    pub moved: AtomicU64,
}

impl Default for MovingCounts {
    fn default() -> Self {
        let none = AtomicU64::default;
        // A start is the first change.
        Self { changes: AtomicU64::new(1), answered: none(), looked: none(), displaced: none(), moved: none() }
    }
}

impl MovingCounts {
    /// Whether it isn't known yet what has to be moved.
    #[must_use]
    pub fn is_looking(&self) -> bool {
        self.changes.load(Ordering::Acquire) != self.answered.load(Ordering::Acquire)
    }

    /// Something changed that says what belongs where.
    pub fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }
}

/// Bytes by the number of the pool that they belong to.
pub type Belongings = BTreeMap<u8, u64>;

/// The pool that most bytes belong to.
#[must_use]
pub fn foremost(belongings: &Belongings) -> Option<u8> {
    belongings.iter().max_by_key(|(number, bytes)| (**bytes, std::cmp::Reverse(**number))).map(|(number, _)| *number)
}

/// Prefixes of a bucket's keys that belong to a pool, whatever their storage class, the longest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Arc<[(Box<str>, Box<str>)]>);

impl Rules {
    /// The rules with one for `prefix`, or without; the pool is named.
    ///
    /// # Errors
    /// [`Error::InvalidDocument`] for more than a bucket may have.
    pub fn with(&self, prefix: &str, pool: Option<&str>) -> Result<Self> {
        let mut rules: Vec<_> = self.0.iter().filter(|(held, _)| **held != *prefix).cloned().collect();
        rules.extend(pool.map(|pool| (prefix.into(), pool.into())));
        Self::sorted(rules)
    }

    fn sorted(mut rules: Vec<(Box<str>, Box<str>)>) -> Result<Self> {
        if rules.len() > MOST_RULES {
            return Err(Error::InvalidDocument("it has more than 64 rules of placement"));
        }
        rules.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        Ok(Self(rules.into()))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Prefixes and names of pools.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(prefix, pool)| (&**prefix, &**pool))
    }

    /// The name of the pool that a key belongs to, if a rule says so.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<&str> {
        self.iter().find(|(prefix, _)| key.starts_with(prefix)).map(|(_, pool)| pool)
    }

    /// As a document; `None` where there is no rule.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let mut out = Writer::default();
        out.u8(VERSION);
        for (prefix, pool) in self.iter() {
            out.short(prefix.as_bytes());
            out.short(pool.as_bytes());
        }
        Some(out.0)
    }

    /// # Errors
    /// A value that is no such document.
    pub fn decode(value: &[u8]) -> Result<Self> {
        let mut from = Reader(value);
        let mut read = || -> Result<Vec<_>, DecodeError> {
            let mut rules = Vec::new();
            if from.u8()? != VERSION {
                return Err(DecodeError::Inconsistent("another version"));
            }
            while !from.is_empty() {
                rules.push((from.short_str()?.into(), from.short_str()?.into()));
            }
            Ok(rules)
        };
        Self::sorted(read().map_err(|_| Error::InvalidDocument("it holds no rules of placement"))?)
    }
}

impl Roster {
    /// The pool of a storage class: the one that names it; else of `STANDARD` the first of the fastest drives, of the others
    /// the first of the slowest.
    #[must_use]
    pub fn pool_of(&self, class: StorageClass) -> Option<&Arc<Pool>> {
        // One that is being made counts once it can take anything.
        let is_made = |pool: &&Arc<Pool>| pool.members.len() >= usize::from(pool.profile.data);
        let made = self.pools.iter().filter(is_made);
        let named = made.clone().find(|pool| pool.storage_classes.contains(&class));
        named.or_else(|| match class {
            StorageClass::Standard => made.min_by_key(|pool| (pool.class, pool.number)),
            _ => made.max_by_key(|pool| (pool.class, std::cmp::Reverse(pool.number))),
        })
    }
}

impl Shared {
    /// The pool that a key's record of that storage class belongs to. A rule that names a pool which isn't there counts for
    /// nothing.
    #[must_use]
    pub fn pool_of(&self, bucket: u32, key: &str, class: StorageClass) -> Option<Arc<Pool>> {
        let roster = self.hardware.roster();
        let buckets = self.buckets.load();
        let named = buckets.by_id(bucket).and_then(|state| state.placement().of(key));
        let ruled = named.and_then(|name| roster.pools.iter().find(|pool| *pool.name == *name));
        ruled.or_else(|| roster.pool_of(class)).cloned()
    }

    /// The same by its record.
    #[must_use]
    pub fn pool_of_record(&self, bucket: u32, key: &str, record: &Record) -> Option<Arc<Pool>> {
        self.pool_of(bucket, key, StorageClass::of_encoded(&record.attributes))
    }

    /// The pool that what an entry brings to a segment belongs to; `None` for what belongs wherever the rest does.
    #[must_use]
    pub fn pool_of_entry(&self, entry: &Entry) -> Option<Arc<Pool>> {
        let record = entry.record().filter(|record| record.small().is_some())?;
        match entry.place()? {
            Place::Version { bucket, key, .. } => self.pool_of_record(bucket, &key, record),
            _ => None,
        }
    }

    /// The pool that a journal is sealed to whose records mostly belong to one: that, unless it is short of space or drives.
    #[must_use]
    pub fn pool_to_seal_to(&self, belongs: Option<u8>) -> Option<Arc<Pool>> {
        let own = belongs.filter(|number| self.can_take(*number)).and_then(|number| self.hardware.pool(number));
        own.or_else(|| self.hardware.landing_pool())
    }

    /// Whether a pool has space and drives for new segments.
    #[must_use]
    pub fn can_take(&self, pool: u8) -> bool {
        self.shortage.has_room(pool) && self.hardware.pool(pool).is_some_and(|pool| pool.can_take())
    }

    /// Whether records may belong to different pools.
    #[must_use]
    pub fn has_several_pools(&self) -> bool {
        self.hardware.roster().pools.len() > 1
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::pool::{DriveClass, Profile};
    use crate::recovery::drives::PoolSettings;

    fn pool(number: u8, class: DriveClass, storage_classes: &[StorageClass]) -> Arc<Pool> {
        // Of no drives at all, so that it counts without any.
        let profile = Profile { data: 0, parity: 1 };
        let mut settings = PoolSettings::new(&format!("pool{number}"), class, profile, Vec::new());
        settings.storage_classes = storage_classes.to_vec();
        Arc::new(settings.pool(number, Vec::new()))
    }

    #[test]
    fn the_longest_prefix_counts() {
        let rules = Rules::default().with("", Some("cold")).unwrap().with("fx/", Some("hot")).unwrap();
        let rules = rules.with("fx/2020/", Some("cold")).unwrap();
        for (key, pool) in [("a", "cold"), ("fx/2026/a", "hot"), ("fx/2020/a", "cold"), ("fx", "cold")] {
            assert_eq!(rules.of(key), Some(pool), "{key}");
        }
        let rules = rules.with("", None).unwrap();
        assert_eq!(rules.of("a"), None);
        assert_eq!(Rules::decode(&rules.encode().unwrap()).unwrap(), rules);
        assert_eq!(Rules::default().encode(), None);
    }

    #[test]
    fn other_bytes_are_no_rules() {
        for bytes in [&b""[..], b"\x02", b"\x01\x05\x00ab", b"\x01\x01\x00a"] {
            assert!(Rules::decode(bytes).is_err(), "{bytes:?}");
        }
        let mut rules = Rules::default();
        for number in 0..MOST_RULES {
            rules = rules.with(&number.to_string(), Some("cold")).unwrap();
        }
        assert!(rules.with("more", Some("cold")).is_err());
        assert!(rules.with("7", Some("hot")).is_ok());
    }

    #[test]
    fn classes_that_no_pool_names_go_by_the_drives() {
        let of = |pools: Vec<Arc<Pool>>| {
            let roster = Roster { pools, ..Roster::default() };
            StorageClass::ALL.map(|class| roster.pool_of(class).unwrap().number)
        };
        assert_eq!(of(vec![pool(0, DriveClass::Hdd, &[])]), [0; 5]);
        assert_eq!(of(vec![pool(0, DriveClass::Hdd, &[]), pool(1, DriveClass::Ssd, &[])]), [1, 0, 0, 0, 0]);
        let three = vec![
            pool(0, DriveClass::Ssd, &[]),
            pool(1, DriveClass::Ssd, &[StorageClass::Standard, StorageClass::GlacierIr]),
            pool(2, DriveClass::Hdd, &[]),
        ];
        assert_eq!(of(three), [1, 2, 1, 2, 2]);
    }

    #[test]
    fn every_class_has_a_name_of_its_own() {
        for class in StorageClass::ALL {
            assert_eq!(StorageClass::named(class.name()), Some(class));
        }
        assert_eq!(StorageClass::named("INTELLIGENT_TIERING"), None);
    }
}
