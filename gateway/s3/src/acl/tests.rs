#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use super::*;

#[test]
fn what_is_encoded_is_decoded() {
    for canned in CannedAcl::ALL {
        let acl = Acl::canned(*canned, owner::account(), None);
        assert_eq!(decode(&encode(&acl)), Some(acl));
    }
    for bytes in [&b""[..], b"2", b"1\n", b"1\nREAD", b"1\nREAD uri http://nobody", b"1\nEAT id a", b"\xff"] {
        assert_eq!(decode(bytes), None, "{bytes:?}");
    }
}

#[test]
fn an_acl_is_asked_for_in_one_way() {
    let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    };
    assert_eq!(asked(&HeaderMap::new(), None).unwrap(), None);
    let read = asked(&headers(&[("x-amz-grant-read", &format!("uri=\"{}\"", Group::AllUsers.uri()))]), None);
    assert_eq!(read.unwrap().unwrap().grants[0].permission, Permission::Read);
    let both = headers(&[("x-amz-acl", "private"), ("x-amz-grant-read", &format!("id={}", owner::CANONICAL_ID))]);
    assert_eq!(*asked(&both, None).unwrap_err().code(), S3ErrorCode::InvalidRequest);
    assert!(asked(&headers(&[("x-amz-acl", "made-up")]), None).is_err());
    assert!(asked(&headers(&[("x-amz-grant-read", "id=stranger")]), None).is_err());
}

#[test]
fn where_acls_do_not_count_only_a_private_one_is_taken() {
    let public = Acl::canned(CannedAcl::PublicRead, owner::account(), None);
    let enforced = Rules::default();
    assert_eq!(settable(&enforced, private()).unwrap(), None);
    assert_eq!(settable(&enforced, public.clone()).unwrap_err().code().as_str(), "AccessControlListNotSupported");
    let mut open = Rules { ownership: packstone_access::ObjectOwnership::ObjectWriter, ..Rules::default() };
    assert!(settable(&open, public.clone()).unwrap().is_some());
    open.block.block_public_acls = true;
    assert_eq!(*settable(&open, public).unwrap_err().code(), S3ErrorCode::AccessDenied);
}
