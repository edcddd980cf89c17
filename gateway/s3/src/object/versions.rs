//! ListObjectVersions.

use packstone_access::{Action, Resource};
use packstone_store::object::{Version, VersionEntry, VersionId, VersionPage, VersionQuery};
use s3s::dto::{ChecksumAlgorithm, CommonPrefix, ListObjectVersionsInput, ListObjectVersionsOutput, ObjectVersion};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::list::{page_size, told_delimiter};
use super::url::Spelling;
use super::version;
use crate::asker::Asker;
use crate::checksum;
use crate::condition::whole_seconds;
use crate::error::{argument, from_store};
use crate::face::Face;
use crate::{etag, headers, owner};

impl Face {
    pub(crate) async fn list_object_versions_verb(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let spelling = Spelling::of(input.encoding_type.as_ref())?;
        let most = page_size("maxKeys", input.max_keys)?;
        let query = VersionQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: after(input.key_marker.as_deref(), input.version_id_marker.as_deref())?,
            limit: most,
        };
        let page = self.version_page(&asker, &input.bucket, query).await?;
        let (next_key, next_version) = page.entries.last().filter(|_| page.truncated).map(end_of).unzip();
        let mut output = ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: Some(spelling.write(input.prefix.unwrap_or_default())),
            key_marker: Some(spelling.write(input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            max_keys: i32::try_from(most).ok(),
            is_truncated: Some(page.truncated),
            next_key_marker: next_key.map(|key| spelling.write(key)),
            next_version_id_marker: next_version.flatten().map(|version| version.to_string()),
            delimiter: told_delimiter(input.delimiter, spelling),
            encoding_type: spelling.dto(),
            ..ListObjectVersionsOutput::default()
        };
        place(page, spelling, &mut output);
        Ok(S3Response::new(output))
    }

    /// Read where waiting for the index keeps nobody else waiting.
    async fn version_page(&self, asker: &Asker, bucket: &str, query: VersionQuery) -> S3Result<VersionPage> {
        let grant = self.may(asker, Action::ListBucketVersions, Resource::Bucket(bucket))?;
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.list_versions(&grant, &query))
            .await
            .map_err(|_| S3Error::new(S3ErrorCode::ServiceUnavailable))?
            .map_err(from_store)
    }
}

fn after(key: Option<&str>, id: Option<&str>) -> S3Result<Option<(String, Option<VersionId>)>> {
    match (key.filter(|key| !key.is_empty()), id) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(argument("version-id-marker", "A version-id marker cannot be specified without a key marker."))
        }
        (Some(_), Some("")) => Err(argument("version-id-marker", "A version-id marker cannot be empty.")),
        (Some(key), id) => Ok(Some((key.to_owned(), version::named(id)?))),
    }
}

fn end_of(entry: &VersionEntry) -> (String, Option<VersionId>) {
    match entry {
        VersionEntry::Version { key, version } => (key.clone(), Some(version.version)),
        VersionEntry::Marker { key, version, .. } => (key.clone(), Some(*version)),
        VersionEntry::Prefix(prefix) => (prefix.clone(), None),
    }
}

/// Versions and delete markers stand in one order, for which s3s has no list: a marker goes among the versions, and the
/// front gives it its name, by the size that it doesn't have.
fn place(page: VersionPage, spelling: Spelling, output: &mut ListObjectVersionsOutput) {
    let (mut versions, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            VersionEntry::Version { key, version } => versions.push(told(spelling.write(key), &version)),
            VersionEntry::Marker { key, version, modified, latest } => versions.push(ObjectVersion {
                is_latest: Some(latest),
                key: Some(spelling.write(key)),
                last_modified: Some(whole_seconds(modified)),
                owner: Some(owner::owner()),
                version_id: Some(version.to_string()),
                ..ObjectVersion::default()
            }),
            VersionEntry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(spelling.write(prefix)) }),
        }
    }
    output.versions = Some(versions);
    output.common_prefixes = Some(prefixes);
}

/// Gives delete markers in the document of s3s their name.
pub(crate) fn name_markers(document: &str) -> String {
    const OPEN: &str = "<Version>";
    const CLOSE: &str = "</Version>";
    let mut out = String::with_capacity(document.len());
    let mut rest = document;
    while let Some((before, (entry, after))) =
        rest.split_once(OPEN).and_then(|(before, entry)| Some((before, entry.split_once(CLOSE)?)))
    {
        let (open, close) =
            if entry.contains("<Size>") { (OPEN, CLOSE) } else { ("<DeleteMarker>", "</DeleteMarker>") };
        out.extend([before, open, entry, close]);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn told(key: String, version: &Version) -> ObjectVersion {
    let checksum = version.attributes.checksum.as_ref();
    ObjectVersion {
        checksum_algorithm: checksum
            .map(|checksum| vec![ChecksumAlgorithm::from_static(checksum::name(checksum.algorithm))]),
        checksum_type: checksum.map(|checksum| checksum::kind_dto(checksum.kind)),
        e_tag: Some(etag::to_dto(version.attributes.etag)),
        is_latest: Some(version.latest),
        key: Some(key),
        last_modified: Some(whole_seconds(version.modified)),
        owner: Some(owner::owner()),
        size: i64::try_from(version.size).ok(),
        storage_class: Some(headers::class_of(&version.attributes)),
        version_id: Some(version.version.to_string()),
        ..ObjectVersion::default()
    }
}

#[cfg(test)]
mod tests;
