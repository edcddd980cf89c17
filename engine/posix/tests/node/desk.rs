//! Users with uids and policies, who are asked as the S3 face would ask.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use packstone_access::{
    Action, Actor, Context, Grant, Identity, Kind, Name, Owner, Policy, PolicyKind, Principal, Request, Resource,
    Scope, authorise,
};
use packstone_posix::{Authority, Holder, Refused, Said};
use parking_lot::Mutex;

/// Who there is; a clone is the same desk.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    uids: HashMap<u32, Vec<String>>,
    users: BTreeMap<String, Arc<Identity>>,
    /// What the bucket says.
    bucket: Option<Arc<Policy>>,
}

fn owner() -> Owner {
    Owner { account: "111122223333".into(), canonical_id: "1".repeat(64).into() }
}

fn policy(kind: PolicyKind, statements: &str) -> Arc<Policy> {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    Policy::parse(kind, "test", &text).unwrap()
}

pub fn allow(actions: &str, resources: &str) -> String {
    said("Allow", actions, resources)
}

pub fn deny(actions: &str, resources: &str) -> String {
    said("Deny", actions, resources)
}

fn said(effect: &str, actions: &str, resources: &str) -> String {
    let list = |text: &str| text.split(' ').map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(",");
    let arns = resources.split(' ').map(|part| format!("arn:aws:s3:::{part}")).collect::<Vec<_>>().join(" ");
    format!(r#"{{"Effect": "{effect}", "Action": [{}], "Resource": [{}]}}"#, list(actions), list(&arns))
}

impl Desk {
    /// Gives a user these statements, in place of others; the name is the id.
    pub fn give(&self, name: &str, uid: Option<u32>, statements: &[String]) {
        let kind = Kind::User { path: "/".into(), name: name.into(), id: name.into() };
        let identity = Identity::new(Principal::new(kind, owner()));
        let identity = match statements {
            [] => identity,
            _ => identity.with_policy(policy(PolicyKind::Inline, &statements.join(","))),
        };
        let mut held = self.0.lock();
        held.users.insert(name.into(), Arc::new(identity));
        let names = uid.map(|uid| held.uids.entry(uid).or_default());
        if let Some(names) = names.filter(|names| !names.iter().any(|held| held == name)) {
            names.push(name.into());
        }
    }

    pub fn remove(&self, name: &str) {
        self.0.lock().users.remove(name);
    }

    /// What the bucket's policy says, principals and all.
    pub fn say_of_bucket(&self, name: &str, statements: &str) {
        self.0.lock().bucket = Some(policy(PolicyKind::Bucket(name.into()), statements));
    }
}

impl Authority for Desk {
    fn holder(&self, uid: u32) -> Holder {
        let held = self.0.lock();
        match held.uids.get(&uid).map(Vec::as_slice) {
            None => Holder::Nobody,
            Some([one]) => Holder::User(held.users.get(one).unwrap().clone()),
            Some(_) => Holder::Contested,
        }
    }

    fn id_of(&self, name: &str) -> Option<String> {
        self.0.lock().users.contains_key(name).then(|| name.to_owned())
    }

    fn user(&self, id: &str) -> Option<Arc<Identity>> {
        self.0.lock().users.get(id).cloned()
    }

    fn may(&self, actor: &Actor, action: Action, resource: Resource<'_>, said: Said<'_>) -> Result<Grant, Refused> {
        let bucket = self.0.lock().bucket.clone();
        let owner = owner();
        let identity = match actor {
            Actor::Principal(identity) => identity.clone(),
            _ => Arc::new(Identity::new(Principal::new(Kind::Root, owner.clone()))),
        };
        let mut facts = Context::new();
        for (name, value) in [(Name::Prefix, said.prefix), (Name::Delimiter, said.delimiter)] {
            facts = value.map_or(facts.clone(), |value| facts.with(name, value));
        }
        let on_bucket = matches!(resource, Resource::Bucket(_) | Resource::Object { .. });
        let policy = bucket.as_deref().filter(|_| on_bucket && action != Action::CreateBucket);
        let scope = Scope { owner: Some(&owner), policy, ..Scope::default() };
        let granted = Request { identity: &identity, action, resource, facts: &facts, scope }.authorise();
        match actor {
            Actor::Principal(_) => granted.map_err(|_| Refused::Denied),
            _ => granted.and_then(|_| authorise(actor, action, resource)).map_err(|_| Refused::Denied),
        }
    }

    fn may_use_key(&self, actor: &Actor, action: Action, key: &str) -> Result<(), Refused> {
        let Actor::Principal(identity) = actor else { return Ok(()) };
        let (arn, facts) = (format!("arn:aws:s3:::keys/{key}"), Context::new());
        let (resource, scope) = (Resource::Identity(&arn), Scope::default());
        let granted = Request { identity, action, resource, facts: &facts, scope }.authorise();
        granted.map(drop).map_err(|_| Refused::Denied)
    }
}
