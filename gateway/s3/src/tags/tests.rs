use super::*;

fn code(result: S3Result<Tags>) -> Result<Tags, String> {
    result.map_err(|error| error.code().as_str().to_owned())
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn a_header_is_a_query() {
    let read = |text: &str| code(of_header(text));
    assert_eq!(read(""), Ok(vec![]));
    assert_eq!(read("desk=fx&book"), Ok(vec![pair("book", ""), pair("desk", "fx")]));
    assert_eq!(read("a%20b=c+d%2Be"), Ok(vec![pair("a b", "c d+e")]));
    for text in ["a=1&a=2", "a=%ff"] {
        assert_eq!(read(text), Err("InvalidArgument".into()), "{text}");
    }
}

#[test]
fn what_aws_does_not_allow() {
    let longest = pair(&"k".repeat(128), &"v".repeat(256));
    assert!(checked(vec![longest], Tagged::Object).is_ok());
    let eleven: Tags = (0..11).map(|number| pair(&number.to_string(), "")).collect();
    assert!(checked(eleven.clone(), Tagged::Bucket).is_ok());
    for tags in [
        eleven,
        vec![pair("", "v")],
        vec![pair(&"k".repeat(129), "")],
        vec![pair("k", &"v".repeat(257))],
        vec![pair("k", "a"), pair("k", "b")],
        vec![pair("AWS:k", "")],
        vec![pair("k", "<b>")],
    ] {
        assert_eq!(code(checked(tags.clone(), Tagged::Object)), Err("InvalidTag".into()), "{tags:?}");
    }
}
