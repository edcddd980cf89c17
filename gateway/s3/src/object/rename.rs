//! RenameObject, which AWS has for directory buckets: the current version of a key becomes that of another one.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use packstone_access::{Action, Resource};
use packstone_store::Error;
use packstone_store::checksum::record_hash;
use packstone_store::object::{Attributes, Conditions, NamedTag, RenameTerms, RenameToken, Version};
use percent_encoding::percent_decode;
use s3s::dto::{PutObjectInput, PutObjectOutput, Timestamp, TimestampFormat};
use s3s::{S3Request, S3Response, S3Result};

use crate::asker::Asker;
use crate::condition::unix_seconds;
use crate::error::{argument, from_store, invalid_argument, invalid_request, not_implemented};
use crate::face::Face;
use crate::facts::Said;
use crate::{etag, owner};

const SOURCE: HeaderName = HeaderName::from_static("x-amz-rename-source");
const CLIENT_TOKEN: HeaderName = HeaderName::from_static("x-amz-client-token");
/// What conditions on the source begin with, before the names of those on the destination.
const OF_SOURCE: &str = "x-amz-rename-source-";
const CONDITIONS: [&str; 4] = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];
const ENCRYPTION: &str = "x-amz-server-side-encryption";
/// The longest token of a client.
const LONGEST_TOKEN: usize = 64;

impl Face {
    pub(crate) async fn rename_object_verb(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let (bucket, destination) = (input.bucket.as_str(), input.key.as_str());
        // What is renamed stays as it is encrypted.
        if headers.keys().any(|name| name.as_str().starts_with(ENCRYPTION)) {
            return Err(not_implemented());
        }
        let source = source(&headers, bucket)?;
        if source.ends_with('/') || destination.ends_with('/') {
            return Err(invalid_request("RenameObject is not served for keys that end with a slash."));
        }
        let mut terms = RenameTerms {
            carried: None,
            source: conditions(&headers, OF_SOURCE)?,
            destination: conditions(&headers, "")?,
            token: token(&headers, &source)?,
            is_of_files: false,
        };
        let reads = self.may_on(&asker, Action::GetObject, bucket, &source)?;
        let from = self.may_on(&asker, Action::DeleteObject, bucket, &source)?;
        let to = self.may_on(&asker, Action::PutObject, bucket, destination)?;
        match self.store.describe(&reads, None) {
            Ok(version) => {
                self.may_carry(&asker, bucket, (&source, destination), &version)?;
                terms.carried = Some(version.attributes);
            }
            // What was renamed already is told by its token.
            Err(Error::NoSuchKey) => {}
            Err(error) => return Err(from_store(error)),
        }
        let renamed = self.store.rename(&from, &to, terms).await;
        renamed.map_err(|error| self.missing(&asker, (bucket, &source), from_store(error)))?;
        Ok(S3Response::new(PutObjectOutput::default()))
    }
}

impl Face {
    /// Leave to have tags and an access control list under another key, as if they were put there.
    fn may_carry(
        &self,
        asker: &Asker,
        bucket: &str,
        (source, destination): (&str, &str),
        version: &Version,
    ) -> S3Result<()> {
        let Attributes { tags, acl, .. } = &version.attributes;
        if !tags.is_empty() {
            self.may_on(asker, Action::GetObjectTagging, bucket, source)?;
            let (resource, said) = (Resource::Object { bucket, key: destination }, Said { tags, ..Said::default() });
            self.may_saying(asker, Action::PutObjectTagging, resource, said)?;
        }
        match acl {
            Some(_) => self.may_on(asker, Action::PutObjectAcl, bucket, destination).map(drop),
            None => Ok(()),
        }
    }
}

/// The key that is renamed. AWS's own clients name the key alone, and a key may begin with the bucket's name; its examples
/// have a slash in front, and the pattern that it documents the bucket behind that.
fn source(headers: &HeaderMap, bucket: &str) -> S3Result<String> {
    let unread = || {
        argument(
            SOURCE.as_str(),
            "x-amz-rename-source must be a key, /key or /bucket/key with the same bucket, percent-encoded.",
        )
    };
    let value = headers.get(SOURCE).ok_or_else(unread)?;
    let decoded = percent_decode(value.as_bytes()).decode_utf8().map_err(|_| unread())?;
    let key = match decoded.strip_prefix('/') {
        None => &*decoded,
        Some(path) => path.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path),
    };
    if key.is_empty() { Err(unread()) } else { Ok(key.to_owned()) }
}

/// The conditions whose names begin with `prefix`.
fn conditions(headers: &HeaderMap, prefix: &str) -> S3Result<Conditions> {
    let [matches, none_match, modified, unmodified] =
        CONDITIONS.map(|name| headers.get(format!("{prefix}{name}").as_str()));
    Ok(Conditions {
        matches: matches.map(tag).transpose()?,
        none_match: none_match.map(tag).transpose()?,
        modified_since: modified.map(date).transpose()?,
        unmodified_since: unmodified.map(date).transpose()?,
    })
}

fn tag(value: &HeaderValue) -> S3Result<NamedTag> {
    match value.to_str() {
        Ok("*") => Ok(NamedTag::Any),
        Ok(text) => Ok(NamedTag::Is(etag::parse(text).unwrap_or(etag::NOBODYS))),
        Err(_) => Err(invalid_argument("The entity tag of a condition is malformed.")),
    }
}

fn date(value: &HeaderValue) -> S3Result<i64> {
    let parsed = value.to_str().ok().and_then(|text| Timestamp::parse(TimestampFormat::HttpDate, text).ok());
    parsed.map(unix_seconds).ok_or_else(|| invalid_argument("The date of a condition is malformed."))
}

/// The token by which a client knows its request again, with everything else that it asks for but the destination: the
/// token stands there.
fn token(headers: &HeaderMap, source: &str) -> S3Result<Option<RenameToken>> {
    let Some(token) = headers.get(CLIENT_TOKEN) else { return Ok(None) };
    let token = token.as_bytes();
    if !(1..=LONGEST_TOKEN).contains(&token.len()) || !token.iter().all(u8::is_ascii_graphic) {
        return Err(argument(
            CLIENT_TOKEN.as_str(),
            "x-amz-client-token has 1 to 64 characters of ASCII without spaces.",
        ));
    }
    let mut request = source.as_bytes().to_vec();
    for prefix in [OF_SOURCE, ""] {
        for name in CONDITIONS {
            // No header holds a NUL, so what is said by one can't be taken for what two say.
            request.push(0);
            request.extend(headers.get(format!("{prefix}{name}").as_str()).into_iter().flat_map(HeaderValue::as_bytes));
        }
    }
    Ok(Some(RenameToken { token: record_hash(token), request: record_hash(&request) }))
}

#[cfg(test)]
mod tests;
