//! PutObject; s3s takes RenameObject for one, too, and an append is one.

use hyper::HeaderMap;
use hyper::http::Extensions;
use packstone_access::Grant;
use packstone_store::object::{Attributes, Precondition};
use packstone_store::placement::StorageClass;
use s3s::dto::{PutObjectInput, PutObjectOutput};
use s3s::{S3Request, S3Response, S3Result, TrailingHeaders};

use super::version;
use crate::asker::Asker;
use crate::body::Announcement;
use crate::checksum::{self, place};
use crate::error::from_store;
use crate::face::Face;
use crate::front::Verb;
use crate::lock::Asked;
use crate::{encryption, etag, headers, lock, owner, tags};

/// What a request brings beside the body, for which leave was given.
pub(super) struct Brought {
    pub announced: Announcement,
    pub encrypted: encryption::Asked,
    pub precondition: Precondition,
    pub grant: Grant,
    /// Without ETag and checksum.
    pub attributes: Attributes,
}

impl Face {
    pub(crate) async fn put_object_verb(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        if request.extensions.get::<Verb>() == Some(&Verb::RenameObject) {
            return self.rename_object_verb(request).await;
        }
        if request.input.write_offset_bytes.is_some() {
            return self.append_object_verb(request).await;
        }
        let asker = Asker::of(&request);
        let S3Request { mut input, headers, extensions, trailing_headers, .. } = request;
        let brought = self.brought(&asker, &mut input, (&headers, &extensions), trailing_headers)?;
        let Brought { announced, encrypted, precondition, grant, mut attributes } = brought;

        let cipher = self.cipher(&asker, &grant, &encrypted).await?;
        let writer = self.store.writer(&grant, announced.exact(), cipher).map_err(from_store)?;
        let mut writer = writer.in_class(StorageClass::of(&attributes));
        let sums = announced.pour(input.body, announced.algorithm(), &mut writer).await?;
        attributes.etag = sums.etag();
        attributes.checksum.clone_from(&sums.checksum);
        if precondition != Precondition::None {
            // A file may have been made while the body came.
            self.store.await_arrivals(Some(grant.bucket()), Some(grant.key())).await;
        }
        let version = writer.commit(attributes, precondition).await.map_err(from_store)?;

        let mut output = PutObjectOutput {
            e_tag: Some(etag::to_dto(version.attributes.etag)),
            version_id: version::told_written(version.version),
            ..PutObjectOutput::default()
        };
        if let Some(checksum) = &sums.checksum {
            place!(output, checksum, checksum::encode(checksum, 0));
            output.checksum_type = Some(checksum::kind_dto(checksum.kind));
        }
        let mut response = S3Response::new(output);
        let told = self.told_encrypted(version.attributes.encryption.as_ref(), encrypted.customer());
        response.headers.extend(told);
        Ok(response)
    }

    /// Reads what a request says of the object that it brings, and asks leave for it.
    pub(super) fn brought(
        &self,
        asker: &Asker,
        input: &mut PutObjectInput,
        (headers, extensions): (&HeaderMap, &Extensions),
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<Brought> {
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let precondition = etag::precondition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let encrypted = encryption::Asked::parse(headers, asker)?;
        let announced = Announcement::parse(headers, extensions, input.content_length, trailers)?;
        let mut attributes = headers::described(headers, input.metadata.take())?;
        let (until, hold) = (input.object_lock_retain_until_date.take(), input.object_lock_legal_hold_status.as_ref());
        let lock = Asked::parse(input.object_lock_mode.as_ref(), until, hold)?;
        if lock.is_set() {
            lock::expect_digest(headers)?;
        }
        encrypted.check_lock(lock)?;
        lock.put_on(&mut attributes);
        attributes.tags = tags::brought(input.tagging.as_deref())?;
        let place = (&*input.bucket, &*input.key);
        let grant = self.may_write(asker, place, &attributes.tags, lock)?;
        attributes.acl = self.brought_acl(asker, place, headers)?;
        Ok(Brought { announced, encrypted, precondition, grant, attributes })
    }
}
