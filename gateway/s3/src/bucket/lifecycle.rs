//! Lifecycle configurations: stored here, carried out elsewhere.

use packstone_access::Action;
use std::collections::HashSet;

use s3s::dto::{
    BucketLifecycleConfiguration, ExpirationStatus, GetBucketLifecycleConfigurationInput,
    GetBucketLifecycleConfigurationOutput, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput, Timestamp, Transition,
    TransitionDefaultMinimumObjectSize, TransitionStorageClass,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::configuration::{Configuration, Site, deletes, made_up_id, malformed};
use crate::asker::Asker;
use crate::body::verify_document;
use crate::condition::unix_seconds;
use crate::error::{invalid_argument, invalid_request, not_implemented};
use crate::face::Face;
use crate::owner;

const MOST_RULES: usize = 1000;
const LONGEST_ID: usize = 255;
const DAY: i64 = 86_400;
/// The most noncurrent versions that a rule may keep.
const MOST_KEPT: i32 = 100;

impl Face {
    pub(crate) async fn put_bucket_lifecycle_configuration_verb(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let least = input.transition_default_minimum_object_size;
        if least.is_some_and(|least| least.as_str() != TransitionDefaultMinimumObjectSize::ALL_STORAGE_CLASSES_128K) {
            return Err(not_implemented());
        }
        let configuration = input.lifecycle_configuration.ok_or_else(malformed)?;
        self.configure(&asker, (&input.bucket, ""), configuration).await?;
        Ok(S3Response::new(PutBucketLifecycleConfigurationOutput {
            transition_default_minimum_object_size: Some(least_size()),
        }))
    }

    pub(crate) fn get_bucket_lifecycle_configuration_verb(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let found: BucketLifecycleConfiguration = self.configuration(&asker, (&input.bucket, ""))?;
        Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
            rules: Some(found.rules),
            transition_default_minimum_object_size: Some(least_size()),
        }))
    }

    deletes!(
        delete_bucket_lifecycle_verb,
        DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput,
        BucketLifecycleConfiguration
    );
}

fn least_size() -> TransitionDefaultMinimumObjectSize {
    TransitionDefaultMinimumObjectSize::from_static(TransitionDefaultMinimumObjectSize::ALL_STORAGE_CLASSES_128K)
}

impl Configuration for BucketLifecycleConfiguration {
    const KIND: &'static str = "lifecycle";
    const READS: Action = Action::GetLifecycleConfiguration;
    const CHANGES: Action = Action::PutLifecycleConfiguration;

    fn missing() -> S3Result<Self> {
        Err(S3Error::with_message(
            S3ErrorCode::NoSuchLifecycleConfiguration,
            "The lifecycle configuration does not exist",
        ))
    }

    fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
        if self.rules.is_empty() || self.rules.len() > MOST_RULES {
            return Err(malformed());
        }
        for rule in &mut self.rules {
            check_rule(rule)?;
            if rule.id.as_deref().is_none_or(str::is_empty) {
                rule.id = Some(made_up_id()?);
            }
        }
        let mut ids = HashSet::new();
        if self.rules.iter().all(|rule| ids.insert(rule.id.as_deref())) {
            Ok(())
        } else {
            Err(invalid_argument("Rule ID must be unique. Found same ID for more than one rule"))
        }
    }
}

fn check_rule(rule: &LifecycleRule) -> S3Result<()> {
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > LONGEST_ID) {
        return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
    }
    if !matches!(rule.status.as_str(), ExpirationStatus::ENABLED | ExpirationStatus::DISABLED) {
        return Err(malformed());
    }
    match (&rule.prefix, &rule.filter) {
        (Some(_), None) => {}
        (None, Some(filter)) => check_filter(filter)?,
        (Some(_), Some(_)) | (None, None) => return Err(malformed()),
    }
    let transitions = rule.transitions.as_deref().unwrap_or_default();
    let later = rule.noncurrent_version_transitions.as_deref().unwrap_or_default();
    if rule.expiration.is_none()
        && rule.abort_incomplete_multipart_upload.is_none()
        && rule.noncurrent_version_expiration.is_none()
        && transitions.is_empty()
        && later.is_empty()
    {
        return Err(invalid_request("At least one action needs to be specified in a rule"));
    }
    let tagged = rule.filter.as_ref().is_some_and(is_tagged);
    if let Some(expiration) = &rule.expiration {
        check_expiration(expiration, transitions, tagged)?;
    }
    transitions.iter().try_for_each(check_transition)?;
    for transition in later {
        positive("NoncurrentDays", "NoncurrentVersionTransition", transition.noncurrent_days)?;
        check_kept(transition.newer_noncurrent_versions)?;
        expect_class(transition.storage_class.as_ref())?;
    }
    if let Some(expiration) = &rule.noncurrent_version_expiration {
        positive("NoncurrentDays", "NoncurrentVersionExpiration", expiration.noncurrent_days)?;
        check_kept(expiration.newer_noncurrent_versions)?;
    }
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        if tagged {
            return Err(invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags."));
        }
        positive("DaysAfterInitiation", "AbortIncompleteMultipartUpload", abort.days_after_initiation)?;
    }
    Ok(())
}

