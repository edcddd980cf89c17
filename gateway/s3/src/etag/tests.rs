use packstone_store::object::{Etag, Precondition};
use s3s::dto::{ETag, ETagCondition};

use super::{parse, precondition, to_text};

#[test]
fn tags_as_text() {
    let plain = Etag { md5: [0xab; 16], parts: 0 };
    assert_eq!(to_text(plain), "ab".repeat(16));
    let composed = Etag { md5: [0x01; 16], parts: 12 };
    assert_eq!(to_text(composed), format!("{}-12", "01".repeat(16)));
    for etag in [plain, composed] {
        assert_eq!(parse(&to_text(etag)), Some(etag));
        assert_eq!(parse(&format!("\"{}\"", to_text(etag))), Some(etag));
    }
}

#[test]
fn text_that_is_no_tag() {
    for text in ["", "abc", "*", &"zz".repeat(16), &format!("{}-", "ab".repeat(16)), &format!("{}-0", "ab".repeat(16))]
    {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn conditions_of_writes() {
    let tag = ETagCondition::ETag(ETag::Strong("ab".repeat(16)));
    assert_eq!(precondition(None, None).unwrap(), Precondition::None);
    assert_eq!(precondition(None, Some(&ETagCondition::Any)).unwrap(), Precondition::Absent);
    assert_eq!(precondition(Some(&ETagCondition::Any), None).unwrap(), Precondition::Match(None));
    let expected = Precondition::Match(Some(Etag { md5: [0xab; 16], parts: 0 }));
    assert_eq!(precondition(Some(&tag), None).unwrap(), expected);
    let expected = Precondition::NoMatch(Etag { md5: [0xab; 16], parts: 0 });
    assert_eq!(precondition(None, Some(&tag)).unwrap(), expected);
    let both = precondition(Some(&tag), Some(&ETagCondition::Any));
    assert_eq!(both.unwrap_err().code().as_str(), "NotImplemented");
    let never = ETagCondition::ETag(ETag::Strong("never".into()));
    assert_eq!(precondition(None, Some(&never)).unwrap(), Precondition::None);
    let Precondition::Match(Some(tag)) = precondition(Some(&never), None).unwrap() else { panic!("no tag to match") };
    assert!(tag.parts > packstone_store::object::MAX_PARTS);
}
