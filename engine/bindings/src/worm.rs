//! What is locked until when, for Python. Times are seconds since 1970.

use packstone_store::object::{self, Mode, Period};
use packstone_store::time::from_system_time;
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

fn text(mode: Mode) -> &'static str {
    match mode {
        Mode::Governance => "GOVERNANCE",
        Mode::Compliance => "COMPLIANCE",
    }
}
