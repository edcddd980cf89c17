//! What a store stands on: its drives, pools, codes, and how blocking work is run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::drive::{DriveNumber, Executor, Member};
use crate::erasure::Codes;
use crate::pool::Pool;
use crate::segment::Wounds;

#[derive(Debug)]
pub struct Hardware {
    pub appliance: u128,
    pub members: BTreeMap<DriveNumber, Arc<Member>>,
    pub pools: Vec<Pool>,
    pub codes: Codes,
    pub executor: Arc<dyn Executor>,
    /// A drive that takes longer than this for one call is taken out of use.
    pub timeout: Duration,
    /// What reads found missing or rotten.
    pub wounds: Arc<Wounds>,
}

impl Hardware {
    /// The largest number of parity shards of any pool: M.
    #[must_use]
    pub fn most_parity(&self) -> usize {
        self.pools.iter().map(|pool| usize::from(pool.profile.parity)).max().unwrap_or(0)
    }

    #[must_use]
    pub fn pool(&self, number: u8) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.number == number)
    }

    /// The pool that new segments go to: the first of the fastest class.
    #[must_use]
    pub fn landing_pool(&self) -> Option<&Pool> {
        self.pools.iter().min_by_key(|pool| (pool.class, pool.number))
    }

    /// Drives for the copies of a new journal file: M+1 of the fastest class that has them, or as many as are left.
    /// `turn` makes files take turns on them.
    #[must_use]
    pub fn place_journal(&self, turn: u64) -> Vec<Arc<Member>> {
        let wanted = self.most_parity() + 1;
        let mut online: Vec<_> = self.members.values().filter(|member| member.online()).cloned().collect();
        online.sort_by_key(|member| (member.class, member.number));
        let fastest = online.first().map(|member| member.class);
        let of_fastest = online.iter().filter(|member| Some(member.class) == fastest).count();
        if of_fastest >= wanted {
            online.truncate(of_fastest);
        }
        if !online.is_empty() {
            let turn = usize::try_from(turn % online.len() as u64).unwrap_or(0);
            online.rotate_left(turn);
        }
        online.truncate(wanted);
        online
    }
}
