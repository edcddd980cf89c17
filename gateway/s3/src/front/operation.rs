//! What AWS's access logs call the verbs: `REST.METHOD.RESOURCE`.

use std::fmt;

use hyper::Method;

use super::route::Verb;

/// An operation's name.
pub(super) struct Operation<'a> {
    method: &'a str,
    resource: &'static str,
}

pub(super) fn operation(verb: Verb, method: &Method) -> Operation<'_> {
    let method = match verb {
        Verb::CopyObject | Verb::UploadPartCopy => "COPY",
        _ => method.as_str(),
    };
    Operation { method, resource: resource(verb) }
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "REST.{}.{}", self.method, self.resource)
    }
}

fn resource(verb: Verb) -> &'static str {
    match verb {
        Verb::ListBuckets => "SERVICE",
        Verb::CreateBucket | Verb::HeadBucket | Verb::DeleteBucket | Verb::ListObjects | Verb::ListObjectsV2 => {
            "BUCKET"
        }
        Verb::PostObject => "BUCKET",
        Verb::GetBucketLocation => "LOCATION",
        Verb::ListObjectVersions => "BUCKETVERSIONS",
        Verb::DeleteObjects => "MULTI_OBJECT_DELETE",
        Verb::PutObject
        | Verb::CopyObject
        | Verb::GetObject
        | Verb::HeadObject
        | Verb::DeleteObject
        | Verb::RenameObject => "OBJECT",
        Verb::GetObjectAttributes => "OBJECT_ATTRIBUTES",
        Verb::CreateMultipartUpload | Verb::ListMultipartUploads => "UPLOADS",
        Verb::UploadPart | Verb::UploadPartCopy => "PART",
        Verb::CompleteMultipartUpload | Verb::AbortMultipartUpload | Verb::ListParts => "UPLOAD",
        Verb::GetObjectTagging | Verb::PutObjectTagging | Verb::DeleteObjectTagging => "OBJECT_TAGGING",
        Verb::GetObjectRetention | Verb::PutObjectRetention => "OBJECT_LOCK_RETENTION",
        Verb::GetObjectLegalHold | Verb::PutObjectLegalHold => "OBJECT_LOCK_LEGALHOLD",
        Verb::GetObjectAcl | Verb::PutObjectAcl | Verb::GetBucketAcl | Verb::PutBucketAcl => "ACL",
        Verb::Preflight => "PREFLIGHT",
        Verb::MountFiles => "FILES",
        Verb::IdentityQuery | Verb::Unserved => "UNKNOWN",
        _ => of_configuration(verb),
    }
}

/// Verbs on a bucket's configurations.
fn of_configuration(verb: Verb) -> &'static str {
    let name = verb.name();
    let name = ["Get", "Put", "Delete", "List"].iter().find_map(|method| name.strip_prefix(method)).unwrap_or(name);
    match name {
        "BucketVersioning" => "VERSIONING",
        "ObjectLockConfiguration" => "OBJECT_LOCK_CONFIGURATION",
        "BucketAccelerateConfiguration" => "ACCELERATE",
        "BucketCors" => "CORS",
        "BucketEncryption" => "ENCRYPTION",
        "BucketLifecycleConfiguration" | "BucketLifecycle" => "LIFECYCLE",
        "BucketLogging" => "LOGGING_STATUS",
        "BucketNotificationConfiguration" => "NOTIFICATION",
        "BucketOwnershipControls" => "OWNERSHIP_CONTROLS",
        "PublicAccessBlock" => "PUBLIC_ACCESS_BLOCK",
        "BucketReplication" => "REPLICATION",
        "BucketRequestPayment" => "REQUEST_PAYMENT",
        "BucketTagging" => "TAGGING",
        "BucketAnalyticsConfiguration" | "BucketAnalyticsConfigurations" => "ANALYTICS",
        "BucketIntelligentTieringConfiguration" | "BucketIntelligentTieringConfigurations" => "INTELLIGENT_TIERING",
        "BucketInventoryConfiguration" | "BucketInventoryConfigurations" => "INVENTORY",
        "BucketMetricsConfiguration" | "BucketMetricsConfigurations" => "METRICS",
        "BucketPolicy" => "BUCKETPOLICY",
        "BucketPolicyStatus" => "POLICY_STATUS",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_that_is_served_has_a_name() {
        for verb in Verb::ALL {
            let named = resource(*verb) != "UNKNOWN";
            assert_eq!(named, !matches!(verb, Verb::IdentityQuery | Verb::Unserved), "{verb:?}");
        }
        assert_eq!(operation(Verb::GetBucketLogging, &Method::GET).to_string(), "REST.GET.LOGGING_STATUS");
        assert_eq!(operation(Verb::CopyObject, &Method::PUT).to_string(), "REST.COPY.OBJECT");
    }
}
