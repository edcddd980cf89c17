use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use hyper::{HeaderMap, Uri};

use super::*;
use crate::asker::Signed;
use crate::identity::{KeyRing, MasterKey, Session, Subject, now};
use crate::trial_store::store;

const KEY: &str = "root";

fn face(scratch: &tempfile::TempDir) -> Face {
    let ring = KeyRing::new(KEY, "secret", Arc::new(MasterKey::new(&[7; 32]).unwrap()));
    let object_ownership = packstone_access::ObjectOwnership::default();
    Face { store: store(scratch), ring, region: "us-east-1".into(), object_ownership }
}

fn mounted(face: &Face, key: &str, token: Option<&str>) -> Mounted {
    let arrival = Arrival {
        bearer: face.ring.bearer(key, token).unwrap(),
        remote: [192, 0, 2, 1].into(),
        region: "us-east-1".into(),
        secure: true,
        signed: Signed::Header,
        headers: HeaderMap::new(),
        uri: Uri::from_static(packstone_posix::UPGRADE_PATH),
        verified: AtomicBool::new(true),
    };
    Mounted::new(face.clone(), Arc::new(arrival), token.map(str::to_owned)).unwrap()
}

fn session(face: &Face, expires: i64) -> (String, String) {
    let session = Session {
        access_key: "ASIAAAAABBBBCCCCDDDD".into(),
        subject: Subject::Root(face.ring.root_fingerprint(KEY).unwrap()),
        issued: now(),
        expires,
        policies: Vec::new(),
        tags: BTreeMap::new(),
        claims: None,
    };
    let token = session.seal(face.ring.master()).unwrap();
    (session.access_key, token)
}

#[test]
fn credentials_are_good_as_long_as_a_request_could_be_signed_with_them() {
    let scratch = tempfile::tempdir().unwrap();
    let face = face(&scratch);
    let (key, token) = session(&face, now() + 3600);
    let (root, temporary) = (mounted(&face, KEY, None), mounted(&face, &key, Some(&token)));
    assert_eq!((root.actor(), temporary.actor()), (Some(Actor::Root), Some(Actor::Root)));
    face.ring.set_root(KEY, "another secret", None);
    assert_eq!((root.actor(), temporary.actor()), (None, None));
    face.ring.set_root(KEY, "secret", None);
    assert_eq!((root.actor(), temporary.actor()), (Some(Actor::Root), Some(Actor::Root)));
    face.ring.set_root("other", "secret", None);
    assert_eq!((root.actor(), temporary.actor()), (None, None));
}

#[test]
fn temporary_credentials_end_when_they_expire() {
    let scratch = tempfile::tempdir().unwrap();
    let face = face(&scratch);
    let expires = now() + 2;
    let (key, token) = session(&face, expires);
    let temporary = mounted(&face, &key, Some(&token));
    assert_eq!(temporary.actor(), Some(Actor::Root));
    while now() <= expires {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(temporary.actor(), None);
}

#[test]
fn a_fingerprint_is_of_all_that_was_proven() {
    let scratch = tempfile::tempdir().unwrap();
    let face = face(&scratch);
    let [one, other] = [3600, 7200].map(|life| session(&face, now() + life));
    let before = mounted(&face, KEY, None).fingerprint();
    let of = |(key, token): &(String, String)| mounted(&face, key, Some(token)).fingerprint();
    assert_eq!(before, mounted(&face, KEY, None).fingerprint());
    assert_eq!(of(&one), of(&one));
    assert_ne!(of(&one), of(&other));
    assert_ne!(of(&one), before);
    face.ring.set_root(KEY, "another secret", None);
    assert_ne!(mounted(&face, KEY, None).fingerprint(), before);
}
