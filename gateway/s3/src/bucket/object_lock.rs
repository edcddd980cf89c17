//! PutObjectLockConfiguration and GetObjectLockConfiguration.

use packstone_access::{Action, Resource};
use packstone_store::Error;
use packstone_store::configuration::{OBJECT_LOCK, VERSIONING};
use packstone_store::object::{DefaultRetention, NewDocument, ObjectLock, Period, Replaces, Versioning};
use s3s::dto::{
    GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockRetentionMode, ObjectLockRule, PutObjectLockConfigurationInput, PutObjectLockConfigurationOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::configuration::malformed;
use crate::asker::Asker;
use crate::body::verify_document;
use crate::error::{custom, from_store, invalid_argument, refused};
use crate::face::Face;
use crate::{lock, owner};

/// The longest default retention, as on AWS.
const MAX_DAYS: u32 = 36_500;
const MAX_YEARS: u32 = 100;

impl Face {
    pub(crate) async fn put_object_lock_configuration_verb(
        &self,
        request: S3Request<PutObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::PutBucketObjectLockConfiguration, Resource::Bucket(&input.bucket))?;
        let lock = engine_lock(input.object_lock_configuration.ok_or_else(malformed)?)?;
        let document = Some(lock.encode().into());
        match self.store.put_document(&grant, OBJECT_LOCK, "", document, Replaces::Anything).await {
            Ok(_) => Ok(S3Response::new(PutObjectLockConfigurationOutput::default())),
            Err(Error::InvalidBucketState(_)) => Err(refused(
                S3ErrorCode::InvalidBucketState,
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            )),
            Err(error) => Err(from_store(error)),
        }
    }

    pub(crate) fn get_object_lock_configuration_verb(
        &self,
        request: S3Request<GetObjectLockConfigurationInput>,
    ) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::GetBucketObjectLockConfiguration, Resource::Bucket(&input.bucket))?;
        let document = self.store.document(&grant, OBJECT_LOCK, "").map_err(from_store)?.ok_or_else(|| {
            S3Error::with_message(
                S3ErrorCode::ObjectLockConfigurationNotFoundError,
                "Object Lock configuration does not exist for this bucket",
            )
        })?;
        let lock = ObjectLock::decode(&document.value).map_err(from_store)?;
        Ok(S3Response::new(GetObjectLockConfigurationOutput { object_lock_configuration: Some(told(lock)) }))
    }
}

/// The documents of a bucket that is made with object lock.
pub(super) fn documents() -> Vec<NewDocument> {
    let document =
        |kind: &str, value: Vec<u8>| NewDocument { kind: kind.to_owned(), name: String::new(), value: value.into() };
    let versioning = Versioning::Enabled.encode().unwrap_or_default();
    vec![document(VERSIONING, versioning), document(OBJECT_LOCK, ObjectLock::default().encode())]
}

pub(crate) fn engine_lock(asked: ObjectLockConfiguration) -> S3Result<ObjectLock> {
    let enabled = asked.object_lock_enabled.as_ref().map(ObjectLockEnabled::as_str);
    if enabled != Some(ObjectLockEnabled::ENABLED) {
        return Err(malformed());
    }
    let Some(rule) = asked.rule else { return Ok(ObjectLock::default()) };
    let default = rule.default_retention.ok_or_else(malformed)?;
    let mode = default.mode.and_then(|mode| lock::mode_of(mode.as_str())).ok_or_else(malformed)?;
    let period = match (default.days, default.years) {
        (Some(days), None) => Period::Days(count(days, MAX_DAYS)?),
        (None, Some(years)) => Period::Years(count(years, MAX_YEARS)?),
        (Some(_), Some(_)) | (None, None) => return Err(malformed()),
    };
    Ok(ObjectLock { default: Some(DefaultRetention { mode, period }) })
}

fn count(asked: i32, most: u32) -> S3Result<u32> {
    match u32::try_from(asked) {
        Ok(0) | Err(_) => Err(custom(
            "InvalidRetentionPeriod",
            hyper::StatusCode::BAD_REQUEST,
            "Default retention period must be a positive integer value.",
        )),
        Ok(count) if count > most => Err(invalid_argument("Default retention period is too large.")),
        Ok(count) => Ok(count),
    }
}

pub(crate) fn told(lock: ObjectLock) -> ObjectLockConfiguration {
    let rule = lock.default.map(|DefaultRetention { mode, period }| {
        let (days, years) = match period {
            Period::Days(days) => (i32::try_from(days).ok(), None),
            Period::Years(years) => (None, i32::try_from(years).ok()),
        };
        let mode = Some(ObjectLockRetentionMode::from_static(lock::mode_text(mode)));
        ObjectLockRule { default_retention: Some(s3s::dto::DefaultRetention { days, mode, years }) }
    });
    ObjectLockConfiguration {
        object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
        rule,
    }
}
