//! The document's frame and its statements.

use std::collections::HashSet;

use super::PolicyKind;
use super::action;
use super::fault::Fault;
use super::json::Json;
use super::principal::{self, PrincipalName};
use super::resource;
use crate::condition::Condition;
use crate::pattern::Pattern;

/// A document that was checked.
#[derive(Debug)]
pub(crate) struct Document {
    pub statements: Vec<Statement>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// An element, or its negation (`NotAction` and the like).
#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub negated: bool,
    pub items: Vec<T>,
}

pub(crate) type Principals = Listed<PrincipalName>;

#[derive(Debug)]
pub(crate) struct Statement {
    pub sid: Option<Box<str>>,
    pub effect: Effect,
    /// None in policies of identities.
    pub principals: Option<Principals>,
    pub actions: Listed<String>,
    /// None in trust policies.
    pub resources: Option<Listed<Pattern>>,
    pub conditions: Vec<Condition>,
}

const CURRENT_VERSION: &str = "2012-10-17";
const OLD_VERSION: &str = "2008-10-17";

pub(super) fn document(kind: &PolicyKind, fields: Vec<(String, Json)>) -> Result<Document, Fault> {
    let mut version = None;
    let mut statements = None;
    for (name, value) in fields {
        match name.as_str() {
            "Version" => version = Some(value.string().map_err(|_| Fault::Version)?),
            "Id" => drop(value.string()?),
            "Statement" => statements = Some(value),
            _ => return Err(Fault::UnknownField(name.into())),
        }
    }
    // A variable is text in the old version of the language.
    let variables = match version.as_deref() {
        Some(CURRENT_VERSION) => true,
        Some(OLD_VERSION) | None if *kind != PolicyKind::Managed => false,
        _ => return Err(Fault::Version),
    };
    let statements = match statements.ok_or(Fault::MissingStatement)? {
        Json::List(items) => items,
        one => vec![one],
    };
    if statements.is_empty() {
        return Err(Fault::EmptyStatement);
    }
    let statements: Vec<Statement> =
        statements.into_iter().map(|item| statement(kind, variables, item.object()?)).collect::<Result<_, _>>()?;
    let mut sids = HashSet::new();
    if !statements.iter().filter_map(|statement| statement.sid.as_deref()).all(|sid| sids.insert(sid)) {
        return Err(Fault::DuplicateSid);
    }
    Ok(Document { statements })
}

/// The fields of a statement, as they are found.
#[derive(Default)]
struct Fields {
    sid: Option<Json>,
    effect: Option<Json>,
    principal: Option<Listed<Json>>,
    action: Option<Listed<Json>>,
    resource: Option<Listed<Json>>,
    condition: Option<Json>,
}

impl Fields {
    fn read(fields: Vec<(String, Json)>) -> Result<Self, Fault> {
        let mut read = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "Sid" => read.sid = Some(value),
                "Effect" => read.effect = Some(value),
                "Condition" => read.condition = Some(value),
                "Principal" => put(&mut read.principal, false, value)?,
                "NotPrincipal" => put(&mut read.principal, true, value)?,
                "Action" => put(&mut read.action, false, value)?,
                "NotAction" => put(&mut read.action, true, value)?,
                "Resource" => put(&mut read.resource, false, value)?,
                "NotResource" => put(&mut read.resource, true, value)?,
                _ => return Err(Fault::UnknownField(name.into())),
            }
        }
        Ok(read)
    }
}

/// An element and its negation exclude each other.
fn put(slot: &mut Option<Listed<Json>>, negated: bool, value: Json) -> Result<(), Fault> {
    match slot.replace(Listed { negated, items: vec![value] }) {
        None => Ok(()),
        Some(_) => Err(Fault::Shape),
    }
}

fn statement(kind: &PolicyKind, variables: bool, fields: Vec<(String, Json)>) -> Result<Statement, Fault> {
    let fields = Fields::read(fields)?;
    let sid = fields.sid.map(Json::string).transpose()?.filter(|sid| !sid.is_empty());
    let sid = sid.map(|sid| check_sid(kind, sid)).transpose()?;
    let actions = strings(fields.action)?.filter(|actions| !actions.items.is_empty()).ok_or(Fault::MissingAction)?;
    let effect = effect(fields.effect)?;
    let principals = principals(kind, effect, fields.principal)?;
    let resources = strings(fields.resource)?.filter(|resources| !resources.items.is_empty());
    let resources = match (kind, resources) {
        (PolicyKind::Trust, None) => None,
        (PolicyKind::Trust, Some(_)) => return Err(Fault::ProhibitedResource),
        (_, None) => return Err(Fault::MissingResource),
        (_, Some(resources)) => Some(resources),
    };
    for name in &actions.items {
        action::check(kind, name)?;
    }
    let resources = match resources {
        None => None,
        Some(names) => {
            let patterns = resource::compile(kind, variables, &names)?;
            if matches!(kind, PolicyKind::Bucket(_)) {
                action::check_applies(&actions, &names)?;
            }
            Some(patterns)
        }
    };
    let conditions = conditions(kind, variables, fields.condition)?;
    Ok(Statement { sid, effect, principals, actions, resources, conditions })
}

fn check_sid(kind: &PolicyKind, sid: String) -> Result<Box<str>, Fault> {
    let of_bucket = matches!(kind, PolicyKind::Bucket(_));
    if of_bucket || sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(sid.into())
    } else {
        Err(Fault::Sid(sid.into()))
    }
}

fn effect(value: Option<Json>) -> Result<Effect, Fault> {
    let text = value.ok_or(Fault::MissingEffect)?.string()?;
    match text.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        _ => Err(Fault::Effect(text.into())),
    }
}

fn strings(listed: Option<Listed<Json>>) -> Result<Option<Listed<String>>, Fault> {
    let Some(Listed { negated, items }) = listed else { return Ok(None) };
    let items: Vec<Vec<String>> = items.into_iter().map(Json::strings).collect::<Result<_, _>>()?;
    Ok(Some(Listed { negated, items: items.into_iter().flatten().collect() }))
}

fn principals(kind: &PolicyKind, effect: Effect, value: Option<Listed<Json>>) -> Result<Option<Principals>, Fault> {
    let Some(Listed { negated, items }) = value else {
        return if kind.names_principals() { Err(Fault::MissingPrincipal) } else { Ok(None) };
    };
    if !kind.names_principals() {
        return Err(Fault::ProhibitedPrincipal);
    }
    if negated && effect == Effect::Allow {
        return Err(Fault::AllowNotPrincipal);
    }
    let names: Vec<Vec<PrincipalName>> = items.into_iter().map(principal::read).collect::<Result<_, _>>()?;
    Ok(Some(Listed { negated, items: names.into_iter().flatten().collect() }))
}

fn conditions(kind: &PolicyKind, variables: bool, value: Option<Json>) -> Result<Vec<Condition>, Fault> {
    let mut conditions = Vec::new();
    for (operator, keys) in value.map(Json::object).transpose()?.unwrap_or_default() {
        for (key, values) in keys.object()? {
            let condition = Condition::new(&operator, &key, &values.strings()?, variables)?;
            if matches!(kind, PolicyKind::Bucket(_)) && !condition.is_of_buckets() {
                return Err(Fault::Key(key.into()));
            }
            conditions.push(condition);
        }
    }
    Ok(conditions)
}
