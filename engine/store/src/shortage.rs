//! Which pools are short of space. A worker looks, everybody else asks here.
//!
//! What grows is refused where the journal could not take it, or what it belongs to; deletes, sealing and compaction go on
//! from the reserve. A pool that is short and that the journal doesn't need holds up only what belongs to it: small records
//! wait in the landing pool.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The most pools: one bit each.
pub const MOST_POOLS: usize = 64;

/// Nothing is short before somebody has looked.
#[derive(Debug, Default)]
pub struct Shortage {
    /// Whether the journal or the landing pool is.
    everywhere: AtomicBool,
    /// By number of the pool.
    pools: AtomicU64,
}

impl Shortage {
    /// Whether there is room for anything that grows.
    #[must_use]
    pub fn takes_growth(&self) -> bool {
        !self.everywhere.load(Ordering::Relaxed)
    }

    /// Whether there is room for it in a pool.
    #[must_use]
    pub fn has_room(&self, pool: u8) -> bool {
        self.pools.load(Ordering::Relaxed) & bit(pool) == 0
    }

    /// Takes down what is short now; whether anything takes growth that did not before, or the reverse.
    pub fn note(&self, everywhere: bool, pools: impl Iterator<Item = u8>) -> bool {
        let pools = pools.fold(0, |bits, pool| bits | bit(pool));
        let before = (self.everywhere.swap(everywhere, Ordering::Relaxed), self.pools.swap(pools, Ordering::Relaxed));
        before != (everywhere, pools)
    }
}

fn bit(pool: u8) -> u64 {
    1 << (usize::from(pool) % MOST_POOLS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_short_by_itself() {
        let shortage = Shortage::default();
        assert!(shortage.takes_growth() && shortage.has_room(0) && shortage.has_room(63));
        assert!(shortage.note(false, [63, 2].into_iter()));
        assert!(!shortage.note(false, [2, 63].into_iter()));
        assert!(shortage.takes_growth() && shortage.has_room(0) && !shortage.has_room(63) && !shortage.has_room(2));
        assert!(shortage.note(true, [0].into_iter()));
        assert!(!shortage.takes_growth() && shortage.has_room(2));
    }
}
