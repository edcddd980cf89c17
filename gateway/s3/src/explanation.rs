//! Which statement decides: what `packstone policy explain` prints.

use std::sync::Arc;

use packstone_access::{Action, Identity, Level, Principal, Request, Resource, Scope};

use crate::face::Face;
use crate::facts::RequestFacts;
use crate::identity::{Class, KeyRing};
use crate::rules::Rules;

/// Asks what a request would be answered, without any.
pub(crate) struct Explanation {
    face: Face,
    ring: KeyRing,
}

impl Explanation {
    pub fn new(face: Face, ring: KeyRing) -> Self {
        Self { face, ring }
    }

    /// `user` is a user's name, or `anonymous`; `resource` a bucket, `bucket/key`, or an ARN. Conditions on the request
    /// find nothing but the clock.
    pub fn explain(&self, user: &str, action: &str, resource: &str) -> Result<String, String> {
        let identity = self.identity(user)?;
        let action = Action::from_name(action).ok_or_else(|| format!("{action} is no action, such as s3:GetObject"))?;
        let plain = resource.strip_prefix("arn:aws:s3:::").unwrap_or(resource);
        let (bucket, key) = plain.split_once('/').unwrap_or((plain, ""));
        let resource = match action.level() {
            Level::Object if key.is_empty() => return Err(format!("{} is asked of BUCKET/KEY", action.name())),
            Level::Object => Resource::Object { bucket, key },
            Level::Bucket => Resource::Bucket(bucket),
            Level::Account | Level::Node => Resource::Node,
            Level::Identity => Resource::Identity(resource),
        };
        let facts = RequestFacts::new(None, None);
        let decided = |scope: Scope<'_>, facts: &RequestFacts<'_>| {
            Request { identity: &identity, action, resource, facts, scope }.decide().to_string()
        };
        let on_bucket = matches!(resource, Resource::Bucket(_) | Resource::Object { .. });
        if !on_bucket || action == Action::CreateBucket {
            return Ok(decided(Scope::default(), &facts));
        }
        let state = self.face.store.bucket_state(bucket).ok_or_else(|| format!("there is no bucket {bucket}"))?;
        let rules = Rules::of(&state);
        if rules.broken {
            return Ok("denied: what the bucket says of access can't be read".into());
        }
        let decided = self.face.within(action, resource, None, &rules, facts, decided);
        decided.map_err(|error| format!("what is said of the object can't be read: {error}"))
    }

    fn identity(&self, user: &str) -> Result<Arc<Identity>, String> {
        let records = self.ring.records();
        match records.named(Class::User, user) {
            Some(known) => Ok(Arc::new(records.user(known))),
            None if user == "anonymous" => Ok(Arc::new(Identity::new(Principal::anonymous()))),
            None => Err(format!("there is no user {user}")),
        }
    }
}
