//! The reader of access policies, and what must hold of any policy that it takes.

use std::sync::Arc;

use packstone_access::{
    Action, Context, Identity, Kind, Owner, Policy, PolicyKind, Principal, Request, Resource, Scope,
};

const BUCKET: &str = "bucket";

fn kinds() -> [PolicyKind; 5] {
    [PolicyKind::Managed, PolicyKind::Inline, PolicyKind::Session, PolicyKind::Trust, PolicyKind::Bucket(BUCKET.into())]
}

/// Whether somebody of whom nothing else is known may read an object of a bucket with this policy.
fn may_read(principal: Principal, policy: &Policy, owner: &Owner) -> bool {
    let (identity, facts) = (Arc::new(Identity::new(principal)), Context::new());
    let resource = Resource::Object { bucket: BUCKET, key: "key" };
    let scope = Scope { owner: Some(owner), policy: Some(policy), ..Scope::default() };
    let request = Request { identity: &identity, action: Action::GetObject, resource, facts: &facts, scope };
    let allowed = request.decide().is_allowed();
    assert_eq!(allowed, request.authorise().is_ok(), "a decision and its grant differ");
    allowed
}

/// What isn't public lets nobody in of whom nothing is known; and the owner's account does what no statement denies.
pub fn document(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let own = Owner { account: "111122223333".into(), canonical_id: "a".repeat(64).into() };
    for kind in kinds() {
        let is_bucket = matches!(kind, PolicyKind::Bucket(_));
        let Ok(policy) = Policy::parse(kind, "policy", &text) else { continue };
        if !is_bucket {
            continue;
        }
        let stranger = may_read(Principal::anonymous(), &policy, &own);
        assert!(!stranger || policy.is_public(), "a policy that isn't public lets anybody in: {text}");
        may_read(Principal::new(Kind::Root, own.clone()), &policy, &own);
    }
}

pub fn documents() -> Vec<Vec<u8>> {
    let statement = |rest: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Sid": "a", "Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject"],
                "Resource": ["arn:aws:s3:::bucket/*", "arn:aws:s3:::buck?t/${{aws:username}}/*"]{rest}}}]}}"#
        )
    };
    let deny = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:root"},
        "NotAction": "s3:List*", "NotResource": "arn:aws:s3:::bucket"}}"#;
    let seeds = [
        statement(""),
        statement(r#", "Principal": "*""#),
        statement(
            r#", "Principal": {"AWS": ["*", "111122223333"]}, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#,
        ),
        statement(
            r#", "Principal": "*", "Condition": {"StringLikeIfExists": {"aws:userid": ["a*", "${aws:username, 'b'}"]}}"#,
        ),
        statement(
            r#", "Principal": "*", "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}, "Null": {"aws:Referer": true}}"#,
        ),
        statement(
            r#", "Principal": {"CanonicalUser": "aa", "Service": "logging.s3.amazonaws.com"}, "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}"#,
        ),
        statement(
            r#", "Condition": {"NumericLessThanEquals": {"s3:max-keys": "1e3"}, "Bool": {"aws:SecureTransport": "true"}, "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}"#,
        ),
        deny.to_owned(),
    ];
    seeds.map(String::into_bytes).to_vec()
}
