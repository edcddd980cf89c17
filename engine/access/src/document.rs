//! Policy documents: JSON in, checked statements out.
//!
//! What is refused, and in which words, follows AWS: S3 answers for bucket policies, IAM for all others.

mod action;
mod fault;
mod json;
mod principal;
mod resource;
mod statement;

pub(crate) use action::ActionPattern;
pub use fault::{Fault, Malformed};
pub(crate) use principal::PrincipalName;
pub(crate) use statement::{Document, Effect, Listed, Principals, Statement};

use json::Json;

/// What a policy is attached to, which says what may stand in it and how long it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A managed policy of IAM: 6,144 characters.
    Managed,
    /// An inline policy of a user, group or role. 10,240 characters; IAM allows 2,048 a user and 5,120 a group in sum.
    Inline,
    /// Given with a session: 2,048 characters.
    Session,
    /// Who may assume a role: 2,048 characters.
    Trust,
    /// A bucket's: 20,480 bytes.
    Bucket(Box<str>),
}

/// What a text may hold before white space is taken off: enough for any policy, and a bound on what is parsed.
const RAW_LIMIT: usize = 128 * 1024;

impl PolicyKind {
    /// In bytes without white space.
    #[must_use]
    pub fn limit(&self) -> usize {
        match self {
            Self::Managed => 6_144,
            Self::Inline => 10_240,
            Self::Session | Self::Trust => 2_048,
            Self::Bucket(_) => 20_480,
        }
    }

    /// Whether its statements name principals.
    fn names_principals(&self) -> bool {
        matches!(self, Self::Bucket(_) | Self::Trust)
    }
}

impl Document {
    pub fn parse(kind: &PolicyKind, text: &str) -> Result<Self, Malformed> {
        read(kind, text).map_err(|fault| Malformed::new(kind, fault))
    }
}

fn read(kind: &PolicyKind, text: &str) -> Result<Document, Fault> {
    let length = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).count();
    if length > kind.limit() || text.len() > RAW_LIMIT {
        return Err(Fault::TooLarge { limit: kind.limit() });
    }
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Fault::NotAnObject);
    }
    let Json::Object(fields) = json::parse(text)? else { return Err(Fault::NotAnObject) };
    statement::document(kind, fields)
}
