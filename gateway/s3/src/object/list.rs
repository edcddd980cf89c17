//! ListObjects, the first and the second.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use packstone_access::{Action, Resource};
use packstone_store::object::{ListEntry, ListPage, ListQuery, Version};
use s3s::dto::{
    ChecksumAlgorithm, CommonPrefix, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::url::Spelling;
use crate::asker::Asker;
use crate::checksum;
use crate::condition::whole_seconds;
use crate::detail::{Element, Saying as _};
use crate::error::{argument, from_store};
use crate::face::Face;
use crate::{etag, headers, owner};

/// The most entries on a page; a client that asks for more gets these.
const MOST: i32 = 1000;

/// Where the next page begins, in a form that says nothing to a client.
pub(crate) struct Token;

/// The form of tokens, should there ever be another.
const FORM: u8 = 1;

impl Token {
    /// A token for the page after `last`.
    pub fn write(last: &str) -> String {
        let mut bytes = Vec::with_capacity(last.len() + 1);
        bytes.push(FORM);
        bytes.extend_from_slice(last.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token was written for.
    pub fn read(token: &str) -> S3Result<String> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok();
        bytes
            .as_deref()
            .and_then(<[u8]>::split_first)
            .filter(|(form, _)| **form == FORM)
            .and_then(|(_, last)| std::str::from_utf8(last).ok())
            .map(str::to_owned)
            .ok_or_else(|| argument("continuation-token", "The continuation token provided is incorrect"))
    }
}

/// A page as both versions of the verb answer it.
struct Page {
    contents: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    /// The last entry, when there are more.
    last: Option<String>,
}

impl Face {
    pub(crate) async fn list_objects_verb(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let spelling = Spelling::of(input.encoding_type.as_ref())?;
        let most = page_size("maxKeys", input.max_keys)?;
        let query = ListQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.marker.clone().unwrap_or_default(),
            limit: most,
        };
        let delimited = !query.delimiter.is_empty();
        let page = self.page(&asker, &input.bucket, query, spelling, true).await?;
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(spelling.write(input.prefix.unwrap_or_default())),
            marker: Some(spelling.write(input.marker.unwrap_or_default())),
            max_keys: i32::try_from(most).ok(),
            is_truncated: Some(page.last.is_some()),
            // Without a delimiter the last key is the marker, and S3 leaves it to the client to see that.
            next_marker: page.last.filter(|_| delimited).map(|last| spelling.write(last)),
            contents: Some(page.contents),
            common_prefixes: Some(page.prefixes),
            delimiter: told_delimiter(input.delimiter, spelling),
            encoding_type: spelling.dto(),
            ..ListObjectsOutput::default()
        }))
    }

    pub(crate) async fn list_objects_v2_verb(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let spelling = Spelling::of(input.encoding_type.as_ref())?;
        let most = page_size("maxKeys", input.max_keys)?;
        let after = match &input.continuation_token {
            Some(token) => Token::read(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let query = ListQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after,
            limit: most,
        };
        let page = self.page(&asker, &input.bucket, query, spelling, input.fetch_owner.unwrap_or_default()).await?;
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(spelling.write(input.prefix.unwrap_or_default())),
            max_keys: i32::try_from(most).ok(),
            key_count: i32::try_from(page.contents.len() + page.prefixes.len()).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.last.is_some()),
            next_continuation_token: page.last.as_deref().map(Token::write),
            contents: Some(page.contents),
            common_prefixes: Some(page.prefixes),
            delimiter: told_delimiter(input.delimiter, spelling),
            encoding_type: spelling.dto(),
            start_after: input.start_after.map(|start| spelling.write(start)),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn page(
        &self,
        asker: &Asker,
        bucket: &str,
        query: ListQuery,
        spelling: Spelling,
        owners: bool,
    ) -> S3Result<Page> {
        if query.limit == 0 {
            self.bucket(asker, bucket)?;
            return Ok(Page { contents: Vec::new(), prefixes: Vec::new(), last: None });
        }
        Ok(told(self.entries(asker, bucket, query).await?, spelling, owners))
    }

    /// A page takes the index milliseconds: other requests must not wait for it on the same thread.
    async fn entries(&self, asker: &Asker, bucket: &str, query: ListQuery) -> S3Result<ListPage> {
        let grant = self.may(asker, Action::ListBucket, Resource::Bucket(bucket))?;
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || store.list(&grant, &query))
            .await
            .map_err(|_| S3Error::new(S3ErrorCode::ServiceUnavailable))?
            .map_err(from_store)
    }
}

fn told(page: ListPage, spelling: Spelling, owners: bool) -> Page {
    let last = page.entries.last().filter(|_| page.truncated).map(|entry| match entry {
        ListEntry::Object { key, .. } => key.clone(),
        ListEntry::Prefix(prefix) => prefix.clone(),
    });
    let (mut contents, mut prefixes) = (Vec::with_capacity(page.entries.len()), Vec::new());
    for entry in page.entries {
        match entry {
            ListEntry::Object { key, version } => contents.push(object(spelling.write(key), &version, owners)),
            ListEntry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(spelling.write(prefix)) }),
        }
    }
    Page { contents, prefixes, last }
}

fn object(key: String, version: &Version, owners: bool) -> Object {
    let checksum = version.attributes.checksum.as_ref();
    Object {
        checksum_algorithm: checksum
            .map(|checksum| vec![ChecksumAlgorithm::from_static(checksum::name(checksum.algorithm))]),
        checksum_type: checksum.map(|checksum| checksum::kind_dto(checksum.kind)),
        e_tag: Some(etag::to_dto(version.attributes.etag)),
        key: Some(key),
        last_modified: Some(whole_seconds(version.modified)),
        owner: owners.then(owner::owner),
        size: i64::try_from(version.size).ok(),
        storage_class: Some(headers::class_of(&version.attributes)),
        ..Object::default()
    }
}

/// A delimiter of nothing is none.
pub(crate) fn told_delimiter(delimiter: Option<String>, spelling: Spelling) -> Option<String> {
    delimiter.filter(|delimiter| !delimiter.is_empty()).map(|delimiter| spelling.write(delimiter))
}

/// How many entries a client asks for by the argument of this name, within what a page holds.
pub(crate) fn page_size(name: &str, asked: Option<i32>) -> S3Result<usize> {
    let asked = asked.unwrap_or(MOST);
    usize::try_from(asked.min(MOST)).map_err(|_| {
        argument(name, format!("Argument {name} must be an integer between 0 and 2147483647"))
            .saying(Element::ArgumentValue, asked)
    })
}

#[cfg(test)]
mod tests;
