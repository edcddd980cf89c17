//! A resource's policy with the ids of those whom it names.
//!
//! An ARN says a name, and a name can come to be somebody else's. So who is named is looked up once, when the policy is
//! put, and it speaks of that user or role from then on: also under another name, and of nobody once they are gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use packstone_access::{Malformed, Policy, PolicyKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::identity::{Class, Records};
use crate::owner;

/// What a document begins with that has ids beside its text; the last byte is the format's version.
const MAGIC: &[u8; 5] = b"PSBP\x01";

/// Ids by the ARNs of users, roles and sessions.
pub(crate) type Ids = BTreeMap<String, String>;

/// A policy as a bucket keeps it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BoundPolicy {
    /// As it was put.
    pub text: String,
    pub ids: Ids,
}

/// An ARN of this account that is nobody's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nobody(pub String);

impl BoundPolicy {
    /// None for what no version of this program wrote.
    pub fn decode(document: &[u8]) -> Option<Self> {
        match document.strip_prefix(MAGIC.as_slice()) {
            Some(bytes) => serde_json::from_slice(bytes).ok(),
            None => Some(Self { text: std::str::from_utf8(document).ok()?.to_owned(), ids: Ids::new() }),
        }
    }

    /// The text alone where it names nobody.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        if self.ids.is_empty() {
            return Ok(self.text.clone().into_bytes());
        }
        let mut out = MAGIC.to_vec();
        serde_json::to_writer(&mut out, self)?;
        Ok(out)
    }

    pub fn compile(&self, kind: PolicyKind, name: &str) -> Result<Arc<Policy>, Malformed> {
        Policy::parse_bound(kind, name, &self.text, &self.ids)
    }
}

/// The ids of those whom a policy names.
///
/// # Errors
/// [`Nobody`]: as on AWS, nobody can be named who isn't there.
pub(crate) fn ids(policy: &Policy, records: &Records) -> Result<Ids, Nobody> {
    let mut ids = Ids::new();
    for arn in policy.named() {
        let mut parts = arn.splitn(6, ':');
        let (service, account, path) = (parts.nth(2), parts.nth(1), parts.next());
        // Nobody comes from another account, or by a session that isn't a role's.
        if account != Some(owner::ACCOUNT) || path.is_none_or(|path| path.starts_with("federated-user/")) {
            continue;
        }
        let found = match service {
            Some("sts") => path.and_then(|path| records.named(Class::Role, path.split('/').nth(1)?)),
            _ => records.of_arn(Class::User, arn).or_else(|| records.of_arn(Class::Role, arn)),
        };
        let found = found.ok_or_else(|| Nobody(arn.to_owned()))?;
        ids.insert(arn.to_owned(), found.record.id.clone());
    }
    Ok(ids)
}

/// The text as it is told: who has another name since is called by that, and who is gone by their id.
pub(crate) fn told(text: &str, ids: &Ids, records: &Records) -> String {
    let names: BTreeMap<&str, String> = ids
        .iter()
        .filter_map(|(arn, id)| {
            let name = match records.by_id(id) {
                // A session is called by its role's name, which doesn't change.
                Some(known) if known.record.arn() == *arn || arn.starts_with("arn:aws:sts:") => return None,
                Some(known) => known.record.arn(),
                None => id.clone(),
            };
            Some((arn.as_str(), name))
        })
        .collect();
    match serde_json::from_str(text) {
        Ok(mut policy) if !names.is_empty() => {
            rename(&mut policy, &names);
            policy.to_string()
        }
        _ => text.to_owned(),
    }
}

fn rename(policy: &mut Value, names: &BTreeMap<&str, String>) {
    let Some(statements) = policy.get_mut("Statement") else { return };
    let statements = match statements {
        Value::Array(many) => many.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for statement in statements {
        for field in ["Principal", "NotPrincipal"] {
            let listed = statement.get_mut(field).and_then(|principal| principal.get_mut("AWS"));
            let listed = match listed {
                Some(Value::Array(many)) => many.as_mut_slice(),
                Some(one) => std::slice::from_mut(one),
                None => continue,
            };
            for value in listed {
                if let Some(name) = value.as_str().and_then(|arn| names.get(arn)) {
                    *value = Value::String(name.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
