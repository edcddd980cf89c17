//! What the WORM ledger tells of, and the time that two administrators approve.

use super::{Decider, attributes_of};
use crate::commit::BucketState;
use crate::commit::op::Outcome;
use crate::error::{Error, Result};
use crate::index::row::corrupt;
use crate::index::row::{self, DocumentRow};
use crate::index::{Row, Space, keys};
use crate::journal::{Entry, Target};
use crate::ledger::{APPROVAL, Approval, Deed, EVENT, Event, Held};
use crate::object::AttributeChange;
use crate::retention;

impl Decider<'_, '_> {
    /// Tells that a version ended which GOVERNANCE held, if it did: `may_end` has allowed it.
    pub(super) fn note_end(&mut self, state: &BucketState, key: &str, row: &Row, actor: Option<&str>) -> Result<()> {
        let Some(actor) = actor.filter(|_| !row.marker) else { return Ok(()) };
        match attributes_of(row)?.retention {
            Some(retention) if retention.until > self.site.compliance => {
                self.note(actor, Deed::Ended { held: held(state, key, row), retention })
            }
            _ => Ok(()),
        }
    }

    /// Tells of a change that loosens what holds a version, if it does: `may_change` has allowed it.
    pub(super) fn note_change(
        &mut self,
        state: &BucketState,
        key: &str,
        row: &Row,
        (change, actor): (&AttributeChange, &str),
    ) -> Result<()> {
        let before = attributes_of(row)?;
        let deed = match (change, before.retention) {
            (AttributeChange::Retention(to), Some(from))
                if retention::may_change(Some(from), *to, self.site.compliance, false).is_err() =>
            {
                Deed::Loosened { held: held(state, key, row), from, to: *to }
            }
            (AttributeChange::LegalHold(false), _) if before.legal_hold => {
                Deed::Released { held: held(state, key, row) }
            }
            _ => return Ok(()),
        };
        self.note(actor, deed)
    }

    /// Approves that the compliance clock go on to `time`, Unix nanoseconds. In a batch of its own.
    pub(super) fn approve_time(&mut self, actor: &str, user: &str, time: i64) -> Result<Outcome> {
        let now = self.site.compliance;
        if time.div_euclid(1_000_000_000) <= now {
            return Err(Error::InvalidApproval("the compliance clock is past that time"));
        }
        let (mut second, mut own) = (false, None);
        let mut standing = Vec::new();
        for pair in self.applier.snapshot().prefix(Space::Documents, &keys::documents(0, APPROVAL)) {
            let (key, value) = pair?;
            let Some((_, _, name)) = keys::parse_document(&key) else { continue };
            let approval = Approval::decode(&DocumentRow::decode(&value)?.value).map_err(corrupt)?;
            let (lsn, file) = row::identity(&value)?;
            let target = Target { file, lsn };
            if name == user {
                own = Some(target);
            } else if approval.stands_for(time, now) {
                second = true;
            }
            standing.push((name.to_owned(), target));
        }
        if second {
            for (name, target) in standing {
                self.document(APPROVAL, name, None, vec![target])?;
            }
        } else {
            let value = Approval { time, given: now }.encode();
            self.document(APPROVAL, user.to_owned(), Some(value), own.into_iter().collect())?;
        }
        self.note(actor, Deed::Approved { time, second })?;
        Ok(Outcome::Approved { second })
    }

    fn note(&mut self, actor: &str, deed: Deed) -> Result<()> {
        let event = Event { actor: actor.to_owned(), at: self.site.now, compliance: self.site.compliance, deed };
        let name = format!("{:016x}", self.next_lsn());
        self.document(EVENT, name, Some(event.encode()), Vec::new())
    }

    /// A document of the node that the engine itself puts.
    fn document(&mut self, kind: &str, name: String, value: Option<Vec<u8>>, kills: Vec<Target>) -> Result<()> {
        self.push(Entry::Document { scope: 0, kind: kind.to_owned(), name, value, kills })
    }
}

fn held(state: &BucketState, key: &str, row: &Row) -> Held {
    Held { bucket: state.bucket.name.to_string(), key: key.to_owned(), version: row.version }
}
