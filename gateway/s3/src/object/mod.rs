//! The verbs on objects, one file a family.

mod append;
mod attributes;
pub(crate) mod complete;
mod copy;
mod delete;
mod get;
pub(crate) mod list;
pub(crate) mod lock;
mod multipart;
mod part;
mod put;
pub(crate) mod range;
mod rename;
mod tagging;
mod uploads;
pub(crate) mod url;
pub(crate) mod version;
pub(crate) mod versions;
