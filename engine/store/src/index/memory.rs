//! An index in memory for simulated runs: it loses its unsynced tail with a crash, and can refuse to open.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Index, IndexBatch, IndexResult, Pairs, Snapshot, Space, Value};

type Map = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

#[derive(Debug, Default)]
struct State {
    now: Arc<Map>,
    durable: Arc<Map>,
    /// States since the last sync: a crash may keep any prefix of them.
    since: Vec<Arc<Map>>,
}

/// Clones share one state, as two openings of one directory would.
#[derive(Clone, Debug, Default)]
pub struct MemoryIndex(Arc<Mutex<State>>);

impl MemoryIndex {
    /// Loses all but `kept` of the batches written since the last sync.
    pub fn crash(&self, kept: usize) {
        let mut state = self.0.lock();
        let survivor = match kept {
            0 => state.durable.clone(),
            kept => state.since.get(kept - 1).cloned().unwrap_or_else(|| state.now.clone()),
        };
        *state = State { now: survivor.clone(), durable: survivor, since: Vec::new() };
    }

    /// Batches written since the last sync.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.0.lock().since.len()
    }

    /// Forgets everything, as a removed directory would.
    pub fn clear(&self) {
        *self.0.lock() = State::default();
    }
}

impl Index for MemoryIndex {
    fn snapshot(&self) -> Box<dyn Snapshot> {
        Box::new(MemorySnapshot(self.0.lock().now.clone()))
    }

    fn write(&self, batch: IndexBatch) -> IndexResult<()> {
        let mut state = self.0.lock();
        let mut next = Map::clone(&state.now);
        for (space, key, value) in batch.writes {
            match value {
                Some(value) => next.insert((space, key), value),
                None => next.remove(&(space, key)),
            };
        }
        let next = Arc::new(next);
        state.since.push(next.clone());
        state.now = next;
        Ok(())
    }

    fn fill(&self, space: Space, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> IndexResult<()> {
        let mut batch = IndexBatch::default();
        pairs.for_each(|(key, value)| batch.put(space, key, value));
        self.write(batch)
    }

    fn persist(&self) -> IndexResult<()> {
        let mut state = self.0.lock();
        state.durable = state.now.clone();
        state.since.clear();
        Ok(())
    }

    fn compact(&self, _space: Space) -> IndexResult<()> {
        Ok(())
    }

    fn disk_space(&self) -> u64 {
        0
    }
}

struct MemorySnapshot(Arc<Map>);

impl Snapshot for MemorySnapshot {
    fn get(&self, space: Space, key: &[u8]) -> IndexResult<Option<Value>> {
        Ok(self.0.get(&(space, key.to_vec())).cloned().map(Value::Owned))
    }

    fn range(&self, space: Space, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Pairs<'_> {
        let from = match from {
            Bound::Included(key) => Bound::Included((space, key.to_vec())),
            Bound::Excluded(key) => Bound::Excluded((space, key.to_vec())),
            Bound::Unbounded => Bound::Included((space, Vec::new())),
        };
        let to = to.map(<[u8]>::to_vec);
        let within = move |key: &[u8]| match &to {
            Bound::Included(end) => key <= end.as_slice(),
            Bound::Excluded(end) => key < end.as_slice(),
            Bound::Unbounded => true,
        };
        let pairs = self.0.range((from, Bound::Unbounded));
        Box::new(
            pairs
                .take_while(move |((at, key), _)| *at == space && within(key))
                .map(|((_, key), value)| Ok((Value::Owned(key.clone()), Value::Owned(value.clone())))),
        )
    }
}
