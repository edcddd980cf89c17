//! What IAM and STS refuse with.

use std::fmt;

use hyper::StatusCode;
use packstone_access::Malformed;
use packstone_store::Error;

use crate::bound_policy::Nobody;
use crate::front::query_api::Unheard;
use crate::identity::{self, Class, DirectoryError, NoRandomness, Stranger};
use crate::oidc::{Invalid, Unusable};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
}

impl Fault {
    fn new(status: StatusCode, code: &'static str, message: impl fmt::Display) -> Self {
        Self { status, code, message: message.to_string() }
    }

    pub fn validation(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    pub fn invalid_input(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidInput", message)
    }

    /// Nobody here vouches for whom a token says to have made it.
    pub fn no_provider() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for the issuer of the token",
        )
    }

    pub fn missing(parameter: &str) -> Self {
        Self::validation(format_args!(
            "1 validation error detected: Value null at '{parameter}' failed to satisfy constraint: Member must not \
             be null"
        ))
    }

    pub fn invalid_action(action: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidAction", format_args!("Could not find operation {action}"))
    }

    pub fn denied(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    pub fn no_such(class: Class, name: &str) -> Self {
        let message = match class {
            Class::Policy => format!("Policy {name} does not exist or is not attachable."),
            Class::Provider => format!("OpenIDConnect Provider not found for arn {name}"),
            _ => format!("The {} with name {name} cannot be found.", class.word()),
        };
        Self::no_entity(message)
    }

    pub fn no_entity(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchEntity", message)
    }

    pub fn exists(class: Class, name: &str) -> Self {
        let word = class.word();
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        let message = format!("{}{rest} with name {name} already exists.", first.to_uppercase());
        Self::taken(message)
    }

    pub fn taken(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, "EntityAlreadyExists", message)
    }

    pub fn conflict(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, "DeleteConflict", message)
    }

    pub fn packed_too_large() -> Self {
        let message = "Packed policy and tags of the session are larger than a session token can carry.";
        Self::new(StatusCode::BAD_REQUEST, "PackedPolicyTooLarge", message)
    }

    pub fn limit(message: impl fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, "LimitExceeded", message)
    }
}

impl From<Nobody> for Fault {
    fn from(Nobody(arn): Nobody) -> Self {
        let message = format!("Invalid principal in policy: \"AWS\":\"{arn}\"");
        Self::new(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", message)
    }
}

impl From<Unusable> for Fault {
    fn from(why: Unusable) -> Self {
        Self::invalid_input(why)
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        let (code, message) = match invalid {
            Invalid::Expired => {
                ("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time")
            }
            Invalid::Unreachable => (
                "IDPCommunicationError",
                "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
            ),
            Invalid::Audience => ("InvalidIdentityToken", "Incorrect token audience"),
            Invalid::Algorithm => {
                ("InvalidIdentityToken", "The ID Token provided is signed with an unsupported algorithm")
            }
            Invalid::Signature => {
                ("InvalidIdentityToken", "Couldn't verify the signature of the ID Token with the keys of its issuer")
            }
            Invalid::NotYet => ("InvalidIdentityToken", "The ID Token provided is not valid yet"),
            Invalid::Subject => {
                ("InvalidIdentityToken", "The ID Token provided has no subject, or one of more than 255 characters")
            }
            Invalid::Malformed => (
                "InvalidIdentityToken",
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
            ),
        };
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl From<DirectoryError> for Fault {
    fn from(error: DirectoryError) -> Self {
        tracing::error!(%error, "identities could not be changed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceFailure", "The request could not be carried out.")
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidApproval(_) => Self::validation(error),
            Error::Denied(_) => Self::denied(error),
            error => DirectoryError::Store(error).into(),
        }
    }
}

impl From<NoRandomness> for Fault {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error, "nothing could be minted");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceFailure", "The request could not be carried out.")
    }
}

impl From<identity::Unusable> for Fault {
    fn from(error: identity::Unusable) -> Self {
        tracing::error!(%error, "nothing could be sealed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceFailure", "The request could not be carried out.")
    }
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        let code = malformed.code();
        let status = if code == "LimitExceeded" { StatusCode::CONFLICT } else { StatusCode::BAD_REQUEST };
        Self::new(status, code, malformed)
    }
}

impl From<Unheard> for Fault {
    fn from(unheard: Unheard) -> Self {
        let (status, code, message) = match unheard {
            Unheard::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "The form is larger than 512 KiB.")
            }
            Unheard::Broken => (StatusCode::BAD_REQUEST, "RequestTimeout", "The form did not come whole."),
            Unheard::Unsigned => {
                (StatusCode::FORBIDDEN, "MissingAuthenticationToken", "Request is missing Authentication Token")
            }
            Unheard::Malformed => (
                StatusCode::BAD_REQUEST,
                "IncompleteSignature",
                "The request signature does not conform to AWS standards.",
            ),
            Unheard::Skewed => {
                (StatusCode::FORBIDDEN, "SignatureDoesNotMatch", "Signature expired, or not yet current")
            }
            Unheard::WrongSignature => (
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                 Access Key and signing method.",
            ),
            Unheard::Stranger(Stranger::ExpiredToken) => {
                (StatusCode::FORBIDDEN, "ExpiredToken", "The security token included in the request is expired")
            }
            Unheard::Stranger(Stranger::UnknownKey | Stranger::InvalidToken) => (
                StatusCode::FORBIDDEN,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            ),
        };
        Self::new(status, code, message)
    }
}
