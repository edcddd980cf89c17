use hyper::Request;

use super::*;
use crate::identity::MasterKey;

fn parts(path: &str) -> Parts {
    let request = Request::get(path).header("host", "node").header("upgrade", "packstone-files");
    request.header("connection", "Upgrade").body(()).unwrap().into_parts().0
}

fn refused(parts: &Parts, is_empty: bool, remote: &str, secure: bool) -> Refusal {
    let ring = KeyRing::new("key", "secret", Arc::new(MasterKey::new(&[7; 32]).unwrap()));
    let from = From { remote: remote.parse().unwrap(), region: &"us-east-1".into(), secure };
    arrival(&ring, parts, is_empty, &from).unwrap_err()
}

#[test]
fn it_is_asked_at_one_path_and_of_no_bucket_that_a_host_names() {
    for (path, asked) in [
        ("/.packstone/files", true),
        ("/.packstone/files/", false),
        ("/.packstone", false),
        ("/.packstone/other", false),
        ("/bucket/.packstone/files", false),
    ] {
        let parts = parts(path);
        assert_eq!(is_asked(&parts, Target::parse(path, None)), asked, "{path}");
        assert!(!is_asked(&parts, Target::parse(path, Some("bucket"))), "{path}");
    }
    let mut parts = parts("/.packstone/files");
    parts.method = Method::PUT;
    assert!(!is_asked(&parts, Target::parse("/.packstone/files", None)));
}

#[test]
fn nobody_is_served_in_the_clear_but_this_machine() {
    let parts = parts("/.packstone/files");
    let in_the_clear = "Files are mounted by TLS: this endpoint has none.";
    for remote in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "0.0.0.0"] {
        assert_eq!(refused(&parts, true, remote, false).message, in_the_clear, "{remote}");
        assert_ne!(refused(&parts, true, remote, true).message, in_the_clear, "{remote}");
    }
    for remote in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
        assert_ne!(refused(&parts, true, remote, false).message, in_the_clear, "{remote}");
    }
}

#[test]
fn what_is_no_such_request_is_refused() {
    let other = |change: fn(&mut Parts)| {
        let mut parts = parts("/.packstone/files");
        change(&mut parts);
        refused(&parts, true, "127.0.0.1", true).code
    };
    assert_eq!(other(|_| {}), "AccessDenied", "nobody signed it");
    assert_eq!(other(|parts| parts.version = Version::HTTP_2), "InvalidRequest");
    assert_eq!(other(|parts| drop(parts.headers.remove(UPGRADE))), "InvalidRequest");
    assert_eq!(other(|parts| parts.uri = Uri::from_static("/.packstone/files?prefix=a")), "InvalidRequest");
    assert_eq!(refused(&parts("/.packstone/files"), false, "127.0.0.1", true).code, "InvalidRequest");
}
