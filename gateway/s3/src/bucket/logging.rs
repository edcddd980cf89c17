//! Logging configurations: taken and given back; [`crate::logging`] carries them out.

use hyper::StatusCode;
use packstone_access::{Action, Grantee, Group, Permission};
use packstone_store::object::BucketState;
use s3s::dto::{
    BucketLoggingStatus, LoggingEnabled, PartitionDateSource, Payer, RequestPaymentConfiguration, TargetObjectKeyFormat,
};
use s3s::{S3Error, S3Result};

use super::configuration::{Configuration, Site, gets, malformed, puts, read};
use crate::acl;
use crate::encryption::Method;
use crate::error::{access_denied, custom, invalid_argument};
use crate::face::Face;
use crate::logging::{Destination, leave};
use crate::rules::Rules;

/// The longest prefix, in bytes: with what comes behind it, a key must stay one.
const LONGEST_PREFIX: usize = 800;

impl Face {
    puts!(put_bucket_logging_verb, PutBucketLoggingInput => PutBucketLoggingOutput, |input| {
        input.bucket_logging_status
    });
    gets!(get_bucket_logging_verb, GetBucketLoggingInput => GetBucketLoggingOutput, |found: BucketLoggingStatus| {
        logging_enabled: found.logging_enabled
    });
}

impl Configuration for BucketLoggingStatus {
    const KIND: &'static str = "logging";
    const READS: Action = Action::GetBucketLogging;
    const CHANGES: Action = Action::PutBucketLogging;

    fn missing() -> S3Result<Self> {
        Ok(Self::default())
    }

    fn check(&mut self, site: &Site<'_>) -> S3Result<()> {
        let Some(logging) = &self.logging_enabled else { return Ok(()) };
        check_form(logging)?;
        let target = (site.buckets)(&logging.target_bucket);
        let target = target.ok_or_else(|| unfit("The target bucket for logging does not exist"))?;
        let rules = Rules::of(&target);
        let grants = logging.target_grants.clone().unwrap_or_default();
        if !grants.is_empty() && !rules.has_acls() {
            return Err(acl::not_supported());
        }
        if rules.block.refuses_acl(&acl::of_log(grants)?) {
            return Err(access_denied());
        }
        if target.default_retention().is_some() {
            return Err(unfit("The target bucket for logging must not have a default retention"));
        }
        if matches!(rules.encryption, Some(Method::Kms(_))) {
            return Err(unfit("The target bucket for logging must have SSE-S3 as its default encryption, or none"));
        }
        if is_requester_pays(&target) {
            return Err(unfit("The target bucket for logging must not have Requester Pays enabled"));
        }
        if rules.has_acls() && !is_let(site.bucket, &target, &rules, self) {
            return Err(unfit(
                "You must give the log-delivery group WRITE and READ_ACP permissions to the target bucket",
            ));
        }
        Ok(())
    }
}

fn unfit(message: &'static str) -> S3Error {
    custom("InvalidTargetBucketForLogging", StatusCode::BAD_REQUEST, message)
}

fn check_form(logging: &LoggingEnabled) -> S3Result<()> {
    if logging.target_prefix.len() > LONGEST_PREFIX {
        return Err(invalid_argument("The target prefix has 800 bytes at most"));
    }
    match &logging.target_object_key_format {
        None | Some(TargetObjectKeyFormat { simple_prefix: Some(_), partitioned_prefix: None }) => Ok(()),
        Some(TargetObjectKeyFormat { simple_prefix: None, partitioned_prefix: Some(partitioned) }) => {
            match partitioned.partition_date_source.as_ref().map(PartitionDateSource::as_str) {
                Some(PartitionDateSource::EVENT_TIME | PartitionDateSource::DELIVERY_TIME) => Ok(()),
                _ => Err(malformed()),
            }
        }
        Some(_) => Err(malformed()),
    }
}

fn is_requester_pays(state: &BucketState) -> bool {
    let document = state.document(RequestPaymentConfiguration::KIND, "");
    let payment = document.and_then(|document| read::<RequestPaymentConfiguration>(&document.value).ok());
    payment.is_some_and(|payment| payment.payer.as_str() == Payer::REQUESTER)
}

/// Whether the bucket's ACL or its policy lets the service put its logs there. Without ACLs, AWS doesn't ask before
/// there is something to deliver.
fn is_let(source: &str, target: &BucketState, rules: &Rules, status: &BucketLoggingStatus) -> bool {
    let gives = |asked| {
        let grants = rules.acl.iter().flat_map(|acl| &acl.grants);
        let mut group = grants.filter(|grant| grant.grantee == Grantee::Group(Group::LogDelivery));
        group.any(|grant| grant.permission == asked || grant.permission == Permission::FullControl)
    };
    let by_acl = gives(Permission::Write) && gives(Permission::ReadAcp);
    let by_policy = || {
        let destination = Destination::new(source, status.clone())?;
        leave(target, &destination, &destination.example()).ok()
    };
    by_acl || (rules.policy.is_some() && by_policy().is_some())
}

/// Where a bucket's access logs go, if anywhere.
pub(crate) fn destination(state: &BucketState) -> Option<Destination> {
    let document = state.document(BucketLoggingStatus::KIND, "")?;
    Destination::new(&state.bucket.name, read(&document.value).ok()?)
}
