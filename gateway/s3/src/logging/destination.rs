//! Where a bucket's lines go.

use s3s::dto::{BucketLoggingStatus, LoggingEnabled, PartitionDateSource, TargetObjectKeyFormat};
use time::{Date, OffsetDateTime};

use crate::acl;
use crate::owner;

/// What the keys of log objects are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Simple,
    /// By the day of the requests: an object has those of one day.
    ByEvent,
    ByDelivery,
}

/// Where lines of one bucket go, and as what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    /// The bucket that is logged.
    pub source: Box<str>,
    pub bucket: Box<str>,
    prefix: Box<str>,
    form: Form,
    /// What log objects are readable by, encoded, where ACLs count.
    pub acl: Option<Vec<u8>>,
}

impl Destination {
    /// None where a bucket isn't logged, or what it says can't be read.
    pub fn new(source: &str, status: BucketLoggingStatus) -> Option<Self> {
        let LoggingEnabled { target_bucket, target_grants, target_object_key_format, target_prefix } =
            status.logging_enabled?;
        let grants = target_grants.unwrap_or_default();
        let acl = if grants.is_empty() { None } else { Some(acl::encode(&acl::of_log(grants).ok()?)) };
        let form = form(target_object_key_format.as_ref());
        Some(Self { source: source.into(), bucket: target_bucket.into(), prefix: target_prefix.into(), form, acl })
    }

    /// The day that lines are kept apart by, if they are.
    pub fn day(&self, event: OffsetDateTime) -> Option<Date> {
        (self.form == Form::ByEvent).then(|| event.date())
    }

    /// A key that a log object could have.
    pub fn example(&self) -> String {
        let now = OffsetDateTime::now_utc();
        self.key("region", self.day(now), now, "0000000000000000")
    }

    /// The key of a log object that is delivered at `now`; `unique` tells it from others.
    pub fn key(&self, region: &str, day: Option<Date>, now: OffsetDateTime, unique: &str) -> String {
        let at = match (self.form, day) {
            (Form::ByEvent, Some(day)) => day.midnight().assume_utc(),
            _ => now,
        };
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let folder = match self.form {
            Form::Simple => String::new(),
            Form::ByEvent | Form::ByDelivery => {
                format!("{}/{region}/{}/{year:04}/{month:02}/{day:02}/", owner::ACCOUNT, self.source)
            }
        };
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        let time = format!("{year:04}-{month:02}-{day:02}-{hour:02}-{minute:02}-{second:02}");
        format!("{}{folder}{time}-{unique}", self.prefix)
    }
}

fn form(format: Option<&TargetObjectKeyFormat>) -> Form {
    match format.and_then(|format| format.partitioned_prefix.as_ref()) {
        None => Form::Simple,
        Some(partitioned) => match partitioned.partition_date_source.as_ref().map(PartitionDateSource::as_str) {
            Some(PartitionDateSource::EVENT_TIME) => Form::ByEvent,
            _ => Form::ByDelivery,
        },
    }
}
