//! Who owns objects and what is never public: ownership controls and public access blocks, as documents.

use hyper::StatusCode;
use packstone_access::{Action, ObjectOwnership as Ownership, PublicAccessBlock};
use packstone_store::object::NewDocument;
use s3s::dto::{ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::configuration::{Configuration, Site, deletes, gets, malformed, puts, read, write};
use crate::acl;
use crate::error::{argument, custom};
use crate::face::Face;
use crate::rules::Rules;

/// Kinds of documents.
pub(crate) const OWNERSHIP: &str = OwnershipControls::KIND;
pub(crate) const BLOCK: &str = PublicAccessBlockConfiguration::KIND;

impl Face {
    puts!(
        put_bucket_ownership_controls_verb,
        PutBucketOwnershipControlsInput => PutBucketOwnershipControlsOutput,
        |input| input.ownership_controls
    );
    gets!(
        get_bucket_ownership_controls_verb,
        GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput,
        |found: OwnershipControls| { ownership_controls: Some(found) }
    );
    deletes!(
        delete_bucket_ownership_controls_verb,
        DeleteBucketOwnershipControlsInput => DeleteBucketOwnershipControlsOutput,
        OwnershipControls
    );

    puts!(put_public_access_block_verb, PutPublicAccessBlockInput => PutPublicAccessBlockOutput, |input| {
        input.public_access_block_configuration
    });
    gets!(
        get_public_access_block_verb,
        GetPublicAccessBlockInput => GetPublicAccessBlockOutput,
        |found: PublicAccessBlockConfiguration| { public_access_block_configuration: Some(found) }
    );
    deletes!(
        delete_public_access_block_verb,
        DeletePublicAccessBlockInput => DeletePublicAccessBlockOutput,
        PublicAccessBlockConfiguration
    );
}

impl Configuration for OwnershipControls {
    const KIND: &'static str = "ownership-controls";
    const READS: Action = Action::GetBucketOwnershipControls;
    const CHANGES: Action = Action::PutBucketOwnershipControls;

    fn missing() -> S3Result<Self> {
        Err(S3Error::with_message(
            S3ErrorCode::OwnershipControlsNotFoundError,
            "The bucket ownership controls were not found",
        ))
    }

    fn check(&mut self, site: &Site<'_>) -> S3Result<()> {
        let [rule] = self.rules.as_slice() else { return Err(malformed()) };
        let ownership = Ownership::from_name(rule.object_ownership.as_str()).ok_or_else(malformed)?;
        let state = site.own();
        let shares = state.is_some_and(|state| Rules::of(&state).acl.as_ref().is_some_and(acl::gives_to_others));
        if shares && !ownership.has_acls() { Err(acl::not_with_ownership()) } else { Ok(()) }
    }
}

/// The ownership that a request asks for.
///
/// # Errors
/// `InvalidArgument` for one that S3 doesn't have.
pub(super) fn asked(ownership: &ObjectOwnership) -> S3Result<Ownership> {
    let text = ownership.as_str();
    Ownership::from_name(text)
        .ok_or_else(|| argument("x-amz-object-ownership", format!("Invalid x-amz-object-ownership header: {text}")))
}

/// The document of a bucket that is made with an ownership of its objects.
pub(super) fn document(ownership: Ownership) -> S3Result<NewDocument> {
    let rule = OwnershipControlsRule { object_ownership: ObjectOwnership::from_static(ownership.name()) };
    let value = write(&OwnershipControls { rules: vec![rule] })?.into();
    Ok(NewDocument { kind: OwnershipControls::KIND.to_owned(), name: String::new(), value })
}

impl Configuration for PublicAccessBlockConfiguration {
    const KIND: &'static str = "public-access-block";
    const READS: Action = Action::GetBucketPublicAccessBlock;
    const CHANGES: Action = Action::PutBucketPublicAccessBlock;

    fn missing() -> S3Result<Self> {
        Err(custom(
            "NoSuchPublicAccessBlockConfiguration",
            StatusCode::NOT_FOUND,
            "The public access block configuration was not found",
        ))
    }

    /// What isn't said is not blocked.
    fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
        for setting in [
            &mut self.block_public_acls,
            &mut self.ignore_public_acls,
            &mut self.block_public_policy,
            &mut self.restrict_public_buckets,
        ] {
            setting.get_or_insert(false);
        }
        Ok(())
    }
}

/// What a document says of who owns objects; None if it can't be read.
pub(crate) fn ownership(document: &[u8]) -> Option<Ownership> {
    let controls: OwnershipControls = read(document).ok()?;
    Ownership::from_name(controls.rules.first()?.object_ownership.as_str())
}

/// What a document says of public access; None if it can't be read.
pub(crate) fn block(document: &[u8]) -> Option<PublicAccessBlock> {
    let said: PublicAccessBlockConfiguration = read(document).ok()?;
    Some(PublicAccessBlock {
        block_public_acls: said.block_public_acls.unwrap_or_default(),
        ignore_public_acls: said.ignore_public_acls.unwrap_or_default(),
        block_public_policy: said.block_public_policy.unwrap_or_default(),
        restrict_public_buckets: said.restrict_public_buckets.unwrap_or_default(),
    })
}
