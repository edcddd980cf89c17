//! Completing an upload: its parts become an object.

use std::collections::BTreeMap;

use packstone_access::{Action, Grant};
use packstone_store::object::{
    Attributes, Checksum, ChecksumAlgorithm, Encryption, Etag, MAX_PARTS, NamedPart, Part, Upload, UploadId, Version,
};
use s3s::dto::{ChecksumType, CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::{part, version};
use crate::asker::Asker;
use crate::checksum::{self, Announced, place};
use crate::detail::{Element, Saying as _};
use crate::encryption::{Customer, Of};
use crate::error::{from_store, invalid_request};
use crate::face::Face;
use crate::{digest, etag, owner};

/// What a request brings beside the names of upload and key.
struct Brought {
    named: Vec<CompletedPart>,
    announced: Option<Announced>,
    customer: Option<Customer>,
}

impl Face {
    pub(crate) async fn complete_multipart_upload_verb(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let asker = Asker::of(&request);
        let S3Request { mut input, headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let id = part::upload_id(&input.upload_id)?;
        let named = input.multipart_upload.take().and_then(|upload| upload.parts).unwrap_or_default();
        let customer = Customer::parse(&headers, Of::Object, &asker)?;
        let brought = Brought { named, announced: Announced::parse(&headers)?, customer };
        let grant = self.may_on(&asker, Action::PutObject, &input.bucket, &input.key)?;
        let version = match self.complete(&asker, &grant, id, &input, &brought).await {
            Err(error) if *error.code() == S3ErrorCode::NoSuchUpload => self.completed(&grant, id, &brought)?,
            outcome => outcome?,
        };

        let attributes = &version.attributes;
        let mut output = CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            version_id: version::told_written(version.version),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(etag::to_dto(attributes.etag)),
            ..CompleteMultipartUploadOutput::default()
        };
        if let Some(checksum) = &attributes.checksum {
            place!(output, checksum, checksum::encode(checksum, attributes.etag.parts));
            output.checksum_type = Some(checksum::kind_dto(checksum.kind));
        }
        let mut response = S3Response::new(output);
        response.headers.extend(self.told_encryption(attributes.encryption.as_ref(), brought.customer.as_ref()));
        Ok(response)
    }

    async fn complete(
        &self,
        asker: &Asker,
        grant: &Grant,
        id: UploadId,
        input: &CompleteMultipartUploadInput,
        Brought { named, announced, customer }: &Brought,
    ) -> S3Result<Version> {
        let precondition = etag::precondition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let upload = self.store.upload(grant, id).map_err(from_store)?;
        self.expect_key(grant, &upload.attributes, customer.as_ref())?;
        self.may_use_key_of(asker, upload.attributes.encryption.as_ref(), Action::GenerateDataKey)?;
        expect_kind(&upload, input.checksum_type.as_ref())?;
        let uploaded = self.all_parts(grant, id).await?;
        let parts = chosen(named, &uploaded)?;

        let size: u64 = parts.iter().map(|part| part.size).sum();
        if let Some(announced) = input.mpu_object_size.filter(|announced| u64::try_from(*announced) != Ok(size)) {
            return Err(invalid_request(format!(
                "The provided 'x-amz-mp-object-size' header value {announced} does not match what was computed: {size}"
            )));
        }
        let checksum = whole_checksum(&upload, &parts, announced.as_ref())?;
        let etag = whole_etag(parts.iter().map(|part| part.etag));
        let names: Vec<NamedPart> =
            parts.iter().map(|part| NamedPart { number: part.number, etag: part.etag }).collect();
        self.store.complete_upload(grant, id, &names, etag, checksum, precondition).await.map_err(from_store)
    }

    /// What the upload became, for a client that lost the answer and asks again with the same parts.
    fn completed(&self, grant: &Grant, id: UploadId, brought: &Brought) -> S3Result<Version> {
        let version = self.store.completed_upload(grant, id).map_err(from_store)?;
        self.expect_key(grant, &version.attributes, brought.customer.as_ref())?;
        let tags: Option<Vec<Etag>> =
            brought.named.iter().map(|entry| entry.e_tag.as_ref().and_then(|tag| etag::parse(tag.value()))).collect();
        match tags.map(|tags| whole_etag(tags.into_iter())) {
            Some(tag) if tag == version.attributes.etag => Ok(version),
            _ => Err(S3Error::new(S3ErrorCode::NoSuchUpload)),
        }
    }

    /// Refuses a client's key that isn't the upload's. Completing needs none, since it moves no bytes; AWS asks for it
    /// where the object will have a checksum.
    fn expect_key(&self, grant: &Grant, attributes: &Attributes, customer: Option<&Customer>) -> S3Result<()> {
        let encryption = attributes.encryption.as_ref();
        let needed = matches!(encryption, Some(Encryption::Customer { .. })) && attributes.checksum.is_some();
        if customer.is_none() && !needed {
            return Ok(());
        }
        self.store.check_key(grant, encryption, customer.map(Customer::key)).map_err(Self::upload_key_error)
    }

    /// Every part of an upload, by its number.
    async fn all_parts(&self, grant: &Grant, id: UploadId) -> S3Result<BTreeMap<u16, Part>> {
        let parts = self.part_page(grant.clone(), id, 0, usize::from(MAX_PARTS)).await?;
        Ok(parts.into_iter().map(|part| (part.number, part)).collect())
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
pub(crate) fn chosen<'p>(named: &[CompletedPart], uploaded: &'p BTreeMap<u16, Part>) -> S3Result<Vec<&'p Part>> {
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
        parts.push(part.ok_or_else(|| {
            S3Error::new(S3ErrorCode::InvalidPart)
                .saying(Element::PartNumber, number)
                .saying(Element::Etag, tag.value())
        })?);
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
fn whole_etag(parts: impl ExactSizeIterator<Item = Etag>) -> Etag {
    let number = u16::try_from(parts.len()).unwrap_or(u16::MAX);
    let joined: Vec<u8> = parts.flat_map(|part| part.md5).collect();
    Etag { md5: digest::md5(&joined), parts: number }
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
