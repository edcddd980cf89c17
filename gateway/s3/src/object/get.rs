//! GetObject and HeadObject.

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::header::{ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};
use packstone_access::Action;
use packstone_store::object::{ChecksumAlgorithm, SystemHeader, Version, VersionId};
use packstone_store::{Object, ObjectReader};
use s3s::dto::{
    ChecksumMode, ChecksumType, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ObjectLockLegalHoldStatus, ObjectLockMode, StreamingBlob,
};
use s3s::{Body, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::range::{Selection, select};
use super::version::{self, http_date};
use crate::asker::Asker;
use crate::checksum::{self, place};
use crate::condition::{Conditions, Unmet, whole_seconds};
use crate::detail::{Element, Saying as _};
use crate::encryption::{self, Customer, Of};
use crate::error::from_store;
use crate::face::Face;
use crate::{etag, headers, lock, owner};

const RANGES: &str = "bytes";
const TAGGING_COUNT: HeaderName = HeaderName::from_static("x-amz-tagging-count");

impl Face {
    pub(crate) async fn get_object_verb(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let named = version::named(input.version_id.as_deref())?;
        let customer = Customer::parse(&headers, Of::Object, &asker)?;
        encryption::expect_none(&headers)?;
        let object = self.version(&asker, &input.bucket, &input.key, named)?;
        let object = self.unlocked(&asker, object, customer.as_ref())?;
        let conditions = Conditions {
            matches: input.if_match.as_ref(),
            none_match: input.if_none_match.as_ref(),
            modified_since: input.if_modified_since.as_ref(),
            unmodified_since: input.if_unmodified_since.as_ref(),
        };
        conditions.check(&object.version).map_err(|unmet| answer_unmet(unmet, &object.version))?;
        let selection = select(&object.version, input.range, input.part_number)?;

        let mut output = described(&object.version, &selection);
        self.disclose(&asker, &input.bucket, &input.key, &object.version, &mut output);
        if let Some(told) = asked_checksum(&object.version, &selection, input.checksum_mode.as_ref()) {
            place!(output, told, told.text);
            output.checksum_type = Some(told.kind);
        }
        let told = self.told_encryption(object.version.attributes.encryption.as_ref(), customer.as_ref());
        output.body = body(object, selection).await?;
        let mut response = S3Response::new(output);
        response.headers.extend(told);
        Ok(response)
    }

    pub(crate) fn head_object_verb(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let named = version::named(input.version_id.as_deref())?;
        let customer = Customer::parse(&headers, Of::Object, &asker)?;
        encryption::expect_none(&headers)?;
        let object = self.version(&asker, &input.bucket, &input.key, named)?;
        let object = self.unlocked(&asker, object, customer.as_ref())?;
        let conditions = Conditions {
            matches: input.if_match.as_ref(),
            none_match: input.if_none_match.as_ref(),
            modified_since: input.if_modified_since.as_ref(),
            unmodified_since: input.if_unmodified_since.as_ref(),
        };
        let version = &object.version;
        conditions.check(version).map_err(|unmet| answer_unmet(unmet, version))?;
        let selection = select(version, input.range, input.part_number)?;

        let mut told = described(version, &selection);
        self.disclose(&asker, &input.bucket, &input.key, version, &mut told);
        let tags = told.tag_count;
        let mut output = head(told);
        if let Some(told) = asked_checksum(version, &selection, input.checksum_mode.as_ref()) {
            place!(output, told, told.text);
            output.checksum_type = Some(told.kind);
        }
        let mut response = S3Response::new(output);
        // s3s has no field for it in the answer to a HEAD.
        response.headers.extend(tags.map(|count| (TAGGING_COUNT, HeaderValue::from(count))));
        response.headers.extend(self.told_encryption(version.attributes.encryption.as_ref(), customer.as_ref()));
        Ok(response)
    }

    /// The current version of a key, or the one that is named.
    pub(crate) fn version(&self, asker: &Asker, bucket: &str, key: &str, named: Option<VersionId>) -> S3Result<Object> {
        let action = if named.is_some() { Action::GetObjectVersion } else { Action::GetObject };
        let grant = self.may_read(asker, action, (bucket, key), named)?;
        let object = self.store.get(&grant, named);
        object.map_err(|error| self.missing(asker, (bucket, key), version::unread(error, named.is_some())))
    }

    /// What is said of a version to those alone who may know: tags and lock have actions of their own.
    fn disclose(&self, asker: &Asker, bucket: &str, key: &str, version: &Version, output: &mut GetObjectOutput) {
        let may = |action| self.may_on(asker, action, bucket, key).is_ok();
        let attributes = &version.attributes;
        output.version_id = self.told_version(bucket, version.version);
        if !attributes.tags.is_empty() && may(Action::GetObjectTagging) {
            output.tag_count = i32::try_from(attributes.tags.len()).ok();
        }
        if let Some(retention) = attributes.retention
            && may(Action::GetObjectRetention)
        {
            output.object_lock_mode = Some(ObjectLockMode::from_static(lock::mode_text(retention.mode)));
            output.object_lock_retain_until_date = Some(lock::end_of(retention));
        }
        if attributes.legal_hold && may(Action::GetObjectLegalHold) {
            let on = ObjectLockLegalHoldStatus::from_static(ObjectLockLegalHoldStatus::ON);
            output.object_lock_legal_hold_status = Some(on);
        }
    }
}

/// Everything that an answer says of a version, but for its checksum and its bytes.
fn described(version: &Version, selection: &Selection) -> GetObjectOutput {
    let attributes = &version.attributes;
    GetObjectOutput {
        accept_ranges: Some(RANGES.into()),
        cache_control: headers::owned(attributes, SystemHeader::CacheControl),
        content_disposition: headers::owned(attributes, SystemHeader::ContentDisposition),
        content_encoding: headers::owned(attributes, SystemHeader::ContentEncoding),
        content_language: headers::owned(attributes, SystemHeader::ContentLanguage),
        content_length: Some(selection.length()),
        content_range: selection.content_range.clone(),
        content_type: Some(headers::content_type(attributes)),
        e_tag: Some(etag::to_dto(attributes.etag)),
        expires: headers::expires(attributes),
        last_modified: Some(whole_seconds(version.modified)),
        metadata: headers::metadata(attributes),
        parts_count: selection.parts,
        storage_class: headers::told_class(attributes),
        website_redirect_location: headers::owned(attributes, SystemHeader::WebsiteRedirectLocation),
        ..GetObjectOutput::default()
    }
}

fn head(output: GetObjectOutput) -> HeadObjectOutput {
    HeadObjectOutput {
        accept_ranges: output.accept_ranges,
        cache_control: output.cache_control,
        content_disposition: output.content_disposition,
        content_encoding: output.content_encoding,
        content_language: output.content_language,
        content_length: output.content_length,
        content_range: output.content_range,
        content_type: output.content_type,
        e_tag: output.e_tag,
        expires: output.expires,
        last_modified: output.last_modified,
        metadata: output.metadata,
        object_lock_legal_hold_status: output.object_lock_legal_hold_status,
        object_lock_mode: output.object_lock_mode,
        object_lock_retain_until_date: output.object_lock_retain_until_date,
        parts_count: output.parts_count,
        storage_class: output.storage_class,
        version_id: output.version_id,
        website_redirect_location: output.website_redirect_location,
        ..HeadObjectOutput::default()
    }
}

/// A checksum as an answer tells it.
struct ToldChecksum {
    algorithm: ChecksumAlgorithm,
    text: String,
    /// The whole object's, also where the value is that of a part.
    kind: ChecksumType,
}

/// The checksum of the bytes that are selected: with another one, a client would compare them with it in vain. For the
/// bytes of a range there is none.
fn asked_checksum(version: &Version, selection: &Selection, mode: Option<&ChecksumMode>) -> Option<ToldChecksum> {
    mode.filter(|mode| mode.as_str() == ChecksumMode::ENABLED)?;
    let whole = version.attributes.checksum.as_ref()?;
    let text = match selection.part {
        Some(part) if !version.parts.is_empty() => checksum::encode(&version.part_checksums.as_ref()?.get(part)?, 0),
        None if selection.content_range.is_some() => return None,
        // An object that one body made is its own first part.
        Some(_) | None => checksum::encode(whole, version.attributes.etag.parts),
    };
    Some(ToldChecksum { algorithm: whole.algorithm, text, kind: checksum::kind_dto(whole.kind) })
}

fn answer_unmet(unmet: Unmet, version: &Version) -> S3Error {
    if !unmet.not_modified {
        return S3Error::new(S3ErrorCode::PreconditionFailed).saying(Element::Condition, unmet.condition);
    }
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_headers(validators(version));
    error
}

/// What a cache needs to keep using what it has.
fn validators(version: &Version) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(tag) = etag::to_dto(version.attributes.etag).to_http_header() {
        headers.insert(ETAG, tag);
    }
    headers.extend(http_date(version.modified).map(|date| (LAST_MODIFIED, date)));
    headers
}

/// The selected bytes. The first piece is read before the answer begins, so that what can't be read is still an
/// error with a status; for a small object it is also the last.
async fn body(object: Object, selection: Selection) -> S3Result<Option<StreamingBlob>> {
    let length = selection.range.end - selection.range.start;
    if length == 0 {
        return Ok(None);
    }
    let mut reader = object.read(selection.range);
    let first = match reader.next().await {
        Some(piece) => piece.map_err(from_store)?,
        None => return Err(S3Error::new(S3ErrorCode::InternalError)),
    };
    let body = if first.len() as u64 >= length { Body::from(first) } else { streamed(first, reader) };
    Ok(Some(StreamingBlob::from(body)))
}

/// A fault in the middle ends the connection: the length announced tells the client that bytes are missing.
fn streamed(first: Bytes, reader: ObjectReader) -> Body {
    let pieces = stream::unfold((Some(first), reader), |(first, mut reader)| async move {
        let piece = match first {
            Some(first) => Ok(first),
            None => reader.next().await?,
        };
        let frame = piece.map(Frame::data).inspect_err(|error| tracing::error!(%error, "a read broke off"));
        Some((frame, (None, reader)))
    });
    Body::http_body_unsync(StreamBody::new(pieces))
}
