#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use hyper::HeaderMap;

use super::*;
use crate::asker::Signed;

fn arrival(uri: &str, headers: &[(&'static str, &str)]) -> Arrival {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    Arrival {
        bearer: Arc::new(crate::identity::Bearer::anonymous()),
        remote: "::ffff:10.1.2.3".parse().unwrap(),
        region: "eu-central-1".into(),
        secure: true,
        signed: Signed::Header,
        headers,
        uri: uri.parse().unwrap(),
        verified: std::sync::atomic::AtomicBool::new(true),
    }
}

fn value(facts: &RequestFacts<'_>, key: &str) -> Option<String> {
    match facts.fact(&Key::parse(key).unwrap()) {
        Fact::One(value) => Some(value.into_owned()),
        _ => None,
    }
}

#[test]
fn a_request_says_where_it_comes_from_and_what_it_asks() {
    let arrival = arrival("/b?prefix=a%2Fb+c&max-keys=5", &[("referer", "https://x"), ("x-amz-acl", "private")]);
    let facts = RequestFacts::new(Some(&arrival), None);
    for (key, expected) in [
        ("aws:SourceIp", Some("10.1.2.3")),
        ("aws:SecureTransport", Some("true")),
        ("aws:Referer", Some("https://x")),
        ("s3:prefix", Some("a/b c")),
        ("s3:max-keys", Some("5")),
        ("s3:delimiter", None),
        ("s3:x-amz-acl", Some("private")),
        ("aws:UserAgent", None),
        ("aws:RequestedRegion", Some("eu-central-1")),
        ("s3:VersionId", None),
        ("s3:authType", None),
    ] {
        assert_eq!(value(&facts, key).as_deref(), expected, "{key}");
    }
}

#[test]
fn tags_are_fetched_once_and_only_if_asked_for() {
    let arrival = arrival("/b/k", &[]);
    let tags = [("desk".to_owned(), "fx".to_owned())];
    let count = std::cell::Cell::new(0);
    let fetch = || {
        count.set(count.get() + 1);
        vec![("desk".to_owned(), "rates".to_owned())]
    };
    let facts =
        RequestFacts::new(Some(&arrival), None).with_tags(&fetch).saying(Said { tags: &tags, ..Said::default() });
    assert_eq!(value(&facts, "s3:RequestObjectTag/desk").as_deref(), Some("fx"));
    assert_eq!(count.get(), 0);
    assert_eq!(value(&facts, "s3:ExistingObjectTag/desk").as_deref(), Some("rates"));
    assert_eq!(value(&facts, "s3:ExistingObjectTag/Desk"), None);
    assert_eq!(count.get(), 1);
}

#[test]
fn tags_and_locks_are_what_the_verb_puts_on_and_no_header() {
    let arrival =
        arrival("/b/k?versionId=0000", &[("x-amz-tagging", "desk=fx"), ("x-amz-object-lock-mode", "GOVERNANCE")]);
    let tags = [("desk".to_owned(), "rates".to_owned())];
    let named = [(Name::ObjectLockMode, "COMPLIANCE".to_owned())];
    let said = Said { version: Some("null".parse().unwrap()), tags: &tags, named: &named, ..Said::default() };
    let facts = RequestFacts::new(Some(&arrival), None).saying(said);
    for (key, expected) in [
        ("s3:RequestObjectTag/desk", "rates"),
        ("aws:RequestTag/DESK", "rates"),
        ("s3:object-lock-mode", "COMPLIANCE"),
        ("s3:VersionId", "null"),
    ] {
        assert_eq!(value(&facts, key).as_deref(), Some(expected), "{key}");
    }
    let facts = RequestFacts::new(Some(&arrival), None);
    for key in ["s3:RequestObjectTag/desk", "aws:RequestTag/desk", "s3:object-lock-mode"] {
        assert_eq!(value(&facts, key), None, "{key}");
    }
    assert_eq!(facts.fact(&Key::parse("aws:TagKeys").unwrap()), Fact::Many(Vec::new()));
}

#[test]
fn tags_that_are_taken_off_and_those_that_are_there_are_told() {
    let arrival = arrival("/", &[]);
    let held = BTreeMap::from([("Desk".to_owned(), "fx".to_owned())]);
    let said = Said { untags: &["Desk"], held: Some(&held), ..Said::default() };
    let facts = RequestFacts::new(Some(&arrival), None).saying(said);
    assert_eq!(facts.fact(&Key::parse("aws:TagKeys").unwrap()), Fact::Many(vec!["Desk".into()]));
    assert_eq!(value(&facts, "aws:RequestTag/desk"), None);
    for key in ["aws:ResourceTag/desk", "iam:ResourceTag/Desk"] {
        assert_eq!(value(&facts, key).as_deref(), Some("fx"), "{key}");
    }
}

#[test]
fn times_are_read_and_written() {
    assert_eq!(compact("20260131T235959Z"), Some(1_769_903_999));
    assert_eq!(iso(1_769_903_999).as_deref(), Some("2026-01-31T23:59:59Z"));
    for text in ["", "20260131T235960Z", "20261331T000000Z", "2026-01-31T00:00", "20260131 235959Z", "２0260131T23595"]
    {
        assert_eq!(compact(text), None, "{text}");
    }
}
