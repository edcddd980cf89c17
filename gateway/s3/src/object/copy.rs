//! CopyObject and UploadPartCopy. The bytes are read and written again: what a copy says of itself is computed anew.

use std::ops::Range;

use hyper::HeaderMap;
use packstone_access::Action;
use packstone_store::object::{Attributes, ChecksumAlgorithm, MAX_PUT, SystemHeader, Version};
use packstone_store::placement::StorageClass;
use packstone_store::{Object, ObjectWriter};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETagCondition, MetadataDirective,
    TaggingDirective, UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::range::copied;
use super::{part, version};
use crate::asker::Asker;
use crate::checksum::{self, place};
use crate::condition::{Conditions, whole_seconds};
use crate::detail::{Element, Saying as _};
use crate::digest::{Digester, Sums};
use crate::encryption::{self, Customer, Of};
use crate::error::{argument, from_store, invalid_request, not_implemented};
use crate::face::Face;
use crate::lock::Asked;
use crate::tags::{self, Tags};
use crate::{etag, headers, owner};

impl Face {
    pub(crate) async fn copy_object_verb(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers: fields, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        owner::expect(input.expected_source_bucket_owner.as_deref())?;
        let precondition = etag::precondition(
            condition(&fields, "if-match")?.as_ref(),
            condition(&fields, "if-none-match")?.as_ref(),
        )?;
        let replaces = replaces(input.metadata_directive.as_ref())?;
        let encrypted = encryption::Asked::parse(&fields, &asker)?;
        let source = self.source(&asker, &input.copy_source, &fields)?;
        let asked = Conditions {
            matches: input.copy_source_if_match.as_ref(),
            none_match: input.copy_source_if_none_match.as_ref(),
            modified_since: input.copy_source_if_modified_since.as_ref(),
            unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        };
        check(asked, &source.version)?;
        if source.version.size > MAX_PUT {
            return Err(too_large());
        }
        let redirect = headers::redirect(&fields)?;
        let class = headers::storage_class(&fields);
        let reclassified = fields.contains_key(headers::STORAGE_CLASS)
            && class.as_ref().map(|(_, name)| name.as_str())
                != source.version.attributes.header(SystemHeader::StorageClass);
        let changes = replaces || redirect.is_some() || encrypted.is_set() || reclassified;
        if !changes && is_itself(&input.copy_source, &input.bucket, &input.key) {
            return Err(invalid_request(
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let mut attributes = if replaces {
            headers::described(&fields, input.metadata.clone())?
        } else {
            inherited(&source.version, redirect.into_iter().chain(class))
        };
        attributes.tags = self.copied_tags(&asker, &input, &source.version)?;
        let algorithm = match &input.checksum_algorithm {
            Some(asked) => Some(checksum::algorithm(asked.as_str())?),
            None => source.version.attributes.checksum.as_ref().map(|checksum| checksum.algorithm),
        };

        let hold = input.object_lock_legal_hold_status.as_ref();
        let lock = Asked::parse(input.object_lock_mode.as_ref(), input.object_lock_retain_until_date, hold)?;
        encrypted.check_lock(lock)?;
        let grant = self.may_write(&asker, (&input.bucket, &input.key), &attributes.tags, lock)?;
        lock.put_on(&mut attributes);
        let copy_source_version_id = self.told_source(&input.copy_source, &source.version);
        attributes.acl = self.brought_acl(&asker, (&input.bucket, &input.key), &fields)?;
        let size = source.version.size;
        let cipher = self.cipher(&asker, &grant, &encrypted).await?;
        let writer = self.store.writer(&grant, Some(size), cipher).map_err(from_store)?;
        let mut writer = writer.in_class(StorageClass::of(&attributes));
        let sums = pour(source, 0..size, algorithm, &mut writer).await?;
        attributes.etag = sums.etag();
        attributes.checksum.clone_from(&sums.checksum);
        let version = writer.commit(attributes, precondition).await.map_err(from_store)?;
        let told = self.told_encrypted(version.attributes.encryption.as_ref(), encrypted.customer());
        let mut response = S3Response::new(CopyObjectOutput {
            copy_object_result: Some(copy_result(&sums, &version)),
            copy_source_version_id,
            version_id: version::told_written(version.version),
            ..CopyObjectOutput::default()
        });
        response.headers.extend(told);
        Ok(response)
    }

    /// The tags of a copy: the source's, which the asker must be able to read, or those that come with the request.
    fn copied_tags(&self, asker: &Asker, input: &CopyObjectInput, source: &Version) -> S3Result<Tags> {
        match input.tagging_directive.as_ref().map(TaggingDirective::as_str) {
            Some(TaggingDirective::REPLACE) => return tags::brought(input.tagging.as_deref()),
            None | Some(TaggingDirective::COPY) => {}
            Some(_) => return Err(argument("x-amz-tagging-directive", "Unknown tagging directive.")),
        }
        if let CopySource::Bucket { bucket, key, version_id } = &input.copy_source
            && !source.attributes.tags.is_empty()
        {
            let named = version::named(version_id.as_deref())?;
            let reads = if named.is_some() { Action::GetObjectVersionTagging } else { Action::GetObjectTagging };
            self.may_on_version(asker, reads, (bucket, key), named)?;
        }
        Ok(source.attributes.tags.clone())
    }

    fn told_source(&self, source: &CopySource, version: &Version) -> Option<String> {
        match source {
            CopySource::Bucket { bucket, .. } => self.told_version(bucket, version.version),
            CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => None,
        }
    }

    pub(crate) async fn upload_part_copy_verb(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers: fields, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        owner::expect(input.expected_source_bucket_owner.as_deref())?;
        let number = part::number(input.part_number)?;
        let id = part::upload_id(&input.upload_id)?;
        let grant = self.may_on(&asker, Action::PutObject, &input.bucket, &input.key)?;
        let upload = self.store.upload(&grant, id).map_err(from_store)?;
        self.may_use_key_of(&asker, upload.attributes.encryption.as_ref(), Action::GenerateDataKey)?;
        let customer = Customer::parse(&fields, Of::Object, &asker)?;
        encryption::expect_none(&fields)?;
        let source = self.source(&asker, &input.copy_source, &fields)?;
        let asked = Conditions {
            matches: input.copy_source_if_match.as_ref(),
            none_match: input.copy_source_if_none_match.as_ref(),
            modified_since: input.copy_source_if_modified_since.as_ref(),
            unmodified_since: input.copy_source_if_unmodified_since.as_ref(),
        };
        check(asked, &source.version)?;
        let copy_source_version_id = self.told_source(&input.copy_source, &source.version);
        let range = match input.copy_source_range.as_deref() {
            Some(range) => copied(range, source.version.size)?,
            None => 0..source.version.size,
        };
        let length = range.end - range.start;
        if length > MAX_PUT {
            return Err(too_large());
        }
        let algorithm = upload.attributes.checksum.as_ref().map(|checksum| checksum.algorithm);
        let key = customer.as_ref().map(Customer::key);
        let writer = self.store.part_writer(&grant, id, number, Some(length), key);
        let mut writer = writer.map_err(Self::upload_key_error)?;
        let sums = pour(source, range, algorithm, &mut writer).await?;
        let version = part::commit(writer, &sums).await?;
        let mut result = CopyPartResult {
            e_tag: Some(etag::to_dto(version.attributes.etag)),
            last_modified: Some(whole_seconds(version.modified)),
            ..CopyPartResult::default()
        };
        if let Some(checksum) = &sums.checksum {
            place!(result, checksum, checksum::encode(checksum, 0));
        }
        let mut response = S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            copy_source_version_id,
            ..UploadPartCopyOutput::default()
        });
        response.headers.extend(self.told_encryption(upload.attributes.encryption.as_ref(), customer.as_ref()));
        Ok(response)
    }

    /// What is copied, ready to be read.
    fn source(&self, asker: &Asker, source: &CopySource, fields: &HeaderMap) -> S3Result<Object> {
        match source {
            CopySource::Bucket { bucket, key, version_id } => {
                let named = version::named(version_id.as_deref())?;
                let customer = Customer::parse(fields, Of::Source, asker)?;
                let found = self.version(asker, bucket, key, named).map_err(|error| match error.code() {
                    S3ErrorCode::MethodNotAllowed => invalid_request(
                        "The source of a copy request may not specifically refer to a delete marker by version id.",
                    ),
                    S3ErrorCode::NoSuchBucket => error.saying(Element::BucketName, bucket),
                    S3ErrorCode::NoSuchKey => error.saying(Element::Key, key),
                    S3ErrorCode::NoSuchVersion => {
                        let version = version_id.as_deref().unwrap_or_default();
                        error.saying(Element::Key, key).saying(Element::VersionId, version)
                    }
                    _ => error,
                })?;
                self.unlocked(asker, found, customer.as_ref())
            }
            CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => Err(not_implemented()),
        }
    }
}

/// Reads `range` of `source` into `writer`, hashing what passes.
async fn pour(
    source: Object,
    range: Range<u64>,
    algorithm: Option<ChecksumAlgorithm>,
    writer: &mut ObjectWriter,
) -> S3Result<Sums> {
    let length = range.end - range.start;
    let mut digester = Digester::new(length, algorithm);
    if length > 0 {
        let mut reader = source.read(range);
        while let Some(piece) = reader.next().await {
            let piece = piece.map_err(from_store)?;
            digester.update(&piece).await?;
            writer.write(piece).await.map_err(from_store)?;
        }
    }
    if writer.written() != length {
        tracing::error!(length, written = writer.written(), "a copy's source was read short");
        return Err(S3Error::new(S3ErrorCode::InternalError));
    }
    digester.finish().await
}

fn copy_result(sums: &Sums, version: &Version) -> CopyObjectResult {
    let mut result = CopyObjectResult {
        e_tag: Some(etag::to_dto(version.attributes.etag)),
        last_modified: Some(whole_seconds(version.modified)),
        ..CopyObjectResult::default()
    };
    if let Some(checksum) = &sums.checksum {
        place!(result, checksum, checksum::encode(checksum, 0));
        result.checksum_type = Some(checksum::kind_dto(checksum.kind));
    }
    result
}

/// A copy has no client's cache to spare: whatever isn't met is a failure.
fn check(conditions: Conditions<'_>, version: &Version) -> S3Result<()> {
    conditions.check(version).map_err(|unmet| {
        let condition = format!("x-amz-copy-source-{}", unmet.condition);
        S3Error::new(S3ErrorCode::PreconditionFailed).saying(Element::Condition, condition)
    })
}

fn replaces(directive: Option<&MetadataDirective>) -> S3Result<bool> {
    match directive.map(MetadataDirective::as_str) {
        None | Some(MetadataDirective::COPY) => Ok(false),
        Some(MetadataDirective::REPLACE) => Ok(true),
        Some(_) => Err(argument("x-amz-metadata-directive", "Unknown metadata directive.")),
    }
}

/// An earlier version that is copied onto its key is brought back, which changes something.
fn is_itself(source: &CopySource, bucket: &str, key: &str) -> bool {
    let CopySource::Bucket { bucket: from, key: name, version_id } = source else { return false };
    **from == *bucket && **name == *key && version_id.is_none()
}

fn inherited(version: &Version, own: impl Iterator<Item = (SystemHeader, String)>) -> Attributes {
    // Lock, access control list, what made or moved it, and what it is as a file are the source's own.
    let mut attributes = Attributes {
        retention: None,
        legal_hold: false,
        pending: None,
        acl: None,
        upload: None,
        encryption: None,
        renamed: None,
        file: None,
        inode: None,
        extended: Vec::new(),
        ..version.attributes.clone()
    };
    let is_own =
        |header: SystemHeader| matches!(header, SystemHeader::WebsiteRedirectLocation | SystemHeader::StorageClass);
    attributes.headers.retain(|(header, _)| !is_own(*header));
    attributes.headers.extend(own);
    attributes
}

/// A condition on what is overwritten, which s3s doesn't read for copies.
fn condition(headers: &HeaderMap, name: &str) -> S3Result<Option<ETagCondition>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    ETagCondition::parse_http_header(value.as_bytes())
        .map(Some)
        .map_err(|_| argument(name, "The entity tag of a condition is malformed."))
}

fn too_large() -> S3Error {
    invalid_request("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
}
