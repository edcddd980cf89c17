use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::dto::{Timestamp, TimestampFormat};

use super::Policy;
use crate::front::form::Fields;
use crate::front::refusal::Refusal;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.add((*name).to_owned(), value.as_bytes().to_vec()).unwrap();
    }
    fields
}

fn parse(json: &str) -> Result<Policy, Refusal> {
    Policy::parse(&STANDARD.encode(json))
}

/// Compares a form with conditions, in 2026.
fn check(conditions: &str, pairs: &[(&str, &str)]) -> Result<RangeInclusive<u64>, String> {
    let policy = parse(&format!("{{\"expiration\": \"2026-01-01T00:00:00Z\", \"conditions\": {conditions}}}")).unwrap();
    let now = Timestamp::parse(TimestampFormat::DateTime, "2025-12-31T23:59:59.5Z").unwrap();
    policy.check(&fields(pairs), "bucket", &now).map_err(|refusal| refusal.message.into_owned())
}

fn failed(condition: &str) -> Result<RangeInclusive<u64>, String> {
    Err(format!("Invalid according to Policy: Policy Condition failed: {condition}"))
}

#[test]
fn every_field_is_covered() {
    let fields = [("key", "k"), ("policy", ""), ("x-amz-signature", ""), ("x-ignore-a", "1"), ("acl", "private")];
    assert_eq!(check("[{\"KEY\": \"k\"}, [\"EQ\", \"$Acl\", \"private\"]]", &fields), Ok(0..=u64::MAX));
    let extra = |names: &str| Err(format!("Invalid according to Policy: Extra input fields: {names}"));
    assert_eq!(check("[{\"key\": \"k\"}]", &fields), extra("acl"));
    assert_eq!(check("[]", &fields), extra("key,acl"));
    assert_eq!(check("[[\"starts-with\", \"$key\", \"\"]]", &[("bucket", "b"), ("key", "")]), extra("bucket"));
}

#[test]
fn conditions() {
    assert_eq!(check("[{\"key\": \"k\"}]", &[("key", "K")]), failed("[\"eq\", \"$key\", \"k\"]"));
    assert_eq!(check("[{\"key\": \"k\"}]", &[]), failed("[\"eq\", \"$key\", \"k\"]"));
    let begins = "[[\"starts-with\", \"$key\", \"user/\"]]";
    assert_eq!(check(begins, &[("key", "user/a")]), Ok(0..=u64::MAX));
    assert_eq!(check(begins, &[("key", "users")]), failed("[\"starts-with\", \"$key\", \"user/\"]"));
    let types = "[[\"starts-with\", \"$Content-Type\", \"image/\"]]";
    assert_eq!(check(types, &[("content-type", "image/a, image/b")]), Ok(0..=u64::MAX));
    assert!(check(types, &[("content-type", "image/a,text/b")]).is_err());
}

/// Of the bucket counts what the URL says, whatever a field says.
#[test]
fn the_bucket_is_the_urls() {
    assert_eq!(check("[{\"bucket\": \"bucket\"}]", &[("bucket", "other")]), Ok(0..=u64::MAX));
    assert_eq!(check("[{\"bucket\": \"other\"}]", &[("bucket", "other")]), failed("[\"eq\", \"$bucket\", \"other\"]"));
}

#[test]
fn lengths() {
    let two = "[[\"content-length-range\", 1, \"10\"], [\"content-length-range\", 0, 5]]";
    assert_eq!(check(two, &[]), Ok(1..=5));
}

#[test]
fn a_policy_ends() {
    let policy = parse("{\"expiration\": \"2026-01-01T00:00:00.000Z\", \"conditions\": []}").unwrap();
    let now = Timestamp::parse(TimestampFormat::DateTime, "2026-01-01T00:00:00Z").unwrap();
    let refusal = policy.check(&Fields::default(), "bucket", &now).unwrap_err();
    assert_eq!((refusal.code, &*refusal.message), ("AccessDenied", "Invalid according to Policy: Policy expired."));
}

#[test]
fn documents_that_are_refused() {
    let with = |conditions: &str| format!("{{\"expiration\": \"2026-01-01T00:00:00Z\", \"conditions\": {conditions}}}");
    let deep = with(&format!("[{}{}]", "[".repeat(5000), "]".repeat(5000)));
    let mut documents = vec!["".to_owned(), "null".to_owned(), "{}".to_owned(), deep];
    documents.extend(["{\"expiration\": \"2026-01-01T00:00:00Z\"}".to_owned()]);
    documents.extend(
        ["2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00", "soon", ""]
            .map(|time| format!("{{\"expiration\": \"{time}\", \"conditions\": []}}")),
    );
    documents.push(with("[]").replace("expiration", "EXPIRATION"));
    documents.push(with("[]").replace("conditions", "CONDITIONS"));
    documents.push(with("[], \"conditions\": []"));
    documents.extend(
        [
            "[{}]",
            "[{\"a\": \"b\", \"c\": \"d\"}]",
            "[{\"a\": 1}]",
            "[\"eq\"]",
            "[[\"eq\", \"key\", \"k\"]]",
            "[[\"eq\", \"$key\"]]",
            "[[\"ends-with\", \"$key\", \"k\"]]",
            "[[\"content-length-range\", 0]]",
            "[[\"content-length-range\", -1, 0]]",
            "[[\"content-length-range\", 0, \"\"]]",
            "[[\"content-length-range\", 0, 1.5]]",
            "{}",
        ]
        .map(with),
    );
    for document in documents {
        assert_eq!(
            parse(&document).map(|_| ()).map_err(|refusal| refusal.code),
            Err("InvalidPolicyDocument"),
            "{document:.80}"
        );
    }
    assert!(Policy::parse("not base64!").is_err());
}