/// One condition, or several within `And`.
fn check_filter(filter: &LifecycleRuleFilter) -> S3Result<()> {
    let conditions = [
        filter.and.is_some(),
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ];
    if conditions.into_iter().filter(|given| *given).count() > 1 {
        return Err(malformed());
    }
    Ok(())
}

fn is_tagged(filter: &LifecycleRuleFilter) -> bool {
    let several = filter.and.as_ref().and_then(|and| and.tags.as_ref());
    filter.tag.is_some() || several.is_some_and(|tags| !tags.is_empty())
}

fn check_expiration(expiration: &LifecycleExpiration, transitions: &[Transition], tagged: bool) -> S3Result<()> {
    match (expiration.days, &expiration.date, expiration.expired_object_delete_marker) {
        (Some(days), None, None) => {
            positive("Days", "Expiration", Some(days))?;
            if transitions.iter().filter_map(|transition| transition.days).any(|moved| moved >= days) {
                return Err(invalid_argument(
                    "'Days' in the Expiration action must be greater than 'Days' in the Transition action",
                ));
            }
            Ok(())
        }
        (None, Some(date), None) => at_midnight(date),
        (None, None, Some(_)) if tagged => {
            Err(invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags."))
        }
        (None, None, Some(_)) => Ok(()),
        _ => Err(malformed()),
    }
}

fn check_transition(transition: &Transition) -> S3Result<()> {
    expect_class(transition.storage_class.as_ref())?;
    let class = transition.storage_class.as_ref().map_or("", TransitionStorageClass::as_str);
    match (transition.days, &transition.date) {
        (Some(days), None) if days < 0 => Err(invalid_argument("'Days' in Transition action must be nonnegative")),
        (Some(days), None) if days < 30 && class.ends_with("_IA") => Err(invalid_argument(format!(
            "'Days' in Transition action must be greater than or equal to 30 for storageClass '{class}'"
        ))),
        (Some(_), None) => Ok(()),
        (None, Some(date)) => at_midnight(date),
        (Some(_), Some(_)) | (None, None) => Err(malformed()),
    }
}

fn expect_class(class: Option<&TransitionStorageClass>) -> S3Result<()> {
    match class.map(TransitionStorageClass::as_str) {
        Some(
            TransitionStorageClass::DEEP_ARCHIVE
            | TransitionStorageClass::GLACIER
            | TransitionStorageClass::GLACIER_IR
            | TransitionStorageClass::INTELLIGENT_TIERING
            | TransitionStorageClass::ONEZONE_IA
            | TransitionStorageClass::STANDARD_IA,
        ) => Ok(()),
        _ => Err(malformed()),
    }
}

fn positive(field: &str, action: &str, days: Option<i32>) -> S3Result<()> {
    if days.ok_or_else(malformed)? > 0 {
        return Ok(());
    }
    Err(invalid_argument(format!("'{field}' for {action} action must be a positive integer")))
}

fn check_kept(kept: Option<i32>) -> S3Result<()> {
    if kept.is_none_or(|kept| (1..=MOST_KEPT).contains(&kept)) {
        return Ok(());
    }
    Err(invalid_argument("'NewerNoncurrentVersions' must be an integer between 1 and 100"))
}

fn at_midnight(date: &Timestamp) -> S3Result<()> {
    if unix_seconds(date.clone()) % DAY == 0 { Ok(()) } else { Err(invalid_argument("'Date' must be at midnight GMT")) }
}
