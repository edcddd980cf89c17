//! All buckets with everything that is said of them, in memory: what a request needs to know of a bucket costs it no
//! look-up. Replaced whole on change, by the commit loop alone.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::derived::Derived;
use crate::configuration::{MAX_DOCUMENT_BYTES, MAX_DOCUMENTS, Rules, Versioning, check_owner};
use crate::dictionary::{DICTIONARY, Dictionaries};
use crate::error::{Error, Result};
use crate::index::redirect::{REDIRECT, Redirects};
use crate::object::{Bucket, Document};
use crate::placement::{self, PLACEMENT};
use crate::quota::{OWNER, Quota};
use crate::retention::DefaultRetention;

/// A bucket, its documents, and what the engine reads out of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketState {
    pub bucket: Bucket,
    pub rules: Rules,
    /// By (kind, name).
    documents: BTreeMap<(Box<str>, Box<str>), Document>,
    derived: Derived,
    owner: Option<Arc<str>>,
    dictionaries: Dictionaries,
    placement: placement::Rules,
    redirects: Redirects,
}

impl BucketState {
    #[must_use]
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            rules: Rules::default(),
            documents: BTreeMap::new(),
            derived: Derived::default(),
            owner: None,
            dictionaries: Dictionaries::default(),
            placement: placement::Rules::default(),
            redirects: Redirects::default(),
        }
    }

    /// The same bucket with a document in place of the one of its kind and name, or without that.
    ///
    /// # Errors
    /// A change of versioning or lock that must not be.
    pub fn with(&self, kind: &str, name: &str, document: Option<Document>) -> Result<Self> {
        let value = document.as_ref().map(|document| &*document.value);
        let mut next = Self { rules: self.rules.changed(kind, name, value)?, ..self.clone() };
        if kind == OWNER {
            next.owner = value.map(check_owner).transpose()?.map(Into::into);
        }
        if kind == DICTIONARY {
            next.dictionaries = self.dictionaries.with(self.bucket.id, name, value);
        }
        if kind == PLACEMENT {
            next.placement = value.map(placement::Rules::decode).transpose()?.unwrap_or_default();
        }
        if kind == REDIRECT {
            next.redirects = self.redirects.with(self.bucket.id, name, value)?;
        }
        match document {
            Some(document) => next.documents.insert((kind.into(), name.into()), document),
            None => next.documents.remove(&(kind.into(), name.into())),
        };
        Ok(next)
    }

    #[must_use]
    pub fn versioning(&self) -> Versioning {
        self.rules.versioning
    }

    /// Whether versions may be locked here.
    #[must_use]
    pub fn is_lockable(&self) -> bool {
        self.rules.lock.is_some()
    }

    #[must_use]
    pub fn default_retention(&self) -> Option<DefaultRetention> {
        self.rules.lock.and_then(|lock| lock.default)
    }

    #[must_use]
    pub fn quota(&self) -> Option<Quota> {
        self.rules.quota
    }

    /// What small bodies of it are compressed with, and were.
    #[must_use]
    pub fn dictionaries(&self) -> &Dictionaries {
        &self.dictionaries
    }

    /// Which of its keys belong to a pool that their storage class doesn't name.
    #[must_use]
    pub fn placement(&self) -> &placement::Rules {
        &self.placement
    }

    /// Renames of directories whose keys are still on their way.
    #[must_use]
    pub fn redirects(&self) -> &Redirects {
        &self.redirects
    }

    /// Whose it is, where somebody's quota may bound it.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    #[must_use]
    pub fn document(&self, kind: &str, name: &str) -> Option<&Document> {
        self.documents.get(&(Box::from(kind), Box::from(name)))
    }

    /// What a face makes of the documents: made once, and found without waiting for as long as they stand.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        self.derived.of(make)
    }

    /// Documents of a kind with their names, in order.
    pub fn documents<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Document)> {
        self.documents.iter().filter(move |((held, _), _)| **held == *kind).map(|((_, name), held)| (&**name, held))
    }

    /// All documents with their kinds and names, in order.
    pub fn all_documents(&self) -> impl Iterator<Item = (&str, &str, &Document)> {
        self.documents.iter().map(|((kind, name), document)| (&**kind, &**name, document))
    }

    /// Dictionaries have a bound of their own, and take no configuration's place.
    ///
    /// # Errors
    /// [`Error::InvalidDocument`] for more of them than a bucket may have.
    pub fn check_size(&self) -> Result<()> {
        let others = self.all_documents().filter(|(kind, ..)| *kind != DICTIONARY);
        let bytes: usize = others.map(|(_, _, document)| document.value.len()).sum();
        if self.documents.len() > MAX_DOCUMENTS || bytes > MAX_DOCUMENT_BYTES {
            return Err(Error::InvalidDocument("the bucket's documents would be more than 4096, or 8 MiB"));
        }
        Ok(())
    }

    #[must_use]
    pub fn count_documents(&self) -> usize {
        self.documents.len()
    }
}

