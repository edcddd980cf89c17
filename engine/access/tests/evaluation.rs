//! The order of evaluation: who must allow, and what a deny ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod account;

use std::sync::Arc;

use account::{
    ACCOUNT, BUCKET, OTHER, anonymous, ask, bucket_policy, document, inline, may_get, owner, root_of, session, user,
    user_of,
};
use packstone_access::{
    Acl, AclGrant, Action, Context, Grantee, Group, Identity, Kind, Name, ObjectOwnership, Owner, Permission, Policy,
    PolicyKind, Principal, PublicAccessBlock, Request, Resource, Scope,
};

const READ_HOME: &str = r#"{"Sid": "Home", "Effect": "Allow", "Action": "s3:GetObject",
                            "Resource": "arn:aws:s3:::ticks/home/${aws:username}/*"}"#;
const READ_ALL: &str = r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#;

/// A bucket's statement on its keys.
fn on_keys(effect: &str, principal: &str) -> Arc<Policy> {
    bucket_policy(&format!(
        r#"{{"Effect": "{effect}", "Principal": {principal}, "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::ticks/*"}}"#
    ))
}

fn aws(arn: &str) -> String {
    format!(r#"{{"AWS": "{arn}"}}"#)
}

#[test]
fn nothing_is_allowed_unless_something_allows_it() {
    for identity in [user("alice"), session("reader", "s"), anonymous(), root_of(OTHER)] {
        assert!(!may_get(identity, None, "a"));
    }
    assert!(may_get(root_of(ACCOUNT), None, "a"));
}

#[test]
fn an_identity_policy_allows_what_it_names() {
    let alice = user("alice").with_policy(inline(READ_HOME));
    assert!(may_get(alice.clone(), None, "home/alice/a"));
    assert!(!may_get(alice.clone(), None, "home/bob/a"));
    assert!(!may_get(alice, None, "home/alice"));
}

#[test]
fn a_deny_wins_wherever_it_stands() {
    let deny = inline(r#"{"Effect": "Deny", "Action": "s3:Get*", "Resource": "arn:aws:s3:::ticks/secret/*"}"#);
    let all = inline(READ_ALL);
    let mallory = user("mallory");
    let allow = on_keys("Allow", "\"*\"");
    let both = || mallory.clone().with_policy(Arc::clone(&all)).with_session(Arc::clone(&all));
    for denied in [
        both().with_policy(Arc::clone(&deny)),
        both().within(Arc::clone(&deny)),
        both().with_session(Arc::clone(&deny)),
    ] {
        assert!(!may_get(denied, Some(&allow), "secret/a"));
    }
    assert!(may_get(both(), Some(&allow), "secret/a"));
    assert!(!may_get(both(), Some(&on_keys("Deny", "\"*\"")), "a"));
    assert!(!may_get(root_of(ACCOUNT), Some(&on_keys("Deny", "\"*\"")), "a"));
    assert!(!may_get(both(), Some(&on_keys("Deny", &aws(ACCOUNT))), "a"));
    assert!(!may_get(
        session("reader", "s").with_policy(all),
        Some(&on_keys("Deny", &aws("arn:aws:iam::111122223333:role/reader"))),
        "a"
    ));
}

#[test]
fn the_order_of_statements_does_not_matter() {
    let deny = r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}"#;
    for statements in [format!("{READ_ALL},{deny}"), format!("{deny},{READ_ALL}")] {
        assert!(!may_get(user("alice").with_policy(inline(&statements)), None, "a"));
    }
}

#[test]
fn negations_speak_of_all_else() {
    let but_iam = inline(r#"{"Effect": "Allow", "NotAction": ["iam:*", "S3:DELETE*"], "Resource": "*"}"#);
    let but_secret =
        inline(r#"{"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::ticks/secret/*"}"#);
    let alice = user("alice").with_policy(but_iam);
    assert!(may_get(alice.clone(), None, "a"));
    let resource = Resource::Object { bucket: BUCKET, key: "a" };
    let allowed = |action| {
        ask(alice.clone(), action, resource, &Context::new(), Scope::default(), |decision| decision.is_allowed())
    };
    assert!(!allowed(Action::DeleteObject));
    assert!(!allowed(Action::CreateUser));
    assert!(allowed(Action::PutObject));
    let bob = user("bob").with_policy(but_secret);
    assert!(may_get(bob.clone(), None, "a"));
    assert!(!may_get(bob, None, "secret/a"));
}

#[test]
fn everybody_but_the_named_is_denied() {
    let policy = bucket_policy(
        r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ticks/*",
            "NotPrincipal": {"AWS": ["arn:aws:iam::111122223333:user/alice", "111122223333"]}}"#,
    );
    let with_all = |identity: Identity| identity.with_policy(inline(READ_ALL));
    assert!(may_get(with_all(user("alice")), Some(&policy), "a"));
    assert!(!may_get(with_all(user("bob")), Some(&policy), "a"));
    assert!(!may_get(anonymous(), Some(&policy), "a"));
    assert!(may_get(root_of(ACCOUNT), Some(&policy), "a"));
}

#[test]
fn within_an_account_the_bucket_may_allow_alone() {
    let alice = "arn:aws:iam::111122223333:user/alice";
    assert!(may_get(user("alice"), Some(&on_keys("Allow", &aws(alice))), "a"));
    assert!(!may_get(user("bob"), Some(&on_keys("Allow", &aws(alice))), "a"));
    assert!(may_get(user("bob"), Some(&on_keys("Allow", "\"*\"")), "a"));
    // To name the account leaves it to the account's own policies.
    assert!(!may_get(user("alice"), Some(&on_keys("Allow", &aws(ACCOUNT))), "a"));
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let stranger = || user_of(OTHER, "eve");
    let arn = "arn:aws:iam::444455556666:user/eve";
    for principal in [aws(arn), aws(OTHER), aws("arn:aws:iam::444455556666:root"), "\"*\"".into()] {
        let policy = on_keys("Allow", &principal);
        assert!(!may_get(stranger(), Some(&policy), "a"), "{principal}");
        assert!(may_get(stranger().with_policy(inline(READ_ALL)), Some(&policy), "a"), "{principal}");
    }
    assert!(!may_get(stranger().with_policy(inline(READ_ALL)), None, "a"));
    assert!(may_get(root_of(OTHER), Some(&on_keys("Allow", &aws(OTHER))), "a"));
    assert!(!may_get(root_of(OTHER), Some(&on_keys("Allow", &aws(arn))), "a"));
    let canonical = format!(r#"{{"CanonicalUser": "{OTHER:0>64}"}}"#);
    assert!(may_get(root_of(OTHER), Some(&on_keys("Allow", &canonical)), "a"));
}

#[test]
fn strangers_have_the_bucket_s_side_only() {
    assert!(may_get(anonymous(), Some(&on_keys("Allow", "\"*\"")), "a"));
    assert!(may_get(anonymous(), Some(&on_keys("Allow", &aws("*"))), "a"));
    assert!(!may_get(anonymous(), Some(&on_keys("Allow", &aws(ACCOUNT))), "a"));
    assert!(!may_get(anonymous().with_policy(inline(READ_ALL)), None, "a"));
}

#[test]
fn a_boundary_allows_nothing_and_limits_what_is_allowed() {
    let boundary = inline(r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::ticks/home/*"}"#);
    assert!(!may_get(user("alice").within(Arc::clone(&boundary)), None, "home/a"));
    let alice = user("alice").with_policy(inline(READ_ALL)).within(boundary);
    assert!(may_get(alice.clone(), None, "home/a"));
    assert!(!may_get(alice.clone(), None, "a"));
    // What the bucket gives a user by name is not within its boundary.
    assert!(may_get(alice, Some(&on_keys("Allow", &aws("arn:aws:iam::111122223333:user/alice"))), "a"));
}

#[test]
fn a_session_s_policies_intersect_with_the_role_s() {
    let home = inline(READ_HOME.replace("${aws:username}", "x").as_str());
    let other = inline(r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::ticks/tmp/*"}"#);
    let reader = session("reader", "s").with_policy(inline(READ_ALL)).with_session(home).with_session(other);
    assert!(may_get(reader.clone(), None, "home/x/a"));
    assert!(may_get(reader.clone(), None, "tmp/a"));
    assert!(!may_get(reader.clone(), None, "a"));
    // Named by the role, the session stays within its policies; named by itself, it does not.
    let by_role = on_keys("Allow", &aws("arn:aws:iam::111122223333:role/reader"));
    let by_session = on_keys("Allow", &aws("arn:aws:sts::111122223333:assumed-role/reader/s"));
    assert!(!may_get(reader.clone(), Some(&by_role), "a"));
    assert!(may_get(reader.clone(), Some(&by_role), "tmp/a"));
    assert!(may_get(reader, Some(&by_session), "a"));
    assert!(!may_get(session("reader", "t"), Some(&by_session), "a"));
    assert!(may_get(session("reader", "t"), Some(&by_role), "a"));
}

#[test]
fn a_session_policy_without_a_role_s_leave_gives_nothing() {
    assert!(!may_get(session("reader", "s").with_session(inline(READ_ALL)), None, "a"));
}

#[test]
fn the_root_can_always_mend_the_bucket_s_policy() {
    let locked = bucket_policy(
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": ["arn:aws:s3:::ticks", "arn:aws:s3:::ticks/*"]}"#,
    );
    let own = owner(ACCOUNT);
    let scope = Scope { owner: Some(&own), policy: Some(&locked), ..Scope::default() };
    let allowed = |identity, action| {
        ask(identity, action, Resource::Bucket(BUCKET), &Context::new(), scope, |decision| decision.is_allowed())
    };
    for action in [Action::GetBucketPolicy, Action::PutBucketPolicy, Action::DeleteBucketPolicy] {
        assert!(allowed(root_of(ACCOUNT), action));
        assert!(!allowed(root_of(OTHER), action));
        assert!(!allowed(user("alice").with_policy(inline(READ_ALL)), action));
    }
    assert!(!allowed(root_of(ACCOUNT), Action::ListBucket));
}

#[test]
fn a_role_is_assumed_by_leave_of_its_trust_policy() {
    let arn = "arn:aws:iam::111122223333:role/reader";
    let assume = || inline(&format!(r#"{{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "{arn}"}}"#));
    let own = owner(ACCOUNT);
    let may = |identity: Identity, principal: &str| {
        let text = document(&format!(r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "sts:AssumeRole"}}"#));
        let trust = Policy::parse(PolicyKind::Trust, "reader", &text).unwrap();
        let scope = Scope { owner: Some(&own), policy: Some(&trust), ..Scope::default() };
        let resource = Resource::Identity(arn);
        ask(identity, Action::AssumeRole, resource, &Context::new(), scope, |decision| decision.is_allowed())
    };
    assert!(may(user("alice"), &aws("arn:aws:iam::111122223333:user/alice")));
    assert!(!may(user("alice").with_policy(assume()), &aws("arn:aws:iam::111122223333:user/bob")));
    assert!(!may(user("alice"), &aws(ACCOUNT)));
    assert!(may(user("alice").with_policy(assume()), &aws(ACCOUNT)));
    assert!(!may(user_of(OTHER, "eve"), &aws(OTHER)));
    assert!(may(user_of(OTHER, "eve").with_policy(assume()), &aws(OTHER)));
}

#[test]
fn a_web_identity_is_trusted_by_its_provider_and_claims() {
    let text = document(
        r#"{"Effect": "Allow", "Principal": {"Federated": "idp.example.com"}, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {"idp.example.com:sub": "alice"}}}"#,
    );
    let trust = Policy::parse(PolicyKind::Trust, "reader", &text).unwrap();
    let own = owner(ACCOUNT);
    let may = |provider: &str, subject: &str| {
        let nobody = owner("");
        let claims = Kind::Federated { provider: provider.into() };
        let identity = Identity::new(Principal::new(claims, nobody));
        let facts = Context::new().with_tag(Name::Other, "idp.example.com:sub", subject);
        let scope = Scope { owner: Some(&own), policy: Some(&trust), ..Scope::default() };
        let resource = Resource::Identity("arn:aws:iam::111122223333:role/reader");
        ask(identity, Action::AssumeRoleWithWebIdentity, resource, &facts, scope, |decision| decision.is_allowed())
    };
    assert!(may("idp.example.com", "alice"));
    assert!(!may("idp.example.com", "bob"));
    assert!(!may("idp.example.org", "alice"));
}

#[test]
fn a_service_has_what_a_bucket_gives_it() {
    let service = |name: &str| Identity::new(Principal::new(Kind::Service { name: name.into() }, owner("")));
    let own = owner(ACCOUNT);
    let may = |name: &str, scope: Scope<'_>| {
        let scope = Scope { owner: Some(&own), ..scope };
        let resource = Resource::Object { bucket: BUCKET, key: "log" };
        ask(service(name), Action::PutObject, resource, &Context::new(), scope, |decision| decision.is_allowed())
    };
    const LOGGING: &str = "logging.s3.amazonaws.com";
    let named = bucket_policy(
        r#"{"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::ticks/*"}"#,
    );
    let by_policy = |policy| Scope { policy: Some(policy), ..Scope::default() };
    assert!(may(LOGGING, by_policy(&named)));
    assert!(!may("delivery.logs.amazonaws.com", by_policy(&named)));
    assert!(!may(LOGGING, Scope::default()));
    let account = bucket_policy(
        r#"{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::ticks/*"}"#,
    );
    assert!(!may(LOGGING, by_policy(&account)));

    // What closes a public policy to others leaves it to services.
    let public = bucket_policy(
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::ticks/*"}"#,
    );
    let block = PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() };
    assert!(may(LOGGING, Scope { block, ..by_policy(&public) }));

    let group = AclGrant { grantee: Grantee::Group(Group::LogDelivery), permission: Permission::Write };
    let acl = Acl { grants: vec![group] };
    let by_acl = |ownership| Scope { bucket_acl: Some(&acl), ownership, ..Scope::default() };
    assert!(may(LOGGING, by_acl(ObjectOwnership::ObjectWriter)));
    assert!(!may("delivery.logs.amazonaws.com", by_acl(ObjectOwnership::ObjectWriter)));
    assert!(!may(LOGGING, by_acl(ObjectOwnership::BucketOwnerEnforced)));
    let scope = Scope { owner: Some(&own), ..by_acl(ObjectOwnership::ObjectWriter) };
    let resource = Resource::Object { bucket: BUCKET, key: "log" };
    let anybody =
        ask(anonymous(), Action::PutObject, resource, &Context::new(), scope, |decision| decision.is_allowed());
    assert!(!anybody);
}

#[test]
fn what_has_no_policy_is_up_to_the_asker_s_own() {
    let list = inline(r#"{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:s3:::*"}"#);
    let users = inline(
        r#"{"Effect": "Allow", "Action": "iam:*AccessKey*",
            "Resource": "arn:aws:iam::111122223333:user/${aws:username}"}"#,
    );
    let alice = user("alice").with_policy(list).with_policy(users);
    let may = |action, resource| {
        ask(alice.clone(), action, resource, &Context::new(), Scope::default(), |decision| decision.is_allowed())
    };
    assert!(may(Action::ListAllMyBuckets, Resource::Node));
    assert!(may(Action::CreateAccessKey, Resource::Identity("arn:aws:iam::111122223333:user/alice")));
    assert!(!may(Action::CreateAccessKey, Resource::Identity("arn:aws:iam::111122223333:user/bob")));
    assert!(!may(Action::DeleteUser, Resource::Identity("arn:aws:iam::111122223333:user/alice")));
}

#[test]
fn variables_are_text_in_the_old_version() {
    let text = document(READ_HOME).replace("2012", "2008");
    let old = Policy::parse(PolicyKind::Inline, "old", &text).unwrap();
    let alice = user("alice").with_policy(old);
    assert!(!may_get(alice.clone(), None, "home/alice/a"));
    assert!(may_get(alice, None, "home/${aws:username}/a"));
}

#[test]
fn a_name_s_wildcards_are_letters() {
    let star = user("*").with_policy(inline(READ_HOME));
    assert!(!may_get(star.clone(), None, "home/alice/a"));
    assert!(may_get(star, None, "home/*/a"));
}

#[test]
fn a_public_bucket_that_is_restricted_is_for_its_own_account() {
    let policy = on_keys("Allow", "\"*\"");
    let own = owner(ACCOUNT);
    let block = PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() };
    let scope = Scope { owner: Some(&own), policy: Some(&policy), block, ..Scope::default() };
    let resource = Resource::Object { bucket: BUCKET, key: "a" };
    let says =
        |identity| ask(identity, Action::GetObject, resource, &Context::new(), scope, |decision| decision.to_string());
    let refused = "denied: the bucket's policy is public, and RestrictPublicBuckets is set";
    assert_eq!(says(anonymous()), refused);
    assert_eq!(says(user_of(OTHER, "eve").with_policy(inline(READ_ALL))), refused);
    assert_eq!(says(user("alice")), "allowed by statement 1 of resource-based policy ticks");
}

#[test]
fn a_decision_names_what_decided() {
    let says = |identity: Identity, policy: Option<&Policy>, key: &str| {
        let own = owner(ACCOUNT);
        let scope = Scope { owner: Some(&own), policy, ..Scope::default() };
        let resource = Resource::Object { bucket: BUCKET, key };
        ask(identity, Action::GetObject, resource, &Context::new(), scope, |decision| decision.to_string())
    };
    let home = || inline(&format!(r#"{{"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}},{READ_HOME}"#));
    let alice = || user("alice").with_policy(home());
    assert_eq!(says(root_of(ACCOUNT), None, "a"), "allowed: the account's root");
    assert_eq!(says(alice(), None, "home/alice/a"), "allowed by statement 2 (Home) of identity-based policy inline");
    assert_eq!(says(alice(), None, "a"), "denied: no identity-based policy allows it");
    assert_eq!(says(alice().with_session(inline(READ_HOME)), None, "a"), "denied: no identity-based policy allows it");
    let bounded = alice().within(inline(r#"{"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}"#));
    assert_eq!(says(bounded, None, "home/alice/a"), "denied: no permissions boundary allows it");
    let deny = on_keys("Deny", "\"*\"");
    assert_eq!(says(alice(), Some(&deny), "home/alice/a"), "denied by statement 1 of resource-based policy ticks");
    assert_eq!(says(anonymous(), None, "a"), "denied: no resource-based policy allows it");
}

#[test]
fn a_refusal_says_why_as_aws_does() {
    let identity = Arc::new(user("alice").with_policy(inline(READ_HOME)));
    let facts = Context::new();
    let (own, deny) = (owner(ACCOUNT), on_keys("Deny", "\"*\""));
    let because = |policy| {
        let scope = Scope { owner: Some(&own), policy, ..Scope::default() };
        let resource = Resource::Object { bucket: BUCKET, key: "a" };
        let request = Request { identity: &identity, action: Action::GetObject, resource, facts: &facts, scope };
        match request.decide() {
            packstone_access::Decision::Denied(refusal) => refusal.because("s3:GetObject"),
            allowed @ packstone_access::Decision::Allowed(_) => panic!("{allowed}"),
        }
    };
    assert_eq!(because(None), "because no identity-based policy allows the s3:GetObject action");
    assert_eq!(because(Some(&*deny)), "with an explicit deny in a resource-based policy");
}

#[test]
fn everybody_s_leave_does_not_let_a_session_out_of_its_bounds() {
    let bound = inline(r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::ticks/tmp/*"}"#);
    let reader = session("reader", "s").with_session(bound);
    let of_account = bucket_policy(
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::ticks/*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}}"#,
    );
    assert!(may_get(user("alice"), Some(&of_account), "a"));
    assert!(may_get(session("reader", "t"), Some(&of_account), "a"));
    assert!(may_get(reader.clone(), Some(&of_account), "tmp/a"));
    assert!(!may_get(reader.clone(), Some(&of_account), "a"));
    // What somebody may who doesn't sign, the session may.
    assert!(may_get(reader, Some(&on_keys("Allow", "\"*\"")), "a"));
}

#[test]
fn nobody_unnamed_assumes_a_role() {
    let anyone =
        r#"{"Effect": "Allow", "Principal": "*", "Action": ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"]}"#;
    let trust = Policy::parse(PolicyKind::Trust, "trust", &document(anyone)).unwrap();
    let own = owner(ACCOUNT);
    let may = |identity, action| {
        let scope = Scope { owner: Some(&own), policy: Some(&*trust), ..Scope::default() };
        let role = Resource::Identity("arn:aws:iam::111122223333:role/desk");
        ask(identity, action, role, &Context::new(), scope, |decision| decision.is_allowed())
    };
    assert!(may(user("alice"), Action::AssumeRole));
    assert!(!may(anonymous(), Action::AssumeRole));
    assert!(!may(anonymous(), Action::AssumeRoleWithWebIdentity));
    let provider = "arn:aws:iam::111122223333:oidc-provider/idp.example";
    let nobody = Owner { account: "".into(), canonical_id: "".into() };
    let vouched = Identity::new(Principal::new(Kind::Federated { provider: provider.into() }, nobody));
    assert!(!may(vouched, Action::AssumeRoleWithWebIdentity), "the policy names no provider");
}

#[test]
fn an_arn_that_was_looked_up_stands_for_who_had_it() {
    let bound = |named: &str, id: &str| {
        let statement = format!(
            r#"{{"Effect": "Allow", "Principal": {}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::ticks/*"}}"#,
            aws(named)
        );
        let ids = [(named.to_owned(), id.to_owned())].into();
        Policy::parse_bound(PolicyKind::Bucket(BUCKET.into()), BUCKET, &document(&statement), &ids).unwrap()
    };
    let alice = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    assert!(may_get(user("alice"), Some(&bound(&alice, "AIDAALICE")), "a"));
    assert!(!may_get(user("alice"), Some(&bound(&alice, "AIDAGONE")), "a"), "another one of that name");
    assert!(may_get(user("carol"), Some(&bound(&alice, "AIDACAROL")), "a"), "by another name");
    assert!(!may_get(session("alice", "s"), Some(&bound(&alice, "AIDAALICE")), "a"));
    let reader = format!("arn:aws:iam::{ACCOUNT}:role/reader");
    let night = format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/night");
    for (named, by, allowed) in [(&reader, "night", true), (&night, "night", true), (&night, "day", false)] {
        assert_eq!(may_get(session("reader", by), Some(&bound(named, "AROAROLE")), "a"), allowed, "{named} {by}");
        assert!(!may_get(session("reader", by), Some(&bound(named, "AROAGONE")), "a"), "{named} {by}");
    }
    let policy = bound(&alice, "AIDAALICE");
    assert_eq!(policy.named().collect::<Vec<_>>(), [alice.as_str()]);
}
