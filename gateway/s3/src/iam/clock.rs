//! The time that two administrators approve, so that the compliance clock goes on to it.
//!
//! An administrator is a user with leave for `packstone:ApproveComplianceTime` and an access key that is a week old by
//! that very clock: whoever gets hold of root can make users, and has to wait for a week in which that can be noticed.

use packstone_access::Scope;
use packstone_store::ledger::APPROVAL_STANDS;

use super::fault::Fault;
use super::xml::Xml;
use super::{Ask, Iam};
use crate::facts::{Said, compact, iso};

/// How old a key must be, by the compliance clock, in seconds.
const SEASONED: i64 = 7 * 86_400;

impl Iam {
    pub(super) async fn approve_compliance_time(&self, ask: &Ask) -> Result<Xml, Fault> {
        let bearer = &ask.asker.bearer;
        if bearer.is_root() || bearer.session.is_some() {
            return Err(Fault::denied("A time is approved by users, who sign with keys of their own."));
        }
        let grant = ask.leave(ask.action, "*", Scope::default(), Said::default())?;
        let text = ask.form.need("Time")?;
        let time = read(text).ok_or_else(|| Fault::validation("Time must be given as 2026-01-31T23:59:59Z"))?;
        let store = self.directory.store();
        let made = self.key_made(&bearer.access_key);
        if made.is_none_or(|made| store.compliance_time().saturating_sub(made) < SEASONED) {
            return Err(Fault::denied("Who approves a time needs a key that is 7 days old by the compliance clock."));
        }
        let second = store.approve_time(&grant, time.saturating_mul(1_000_000_000)).await?;
        let clock = store.compliance_time();
        let mut xml = Xml::default();
        xml.leaf("GoesOn", if second { "true" } else { "false" });
        xml.leaf("ComplianceTime", &iso(clock).unwrap_or_default());
        if !second {
            xml.leaf("StandsUntil", &iso(clock.saturating_add(APPROVAL_STANDS)).unwrap_or_default());
        }
        Ok(xml)
    }

    /// When a user's key was made, by the compliance clock where that is known, Unix seconds.
    fn key_made(&self, id: &str) -> Option<i64> {
        let records = self.records();
        let key = records.holder(id)?.record.keys().iter().find(|key| key.id == id)?;
        Some(key.made.unwrap_or(key.created))
    }
}

/// Unix seconds of `2026-01-31T23:59:59Z`.
fn read(text: &str) -> Option<i64> {
    compact(&text.replace(['-', ':'], ""))
}
