//! The S3 face of one store: s3s's trait, handed to the verbs.
//!
//! Concurrency: a [`Face`] is read only and shared by all requests; what is shared beyond it is the store's.

use packstone_access::ObjectOwnership;
use packstone_store::Store;
use s3s::dto;
use s3s::{S3, S3Request, S3Response, S3Result};

use crate::identity::KeyRing;

/// What S3's verbs act on.
#[derive(Clone)]
pub(crate) struct Face {
    pub store: Store,
    /// Who is meant where a policy names somebody.
    pub ring: KeyRing,
    pub region: Box<str>,
    /// What a bucket has that is made without naming any.
    pub object_ownership: ObjectOwnership,
}

/// One method of the trait, handed to the verb of the same name.
macro_rules! verbs {
    ($($method:ident, $verb:ident, $input:ident, $output:ident $(, $wait:tt)?;)+) => {
        #[async_trait::async_trait]
        impl S3 for Face {
            $(
                async fn $method(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                    self.$verb(request) $(.$wait)?
                }
            )+
        }
    };
}

verbs! {
    list_buckets, list_buckets_verb, ListBucketsInput, ListBucketsOutput;
    create_bucket, create_bucket_verb, CreateBucketInput, CreateBucketOutput, await;
    head_bucket, head_bucket_verb, HeadBucketInput, HeadBucketOutput;
    get_bucket_policy, get_bucket_policy_verb, GetBucketPolicyInput, GetBucketPolicyOutput;
    put_bucket_policy, put_bucket_policy_verb, PutBucketPolicyInput, PutBucketPolicyOutput, await;
    delete_bucket_policy, delete_bucket_policy_verb, DeleteBucketPolicyInput, DeleteBucketPolicyOutput, await;
    get_bucket_policy_status, get_bucket_policy_status_verb, GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput;
    get_bucket_acl, get_bucket_acl_verb, GetBucketAclInput, GetBucketAclOutput;
    put_bucket_acl, put_bucket_acl_verb, PutBucketAclInput, PutBucketAclOutput, await;
    get_object_acl, get_object_acl_verb, GetObjectAclInput, GetObjectAclOutput;
    put_object_acl, put_object_acl_verb, PutObjectAclInput, PutObjectAclOutput, await;
    delete_bucket, delete_bucket_verb, DeleteBucketInput, DeleteBucketOutput, await;
    get_bucket_location, get_bucket_location_verb, GetBucketLocationInput, GetBucketLocationOutput;
    list_objects, list_objects_verb, ListObjectsInput, ListObjectsOutput, await;
    list_objects_v2, list_objects_v2_verb, ListObjectsV2Input, ListObjectsV2Output, await;
    put_object, put_object_verb, PutObjectInput, PutObjectOutput, await;
    get_object, get_object_verb, GetObjectInput, GetObjectOutput, await;
    head_object, head_object_verb, HeadObjectInput, HeadObjectOutput;
    get_object_attributes, get_object_attributes_verb, GetObjectAttributesInput, GetObjectAttributesOutput;
    list_object_versions, list_object_versions_verb, ListObjectVersionsInput, ListObjectVersionsOutput, await;
    get_object_tagging, get_object_tagging_verb, GetObjectTaggingInput, GetObjectTaggingOutput;
    put_object_tagging, put_object_tagging_verb, PutObjectTaggingInput, PutObjectTaggingOutput, await;
    delete_object_tagging, delete_object_tagging_verb, DeleteObjectTaggingInput, DeleteObjectTaggingOutput, await;
    get_object_retention, get_object_retention_verb, GetObjectRetentionInput, GetObjectRetentionOutput;
    put_object_retention, put_object_retention_verb, PutObjectRetentionInput, PutObjectRetentionOutput, await;
    get_object_legal_hold, get_object_legal_hold_verb, GetObjectLegalHoldInput, GetObjectLegalHoldOutput;
    put_object_legal_hold, put_object_legal_hold_verb, PutObjectLegalHoldInput, PutObjectLegalHoldOutput, await;
    delete_object, delete_object_verb, DeleteObjectInput, DeleteObjectOutput, await;
    delete_objects, delete_objects_verb, DeleteObjectsInput, DeleteObjectsOutput, await;
    copy_object, copy_object_verb, CopyObjectInput, CopyObjectOutput, await;
    create_multipart_upload, create_multipart_upload_verb, CreateMultipartUploadInput, CreateMultipartUploadOutput,
        await;
    upload_part, upload_part_verb, UploadPartInput, UploadPartOutput, await;
    upload_part_copy, upload_part_copy_verb, UploadPartCopyInput, UploadPartCopyOutput, await;
    complete_multipart_upload, complete_multipart_upload_verb, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, await;
    abort_multipart_upload, abort_multipart_upload_verb, AbortMultipartUploadInput, AbortMultipartUploadOutput, await;
    list_parts, list_parts_verb, ListPartsInput, ListPartsOutput, await;
    list_multipart_uploads, list_multipart_uploads_verb, ListMultipartUploadsInput, ListMultipartUploadsOutput, await;
    get_bucket_versioning, get_bucket_versioning_verb, GetBucketVersioningInput, GetBucketVersioningOutput;
    put_bucket_versioning, put_bucket_versioning_verb, PutBucketVersioningInput, PutBucketVersioningOutput, await;
    get_object_lock_configuration, get_object_lock_configuration_verb, GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput;
    put_object_lock_configuration, put_object_lock_configuration_verb, PutObjectLockConfigurationInput, PutObjectLockConfigurationOutput, await;
    get_bucket_accelerate_configuration, get_bucket_accelerate_configuration_verb, GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput;
    put_bucket_accelerate_configuration, put_bucket_accelerate_configuration_verb, PutBucketAccelerateConfigurationInput, PutBucketAccelerateConfigurationOutput, await;
    get_bucket_cors, get_bucket_cors_verb, GetBucketCorsInput, GetBucketCorsOutput;
    put_bucket_cors, put_bucket_cors_verb, PutBucketCorsInput, PutBucketCorsOutput, await;
    delete_bucket_cors, delete_bucket_cors_verb, DeleteBucketCorsInput, DeleteBucketCorsOutput, await;
    get_bucket_encryption, get_bucket_encryption_verb, GetBucketEncryptionInput, GetBucketEncryptionOutput;
    put_bucket_encryption, put_bucket_encryption_verb, PutBucketEncryptionInput, PutBucketEncryptionOutput, await;
    delete_bucket_encryption, delete_bucket_encryption_verb, DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput, await;
    get_bucket_lifecycle_configuration, get_bucket_lifecycle_configuration_verb, GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput;
    put_bucket_lifecycle_configuration, put_bucket_lifecycle_configuration_verb, PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput, await;
    delete_bucket_lifecycle, delete_bucket_lifecycle_verb, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput, await;
    get_bucket_logging, get_bucket_logging_verb, GetBucketLoggingInput, GetBucketLoggingOutput;
    put_bucket_logging, put_bucket_logging_verb, PutBucketLoggingInput, PutBucketLoggingOutput, await;
    get_bucket_notification_configuration, get_bucket_notification_configuration_verb, GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput;
    put_bucket_notification_configuration, put_bucket_notification_configuration_verb, PutBucketNotificationConfigurationInput, PutBucketNotificationConfigurationOutput, await;
    get_bucket_ownership_controls, get_bucket_ownership_controls_verb, GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput;
    put_bucket_ownership_controls, put_bucket_ownership_controls_verb, PutBucketOwnershipControlsInput, PutBucketOwnershipControlsOutput, await;
    delete_bucket_ownership_controls, delete_bucket_ownership_controls_verb, DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput, await;
    get_public_access_block, get_public_access_block_verb, GetPublicAccessBlockInput, GetPublicAccessBlockOutput;
    put_public_access_block, put_public_access_block_verb, PutPublicAccessBlockInput, PutPublicAccessBlockOutput, await;
    delete_public_access_block, delete_public_access_block_verb, DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput, await;
    get_bucket_replication, get_bucket_replication_verb, GetBucketReplicationInput, GetBucketReplicationOutput;
    put_bucket_replication, put_bucket_replication_verb, PutBucketReplicationInput, PutBucketReplicationOutput, await;
    delete_bucket_replication, delete_bucket_replication_verb, DeleteBucketReplicationInput, DeleteBucketReplicationOutput, await;
    get_bucket_request_payment, get_bucket_request_payment_verb, GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput;
    put_bucket_request_payment, put_bucket_request_payment_verb, PutBucketRequestPaymentInput, PutBucketRequestPaymentOutput, await;
    get_bucket_tagging, get_bucket_tagging_verb, GetBucketTaggingInput, GetBucketTaggingOutput;
    put_bucket_tagging, put_bucket_tagging_verb, PutBucketTaggingInput, PutBucketTaggingOutput, await;
    delete_bucket_tagging, delete_bucket_tagging_verb, DeleteBucketTaggingInput, DeleteBucketTaggingOutput, await;
    get_bucket_analytics_configuration, get_bucket_analytics_configuration_verb, GetBucketAnalyticsConfigurationInput, GetBucketAnalyticsConfigurationOutput;
    put_bucket_analytics_configuration, put_bucket_analytics_configuration_verb, PutBucketAnalyticsConfigurationInput, PutBucketAnalyticsConfigurationOutput, await;
    delete_bucket_analytics_configuration, delete_bucket_analytics_configuration_verb, DeleteBucketAnalyticsConfigurationInput, DeleteBucketAnalyticsConfigurationOutput, await;
    list_bucket_analytics_configurations, list_bucket_analytics_configurations_verb, ListBucketAnalyticsConfigurationsInput, ListBucketAnalyticsConfigurationsOutput;
    get_bucket_intelligent_tiering_configuration, get_bucket_intelligent_tiering_configuration_verb, GetBucketIntelligentTieringConfigurationInput, GetBucketIntelligentTieringConfigurationOutput;
    put_bucket_intelligent_tiering_configuration, put_bucket_intelligent_tiering_configuration_verb, PutBucketIntelligentTieringConfigurationInput, PutBucketIntelligentTieringConfigurationOutput, await;
    delete_bucket_intelligent_tiering_configuration, delete_bucket_intelligent_tiering_configuration_verb, DeleteBucketIntelligentTieringConfigurationInput, DeleteBucketIntelligentTieringConfigurationOutput, await;
    list_bucket_intelligent_tiering_configurations, list_bucket_intelligent_tiering_configurations_verb, ListBucketIntelligentTieringConfigurationsInput, ListBucketIntelligentTieringConfigurationsOutput;
    get_bucket_inventory_configuration, get_bucket_inventory_configuration_verb, GetBucketInventoryConfigurationInput, GetBucketInventoryConfigurationOutput;
    put_bucket_inventory_configuration, put_bucket_inventory_configuration_verb, PutBucketInventoryConfigurationInput, PutBucketInventoryConfigurationOutput, await;
    delete_bucket_inventory_configuration, delete_bucket_inventory_configuration_verb, DeleteBucketInventoryConfigurationInput, DeleteBucketInventoryConfigurationOutput, await;
    list_bucket_inventory_configurations, list_bucket_inventory_configurations_verb, ListBucketInventoryConfigurationsInput, ListBucketInventoryConfigurationsOutput;
    get_bucket_metrics_configuration, get_bucket_metrics_configuration_verb, GetBucketMetricsConfigurationInput, GetBucketMetricsConfigurationOutput;
    put_bucket_metrics_configuration, put_bucket_metrics_configuration_verb, PutBucketMetricsConfigurationInput, PutBucketMetricsConfigurationOutput, await;
    delete_bucket_metrics_configuration, delete_bucket_metrics_configuration_verb, DeleteBucketMetricsConfigurationInput, DeleteBucketMetricsConfigurationOutput, await;
    list_bucket_metrics_configurations, list_bucket_metrics_configurations_verb, ListBucketMetricsConfigurationsInput, ListBucketMetricsConfigurationsOutput;
}
