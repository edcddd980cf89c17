//! ListParts and ListMultipartUploads.

use packstone_access::{Action, Grant, Resource};
use packstone_store::object::{Part, Upload, UploadEntry, UploadId, UploadPage, UploadQuery};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::list::{page_size, told_delimiter};
use super::part::{self, page_of};
use super::url::Spelling;
use crate::asker::Asker;
use crate::checksum::{self, place};
use crate::condition::whole_seconds;
use crate::error::from_store;
use crate::face::Face;
use crate::{etag, headers, owner};

impl Face {
    pub(crate) async fn list_parts_verb(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let id = part::upload_id(&input.upload_id)?;
        let (after, most) = page_of(input.part_number_marker, input.max_parts)?;
        let grant = self.may_on(&asker, Action::ListMultipartUploadParts, &input.bucket, &input.key)?;
        let upload = self.store.upload(&grant, id).map_err(from_store)?;
        self.may_use_key_of(&asker, upload.attributes.encryption.as_ref(), Action::Decrypt)?;
        // One more than asked for tells whether there are more.
        let mut parts = self.part_page(grant, id, after, most + 1).await?;
        let truncated = parts.len() > most;
        parts.truncate(most);
        let storage_class = Some(headers::class_of(&upload.attributes));
        let promised = upload.attributes.checksum;
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            part_number_marker: Some(i32::from(after)),
            next_part_number_marker: Some(parts.last().map_or(0, |part| i32::from(part.number))),
            max_parts: i32::try_from(most).ok(),
            is_truncated: Some(truncated),
            parts: Some(parts.iter().map(told_part).collect()),
            initiator: Some(owner::initiator()),
            owner: Some(owner::owner()),
            storage_class,
            checksum_algorithm: promised
                .as_ref()
                .map(|checksum| ChecksumAlgorithm::from_static(checksum::name(checksum.algorithm))),
            checksum_type: promised.map(|checksum| checksum::kind_dto(checksum.kind)),
            ..ListPartsOutput::default()
        }))
    }

    pub(crate) async fn list_multipart_uploads_verb(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let spelling = Spelling::of(input.encoding_type.as_ref())?;
        let most = page_size("max-uploads", input.max_uploads)?;
        let query = UploadQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: after(input.key_marker.as_deref(), input.upload_id_marker.as_deref()),
            limit: most,
        };
        let page = self.upload_page(&asker, &input.bucket, query).await?;
        let (next_key, next_id) = page.entries.last().filter(|_| page.truncated).map(end_of).unzip();
        let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
        for entry in page.entries {
            match entry {
                UploadEntry::Upload(upload) => uploads.push(told_upload(upload, spelling)),
                UploadEntry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(spelling.write(prefix)) }),
            }
        }
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            key_marker: Some(spelling.write(input.key_marker.unwrap_or_default())),
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            next_key_marker: next_key.map(|key| spelling.write(key)),
            next_upload_id_marker: next_id.flatten().map(part::upload_text),
            max_uploads: i32::try_from(most).ok(),
            is_truncated: Some(page.truncated),
            prefix: Some(spelling.write(input.prefix.unwrap_or_default())),
            delimiter: told_delimiter(input.delimiter, spelling),
            encoding_type: spelling.dto(),
            uploads: Some(uploads),
            common_prefixes: Some(prefixes),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    /// A page of parts, read where waiting for the index keeps nobody else waiting.
    pub(crate) async fn part_page(&self, grant: Grant, id: UploadId, after: u16, most: usize) -> S3Result<Vec<Part>> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.parts(&grant, id, after, most))
            .await
            .map_err(|_| S3Error::new(S3ErrorCode::ServiceUnavailable))?
            .map_err(from_store)
    }

    async fn upload_page(&self, asker: &Asker, bucket: &str, query: UploadQuery) -> S3Result<UploadPage> {
        let grant = self.may(asker, Action::ListBucketMultipartUploads, Resource::Bucket(bucket))?;
        if query.limit == 0 {
            self.state(bucket)?;
            return Ok(UploadPage::default());
        }
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.uploads(&grant, &query))
            .await
            .map_err(|_| S3Error::new(S3ErrorCode::ServiceUnavailable))?
            .map_err(from_store)
    }
}

/// An id without a key means nothing, as on AWS.
fn after(key: Option<&str>, id: Option<&str>) -> Option<(String, Option<UploadId>)> {
    let key = key.filter(|key| !key.is_empty())?;
    Some((key.to_owned(), id.and_then(|id| part::upload_id(id).ok())))
}

fn end_of(entry: &UploadEntry) -> (String, Option<UploadId>) {
    match entry {
        UploadEntry::Upload(upload) => (upload.key.clone(), Some(upload.id)),
        UploadEntry::Prefix(prefix) => (prefix.clone(), None),
    }
}

fn told_part(part: &Part) -> s3s::dto::Part {
    let mut told = s3s::dto::Part {
        part_number: Some(i32::from(part.number)),
        size: i64::try_from(part.size).ok(),
        last_modified: Some(whole_seconds(part.modified)),
        e_tag: Some(etag::to_dto(part.etag)),
        ..s3s::dto::Part::default()
    };
    if let Some(checksum) = &part.checksum {
        place!(told, checksum, checksum::encode(checksum, 0));
    }
    told
}

fn told_upload(upload: Upload, spelling: Spelling) -> MultipartUpload {
    let storage_class = Some(headers::class_of(&upload.attributes));
    let promised = upload.attributes.checksum;
    MultipartUpload {
        key: Some(spelling.write(upload.key)),
        upload_id: Some(part::upload_text(upload.id)),
        initiated: Some(whole_seconds(upload.initiated)),
        initiator: Some(owner::initiator()),
        owner: Some(owner::owner()),
        storage_class,
        checksum_algorithm: promised
            .as_ref()
            .map(|checksum| ChecksumAlgorithm::from_static(checksum::name(checksum.algorithm))),
        checksum_type: promised.map(|checksum| checksum::kind_dto(checksum.kind)),
    }
}
