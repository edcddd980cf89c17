//! GetObjectTagging, PutObjectTagging, DeleteObjectTagging; and tags that come with an object.

use packstone_access::{Action, Grant, Resource};
use packstone_store::object::AttributeChange;
use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use super::version;
use crate::asker::Asker;
use crate::body::verify_document;
use crate::face::Face;
use crate::facts::Said;
use crate::owner;
use crate::tags::{self, Tagged, Tags};

impl Face {
    pub(crate) fn get_object_tagging_verb(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let named = version::named(input.version_id.as_deref())?;
        let action = if named.is_some() { Action::GetObjectVersionTagging } else { Action::GetObjectTagging };
        let grant = self.may_on_version(&asker, action, (&input.bucket, &input.key), named)?;
        let held = self.store.describe(&grant, named);
        let unread = |error| self.missing(&asker, (&input.bucket, &input.key), version::unread(error, named.is_some()));
        let held = held.map_err(unread)?;
        Ok(S3Response::new(GetObjectTaggingOutput {
            tag_set: tags::to_document(&held.attributes.tags),
            version_id: self.told_version(&input.bucket, held.version),
        }))
    }

    pub(crate) async fn put_object_tagging_verb(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let tags = tags::of_document(input.tagging.tag_set, Tagged::Object)?;
        let actions = [Action::PutObjectTagging, Action::PutObjectVersionTagging];
        let place = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let version_id = self.tag(&asker, place, actions, tags).await?;
        Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
    }

    pub(crate) async fn delete_object_tagging_verb(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let actions = [Action::DeleteObjectTagging, Action::DeleteObjectVersionTagging];
        let place = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let version_id = self.tag(&asker, place, actions, Tags::new()).await?;
        Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
    }

    /// Gives a version these tags in place of its own. The second action is for a version that is named.
    async fn tag(
        &self,
        asker: &Asker,
        (bucket, key, version_id): (&str, &str, Option<&str>),
        [current, version]: [Action; 2],
        tags: Tags,
    ) -> S3Result<Option<String>> {
        let named = version::named(version_id)?;
        let action = if named.is_some() { version } else { current };
        let said = Said { version: named, tags: &tags, ..Said::default() };
        let grant = self.may_saying(asker, action, Resource::Object { bucket, key }, said)?;
        let amended = self.store.amend(&grant, named, AttributeChange::Tags(tags), None).await;
        let unread = |error| self.missing(asker, (bucket, key), version::unread(error, named.is_some()));
        let held = amended.map_err(unread)?;
        Ok(self.told_version(bucket, held.version))
    }

    /// Leave to put tags on what is to be written.
    pub(crate) fn may_put_tags(
        &self,
        asker: &Asker,
        bucket: &str,
        key: &str,
        tags: &[(String, String)],
    ) -> S3Result<Grant> {
        let said = Said { tags, ..Said::default() };
        self.may_saying(asker, Action::PutObjectTagging, Resource::Object { bucket, key }, said)
    }
}
