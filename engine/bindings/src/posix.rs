//! What a mount shows of an object.

use packstone_store::record::Posix;
use pyo3::prelude::*;

#[pyclass(module = "packstone_engine", frozen, get_all)]
pub struct PosixAttributes {
    uid: u32,
    gid: u32,
    mode: u32,
}

impl From<Posix> for PosixAttributes {
    fn from(posix: Posix) -> Self {
        let Posix { uid, gid, mode, .. } = posix;
        Self { uid, gid, mode }
    }
}
