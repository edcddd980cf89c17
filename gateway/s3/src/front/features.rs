//! Headers that ask for something that this server doesn't do yet.
//!
//! A header that asks for encryption or an access control list and is passed over would let a client believe that it got what
//! it asked for, so each is refused by name.

use hyper::StatusCode;

use super::refusal::Refusal;

/// Looks at one header whose name, without `x-amz-`, is `name`.
///
/// # Errors
/// `NotImplemented`, or `InvalidStorageClass`.
pub fn check(name: &str, value: &[u8]) -> Result<(), Refusal> {
    match name {
        "storage-class" if value != b"STANDARD" => Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidStorageClass")),
        "write-offset-bytes" | "rename-source" | "mfa" | "if-match-initiated-time" => Err(Refusal::not_implemented()),
        _ if REFUSED.iter().any(|prefix| name.starts_with(prefix)) => Err(Refusal::not_implemented()),
        _ => Ok(()),
    }
}

const REFUSED: [&str; 2] = ["server-side-encryption", "copy-source-server-side-encryption"];
