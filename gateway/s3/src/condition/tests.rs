use std::time::{Duration, UNIX_EPOCH};

use packstone_store::object::{Attributes, Etag, File, Version, VersionId};
use packstone_store::record::Posix;
use s3s::dto::{ETag, ETagCondition, Timestamp, TimestampFormat};

use super::{Conditions, LAST_SECOND, failed, not_modified, until, whole_seconds};

const MODIFIED: Duration = Duration::from_millis(1_000_900);

fn version() -> Version {
    let attributes = Attributes { etag: Etag { md5: [0xab; 16], parts: 0 }, ..Attributes::default() };
    Version {
        record: 1,
        version: VersionId::NULL,
        latest: true,
        size: 1,
        modified: UNIX_EPOCH + MODIFIED,
        posix: Posix::default(),
        attributes,
        parts: Vec::new(),
        part_checksums: None,
        file: File::default(),
    }
}

fn date(seconds: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[test]
fn tags_come_before_dates() {
    let right = ETagCondition::ETag(ETag::Strong("ab".repeat(16)));
    let wrong = ETagCondition::ETag(ETag::Strong("cd".repeat(16)));
    let (before, at) = (date(999), date(1000));
    let none = Conditions::default();
    let cases = [
        (none, Ok(())),
        (Conditions { matches: Some(&right), ..none }, Ok(())),
        (Conditions { matches: Some(&ETagCondition::Any), ..none }, Ok(())),
        (Conditions { matches: Some(&wrong), ..none }, Err(failed("If-Match"))),
        (Conditions { matches: Some(&right), unmodified_since: Some(&before), ..none }, Ok(())),
        (Conditions { unmodified_since: Some(&before), ..none }, Err(failed("If-Unmodified-Since"))),
        (Conditions { unmodified_since: Some(&at), ..none }, Ok(())),
        (Conditions { none_match: Some(&right), ..none }, Err(not_modified("If-None-Match"))),
        (Conditions { none_match: Some(&ETagCondition::Any), ..none }, Err(not_modified("If-None-Match"))),
        (Conditions { none_match: Some(&wrong), modified_since: Some(&at), ..none }, Ok(())),
        (
            Conditions { none_match: Some(&right), modified_since: Some(&before), ..none },
            Err(not_modified("If-None-Match")),
        ),
        (Conditions { modified_since: Some(&at), ..none }, Err(not_modified("If-Modified-Since"))),
        (Conditions { modified_since: Some(&before), ..none }, Ok(())),
        (Conditions { matches: Some(&wrong), none_match: Some(&right), ..none }, Err(failed("If-Match"))),
    ];
    for (number, (conditions, expected)) in cases.into_iter().enumerate() {
        assert_eq!(conditions.check(&version()), expected, "case {number}: {conditions:?}");
    }
}

#[test]
fn times_are_cut_to_seconds() {
    assert_eq!(whole_seconds(UNIX_EPOCH + MODIFIED), date(1000));
    assert_eq!(whole_seconds(UNIX_EPOCH - MODIFIED), date(0));
}

#[test]
fn no_time_is_kept_that_could_not_be_told() {
    let last = Timestamp::parse(TimestampFormat::DateTime, "9999-12-31T23:59:59.999Z").unwrap();
    assert_eq!(until(last), LAST_SECOND);
    assert_eq!(until(date(7)), 7);
    let told = |seconds| whole_seconds(UNIX_EPOCH + Duration::from_secs(seconds));
    assert_eq!(told(u64::MAX >> 2), told(LAST_SECOND.unsigned_abs()));
}
