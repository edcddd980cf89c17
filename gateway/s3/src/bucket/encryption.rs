//! Default encryption of buckets.

use hyper::StatusCode;
use packstone_access::Action;
use s3s::S3Result;
use s3s::dto::{ServerSideEncryption, ServerSideEncryptionConfiguration};

use super::configuration::{Configuration, Site, deletes, gets, malformed, puts};
use crate::encryption::Method;
use crate::error::{custom, invalid_argument};
use crate::face::Face;
use crate::rules::ENCRYPTION;

impl Face {
    puts!(put_bucket_encryption_verb, PutBucketEncryptionInput => PutBucketEncryptionOutput, |input| {
        input.server_side_encryption_configuration
    });
    gets!(
        get_bucket_encryption_verb,
        GetBucketEncryptionInput => GetBucketEncryptionOutput,
        |found: ServerSideEncryptionConfiguration| { server_side_encryption_configuration: Some(found) }
    );
    deletes!(
        delete_bucket_encryption_verb,
        DeleteBucketEncryptionInput => DeleteBucketEncryptionOutput,
        ServerSideEncryptionConfiguration
    );
}

impl Configuration for ServerSideEncryptionConfiguration {
    const KIND: &'static str = ENCRYPTION;
    const READS: Action = Action::GetEncryptionConfiguration;
    const CHANGES: Action = Action::PutEncryptionConfiguration;

    fn missing() -> S3Result<Self> {
        Err(custom(
            "ServerSideEncryptionConfigurationNotFoundError",
            StatusCode::NOT_FOUND,
            "The server side encryption configuration was not found",
        ))
    }

    fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
        let [rule] = self.rules.as_slice() else { return Err(malformed()) };
        let default = rule.apply_server_side_encryption_by_default.as_ref().ok_or_else(malformed)?;
        match default.sse_algorithm.as_str() {
            ServerSideEncryption::AES256 if default.kms_master_key_id.is_some() => Err(invalid_argument(
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            )),
            ServerSideEncryption::AES256 | ServerSideEncryption::AWS_KMS | ServerSideEncryption::AWS_KMS_DSSE => {
                Method::of_configuration(self).map(drop)
            }
            _ => Err(malformed()),
        }
    }
}
