//! Tags of buckets.

use packstone_access::Action;
use s3s::dto::Tagging;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::configuration::{Configuration, Site, deletes, gets, puts};
use crate::face::Face;
use crate::tags::{self, Tagged, Tags};

impl Face {
    puts!(put_bucket_tagging_verb, PutBucketTaggingInput => PutBucketTaggingOutput, |input| input.tagging);
    gets!(get_bucket_tagging_verb, GetBucketTaggingInput => GetBucketTaggingOutput, |found: Tagging| {
        tag_set: found.tag_set
    });
    deletes!(delete_bucket_tagging_verb, DeleteBucketTaggingInput => DeleteBucketTaggingOutput, Tagging);
}

impl Configuration for Tagging {
    const KIND: &'static str = "tagging";
    const READS: Action = Action::GetBucketTagging;
    const CHANGES: Action = Action::PutBucketTagging;

    fn missing() -> S3Result<Self> {
        Err(S3Error::with_message(S3ErrorCode::NoSuchTagSet, "The TagSet does not exist"))
    }

    fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
        tags::of_document(self.tag_set.clone(), Tagged::Bucket).map(drop)
    }

    fn tags(&self) -> Tags {
        self.tag_set.iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect()
    }
}
