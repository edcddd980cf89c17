//! Headers that ask for something that this server doesn't do yet.
//!
//! One that is passed over would let a client believe that it got what it asked for, so each is refused by name.

use hyper::StatusCode;
use packstone_store::placement::StorageClass;

use super::refusal::Refusal;

/// Looks at one header whose name, without `x-amz-`, is `name`.
///
/// # Errors
/// `NotImplemented`, or `InvalidStorageClass`.
pub fn check(name: &str, value: &[u8]) -> Result<(), Refusal> {
    match name {
        "storage-class" if !is_served(value) => Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidStorageClass")),
        "mfa" | "if-match-initiated-time" => Err(Refusal::unserved_header(&format!("x-amz-{name}"))),
        _ => Ok(()),
    }
}

fn is_served(class: &[u8]) -> bool {
    std::str::from_utf8(class).ok().and_then(StorageClass::named).is_some()
}
