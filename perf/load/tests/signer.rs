//! The signer signs what botocore signs: `fixtures/signatures.json`, written by the script beside it.

use packstone_load::signer::{Credentials, Signable, Signer};
use serde_json::Value;
use time::{Date, Month, OffsetDateTime, Time};

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}

#[test]
fn signs_as_botocore_does() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("fixtures/signatures.json")).unwrap();
    let mut signer = Signer::new(Credentials {
        access_key: "AKIDEXAMPLE".into(),
        secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        region: "eu-west-3".into(),
    });
    let date = Date::from_calendar_date(2026, Month::February, 3).unwrap();
    signer.set_time(OffsetDateTime::new_utc(date, Time::from_hms(4, 5, 6).unwrap()));
    assert!(cases.len() > 5);
    for case in &cases {
        let mut head = String::new();
        let signable = Signable {
            method: text(case, "method"),
            host: "127.0.0.1:9000",
            path: text(case, "path"),
            query: text(case, "query"),
            content_md5: case["content_md5"].as_str(),
            payload: text(case, "payload"),
        };
        signer.sign(&signable, &mut head);
        assert!(head.contains(&format!("authorization: {}\r\n", text(case, "authorization"))), "{head}");
        assert!(head.contains(&format!("x-amz-date: {}\r\n", text(case, "date"))), "{head}");
    }
}
