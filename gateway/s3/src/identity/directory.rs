//! Changing identities: one at a time, on the drives first and in the ring then.
//!
//! Concurrency: `changing` is held from the reading of the records to their replacement, so that what a change was
//! decided on is what it changes.

use std::sync::Arc;

use packstone_access::{Action, Actor, Grant, Resource, authorise};
use packstone_store::object::Replaces;
use packstone_store::{Error, Store};
use tokio::sync::Mutex;

use super::record::{KIND, Record};
use super::records::{Known, Records};
use super::ring::KeyRing;

/// What becomes of one record.
pub(crate) enum Change {
    Put(Box<Record>),
    Remove(String),
    /// It is so already.
    Nothing,
}

/// The identities of a node, to be read and changed.
#[derive(Clone)]
pub struct Directory {
    store: Store,
    ring: KeyRing,
    changing: Arc<Mutex<()>>,
}

/// Identities could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("{0}")]
    Store(#[from] Error),
    #[error("the identity {0} is not in a form that this version reads: it was written by a newer one, or damaged")]
    Unreadable(String),
    #[error("the change was cut off, and may or may not have been made")]
    CutOff,
}

/// Identities belong to the node itself.
fn administer() -> Result<Grant, Error> {
    Ok(authorise(&Actor::Root, Action::Administer, Resource::Node)?)
}

impl Directory {
    /// Reads all identities of a store into `ring`.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn open(store: Store, ring: KeyRing) -> Result<Self, DirectoryError> {
        let mut records = Records::default();
        for (name, document) in store.documents(&administer()?, KIND)? {
            let record = Record::decode(&document).ok_or(DirectoryError::Unreadable(name))?;
            records.put(Known::new(record, ring.master()));
        }
        // Root still gets in: the master key may be lost for good, and then new keys have to be made.
        let shut = records.count_sealed();
        if shut > 0 {
            tracing::error!(
                "{shut} access keys are sealed under another master key and can't be used: put the right one back and \
                 restart, or make new keys"
            );
        }
        ring.set_records(records);
        Ok(Self { store, ring, changing: Arc::default() })
    }

    #[must_use]
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    #[must_use]
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Decides on the records as they are, and makes the change. When this returns, every request meets it, and it is
    /// durable.
    pub(crate) async fn change<T, E>(&self, decide: impl FnOnce(&Records) -> Result<(Change, T), E>) -> Result<T, E>
    where
        E: From<DirectoryError>,
    {
        let turn = Arc::clone(&self.changing).lock_owned().await;
        let records = self.ring.records();
        let (change, answer) = decide(&records)?;
        let (id, value) = match &change {
            Change::Nothing => return Ok(answer),
            Change::Remove(id) => (id.clone(), None),
            Change::Put(record) => {
                let value = record.encode().map_err(|_| DirectoryError::Unreadable(record.id.clone()))?;
                (record.id.clone(), Some(value.into()))
            }
        };
        let directory = self.clone();
        let commit = async move {
            let _turn = turn;
            let grant = administer()?;
            directory.store.put_document(&grant, KIND, &id, value, Replaces::Anything).await?;
            let mut next = Records::clone(&records);
            match change {
                Change::Put(record) => next.put(Known::new(*record, directory.ring.master())),
                Change::Remove(_) | Change::Nothing => next.remove(&id),
            }
            directory.ring.set_records(next);
            Ok::<_, DirectoryError>(())
        };
        // In a task of its own: whoever asked may hang up, and what is durable must come into force all the same.
        tokio::spawn(commit).await.map_err(|_| DirectoryError::CutOff)??;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
