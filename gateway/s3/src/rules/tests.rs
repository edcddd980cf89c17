#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::UNIX_EPOCH;

use packstone_store::object::{Bucket, Document};

use super::*;

fn state(documents: &[(&str, &str)]) -> BucketState {
    let bucket = Bucket { id: 1, name: "ticks".into(), created: UNIX_EPOCH };
    let mut state = BucketState::new(bucket);
    for (kind, value) in documents {
        let document = Document { lsn: 1, value: value.as_bytes().to_vec().into() };
        state = state.with(kind, "", Some(document)).unwrap();
    }
    state
}

#[test]
fn documents_are_read_once_for_as_long_as_they_stand() {
    let first = state(&[(
        OWNERSHIP,
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
    )]);
    let rules = Rules::of(&first);
    assert!(rules.has_acls() && !rules.broken && Arc::ptr_eq(&rules, &Rules::of(&first)));
    let blocked =
        "<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>";
    let second = first.with(BLOCK, "", Some(Document { lsn: 2, value: blocked.as_bytes().to_vec().into() })).unwrap();
    let rules = Rules::of(&second);
    assert!(rules.has_acls() && rules.block.block_public_policy && !rules.block.restrict_public_buckets);
    let third = second.with(OWNERSHIP, "", None).unwrap();
    assert!(!Rules::of(&third).has_acls());
}

#[test]
fn what_can_not_be_read_shuts_the_bucket() {
    for kind in [POLICY, ACL, OWNERSHIP, BLOCK] {
        assert!(Rules::of(&state(&[(kind, "<?")])).broken, "{kind}");
    }
    assert!(!Rules::of(&state(&[])).broken);
}
