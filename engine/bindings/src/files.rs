//! A mount's side of the connections that a node serves files on.

use std::ffi::c_int;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use packstone_posix::client::{self, Exchange, Filled, Reply, decoded};
use packstone_posix::protocol::{Attributes, Change, Entry, Maker, Request};
use packstone_posix::{Client, Credentials, Remote};
use packstone_store::codec::{DecodeError, Reader};
use parking_lot::Mutex;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What most answers that need no drive come within, so that nobody has to be woken for them.
const SOON: Duration = Duration::from_micros(100);
/// Bytes that take longer.
const MANY: usize = 128 << 10;

/// (inode, mode, links, uid, gid, size, mtime, ctime, device, content)
type Told = (u64, u32, u32, u32, u32, u64, i64, i64, u32, u64);
/// (mode, uid, gid, device)
type Made = (u32, u32, u32, u32);
/// What an answer says, for Python.
type Read = fn(Python<'_>, &[u8]) -> PyResult<Py<PyAny>>;

fn told(attributes: Attributes) -> Told {
    let Attributes { inode, mode, links, uid, gid, size, mtime, ctime, device, content } = attributes;
    (inode, mode, links, uid, gid, size, mtime, ctime, device, content)
}

fn maker((mode, uid, gid, device): Made) -> Maker {
    Maker { mode, uid, gid, device }
}

#[allow(clippy::needless_pass_by_value, reason = "it is what map_err takes")]
fn raised(error: std::io::Error) -> PyErr {
    let number = error.raw_os_error().unwrap_or_else(|| match error.kind() {
        ErrorKind::PermissionDenied => 13,
        ErrorKind::InvalidInput => 22,
        ErrorKind::Unsupported => 95,
        // EKEYREJECTED, of a certificate.
        ErrorKind::InvalidData if error.get_ref().is_some() => 129,
        _ => 5,
    });
    PyOSError::new_err((number, error.to_string()))
}

/// A question that was asked, and its answer.
#[pyclass(module = "packstone_engine", frozen)]
pub struct Answer {
    exchange: Mutex<Option<Exchange>>,
    read: Read,
}

#[pymethods]
impl Answer {
    fn is_here(&self, py: Python<'_>) -> bool {
        py.detach(|| self.exchange.lock().as_mut().is_none_or(|exchange| exchange.is_over_within(Duration::ZERO)))
    }

    fn fileno(&self) -> i32 {
        self.exchange.lock().as_ref().and_then(Exchange::descriptor).unwrap_or(-1)
    }

    fn wait(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let exchange = self.exchange.lock().take();
        let exchange = exchange.ok_or_else(|| PyRuntimeError::new_err("an answer is given once"))?;
        match py.detach(|| exchange.finish()).map_err(raised)? {
            Reply::Filled(filled) => Content(filled).into_py_any(py),
            said @ Reply::Said(_) => (self.read)(py, said.said()),
        }
    }
}

/// What was read, in memory that is shared with the node until this is gone.
#[pyclass(module = "packstone_engine", frozen)]
pub struct Content(Filled);

#[pymethods]
impl Content {
    fn __len__(&self) -> usize {
        self.0.bytes().len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.bytes())
    }

    /// # Safety
    /// As the interpreter calls it: `view` is its to be filled, and released.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = slf.get().0.bytes();
        let length = bytes.len().cast_signed();
        // SAFETY: the view keeps `slf`, which keeps the bytes where they are, and they are only read.
        let filled =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes.as_ptr().cast_mut().cast(), length, 1, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

fn of<T>(answer: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>) -> PyResult<T> {
    decoded(answer, read).map_err(raised)
}

fn read_attributes(py: Python<'_>, answer: &[u8]) -> PyResult<Py<PyAny>> {
    told(of(answer, client::attributes)?).into_py_any(py)
}

fn read_opened(py: Python<'_>, answer: &[u8]) -> PyResult<Py<PyAny>> {
    let read = |from: &mut Reader<'_>| Ok((client::opened(from)?, PyBytes::new(py, from.0)));
    let ((attributes, handle), content) = of(answer, read)?;
    (told(attributes), handle, content).into_py_any(py)
}

fn read_bytes(py: Python<'_>, answer: &[u8]) -> PyResult<Py<PyAny>> {
    of(answer, |from| Ok(PyBytes::new(py, from.0)))?.into_py_any(py)
}

fn read_entries(py: Python<'_>, answer: &[u8]) -> PyResult<Py<PyAny>> {
    let entry = |Entry { name, place, attributes }: Entry| {
        (PyBytes::new(py, name.as_bytes()), PyBytes::new(py, place.as_bytes()), told(attributes))
    };
    of(answer, client::entries)?.into_iter().map(entry).collect::<Vec<_>>().into_py_any(py)
}

fn read_names(py: Python<'_>, answer: &[u8]) -> PyResult<Py<PyAny>> {
    of(answer, client::names)?.into_py_any(py)
}

fn read_space(py: Python<'_>, answer: &[u8]) -> PyResult<Py<PyAny>> {
    let space = of(answer, client::space)?;
    (space.total, space.free, space.files).into_py_any(py)
}

fn read_nothing(py: Python<'_>, _: &[u8]) -> PyResult<Py<PyAny>> {
    Ok(py.None())
}

#[pyclass(module = "packstone_engine", frozen)]
pub struct Files(Arc<Client>);

impl Files {
    fn ask(&self, py: Python<'_>, uid: u32, request: Request<'_>, read: Read) -> Answer {
        Self::begun(py, || self.0.begin(uid, request), 0, read)
    }

    /// Asks, and waits a little where not many bytes are moved.
    fn begun(py: Python<'_>, begin: impl FnOnce() -> Exchange + Send, moved: usize, read: Read) -> Answer {
        let exchange = py.detach(|| {
            let mut exchange = begin();
            if moved < MANY {
                exchange.is_over_within(SOON);
            }
            exchange
        });
        Answer { exchange: Mutex::new(Some(exchange)), read }
    }
}

/// What a node tells by itself.
#[pyclass(module = "packstone_engine", frozen)]
pub struct Watch(Mutex<client::Watch>);

#[pymethods]
impl Watch {
    fn wait(&self, py: Python<'_>) -> PyResult<(u64, Py<PyBytes>, u64)> {
        let (parent, name, inode) = py.detach(|| self.0.lock().wait()).map_err(raised)?;
        Ok((parent, PyBytes::new(py, &name).unbind(), inode))
    }
}

#[pymethods]
impl Files {
    #[staticmethod]
    #[pyo3(signature = (socket, user="", *, exclusive=false))]
    fn connect(py: Python<'_>, socket: PathBuf, user: &str, exclusive: bool) -> PyResult<Self> {
        py.detach(|| Client::connect(&socket, user, exclusive)).map(|client| Self(Arc::new(client))).map_err(raised)
    }

    #[staticmethod]
    #[pyo3(signature = (endpoint, access_key, secret_key, token=None, *, authorities=None))]
    fn connect_remote(
        py: Python<'_>,
        endpoint: &str,
        access_key: String,
        secret_key: String,
        token: Option<String>,
        authorities: Option<PathBuf>,
    ) -> PyResult<Self> {
        let credentials = Credentials { access_key, secret_key, token };
        let connect = || Remote::new(endpoint, authorities.as_deref(), credentials).and_then(Client::connect_remote);
        py.detach(connect).map(|client| Self(Arc::new(client))).map_err(raised)
    }

    fn watch(&self, py: Python<'_>, believed: f64) -> PyResult<Watch> {
        let believed = Duration::try_from_secs_f64(believed).unwrap_or(Duration::MAX);
        py.detach(|| self.0.watch(believed)).map(|watch| Watch(Mutex::new(watch))).map_err(raised)
    }

    fn lookup(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8]) -> Answer {
        self.ask(py, uid, Request::Lookup { parent, name }, read_attributes)
    }

    fn attributes(&self, py: Python<'_>, inode: u64) -> Answer {
        self.ask(py, 0, Request::Attributes { inode }, read_attributes)
    }

    #[pyo3(signature = (caller, inode, *, handle=None, mode=None, uid=None, gid=None, size=None, mtime=None))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments of Python's")]
    fn change(
        &self,
        py: Python<'_>,
        caller: u32,
        inode: u64,
        handle: Option<u64>,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        mtime: Option<i64>,
    ) -> Answer {
        let change = Change { mode, uid, gid, size, mtime };
        self.ask(py, caller, Request::Change { inode, handle, change }, read_attributes)
    }

    fn list(&self, py: Python<'_>, uid: u32, inode: u64, after: &[u8], limit: u32) -> Answer {
        self.ask(py, uid, Request::List { inode, after, limit }, read_entries)
    }

    fn make_directory(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8], made: Made) -> Answer {
        let request = Request::MakeDirectory { parent, name, maker: maker(made) };
        self.ask(py, uid, request, read_attributes)
    }

    fn remove_directory(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8]) -> Answer {
        self.ask(py, uid, Request::RemoveDirectory { parent, name }, read_nothing)
    }

    fn unlink(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8]) -> Answer {
        self.ask(py, uid, Request::Unlink { parent, name }, read_nothing)
    }

    #[allow(clippy::too_many_arguments, reason = "what a rename has")]
    fn rename(
        &self,
        py: Python<'_>,
        uid: u32,
        parent: u64,
        name: &[u8],
        new_parent: u64,
        new_name: &[u8],
        keep: bool,
    ) -> Answer {
        self.ask(py, uid, Request::Rename { parent, name, new_parent, new_name, keep }, read_nothing)
    }

    fn link(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8], target: &[u8], made: Made) -> Answer {
        let request = Request::Link { parent, name, target, maker: maker(made) };
        self.ask(py, uid, request, read_attributes)
    }

    fn hard_link(&self, py: Python<'_>, uid: u32, inode: u64, parent: u64, name: &[u8]) -> Answer {
        self.ask(py, uid, Request::HardLink { inode, parent, name }, read_attributes)
    }

    fn read_link(&self, py: Python<'_>, uid: u32, inode: u64) -> Answer {
        self.ask(py, uid, Request::ReadLink { inode }, read_bytes)
    }

    fn create(
        &self,
        py: Python<'_>,
        uid: u32,
        parent: u64,
        name: &[u8],
        made: Made,
        how: (bool, bool, bool, bool),
    ) -> Answer {
        let (read, exclusive, empty, at_once) = how;
        let request = Request::Create { parent, name, maker: maker(made), read, exclusive, empty, at_once };
        self.ask(py, uid, request, read_opened)
    }

    fn open(&self, py: Python<'_>, uid: u32, inode: u64, how: (bool, bool, bool)) -> Answer {
        let (read, write, empty) = how;
        self.ask(py, uid, Request::Open { inode, read, write, empty }, read_opened)
    }

    fn read(&self, py: Python<'_>, handle: u64, offset: u64, length: u32) -> Answer {
        Self::begun(py, || self.0.read(handle, offset, length), length as usize, read_bytes)
    }

    fn write(&self, py: Python<'_>, handle: u64, offset: u64, data: &[u8]) -> Answer {
        Self::begun(py, || self.0.write(handle, offset, data), data.len(), read_nothing)
    }

    fn publish(&self, py: Python<'_>, handle: u64, at_once: bool) -> Answer {
        self.ask(py, 0, Request::Publish { handle, at_once }, read_nothing)
    }

    fn release(&self, py: Python<'_>, handle: u64) -> Answer {
        self.ask(py, 0, Request::Release { handle }, read_nothing)
    }

    fn leave(&self, py: Python<'_>, handle: u64) -> bool {
        py.detach(|| self.0.tell(Request::Release { handle }))
    }

    fn space(&self, py: Python<'_>) -> Answer {
        self.ask(py, 0, Request::Space, read_space)
    }

    fn sync_directory(&self, py: Python<'_>, inode: u64) -> Answer {
        self.ask(py, 0, Request::SyncDirectory { inode }, read_nothing)
    }

    fn set_extended(&self, py: Python<'_>, uid: u32, inode: u64, name: &[u8], value: &[u8], flags: u32) -> Answer {
        self.ask(py, uid, Request::SetExtended { inode, name, value, flags }, read_nothing)
    }

    fn extended(&self, py: Python<'_>, uid: u32, inode: u64, name: &[u8]) -> Answer {
        self.ask(py, uid, Request::Extended { inode, name }, read_bytes)
    }

    fn list_extended(&self, py: Python<'_>, uid: u32, inode: u64) -> Answer {
        self.ask(py, uid, Request::ListExtended { inode }, read_names)
    }

    fn remove_extended(&self, py: Python<'_>, uid: u32, inode: u64, name: &[u8]) -> Answer {
        self.ask(py, uid, Request::RemoveExtended { inode, name }, read_nothing)
    }
}
