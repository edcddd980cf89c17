//! The S3 face of one store: s3s's trait, handed to the verbs.
//!
//! Concurrency: a [`Face`] is read only and shared by all requests; what is shared beyond it is the store's.

use packstone_access::{Action, Grant, Resource, authorise};
use packstone_store::Store;
use s3s::dto;
use s3s::{S3, S3Request, S3Response, S3Result};

use crate::asker::Asker;
use crate::error::from_denied;

/// What S3's verbs act on.
pub(crate) struct Face {
    pub store: Store,
    pub region: Box<str>,
}

impl Face {
    /// Leave for `action`, which every verb asks for first.
    pub fn may(&self, asker: &Asker, action: Action, resource: Resource<'_>) -> S3Result<Grant> {
        authorise(&asker.actor, action, resource).map_err(from_denied)
    }

    /// Leave for `action` on a key.
    pub fn may_on(&self, asker: &Asker, action: Action, bucket: &str, key: &str) -> S3Result<Grant> {
        self.may(asker, action, Resource::Object { bucket, key })
    }
}

/// One method of the trait, handed to the verb of the same name.
macro_rules! verbs {
    ($($method:ident, $verb:ident, $input:ident, $output:ident $(, $wait:tt)?;)+) => {
        #[async_trait::async_trait]
        impl S3 for Face {
            $(
                async fn $method(&self, request: S3Request<dto::$input>) -> S3Result<S3Response<dto::$output>> {
                    self.$verb(request) $(.$wait)?
                }
            )+
        }
    };
}

verbs! {
    list_buckets, list_buckets_verb, ListBucketsInput, ListBucketsOutput;
    create_bucket, create_bucket_verb, CreateBucketInput, CreateBucketOutput, await;
    head_bucket, head_bucket_verb, HeadBucketInput, HeadBucketOutput;
    delete_bucket, delete_bucket_verb, DeleteBucketInput, DeleteBucketOutput, await;
    get_bucket_location, get_bucket_location_verb, GetBucketLocationInput, GetBucketLocationOutput;
    list_objects, list_objects_verb, ListObjectsInput, ListObjectsOutput, await;
    list_objects_v2, list_objects_v2_verb, ListObjectsV2Input, ListObjectsV2Output, await;
    put_object, put_object_verb, PutObjectInput, PutObjectOutput, await;
    get_object, get_object_verb, GetObjectInput, GetObjectOutput, await;
    head_object, head_object_verb, HeadObjectInput, HeadObjectOutput;
    get_object_attributes, get_object_attributes_verb, GetObjectAttributesInput, GetObjectAttributesOutput;
    delete_object, delete_object_verb, DeleteObjectInput, DeleteObjectOutput, await;
    delete_objects, delete_objects_verb, DeleteObjectsInput, DeleteObjectsOutput, await;
    copy_object, copy_object_verb, CopyObjectInput, CopyObjectOutput, await;
    create_multipart_upload, create_multipart_upload_verb, CreateMultipartUploadInput, CreateMultipartUploadOutput,
        await;
    upload_part, upload_part_verb, UploadPartInput, UploadPartOutput, await;
    upload_part_copy, upload_part_copy_verb, UploadPartCopyInput, UploadPartCopyOutput, await;
    complete_multipart_upload, complete_multipart_upload_verb, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, await;
    abort_multipart_upload, abort_multipart_upload_verb, AbortMultipartUploadInput, AbortMultipartUploadOutput, await;
    list_parts, list_parts_verb, ListPartsInput, ListPartsOutput, await;
    list_multipart_uploads, list_multipart_uploads_verb, ListMultipartUploadsInput, ListMultipartUploadsOutput, await;
}
