//! Retention and legal hold as S3 writes them.

use std::time::SystemTime;

use hyper::HeaderMap;
use packstone_access::Name;
use packstone_store::object::{AttributeChange, Attributes, Mode, Retention};
use s3s::dto::{ObjectLockLegalHoldStatus, ObjectLockMode, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::checksum::Announced;
use crate::condition::{until, whole_seconds};
use crate::error::{argument, invalid_argument, invalid_request};
use crate::facts::iso;
use crate::identity::now;

/// What a request with an object says of its lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub retention: Option<Retention>,
    pub legal_hold: bool,
}

impl Asked {
    /// # Errors
    /// `InvalidArgument` for words that S3 doesn't have, half a retention, or a time that is past.
    pub fn parse(
        mode: Option<&ObjectLockMode>,
        retain_until: Option<Timestamp>,
        hold: Option<&ObjectLockLegalHoldStatus>,
    ) -> S3Result<Self> {
        let retention = match (mode, retain_until) {
            (None, None) => None,
            (Some(mode), Some(time)) => {
                let mode = mode_of(mode.as_str())
                    .ok_or_else(|| argument("x-amz-object-lock-mode", "Unknown wormMode directive."))?;
                if time <= Timestamp::from(SystemTime::now()) {
                    return Err(argument(
                        "x-amz-object-lock-retain-until-date",
                        "The retain until date must be in the future!",
                    ));
                }
                Some(Retention { mode, until: until(time) })
            }
            (Some(_), None) | (None, Some(_)) => {
                return Err(invalid_argument(
                    "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
                ));
            }
        };
        let legal_hold = match hold.map(ObjectLockLegalHoldStatus::as_str) {
            None | Some(ObjectLockLegalHoldStatus::OFF) => false,
            Some(ObjectLockLegalHoldStatus::ON) => true,
            Some(_) => {
                return Err(argument("x-amz-object-lock-legal-hold", "Legal Hold must be either of 'ON' or 'OFF'"));
            }
        };
        Ok(Self { retention, legal_hold })
    }

    pub fn is_set(self) -> bool {
        self.retention.is_some() || self.legal_hold
    }

    /// What policies see of it.
    pub fn facts(self) -> Vec<(Name, String)> {
        let mut told = facts(&AttributeChange::Retention(self.retention));
        if self.legal_hold {
            told.extend(facts(&AttributeChange::LegalHold(true)));
        }
        told
    }

    /// Puts what was asked for where it is stored.
    pub fn put_on(self, attributes: &mut Attributes) {
        attributes.retention = self.retention;
        attributes.legal_hold = self.legal_hold;
    }
}

/// A body that is to be locked has to be vouched for: what arrived broken could not be replaced.
pub(crate) fn expect_digest(headers: &HeaderMap) -> S3Result<()> {
    if headers.contains_key("content-md5") || Announced::parse(headers)?.is_some() {
        return Ok(());
    }
    Err(invalid_request(
        "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
    ))
}

pub(crate) fn mode_of(text: &str) -> Option<Mode> {
    match text {
        ObjectLockMode::GOVERNANCE => Some(Mode::Governance),
        ObjectLockMode::COMPLIANCE => Some(Mode::Compliance),
        _ => None,
    }
}

pub(crate) fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::Governance => ObjectLockMode::GOVERNANCE,
        Mode::Compliance => ObjectLockMode::COMPLIANCE,
    }
}

/// What policies see of a lock that is to be put on.
pub(crate) fn facts(change: &AttributeChange) -> Vec<(Name, String)> {
    match change {
        AttributeChange::Retention(Some(retention)) => {
            let days = (retention.until - now()).max(0) / (24 * 60 * 60);
            vec![
                (Name::ObjectLockMode, mode_text(retention.mode).to_owned()),
                (Name::ObjectLockRetainUntilDate, iso(retention.until).unwrap_or_default()),
                (Name::ObjectLockRemainingRetentionDays, days.to_string()),
            ]
        }
        AttributeChange::LegalHold(on) => {
            vec![(Name::ObjectLockLegalHold, if *on { "ON" } else { "OFF" }.to_owned())]
        }
        AttributeChange::Retention(None)
        | AttributeChange::Lock
        | AttributeChange::Tags(_)
        | AttributeChange::Acl(_)
        | AttributeChange::File(_)
        | AttributeChange::Names(_)
        | AttributeChange::Extended(..) => Vec::new(),
    }
}

/// The time that a retention ends.
pub(crate) fn end_of(retention: Retention) -> Timestamp {
    let seconds = u64::try_from(retention.until).unwrap_or(0);
    whole_seconds(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

/// That there is nothing to tell of a lock.
pub(crate) fn none() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchObjectLockConfiguration,
        "The specified object does not have a ObjectLock configuration",
    )
}

pub(crate) fn no_lock_in_bucket() -> S3Error {
    invalid_request("Bucket is missing Object Lock Configuration")
}
