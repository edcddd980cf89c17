//! What mounts ask: whose a uid is, and who may do what.
//!
//! A mount says less of itself than a request does: policies see who asks, the clock, what is listed, the version, and the
//! tags of the object. What else a condition names is absent, as in a request that doesn't have it. Of one on another
//! machine they also see what the request for its connection said: [`crate::remote_mount`].

use std::sync::{Arc, LazyLock};

use packstone_access::{
    Action, Actor, Grant, Identity, Kind, Name, Principal, Refusal, Request, Resource, Scope, authorise,
};
use packstone_posix::{Authority, Holder, Refused, Said};
use packstone_store::object::DEFAULT_KMS_KEY;

use crate::face::Face;
use crate::facts::{self, RequestFacts};
use crate::identity::Class;
use crate::owner;
use crate::rules::Rules;

static ROOT: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::new(Principal::new(Kind::Root, owner::account().clone()))));

impl Authority for Face {
    fn holder(&self, uid: u32) -> Holder {
        self.ring.holder(uid)
    }

    fn id_of(&self, name: &str) -> Option<String> {
        self.ring.records().named(Class::User, name).map(|known| known.record.id.clone())
    }

    fn user(&self, id: &str) -> Option<Arc<Identity>> {
        self.ring.user(id)
    }

    fn may(&self, actor: &Actor, action: Action, resource: Resource<'_>, said: Said<'_>) -> Result<Grant, Refused> {
        self.asked_by_mount(actor, action, resource, said, RequestFacts::new(None, None))
    }

    fn may_use_key(&self, actor: &Actor, action: Action, key: &str) -> Result<(), Refused> {
        self.key_asked_by_mount(actor, action, key, &RequestFacts::new(None, None))
    }
}

impl Face {
    pub fn asked_by_mount(
        &self,
        actor: &Actor,
        action: Action,
        resource: Resource<'_>,
        said: Said<'_>,
        facts: RequestFacts<'_>,
    ) -> Result<Grant, Refused> {
        let bucket = match resource {
            Resource::Bucket(bucket) | Resource::Object { bucket, .. } => self.store.bucket_state(bucket),
            Resource::Node | Resource::Identity(_) => None,
        };
        let rules = bucket.as_deref().map(Rules::of);
        let is_bound = rules.as_ref().is_some_and(|rules| rules.policy.is_some());
        let identity = match actor {
            Actor::Principal(identity) => identity,
            Actor::Root if is_bound => &*ROOT,
            Actor::Root | Actor::Worker(_) => return authorise(actor, action, resource).map_err(|_| Refused::Denied),
        };
        let named: Vec<_> = [(Name::Prefix, said.prefix), (Name::Delimiter, said.delimiter)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_owned())))
            .collect();
        let said = facts::Said { version: said.version, tags: said.tags, named: &named, ..facts::Said::default() };
        let facts = facts.saying(said);
        let judged = |scope: Scope<'_>, facts: &RequestFacts<'_>| {
            judge(actor, &Request { identity, action, resource, facts, scope })
        };
        match rules {
            Some(rules) if rules.broken && *actor != Actor::Root => Err(Refused::Denied),
            Some(rules) => {
                let judged = self.within(action, resource, said.version, &rules, facts, judged);
                judged.unwrap_or(Err(Refused::Unreadable))
            }
            None if action == Action::CreateBucket || resource == Resource::Node => judged(Scope::default(), &facts),
            None => Err(Refused::NoSuchBucket),
        }
    }

    pub fn key_asked_by_mount(
        &self,
        actor: &Actor,
        action: Action,
        key: &str,
        facts: &RequestFacts<'_>,
    ) -> Result<(), Refused> {
        let Actor::Principal(identity) = actor else { return Ok(()) };
        let arn = self.key_arn(key);
        let resource = Resource::Identity(&arn);
        let refusal = Request { identity, action, resource, facts, scope: Scope::default() }.grant().err();
        // As over S3, the key that is used where none is named is for everybody, unless a policy denies it.
        match refusal {
            Some(Refusal::Explicit(_)) => Err(Refused::Denied),
            Some(_) if key != DEFAULT_KMS_KEY => Err(Refused::Denied),
            _ => Ok(()),
        }
    }
}

/// Root needs no leave, but a statement that denies holds for it too.
fn judge(actor: &Actor, request: &Request<'_>) -> Result<Grant, Refused> {
    match (request.grant(), actor) {
        (Ok(grant), Actor::Principal(_)) => Ok(grant),
        (Err(_), Actor::Principal(_)) | (Err(Refusal::Explicit(_)), _) => Err(Refused::Denied),
        _ => authorise(actor, request.action, request.resource).map_err(|_| Refused::Denied),
    }
}
