#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::{AccessLog, Bare, Quoted, masked};

proptest! {
    #[test]
    fn no_text_ends_its_field_or_its_line(text in any::<String>()) {
        let quoted = Quoted(&text).to_string();
        prop_assert!(!quoted.contains(|character: char| character == '"' || character.is_control()));
        let bare = Bare(&text).to_string();
        prop_assert!(!bare.contains(|character: char| matches!(character, '"' | ' ') || character.is_control()));
        prop_assert_eq!(bare.replace("%20", " "), quoted.replace("%20", " "));
    }
}

#[test]
fn what_a_presigned_url_is_worth_is_not_written() {
    let uri = "/b/k?X-Amz-Date=1&X-Amz-Signature=abc&x-amz-security%2dtoken=def&versionId".parse().unwrap();
    assert_eq!(masked(&uri), "/b/k?X-Amz-Date=1&X-Amz-Signature=***&x-amz-security%2dtoken=***&versionId");
    assert_eq!(masked(&"/b/k".parse().unwrap()), "/b/k");
}

#[test]
fn the_log_is_for_its_owner_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("access.log");
    AccessLog::open(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}
