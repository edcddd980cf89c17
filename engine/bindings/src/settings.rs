//! Settings as Python gives them.

use std::path::PathBuf;
use std::time::Duration;

use packstone_access::ObjectOwnership;
use packstone_store::crypto::MasterSecret;
use packstone_store::enclosure::Enclosures;
use packstone_store::placement::StorageClass;
use packstone_store::pool::{DriveClass, Profile};
use packstone_store::recovery::drives;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A pool: drives of one class under one erasure profile.
#[pyclass(module = "packstone_engine", frozen, get_all, skip_from_py_object)]
#[derive(Clone)]
pub struct PoolSettings {
    name: String,
    drive_class: String,
    data: u8,
    parity: u8,
    drives: Vec<String>,
    storage_classes: Vec<String>,
}

#[pymethods]
impl PoolSettings {
    #[new]
    #[pyo3(signature = (name, drive_class, data, parity, drives, storage_classes=Vec::new()))]
    #[pyo3(text_signature = "(name, drive_class, data, parity, drives, storage_classes=...)")]
    fn new(
        name: String,
        drive_class: String,
        data: u8,
        parity: u8,
        drives: Vec<String>,
        storage_classes: Vec<String>,
    ) -> PyResult<Self> {
        let pool = Self { name, drive_class, data, parity, drives, storage_classes };
        pool.to_store().map(|_| pool)
    }
}

impl PoolSettings {
    pub fn to_store(&self) -> PyResult<drives::PoolSettings> {
        Ok(drives::PoolSettings {
            name: self.name.clone(),
            class: class_of(&self.drive_class)?,
            profile: Profile { data: self.data, parity: self.parity },
            drives: self.drives.iter().map(PathBuf::from).collect(),
            storage_classes: self.storage_classes.iter().map(|name| storage_class_of(name)).collect::<PyResult<_>>()?,
        })
    }
}

fn storage_class_of(name: &str) -> PyResult<StorageClass> {
    StorageClass::named(name).ok_or_else(|| PyValueError::new_err(format!("there is no storage class {name:?}")))
}

fn class_of(name: &str) -> PyResult<DriveClass> {
    match name {
        "ssd" => Ok(DriveClass::Ssd),
        "hdd" => Ok(DriveClass::Hdd),
        other => Err(PyValueError::new_err(format!("drive class {other:?} is neither ssd nor hdd"))),
    }
}

/// What one node's engine is opened with.
#[pyclass(module = "packstone_engine", frozen)]
pub struct EngineSettings(pub packstone_store::Settings);

#[pymethods]
impl EngineSettings {
    #[new]
    #[pyo3(signature = (index, pools, *, journal_size=33_554_432, stream_size=1_073_741_824, small_limit=1_048_576,
        cache_size=67_108_864, dead_share=0.25, space_reserve=1_073_741_824, io_timeout=10.0,
        abandoned_after=None, scrub_period=None, checkpoint_period=None, retry_failed=60.0, background_share=1.0,
        dictionaries=true, master_key=None, enclosures=Vec::new()))]
    #[pyo3(
        text_signature = "(index, pools, *, journal_size=33_554_432, stream_size=1_073_741_824, small_limit=1_048_576, \
        cache_size=67_108_864, dead_share=0.25, space_reserve=1_073_741_824, io_timeout=10.0, abandoned_after=None, \
        scrub_period=None, checkpoint_period=None, retry_failed=60.0, background_share=1.0, dictionaries=True, \
        master_key=None, enclosures=...)"
    )]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of Python's")]
    fn new(
        index: PathBuf,
        pools: Vec<PyRef<'_, PoolSettings>>,
        journal_size: u64,
        stream_size: u64,
        small_limit: u64,
        cache_size: u64,
        dead_share: f64,
        space_reserve: u64,
        io_timeout: f64,
        abandoned_after: Option<f64>,
        scrub_period: Option<f64>,
        checkpoint_period: Option<f64>,
        retry_failed: f64,
        background_share: f64,
        dictionaries: bool,
        master_key: Option<&[u8]>,
        enclosures: Vec<(String, Vec<PathBuf>)>,
    ) -> PyResult<Self> {
        let mut named = Enclosures::default();
        for (name, drives) in enclosures {
            drives.into_iter().for_each(|drive| named.note(drive, &name));
        }
        Ok(Self(packstone_store::Settings {
            index,
            enclosures: named,
            pools: pools.iter().map(|pool| pool.to_store()).collect::<PyResult<_>>()?,
            journal_size,
            stream_size,
            small_limit,
            cache_size,
            dead_share,
            space_reserve,
            io_timeout: seconds(io_timeout)?,
            abandoned_after: abandoned_after.map(seconds).transpose()?,
            scrub_period: scrub_period.map(seconds).transpose()?,
            checkpoint_period: checkpoint_period.map(seconds).transpose()?,
            retry_failed: seconds(retry_failed)?,
            background_share,
            dictionaries,
            master_key: master_key.map(thirty_two).transpose()?.map(MasterSecret),
        }))
    }
}

