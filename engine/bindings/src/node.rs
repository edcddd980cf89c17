//! The node: an open engine and, once asked for, its S3 front.
//!
//! Any Python thread may call; the front and the runtime stand behind locks that are held for a moment only, and `close`
//! takes both out, so that it can be called twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use packstone_access::{Action, Actor, Grant, Resource, authorise};
use packstone_posix::{Files, Service};
use packstone_s3::{MasterKey, Server};
use packstone_store::recovery::Progress;
use packstone_store::time::from_system_time;
use packstone_store::version::NoVersionId;
use packstone_store::{Error, Store};
use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tokio::runtime::{Handle, Runtime};

use crate::errors::{EngineError, OperatorError, from_backup, from_recovery, from_start, from_store};
use crate::metrics::{self, Metric};
use crate::posix::PosixAttributes;
use crate::quota::{self, Quota};
use crate::settings::{EngineSettings, PoolSettings, Previous, S3Settings, previous_root};
use crate::status::{LostObject, RebuildReport, Status, VerifyReport, seconds};
use crate::worm::{LedgerEvent, LockableBucket, LockedPage, Place};

#[pyclass(module = "packstone_engine", frozen)]
pub struct Node {
    store: Store,
    front: Mutex<Option<Arc<Server>>>,
    files: Mutex<Option<Arc<Service>>>,
    runtime: Mutex<Option<Runtime>>,
}

/// Leave for what concerns the node, to the holder of its process.
fn administer() -> PyResult<Grant> {
    authorise(&Actor::Root, Action::Administer, Resource::Node).map_err(|denied| from_store(denied.into()))
}

/// Where an exception of a call-back is kept until the call that it ended returns.
type Raised = Arc<Mutex<Option<PyErr>>>;

fn watched(progress: Option<Py<PyAny>>) -> (Progress, Raised) {
    let raised = Raised::default();
    let held = raised.clone();
    let call = move |done: u64, of_how_many: u64| {
        let Some(progress) = &progress else { return true };
        Python::attach(|py| match progress.call1(py, (done, of_how_many)) {
            Ok(_) => true,
            Err(error) => {
                *held.lock() = Some(error);
                false
            }
        })
    };
    (Arc::new(call), raised)
}

/// The exception that ended a call, or what the engine said.
fn outcome<T>(result: Result<T, PyErr>, raised: &Raised) -> PyResult<T> {
    match raised.lock().take() {
        Some(error) => Err(error),
        None => result,
    }
}

fn not_served() -> PyErr {
    OperatorError::new_err("S3 isn't served")
}

impl Node {
    fn serving(&self) -> PyResult<Arc<Server>> {
        self.front.lock().clone().ok_or_else(not_served)
    }

    fn handle(&self) -> PyResult<Handle> {
        self.runtime.lock().as_ref().map(|runtime| runtime.handle().clone()).ok_or_else(not_served)
    }
}

#[pymethods]
impl Node {
    #[staticmethod]
    fn open(py: Python<'_>, settings: &EngineSettings) -> PyResult<Self> {
        let store = py.detach(|| Store::open(&settings.0)).map_err(from_recovery)?;
        Ok(Self { store, front: Mutex::new(None), files: Mutex::new(None), runtime: Mutex::new(None) })
    }

    fn serve_s3(&self, py: Python<'_>, settings: &S3Settings) -> PyResult<String> {
        py.detach(|| {
            let runtime = settings.front.runtime().map_err(|error| EngineError::new_err(error.to_string()))?;
            let master =
                MasterKey::new(&settings.master_key).map_err(|error| EngineError::new_err(error.to_string()))?;
            let server =
                Server::start(&settings.front, master, self.store.clone(), runtime.handle()).map_err(from_start)?;
            let address = server.address().to_string();
            *self.front.lock() = Some(Arc::new(server));
            *self.runtime.lock() = Some(runtime);
            Ok(address)
        })
    }

