//! Uploads in parts: opening, adding parts, aborting.

use packstone_access::Action;
use packstone_store::object::{Checksum, ChecksumAlgorithm, Cipher, Upload};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use super::part;
use crate::asker::Asker;
use crate::body::Announcement;
use crate::checksum::{self, place};
use crate::encryption::{self, Customer, Of};
use crate::error::{from_store, invalid_request};
use crate::face::Face;
use crate::lock::Asked;
use crate::{etag, headers, owner, tags};

impl Face {
    pub(crate) async fn create_multipart_upload_verb(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let encrypted = encryption::Asked::parse(&request.headers, &asker)?;
        let mut attributes = headers::described(&request.headers, input.metadata)?;
        if let Some(asked) = &input.checksum_algorithm {
            let algorithm = checksum::algorithm(asked.as_str())?;
            let kind = checksum::kind(algorithm, input.checksum_type.as_ref())?;
            attributes.checksum = Some(Checksum { algorithm, kind, value: Vec::new() });
        } else if input.checksum_type.is_some() {
            return Err(invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            ));
        }
        let announced = attributes.checksum.clone();
        let hold = input.object_lock_legal_hold_status.as_ref();
        let lock = Asked::parse(input.object_lock_mode.as_ref(), input.object_lock_retain_until_date, hold)?;
        lock.put_on(&mut attributes);
        attributes.tags = tags::brought(input.tagging.as_deref())?;
        encrypted.check_lock(lock)?;
        let grant = self.may_write(&asker, (&input.bucket, &input.key), &attributes.tags, lock)?;
        attributes.acl = self.brought_acl(&asker, (&input.bucket, &input.key), &request.headers)?;
        let cipher = self.cipher(&asker, &grant, &encrypted).await?;
        let told = self.told_encrypted(cipher.as_ref().map(Cipher::encryption), encrypted.customer());
        let id = self.store.open_upload(&grant, attributes, cipher).await.map_err(from_store)?;
        let mut response = S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(part::upload_text(id)),
            checksum_algorithm: announced
                .as_ref()
                .map(|checksum| s3s::dto::ChecksumAlgorithm::from_static(checksum::name(checksum.algorithm))),
            checksum_type: announced.map(|checksum| checksum::kind_dto(checksum.kind)),
            ..CreateMultipartUploadOutput::default()
        });
        response.headers.extend(told);
        Ok(response)
    }

    pub(crate) async fn upload_part_verb(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers, extensions, trailing_headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let number = part::number(input.part_number)?;
        let id = part::upload_id(&input.upload_id)?;
        let customer = Customer::parse(&headers, Of::Object, &asker)?;
        encryption::expect_none(&headers)?;
        let announced = Announcement::parse(&headers, &extensions, input.content_length, trailing_headers)?;
        let grant = self.may_on(&asker, Action::PutObject, &input.bucket, &input.key)?;
        let upload = self.store.upload(&grant, id).map_err(from_store)?;
        let encryption = upload.attributes.encryption.as_ref();
        self.may_use_key_of(&asker, encryption, Action::GenerateDataKey)?;
        let algorithm = part_algorithm(&upload, announced.algorithm())?;

        let key = customer.as_ref().map(Customer::key);
        let writer = self.store.part_writer(&grant, id, number, Some(announced.length), key);
        let mut writer = writer.map_err(Self::upload_key_error)?;
        let sums = announced.pour(input.body, algorithm, &mut writer).await?;
        let version = part::commit(writer, &sums).await?;

        let tag = etag::to_dto(version.attributes.etag);
        let mut output = UploadPartOutput { e_tag: Some(tag), ..UploadPartOutput::default() };
        if let Some(checksum) = &sums.checksum {
            place!(output, checksum, checksum::encode(checksum, 0));
        }
        let mut response = S3Response::new(output);
        response.headers.extend(self.told_encryption(encryption, customer.as_ref()));
        Ok(response)
    }

    pub(crate) async fn abort_multipart_upload_verb(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let id = part::upload_id(&input.upload_id)?;
        let grant = self.may_on(&asker, Action::AbortMultipartUpload, &input.bucket, &input.key)?;
        self.store.abort_upload(&grant, id).await.map_err(from_store)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// The checksum that a part is stored with: the one that the upload announced, or else the part's own.
fn part_algorithm(upload: &Upload, sent: Option<ChecksumAlgorithm>) -> S3Result<Option<ChecksumAlgorithm>> {
    let expected = upload.attributes.checksum.as_ref().map(|checksum| checksum.algorithm);
    match (expected, sent) {
        (Some(expected), Some(sent)) if expected != sent => Err(invalid_request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            checksum::name(expected).to_ascii_lowercase(),
            checksum::name(sent).to_ascii_lowercase()
        ))),
        (expected, sent) => Ok(expected.or(sent)),
    }
}
