//! The only place where Python meets Rust. No logic: settings are converted, the GIL is released, the engine is called,
//! its error is mapped. `python/packstone_engine/__init__.pyi` is the contract, held by stubtest.

mod errors;
mod files;
mod log;
mod metrics;
mod node;
mod posix;
mod quota;
mod settings;
mod status;
mod worm;

use mimalloc::MiMalloc;
use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("EngineError", module.py().get_type::<errors::EngineError>())?;
    module.add("OperatorError", module.py().get_type::<errors::OperatorError>())?;
    module.add_class::<settings::PoolSettings>()?;
    module.add_class::<settings::EngineSettings>()?;
    module.add_class::<settings::S3Settings>()?;
    module.add_class::<status::DriveStatus>()?;
    module.add_class::<status::PoolStatus>()?;
    module.add_class::<status::HealingStatus>()?;
    module.add_class::<status::MovingStatus>()?;
    module.add_class::<status::ScrubStatus>()?;
    module.add_class::<status::CheckpointStatus>()?;
    module.add_class::<status::JournalStatus>()?;
    module.add_class::<status::BucketUsage>()?;
    module.add_class::<status::ClockStatus>()?;
    module.add_class::<status::Status>()?;
    module.add_class::<status::VerifyReport>()?;
    module.add_class::<status::LostObject>()?;
    module.add_class::<status::RebuildReport>()?;
    module.add_class::<worm::LockableBucket>()?;
    module.add_class::<worm::LockedVersion>()?;
    module.add_class::<worm::LockedPage>()?;
    module.add_class::<worm::LedgerEvent>()?;
    module.add_class::<posix::PosixAttributes>()?;
    module.add_class::<quota::Quota>()?;
    module.add_class::<node::Node>()?;
    module.add_class::<files::Answer>()?;
    module.add_class::<files::Content>()?;
    module.add_class::<files::Files>()?;
    module.add_class::<files::Watch>()?;
    module.add_function(wrap_pyfunction!(node::initialise, module)?)?;
    module.add_function(wrap_pyfunction!(node::is_initialised, module)?)?;
    module.add_function(wrap_pyfunction!(node::rebuild_index, module)?)?;
    module.add_function(wrap_pyfunction!(node::replace_drive, module)?)?;
    log::install();
    Ok(())
}