    #[pyo3(signature = (socket, lock_after, remote_connections=0, merge_from=0.5))]
    fn serve_files(
        &self,
        py: Python<'_>,
        socket: PathBuf,
        lock_after: f64,
        remote_connections: usize,
        merge_from: f64,
    ) -> PyResult<()> {
        let (front, handle) = (self.serving()?, self.handle()?);
        let lock_after =
            Duration::try_from_secs_f64(lock_after).map_err(|error| OperatorError::new_err(error.to_string()))?;
        py.detach(|| {
            let scratch = socket.parent().unwrap_or(Path::new("."));
            let files = Files::new(self.store.clone(), scratch, front.encryption_rule(), front.authority());
            files.set_lock_after(lock_after);
            files.set_merge_from(merge_from);
            let service = Service::start(files, &socket, &handle)
                .map_err(|error| EngineError::new_err(format!("{}: {error}", socket.display())))?;
            service.set_most_remote(remote_connections);
            let service = Arc::new(service);
            front.mount_by(service.clone());
            *self.files.lock() = Some(service);
            Ok(())
        })
    }

    #[pyo3(signature = (access_key, secret_key, previous=None))]
    fn set_root(&self, access_key: &str, secret_key: &str, previous: Option<Previous>) {
        if let Some(front) = self.front.lock().clone() {
            front.set_root(access_key, secret_key, previous.map(previous_root));
        }
    }

    fn explain(&self, user: &str, action: &str, resource: &str) -> PyResult<String> {
        self.serving()?.explain(user, action, resource).map_err(OperatorError::new_err)
    }

    fn configuration(&self, py: Python<'_>) -> PyResult<String> {
        let front = self.serving()?;
        py.detach(|| front.configuration()).map_err(from_backup)
    }

    fn restore_configuration(&self, py: Python<'_>, configuration: &str) -> PyResult<(usize, usize)> {
        let (front, handle) = (self.serving()?, self.handle()?);
        let restored = py.detach(|| handle.block_on(front.restore(configuration))).map_err(from_backup)?;
        Ok((restored.buckets, restored.identities))
    }

    fn reload_tls(&self) -> PyResult<()> {
        match self.front.lock().clone() {
            Some(front) => front.reload_tls().map_err(from_start),
            None => Ok(()),
        }
    }

    fn status(&self, py: Python<'_>) -> PyResult<Status> {
        let grant = administer()?;
        py.detach(|| self.store.status(&grant)).map(Into::into).map_err(from_store)
    }

    fn seal(&self, py: Python<'_>) -> PyResult<u64> {
        py.detach(|| self.store.seal()).map_err(from_store)
    }

