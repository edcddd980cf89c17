//! Who may do what.
//!
//! A face (S3, mount, worker) names who asks, for which [`Action`] on which [`Resource`]. The answer is a [`Grant`],
//! which nothing outside this crate can make, and every verb of the store takes one and acts on exactly the bucket and
//! key that it names: what was asked and what is done can't differ.
//!
//! The node's root and its workers are answered by [`authorise`]. Everybody else is an [`Identity`] with policies, and
//! is answered by [`Request::authorise`], in the policy language of AWS: documents ([`Policy::parse`]) are checked and
//! compiled once, and a request is decided without reading them again. [`Request::decide`] says which statement
//! decided. Nothing here does I/O or keeps state: documents, facts and ACLs come in, decisions go out.

mod acl;
mod action;
mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod glob;
mod grant;
mod inquiry;
mod pattern;
mod policy;
mod principal;
mod public_access;
mod template;

pub use acl::{Acl, AclGrant, CannedAcl, Grantee, Group, ObjectOwnership, Permission};
pub use action::{Action, Level};
pub use context::{Context, Fact, Facts, Key, Name};
pub use decision::{Basis, Decision, Place, Refusal, Source};
pub use document::{Fault, Malformed, PolicyKind};
pub use evaluate::{Request, Scope};
pub use grant::{Actor, Denied, Grant, Resource, authorise};
pub use policy::{Policy, Statement};
pub use principal::{Identity, Kind, Owner, PosixIds, Principal};
pub use public_access::PublicAccessBlock;
