use super::{headers, input};
use crate::front::form::Fields;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.add((*name).to_owned(), value.as_bytes().to_vec()).unwrap();
    }
    fields
}

/// What decides how a body is read is never a field's to say.
#[test]
fn fields_that_are_headers() {
    let fields = fields(&[
        ("content-type", "text/plain"),
        ("acl", "private"),
        ("x-amz-meta-a", "b"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-copy-source", "other/key"),
        ("authorization", "a"),
        ("content-length", "5"),
        ("submit", "Upload"),
    ]);
    let headers = headers(&fields).unwrap();
    let mut names: Vec<&str> = headers.keys().map(hyper::header::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-type", "x-amz-acl", "x-amz-meta-a"]);
}

#[test]
fn fields_that_can_be_no_headers() {
    for (name, value, code) in [
        ("x-amz-meta-a", "b\r\nx-amz-meta-c: d", "InvalidArgument"),
        ("x-amz-meta-a b", "c", "InvalidArgument"),
        ("x-amz-storage-class", "COLD", "InvalidStorageClass"),
    ] {
        assert_eq!(headers(&fields(&[(name, value)])).unwrap_err().code, code, "{name}");
    }
}

#[test]
fn tags() {
    let tagging = |document| {
        let fields = fields(&[("tagging", document)]);
        let headers = headers(&fields).map_err(|refusal| refusal.code)?;
        Ok(input(&fields, &headers, ("b".into(), "k".into())).unwrap().tagging.unwrap())
    };
    let document = "<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>c d</Value></Tag></TagSet></Tagging>";
    assert_eq!(tagging(document), Ok("a%26b=c%20d".to_owned()));
    for document in ["", "a=b", "<Tagging>", "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"] {
        assert_eq!(tagging(document), Err("MalformedXML"), "{document}");
    }
}
