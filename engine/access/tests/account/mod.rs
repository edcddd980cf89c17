//! An account with a bucket and people, for the tests of this crate.
#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use packstone_access::{
    Action, Context, Decision, Identity, Kind, Owner, Policy, PolicyKind, Principal, Request, Resource, Scope,
};

pub const ACCOUNT: &str = "111122223333";
pub const OTHER: &str = "444455556666";
pub const BUCKET: &str = "ticks";

pub fn owner(account: &str) -> Owner {
    Owner { account: account.into(), canonical_id: format!("{account:0>64}").into() }
}

pub fn user(name: &str) -> Identity {
    user_of(ACCOUNT, name)
}

pub fn user_of(account: &str, name: &str) -> Identity {
    let kind = Kind::User { path: "/".into(), name: name.into(), id: format!("AIDA{}", name.to_uppercase()).into() };
    Identity::new(Principal::new(kind, owner(account)))
}

pub fn root_of(account: &str) -> Identity {
    Identity::new(Principal::new(Kind::Root, owner(account)))
}

pub fn session(role: &str, session: &str) -> Identity {
    let kind = Kind::Role { path: "/".into(), name: role.into(), id: "AROAROLE".into(), session: session.into() };
    Identity::new(Principal::new(kind, owner(ACCOUNT)))
}

pub fn anonymous() -> Identity {
    Identity::new(Principal::anonymous())
}

/// A document of these statements.
pub fn document(statements: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)
}

pub fn inline(statements: &str) -> Arc<Policy> {
    Policy::parse(PolicyKind::Inline, "inline", &document(statements)).unwrap()
}

pub fn bucket_policy(statements: &str) -> Arc<Policy> {
    Policy::parse(PolicyKind::Bucket(BUCKET.into()), BUCKET, &document(statements)).unwrap()
}

/// Asks, and hands the answer to `look`.
pub fn ask<T>(
    identity: Identity,
    action: Action,
    resource: Resource<'_>,
    facts: &Context,
    scope: Scope<'_>,
    look: impl Fn(Decision<'_>) -> T,
) -> T {
    look(Request { identity: &Arc::new(identity), action, resource, facts, scope }.decide())
}

/// Whether it may have `key` of the bucket, which has this policy.
pub fn may_get(identity: Identity, policy: Option<&Policy>, key: &str) -> bool {
    let own = owner(ACCOUNT);
    let scope = Scope { owner: Some(&own), policy, ..Scope::default() };
    let resource = Resource::Object { bucket: BUCKET, key };
    ask(identity, Action::GetObject, resource, &Context::new(), scope, |decision| decision.is_allowed())
}
