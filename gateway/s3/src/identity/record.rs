//! What is kept of users, groups, roles, managed policies and identity providers: one document each, under its id, so that every change is
//! one entry of the journal. `docs/iam.md` says what stands in it.

use std::collections::{BTreeMap, BTreeSet};

use packstone_store::object::Document;
use serde::{Deserialize, Serialize};

use super::ids::Prefix;
use super::provided;
use crate::owner;

/// The kind of the documents.
pub(crate) const KIND: &str = "identity";
/// What a document begins with; the last byte is the format's version.
const MAGIC: &[u8; 5] = b"PSID\x01";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    User,
    Group,
    Role,
    Policy,
    /// An OpenID Connect provider; its name is its URL without the scheme.
    Provider,
}

impl Class {
    /// As ARNs and messages have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Provider => "oidc-provider",
        }
    }

    pub(crate) const fn prefix(self) -> Prefix {
        match self {
            Self::User => Prefix::User,
            Self::Group => Prefix::Group,
            Self::Role => Prefix::Role,
            Self::Policy => Prefix::Policy,
            Self::Provider => Prefix::Provider,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    /// Slash to slash, `/` for none.
    pub path: String,
    pub name: String,
    /// Unix seconds.
    pub created: i64,
    pub tags: BTreeMap<String, String>,
    /// Inline policies: name to text.
    pub inline: BTreeMap<String, String>,
    /// Ids of managed policies.
    pub attached: BTreeSet<String>,
    /// The id of the managed policy that is the permissions boundary.
    pub boundary: Option<String>,
    pub own: Own,
}

/// What is of one class alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Own {
    User {
        keys: Vec<AccessKey>,
        /// Ids.
        groups: BTreeSet<String>,
    },
    Group,
    Role {
        /// Who may assume it.
        trust: String,
        /// Ids of those whom that names, by their ARNs.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        trusted: BTreeMap<String, String>,
        description: String,
        /// Seconds.
        longest: u32,
    },
    Policy {
        description: String,
        /// Oldest first.
        versions: Vec<PolicyVersion>,
        /// The number of the one in force.
        default: u32,
        /// The number that the next gets.
        next: u32,
    },
    Provider {
        /// With its scheme.
        url: String,
        /// Who tokens may be made for.
        clients: Vec<String>,
        /// Kept and given back: certificates are judged by authorities.
        thumbprints: Vec<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    pub id: String,
    /// Base64 of the secret as the master key sealed it, bound to the id.
    pub secret: String,
    pub active: bool,
    /// Unix seconds.
    pub created: i64,
    /// The same by the compliance clock, which nobody sets; not said of keys of the first releases.
    #[serde(default)]
    pub made: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub number: u32,
    pub text: String,
    /// Unix seconds.
    pub created: i64,
}

impl Record {
    pub fn class(&self) -> Class {
        match self.own {
            Own::User { .. } => Class::User,
            Own::Group => Class::Group,
            Own::Role { .. } => Class::Role,
            Own::Policy { .. } => Class::Policy,
            Own::Provider { .. } => Class::Provider,
        }
    }

    pub fn arn(&self) -> String {
        provided::arn(self).unwrap_or_else(|| arn(self.class(), &self.path, &self.name))
    }

    pub fn keys(&self) -> &[AccessKey] {
        match &self.own {
            Own::User { keys, .. } => keys,
            _ => &[],
        }
    }

    /// The text of a managed policy that is in force.
    pub fn text(&self) -> Option<&str> {
        match &self.own {
            Own::Policy { versions, default, .. } => {
                versions.iter().find(|version| version.number == *default).map(|version| version.text.as_str())
            }
            _ => None,
        }
    }

    pub fn is_member_of(&self, group: &str) -> bool {
        matches!(&self.own, Own::User { groups, .. } if groups.contains(group))
    }

    /// Ids of the managed policies that it can't be without.
    pub fn uses(&self, policy: &str) -> bool {
        self.attached.contains(policy) || self.boundary.as_deref() == Some(policy)
    }

    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let mut out = MAGIC.to_vec();
        serde_json::to_writer(&mut out, self)?;
        Ok(out)
    }

    /// None for what no version of this program wrote.
    pub fn decode(document: &Document) -> Option<Self> {
        serde_json::from_slice(document.value.strip_prefix(MAGIC.as_slice())?).ok()
    }
}

/// The ARN of what has that name in this account.
pub fn arn(class: Class, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{}:{}{path}{name}", owner::ACCOUNT, class.word())
}
