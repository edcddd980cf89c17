//! Who owns objects and what is never public: ownership controls and public access blocks, as documents.

use hyper::StatusCode;
use packstone_access::{Action, ObjectOwnership as Ownership, PublicAccessBlock};
use packstone_store::object::NewDocument;
use s3s::dto::{ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::configuration::{Configuration, Site, deletes, gets, malformed, puts, read, write};
use crate::error::{custom, invalid_argument};
use crate::face::Face;

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

    fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
        match self.rules.as_slice() {
            [rule] if is_known(&rule.object_ownership) => Ok(()),
            _ => Err(malformed()),
        }
    }
}

fn is_known(ownership: &ObjectOwnership) -> bool {
    matches!(
        ownership.as_str(),
        ObjectOwnership::BUCKET_OWNER_ENFORCED
            | ObjectOwnership::BUCKET_OWNER_PREFERRED
            | ObjectOwnership::OBJECT_WRITER
    )
}

/// The document of a bucket that is made with an ownership of its objects.
///
/// # Errors
/// `InvalidArgument` for one that S3 doesn't have.
pub(super) fn document(object_ownership: ObjectOwnership) -> S3Result<NewDocument> {
    if !is_known(&object_ownership) {
        let text = object_ownership.as_str();
        return Err(invalid_argument(format!("Invalid x-amz-object-ownership header: {text}")));
    }
    let controls = OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership }] };
    let value = write(&controls)?.into();
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
    match controls.rules.first()?.object_ownership.as_str() {
        ObjectOwnership::BUCKET_OWNER_ENFORCED => Some(Ownership::BucketOwnerEnforced),
        ObjectOwnership::BUCKET_OWNER_PREFERRED => Some(Ownership::BucketOwnerPreferred),
        ObjectOwnership::OBJECT_WRITER => Some(Ownership::ObjectWriter),
        _ => None,
    }
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
