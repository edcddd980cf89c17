//! What is locked until when, for Python. Times are seconds since 1970.

use packstone_store::ledger::{Deed, Event};
use packstone_store::object::{self, Mode, Period};
use packstone_store::time::{from_system_time, to_seconds};
use pyo3::prelude::*;

use crate::status::seconds;

/// Where a page of versions goes on: a key, and a version's id.
pub type Place = (String, String);

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct LockableBucket {
    name: String,
    mode: Option<&'static str>,
    days: Option<u32>,
    years: Option<u32>,
}

impl From<object::LockableBucket> for LockableBucket {
    fn from(bucket: object::LockableBucket) -> Self {
        let (days, years) = match bucket.default.map(|default| default.period) {
            Some(Period::Days(days)) => (Some(days), None),
            Some(Period::Years(years)) => (None, Some(years)),
            None => (None, None),
        };
        Self { name: bucket.name, mode: bucket.default.map(|default| text(default.mode)), days, years }
    }
}

#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct LockedVersion {
    key: String,
    version: String,
    size: u64,
    modified: f64,
    mode: Option<&'static str>,
    retain_until: Option<i64>,
    legal_hold: bool,
}

impl From<object::LockedVersion> for LockedVersion {
    fn from(version: object::LockedVersion) -> Self {
        Self {
            key: version.key,
            version: version.version.to_string(),
            size: version.size,
            modified: seconds(from_system_time(version.modified)),
            mode: version.retention.map(|retention| text(retention.mode)),
            retain_until: version.retention.map(|retention| retention.until),
            legal_hold: version.legal_hold,
        }
    }
}

#[pyclass(module = "packstone_engine", frozen, get_all)]
pub struct LockedPage {
    versions: Vec<LockedVersion>,
    next: Option<Place>,
}

impl From<object::LockedPage> for LockedPage {
    fn from(page: object::LockedPage) -> Self {
        Self {
            versions: page.versions.into_iter().map(Into::into).collect(),
            next: page.next.map(|(key, version)| (key, version.to_string())),
        }
    }
}

/// An event of the WORM ledger; what its deed has nothing to say of is `None`.
#[pyclass(module = "packstone_engine", frozen, get_all)]
pub struct LedgerEvent {
    lsn: u64,
    actor: String,
    at: f64,
    compliance: i64,
    deed: &'static str,
    bucket: Option<String>,
    key: Option<String>,
    version: Option<String>,
    mode: Option<&'static str>,
    retain_until: Option<i64>,
    new_mode: Option<&'static str>,
    new_retain_until: Option<i64>,
    time: Option<i64>,
}

impl From<(u64, Event)> for LedgerEvent {
    fn from((lsn, event): (u64, Event)) -> Self {
        let Event { actor, at, compliance, deed } = event;
        let (name, held, from, to, time) = match deed {
            Deed::Ended { held, retention } => ("ended", Some(held), Some(retention), None, None),
            Deed::Loosened { held, from, to } => ("loosened", Some(held), Some(from), to, None),
            Deed::Released { held } => ("released", Some(held), None, None, None),
            Deed::Approved { time, second: false } => ("approved", None, None, None, Some(time)),
            Deed::Approved { time, second: true } => ("agreed", None, None, None, Some(time)),
        };
        let (bucket, key, version) = match held {
            Some(held) => (Some(held.bucket), Some(held.key), Some(held.version.to_string())),
            None => (None, None, None),
        };
        Self {
            lsn,
            actor,
            at: seconds(at),
            compliance,
            deed: name,
            bucket,
            key,
            version,
            mode: from.map(|from| text(from.mode)),
            retain_until: from.map(|from| from.until),
            new_mode: to.map(|to| text(to.mode)),
            new_retain_until: to.map(|to| to.until),
            time: time.map(to_seconds),
        }
    }
}

fn text(mode: Mode) -> &'static str {
    match mode {
        Mode::Governance => "GOVERNANCE",
        Mode::Compliance => "COMPLIANCE",
    }
}
