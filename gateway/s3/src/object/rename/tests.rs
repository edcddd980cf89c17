#![allow(clippy::unwrap_used, reason = "a test may panic")]

use packstone_store::object::Etag;

use super::*;

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let pairs = fields.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
    pairs.collect()
}

#[test]
fn a_source_is_named_with_its_bucket_or_without() {
    let read = |value: &str| source(&headers(&[("x-amz-rename-source", value)]), "ticks").ok();
    for (value, key) in [
        ("/ticks/day/a", Some("day/a")),
        ("day/a", Some("day/a")),
        ("ticks/day/a", Some("ticks/day/a")),
        ("/ticks/ticks/day/a", Some("ticks/day/a")),
        ("/ticks//day/a", Some("/day/a")),
        ("/day/a", Some("day/a")),
        ("day%2Fa%20b", Some("day/a b")),
        ("ticks", Some("ticks")),
        ("/other/a", Some("other/a")),
        ("/ticksy/a", Some("ticksy/a")),
        ("", None),
        ("/", None),
        ("/ticks/", None),
        ("%ff", None),
    ] {
        assert_eq!(read(value).as_deref(), key, "{value}");
    }
}

#[test]
fn conditions_of_source_and_destination_are_told_apart() {
    let said = headers(&[
        ("x-amz-rename-source-if-match", "\"0123456789abcdef0123456789abcdef\""),
        ("if-none-match", "*"),
        ("if-unmodified-since", "Thu, 01 Jan 1970 00:00:07 GMT"),
    ]);
    let of_source = conditions(&said, OF_SOURCE).unwrap();
    let md5 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes();
    assert_eq!(of_source, Conditions { matches: Some(NamedTag::Is(Etag { md5, parts: 0 })), ..Conditions::default() });
    let of_destination = conditions(&said, "").unwrap();
    let expected = Conditions { none_match: Some(NamedTag::Any), unmodified_since: Some(7), ..Conditions::default() };
    assert_eq!(of_destination, expected);
    assert!(conditions(&headers(&[("if-modified-since", "yesterday")]), "").is_err());
}

#[test]
fn a_token_stands_for_everything_that_is_asked() {
    let of = |fields: &[(&str, &str)], source: &str| {
        token(&headers(&[&[("x-amz-client-token", "t")], fields].concat()), source).unwrap().unwrap()
    };
    let plain = of(&[], "a");
    assert_eq!(plain, of(&[], "a"));
    for other in [of(&[], "b"), of(&[("if-match", "*")], "a"), of(&[("x-amz-rename-source-if-match", "*")], "a")] {
        assert!(plain.token == other.token && plain.request != other.request);
    }
    assert!(token(&HeaderMap::new(), "a").unwrap().is_none());
    for bad in ["", "a b", &"x".repeat(65)] {
        assert!(token(&headers(&[("x-amz-client-token", bad)]), "a").is_err(), "{bad}");
    }
}
