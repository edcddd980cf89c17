//! Numbers, dates and truth values as conditions write them.

use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime};

/// A decimal number; an exponent isn't one.
pub(super) fn number(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+'));
    text.parse().ok().filter(|_| digits)
}

/// Nanoseconds since 1970 of an ISO 8601 date, with a time or without, or of seconds since 1970.
pub(super) fn date(text: &str) -> Option<i128> {
    const NANOSECONDS: i128 = 1_000_000_000;
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(i128::from(seconds) * NANOSECONDS);
    }
    let moment = match OffsetDateTime::parse(text, &Iso8601::PARSING) {
        Ok(moment) => moment,
        Err(_) => Date::parse(text, &Iso8601::PARSING).ok()?.midnight().assume_utc(),
    };
    Some(moment.unix_timestamp_nanos())
}

pub(super) fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case("false").then_some(false)
}

pub(super) fn equal_but_for_case(one: &str, other: &str) -> bool {
    one.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
}
