//! A store for what the front owns: objects in a map, and nothing else served.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use packstone_s3::MasterKey;
use packstone_s3::front::{Front, Settings};
use packstone_s3::identity::KeyRing;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, DeleteObjectsInput, DeleteObjectsOutput, GetObjectInput, GetObjectOutput,
    ListBucketsInput, ListBucketsOutput, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use tokio::runtime::Runtime;

pub const ACCESS: &str = "AKIDTEST";
pub const SECRET: &str = "a secret of the test";

/// Objects by bucket and key; a PUT counts only when its body came whole.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<(String, String), Bytes>>>);

impl Memory {
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[async_trait::async_trait]
impl S3 for Memory {
    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(Vec::new()), ..Default::default() }))
    }

    async fn create_bucket(&self, _: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn delete_objects(&self, _: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        Ok(S3Response::new(DeleteObjectsOutput::default()))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        if input.key == "slow" {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let mut bytes = Vec::new();
        if let Some(mut body) = input.body {
            while let Some(piece) = body.next().await {
                bytes.extend_from_slice(&piece.map_err(|_| S3Error::new(S3ErrorCode::IncompleteBody))?);
            }
        }
        self.0.lock().unwrap().insert((input.bucket, input.key), bytes.into());
        Ok(S3Response::new(PutObjectOutput::default()))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        match self.0.lock().unwrap().get(&(input.bucket, input.key)) {
            Some(bytes) => Ok(S3Response::new(GetObjectOutput {
                content_length: Some(bytes.len() as i64),
                body: Some(StreamingBlob::from(Body::from(bytes.clone()))),
                ..Default::default()
            })),
            None => Err(S3Error::new(S3ErrorCode::NoSuchKey)),
        }
    }
}

/// A front that listens on a port of its own.
pub struct Server {
    pub front: Front,
    pub memory: Memory,
    pub runtime: Runtime,
}

pub fn settings() -> Settings {
    Settings { threads: 2, ..Settings::new("127.0.0.1:0", ACCESS, SECRET) }
}

pub fn server() -> Server {
    server_with(&settings())
}

/// A ring with the key of the settings.
pub fn ring(settings: &Settings) -> KeyRing {
    KeyRing::new(&settings.access_key, &settings.secret_key, Arc::new(MasterKey::new(&[1; 32]).unwrap()))
}

pub fn server_with(settings: &Settings) -> Server {
    let runtime = settings.runtime().unwrap();
    let memory = Memory::default();
    let front = Front::start(memory.clone(), ring(settings), settings, runtime.handle()).unwrap();
    Server { front, memory, runtime }
}
