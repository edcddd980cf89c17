//! Compiled evaluation against a plain one: random documents, random requests, the same answer.
//!
//! The plain one reads JSON for every question, matches by the textbook's table, and writes AWS's rules out as they
//! are told: all denies first, then the sides that must allow.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod account;

use std::net::Ipv4Addr;
use std::sync::Arc;

use account::{ACCOUNT, BUCKET, OTHER, anonymous, owner, root_of, session, user, user_of};
use packstone_access::{Action, Context, Identity, Name, Policy, PolicyKind, Request, Resource, Scope};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A request in plain words.
#[derive(Clone, Debug)]
struct Asked {
    who: &'static str,
    action: Action,
    key: &'static str,
    prefix: Option<&'static str>,
    address: Option<&'static str>,
    tags: Vec<&'static str>,
}

impl Asked {
    fn identity(&self) -> Identity {
        match self.who {
            "alice" => user("alice"),
            "eve" => user_of(OTHER, "eve"),
            "reader" => session("reader", "monday"),
            "root" => root_of(ACCOUNT),
            _ => anonymous(),
        }
    }

    fn account(&self) -> &'static str {
        match self.who {
            "eve" => OTHER,
            "stranger" => "",
            _ => ACCOUNT,
        }
    }

    fn arn(&self) -> &'static str {
        match self.who {
            "alice" => "arn:aws:iam::111122223333:user/alice",
            "eve" => "arn:aws:iam::444455556666:user/eve",
            "reader" => "arn:aws:iam::111122223333:role/reader",
            "root" => "arn:aws:iam::111122223333:root",
            _ => "",
        }
    }

    fn session_arn(&self) -> &'static str {
        if self.who == "reader" { "arn:aws:sts::111122223333:assumed-role/reader/monday" } else { self.arn() }
    }

    fn facts(&self) -> Context {
        let mut facts = Context::new().with_many(Name::TagKeys, self.tags.iter().copied());
        for (name, value) in [(Name::Prefix, self.prefix), (Name::SourceIp, self.address)] {
            facts = value.map_or(facts.clone(), |value| facts.with(name, value));
        }
        facts
    }

    /// The values of a key; none if it is missing.
    fn values(&self, key: &str) -> Vec<String> {
        let one = |value: Option<&str>| value.map(String::from).into_iter().collect();
        match key {
            "s3:prefix" => one(self.prefix),
            "aws:SourceIp" => one(self.address),
            "aws:TagKeys" => self.tags.iter().map(|tag| (*tag).to_string()).collect(),
            "aws:username" => one(match self.who {
                "alice" | "eve" => Some(self.who),
                _ => None,
            }),
            _ => panic!("{key}"),
        }
    }
}

fn items(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap().to_string()).collect(),
        one => vec![one.as_str().unwrap().to_string()],
    }
}

/// The textbook's match. What a variable brings in has no wildcards.
fn like(pattern: &str, text: &str, asked: &Asked) -> bool {
    let name = asked.values("aws:username");
    let mut letters: Vec<(char, bool)> = Vec::new();
    for (at, part) in pattern.split("${aws:username}").enumerate() {
        if at > 0 {
            let Some(name) = name.first() else { return false };
            letters.extend(name.chars().map(|letter| (letter, false)));
        }
        letters.extend(part.chars().map(|letter| (letter, matches!(letter, '*' | '?'))));
    }
    fn from(pattern: &[(char, bool)], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, rest) => rest.is_none(),
            (Some(('*', true)), rest) => from(&pattern[1..], text) || rest.is_some() && from(pattern, &text[1..]),
            (Some(_), None) => false,
            (Some((letter, special)), Some(own)) => (*special || letter == own) && from(&pattern[1..], &text[1..]),
        }
    }
    from(&letters, &text.chars().collect::<Vec<_>>())
}

fn in_network(network: &str, address: &str) -> bool {
    let (base, bits) = network.split_once('/').unwrap();
    let (base, address): (Ipv4Addr, Ipv4Addr) = (base.parse().unwrap(), address.parse().unwrap());
    (0..bits.parse::<u32>().unwrap()).all(|bit| (base.to_bits() ^ address.to_bits()) & (1 << (31 - bit)) == 0)
}

fn condition(operator: &str, key: &str, expected: &[String], asked: &Asked) -> bool {
    let values = asked.values(key);
    if operator == "Null" {
        return expected.contains(&values.is_empty().to_string());
    }
    let name = operator.trim_start_matches("ForAllValues:").trim_start_matches("ForAnyValue:");
    let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
    let meets = |value: &String| {
        expected.iter().any(|expected| match name {
            "StringEquals" | "StringNotEquals" => {
                let name = asked.values("aws:username").first().cloned();
                let expected = match (expected.contains("${"), name) {
                    (true, None) => return false,
                    (true, Some(name)) => expected.replace("${aws:username}", &name),
                    (false, _) => expected.clone(),
                };
                expected == *value
            }
            "StringLike" | "StringNotLike" => like(expected, value, asked),
            _ => in_network(expected, value),
        })
    };
    let negated = name.contains("Not");
    if operator.starts_with("ForAllValues:") {
        return values.iter().all(|value| meets(value) != negated);
    }
    if operator.starts_with("ForAnyValue:") {
        return values.iter().any(|value| meets(value) != negated) || values.is_empty() && if_exists;
    }
    if values.is_empty() { negated || if_exists } else { values.iter().any(meets) != negated }
}

