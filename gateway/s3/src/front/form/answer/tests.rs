use s3s::dto::{ETag, PutObjectOutput};

use super::{Made, made};
use crate::front::form::Fields;

/// Status, `Location` and document of the answer to a form with one field.
fn answered(name: &str, value: &str, key: &str) -> (u16, String, String) {
    let mut fields = Fields::default();
    fields.add(name.to_owned(), value.as_bytes().to_vec()).unwrap();
    let output = PutObjectOutput { e_tag: Some(ETag::Strong("0a".to_owned())), ..PutObjectOutput::default() };
    let response = made(&fields, &Made { bucket: "bucket", key, base: "http://host/bucket/" }, &output);
    assert_eq!(response.headers()["etag"], "\"0a\"");
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let document = response.body().bytes().unwrap_or_default();
    (response.status().as_u16(), location, String::from_utf8(document.to_vec()).unwrap())
}

#[test]
fn statuses() {
    for (wanted, status) in [("200", 200), ("201", 201), ("204", 204), ("404", 204), ("", 204)] {
        let (answered, location, document) = answered("success_action_status", wanted, "a b/é&");
        assert_eq!((answered, &*location), (status, "http://host/bucket/a%20b/%C3%A9%26"));
        assert_eq!(document.is_empty(), status != 201);
        if status == 201 {
            assert!(document.contains("<Bucket>bucket</Bucket><Key>a b/é&amp;</Key><ETag>&quot;0a&quot;</ETag>"));
        }
    }
}

#[test]
fn redirects() {
    let (status, location, _) = answered("success_action_redirect", "http://page.example/done", "a/b");
    assert_eq!((status, &*location), (303, "http://page.example/done?bucket=bucket&key=a%2Fb&etag=%220a%22"));
    let (_, location, _) = answered("redirect", "https://page.example/?a=b", "k");
    assert_eq!(location, "https://page.example/?a=b&bucket=bucket&key=k&etag=%220a%22");
    for wanted in
        ["/done", "javascript:alert(1)", "page.example", "http://page.example/\r\nx: y", "ftp://page.example/"]
    {
        assert_eq!(answered("success_action_redirect", wanted, "k").0, 204, "{wanted}");
    }
}
