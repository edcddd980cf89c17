//! Wall-clock time as the formats hold it: nanoseconds since 1970, signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[must_use]
pub fn now() -> i64 {
    from_system_time(SystemTime::now())
}

/// Whole seconds of nanoseconds.
#[must_use]
pub fn to_seconds(nanos: i64) -> i64 {
    nanos.div_euclid(1_000_000_000)
}

#[must_use]
pub fn from_system_time(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

#[must_use]
pub fn to_system_time(nanos: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    if nanos >= 0 { UNIX_EPOCH + distance } else { UNIX_EPOCH - distance }
}
