//! Users, groups, roles, managed policies, identity providers and access keys: who may sign, and what they were given.
//!
//! [`record`] is what is kept, [`provided`] what comes with the node, [`records`] all of it in memory, [`ring`] what a request looks up, [`directory`] how it
//! changes, [`token`] what sessions are, [`master_key`] what secrets are sealed with.

mod directory;
mod ids;
mod master_key;
mod provided;
mod record;
mod records;
mod ring;
mod token;

pub use directory::{Directory, DirectoryError};
pub use master_key::{MasterKey, Unusable};
pub use ring::{Bearer, KeyRing, PreviousRoot, Stranger};

pub(crate) use directory::Change;
pub(crate) use ids::{NoRandomness, Prefix, mint, secret};
pub(crate) use master_key::{Purpose, equal};
pub(crate) use provided::{all as provided_policies, is_provided};
pub(crate) use record::{AccessKey, Class, Own, PolicyVersion, Record, arn};
pub(crate) use records::{GIDS, Known, Records, UID, uid};
pub(crate) use ring::now;
pub(crate) use token::{Claims, Session, Subject};

#[cfg(test)]
mod tests;
