//! Buckets.

use std::sync::Arc;

use packstone_access::{Action, Grant};

use super::document::is_engines_own;
use super::{Bucket, NewDocument, UploadId};
use crate::commit::{BucketState, Op, Outcome};
use crate::error::{Error, Result};
use crate::index::{Space, keys};
use crate::store::Store;

impl Store {
    /// All buckets, by name.
    ///
    /// # Errors
    /// A grant for something else.
    pub fn buckets(&self, grant: &Grant) -> Result<Vec<Bucket>> {
        grant.covers(Action::ListAllMyBuckets)?;
        let mut buckets: Vec<Bucket> = self.inner.shared.buckets.load().iter().cloned().collect();
        buckets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(buckets)
    }

    /// # Errors
    /// No such bucket.
    pub fn bucket(&self, grant: &Grant) -> Result<Bucket> {
        grant.covers(Action::ListBucket)?;
        Ok(self.bucket_of(grant)?.bucket.clone())
    }

    /// The bucket that a grant names; its key, where it has one, must be one that S3 can make, or be there: a mount makes
    /// longer ones.
    pub(crate) fn bucket_of(&self, grant: &Grant) -> Result<Arc<BucketState>> {
        let state = self.bucket_of_path(grant)?;
        if grant.key().len() > super::MAX_KEY && !self.is_key(state.bucket.id, grant.key())? {
            return Err(Error::InvalidKey);
        }
        Ok(state)
    }

    /// Whether there is a version of a key, or a delete marker.
    fn is_key(&self, bucket: u32, key: &str) -> Result<bool> {
        let snapshot = self.inner.shared.namespace();
        let is_current = snapshot.get(Space::Current, &keys::current(bucket, key))?.is_some();
        Ok(is_current || crate::index::list::newest(&*snapshot, bucket, key)?.is_some())
    }

    /// The bucket that a grant names, whose key may be that of a file.
    pub(crate) fn bucket_of_path(&self, grant: &Grant) -> Result<Arc<BucketState>> {
        if grant.key().len() > super::MAX_PATH {
            return Err(Error::InvalidKey);
        }
        self.inner.shared.buckets.load().state(grant.bucket()).cloned().ok_or(Error::NoSuchBucket)
    }

    /// Makes a bucket with its first documents, all or nothing: versioning and object lock are among them.
    ///
    /// # Errors
    /// A bucket of that name exists, the name can't be one, or a document can't stand.
    pub async fn create_bucket(&self, grant: &Grant, documents: Vec<NewDocument>) -> Result<Bucket> {
        grant.covers(Action::CreateBucket)?;
        check_name(grant.bucket())?;
        if documents.iter().any(|document| is_engines_own(&document.kind)) {
            return Err(Error::InvalidDocument("the engine alone writes such"));
        }
        match self.inner.queue.commit(Op::CreateBucket { name: grant.bucket().to_owned(), documents }).await? {
            Outcome::Bucket(bucket) => Ok(bucket),
            _ => Err(Error::Unavailable("an answer to something else".into())),
        }
    }

    /// Deletes a bucket that holds no version and no delete marker, with its documents; uploads that are open in it are aborted first.
    ///
    /// # Errors
    /// No such bucket, or it holds objects.
    pub async fn delete_bucket(&self, grant: &Grant) -> Result<()> {
        grant.covers(Action::DeleteBucket)?;
        let bucket = self.bucket_of(grant)?.bucket.id;
        let snapshot = self.inner.shared.index.snapshot();
        for (space, rows) in
            [(Space::Current, keys::current(bucket, "")), (Space::Versions, keys::versions_prefix(bucket, ""))]
        {
            if snapshot.prefix(space, &rows).next().transpose()?.is_some() {
                return Err(Error::BucketNotEmpty);
            }
        }
        let mut open = Vec::new();
        for pair in snapshot.prefix(Space::Uploads, &keys::upload_prefix(bucket, "")) {
            open.extend(keys::parse_upload(&pair?.0));
        }
        drop(snapshot);
        for (key, upload) in open {
            match self.inner.queue.commit(Op::AbortUpload { bucket, key, upload: UploadId(upload) }).await {
                Ok(_) | Err(Error::NoSuchUpload) => {}
                Err(error) => return Err(error),
            }
        }
        // Decided again in the loop: whatever came meanwhile stops it.
        self.inner.queue.commit(Op::DeleteBucket { name: grant.bucket().to_owned() }).await.map(|_| ())
    }
}

/// The rules that AWS has for new bucket names.
fn check_name(name: &str) -> Result<()> {
    let wrong = |why| Err(Error::InvalidBucketName(why));
    if !(3..=63).contains(&name.len()) {
        return wrong("it must have 3 to 63 characters");
    }
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte)) {
        return wrong("only lower-case letters, digits, dots and hyphens may stand in it");
    }
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !edge(name.bytes().next()) || !edge(name.bytes().last()) {
        return wrong("it must begin and end with a letter or digit");
    }
    if name.contains("..") || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return wrong("it must not have two dots in a row nor look like an IP address");
    }
    if name.starts_with("xn--") || name.ends_with("-s3alias") || name.ends_with("--ol-s3") {
        return wrong("it has a prefix or suffix that is reserved");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_aws_does() {
        for good in ["ticks", "a.b-c", "123", &"x".repeat(63)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "Ticks", "a_b", "-abc", "abc-", "a..b", "10.0.0.1", "xn--abc", &"x".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
