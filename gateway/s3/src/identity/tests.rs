#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use packstone_access::Actor;
use packstone_posix::Holder;

use super::*;

const ROOT: (&str, &str) = ("root", "root-secret");

fn master() -> Arc<MasterKey> {
    Arc::new(MasterKey::new(&[7; 32]).unwrap())
}

fn record(name: &str, own: Own) -> Record {
    let tags = BTreeMap::from([("desk".to_owned(), "fx".to_owned())]);
    let inline = BTreeMap::from([(
        "all".to_owned(),
        r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#.to_owned(),
    )]);
    let class = Record {
        id: String::new(),
        path: "/".into(),
        name: name.into(),
        created: 1,
        tags,
        inline,
        attached: BTreeSet::new(),
        boundary: None,
        own,
    };
    Record { id: mint(class.class().prefix()).unwrap(), ..class }
}

fn user(name: &str, key: &str, secret: &str, active: bool) -> Record {
    let sealed = STANDARD.encode(master().seal(Purpose::Secret, key, secret.as_bytes()).unwrap());
    let keys = vec![AccessKey { id: key.into(), secret: sealed, active, created: 2, made: None }];
    record(name, Own::User { keys, groups: BTreeSet::new() })
}

fn ring(records: impl IntoIterator<Item = Record>) -> KeyRing {
    let ring = KeyRing::new(ROOT.0, ROOT.1, master());
    let mut all = Records::default();
    for record in records {
        all.put(Known::new(record, ring.master()));
    }
    ring.set_records(all);
    ring
}

fn session(subject: Subject, expires: i64) -> Session {
    let (access_key, tags) = ("ASIAAAAABBBBCCCCDDDD".to_owned(), BTreeMap::new());
    Session { access_key, subject, issued: now(), expires, policies: Vec::new(), tags, claims: None }
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let written = user("alice", "AKIA1", "secret", true);
    let bytes = written.encode().unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("\"secret\":\"secret\""));
    let document = |value: Vec<u8>| packstone_store::object::Document { lsn: 1, value: value.into() };
    assert_eq!(Record::decode(&document(bytes.clone())), Some(written));
    let newer: Vec<u8> = [b"PSID\x02", bytes.get(5..).unwrap()].concat();
    assert_eq!(Record::decode(&document(newer)), None);
}

#[test]
fn what_is_sealed_opens_for_its_purpose_alone() {
    let (key, other) = (master(), MasterKey::new(&[8; 32]).unwrap());
    let sealed = key.seal(Purpose::Secret, "AKIA1", b"secret").unwrap();
    assert_eq!(key.open(Purpose::Secret, "AKIA1", &sealed).unwrap(), b"secret");
    assert_eq!(key.open(Purpose::Secret, "AKIA2", &sealed), None);
    assert_eq!(key.open(Purpose::Token, "AKIA1", &sealed), None);
    assert_eq!(other.open(Purpose::Secret, "AKIA1", &sealed), None);
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        *damaged.get_mut(at).unwrap() ^= 1;
        assert_eq!(key.open(Purpose::Secret, "AKIA1", &damaged), None, "{at}");
    }
    assert_eq!(key.open(Purpose::Secret, "AKIA1", b"short"), None);
    assert_ne!(key.seal(Purpose::Secret, "AKIA1", b"secret").unwrap(), sealed, "a nonce is used once");
}

#[test]
fn a_key_finds_its_user_while_it_is_active() {
    let ring = ring([user("alice", "AKIA1", "secret", true), user("bob", "AKIA2", "other", false)]);
    let bearer = ring.bearer("AKIA1", None).unwrap();
    assert_eq!(bearer.identity.principal.arn(), "arn:aws:iam::000000000000:user/alice");
    assert_eq!(ring.secret("AKIA1").unwrap().expose(), "secret");
    assert_eq!(ring.bearer("AKIA2", None).unwrap_err(), Stranger::UnknownKey);
    assert!(ring.secret("AKIA2").is_none());
    assert_eq!(ring.bearer("AKIA1", Some("token")).unwrap_err(), Stranger::InvalidToken);
    assert_eq!(ring.bearer("root", None).unwrap().actor, Actor::Root);
    ring.set_root("other", "secret-of-root", None);
    assert_eq!(ring.bearer("root", None).unwrap_err(), Stranger::UnknownKey);
    assert!(ring.bearer("AKIA1", None).is_ok(), "users stay when root changes");
}

#[test]
fn a_uid_is_one_users_or_nobodys() {
    let with_uid = |name: &str, class: Own, uid: &str| {
        let mut made = record(name, class);
        made.tags.insert(UID.to_owned(), uid.to_owned());
        made
    };
    let someone = || Own::User { keys: Vec::new(), groups: BTreeSet::new() };
    let (alice, bob) = (with_uid("alice", someone(), "1001"), with_uid("bob", someone(), "1002"));
    let id = alice.id.clone();
    let ring = ring([alice, bob, with_uid("mallory", someone(), "1002"), with_uid("group", Own::Group, "1003")]);
    let named = |holder| match holder {
        Holder::User(identity) => identity.principal.arn().to_owned(),
        Holder::Nobody => "nobody".to_owned(),
        Holder::Contested => "contested".to_owned(),
    };
    let held = [1001, 1002, 1003, 0].map(|uid| named(ring.holder(uid)));
    assert_eq!(held, ["arn:aws:iam::000000000000:user/alice", "contested", "nobody", "nobody"]);
    assert_eq!(ring.user(&id).unwrap().principal.arn(), "arn:aws:iam::000000000000:user/alice");
    // What is kept of a user is forgotten with the next change.
    let mut without = Records::clone(&ring.records());
    without.remove(&id);
    ring.set_records(without);
    assert!(ring.user(&id).is_none());
    assert_eq!(named(ring.holder(1001)), "nobody");
}

