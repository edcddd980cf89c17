use std::time::SystemTime;

use packstone_store::object::{Attributes, File, Version, VersionId};
use packstone_store::record::Posix;
use s3s::dto::Range;

use super::{Selection, copied, select};

fn version(size: u64, parts: &[u64]) -> Version {
    Version {
        record: 1,
        version: VersionId::NULL,
        latest: true,
        size,
        modified: SystemTime::UNIX_EPOCH,
        posix: Posix::default(),
        attributes: Attributes::default(),
        parts: parts.into(),
        part_checksums: None,
        file: File::default(),
    }
}

fn ranged(size: u64, range: Range) -> Result<Selection, String> {
    select(&version(size, &[]), Some(range), None).map_err(|error| error.code().as_str().to_owned())
}

#[test]
fn a_whole_object() {
    let selection = select(&version(10, &[]), None, None).unwrap();
    assert_eq!(selection, Selection { range: 0..10, content_range: None, parts: None, part: None });
}

#[test]
fn ranges() {
    let first = ranged(10, Range::Int { first: 2, last: Some(4) }).unwrap();
    assert_eq!((first.range.clone(), first.length()), (2..5, 3));
    assert_eq!(first.content_range.as_deref(), Some("bytes 2-4/10"));
    assert_eq!(ranged(10, Range::Int { first: 2, last: Some(400) }).unwrap().range, 2..10);
    assert_eq!(ranged(10, Range::Int { first: 9, last: None }).unwrap().range, 9..10);
    assert_eq!(ranged(10, Range::Suffix { length: 3 }).unwrap().range, 7..10);
    assert_eq!(ranged(10, Range::Suffix { length: 300 }).unwrap().content_range.as_deref(), Some("bytes 0-9/10"));
}

#[test]
fn ranges_that_the_object_does_not_have() {
    for (size, range) in [
        (10, Range::Int { first: 10, last: None }),
        (10, Range::Suffix { length: 0 }),
        (0, Range::Int { first: 0, last: None }),
        (0, Range::Suffix { length: 5 }),
    ] {
        assert_eq!(ranged(size, range), Err("InvalidRange".into()), "{range:?} of {size}");
    }
}

#[test]
fn parts_by_number() {
    let upload = version(11, &[5, 5, 1]);
    let second = select(&upload, None, Some(2)).unwrap();
    let content_range = Some("bytes 5-9/11".into());
    assert_eq!(second, Selection { range: 5..10, content_range, parts: Some(3), part: Some(1) });
    assert_eq!(select(&upload, None, Some(4)).unwrap_err().code().as_str(), "InvalidPartNumber");
    assert_eq!(select(&upload, None, Some(0)).unwrap_err().code().as_str(), "InvalidArgument");
    let single = version(4, &[]);
    assert_eq!(select(&single, None, Some(1)).unwrap().range, 0..4);
    assert_eq!(select(&single, None, Some(2)).unwrap_err().code().as_str(), "InvalidPartNumber");
    let both = select(&upload, Some(Range::Suffix { length: 1 }), Some(1));
    assert_eq!(both.unwrap_err().code().as_str(), "InvalidRequest");
}

#[test]
fn ranges_of_copies() {
    assert_eq!(copied("bytes=0-9", 10).unwrap(), 0..10);
    assert_eq!(copied("bytes=3-3", 10).unwrap(), 3..4);
    for text in ["bytes=0-10", "bytes=5-4", "bytes=5-", "bytes=-5", "0-5", "bytes=a-b", "bytes=0-18446744073709551615"]
    {
        assert!(copied(text, 10).is_err(), "{text}");
    }
}