/// All buckets, to be found by name or id.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    by_name: HashMap<Box<str>, Arc<BucketState>>,
    by_id: HashMap<u32, Arc<BucketState>>,
    /// Of owners that have one.
    owner_quotas: HashMap<Box<str>, Quota>,
    /// Of all buckets: the same allocation as long as they are the same.
    redirects: Arc<Redirects>,
}

impl Buckets {
    pub fn insert(&mut self, state: BucketState) {
        let state = Arc::new(state);
        let held = self.by_id(state.bucket.id).map(|held| &held.redirects);
        if held.unwrap_or(&Redirects::default()) != &state.redirects {
            self.redirects = Arc::new(self.redirects.with_those_of(state.bucket.id, &state.redirects));
        }
        self.by_id.insert(state.bucket.id, state.clone());
        self.by_name.insert(state.bucket.name.clone(), state);
    }

    pub fn remove(&mut self, name: &str) {
        if let Some(state) = self.by_name.remove(name) {
            self.by_id.remove(&state.bucket.id);
            if !state.redirects.is_empty() {
                self.redirects = Arc::new(self.redirects.with_those_of(state.bucket.id, &Redirects::default()));
            }
        }
    }

    /// Sets or takes away what all buckets of an owner may hold.
    pub fn set_owner_quota(&mut self, owner: &str, quota: Option<Quota>) {
        match quota {
            Some(quota) => self.owner_quotas.insert(owner.into(), quota),
            None => self.owner_quotas.remove(owner),
        };
    }

    #[must_use]
    pub fn quota_of(&self, owner: &str) -> Option<Quota> {
        self.owner_quotas.get(owner).copied()
    }

    /// Ids of an owner's buckets.
    pub fn owned_by(&self, owner: &str) -> impl Iterator<Item = u32> {
        self.by_id.iter().filter(move |(_, state)| state.owner() == Some(owner)).map(|(id, _)| *id)
    }

    /// The quotas that a bucket's objects count towards, each with all buckets that do.
    #[must_use]
    pub fn quotas(&self, state: &BucketState) -> Vec<(Quota, Vec<u32>)> {
        let own = state.quota().map(|quota| (quota, vec![state.bucket.id]));
        let owner = state.owner().filter(|_| !self.owner_quotas.is_empty());
        let shared = owner.and_then(|owner| Some((self.quota_of(owner)?, self.owned_by(owner).collect())));
        own.into_iter().chain(shared).collect()
    }

    #[must_use]
    pub fn redirects(&self) -> &Arc<Redirects> {
        &self.redirects
    }

    #[must_use]
    pub fn state(&self, name: &str) -> Option<&Arc<BucketState>> {
        self.by_name.get(name)
    }

    #[must_use]
    pub fn by_id(&self, id: u32) -> Option<&Arc<BucketState>> {
        self.by_id.get(&id)
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Bucket> {
        self.by_name.get(name).map(|state| &state.bucket)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Bucket> {
        self.states().map(|state| &state.bucket)
    }

    pub fn states(&self) -> impl Iterator<Item = &Arc<BucketState>> {
        self.by_name.values()
    }
}