/// 0: not named, 1: its account is, 2: its role is, 3: itself is. A root is its account. Everybody names a role only.
fn named(statement: &Value, asked: &Asked) -> u8 {
    let list = |value: &Value| if value == "*" { vec!["*".to_string()] } else { items(&value["AWS"]) };
    let one = |name: &String| match name.as_str() {
        "*" if asked.who == "reader" => 2,
        "*" => 3,
        name if name == asked.session_arn() => 3,
        name if name == asked.arn() => 2,
        name if !asked.account().is_empty() && name.contains(asked.account()) && !name.contains('/') => {
            if asked.who == "root" { 3 } else { 1 }
        }
        _ => 0,
    };
    match (&statement["Principal"], &statement["NotPrincipal"]) {
        (Value::Null, Value::Null) => 3,
        (Value::Null, not) => {
            if list(not).iter().map(one).max() >= Some(2) {
                0
            } else {
                3
            }
        }
        (principal, _) => list(principal).iter().map(one).max().unwrap(),
    }
}

fn element(statement: &Value, name: &str, meets: impl Fn(&str) -> bool) -> bool {
    match (&statement[name], &statement[format!("Not{name}")]) {
        (Value::Null, not) => !items(not).iter().any(|item| meets(item)),
        (value, _) => items(value).iter().any(|item| meets(item)),
    }
}

fn applies(statement: &Value, asked: &Asked) -> bool {
    let target = format!("arn:aws:s3:::{BUCKET}/{}", asked.key);
    let action = asked.action.name().to_lowercase();
    element(statement, "Action", |pattern| like(&pattern.to_lowercase(), &action, asked))
        && element(statement, "Resource", |pattern| like(pattern, &target, asked))
        && statement["Condition"].as_object().is_none_or(|operators| {
            operators.iter().all(|(operator, keys)| {
                keys.as_object().unwrap().iter().all(|(key, values)| condition(operator, key, &items(values), asked))
            })
        })
}

/// The most direct allow of a policy, 0 for none; None if it denies.
fn judged(policy: &Value, asked: &Asked) -> Option<u8> {
    let statements = policy["Statement"].as_array().unwrap();
    let speaking = statements.iter().filter(|statement| named(statement, asked) > 0 && applies(statement, asked));
    let (denies, allows): (Vec<_>, Vec<_>) = speaking.partition(|statement| statement["Effect"] == "Deny");
    denies.is_empty().then(|| allows.iter().map(|statement| named(statement, asked)).max().unwrap_or(0))
}

/// The policies of one request.
#[derive(Clone, Debug)]
struct Policies {
    identity: Vec<Value>,
    boundary: Option<Value>,
    session: Vec<Value>,
    bucket: Option<Value>,
}

fn plainly(policies: &Policies, asked: &Asked) -> bool {
    let root = asked.who == "root";
    let own =
        |all: &[Value]| if root { Some(vec![]) } else { all.iter().map(|policy| judged(policy, asked)).collect() };
    let boundary: Vec<Value> = policies.boundary.iter().cloned().collect();
    let bucket = policies.bucket.as_ref().map_or(Some(0), |policy| judged(policy, asked));
    let (Some(identity), Some(boundary), Some(session), Some(bucket)) =
        (own(&policies.identity), own(&boundary), own(&policies.session), bucket)
    else {
        return false;
    };
    let allows = |side: &[u8]| side.iter().any(|naming| *naming > 0);
    let bounded = (boundary.is_empty() || allows(&boundary)) && (session.is_empty() || allows(&session));
    let itself = (root || allows(&identity)) && bounded;
    let stranger = Asked { who: "stranger", ..asked.clone() };
    let open = policies.bucket.as_ref().is_some_and(|policy| judged(policy, &stranger) == Some(3));
    match asked.who {
        "stranger" => bucket == 3,
        "eve" => bucket > 0 && itself,
        _ => bucket == 3 || bucket == 2 && (bounded || open) || itself,
    }
}

