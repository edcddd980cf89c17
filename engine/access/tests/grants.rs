//! Grants: for one action on one resource, and only by a decision.

mod account;

use std::sync::Arc;

use account::{ACCOUNT, inline, owner, root_of, user};
use packstone_access::{Action, Actor, Context, Denied, Level, Request, Resource, Scope, authorise};

const OBJECT: Resource<'static> = Resource::Object { bucket: "b", key: "k" };

#[test]
fn a_grant_is_for_one_action_on_one_resource() {
    let grant = authorise(&Actor::Root, Action::GetObject, OBJECT).unwrap();
    assert_eq!((grant.bucket(), grant.key()), ("b", "k"));
    assert!(grant.covers(Action::GetObject).is_ok());
    assert_eq!(grant.covers(Action::DeleteObject), Err(Denied { action: Action::DeleteObject }));
}

#[test]
fn a_worker_deletes_nothing() {
    let worker = Actor::Worker("verify".into());
    assert!(authorise(&worker, Action::GetObject, OBJECT).is_ok());
    assert!(authorise(&worker, Action::DeleteObject, OBJECT).is_err());
}

#[test]
fn a_principal_gets_nothing_without_its_policies_being_asked() {
    let root = Actor::Principal(Arc::new(root_of(ACCOUNT)));
    assert!(authorise(&root, Action::GetObject, OBJECT).is_err());
}

#[test]
fn a_request_makes_a_grant_of_what_it_asked() {
    let allow = inline(r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}"#);
    let identity = Arc::new(user("alice").with_policy(allow));
    let (facts, own) = (Context::new(), owner(ACCOUNT));
    let scope = Scope { owner: Some(&own), ..Scope::default() };
    let request = Request { identity: &identity, action: Action::GetObject, resource: OBJECT, facts: &facts, scope };
    let grant = request.authorise().unwrap();
    assert_eq!((grant.action(), grant.bucket(), grant.key()), (Action::GetObject, "b", "k"));
    assert_eq!(grant.actor().to_string(), "arn:aws:iam::111122223333:user/alice");
    let refused = Request { action: Action::PutObject, ..request }.authorise();
    assert_eq!(refused.unwrap_err(), Denied { action: Action::PutObject });
}

#[test]
fn the_node_s_own_affairs_are_for_no_principal() {
    let everything = inline(r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#);
    for identity in [root_of(ACCOUNT), user("alice").with_policy(everything)] {
        let (identity, facts) = (Arc::new(identity), Context::new());
        let scope = Scope::default();
        let action = Action::Administer;
        let request = Request { identity: &identity, action, resource: Resource::Node, facts: &facts, scope };
        assert!(request.authorise().is_err());
    }
}

#[test]
fn actions_are_found_by_name() {
    for action in Action::ALL {
        assert_eq!(Action::from_name(&action.name().to_uppercase()), Some(*action));
    }
    assert_eq!(Action::GetObject.name(), "s3:GetObject");
    assert_eq!(Action::from_name("s3:GetObjekt"), None);
    assert_eq!(Action::BypassGovernanceRetention.level(), Level::Object);
    assert_eq!(Action::AssumeRole.name(), "sts:AssumeRole");
}
