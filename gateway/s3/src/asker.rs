//! Who asks, as the verbs know them.

use packstone_access::Actor;
use s3s::S3Request;

/// Who sent a request.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub actor: Actor,
}

impl Asker {
    /// Who sent this one: whoever comes as far as a verb has signed as root.
    pub fn of<T>(_request: &S3Request<T>) -> Self {
        Self { actor: Actor::Root }
    }
}