    fn checkpoint(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.store.checkpoint()).map_err(from_store)
    }

    fn add_drive(&self, py: Python<'_>, path: PathBuf, pool: &str) -> PyResult<u16> {
        let grant = administer()?;
        py.detach(|| self.store.add_drive(&grant, &path, pool)).map_err(from_recovery)
    }

    fn replace_drive(&self, py: Python<'_>, path: PathBuf) -> PyResult<u16> {
        let grant = administer()?;
        py.detach(|| self.store.replace_drive(&grant, &path)).map_err(from_recovery)
    }

    #[pyo3(signature = (path, *, leaving=true))]
    fn drain_drive(&self, py: Python<'_>, path: PathBuf, leaving: bool) -> PyResult<()> {
        let grant = administer()?;
        py.detach(|| self.store.drain_drive(&grant, &path, leaving)).map_err(from_recovery)
    }

    fn remove_drive(&self, py: Python<'_>, path: PathBuf) -> PyResult<bool> {
        let grant = administer()?;
        py.detach(|| self.store.remove_drive(&grant, &path)).map_err(from_recovery)
    }

    fn lockable_buckets(&self) -> PyResult<Vec<LockableBucket>> {
        let buckets = self.store.lockable_buckets(&administer()?).map_err(from_store)?;
        Ok(buckets.into_iter().map(Into::into).collect())
    }

    fn has_node_documents(&self) -> PyResult<bool> {
        self.store.has_node_documents(&administer()?).map_err(from_store)
    }

    fn create_kms_key(&self, py: Python<'_>, id: &str) -> PyResult<()> {
        let grant = administer()?;
        py.detach(|| self.store.create_kms_key(&grant, id)).map_err(|error| match error {
            Error::DocumentChanged => OperatorError::new_err(format!("there is a key {id} already")),
            Error::InvalidDocument(why) => OperatorError::new_err(why),
            Error::Unavailable(_) | Error::OutOfSpace => OperatorError::new_err(error.to_string()),
            other => from_store(other),
        })
    }

    fn kms_keys(&self) -> PyResult<Vec<(String, f64)>> {
        let keys = self.store.kms_keys(&administer()?).map_err(from_store)?;
        Ok(keys.into_iter().map(|key| (key.id, seconds(from_system_time(key.created)))).collect())
    }

    fn posix(&self, bucket: &str, key: &str) -> PyResult<PosixAttributes> {
        let grant = authorise(&Actor::Root, Action::GetObject, Resource::Object { bucket, key });
        let grant = grant.map_err(|denied| from_store(denied.into()))?;
        self.store.describe(&grant, None).map(|version| version.posix.into()).map_err(from_store)
    }

    #[pyo3(signature = (bucket, after=None))]
    fn locked(&self, py: Python<'_>, bucket: &str, after: Option<Place>) -> PyResult<LockedPage> {
        let grant = administer()?;
        let after = after
            .map(|(key, version)| Ok((key, version.parse()?)))
            .transpose()
            .map_err(|error: NoVersionId| PyValueError::new_err(error.to_string()))?;
        py.detach(|| self.store.locked(&grant, bucket, after)).map(Into::into).map_err(from_store)
    }

    fn worm_ledger(&self, py: Python<'_>, after: u64) -> PyResult<Vec<LedgerEvent>> {
        let grant = administer()?;
        let events = py.detach(|| self.store.worm_events(&grant, after)).map_err(from_store)?;
        Ok(events.into_iter().map(Into::into).collect())
    }

    fn bucket_quota(&self, bucket: &str) -> PyResult<Quota> {
        let held = self.store.bucket_quota(&administer()?, bucket);
        held.map(Into::into).map_err(quota::of_bucket(bucket))
    }

    #[pyo3(signature = (bucket, bytes, objects))]
    fn set_bucket_quota(&self, py: Python<'_>, bucket: &str, bytes: Option<u64>, objects: Option<u64>) -> PyResult<()> {
        let (grant, quota) = (administer()?, packstone_store::quota::Quota { bytes, objects });
        py.detach(|| self.store.set_bucket_quota(&grant, bucket, quota)).map_err(quota::of_bucket(bucket))
    }

    /// Prefixes and the pools that they belong to.
    fn placement(&self, bucket: &str) -> PyResult<Vec<(String, String)>> {
        let rules = self.store.placement(&administer()?, bucket).map_err(quota::of_bucket(bucket))?;
        Ok(rules.iter().map(|(prefix, pool)| (prefix.to_owned(), pool.to_owned())).collect())
    }

    #[pyo3(signature = (bucket, prefix, pool))]
    fn place(&self, py: Python<'_>, bucket: &str, prefix: &str, pool: Option<&str>) -> PyResult<()> {
        let grant = administer()?;
        py.detach(|| self.store.place(&grant, bucket, prefix, pool)).map_err(quota::of_bucket(bucket))
    }

    /// (bucket, prefix, terms)
    fn exports(&self) -> PyResult<Vec<(String, String, Vec<u8>)>> {
        let exports = self.store.exports(&administer()?).map_err(from_store)?;
        Ok(exports.into_iter().map(|export| (export.bucket, export.prefix, export.terms.to_vec())).collect())
    }

    #[pyo3(signature = (bucket, prefix, terms))]
    fn set_export(&self, py: Python<'_>, bucket: &str, prefix: &str, terms: Option<Vec<u8>>) -> PyResult<()> {
        let grant = administer()?;
        py.detach(|| self.store.set_export(&grant, bucket, prefix, terms.map(Into::into)))
            .map_err(quota::of_bucket(bucket))
    }

    fn create_pool(&self, py: Python<'_>, settings: &PoolSettings) -> PyResult<usize> {
        let (grant, settings) = (administer()?, settings.to_store()?);
        py.detach(|| self.store.create_pool(&grant, &settings)).map_err(from_recovery)
    }

    fn user_quota(&self, user: &str) -> PyResult<Quota> {
        let held = self.serving()?.user_quota(&administer()?, user);
        held.map(Into::into).map_err(quota::of_user(user))
    }

    #[pyo3(signature = (user, bytes, objects))]
    fn set_user_quota(&self, py: Python<'_>, user: &str, bytes: Option<u64>, objects: Option<u64>) -> PyResult<()> {
        let (front, grant) = (self.serving()?, administer()?);
        let quota = packstone_store::quota::Quota { bytes, objects };
        py.detach(|| front.set_user_quota(&grant, user, quota)).map_err(quota::of_user(user))
    }

    fn lost_objects(&self) -> PyResult<Vec<LostObject>> {
        let lost = self.store.lost_objects(&administer()?).map_err(from_store)?;
        Ok(lost.into_iter().map(Into::into).collect())
    }

    #[pyo3(signature = (sample=1.0, progress=None))]
    fn verify(&self, py: Python<'_>, sample: f64, progress: Option<Py<PyAny>>) -> PyResult<VerifyReport> {
        let grant = administer()?;
        let (progress, raised) = watched(progress);
        let report = py.detach(|| self.store.verify(&grant, sample, &progress));
        outcome(report.map(Into::into).map_err(from_store), &raised)
    }

    fn metrics(&self, py: Python<'_>) -> PyResult<Vec<Metric>> {
        let grant = administer()?;
        let (front, files) = (self.front.lock().clone(), self.files.lock().clone());
        py.detach(|| {
            let status = self.store.status(&grant).map_err(from_store)?;
            Ok(metrics::gather(&status, front.map(|front| front.counts()).as_ref(), files.as_deref()))
        })
    }

    fn drain(&self, py: Python<'_>, timeout: f64) -> bool {
        let front = self.front.lock().clone();
        let handle = self.runtime.lock().as_ref().map(|runtime| runtime.handle().clone());
        py.detach(|| match (front, handle) {
            (Some(front), Some(handle)) => {
                let timeout = Duration::try_from_secs_f64(timeout).unwrap_or_default();
                handle.block_on(front.drain(timeout))
            }
            _ => true,
        })
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            let files = self.files.lock().take();
            if let (Some(files), Ok(handle)) = (files, self.handle()) {
                handle.block_on(files.stop());
            }
            drop(self.front.lock().take());
            if let Some(runtime) = self.runtime.lock().take() {
                runtime.shutdown_timeout(Duration::from_secs(5));
            }
            self.store.close();
        });
    }
}

