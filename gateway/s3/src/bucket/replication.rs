//! Replication configurations: stored here, carried out elsewhere.

use packstone_access::Action;
use std::collections::HashSet;

use packstone_store::object::Versioning;
use s3s::dto::{ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter, ReplicationRuleStatus};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::configuration::{Configuration, Site, deletes, gets, made_up_id, malformed, puts};
use crate::error::{invalid_argument, invalid_request};
use crate::face::Face;

const MOST_RULES: usize = 1000;
const LONGEST_ID: usize = 255;

impl Face {
    puts!(put_bucket_replication_verb, PutBucketReplicationInput => PutBucketReplicationOutput, |input| {
        input.replication_configuration
    });
    gets!(
        get_bucket_replication_verb,
        GetBucketReplicationInput => GetBucketReplicationOutput,
        |found: ReplicationConfiguration| { replication_configuration: Some(found) }
    );
    deletes!(
        delete_bucket_replication_verb,
        DeleteBucketReplicationInput => DeleteBucketReplicationOutput,
        ReplicationConfiguration
    );
}

impl Configuration for ReplicationConfiguration {
    const KIND: &'static str = "replication";
    const READS: Action = Action::GetReplicationConfiguration;
    const CHANGES: Action = Action::PutReplicationConfiguration;

    fn missing() -> S3Result<Self> {
        Err(S3Error::with_message(
            S3ErrorCode::ReplicationConfigurationNotFoundError,
            "The replication configuration was not found",
        ))
    }

    fn check(&mut self, site: &Site<'_>) -> S3Result<()> {
        let keeps = site.own().is_some_and(|state| state.versioning() == Versioning::Enabled);
        if !keeps {
            return Err(invalid_request(
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
            ));
        }
        if self.rules.is_empty() || self.rules.len() > MOST_RULES {
            return Err(malformed());
        }
        let (mut ids, mut priorities) = (HashSet::new(), HashSet::new());
        for rule in &mut self.rules {
            check_rule(rule)?;
            let id = match rule.id.take().filter(|id| !id.is_empty()) {
                Some(id) => id,
                None => made_up_id()?,
            };
            if !ids.insert(id.clone()) {
                return Err(invalid_argument("Rule Id must be unique."));
            }
            rule.id = Some(id);
            if rule.priority.is_some_and(|priority| !priorities.insert(priority)) {
                return Err(invalid_request("Found multiple rules with the same priority."));
            }
        }
        Ok(())
    }
}

fn check_rule(rule: &ReplicationRule) -> S3Result<()> {
    if rule.id.as_ref().is_some_and(|id| id.len() > LONGEST_ID) {
        return Err(invalid_argument("The maximum value of ID is 255 characters."));
    }
    if !matches!(rule.status.as_str(), ReplicationRuleStatus::ENABLED | ReplicationRuleStatus::DISABLED) {
        return Err(malformed());
    }
    if rule.destination.bucket.strip_prefix("arn:aws:s3:::").is_none_or(str::is_empty) {
        return Err(invalid_argument("Invalid bucket ARN."));
    }
    let Some(filter) = &rule.filter else { return Ok(()) };
    if rule.prefix.is_some() || conditions(filter) > 1 {
        return Err(malformed());
    }
    if rule.priority.is_none() {
        return Err(invalid_request(
            "Priority must be specified for this version of Cross Region Replication configuration schema.",
        ));
    }
    if rule.delete_marker_replication.is_none() {
        return Err(invalid_request(
            "DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration schema.",
        ));
    }
    Ok(())
}

fn conditions(filter: &ReplicationRuleFilter) -> usize {
    [filter.and.is_some(), filter.prefix.is_some(), filter.tag.is_some()].into_iter().filter(|given| *given).count()
}
