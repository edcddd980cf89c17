//! PutBucketVersioning and GetBucketVersioning.

use packstone_access::{Action, Resource};
use packstone_store::Error;
use packstone_store::configuration::VERSIONING;
use packstone_store::object::{Replaces, Versioning};
use s3s::dto::{
    BucketVersioningStatus, GetBucketVersioningInput, GetBucketVersioningOutput, PutBucketVersioningInput,
    PutBucketVersioningOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::configuration::malformed;
use crate::asker::Asker;
use crate::body::verify_document;
use crate::error::{custom, from_store, refused};
use crate::face::Face;
use crate::owner;

impl Face {
    pub(crate) async fn put_bucket_versioning_verb(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::PutBucketVersioning, Resource::Bucket(&input.bucket))?;
        // Nobody has a device here that deletes could be confirmed with.
        let without_device = "Mfa Authentication must be used for this request";
        match input.versioning_configuration.mfa_delete.as_ref().map(s3s::dto::MFADelete::as_str) {
            None | Some("Disabled") => {}
            Some("Enabled") => return Err(refused(S3ErrorCode::AccessDenied, without_device)),
            Some(_) => return Err(malformed()),
        }
        let status = input.versioning_configuration.status;
        let versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            None => {
                return Err(custom(
                    "IllegalVersioningConfigurationException",
                    hyper::StatusCode::BAD_REQUEST,
                    "The Versioning element must be specified",
                ));
            }
            Some(_) => return Err(malformed()),
        };
        let document = versioning.encode().map(Into::into);
        match self.store.put_document(&grant, VERSIONING, "", document, Replaces::Anything).await {
            Ok(_) => Ok(S3Response::new(PutBucketVersioningOutput::default())),
            Err(Error::InvalidBucketState(_)) => Err(refused(
                S3ErrorCode::InvalidBucketState,
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            )),
            Err(error) => Err(from_store(error)),
        }
    }

    pub(crate) fn get_bucket_versioning_verb(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::GetBucketVersioning, Resource::Bucket(&input.bucket))?;
        let document = self.store.document(&grant, VERSIONING, "").map_err(from_store)?;
        let versioning = match document {
            Some(document) => Versioning::decode(&document.value).map_err(from_store)?,
            None => Versioning::Never,
        };
        let status = match versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        let status = status.map(BucketVersioningStatus::from_static);
        Ok(S3Response::new(GetBucketVersioningOutput { status, ..GetBucketVersioningOutput::default() }))
    }
}
