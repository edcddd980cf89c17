//! Every operator, on keys that are there, missing, and of many values.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod account;

use std::sync::Arc;

use account::{ACCOUNT, BUCKET, document, owner, user};
use packstone_access::{Action, Context, Identity, Name, Policy, PolicyKind, Request, Resource, Scope};

/// Whether a statement with this condition applies.
fn holds(condition: &str, facts: &Context) -> bool {
    holds_for(user("alice"), condition, facts)
}

fn holds_for(identity: Identity, condition: &str, facts: &Context) -> bool {
    let statement = format!(r#"{{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {{{condition}}}}}"#);
    let policy = Policy::parse(PolicyKind::Inline, "conditions", &document(&statement)).unwrap();
    let identity = Arc::new(identity.with_policy(policy));
    let own = owner(ACCOUNT);
    let scope = Scope { owner: Some(&own), ..Scope::default() };
    let resource = Resource::Object { bucket: BUCKET, key: "a" };
    Request { identity: &identity, action: Action::GetObject, resource, facts, scope }.decide().is_allowed()
}

/// An operator and its value, a value that meets it, one that doesn't.
const OPERATORS: &[(&str, &str, &str, &str)] = &[
    ("StringEquals", "Abc", "Abc", "abc"),
    ("StringEquals", "a*", "a*", "ab"),
    ("StringNotEquals", "Abc", "abc", "Abc"),
    ("StringEqualsIgnoreCase", "ÄBC", "äbc", "abd"),
    ("StringNotEqualsIgnoreCase", "ABC", "abd", "abc"),
    ("StringLike", "home/*/?", "home/a/b/c", "home/a/"),
    ("StringLike", "a?c", "aéc", "ac"),
    ("StringNotLike", "home/*", "tmp/a", "home/"),
    ("NumericEquals", "10", "10.0", "11"),
    ("NumericNotEquals", "10", "11", "10"),
    ("NumericLessThan", "10", "-3", "10"),
    ("NumericLessThanEquals", "10", "10", "10.5"),
    ("NumericGreaterThan", "10", "11", "10"),
    ("NumericGreaterThanEquals", "10", "10", "9"),
    ("NumericLessThan", "10", "9", "nan"),
    ("NumericGreaterThan", "10", "11", "inf"),
    ("DateEquals", "2026-07-01T00:00:00Z", "2026-07-01T02:00:00+02:00", "2026-07-01T00:00:01Z"),
    ("DateEquals", "2026-07-01", "1782864000", "1782864001"),
    ("DateNotEquals", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z", "2026-07-01T00:00:00Z"),
    ("DateLessThan", "2026-07-01T00:00:00Z", "2026-06-30T23:59:59Z", "2026-07-01T00:00:00Z"),
    ("DateLessThanEquals", "2026-07-01T00:00:00Z", "2026-07-01T00:00:00Z", "2026-07-01T00:00:00.5Z"),
    ("DateGreaterThan", "2026-07-01T00:00:00Z", "2026-07-01T00:00:01Z", "2026-07-01T00:00:00Z"),
    ("DateGreaterThanEquals", "2026-07-01T00:00:00Z", "2026-07-01T00:00:00Z", "2026-06-30T00:00:00Z"),
    ("Bool", "true", "True", "false"),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", "QmluYXJ6"),
    ("IpAddress", "203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
    ("IpAddress", "203.0.113.7", "203.0.113.7", "203.0.113.8"),
    ("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.1", "::1"),
    ("IpAddress", "::ffff:203.0.113.0/120", "203.0.113.1", "203.0.112.1"),
    ("IpAddress", "2001:db8:1234::/48", "2001:db8:1234:ffff::1", "2001:db8:1235::"),
    ("IpAddress", "0.0.0.0/0", "8.8.8.8", "::1"),
    ("NotIpAddress", "203.0.113.0/24", "203.0.114.0", "203.0.113.255"),
    ("ArnEquals", "arn:aws:iam::*:user/a*", "arn:aws:iam::1:user/alice", "arn:aws:iam::1:role/alice"),
    ("ArnLike", "arn:aws:sns:*:1:t?", "arn:aws:sns:eu-1:1:t1", "arn:aws:sns:eu:1:2:t1"),
    ("ArnLike", "*", "arn:aws:s3:::b", "b"),
    ("ArnNotEquals", "arn:aws:s3:::a", "arn:aws:s3:::b", "arn:aws:s3:::a"),
    ("ArnNotLike", "arn:aws:s3:::a*", "arn:aws:s3:::b", "arn:aws:s3:::ab"),
];

#[test]
fn each_operator_meets_what_it_says() {
    for (operator, value, met, unmet) in OPERATORS {
        let condition = format!(r#""{operator}": {{"s3:prefix": "{value}"}}"#);
        for (fact, expected) in [(met, true), (unmet, false)] {
            let facts = Context::new().with(Name::Prefix, fact);
            assert_eq!(holds(&condition, &facts), expected, "{operator} {value}: {fact}");
        }
    }
}

#[test]
fn a_missing_key_meets_negated_operators_if_exists_and_all_values_only() {
    for (operator, value, ..) in OPERATORS {
        let negated = operator.contains("Not");
        for (name, expected) in [
            ((*operator).to_string(), negated),
            (format!("{operator}IfExists"), true),
            (format!("ForAllValues:{operator}"), true),
            (format!("ForAnyValue:{operator}"), false),
            (format!("ForAnyValue:{operator}IfExists"), true),
        ] {
            let condition = format!(r#""{name}": {{"s3:prefix": "{value}"}}"#);
            assert_eq!(holds(&condition, &Context::new()), expected, "{name}");
        }
    }
}

#[test]
fn if_exists_holds_a_key_that_is_there_to_its_value() {
    let condition = r#""StringEqualsIfExists": {"s3:prefix": "a"}"#;
    assert!(holds(condition, &Context::new().with(Name::Prefix, "a")));
    assert!(!holds(condition, &Context::new().with(Name::Prefix, "b")));
}

#[test]
fn null_asks_whether_the_key_is_there() {
    let there = Context::new().with(Name::Prefix, "");
    let missing = Context::new();
    let empty = Context::new().with_many(Name::TagKeys, []);
    assert!(holds(r#""Null": {"s3:prefix": "true"}"#, &missing));
    assert!(!holds(r#""Null": {"s3:prefix": "true"}"#, &there));
    assert!(holds(r#""Null": {"s3:prefix": false}"#, &there));
    assert!(!holds(r#""Null": {"s3:prefix": false}"#, &missing));
    assert!(holds(r#""Null": {"aws:TagKeys": "true"}"#, &empty));
}

#[test]
fn several_values_are_or_and_for_negated_operators_nor() {
    let facts = |value| Context::new().with(Name::Prefix, value);
    assert!(holds(r#""StringEquals": {"s3:prefix": ["a", "b"]}"#, &facts("b")));
    assert!(!holds(r#""StringEquals": {"s3:prefix": ["a", "b"]}"#, &facts("c")));
    assert!(!holds(r#""StringNotEquals": {"s3:prefix": ["a", "b"]}"#, &facts("b")));
    assert!(holds(r#""StringNotEquals": {"s3:prefix": ["a", "b"]}"#, &facts("c")));
}

#[test]
fn several_conditions_must_all_hold() {
    let condition =
        r#""StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}, "NumericLessThan": {"s3:max-keys": 10}"#;
    let facts = Context::new().with(Name::Prefix, "a").with(Name::Delimiter, "/");
    assert!(holds(condition, &facts.clone().with(Name::MaxKeys, "9")));
    assert!(!holds(condition, &facts.with(Name::MaxKeys, "10")));
}

#[test]
fn set_operators_speak_of_each_value_of_the_request() {
    let keys = |values: &[&str]| Context::new().with_many(Name::TagKeys, values.iter().copied());
    let table: &[(&str, &[&str], bool)] = &[
        ("ForAllValues:StringEquals", &["a", "b"], true),
        ("ForAllValues:StringEquals", &["a", "c"], false),
        ("ForAllValues:StringEquals", &[], true),
        ("ForAllValues:StringNotEquals", &["c", "d"], true),
        ("ForAllValues:StringNotEquals", &["a", "d"], false),
        ("ForAnyValue:StringEquals", &["a", "c"], true),
        ("ForAnyValue:StringEquals", &["c"], false),
        ("ForAnyValue:StringEquals", &[], false),
        ("ForAnyValue:StringNotEquals", &["a", "c"], true),
        ("ForAnyValue:StringNotEquals", &["a", "b"], false),
        ("StringEquals", &["c", "a"], true),
        ("StringNotEquals", &["c", "a"], false),
        ("StringNotEquals", &["c", "d"], true),
    ];
    for (operator, values, expected) in table {
        let condition = format!(r#""{operator}": {{"aws:TagKeys": ["a", "b"]}}"#);
        assert_eq!(holds(&condition, &keys(values)), *expected, "{operator} {values:?}");
    }
}

#[test]
fn keys_are_named_in_any_case_and_tags_in_their_own() {
    let facts = Context::new().with(Name::SecureTransport, "true").with_tag(Name::ExistingObjectTag, "Desk", "fx");
    assert!(holds(r#""Bool": {"AWS:securetransport": true}"#, &facts));
    assert!(holds(r#""StringEquals": {"s3:existingobjecttag/Desk": "fx"}"#, &facts));
    assert!(!holds(r#""StringEquals": {"s3:ExistingObjectTag/desk": "fx"}"#, &facts));
}

#[test]
fn what_a_principal_is_needs_no_facts() {
    let none = Context::new();
    for (key, value) in [
        ("aws:username", "alice"),
        ("aws:userid", "AIDAALICE"),
        ("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"),
        ("aws:PrincipalAccount", "111122223333"),
        ("aws:PrincipalType", "User"),
        ("aws:PrincipalTag/desk", "fx"),
        ("s3:ResourceAccount", "111122223333"),
    ] {
        let mut alice = user("alice");
        alice.principal = alice.principal.tagged("Desk", "fx");
        let condition = format!(r#""StringEquals": {{"{key}": "{value}"}}"#);
        assert!(holds_for(alice, &condition, &none), "{key}");
    }
    let role = account::session("reader", "monday");
    let condition = r#""StringEquals": {"aws:userid": "AROAROLE:monday"}, "Null": {"aws:username": true},
                       "ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/reader"}"#;
    assert!(holds_for(role, condition, &none));
}

#[test]
fn facts_can_t_speak_for_the_principal() {
    let forged = Context::new().with(Name::Username, "root").with_tag(Name::PrincipalTag, "desk", "fx");
    assert!(!holds(r#""StringEquals": {"aws:username": "root"}"#, &forged));
    assert!(!holds(r#""StringEquals": {"aws:PrincipalTag/desk": "fx"}"#, &forged));
}

#[test]
fn variables_stand_for_values_and_their_wildcards_for_themselves() {
    let with = |value| Context::new().with(Name::Prefix, value);
    assert!(holds(r#""StringEquals": {"s3:prefix": "home/${aws:username}/"}"#, &with("home/alice/")));
    assert!(holds(r#""StringLike": {"s3:prefix": "home/${aws:username}/*"}"#, &with("home/alice/x")));
    assert!(holds(r#""StringEqualsIgnoreCase": {"s3:prefix": "${aws:username}"}"#, &with("ALICE")));
    assert!(holds(r#""StringEquals": {"s3:prefix": "${aws:PrincipalTag/desk, 'none'}"}"#, &with("none")));
    assert!(!holds(r#""StringEquals": {"s3:prefix": "${aws:PrincipalTag/desk}"}"#, &with("")));
    assert!(holds(r#""StringLike": {"s3:prefix": "${*}${?}${$}"}"#, &with("*?$")));
    assert!(!holds(r#""StringLike": {"s3:prefix": "${*}${?}${$}"}"#, &with("ab$")));
    let starred = with("anything").with(Name::Delimiter, "*");
    assert!(!holds(r#""StringLike": {"s3:prefix": "${s3:delimiter}"}"#, &starred));
    let arn = Context::new().with(Name::SourceArn, "arn:aws:sns:eu:1:alice");
    assert!(holds(r#""ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:${aws:username}"}"#, &arn));
}
