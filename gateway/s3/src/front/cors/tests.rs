use std::sync::Arc;

use hyper::{HeaderMap, Method};
use s3s::dto::{CORSConfiguration, CORSRule};

use super::{Rules, Sharing, Target, preflight, shared};
use crate::detail::{Detail, Element};

const OBJECT: Target<'static> = Target::Object { bucket: "b", key: "k" };

fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CORSRule {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    CORSRule {
        allowed_headers: Some(owned(headers)),
        allowed_methods: owned(methods),
        allowed_origins: owned(origins),
        ..CORSRule::default()
    }
}

fn sharing(rules: Vec<CORSRule>) -> Sharing {
    Sharing::By(Arc::new(Rules::new(&CORSConfiguration { cors_rules: rules })))
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn told<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

/// The origin that a GET from `origin` is told.
fn allowed(sharing: &Sharing, origin: &'static str) -> Option<String> {
    let told = shared(&Method::GET, &headers(&[("origin", origin)]), sharing);
    told.get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn origins_with_a_wildcard() {
    let sharing = sharing(vec![rule(&["*.suffix", "start*end", "prefix*", "https://whole.example"], &["GET"], &[])]);
    for origin in ["a.suffix", ".suffix", "startend", "start1end", "prefix", "prefix.b", "https://whole.example"] {
        assert_eq!(allowed(&sharing, origin).as_deref(), Some(origin));
    }
    for origin in ["suffix", "a.suffix.b", "starend", "0startend", "a.prefix", "https://whole.example:1", "A.SUFFIX"] {
        assert_eq!(allowed(&sharing, origin), None, "{origin}");
    }
}

/// A prefix and a suffix don't share characters.
#[test]
fn a_wildcard_stands_between() {
    let sharing = sharing(vec![rule(&["aba*ba"], &["GET"], &[])]);
    assert_eq!(allowed(&sharing, "aba"), None);
    assert_eq!(allowed(&sharing, "ababa").as_deref(), Some("ababa"));
}

#[test]
fn every_origin_is_told_without_credentials() {
    let everyone = sharing(vec![rule(&["*"], &["GET"], &[])]);
    let told_to = shared(&Method::GET, &headers(&[("origin", "http://a")]), &everyone);
    assert_eq!(told(&told_to, "access-control-allow-origin"), Some("*"));
    assert_eq!(told(&told_to, "access-control-allow-credentials"), None);
    let named = sharing(vec![rule(&["http://*"], &["GET"], &[])]);
    let told_to = shared(&Method::GET, &headers(&[("origin", "http://a")]), &named);
    assert_eq!(told(&told_to, "access-control-allow-origin"), Some("http://a"));
    assert_eq!(told(&told_to, "access-control-allow-credentials"), Some("true"));
}

#[test]
fn the_first_rule_that_fits_answers() {
    let first = CORSRule { max_age_seconds: Some(5), ..rule(&["http://a"], &["GET", "PUT"], &["x-amz-*"]) };
    let second = CORSRule { expose_headers: Some(vec!["ETag".into(), "x-b".into()]), ..rule(&["*"], &["PUT"], &["*"]) };
    let sharing = sharing(vec![first, second]);
    let ask = |names| {
        let asked = [
            ("origin", "http://a"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", names),
        ];
        preflight(&headers(&asked), OBJECT, &sharing).unwrap()
    };
    let by_first = ask("X-Amz-Date,  x-amz-meta-A");
    assert_eq!(told(&by_first, "access-control-allow-methods"), Some("GET, PUT"));
    assert_eq!(told(&by_first, "access-control-allow-headers"), Some("x-amz-date, x-amz-meta-a"));
    assert_eq!(told(&by_first, "access-control-max-age"), Some("5"));
    assert_eq!(told(&by_first, "access-control-expose-headers"), None);
    let by_second = ask("x-amz-date, authorization");
    assert_eq!(told(&by_second, "access-control-allow-methods"), Some("PUT"));
    assert_eq!(told(&by_second, "access-control-expose-headers"), Some("ETag, x-b"));
}

#[test]
fn what_is_no_preflight() {
    let sharing = sharing(vec![rule(&["*"], &["GET"], &[])]);
    let refused = |pairs: &[(&'static str, &'static str)], sharing: &Sharing| {
        let refusal = preflight(&headers(pairs), OBJECT, sharing).unwrap_err();
        (refusal.status.as_u16(), refusal.code, refusal.message.into_owned())
    };
    let (status, code, message) = refused(&[], &sharing);
    assert_eq!((status, code), (400, "BadRequest"));
    assert_eq!(message, "Insufficient information. Origin request header needed.");
    assert_eq!(refused(&[("origin", "a")], &sharing).2, "Invalid Access-Control-Request-Method: null");
    let get = [("origin", "a"), ("access-control-request-method", "GET")];
    assert_eq!(refused(&get, &Sharing::Off).2, "CORSResponse: CORS is not enabled for this bucket.");
    assert_eq!(refused(&get, &Sharing::NoBucket).1, "AccessForbidden");
    let patch = [("origin", "a"), ("access-control-request-method", "PATCH")];
    assert_eq!(refused(&patch, &sharing).2, "Invalid Access-Control-Request-Method: PATCH");
    let put = [("origin", "a"), ("access-control-request-method", "PUT")];
    assert_eq!(refused(&put, &sharing).1, "AccessForbidden");
    let named = [get[0], get[1], ("access-control-request-headers", "x-a")];
    assert_eq!(refused(&named, &sharing).1, "AccessForbidden");
}

#[test]
fn what_is_forbidden_is_named() {
    let sharing = sharing(vec![rule(&["*"], &["GET"], &[])]);
    let asked = headers(&[("origin", "a"), ("access-control-request-method", "PUT")]);
    for (target, kind) in [(OBJECT, "OBJECT"), (Target::Bucket("b"), "BUCKET")] {
        let refusal = preflight(&asked, target, &sharing).unwrap_err();
        let said = [(Element::Method, "PUT"), (Element::ResourceType, kind)];
        assert_eq!(refusal.details, said.map(|(element, text)| Detail { element, text: text.into() }));
    }
}

/// A cache has to know that the answer would differ, from whatever origin it was asked first.
#[test]
fn answers_of_a_bucket_with_rules_vary() {
    let by_rules = sharing(vec![rule(&["http://a"], &["GET"], &[])]);
    for asked in [headers(&[]), headers(&[("origin", "http://a")]), headers(&[("origin", "http://b")])] {
        assert!(told(&shared(&Method::GET, &asked, &by_rules), "vary").unwrap().starts_with("Origin"));
    }
    assert!(shared(&Method::GET, &headers(&[("origin", "http://a")]), &Sharing::Off).is_empty());
}
