//! Bucket policies.

use packstone_access::{Action, Policy, PolicyKind, Resource};
use packstone_store::object::Replaces;
use s3s::dto::{
    DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
    GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, PolicyStatus, PutBucketPolicyInput, PutBucketPolicyOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use crate::asker::Asker;
use crate::body::verify_document;
use crate::bound_policy::{self, BoundPolicy, Nobody};
use crate::error::{access_denied, from_store, refused};
use crate::face::Face;
use crate::owner;
use crate::rules::{POLICY, Rules};

impl Face {
    pub(crate) async fn put_bucket_policy_verb(
        &self,
        request: S3Request<PutBucketPolicyInput>,
    ) -> S3Result<S3Response<PutBucketPolicyOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::PutBucketPolicy, Resource::Bucket(&input.bucket))?;
        let kind = PolicyKind::Bucket(input.bucket.as_str().into());
        let policy = Policy::parse(kind, &input.bucket, &input.policy)
            .map_err(|malformed| refused(S3ErrorCode::MalformedPolicy, malformed.to_string()))?;
        if Rules::of(&*self.state(&input.bucket)?).block.refuses_policy(&policy) {
            return Err(access_denied());
        }
        let ids = bound_policy::ids(&policy, &self.ring.records())
            .map_err(|Nobody(_)| refused(S3ErrorCode::MalformedPolicy, "Invalid principal in policy"))?;
        let document = BoundPolicy { text: input.policy, ids }.encode().map_err(|_| unreadable())?;
        self.store
            .put_document(&grant, POLICY, "", Some(document.into()), Replaces::Anything)
            .await
            .map_err(from_store)?;
        Ok(S3Response::new(PutBucketPolicyOutput {}))
    }

    pub(crate) fn get_bucket_policy_verb(
        &self,
        request: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::GetBucketPolicy, Resource::Bucket(&input.bucket))?;
        let document = self.store.document(&grant, POLICY, "").map_err(from_store)?.ok_or_else(no_policy)?;
        let BoundPolicy { text, ids } = BoundPolicy::decode(&document.value).ok_or_else(unreadable)?;
        let told = bound_policy::told(&text, &ids, &self.ring.records());
        Ok(S3Response::new(GetBucketPolicyOutput { policy: Some(told) }))
    }

    pub(crate) async fn delete_bucket_policy_verb(
        &self,
        request: S3Request<DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::DeleteBucketPolicy, Resource::Bucket(&input.bucket))?;
        self.store.put_document(&grant, POLICY, "", None, Replaces::Anything).await.map_err(from_store)?;
        Ok(S3Response::new(DeleteBucketPolicyOutput {}))
    }

    pub(crate) fn get_bucket_policy_status_verb(
        &self,
        request: S3Request<GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        self.may(&asker, Action::GetBucketPolicyStatus, Resource::Bucket(&input.bucket))?;
        let rules = Rules::of(&*self.state(&input.bucket)?);
        let policy = rules.policy.as_ref().ok_or_else(no_policy)?;
        let status = PolicyStatus { is_public: Some(policy.is_public()) };
        Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status: Some(status) }))
    }
}

fn unreadable() -> S3Error {
    S3Error::new(S3ErrorCode::InternalError)
}

fn no_policy() -> S3Error {
    refused(S3ErrorCode::NoSuchBucketPolicy, "The bucket policy does not exist")
}
