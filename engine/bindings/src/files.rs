//! A mount's side of the connections that a node serves files on.

use std::io::ErrorKind;
use std::path::PathBuf;

use packstone_posix::protocol::{Attributes, Change, Entry, Maker, Request};
use packstone_posix::{Client, Credentials, Remote, client};
use packstone_store::codec::{DecodeError, Reader};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// (inode, mode, links, uid, gid, size, mtime, ctime, device, content)
type Told = (u64, u32, u32, u32, u32, u64, i64, i64, u32, u64);
/// (name, place, attributes)
type Listed = (Vec<u8>, Vec<u8>, Told);
/// (mode, uid, gid, device)
type Made = (u32, u32, u32, u32);

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

#[pyclass(module = "packstone_engine", frozen)]
pub struct Files(Client);

impl Files {
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        uid: u32,
        request: Request<'_>,
        read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError> + Send,
    ) -> PyResult<T> {
        py.detach(|| self.0.ask(uid, request, read)).map_err(raised)
    }
}

#[pymethods]
impl Files {
    #[staticmethod]
    #[pyo3(signature = (socket, user=""))]
    fn connect(py: Python<'_>, socket: PathBuf, user: &str) -> PyResult<Self> {
        py.detach(|| Client::connect(&socket, user)).map(Self).map_err(raised)
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
        py.detach(connect).map(Self).map_err(raised)
    }

    fn lookup(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8]) -> PyResult<Told> {
        self.ask(py, uid, Request::Lookup { parent, name }, client::attributes).map(told)
    }

    fn attributes(&self, py: Python<'_>, inode: u64) -> PyResult<Told> {
        self.ask(py, 0, Request::Attributes { inode }, client::attributes).map(told)
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
    ) -> PyResult<Told> {
        let change = Change { mode, uid, gid, size, mtime };
        self.ask(py, caller, Request::Change { inode, handle, change }, client::attributes).map(told)
    }

    fn list(&self, py: Python<'_>, uid: u32, inode: u64, after: &[u8], limit: u32) -> PyResult<Vec<Listed>> {
        let entries = self.ask(py, uid, Request::List { inode, after, limit }, client::entries)?;
        let entry = |Entry { name, place, attributes }| (name.into_bytes(), place.into_bytes(), told(attributes));
        Ok(entries.into_iter().map(entry).collect())
    }

    fn make_directory(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8], made: Made) -> PyResult<Told> {
        let request = Request::MakeDirectory { parent, name, maker: maker(made) };
        self.ask(py, uid, request, client::attributes).map(told)
    }

    fn remove_directory(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8]) -> PyResult<()> {
        self.ask(py, uid, Request::RemoveDirectory { parent, name }, client::done)
    }

    fn unlink(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8]) -> PyResult<()> {
        self.ask(py, uid, Request::Unlink { parent, name }, client::done)
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
    ) -> PyResult<()> {
        self.ask(py, uid, Request::Rename { parent, name, new_parent, new_name, keep }, client::done)
    }

    fn link(&self, py: Python<'_>, uid: u32, parent: u64, name: &[u8], target: &[u8], made: Made) -> PyResult<Told> {
        let request = Request::Link { parent, name, target, maker: maker(made) };
        self.ask(py, uid, request, client::attributes).map(told)
    }

    fn hard_link(&self, py: Python<'_>, uid: u32, inode: u64, parent: u64, name: &[u8]) -> PyResult<Told> {
        self.ask(py, uid, Request::HardLink { inode, parent, name }, client::attributes).map(told)
    }

    fn read_link<'py>(&self, py: Python<'py>, uid: u32, inode: u64) -> PyResult<Bound<'py, PyBytes>> {
        let target = self.ask(py, uid, Request::ReadLink { inode }, client::bytes)?;
        Ok(PyBytes::new(py, &target))
    }

    fn create(
        &self,
        py: Python<'_>,
        uid: u32,
        parent: u64,
        name: &[u8],
        made: Made,
        how: (bool, bool, bool),
    ) -> PyResult<(Told, u64)> {
        let (read, exclusive, empty) = how;
        let request = Request::Create { parent, name, maker: maker(made), read, exclusive, empty };
        self.ask(py, uid, request, client::opened).map(|(attributes, handle)| (told(attributes), handle))
    }

    fn open(&self, py: Python<'_>, uid: u32, inode: u64, how: (bool, bool, bool)) -> PyResult<(Told, u64)> {
        let (read, write, empty) = how;
        let opened = self.ask(py, uid, Request::Open { inode, read, write, empty }, client::opened);
        opened.map(|(attributes, handle)| (told(attributes), handle))
    }

    fn read<'py>(&self, py: Python<'py>, handle: u64, offset: u64, length: u32) -> PyResult<Bound<'py, PyBytes>> {
        let data = self.ask(py, 0, Request::Read { handle, offset, length }, client::bytes)?;
        Ok(PyBytes::new(py, &data))
    }

    fn write(&self, py: Python<'_>, handle: u64, offset: u64, data: &[u8]) -> PyResult<()> {
        self.ask(py, 0, Request::Write { handle, offset, data }, client::done)
    }

    fn publish(&self, py: Python<'_>, handle: u64) -> PyResult<()> {
        self.ask(py, 0, Request::Publish { handle }, client::done)
    }

    fn release(&self, py: Python<'_>, handle: u64) -> PyResult<()> {
        self.ask(py, 0, Request::Release { handle }, client::done)
    }

    fn space(&self, py: Python<'_>) -> PyResult<(u64, u64, u64)> {
        self.ask(py, 0, Request::Space, client::space).map(|space| (space.total, space.free, space.files))
    }

    fn set_extended(
        &self,
        py: Python<'_>,
        uid: u32,
        inode: u64,
        name: &[u8],
        value: &[u8],
        flags: u32,
    ) -> PyResult<()> {
        self.ask(py, uid, Request::SetExtended { inode, name, value, flags }, client::done)
    }

    fn extended<'py>(&self, py: Python<'py>, uid: u32, inode: u64, name: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let value = self.ask(py, uid, Request::Extended { inode, name }, client::bytes)?;
        Ok(PyBytes::new(py, &value))
    }

    fn list_extended(&self, py: Python<'_>, uid: u32, inode: u64) -> PyResult<Vec<String>> {
        self.ask(py, uid, Request::ListExtended { inode }, client::names)
    }

    fn remove_extended(&self, py: Python<'_>, uid: u32, inode: u64, name: &[u8]) -> PyResult<()> {
        self.ask(py, uid, Request::RemoveExtended { inode, name }, client::done)
    }
}
