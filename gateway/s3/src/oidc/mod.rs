//! Web identities: tokens that an OpenID Connect issuer signed, and the keys that they are verified with.
//!
//! [`issuer`] is a URL that may be trusted, [`fetch`] asks it, [`keys`] remembers what it said, [`token`] verifies.

mod fetch;
mod issuer;
mod keys;
mod token;

pub(crate) use fetch::{Fetch, NoAuthorities};
pub(crate) use issuer::{Issuer, Unusable};
pub(crate) use keys::Keyring;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use token::trial;
pub(crate) use token::{Invalid, Token, Verified};

#[cfg(test)]
mod tests;
