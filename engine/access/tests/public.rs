//! ACLs, object ownership, and what is public.

mod account;

use account::{ACCOUNT, BUCKET, OTHER, anonymous, ask, bucket_policy, inline, owner, root_of, user, user_of};
use packstone_access::{
    Acl, Action, CannedAcl, Context, Group, Identity, ObjectOwnership, Permission, PublicAccessBlock, Resource, Scope,
};

const OBJECT: Resource<'static> = Resource::Object { bucket: BUCKET, key: "a" };
const ALL: &str = r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#;

fn allowed(identity: Identity, action: Action, resource: Resource<'_>, scope: Scope<'_>) -> bool {
    ask(identity, action, resource, &Context::new(), scope, |decision| decision.is_allowed())
}

#[test]
fn a_canned_acl_gives_what_it_is_named_for() {
    let own = owner(ACCOUNT);
    let writer = owner(OTHER);
    // The ACL of an object; whether a stranger, and whoever signs, may read it.
    for (canned, stranger, signed) in [
        (CannedAcl::Private, false, false),
        (CannedAcl::PublicRead, true, true),
        (CannedAcl::AuthenticatedRead, false, true),
        (CannedAcl::LogDeliveryWrite, false, false),
    ] {
        let acl = Acl::canned(canned, &own, None);
        let ownership = ObjectOwnership::ObjectWriter;
        let scope = Scope { owner: Some(&own), object_acl: Some(&acl), ownership, ..Scope::default() };
        assert_eq!(allowed(anonymous(), Action::GetObject, OBJECT, scope), stranger, "{canned:?}");
        assert_eq!(allowed(root_of(OTHER), Action::GetObject, OBJECT, scope), signed, "{canned:?}");
        assert!(!allowed(anonymous(), Action::PutObject, OBJECT, scope));
        assert_eq!(acl.is_public(), stranger || signed);
        let enforced = Scope { ownership: ObjectOwnership::BucketOwnerEnforced, ..scope };
        assert!(!allowed(anonymous(), Action::GetObject, OBJECT, enforced));
    }
    for (canned, read, control) in [
        (CannedAcl::Private, false, false),
        (CannedAcl::BucketOwnerRead, true, false),
        (CannedAcl::BucketOwnerFullControl, true, true),
    ] {
        let acl = Acl::canned(canned, &writer, Some(&own));
        let ownership = ObjectOwnership::ObjectWriter;
        let object_owner = Some(&writer);
        let scope = Scope { owner: Some(&own), object_owner, object_acl: Some(&acl), ownership, ..Scope::default() };
        assert_eq!(allowed(root_of(ACCOUNT), Action::GetObject, OBJECT, scope), read, "{canned:?}");
        assert_eq!(allowed(root_of(ACCOUNT), Action::PutObjectAcl, OBJECT, scope), control, "{canned:?}");
        assert!(allowed(root_of(OTHER), Action::GetObject, OBJECT, scope));
        // Whatever it holds, the bucket's owner may be rid of it.
        assert!(allowed(root_of(ACCOUNT), Action::DeleteObject, OBJECT, scope));
        let enforced = Scope { ownership: ObjectOwnership::BucketOwnerEnforced, ..scope };
        assert!(allowed(root_of(ACCOUNT), Action::GetObject, OBJECT, enforced));
        assert!(!allowed(root_of(OTHER), Action::GetObject, OBJECT, enforced));
    }
}

#[test]
fn a_bucket_s_acl_is_for_listing_and_writing() {
    let own = owner(ACCOUNT);
    let acl = Acl::canned(CannedAcl::PublicReadWrite, &own, None);
    let ownership = ObjectOwnership::BucketOwnerPreferred;
    let scope = Scope { owner: Some(&own), bucket_acl: Some(&acl), ownership, ..Scope::default() };
    let bucket = Resource::Bucket(BUCKET);
    assert!(allowed(anonymous(), Action::ListBucket, bucket, scope));
    assert!(allowed(anonymous(), Action::PutObject, OBJECT, scope));
    assert!(!allowed(anonymous(), Action::GetObject, OBJECT, scope));
    assert!(!allowed(anonymous(), Action::GetBucketAcl, bucket, scope));
    assert!(!allowed(anonymous(), Action::PutBucketPolicy, bucket, scope));
    // For a user of another account, its own policies must allow it too, unless everybody may.
    assert!(allowed(user_of(OTHER, "eve").with_policy(inline(ALL)), Action::ListBucket, bucket, scope));
    let ignored = PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() };
    assert!(!allowed(anonymous(), Action::ListBucket, bucket, Scope { block: ignored, ..scope }));
    assert!(allowed(root_of(ACCOUNT), Action::ListBucket, bucket, Scope { block: ignored, ..scope }));
}

#[test]
fn an_account_s_grant_is_for_its_root_and_whom_that_lets() {
    let (own, other) = (owner(ACCOUNT), owner(OTHER));
    let acl = Acl::canned(CannedAcl::BucketOwnerRead, &own, Some(&other));
    let ownership = ObjectOwnership::ObjectWriter;
    let scope = Scope { owner: Some(&own), object_acl: Some(&acl), ownership, ..Scope::default() };
    assert!(allowed(root_of(OTHER), Action::GetObject, OBJECT, scope));
    assert!(!allowed(user_of(OTHER, "eve"), Action::GetObject, OBJECT, scope));
    assert!(allowed(user_of(OTHER, "eve").with_policy(inline(ALL)), Action::GetObject, OBJECT, scope));
    assert!(!allowed(user("alice"), Action::GetObject, OBJECT, scope));
}

