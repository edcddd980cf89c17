//! A store that does nothing but keep bytes: no hash, no checksum, no disk.
//!
//! Objects lie in shards by the hash of bucket and key, each shard under a lock of its own that is held for one look-up
//! or one insertion; no request takes two.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use futures::TryStreamExt;
use parking_lot::RwLock;
use s3s::{
    Body, S3, S3Request, S3Response, S3Result,
    dto::{
        CreateBucketInput, CreateBucketOutput, ETag, GetObjectInput, GetObjectOutput, HeadBucketInput,
        HeadBucketOutput, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
    },
    s3_error,
};

const SHARDS: usize = 64;
/// Every object's ETag: making a true one is a store's work, not the front's.
const ETAG: &str = "00000000000000000000000000000000";

/// Bucket and key.
type Name = (String, String);

#[derive(Clone)]
struct Object {
    bytes: Bytes,
    modified: SystemTime,
}

/// Buckets and objects in memory, gone with the process; clones share them.
#[derive(Clone)]
pub struct Memory {
    hasher: RandomState,
    buckets: Arc<RwLock<HashSet<String>>>,
    shards: Arc<[RwLock<HashMap<Name, Object>>]>,
}

impl Memory {
    #[must_use]
    pub fn new() -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { hasher: RandomState::new(), buckets: Arc::default(), shards }
    }

    fn shard(&self, name: &Name) -> S3Result<&RwLock<HashMap<Name, Object>>> {
        let at = self.hasher.hash_one(name) as usize % SHARDS;
        self.shards.get(at).ok_or_else(|| s3_error!(InternalError))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// The body as one piece that borrows from no socket buffer.
async fn collect(body: Option<StreamingBlob>, length: Option<i64>) -> S3Result<Bytes> {
    let mut whole = Vec::with_capacity(length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0));
    if let Some(mut body) = body {
        while let Some(piece) = body.try_next().await.map_err(|_| s3_error!(IncompleteBody))? {
            whole.extend_from_slice(&piece);
        }
    }
    Ok(Bytes::from(whole))
}

#[async_trait::async_trait]
impl S3 for Memory {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        if self.buckets.write().insert(request.input.bucket) {
            Ok(S3Response::new(CreateBucketOutput::default()))
        } else {
            Err(s3_error!(BucketAlreadyOwnedByYou))
        }
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        if self.buckets.read().contains(&request.input.bucket) {
            Ok(S3Response::new(HeadBucketOutput::default()))
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let PutObjectInput { bucket, key, body, content_length, .. } = request.input;
        let object = Object { bytes: collect(body, content_length).await?, modified: SystemTime::now() };
        let name = (bucket, key);
        self.shard(&name)?.write().insert(name, object);
        let output = PutObjectOutput { e_tag: Some(ETag::Strong(ETAG.to_owned())), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let name = (request.input.bucket, request.input.key);
        let object = self.shard(&name)?.read().get(&name).cloned().ok_or_else(|| s3_error!(NoSuchKey))?;
        let output = GetObjectOutput {
            content_length: i64::try_from(object.bytes.len()).ok(),
            e_tag: Some(ETag::Strong(ETAG.to_owned())),
            last_modified: Some(Timestamp::from(object.modified)),
            body: Some(StreamingBlob::from(Body::from(object.bytes))),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }
}
