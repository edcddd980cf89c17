//! The store: object-storage engine of one node.
//!
//! Rooms, from the ground up: `drive`, `erasure`, `crypto`, `journal`, `segment`, `index`, `commit`, `object`; beside them
//! `recovery`, `placement`, `sealing`, `healing`, `compaction`, `checkpoint`. `docs/format.md` draws the bytes, `docs/durability.md` says what is promised.

pub mod arrivals;
mod cache;
pub mod checkpoint;
pub mod checksum;
pub mod codec;
pub mod commit;
pub mod compaction;
pub mod compliance;
pub mod compression;
pub mod configuration;
pub mod crypto;
mod data_lock;
pub mod dictionary;
pub mod drive;
pub mod enclosure;
pub mod epoch;
pub mod erasure;
pub mod error;
pub mod feed;
pub mod healing;
pub mod index;
mod initialisation;
mod intake;
pub mod journal;
mod keeper;
pub mod ledger;
mod name_changes;
pub mod node;
pub mod object;
pub mod placement;
pub mod pool;
pub mod quota;
pub mod record;
pub mod recovery;
mod replacement;
pub mod retention;
mod room;
mod roster;
pub mod scrubbing;
pub mod sealing;
pub mod segment;
pub mod shortage;
pub mod startup;
pub mod status;
mod store;
mod streams;
pub mod time;
pub mod verify;
pub mod version;
pub mod watch;

pub use error::{Error, Result};
pub use initialisation::{check_pools, initialise, is_initialised};
pub use intake::{Opener, open_directory};
pub use name_changes::NameChange;
pub use object::{Object, ObjectReader, ObjectWriter};
pub use replacement::replace_drive;
pub use room::Room;
pub use store::{RebuildReport, Settings, Store, rebuild_index};
