//! From drives to a store that can serve.
//!
//! 1. [`drives`]: superblocks are read; foreign, doubled and newer ones are refused.
//! 2. [`epochs`]: which epoch is in effect, by superblocks and journals, and which drives missed it.
//! 3. [`journals`]: the newest journal file says what lives; its and all live journals' copies are merged.
//! 4. copies that are not whole are written anew, all are synced, and none is ever appended to again.
//! 5. [`replay`], [`rebuild`]: the index is brought up to the last batch, or made anew.
//! 6. [`returned`]: drives that were away are taken in again, without what nobody needs of them.
//! 7. a new epoch begins on every drive in use, with a new journal file.
//!
//! Every step can be cut short and done again: until 7 nothing but copies of what is durable already was written.

pub mod admission;
mod base;
pub mod drives;
pub mod epochs;
pub mod journals;
pub mod rebuild;
pub mod replay;
pub mod returned;

use std::sync::Arc;

use crate::codec::DecodeError;
use crate::index::IndexError;
use crate::journal::merge::MergeError;
use crate::segment::SegmentError;

/// Why a store can't be opened, each in one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("{0}")]
    Operator(String),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Store(#[from] crate::error::Error),
    #[error("{0}")]
    Format(#[from] DecodeError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

pub type RecoveryResult<T> = Result<T, RecoveryError>;

/// Called with (done, of how many) on long work; `false` ends it.
pub type Progress = Arc<dyn Fn(u64, u64) -> bool + Send + Sync>;
