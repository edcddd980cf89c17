//! `Principal`: who a statement of a resource's policy speaks of.

use super::fault::Fault;
use super::json::Json;

/// A principal as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalName {
    Anyone,
    /// The whole account, by its twelve digits or its root.
    Account(Box<str>),
    /// A user, a role or a session; `id` is the user's or role's who had that name when it was looked up.
    Arn {
        arn: Box<str>,
        id: Option<Box<str>>,
    },
    CanonicalUser(Box<str>),
    Federated(Box<str>),
    Service(Box<str>),
}

pub(super) fn read(value: Json) -> Result<Vec<PrincipalName>, Fault> {
    let kinds = match value {
        Json::Text(text) if text == "*" => return Ok(vec![PrincipalName::Anyone]),
        Json::Text(text) => return Err(Fault::Principal(text.into())),
        Json::Object(kinds) => kinds,
        Json::Null | Json::List(_) => return Err(Fault::Principal("".into())),
    };
    let mut names = Vec::new();
    for (kind, values) in kinds {
        for value in values.strings()? {
            let name =
                named(&kind, &value).ok_or_else(|| Fault::Principal(format!("\"{kind}\":\"{value}\"").into()))?;
            names.push(name);
        }
    }
    if names.is_empty() { Err(Fault::Principal("".into())) } else { Ok(names) }
}

fn named(kind: &str, value: &str) -> Option<PrincipalName> {
    match kind {
        "AWS" => aws(value),
        "CanonicalUser" => (!value.is_empty() && is_name(value)).then(|| PrincipalName::CanonicalUser(value.into())),
        "Federated" => (!value.is_empty() && is_name(value)).then(|| PrincipalName::Federated(value.into())),
        "Service" => value.contains('.').then(|| PrincipalName::Service(value.into())),
        _ => None,
    }
}

fn aws(value: &str) -> Option<PrincipalName> {
    if value == "*" {
        return Some(PrincipalName::Anyone);
    }
    if is_account(value) {
        return Some(PrincipalName::Account(value.into()));
    }
    let mut parts = value.splitn(6, ':');
    let (arn, aws, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    if arn != "arn" || !aws.starts_with("aws") || !region.is_empty() || !is_account(account) || !is_name(name) {
        return None;
    }
    match (service, name.split_once('/')) {
        ("iam", None) if name == "root" => Some(PrincipalName::Account(account.into())),
        ("iam", Some(("user" | "role", rest))) | ("sts", Some(("assumed-role" | "federated-user", rest)))
            if !rest.is_empty() =>
        {
            Some(PrincipalName::Arn { arn: value.into(), id: None })
        }
        _ => None,
    }
}

/// A principal is named whole: a wildcard in it would match nobody, or too many.
fn is_name(text: &str) -> bool {
    !text.contains(['*', '?'])
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
