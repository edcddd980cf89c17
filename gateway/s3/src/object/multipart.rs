//! Uploads in parts: opening, adding parts, completing, aborting.

use std::collections::BTreeMap;

use packstone_access::Action;
use packstone_store::object::{Checksum, ChecksumAlgorithm, Etag, MAX_PARTS, NamedPart, Part, Upload, UploadId};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumType, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::{part, version};
use crate::asker::Asker;
use crate::body::Announcement;
use crate::checksum::{self, Announced, place};
use crate::error::{from_store, invalid_request};
use crate::face::Face;
use crate::lock::Asked;
use crate::{digest, etag, headers, owner};

impl Face {
    pub(crate) async fn create_multipart_upload_verb(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
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
        let grant = self.may_on(&asker, Action::PutObject, &input.bucket, &input.key)?;
        self.expect_leave_to_lock(&asker, &input.bucket, &input.key, lock)?;
        attributes.tags = self.brought_tags(&asker, &input.bucket, &input.key, input.tagging.as_deref())?;
        let id = self.store.open_upload(&grant, attributes).await.map_err(from_store)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(part::upload_text(id)),
            checksum_algorithm: announced
                .as_ref()
                .map(|checksum| s3s::dto::ChecksumAlgorithm::from_static(checksum::name(checksum.algorithm))),
            checksum_type: announced.map(|checksum| checksum::kind_dto(checksum.kind)),
            ..CreateMultipartUploadOutput::default()
        }))
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
        let announced = Announcement::parse(&headers, &extensions, input.content_length, trailing_headers)?;
        let grant = self.may_on(&asker, Action::PutObject, &input.bucket, &input.key)?;
        let upload = self.store.upload(&grant, id).map_err(from_store)?;
        let algorithm = part_algorithm(&upload, announced.algorithm())?;

        let mut writer = self.store.part_writer(&grant, id, number, Some(announced.length)).map_err(from_store)?;
        let sums = announced.pour(input.body, algorithm, &mut writer).await?;
        part::commit(writer, &sums).await?;

        let mut output = UploadPartOutput { e_tag: Some(etag::to_dto(sums.etag())), ..UploadPartOutput::default() };
        if let Some(checksum) = &sums.checksum {
            place!(output, checksum, checksum::encode(checksum, 0));
        }
        Ok(S3Response::new(output))
    }

    pub(crate) async fn complete_multipart_upload_verb(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let precondition = etag::precondition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let announced = Announced::parse(&headers)?;
        let id = part::upload_id(&input.upload_id)?;
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let grant = self.may_on(&asker, Action::PutObject, &input.bucket, &input.key)?;
        let upload = self.store.upload(&grant, id).map_err(from_store)?;
        expect_kind(&upload, input.checksum_type.as_ref())?;
        let uploaded = self.all_parts(&asker, &input.bucket, &input.key, id).await?;
        let parts = chosen(&named, &uploaded)?;

        let size: u64 = parts.iter().map(|part| part.size).sum();
        if let Some(announced) = input.mpu_object_size.filter(|announced| u64::try_from(*announced) != Ok(size)) {
            return Err(invalid_request(format!(
                "The provided 'x-amz-mp-object-size' header value {announced} does not match what was computed: {size}"
            )));
        }
        let checksum = whole_checksum(&upload, &parts, announced.as_ref())?;
        let etag = whole_etag(&parts);
        let names: Vec<NamedPart> =
            parts.iter().map(|part| NamedPart { number: part.number, etag: part.etag }).collect();
        let version = self
            .store
            .complete_upload(&grant, id, &names, etag, checksum.clone(), precondition)
            .await
            .map_err(from_store)?;

        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            version_id: version::told_written(version.version),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag::to_dto(etag)),
            ..CompleteMultipartUploadOutput::default()
        };
        if let Some(checksum) = &checksum {
            place!(output, checksum, checksum::encode(checksum, parts.len()));
            output.checksum_type = Some(checksum::kind_dto(checksum.kind));
        }
        Ok(S3Response::new(output))
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

    /// Every part of an upload, by its number.
    async fn all_parts(&self, asker: &Asker, bucket: &str, key: &str, id: UploadId) -> S3Result<BTreeMap<u16, Part>> {
        let parts = self.part_page(asker, bucket, key, id, 0, usize::from(MAX_PARTS)).await?;
        Ok(parts.into_iter().map(|part| (part.number, part)).collect())
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

/// Refuses a completion that names another kind of checksum than the upload was opened with.
fn expect_kind(upload: &Upload, asked: Option<&ChecksumType>) -> S3Result<()> {
    let opened = upload.attributes.checksum.as_ref().map(|checksum| checksum::kind_dto(checksum.kind));
    match (opened, asked) {
        (Some(opened), Some(asked)) if opened != *asked => Err(invalid_request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            opened.as_str()
        ))),
        _ => Ok(()),
    }
}