#[test]
fn a_bucket_s_policy_denies_on_what_others_own_and_gives_none_of_it() {
    let (own, other) = (owner(ACCOUNT), owner(OTHER));
    let on = |effect: &str| {
        bucket_policy(&format!(
            r#"{{"Effect": "{effect}", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ticks/*"}}"#
        ))
    };
    let (allow, deny) = (on("Allow"), on("Deny"));
    let ownership = ObjectOwnership::ObjectWriter;
    let scope = Scope { owner: Some(&own), object_owner: Some(&other), ownership, ..Scope::default() };
    assert!(!allowed(anonymous(), Action::GetObject, OBJECT, Scope { policy: Some(&allow), ..scope }));
    assert!(!allowed(root_of(OTHER), Action::GetObject, OBJECT, Scope { policy: Some(&deny), ..scope }));
    assert!(allowed(root_of(OTHER), Action::GetObject, OBJECT, scope));
}

#[test]
fn names_are_those_of_s3() {
    for canned in CannedAcl::ALL {
        assert_eq!(CannedAcl::from_name(canned.name()), Some(*canned));
    }
    assert_eq!(Permission::from_name("FULL_CONTROL"), Some(Permission::FullControl));
    assert_eq!(Group::from_uri(Group::AllUsers.uri()), Some(Group::AllUsers));
    assert_eq!(Group::from_uri("http://example.com"), None);
}

/// Whether a policy whose one statement allows with this principal and condition is public.
fn is_public(principal: &str, condition: &str) -> bool {
    bucket_policy(&format!(
        r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::ticks/*", "Condition": {{{condition}}}}}"#
    ))
    .is_public()
}

#[test]
fn public_is_what_aws_means_by_it() {
    assert!(is_public(r#""*""#, ""));
    assert!(is_public(r#"{"AWS": ["111122223333", "*"]}"#, ""));
    assert!(!is_public(r#"{"AWS": "444455556666"}"#, ""));
    assert!(!is_public(r#"{"Service": "logging.s3.amazonaws.com"}"#, ""));
    for (condition, public) in [
        (r#""IpAddress": {"aws:SourceIp": "10.0.0.0/32"}"#, false),
        (r#""IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}"#, false),
        (r#""IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/0"]}"#, true),
        (r#""IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "8.0.0.0/8"]}"#, false),
        (r#""IpAddress": {"aws:SourceIp": ["8.0.0.0/8", "9.0.0.0/8"]}"#, true),
        (r#""IpAddress": {"aws:SourceIp": ["10.0.0.0/7"]}"#, true),
        (r#""IpAddress": {"aws:SourceIp": ["2001:db8::/33", "2001:db9::/33"]}"#, false),
        (r#""StringEquals": {"aws:userid": "AIDAEXAMPLE"}"#, false),
        (r#""StringEquals": {"aws:userid": ["AIDAEXAMPLE", "anonymous"]}"#, true),
        (r#""IpAddress": {"aws:SourceIp": "2001::/16"}"#, true),
        (r#""NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}"#, true),
        (r#""IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}"#, true),
        (r#""StringEquals": {"aws:SourceVpc": "vpc-91237329"}"#, false),
        (r#""StringLike": {"aws:SourceVpc": "vpc-*"}"#, true),
        (r#""StringLike": {"aws:SourceVpc": "vpc-1"}"#, false),
        (r#""StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}"#, true),
        (r#""ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-1"}"#, true),
        (r#""ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:1:t"}"#, false),
        (r#""ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:*:t"}"#, true),
        (r#""StringEquals": {"aws:Referer": "https://example.com"}"#, true),
        (r#""Bool": {"aws:SecureTransport": true}"#, true),
        (r#""StringEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "k"}"#, false),
    ] {
        assert_eq!(is_public(r#""*""#, condition), public, "{condition}");
    }
    let deny = r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ticks/*"}"#;
    assert!(!bucket_policy(deny).is_public());
}

#[test]
fn a_block_refuses_what_is_public_when_it_is_set() {
    let public = bucket_policy(
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ticks/*"}"#,
    );
    let acl = Acl::canned(CannedAcl::PublicRead, &owner(ACCOUNT), None);
    let policies = PublicAccessBlock { block_public_policy: true, ..PublicAccessBlock::default() };
    let acls = PublicAccessBlock { block_public_acls: true, ..PublicAccessBlock::default() };
    assert!(policies.refuses_policy(&public) && !policies.refuses_acl(&acl));
    assert!(acls.refuses_acl(&acl) && !acls.refuses_policy(&public));
    let both = policies.and(acls);
    assert!(both.refuses_acl(&acl) && both.refuses_policy(&public));
    assert!(!both.refuses_acl(&Acl::canned(CannedAcl::Private, &owner(ACCOUNT), None)));
}
