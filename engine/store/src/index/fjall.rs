//! The index on `fjall`, an LSM tree.
//!
//! Reads go through snapshots: a bare `get` was seen to observe half a batch. Memtables and journals are kept small,
//! since a restart replays them and the node's memory holds them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::path::Path;

use ::fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use super::{Index, IndexBatch, IndexError, IndexResult, Pairs, Snapshot, Space, Value};

const MEMTABLE: u64 = 8 << 20;
const JOURNALS: u64 = 64 << 20;
const CACHE: u64 = 48 << 20;
const OPEN_FILES: usize = 200;

pub struct FjallIndex {
    database: Database,
    spaces: Spaces,
}

#[derive(Clone)]
struct Spaces(BTreeMap<Space, Keyspace>);

impl Spaces {
    fn of(&self, space: Space) -> IndexResult<&Keyspace> {
        self.0.get(&space).ok_or_else(|| IndexError(format!("no space {}", space.name())))
    }
}

impl From<::fjall::Error> for IndexError {
    fn from(error: ::fjall::Error) -> Self {
        Self(error.to_string())
    }
}

impl FjallIndex {
    /// Opens the index in a directory, made where it is not there.
    ///
    /// # Errors
    /// An index that can't be opened: it may be removed and made anew.
    pub fn open(path: &Path) -> IndexResult<Self> {
        let database = Database::builder(path)
            .cache_size(CACHE)
            .max_journaling_size(JOURNALS)
            .max_cached_files(Some(OPEN_FILES))
            .worker_threads(2)
            .open()?;
        let mut spaces = BTreeMap::new();
        for space in Space::ALL {
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE);
            spaces.insert(space, database.keyspace(space.name(), options)?);
        }
        Ok(Self { database, spaces: Spaces(spaces) })
    }
}

impl fmt::Debug for FjallIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallIndex").finish_non_exhaustive()
    }
}

impl Index for FjallIndex {
    fn snapshot(&self) -> Box<dyn Snapshot> {
        Box::new(FjallSnapshot { snapshot: self.database.snapshot(), spaces: self.spaces.clone() })
    }

    fn write(&self, batch: IndexBatch) -> IndexResult<()> {
        let mut out = self.database.batch();
        for (space, key, value) in batch.writes {
            let keyspace = self.spaces.of(space)?;
            match value {
                Some(value) => out.insert(keyspace, key, value),
                None => out.remove(keyspace, key),
            }
        }
        Ok(out.commit()?)
    }

    fn fill(&self, space: Space, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> IndexResult<()> {
        let mut ingestion = self.spaces.of(space)?.start_ingestion()?;
        for (key, value) in pairs {
            ingestion.write(key, value)?;
        }
        Ok(ingestion.finish()?)
    }

    fn persist(&self) -> IndexResult<()> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    fn compact(&self, space: Space) -> IndexResult<()> {
        let keyspace = self.spaces.of(space)?;
        keyspace.rotate_memtable_and_wait()?;
        Ok(keyspace.major_compact()?)
    }

    fn disk_space(&self) -> u64 {
        self.database.disk_space().unwrap_or(0)
    }
}

struct FjallSnapshot {
    snapshot: ::fjall::Snapshot,
    spaces: Spaces,
}

impl Snapshot for FjallSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> IndexResult<Option<Value>> {
        Ok(self.snapshot.get(self.spaces.of(space)?, key)?.map(Value::Fjall))
    }

    fn range(&self, space: Space, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Pairs<'_> {
        let keyspace = match self.spaces.of(space) {
            Ok(keyspace) => keyspace,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        Box::new(self.snapshot.range::<&[u8], _>(keyspace, (from, to)).map(|guard| {
            let (key, value) = guard.into_inner()?;
            Ok((Value::Fjall(key), Value::Fjall(value)))
        }))
    }
}
