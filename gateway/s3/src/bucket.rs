//! The verbs on buckets: life and death here, their configurations one file a family.

pub(crate) mod access;
pub(crate) mod configuration;
pub(crate) mod cors;
mod encryption;
mod lifecycle;
pub(crate) mod logging;
mod named;
mod notification;
pub(crate) mod object_lock;
mod policy;
mod replication;
mod settings;
mod tagging;
mod versioning;

use packstone_access::{Acl, Action, Name, Resource};
use packstone_store::Error;
use packstone_store::object::{Bucket, NewDocument, Replaces};
use s3s::dto::{
    BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
    GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput,
    ListBucketsOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use crate::asker::Asker;
use crate::condition::whole_seconds;
use crate::detail::{Element, Saying as _};
use crate::error::{argument, from_store, refused};
use crate::face::Face;
use crate::facts::Said;
use crate::object::list::Token;
use crate::rules::{ACL, Rules};
use crate::{acl, owner, quota};

/// The region that S3 names by not naming it.
const FIRST_REGION: &str = "us-east-1";
/// The most buckets on a page.
const MOST: i32 = 10_000;

impl Face {
    pub(crate) async fn create_bucket_verb(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers, .. } = request;
        let ownership = input.object_ownership.as_ref().map(access::asked).transpose()?;
        let acl = acl::of_new_bucket(&headers, ownership.unwrap_or(self.object_ownership))?;
        let configuration = input.create_bucket_configuration;
        let constraint = configuration.and_then(|configuration| configuration.location_constraint);
        if let Some(constraint) = &constraint {
            self.check_location(constraint.as_str())?;
        }
        let named: Vec<_> = constraint.iter().map(|at| (Name::LocationConstraint, at.as_str().to_owned())).collect();
        let said = Said { named: &named, ..Said::default() };
        let grant = self.may_saying(&asker, Action::CreateBucket, Resource::Bucket(&input.bucket), said)?;
        if acl.is_some() {
            self.may_make_with(&asker, Action::PutBucketAcl, &input.bucket)?;
        }
        if ownership.is_some() {
            self.may_make_with(&asker, Action::PutBucketOwnershipControls, &input.bucket)?;
        }
        let mut documents: Vec<_> = acl.clone().into_iter().collect();
        let locks = input.object_lock_enabled_for_bucket == Some(true);
        if locks {
            self.may_make_with(&asker, Action::PutBucketVersioning, &input.bucket)?;
            self.may_make_with(&asker, Action::PutBucketObjectLockConfiguration, &input.bucket)?;
            documents.extend(object_lock::documents());
        }
        // Said of every bucket whose ownership isn't the one that stands for none: a change of the node's default is
        // for buckets to come.
        let said = ownership.or_else(|| Some(self.object_ownership).filter(|default| default.has_acls()));
        documents.extend(said.map(access::document).transpose()?);
        documents.extend(quota::owned_by(&asker));
        match self.store.create_bucket(&grant, documents).await {
            Err(Error::BucketExists) if &*self.region == FIRST_REGION && ownership.is_none() && !locks => {
                self.make_again(&asker, &input.bucket, acl).await?;
            }
            made => drop(made.map_err(from_store)?),
        }
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) }))
    }

    /// The first region takes a bucket of one's own as made once more, and gives it the ACL that a new one had.
    async fn make_again(&self, asker: &Asker, bucket: &str, acl: Option<NewDocument>) -> S3Result<()> {
        let held = Rules::of(&*self.state(bucket)?);
        let value = acl.map(|document| document.value);
        // Where none is said it is private.
        let told = |acl: Option<Acl>| acl.unwrap_or_else(acl::private);
        if !held.has_acls() || told(held.acl.clone()) == told(value.as_deref().and_then(acl::decode)) {
            return Ok(());
        }
        let grant = self.may(asker, Action::PutBucketAcl, Resource::Bucket(bucket))?;
        self.store.put_document(&grant, ACL, "", value, Replaces::Anything).await.map(drop).map_err(from_store)
    }

    fn check_location(&self, constraint: &str) -> S3Result<()> {
        if constraint.is_empty() || constraint == &*self.region {
            return Ok(());
        }
        Err(refused(
            S3ErrorCode::IllegalLocationConstraintException,
            format!(
                "The {constraint} location constraint is incompatible for the region specific endpoint this request \
                 was sent to."
            ),
        )
        .saying(Element::LocationConstraint, constraint))
    }

    pub(crate) fn head_bucket_verb(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        self.bucket(&asker, &input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput {
            access_point_alias: Some(false),
            bucket_region: Some(self.region.to_string()),
            ..HeadBucketOutput::default()
        }))
    }

    pub(crate) async fn delete_bucket_verb(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let grant = self.may(&asker, Action::DeleteBucket, Resource::Bucket(&input.bucket))?;
        self.store.delete_bucket(&grant).await.map_err(from_store)?;
        Ok(S3Response::new(DeleteBucketOutput {}))
    }

    pub(crate) fn get_bucket_location_verb(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        self.may(&asker, Action::GetBucketLocation, Resource::Bucket(&input.bucket))?;
        self.state(&input.bucket)?;
        let location_constraint =
            (&*self.region != FIRST_REGION).then(|| BucketLocationConstraint::from(self.region.to_string()));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    pub(crate) fn list_buckets_verb(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        let most = match input.max_buckets.unwrap_or(MOST) {
            most @ 1..=MOST => usize::try_from(most).unwrap_or(usize::MAX),
            _ => return Err(argument("max-buckets", "Argument max-buckets must be an integer between 1 and 10000")),
        };
        let after = input.continuation_token.as_deref().map(Token::read).transpose()?.unwrap_or_default();
        let elsewhere = input.bucket_region.is_some_and(|region| region != *self.region);
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let grant = self.may(&asker, Action::ListAllMyBuckets, Resource::Node)?;
        let mut buckets = self.store.buckets(&grant).map_err(from_store)?;
        buckets.retain(|bucket| !elsewhere && bucket.name.starts_with(prefix) && *bucket.name > *after);
        buckets.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let truncated = buckets.len() > most;
        buckets.truncate(most);
        let continuation_token = buckets.last().filter(|_| truncated).map(|last| Token::write(&last.name));
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets.iter().map(|bucket| self.describe(bucket)).collect()),
            continuation_token,
            owner: Some(owner::owner()),
            prefix: input.prefix,
        }))
    }

    fn describe(&self, bucket: &Bucket) -> s3s::dto::Bucket {
        s3s::dto::Bucket {
            bucket_region: Some(self.region.to_string()),
            creation_date: Some(whole_seconds(bucket.created)),
            name: Some(bucket.name.to_string()),
        }
    }

    /// The bucket, which must exist.
    pub(crate) fn bucket(&self, asker: &Asker, name: &str) -> S3Result<Bucket> {
        let grant = self.may(asker, Action::ListBucket, Resource::Bucket(name))?;
        self.store.bucket(&grant).map_err(from_store)
    }
}