#[test]
fn a_session_is_as_good_as_its_token() {
    let alice = user("alice", "AKIA1", "secret", true);
    let ring = ring([alice.clone()]);
    let of_alice = session(Subject::User(alice.id.clone()), now() + 60);
    let token = of_alice.seal(ring.master()).unwrap();
    let bearer = ring.bearer(&of_alice.access_key, Some(&token)).unwrap();
    assert!(!bearer.is_root() && bearer.identity.policies.len() == 1);
    assert_eq!(ring.bearer(&of_alice.access_key, None).unwrap_err(), Stranger::InvalidToken);
    assert_eq!(ring.bearer("ASIAEEEEFFFFGGGGHHHH", Some(&token)).unwrap_err(), Stranger::InvalidToken);
    let foreign = of_alice.seal(&MasterKey::new(&[8; 32]).unwrap()).unwrap();
    assert_eq!(ring.bearer(&of_alice.access_key, Some(&foreign)).unwrap_err(), Stranger::InvalidToken);
    let expired = session(Subject::User(alice.id.clone()), now() - 1).seal(ring.master()).unwrap();
    assert_eq!(ring.bearer(&of_alice.access_key, Some(&expired)).unwrap_err(), Stranger::ExpiredToken);
    ring.set_records(Records::default());
    assert_eq!(ring.bearer(&of_alice.access_key, Some(&token)).unwrap_err(), Stranger::InvalidToken, "alice is gone");
}

#[test]
fn a_session_of_root_ends_with_its_credentials() {
    let ring = ring([]);
    let of_root = session(Subject::Root(ring.root_fingerprint(ROOT.0).unwrap()), now() + 60);
    let token = of_root.seal(ring.master()).unwrap();
    assert!(ring.bearer(&of_root.access_key, Some(&token)).unwrap().is_root());
    ring.set_root(ROOT.0, "another-secret", None);
    assert_eq!(ring.bearer(&of_root.access_key, Some(&token)).unwrap_err(), Stranger::InvalidToken);
}

#[test]
fn credentials_that_were_replaced_are_taken_until_they_end() {
    let previous = |until| PreviousRoot { access_key: ROOT.0.into(), secret_key: ROOT.1.into(), until };
    let ring = ring([user("alice", "AKIA1", "secret", true)]);
    let of_root = session(Subject::Root(ring.root_fingerprint(ROOT.0).unwrap()), now() + 60);
    let token = of_root.seal(ring.master()).unwrap();
    for until in [None, Some(now() + 30)] {
        ring.set_root("new", "secret-of-root", Some(previous(until)));
        // Whatever else changes: they stay.
        ring.set_records(Records::default());
        for (access_key, secret) in [ROOT, ("new", "secret-of-root")] {
            assert!(ring.bearer(access_key, None).unwrap().is_root());
            assert_eq!(ring.secret(access_key).unwrap().expose(), secret);
        }
        let bearer = ring.bearer(&of_root.access_key, Some(&token)).unwrap();
        assert_eq!(bearer.session.unwrap().1, until.unwrap_or(of_root.expires), "no session outlives them");
    }
    for ended in [Some(previous(Some(now()))), Some(previous(Some(now() - 1))), None] {
        ring.set_root("new", "secret-of-root", ended);
        assert_eq!(ring.bearer(ROOT.0, None).unwrap_err(), Stranger::UnknownKey);
        assert!(ring.secret(ROOT.0).is_none() && ring.root_fingerprint(ROOT.0).is_none());
        assert_eq!(ring.bearer(&of_root.access_key, Some(&token)).unwrap_err(), Stranger::InvalidToken);
        assert!(ring.bearer("new", None).unwrap().is_root());
    }
}

#[test]
fn a_policy_that_cannot_be_read_denies_everything() {
    let deny = r#"{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Newer": {}}}}"#;
    let mut alice = user("alice", "AKIA1", "secret", true);
    alice.inline.insert("newer".into(), deny.into());
    let identity = ring([alice]).bearer("AKIA1", None).unwrap().identity.clone();
    let facts = packstone_access::Context::new();
    let (action, resource) = (packstone_access::Action::ListAllMyBuckets, packstone_access::Resource::Node);
    let scope = packstone_access::Scope::default();
    let request = packstone_access::Request { identity: &identity, action, resource, facts: &facts, scope };
    assert!(!request.decide().is_allowed());
}

#[test]
fn a_boundary_that_is_missing_bounds_to_nothing() {
    let mut alice = user("alice", "AKIA1", "secret", true);
    alice.boundary = Some("ANPAGONE".into());
    assert!(ring([alice]).bearer("AKIA1", None).unwrap().identity.boundary.is_some());
}
