//! The WORM ledger for auditors, and the time that two administrators approve.

use std::ops::Bound;

use packstone_access::{Action, Actor, Grant, Kind};

use crate::commit::{Op, Outcome};
use crate::error::{Error, Result};
use crate::index::row::{DocumentRow, corrupt};
use crate::index::{Space, keys};
use crate::ledger::{EVENT, Event};
use crate::store::Store;
use crate::time::to_seconds;

/// Events that one page has at most.
const PAGE: usize = 1000;

impl Store {
    /// The next events of the WORM ledger behind LSN `after`, each with its own, oldest first; none after the last one.
    /// Synchronous: a page takes about a millisecond.
    ///
    /// # Errors
    /// A grant for something else, or a fault of the index.
    pub fn worm_events(&self, grant: &Grant, after: u64) -> Result<Vec<(u64, Event)>> {
        grant.covers(Action::Administer)?;
        let snapshot = self.inner.shared.index.snapshot();
        let from = keys::document(0, EVENT, &format!("{after:016x}"));
        let end = keys::after_prefix(&keys::documents(0, EVENT));
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let pairs = snapshot.range(Space::Documents, Bound::Excluded(&from), end);
        let read = |(_, value): (_, crate::index::Value)| {
            let row = DocumentRow::decode(&value)?;
            Ok((row.lsn, Event::decode(&row.value).map_err(corrupt)?))
        };
        pairs.take(PAGE).map(|pair| read(pair?)).collect()
    }

    /// What the compliance clock reads, Unix seconds.
    #[must_use]
    pub fn compliance_time(&self) -> i64 {
        to_seconds(self.inner.shared.compliance.now().compliance)
    }

    /// Approves, in the name of the user that the grant is for, that the compliance clock go on to `time`, Unix
    /// nanoseconds, which neither is to come by the machine's clock nor past by the compliance clock. Whether it went
    /// on: it does once two users have approved the same time within a week.
    ///
    /// # Errors
    /// [`Error::InvalidApproval`], also for a grant that is no user's.
    pub async fn approve_time(&self, grant: &Grant, time: i64) -> Result<bool> {
        grant.covers(Action::ApproveComplianceTime)?;
        let Actor::Principal(identity) = grant.actor() else { return Err(no_user()) };
        let Kind::User { id, .. } = identity.principal.kind() else { return Err(no_user()) };
        let op = Op::ApproveTime { actor: grant.actor().to_string(), user: id.to_string(), time };
        match self.inner.queue.commit(op).await? {
            Outcome::Approved { second } => Ok(second),
            _ => Err(Error::Unavailable("an answer to something else".into())),
        }
    }
}

fn no_user() -> Error {
    Error::InvalidApproval("only users approve a time, each for themselves")
}
