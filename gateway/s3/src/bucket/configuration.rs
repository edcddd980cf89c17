//! Configurations of buckets. Each is a document that holds the XML of its DTO, written and read by s3s alone, so that
//! what was accepted is what is given back.

use std::sync::Arc;

use bytes::Bytes;
use packstone_access::{Action, Resource};
use packstone_store::object::{BucketState, Replaces};
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::asker::Asker;
use crate::error::from_store;
use crate::face::Face;
use crate::facts::Said;
use crate::tags::Tags;

/// What a configuration is checked against.
pub(crate) struct Site<'a> {
    /// Buckets by their names, for what a configuration says of another one.
    pub buckets: &'a dyn Fn(&str) -> Option<Arc<BucketState>>,
    pub bucket: &'a str,
}

impl Site<'_> {
    /// The bucket that is configured.
    pub fn own(&self) -> Option<Arc<BucketState>> {
        (self.buckets)(self.bucket)
    }
}

/// A configuration of a bucket.
pub(crate) trait Configuration: Serialize + for<'xml> Deserialize<'xml> + Send + Sync {
    /// The kind of its document.
    const KIND: &'static str;
    /// What leave to read it is given for.
    const READS: Action;
    /// What leave to put it and to take it away is given for.
    const CHANGES: Action;

    /// What a bucket without one answers with.
    ///
    /// # Errors
    /// Where S3 has an error for that.
    fn missing() -> S3Result<Self>;

    /// Refuses what AWS refuses, and fills in what AWS fills in.
    ///
    /// # Errors
    /// In AWS's words.
    fn check(&mut self, site: &Site<'_>) -> S3Result<()>;

    /// The tags that it puts on the bucket, which policies see.
    fn tags(&self) -> Tags {
        Tags::new()
    }
}

impl Face {
    /// Checks a configuration and puts it in place of the one of that name, which is empty for kinds that have one.
    pub(super) async fn configure<C: Configuration>(
        &self,
        asker: &Asker,
        (bucket, name): (&str, &str),
        mut configuration: C,
    ) -> S3Result<()> {
        let said = Said { tags: &configuration.tags(), ..Said::default() };
        let grant = self.may_saying(asker, C::CHANGES, Resource::Bucket(bucket), said)?;
        if self.store.bucket_state(bucket).is_none() {
            return Err(S3Error::new(S3ErrorCode::NoSuchBucket));
        }
        configuration.check(&Site { buckets: &|name| self.store.bucket_state(name), bucket })?;
        let written = write(&configuration)?;
        // What can't be read again must not be taken.
        read::<C>(&written)?;
        let put = self.store.put_document(&grant, C::KIND, name, Some(written.into()), Replaces::Anything).await;
        put.map(drop).map_err(from_store)
    }

    /// The configuration of that name, or what stands for none.
    pub(super) fn configuration<C: Configuration>(&self, asker: &Asker, (bucket, name): (&str, &str)) -> S3Result<C> {
        let grant = self.may(asker, C::READS, Resource::Bucket(bucket))?;
        match self.store.document(&grant, C::KIND, name).map_err(from_store)? {
            Some(document) => read(&document.value),
            None => C::missing(),
        }
    }

    /// All configurations of a kind with names above `after`, in order.
    pub(super) fn configurations<C: Configuration>(
        &self,
        asker: &Asker,
        bucket: &str,
        after: &str,
    ) -> S3Result<Vec<(String, C)>> {
        let grant = self.may(asker, C::READS, Resource::Bucket(bucket))?;
        let documents = self.store.documents(&grant, C::KIND).map_err(from_store)?;
        let later = documents.into_iter().filter(|(name, _)| **name > *after);
        later.map(|(name, document)| Ok((name, read(&document.value)?))).collect()
    }

