//! Every example of `docs/policies.md` is a policy, and does what is said below it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod account;

use std::sync::Arc;

use account::{ACCOUNT, BUCKET, anonymous, owner, root_of, user};
use packstone_access::{Action, Context, Identity, Key, Name, Policy, PolicyKind, Request, Resource, Scope};

const PAGE: &str = include_str!("../../../docs/policies.md");

/// The fenced blocks of the page: what stands after the fence, and the text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    PAGE.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap()).collect()
}

/// The policies that a block of requests is asked of.
#[derive(Default)]
struct Attached {
    identity: Option<Arc<Policy>>,
    boundary: Option<Arc<Policy>>,
    bucket: Option<Arc<Policy>>,
}

impl Attached {
    fn attach(&mut self, kind: &str, text: &str) {
        let parse =
            |kind| Policy::parse(kind, "example", text).unwrap_or_else(|malformed| panic!("{malformed}: {text}"));
        match kind {
            "json identity" => *self = Self { identity: Some(parse(PolicyKind::Inline)), ..Self::default() },
            "json boundary" => (self.boundary, self.bucket) = (Some(parse(PolicyKind::Inline)), None),
            "json bucket" | "json bucket public" => {
                let policy = parse(PolicyKind::Bucket(BUCKET.into()));
                assert_eq!(policy.is_public(), kind.ends_with("public"), "{text}");
                self.bucket = Some(policy);
            }
            _ => panic!("a block of {kind}"),
        }
    }

    fn identity(&self, who: &str) -> Identity {
        let mut identity = match who {
            "anonymous" => return anonymous(),
            "root" => return root_of(ACCOUNT),
            name => user(name),
        };
        identity.policies.extend(self.identity.clone());
        identity.boundary = self.boundary.clone();
        identity
    }

    /// `WHO may [not] ACTION RESOURCE [if KEY=VALUE …]`
    fn check(&self, line: &str) {
        let (question, facts) = line.split_once(" if ").unwrap_or((line, ""));
        let words: Vec<&str> = question.split(' ').collect();
        let [who, "may", denied @ .., action, resource] = &words[..] else { panic!("{line}") };
        let action = Action::from_name(action).expect(line);
        let resource = match resource.split_once('/') {
            Some((bucket, key)) => Resource::Object { bucket, key },
            None => Resource::Bucket(resource),
        };
        let mut context = Context::new();
        for (key, value) in facts.split_whitespace().map(|fact| fact.split_once('=').unwrap()) {
            context = context.with(Key::parse(key).unwrap().name, value);
        }
        let (identity, own) = (Arc::new(self.identity(who)), owner(ACCOUNT));
        let scope = Scope { owner: Some(&own), policy: self.bucket.as_deref(), ..Scope::default() };
        let request = Request { identity: &identity, action, resource, facts: &context, scope };
        assert_eq!(request.decide().is_allowed(), denied.is_empty(), "{line}: {}", request.decide());
    }
}

#[test]
fn every_example_does_what_the_page_says() {
    let mut attached = Attached::default();
    let mut checked = 0;
    for (kind, text) in blocks() {
        if kind == "requests" {
            text.lines().for_each(|line| attached.check(line));
            checked += text.lines().count();
        } else {
            attached.attach(kind, text);
        }
    }
    assert_eq!(checked, 12);
}

#[test]
fn the_page_names_every_key_and_limit() {
    for name in Name::ALL {
        assert!(PAGE.contains(&format!("`{}`", name.text())), "{}", name.text());
    }
    let bucket = PolicyKind::Bucket(BUCKET.into());
    for kind in [PolicyKind::Managed, PolicyKind::Inline, PolicyKind::Session, PolicyKind::Trust, bucket] {
        let limit = kind.limit();
        assert!(PAGE.contains(&format!("| {},{:03} |", limit / 1000, limit % 1000)), "{kind:?}");
    }
}
