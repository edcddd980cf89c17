//! DeleteObject and DeleteObjects.

use futures::future::join_all;
use packstone_access::Action;
use packstone_store::object::Precondition;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition,
    Error, ObjectIdentifier,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::expect_version;
use crate::asker::Asker;
use crate::body::verify_document;
use crate::error::{from_store, not_implemented};
use crate::face::Face;
use crate::{etag, owner};

/// The most keys that one request may name.
const MOST: usize = 1000;

impl Face {
    pub(crate) async fn delete_object_verb(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        expect_version(input.version_id.as_deref())?;
        let precondition = etag::precondition(input.if_match.as_ref(), None)?;
        self.delete(&asker, &input.bucket, &input.key, precondition).await?;
        Ok(S3Response::new(DeleteObjectOutput { version_id: input.version_id, ..DeleteObjectOutput::default() }))
    }

    async fn delete(&self, asker: &Asker, bucket: &str, key: &str, precondition: Precondition) -> S3Result<()> {
        let grant = self.may_on(asker, Action::DeleteObject, bucket, key)?;
        self.store.delete(&grant, precondition).await.map(drop).map_err(from_store)
    }

    /// All keys go to the commit loop together, so that they share its syncs.
    pub(crate) async fn delete_objects_verb(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        verify_document(&request.headers, &request.extensions, true)?;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        if input.delete.objects.is_empty() || input.delete.objects.len() > MOST {
            return Err(S3Error::new(S3ErrorCode::MalformedXML));
        }
        let outcomes =
            join_all(input.delete.objects.iter().map(|named| self.delete_named(&asker, &input.bucket, named))).await;

        let bucket_is_gone = |error: &S3Error| *error.code() == S3ErrorCode::NoSuchBucket;
        if outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(bucket_is_gone)) {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucket));
        }
        let quiet = input.delete.quiet.unwrap_or_default();
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (named, outcome) in input.delete.objects.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) if quiet => {}
                Ok(()) => deleted.push(DeletedObject {
                    key: Some(named.key),
                    version_id: named.version_id,
                    ..DeletedObject::default()
                }),
                Err(error) => errors.push(told(&error, named)),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn delete_named(&self, asker: &Asker, bucket: &str, named: &ObjectIdentifier) -> S3Result<()> {
        expect_version(named.version_id.as_deref())?;
        if named.last_modified_time.is_some() || named.size.is_some() {
            return Err(not_implemented());
        }
        let matches = named.e_tag.clone().map(|tag| match tag.value() {
            "*" => ETagCondition::Any,
            _ => ETagCondition::ETag(tag),
        });
        self.delete(asker, bucket, &named.key, etag::precondition(matches.as_ref(), None)?).await
    }
}

fn told(error: &S3Error, named: ObjectIdentifier) -> Error {
    let code = error.code().as_str();
    let message = error.message().unwrap_or_else(|| crate::front::message_of(code));
    Error {
        code: Some(code.to_owned()),
        key: Some(named.key),
        message: Some(message.to_owned()),
        version_id: named.version_id,
    }
}
