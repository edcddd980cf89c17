//! What a store stands on: its drives, pools, codes, and how blocking work is run.
//!
//! The [`Roster`] says which drives and pools there are. Everybody reads it as it stands at that moment; the commit loop alone
//! puts another in its place. A drive that comes back is another [`Member`] under the same number: whoever holds the one
//! that went out of use goes on without it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::drive::{DriveNumber, Executor, Member};
use crate::enclosure::{self, is_one_that_may_go, is_spread};
use crate::erasure::Codes;
use crate::placement::StorageClass;
use crate::pool::Pool;
use crate::segment::Wounds;

#[derive(Debug)]
pub struct Hardware {
    pub appliance: u128,
    roster: ArcSwap<Roster>,
    pub codes: Codes,
    pub executor: Arc<dyn Executor>,
    /// A drive that takes longer than this for one call is taken out of use.
    pub timeout: Duration,
    /// What reads found missing or rotten.
    pub wounds: Arc<Wounds>,
}

impl Hardware {
    #[must_use]
    pub fn new(appliance: u128, roster: Roster, executor: Arc<dyn Executor>, timeout: Duration) -> Self {
        let (codes, wounds) = (Codes::default(), Arc::default());
        Self { appliance, roster: ArcSwap::from_pointee(roster), codes, executor, timeout, wounds }
    }

    /// The drives and pools as they are now.
    #[must_use]
    pub fn roster(&self) -> Guard<Arc<Roster>> {
        self.roster.load()
    }

    /// Puts another roster in the place of what is. For the commit loop alone.
    pub fn reform(&self, roster: Roster) {
        self.roster.store(Arc::new(roster));
    }

    #[must_use]
    pub fn member(&self, number: DriveNumber) -> Option<Arc<Member>> {
        self.roster().members.get(&number).cloned()
    }

    /// The drive of that number, if it is in use.
    #[must_use]
    pub fn in_use(&self, number: DriveNumber) -> Option<Arc<Member>> {
        self.member(number).filter(|member| member.online())
    }

    /// The drives in use, by number.
    #[must_use]
    pub fn online(&self) -> Vec<Arc<Member>> {
        self.roster().online()
    }

    #[must_use]
    pub fn pool(&self, number: u8) -> Option<Arc<Pool>> {
        self.roster().pools.iter().find(|pool| pool.number == number).cloned()
    }

    /// The pool of what belongs nowhere else.
    #[must_use]
    pub fn landing_pool(&self) -> Option<Arc<Pool>> {
        self.roster().pool_of(StorageClass::Standard).cloned()
    }

    /// Drives for the copies of a new journal file.
    #[must_use]
    pub fn place_journal(&self) -> Vec<Arc<Member>> {
        self.roster().place_journal()
    }
}

/// Which drives and pools there are.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// By number: what is done on all drives is done in their order.
    pub members: BTreeMap<DriveNumber, Arc<Member>>,
    pub pools: Vec<Arc<Pool>>,
    /// Whether all drives know which of them are in which enclosure, and every live journal is spread over these.
    pub enclosures_count: bool,
}

impl Roster {
    /// The largest number of parity shards of any pool: M. One without drives has no part in how many may be out of use.
    #[must_use]
    pub fn most_parity(&self) -> usize {
        let made = self.pools.iter().filter(|pool| !pool.members.is_empty());
        made.map(|pool| usize::from(pool.profile.parity)).max().unwrap_or(0)
    }

    /// On how many drives the journal is to stand: M+1, and as many as a pool will need that is being made.
    #[must_use]
    pub fn journal_copies(&self) -> usize {
        self.pools.iter().map(|pool| usize::from(pool.profile.parity)).max().unwrap_or(0) + 1
    }

    #[must_use]
    pub fn online(&self) -> Vec<Arc<Member>> {
        self.members.values().filter(|member| member.online()).cloned().collect()
    }

    /// The drives of the journal, of the fastest class that has them, or as many as are left.
    #[must_use]
    pub fn place_journal(&self) -> Vec<Arc<Member>> {
        let wanted = self.journal_copies();
        let mut online = self.online();
        online.sort_by_key(|member| (member.is_leaving(), member.is_sluggish(), member.class, member.number));
        let others = online.split_off(online.len().min(wanted));
        let elsewhere = |member: &&Arc<Member>| online.iter().all(|held| held.domain() != member.domain());
        if wanted > 1
            && !is_spread(online.iter())
            && let Some(other) = others.iter().find(elsewhere)
        {
            online.pop();
            online.push(other.clone());
        }
        online
    }

    /// What drives are to know of who is in which enclosure, where that counts.
    #[must_use]
    pub fn enclosures(&self) -> Option<u64> {
        self.enclosures_count.then(|| enclosure::digest(&self.members))
    }

    /// Whether a start would do without the drives that are out of use, as far as journals go.
    #[must_use]
    pub fn bears_what_is_out(&self) -> bool {
        let (out, most) = (self.members.len() - self.online().len(), self.most_parity());
        out <= most || self.enclosures_count && is_one_that_may_go(&self.members, most)
    }

    /// With a drive in the place of the one of its number, or beside the others.
    #[must_use]
    pub fn with(&self, member: &Arc<Member>) -> Self {
        let mut next = self.without(member.number);
        next.members.insert(member.number, member.clone());
        for pool in next.pools.iter_mut().filter(|pool| pool.number == member.pool) {
            let mut members = pool.members.clone();
            members.push(member.clone());
            members.sort_by_key(|member| member.number);
            *pool = Arc::new(Pool { members, ..Pool::clone(pool) });
        }
        next
    }

    #[must_use]
    pub fn without(&self, number: DriveNumber) -> Self {
        let mut next = self.clone();
        next.members.remove(&number);
        for pool in &mut next.pools {
            let members = pool.members.iter().filter(|member| member.number != number).cloned().collect();
            *pool = Arc::new(Pool { members, ..Pool::clone(pool) });
        }
        next
    }
}