    /// Takes a configuration away; that there is none is no error.
    pub(super) async fn deconfigure<C: Configuration>(
        &self,
        asker: &Asker,
        (bucket, name): (&str, &str),
    ) -> S3Result<()> {
        let grant = self.may(asker, C::CHANGES, Resource::Bucket(bucket))?;
        let gone = self.store.put_document(&grant, C::KIND, name, None::<Bytes>, Replaces::Anything).await;
        gone.map(drop).map_err(from_store)
    }
}

pub(crate) fn write<C: Configuration>(configuration: &C) -> S3Result<Vec<u8>> {
    let mut out = Vec::new();
    let written = configuration.serialize(&mut Serializer::new(&mut out));
    written.map_err(|error| fault(C::KIND, &error))?;
    Ok(out)
}

pub(crate) fn read<C: Configuration>(document: &[u8]) -> S3Result<C> {
    C::deserialize(&mut Deserializer::new(document)).map_err(|error| fault(C::KIND, &error))
}

fn fault(kind: &str, error: &dyn std::fmt::Debug) -> S3Error {
    tracing::error!(kind, ?error, "a configuration can't be written or read");
    S3Error::new(S3ErrorCode::InternalError)
}

pub(super) fn malformed() -> S3Error {
    S3Error::new(S3ErrorCode::MalformedXML)
}

/// An id for what came without one.
pub(super) fn made_up_id() -> S3Result<String> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|_| S3Error::new(S3ErrorCode::InternalError))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A verb that puts a configuration: `puts!(VERB, INPUT => OUTPUT, FIELD)`, where a field that is missing is malformed.
macro_rules! puts {
    ($verb:ident, $input:ident => $output:ident, |$held:ident| $configuration:expr) => {
        pub(crate) async fn $verb(
            &self,
            request: s3s::S3Request<s3s::dto::$input>,
        ) -> s3s::S3Result<s3s::S3Response<s3s::dto::$output>> {
            let asker = $crate::asker::Asker::of(&request);
            $crate::body::verify_document(&request.headers, &request.extensions, false)?;
            let $held = request.input;
            $crate::owner::expect($held.expected_bucket_owner.as_deref())?;
            self.configure(&asker, (&$held.bucket, ""), $configuration).await?;
            Ok(s3s::S3Response::new(s3s::dto::$output::default()))
        }
    };
}

/// A verb that reads a configuration: `gets!(VERB, INPUT => OUTPUT, |FOUND: KIND| FIELDS OF THE OUTPUT)`.
macro_rules! gets {
    ($verb:ident, $input:ident => $output:ident, |$found:ident: $kind:ty| { $($field:ident: $value:expr),+ }) => {
        pub(crate) fn $verb(
            &self,
            request: s3s::S3Request<s3s::dto::$input>,
        ) -> s3s::S3Result<s3s::S3Response<s3s::dto::$output>> {
            let asker = $crate::asker::Asker::of(&request);
            let input = request.input;
            $crate::owner::expect(input.expected_bucket_owner.as_deref())?;
            let $found: $kind = self.configuration(&asker, (&input.bucket, ""))?;
            #[allow(clippy::needless_update, reason = "some outputs have no other field")]
            let output = s3s::dto::$output { $($field: $value,)+ ..Default::default() };
            Ok(s3s::S3Response::new(output))
        }
    };
}

/// A verb that takes a configuration away: `deletes!(VERB, INPUT => OUTPUT, KIND)`.
macro_rules! deletes {
    ($verb:ident, $input:ident => $output:ident, $kind:ty) => {
        pub(crate) async fn $verb(
            &self,
            request: s3s::S3Request<s3s::dto::$input>,
        ) -> s3s::S3Result<s3s::S3Response<s3s::dto::$output>> {
            let asker = $crate::asker::Asker::of(&request);
            let input = request.input;
            $crate::owner::expect(input.expected_bucket_owner.as_deref())?;
            self.deconfigure::<$kind>(&asker, (&input.bucket, "")).await?;
            Ok(s3s::S3Response::new(s3s::dto::$output::default()))
        }
    };
}

pub(super) use {deletes, gets, puts};