#[pyfunction]
#[pyo3(signature = (settings, *, allow_no_parity=false))]
pub fn initialise(py: Python<'_>, settings: &EngineSettings, allow_no_parity: bool) -> PyResult<String> {
    py.detach(|| packstone_store::initialise(&settings.0, allow_no_parity))
        .map(|appliance| format!("{appliance:032x}"))
        .map_err(from_recovery)
}

#[pyfunction]
pub fn is_initialised(py: Python<'_>, settings: &EngineSettings) -> bool {
    py.detach(|| packstone_store::is_initialised(&settings.0))
}

#[pyfunction]
pub fn replace_drive(py: Python<'_>, settings: &EngineSettings, path: PathBuf) -> PyResult<u16> {
    py.detach(|| packstone_store::replace_drive(&settings.0, &path)).map_err(from_recovery)
}

#[pyfunction]
#[pyo3(signature = (settings, progress=None))]
pub fn rebuild_index(
    py: Python<'_>,
    settings: &EngineSettings,
    progress: Option<Py<PyAny>>,
) -> PyResult<RebuildReport> {
    let (progress, raised) = watched(progress);
    let rebuilt = py.detach(|| packstone_store::rebuild_index(&settings.0, &progress));
    let report = outcome(rebuilt.map_err(from_recovery), &raised)?;
    Ok(RebuildReport { segments: report.segments, objects: report.objects, bytes: report.bytes })
}

impl Drop for Node {
    fn drop(&mut self) {
        // A runtime must not be dropped where it might be waited for.
        if let Some(runtime) = self.runtime.get_mut().take() {
            runtime.shutdown_background();
        }
    }
}
