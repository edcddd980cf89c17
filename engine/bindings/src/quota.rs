//! Quotas, for Python.

use packstone_s3::QuotaError;
use packstone_store::quota::{self, Usage};
use pyo3::prelude::*;

use crate::errors::{OperatorError, from_store};

#[pyclass(module = "packstone_engine", frozen, get_all)]
pub struct Quota {
    bytes: Option<u64>,
    objects: Option<u64>,
    used_bytes: u64,
    used_objects: u64,
}

impl From<(quota::Quota, Usage)> for Quota {
    fn from((quota, usage): (quota::Quota, Usage)) -> Self {
        Self { bytes: quota.bytes, objects: quota.objects, used_bytes: usage.bytes, used_objects: usage.objects }
    }
}

pub fn of_bucket(bucket: &str) -> impl Fn(packstone_store::Error) -> PyErr {
    move |error| match error {
        packstone_store::Error::NoSuchBucket => OperatorError::new_err(format!("there is no bucket {bucket}")),
        packstone_store::Error::InvalidDocument(what) => OperatorError::new_err(format!("{bucket}: {what}")),
        other => from_store(other),
    }
}

pub fn of_user(user: &str) -> impl Fn(QuotaError) -> PyErr {
    move |error| match error {
        QuotaError::NoSuchUser => OperatorError::new_err(format!("there is no user {user}")),
        QuotaError::Store(error) => from_store(error),
    }
}