fn compiled(policies: &Policies, asked: &Asked) -> bool {
    let parse = |kind: PolicyKind, policy: &Value| {
        Policy::parse(kind, "p", &policy.to_string()).unwrap_or_else(|malformed| panic!("{malformed}: {policy}"))
    };
    let mut identity = asked.identity();
    identity.policies = policies.identity.iter().map(|policy| parse(PolicyKind::Inline, policy)).collect();
    identity.boundary = policies.boundary.as_ref().map(|policy| parse(PolicyKind::Inline, policy));
    identity.session = policies.session.iter().map(|policy| parse(PolicyKind::Inline, policy)).collect();
    let bucket = policies.bucket.as_ref().map(|policy| parse(PolicyKind::Bucket(BUCKET.into()), policy));
    let (identity, own, facts) = (Arc::new(identity), owner(ACCOUNT), asked.facts());
    let scope = Scope { owner: Some(&own), policy: bucket.as_deref(), ..Scope::default() };
    let resource = Resource::Object { bucket: BUCKET, key: asked.key };
    Request { identity: &identity, action: asked.action, resource, facts: &facts, scope }.decide().is_allowed()
}

fn some_of(choice: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec(prop::sample::select(choice), 1..4)
        .prop_map(|items| if items.len() == 1 { json!(items[0]) } else { json!(items) })
}

fn conditions() -> impl Strategy<Value = Value> {
    let text = some_of(&["a", "b", "*", "a*", "?", "${aws:username}", "x/${aws:username}/*", ""]);
    let text = (
        prop::sample::select(vec!["", "ForAllValues:", "ForAnyValue:"]),
        prop::sample::select(vec!["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"]),
        prop::sample::select(vec!["", "IfExists"]),
        prop::sample::select(vec!["s3:prefix", "aws:TagKeys", "aws:username"]),
        text,
    );
    prop_oneof![
        3 => Just(json!({})),
        4 => text.prop_map(|(set, name, exists, key, values)| json!({format!("{set}{name}{exists}"): {key: values}})),
        1 => (prop::sample::select(vec!["IpAddress", "NotIpAddress"]), some_of(&["10.0.0.0/8", "10.1.0.0/17", "0.0.0.0/0"]))
            .prop_map(|(name, values)| json!({name: {"aws:SourceIp": values}})),
        1 => prop::sample::select(vec!["true", "false"]).prop_map(|value| json!({"Null": {"s3:prefix": value}})),
    ]
}

fn statement(of_bucket: bool) -> impl Strategy<Value = Value> {
    let actions = some_of(&["s3:GetObject", "s3:Get*", "s3:*", "*", "S3:put?bject", "s3:DeleteObject", "s3:*Object"]);
    let resources = some_of(&[
        "arn:aws:s3:::ticks/*",
        "arn:aws:s3:::ticks/a",
        "arn:aws:s3:::ticks/x/${aws:username}/*",
        "arn:aws:s3:::tic*/?",
        "arn:aws:s3:::ticks/*a*",
    ]);
    let principals = some_of(&[
        "*",
        "111122223333",
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::444455556666:user/eve",
        "arn:aws:iam::111122223333:role/reader",
        "arn:aws:sts::111122223333:assumed-role/reader/monday",
    ]);
    let negations = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.3));
    (any::<bool>(), actions, resources, principals, conditions(), negations).prop_map(
        move |(deny, actions, resources, principals, conditions, (not_action, not_resource, not_principal))| {
            let mut statement = json!({"Effect": if deny { "Deny" } else { "Allow" }, "Condition": conditions});
            statement[if not_action && deny { "NotAction" } else { "Action" }] = actions;
            statement[if not_resource { "NotResource" } else { "Resource" }] = resources;
            if of_bucket {
                statement[if not_principal && deny { "NotPrincipal" } else { "Principal" }] =
                    json!({"AWS": principals});
            }
            statement
        },
    )
}

fn policy(of_bucket: bool) -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(of_bucket), 1..5)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

fn policies() -> impl Strategy<Value = Policies> {
    (
        prop::collection::vec(policy(false), 0..3),
        prop::option::weighted(0.3, policy(false)),
        prop::collection::vec(policy(false), 0..2),
        prop::option::of(policy(true)),
    )
        .prop_map(|(identity, boundary, session, bucket)| Policies { identity, boundary, session, bucket })
}

fn asked() -> impl Strategy<Value = Asked> {
    (
        prop::sample::select(vec!["alice", "eve", "reader", "root", "stranger"]),
        prop::sample::select(vec![Action::GetObject, Action::PutObject, Action::DeleteObject, Action::GetObjectAcl]),
        prop::sample::select(vec!["a", "b", "x/alice/a", "x/eve/", "x/*/b", "*"]),
        prop::option::of(prop::sample::select(vec!["a", "b", "alice", "", "*", "x/alice/"])),
        prop::option::of(prop::sample::select(vec!["10.1.2.3", "10.1.200.3", "192.0.2.1"])),
        prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "alice"]), 0..3),
    )
        .prop_map(|(who, action, key, prefix, address, tags)| Asked { who, action, key, prefix, address, tags })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn compiled_evaluation_is_what_the_rules_say(policies in policies(), asked in asked()) {
        prop_assert_eq!(compiled(&policies, &asked), plainly(&policies, &asked));
    }
}
