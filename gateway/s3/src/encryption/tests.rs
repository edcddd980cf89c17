#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::*;
use crate::asker::{Arrival, Signed, anonymous};

const SHORT: &str = "x-amz-server-side-encryption";

fn asker(secure: bool) -> Asker {
    let arrival = Arrival {
        bearer: anonymous(),
        remote: IpAddr::V4(Ipv4Addr::LOCALHOST),
        region: "us-east-1".into(),
        secure,
        signed: Signed::Header,
        headers: HeaderMap::new(),
        uri: hyper::Uri::default(),
        verified: std::sync::atomic::AtomicBool::new(true),
    };
    Asker { bearer: anonymous(), arrival: Some(Arc::new(arrival)) }
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let name = |suffix: &str| HeaderName::try_from(format!("{SHORT}{suffix}")).unwrap();
    fields.iter().map(|(suffix, value)| (name(suffix), value.parse().unwrap())).collect()
}

fn code(fields: &[(&str, &str)]) -> String {
    let error = Asked::parse(&headers(fields), &asker(true)).unwrap_err();
    format!("{} {}", error.code().as_str(), error.message().unwrap_or_default())
}

fn key_fields() -> [(&'static str, String); 3] {
    let (key, md5) = (STANDARD.encode([7; 32]), STANDARD.encode(crate::digest::md5(&[7; 32])));
    [("-customer-algorithm", "AES256".into()), ("-customer-key", key), ("-customer-key-md5", md5)]
}

#[test]
fn what_is_asked_for_is_told_apart() {
    let parse = |fields: &[(&str, &str)]| Asked::parse(&headers(fields), &asker(false)).unwrap();
    assert!(!parse(&[]).is_set());
    assert!(matches!(parse(&[("", "AES256")]), Asked::Method(Method::Managed, extras) if extras == Extras::default()));
    let named = parse(&[("", "aws:kms"), ("-aws-kms-key-id", "desk"), ("-bucket-key-enabled", "true")]);
    let Asked::Method(Method::Kms(kms), _) = named else { panic!("{named:?}") };
    assert_eq!(kms, Kms { name: "desk".into(), bucket_key: true });
    let context = STANDARD.encode(br#"{"desk":"fx"}"#);
    let bound = parse(&[("", "aws:kms"), ("-context", &context)]);
    assert!(
        matches!(bound, Asked::Method(Method::Kms(_), extras) if extras.context.as_deref() == Some(br#"{"desk":"fx"}"#))
    );
}

#[test]
fn headers_that_do_not_fit_are_refused() {
    assert!(code(&[("", "AES128")]).starts_with("InvalidEncryptionAlgorithmError"));
    assert!(code(&[("", "aws:kms:dsse")]).starts_with("NotImplemented"));
    assert!(code(&[("", "AES256"), ("-aws-kms-key-id", "desk")]).starts_with("InvalidArgument"));
    assert!(code(&[("-aws-kms-key-id", "desk")]).starts_with("InvalidArgument"));
    for context in ["{}", "e30", "W10=", "eyJhIjoxfQ=="] {
        assert!(code(&[("", "aws:kms"), ("-context", context)]).contains("string-string map"), "{context}");
    }
    let key = key_fields();
    let fields: Vec<(&str, &str)> = key.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let both = [fields.as_slice(), &[("", "AES256")]].concat();
    assert!(code(&both).contains("incompatible"));
}

#[test]
fn a_customers_key_is_whole_and_comes_by_tls() {
    let key = key_fields();
    let fields: Vec<(&str, &str)> = key.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(matches!(Asked::parse(&headers(&fields), &asker(true)).unwrap(), Asked::Customer(_)));
    let plain = Asked::parse(&headers(&fields), &asker(false)).unwrap_err();
    assert_eq!(plain.code().as_str(), "InvalidRequest");
    let (short, other) = (STANDARD.encode([7; 16]), STANDARD.encode([0; 16]));
    let replaced = |at: usize, value| {
        let mut fields = fields.clone();
        *fields.get_mut(at).unwrap() = (fields.get(at).unwrap().0, value);
        code(&fields)
    };
    assert!(replaced(0, "AES128").contains("must be AES256"));
    assert!(replaced(1, &short).contains("The secret key was invalid"));
    assert!(replaced(1, "no base64!").contains("The secret key was invalid"));
    assert!(replaced(2, &other).contains("did not match"));
    for absent in 0..3 {
        let rest: Vec<_> = fields.iter().enumerate().filter(|(at, _)| *at != absent).map(|(_, field)| *field).collect();
        assert!(code(&rest).starts_with("InvalidArgument Requests specifying"), "{absent}");
    }
}

#[test]
fn no_key_is_ever_printed() {
    let key = key_fields();
    let fields: Vec<(&str, &str)> = key.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let asked = format!("{:?}", Asked::parse(&headers(&fields), &asker(true)).unwrap());
    assert!(!asked.contains("7, 7"), "{asked}");
}
