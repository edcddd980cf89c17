//! What is a policy and what isn't, in AWS's words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod account;

use account::{BUCKET, document};
use packstone_access::{Fault, Malformed, Policy, PolicyKind};
use proptest::prelude::*;

fn bucket() -> PolicyKind {
    PolicyKind::Bucket(BUCKET.into())
}

fn refusal(kind: PolicyKind, text: &str) -> Malformed {
    Policy::parse(kind, "p", text).expect_err(text)
}

fn accepted(kind: PolicyKind, text: &str) {
    if let Err(malformed) = Policy::parse(kind, "p", text) {
        panic!("{malformed}: {text}");
    }
}

/// A statement for the bucket with one field replaced or, by an empty value, left out.
fn with_field(field: &str, value: &str) -> String {
    let fields = [
        ("Effect", r#""Allow""#),
        ("Principal", r#""*""#),
        ("Action", r#""s3:GetObject""#),
        ("Resource", r#""arn:aws:s3:::ticks/*""#),
    ];
    let mut all: Vec<(&str, &str)> = fields.into_iter().filter(|(name, _)| *name != field).collect();
    all.extend((!value.is_empty()).then_some((field, value)));
    let all: Vec<String> = all.iter().map(|(name, value)| format!(r#""{name}": {value}"#)).collect();
    document(&format!("{{{}}}", all.join(", ")))
}

#[test]
fn s3_says_what_is_wrong_with_a_bucket_policy() {
    let whole = |text: &str| text.to_string();
    let table = [
        (whole(""), "Policies must be valid JSON and the first byte must be '{'"),
        (whole("[]"), "Policies must be valid JSON and the first byte must be '{'"),
        (whole("{"), "This policy contains invalid Json"),
        (whole(r#"{"Version": "2012-10-17", "Version": "2012-10-17"}"#), "This policy contains invalid Json"),
        (whole(r#"{"Version": "2012-10-17"}"#), "Missing required field Statement"),
        (whole(r#"{"Version": "2012-10-17", "Statement": []}"#), "Could not parse the policy: Statement is empty!"),
        (whole(r#"{"Version": "2020-01-01", "Statement": []}"#), "The policy must contain a valid version string"),
        (whole(r#"{"Extra": "x", "Statement": []}"#), "Unknown field Extra"),
        (whole(r#"{"Statement": ["x"]}"#), "Invalid policy syntax."),
        (with_field("Effect", ""), "Missing required field Effect"),
        (with_field("Effect", r#""allow""#), "Invalid effect: allow"),
        (with_field("Principal", ""), "Missing required field Principal"),
        (with_field("Principal", r#""alice""#), "Invalid principal in policy"),
        (with_field("Principal", r#"{"AWS": "alice"}"#), "Invalid principal in policy"),
        (with_field("Principal", r#"{"AWS": "arn:aws:iam::111122223333:user/*"}"#), "Invalid principal in policy"),
        (with_field("Principal", r#"{"AWS": "arn:aws:iam::11:user/a"}"#), "Invalid principal in policy"),
        (with_field("Principal", r#"{"AWS": "arn:aws:iam::111122223333:group/a"}"#), "Invalid principal in policy"),
        (with_field("Principal", r#"{"Robot": "*"}"#), "Invalid principal in policy"),
        (with_field("Principal", "{}"), "Invalid principal in policy"),
        (with_field("NotPrincipal", r#"{"AWS": "111122223333"}"#), "Invalid policy syntax."),
        (with_field("Action", ""), "Missing required field Action"),
        (with_field("Action", "[]"), "Missing required field Action"),
        (with_field("Action", r#""s3:GetObjekt""#), "Policy has invalid action"),
        (with_field("Action", r#""GetObject""#), "Policy has invalid action"),
        (with_field("Action", r#""ec2:RunInstances""#), "Policy has invalid action"),
        (with_field("Action", r#""packstone:Administer""#), "Policy has invalid action"),
        (with_field("Action", r#"{"a": 1}"#), "Invalid policy syntax."),
        (with_field("Action", r#""s3:ListBucket""#), "Action does not apply to any resource(s) in statement"),
        (with_field("Resource", ""), "Missing required field Resource"),
        (with_field("Resource", r#""arn:aws:s3:::ticks""#), "Action does not apply to any resource(s) in statement"),
        (with_field("Resource", r#""arn:aws:s3:::quotes/*""#), "Policy has invalid resource"),
        (with_field("Resource", r#""arn:aws:s3:::ticks2/*""#), "Policy has invalid resource"),
        (with_field("Resource", r#""*""#), "Policy has invalid resource"),
        (with_field("Resource", r#""ticks/*""#), "Policy has invalid resource"),
        (with_field("Resource", r#""arn:aws:s3:::ticks/${aws:username""#), "Invalid policy syntax."),
        (with_field("Condition", r#"{"StringEqual": {"s3:prefix": "a"}}"#), "Invalid Condition type : StringEqual"),
        (with_field("Condition", r#"{"StringEquals": {"s3:prefixx": "a"}}"#), "Policy has an invalid condition key"),
        (
            with_field("Condition", r#"{"StringEquals": {"aws:PrincipalTag": "a"}}"#),
            "Policy has an invalid condition key",
        ),
        (with_field("Condition", r#"{"NumericEquals": {"s3:max-keys": "ten"}}"#), "Invalid policy syntax."),
        (with_field("Condition", r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}"#), "Invalid policy syntax."),
        (with_field("Condition", r#"{"DateEquals": {"aws:CurrentTime": "tomorrow"}}"#), "Invalid policy syntax."),
        (
            with_field("Condition", r#"{"NullIfExists": {"s3:prefix": "true"}}"#),
            "Invalid Condition type : NullIfExists",
        ),
        (with_field("Condition", r#"{"StringEquals": "a"}"#), "Invalid policy syntax."),
        (with_field("Colour", r#""blue""#), "Unknown field Colour"),
    ];
    for (text, message) in table {
        let malformed = refusal(bucket(), &text);
        assert_eq!((malformed.code(), malformed.to_string().as_str()), ("MalformedPolicy", message), "{text}");
    }
}

#[test]
fn iam_says_what_is_wrong_with_its_policies() {
    let table = [
        ("x", "Syntax errors in policy."),
        (r#"{"Version": "2012-10-17"}"#, "Syntax errors in policy."),
        (
            r#"{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#,
            "Policy document must be version 2012-10-17 or greater.",
        ),
        (
            r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#,
            "Policy document must be version 2012-10-17 or greater.",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Resource": "*"}}"#,
            "Policy statement must contain actions.",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": []}}"#,
            "Policy statement must contain resources.",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "invalid", "Resource": "*"}}"#,
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "b"}}"#,
            r#"Resource b must be in ARN format or "*"."#,
        ),
        (
            r#"{"Version": "2012-10-17", "Statement":
                {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"}}"#,
            "Policy document should not specify a principal.",
        ),
        (r#"{"Version": "2012-10-17", "Statement": {"Action": "s3:*", "Resource": "*"}}"#, "Syntax errors in policy."),
        (
            r#"{"Version": "2012-10-17", "Statement":
                {"Effect": "Allow", "Action": "s3:*", "NotAction": "s3:*", "Resource": "*"}}"#,
            "Syntax errors in policy.",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": [
                {"Sid": "A", "Effect": "Allow", "Action": "s3:*", "Resource": "*"},
                {"Sid": "A", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#,
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement":
                {"Sid": "a b", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#,
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
             [0-9A-Za-z]*",
        ),
    ];
    for (text, message) in table {
        let malformed = refusal(PolicyKind::Managed, text);
        assert_eq!((malformed.code(), malformed.to_string().as_str()), ("MalformedPolicyDocument", message), "{text}");
    }
}

#[test]
fn a_trust_policy_names_principals_and_no_resource() {
    let trust = r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}"#;
    accepted(PolicyKind::Trust, &document(trust));
    let with_resource = trust.replace("}, \"Action", "}, \"Resource\": \"*\", \"Action");
    assert_eq!(refusal(PolicyKind::Trust, &document(&with_resource)).fault, Fault::ProhibitedResource);
    let nobody = r#"{"Effect": "Allow", "Action": "sts:AssumeRole"}"#;
    assert_eq!(refusal(PolicyKind::Trust, &document(nobody)).fault, Fault::MissingPrincipal);
}

#[test]
fn what_aws_accepts_is_accepted() {
    for principal in [
        r#""*""#,
        r#"{"AWS": "*"}"#,
        r#"{"AWS": "111122223333"}"#,
        r#"{"AWS": ["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/desk/alice"]}"#,
        r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/reader/monday"}"#,
        r#"{"Federated": "accounts.google.com", "Service": "logging.s3.amazonaws.com"}"#,
        r#"{"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#,
    ] {
        accepted(bucket(), &with_field("Principal", principal));
    }
    for action in [r#""*""#, r#""S3:getobject""#, r#"["s3:Get*", "s3:*Object?ersion"]"#, r#""s3:PutAccessPointPolicy""#]
    {
        accepted(bucket(), &with_field("Action", action));
    }
    for resource in [r#""arn:aws:s3:::*""#, r#"["arn:aws:s3:::ticks", "arn:aws:s3:::tick*/a"]"#, r#""arn:aws:s3:::t*""#]
    {
        accepted(bucket(), &with_field("Resource", resource));
    }
    accepted(bucket(), &with_field("Sid", r#""AWS Console: sid 1""#));
    accepted(bucket(), &with_field("Condition", r#"{"Bool": {"aws:SecureTransport": false}}"#));
    accepted(
        PolicyKind::Inline,
        &document(r#"{"Effect": "Deny", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::a/*"}"#),
    );
    let oidc = r#"{"Effect": "Allow", "Principal": {"Federated": "idp"}, "Action": "sts:AssumeRoleWithWebIdentity",
                   "Condition": {"StringEquals": {"idp.example.com/realm:sub": "alice"}}}"#;
    accepted(PolicyKind::Trust, &document(oidc));
}

#[test]
fn everybody_but_one_is_allowed_nothing() {
    let text = r#"{"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"}, "Action": "s3:GetObject",
                   "Resource": "arn:aws:s3:::ticks/*"}"#;
    assert_eq!(refusal(bucket(), &document(text)).fault, Fault::AllowNotPrincipal);
}

#[test]
fn length_is_counted_without_white_space() {
    for kind in [bucket(), PolicyKind::Managed, PolicyKind::Inline, PolicyKind::Session] {
        let fill = |length: usize| {
            let frame = match kind {
                PolicyKind::Bucket(_) => with_field("Resource", r#""arn:aws:s3:::ticks/@""#),
                _ => document(r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ticks/@"}"#),
            };
            let own = frame.bytes().filter(|byte| !byte.is_ascii_whitespace()).count() - 1;
            frame.replace('@', &"a".repeat(length - own))
        };
        accepted(kind.clone(), &fill(kind.limit()));
        accepted(kind.clone(), &format!("{}{}", fill(kind.limit()), " \n".repeat(1000)));
        let longer = refusal(kind.clone(), &fill(kind.limit() + 1));
        assert_eq!(longer.fault, Fault::TooLarge { limit: kind.limit() });
        let padded = format!("{}{}", " ".repeat(1 << 20), fill(kind.limit()));
        assert_eq!(refusal(kind.clone(), &padded).fault, Fault::TooLarge { limit: kind.limit() });
    }
    let managed = refusal(PolicyKind::Managed, &"x".repeat(7000));
    assert_eq!(
        (managed.code(), managed.to_string().as_str()),
        ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
    );
}

#[test]
fn deep_json_is_refused() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let depth = 3000;
        let text = format!(r#"{{"Statement": {}1{}}}"#, open.repeat(depth), close.repeat(depth));
        assert_eq!(refusal(bucket(), &text).fault, Fault::NotJson);
        assert!(Policy::parse(bucket(), "p", &format!(r#"{{"Statement": {}"#, open.repeat(depth))).is_err());
    }
}

/// JSON that looks somewhat like a policy.
fn json() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Version",
        "2012-10-17",
        "Statement",
        "Effect",
        "Allow",
        "Principal",
        "AWS",
        "*",
        "Action",
        "s3:*",
        "Resource",
        "arn:aws:s3:::ticks/*",
        "Condition",
        "StringLike",
        "s3:prefix",
        "${aws:username}",
        "${",
        "}",
        "Sid",
        "é",
    ]);
    let leaf = prop_oneof![
        word.clone().prop_map(|word| format!("\"{word}\"")),
        Just("null".into()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f32>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| value.to_string()),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        let fields = prop::collection::vec((word.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            fields.prop_map(|fields| {
                let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_makes_the_parser_panic(text in prop_oneof![json(), any::<String>(), "\\{[\\PC]{0,200}"]) {
        for kind in [bucket(), PolicyKind::Inline, PolicyKind::Trust, PolicyKind::Managed] {
            if let Err(malformed) = Policy::parse(kind, "p", &text) {
                prop_assert!(!malformed.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_field_makes_the_parser_panic(
        field in prop::sample::select(vec!["Sid", "Effect", "Principal", "Action", "Resource", "Condition"]),
        value in json(),
    ) {
        let _ = Policy::parse(bucket(), "p", &with_field(field, &value));
    }

    #[test]
    fn no_value_of_a_condition_makes_the_parser_panic(
        operator in prop::sample::select(vec![
            "StringLike", "NumericEquals", "DateEquals", "IpAddress", "BinaryEquals", "ArnLike", "Bool", "Null",
        ]),
        value in prop_oneof!["[0-9:./a-fTZ+-]{0,40}", "(arn:|\\$\\{aws:|\\}|\\*|:|,|'){0,12}"],
    ) {
        let condition = format!(r#"{{"{operator}": {{"s3:prefix": "{value}"}}}}"#);
        let _ = Policy::parse(bucket(), "p", &with_field("Condition", &condition));
    }
}

#[test]
fn a_key_that_no_request_has_is_refused_where_it_would_deny_nothing() {
    for key in ["s3:TlsVersion", "s3:BucketTag/desk", "aws:Unheard", "iam:PassedToService", "STS:SourceIdentity"] {
        let text = with_field("Condition", &format!(r#"{{"StringEquals": {{"{key}": "1"}}}}"#));
        let malformed = refusal(bucket(), &text);
        assert_eq!(malformed.to_string(), "Policy has an invalid condition key", "{key}");
        let of = |condition: &str| {
            let text = format!(
                r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Action": "s3:*", "Resource": "*",
                    "Condition": {{"StringEquals": {condition}}}}}}}"#
            );
            Policy::parse(PolicyKind::Inline, "p", &text).map(drop).map_err(|malformed| malformed.to_string())
        };
        let refusal = format!("The condition key {key} is not supported.");
        assert_eq!(of(&format!(r#"{{"{key}": "1"}}"#)), Err(refusal));
        of(&format!(r#"{{"s3:prefix": "${{{key}}}"}}"#)).unwrap_err();
    }
    for key in ["iam:PolicyARN", "aws:ResourceTag/desk", "sts:ExternalId", "saml:aud"] {
        let text = with_field("Condition", &format!(r#"{{"StringEquals": {{"{key}": "1"}}}}"#));
        refusal(bucket(), &text);
    }
}