fn thirty_two(key: &[u8]) -> PyResult<[u8; 32]> {
    key.try_into().map_err(|_| PyValueError::new_err(format!("a master key has 32 bytes, not {}", key.len())))
}

fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| PyValueError::new_err(format!("{value} seconds can't be")))
}

/// Root credentials that others have replaced: access key, secret key, and the Unix second at which they end.
pub type Previous = (String, String, Option<i64>);

pub fn previous_root((access_key, secret_key, until): Previous) -> packstone_s3::PreviousRoot {
    packstone_s3::PreviousRoot { access_key, secret_key, until }
}

/// How the S3 front listens and whom it knows.
#[pyclass(module = "packstone_engine", frozen)]
pub struct S3Settings {
    pub front: packstone_s3::Settings,
    /// 32 bytes.
    pub master_key: [u8; 32],
}

#[pymethods]
impl S3Settings {
    #[new]
    #[pyo3(signature = (address, access_key, secret_key, master_key, *, previous_root=None, region="us-east-1".into(), domains=Vec::new(),
        object_ownership="BucketOwnerEnforced", tls_certificate=None, tls_key=None, access_log=None, log_interval=300.0,
        issuer_authorities=None, header_timeout=30.0, body_timeout=60.0, threads=0))]
    #[pyo3(
        text_signature = "(address, access_key, secret_key, master_key, *, previous_root=None, region='us-east-1', domains=..., \
        object_ownership='BucketOwnerEnforced', tls_certificate=None, tls_key=None, access_log=None, \
        log_interval=300.0, issuer_authorities=None, header_timeout=30.0, body_timeout=60.0, threads=0)"
    )]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of Python's")]
    fn new(
        address: String,
        access_key: String,
        secret_key: String,
        master_key: &[u8],
        previous_root: Option<Previous>,
        region: String,
        domains: Vec<String>,
        object_ownership: &str,
        tls_certificate: Option<PathBuf>,
        tls_key: Option<PathBuf>,
        access_log: Option<PathBuf>,
        log_interval: f64,
        issuer_authorities: Option<PathBuf>,
        header_timeout: f64,
        body_timeout: f64,
        threads: usize,
    ) -> PyResult<Self> {
        let tls = match (tls_certificate, tls_key) {
            (Some(certificate), Some(key)) => Some(packstone_s3::TlsFiles { certificate, key }),
            (None, None) => None,
            _ => return Err(PyValueError::new_err("TLS needs both a certificate and a key")),
        };
        let master_key = thirty_two(master_key)?;
        let front = packstone_s3::Settings {
            address,
            access_key,
            secret_key,
            previous_root: previous_root.map(self::previous_root),
            region,
            domains,
            object_ownership: ObjectOwnership::from_name(object_ownership)
                .ok_or_else(|| PyValueError::new_err(format!("{object_ownership} is no object ownership")))?,
            tls,
            access_log,
            log_interval: seconds(log_interval)?,
            issuer_authorities,
            header_timeout: seconds(header_timeout)?,
            body_timeout: seconds(body_timeout)?,
            threads,
        };
        Ok(Self { front, master_key })
    }
}
