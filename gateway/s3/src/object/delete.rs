//! DeleteObject and DeleteObjects.

use futures::future::join_all;
use packstone_access::Action;
use packstone_store::object::{Deleted, Etag, Precondition, VersionId};
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition,
    Error, ObjectIdentifier, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::version;
use crate::asker::Asker;
use crate::body::verify_document;
use crate::condition::unix_seconds;
use crate::error::from_store;
use crate::face::Face;
use crate::{etag, owner};

/// The most keys that one request may name.
const MOST: usize = 1000;

/// What is to be deleted.
struct Victim<'a> {
    bucket: &'a str,
    key: &'a str,
    version: Option<VersionId>,
    precondition: Precondition,
    /// Whether the client asks for GOVERNANCE to be bypassed.
    bypass: bool,
}

impl Face {
    pub(crate) async fn delete_object_verb(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let asked =
            Asked { tag: input.if_match, modified: input.if_match_last_modified_time, size: input.if_match_size };
        let victim = Victim {
            bucket: &input.bucket,
            key: &input.key,
            version: version::named(input.version_id.as_deref())?,
            precondition: asked.precondition()?,
            bypass: input.bypass_governance_retention.unwrap_or_default(),
        };
        let output = match self.delete(&asker, victim).await? {
            Deleted::Marked { version } => DeleteObjectOutput {
                delete_marker: Some(true),
                version_id: Some(version.to_string()),
                ..DeleteObjectOutput::default()
            },
            Deleted::Ended { marker, .. } => DeleteObjectOutput {
                delete_marker: marker.then_some(true),
                version_id: input.version_id,
                ..DeleteObjectOutput::default()
            },
            Deleted::Nothing => DeleteObjectOutput { version_id: input.version_id, ..DeleteObjectOutput::default() },
        };
        Ok(S3Response::new(output))
    }

    async fn delete(&self, asker: &Asker, victim: Victim<'_>) -> S3Result<Deleted> {
        let Victim { bucket, key, version, precondition, bypass } = victim;
        let Some(version) = version else {
            let grant = self.may_on(asker, Action::DeleteObject, bucket, key)?;
            return self.store.delete(&grant, precondition).await.map_err(from_store);
        };
        let grant = self.may_on_version(asker, Action::DeleteObjectVersion, (bucket, key), Some(version))?;
        let bypass = self.bypass(asker, (bucket, key), Some(version), bypass);
        self.store.delete_version(&grant, version, precondition, bypass.as_ref()).await.map_err(from_store)
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
        let bypass = input.bypass_governance_retention.unwrap_or_default();
        let outcomes = input.delete.objects.iter().map(|named| self.delete_named(&asker, &input.bucket, named, bypass));
        let outcomes = join_all(outcomes).await;

        let bucket_is_gone = |error: &S3Error| *error.code() == S3ErrorCode::NoSuchBucket;
        if outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(bucket_is_gone)) {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucket));
        }
        let quiet = input.delete.quiet.unwrap_or_default();
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (named, outcome) in input.delete.objects.into_iter().zip(outcomes) {
            match outcome {
                Ok(_) if quiet => {}
                Ok(outcome) => deleted.push(told(outcome, named)),
                Err(error) => errors.push(told_error(&error, named)),
            }
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn delete_named(
        &self,
        asker: &Asker,
        bucket: &str,
        named: &ObjectIdentifier,
        bypass: bool,
    ) -> S3Result<Deleted> {
        let tag = named.e_tag.clone().map(|tag| match tag.value() {
            "*" => ETagCondition::Any,
            _ => ETagCondition::ETag(tag),
        });
        let asked = Asked { tag, modified: named.last_modified_time.clone(), size: named.size };
        let version = version::named(named.version_id.as_deref())?;
        let victim = Victim { bucket, key: &named.key, version, precondition: asked.precondition()?, bypass };
        self.delete(asker, victim).await
    }
}

/// What a client asks of what it deletes.
struct Asked {
    tag: Option<ETagCondition>,
    modified: Option<Timestamp>,
    size: Option<i64>,
}

impl Asked {
    /// A tag, time or size that nothing can have is a condition that does not hold.
    fn precondition(&self) -> S3Result<Precondition> {
        if self.modified.is_none() && self.size.is_none() {
            return etag::precondition(self.tag.as_ref(), None);
        }
        let failed = || S3Error::new(S3ErrorCode::PreconditionFailed);
        let etag: Option<Etag> = match &self.tag {
            None | Some(ETagCondition::Any) => None,
            Some(ETagCondition::ETag(tag)) => Some(etag::parse(tag.value()).ok_or_else(failed)?),
        };
        let size = self.size.map(u64::try_from).transpose().map_err(|_| failed())?;
        Ok(Precondition::Same { etag, modified: self.modified.clone().map(unix_seconds), size })
    }
}

fn told(outcome: Deleted, named: ObjectIdentifier) -> DeletedObject {
    let plain = DeletedObject { key: Some(named.key), version_id: named.version_id, ..DeletedObject::default() };
    match outcome {
        Deleted::Marked { version } => {
            DeletedObject { delete_marker: Some(true), delete_marker_version_id: Some(version.to_string()), ..plain }
        }
        Deleted::Ended { version, marker: true } => {
            DeletedObject { delete_marker: Some(true), delete_marker_version_id: Some(version.to_string()), ..plain }
        }
        Deleted::Ended { .. } | Deleted::Nothing => plain,
    }
}

fn told_error(error: &S3Error, named: ObjectIdentifier) -> Error {
    let code = error.code().as_str();
    let message = error.message().unwrap_or_else(|| crate::front::message_of(code));
    Error {
        code: Some(code.to_owned()),
        key: Some(named.key),
        message: Some(message.to_owned()),
        version_id: named.version_id,
    }
}
