//! The conditions of a read, in the order of precedence that HTTP and S3 give them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use packstone_store::object::{Etag, Version};
use s3s::dto::{ETagCondition, Timestamp};
use time::OffsetDateTime;

use crate::etag;

/// What a read may ask of an object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions<'a> {
    pub matches: Option<&'a ETagCondition>,
    pub none_match: Option<&'a ETagCondition>,
    pub modified_since: Option<&'a Timestamp>,
    pub unmodified_since: Option<&'a Timestamp>,
}

/// Why an object isn't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unmet {
    /// The header of the condition that doesn't hold.
    pub condition: &'static str,
    /// Whether the client has the object already.
    pub not_modified: bool,
}

const fn failed(condition: &'static str) -> Unmet {
    Unmet { condition, not_modified: false }
}

const fn not_modified(condition: &'static str) -> Unmet {
    Unmet { condition, not_modified: true }
}

impl Conditions<'_> {
    /// A condition on the tag decides alone: a date beside it is a fallback for caches that have no tag.
    pub fn check(&self, version: &Version) -> Result<(), Unmet> {
        let modified = whole_seconds(version.modified);
        let tag = version.attributes.etag;
        match (self.matches, self.unmodified_since) {
            (Some(condition), _) if !names(condition, tag) => return Err(failed("If-Match")),
            (None, Some(date)) if modified > *date => return Err(failed("If-Unmodified-Since")),
            _ => {}
        }
        match (self.none_match, self.modified_since) {
            (Some(condition), _) if names(condition, tag) => Err(not_modified("If-None-Match")),
            (None, Some(date)) if modified <= *date => Err(not_modified("If-Modified-Since")),
            _ => Ok(()),
        }
    }
}

fn names(condition: &ETagCondition, tag: Etag) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(named) => etag::parse(named.value()) == Some(tag),
    }
}

/// The end of the year 9999, Unix seconds: no later time has a text.
const LAST_SECOND: i64 = 253_402_300_799;

/// A time as HTTP can say it. Everything that a client may compare is cut to seconds, so that a listing and a header
/// agree.
pub(crate) fn whole_seconds(time: SystemTime) -> Timestamp {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND.unsigned_abs())))
}

/// A time in Unix seconds, what is less than one cut off.
pub(crate) fn unix_seconds(time: Timestamp) -> i64 {
    OffsetDateTime::from(time).unix_timestamp()
}

/// A time to hold something until, in Unix seconds: never earlier than what was said, but for what comes after the last
/// second that can be told.
pub(crate) fn until(time: Timestamp) -> i64 {
    let time = OffsetDateTime::from(time);
    (time.unix_timestamp() + i64::from(time.nanosecond() > 0)).min(LAST_SECOND)
}

#[cfg(test)]
mod tests;