/// The parts that a client named, which must stand in order and be what was uploaded.
fn chosen<'p>(named: &[CompletedPart], uploaded: &'p BTreeMap<u16, Part>) -> S3Result<Vec<&'p Part>> {
    if named.is_empty() {
        return Err(S3Error::new(S3ErrorCode::MalformedXML));
    }
    let mut parts: Vec<&Part> = Vec::with_capacity(named.len());
    for entry in named {
        let number = entry.part_number.ok_or_else(|| S3Error::new(S3ErrorCode::MalformedXML))?;
        let number = part::number(number)?;
        if parts.last().is_some_and(|last| last.number >= number) {
            return Err(S3Error::new(S3ErrorCode::InvalidPartOrder));
        }
        let tag = entry.e_tag.as_ref().ok_or_else(|| S3Error::new(S3ErrorCode::MalformedXML))?;
        let part = uploaded.get(&number).filter(|part| etag::parse(tag.value()) == Some(part.etag));
        let part = part.filter(|part| agrees(entry, part));
        parts.push(part.ok_or_else(|| S3Error::new(S3ErrorCode::InvalidPart))?);
    }
    Ok(parts)
}

/// Whether the checksum that a client repeats for a part is the part's.
fn agrees(entry: &CompletedPart, part: &Part) -> bool {
    let Some(checksum) = &part.checksum else { return true };
    let text = match checksum.algorithm {
        ChecksumAlgorithm::Crc32 => &entry.checksum_crc32,
        ChecksumAlgorithm::Crc32c => &entry.checksum_crc32c,
        ChecksumAlgorithm::Crc64Nvme => &entry.checksum_crc64nvme,
        ChecksumAlgorithm::Sha1 => &entry.checksum_sha1,
        ChecksumAlgorithm::Sha256 => &entry.checksum_sha256,
    };
    match text {
        Some(text) => checksum::decode(checksum.algorithm, text).is_some_and(|value| value == checksum.value),
        None => true,
    }
}

/// The MD5 of the parts' MD5s, and their number.
fn whole_etag(parts: &[&Part]) -> Etag {
    let joined: Vec<u8> = parts.iter().flat_map(|part| part.etag.md5).collect();
    Etag { md5: digest::md5(&joined), parts: u16::try_from(parts.len()).unwrap_or(u16::MAX) }
}

fn whole_checksum(upload: &Upload, parts: &[&Part], announced: Option<&Announced>) -> S3Result<Option<Checksum>> {
    let Some(promised) = &upload.attributes.checksum else { return Ok(None) };
    let sums = parts.iter().map(|part| (part.size, part.checksum.as_ref()));
    let checksum = checksum::of_parts(promised.algorithm, promised.kind, sums)
        .ok_or_else(|| S3Error::new(S3ErrorCode::InvalidPart))?;
    match announced {
        Some(Announced { algorithm, value: Some(value) })
            if *algorithm != checksum.algorithm || *value != checksum.value =>
        {
            Err(checksum::mismatch(*algorithm))
        }
        _ => Ok(Some(checksum)),
    }
}
