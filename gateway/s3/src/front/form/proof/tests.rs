use s3s::dto::{Timestamp, TimestampFormat};

use super::{check_date, instant, sign};

/// The example of AWS's own documentation of forms.
#[test]
fn the_signature_that_aws_computes() {
    let policy = concat!(
        "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2",
        "NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMt",
        "cmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29t",
        "L3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4",
        "LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0s",
        "DQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZP",
        "RE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1B",
        "Qy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9"
    );
    assert_eq!(
        sign("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20151229/us-east-1/s3/aws4_request", policy),
        "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
    );
}

#[test]
fn dates() {
    assert!(instant("20260101T000000Z").is_some());
    for text in
        ["20260101", "20260101T000000", "20261301T000000Z", "2026+101T000000Z", "20260101t000000Z", "é0260101T00000Z"]
    {
        assert!(instant(text).is_none(), "{text}");
    }
}

#[test]
fn a_signature_is_of_its_day_and_lives_a_week() {
    let at = |days: i64| {
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        let time = if days < 0 {
            time - std::time::Duration::from_secs(days.unsigned_abs() * 86_400)
        } else {
            time + std::time::Duration::from_secs(days.unsigned_abs() * 86_400)
        };
        let mut text = Vec::new();
        Timestamp::from(time).format(TimestampFormat::DateTime, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        format!("{}Z", text.split('.').next().unwrap().trim_end_matches('Z').replace(['-', ':'], ""))
    };
    let check = |date: &str| check_date(date, &format!("{}/us-east-1/s3/aws4_request", &date[..8]));
    assert!(check(&at(0)).is_ok());
    assert!(check(&at(-6)).is_ok());
    assert_eq!(check(&at(-7)).unwrap_err().code, "AccessDenied");
    assert_eq!(check(&at(1)).unwrap_err().code, "RequestTimeTooSkewed");
    assert_eq!(check_date(&at(0), "20200101/us-east-1/s3/aws4_request").unwrap_err().code, "InvalidArgument");
}
