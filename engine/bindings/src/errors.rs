//! The engine's errors as Python's.

use packstone_s3::{BackupError, StartError};
use packstone_store::Error;
use packstone_store::recovery::RecoveryError;
use pyo3::exceptions::PyException;
use pyo3::{PyErr, create_exception};

create_exception!(
    packstone_engine,
    EngineError,
    PyException,
    "A fault of the engine or of what lies under it: the message says what and where."
);
create_exception!(
    packstone_engine,
    OperatorError,
    EngineError,
    "Something that the operator can mend: one line that says what is wrong and what to do."
);

pub fn from_recovery(error: RecoveryError) -> PyErr {
    match error {
        RecoveryError::Operator(_) | RecoveryError::Merge(_) | RecoveryError::Format(_) => {
            OperatorError::new_err(error.to_string())
        }
        RecoveryError::Segment(_) | RecoveryError::Index(_) | RecoveryError::Store(_) | RecoveryError::Io(_) => {
            EngineError::new_err(error.to_string())
        }
    }
}

pub fn from_store(error: Error) -> PyErr {
    EngineError::new_err(error.to_string())
}

pub fn from_start(error: StartError) -> PyErr {
    OperatorError::new_err(error.to_string())
}

pub fn from_backup(error: BackupError) -> PyErr {
    match error {
        BackupError::Unreadable(_)
        | BackupError::NotEmpty { .. }
        | BackupError::AnotherBegun
        | BackupError::Differs(_) => OperatorError::new_err(error.to_string()),
        BackupError::Store(_) | BackupError::Directory(_) | BackupError::Key(_) => {
            EngineError::new_err(error.to_string())
        }
    }
}
