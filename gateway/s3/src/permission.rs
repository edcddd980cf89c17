//! Leave for what a verb does: every verb asks here first, and the engine acts on nothing but what is granted here.

use std::cell::OnceCell;
use std::sync::Arc;

use packstone_access::{
    Acl, AclGrant, Action, Actor, Grant, Grantee, Group, Name, Permission, Refusal, Request, Resource, Scope, authorise,
};
use packstone_store::Error;
use packstone_store::object::{BucketState, Version, VersionId};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::asker::Asker;
use crate::error::{access_denied, from_denied, from_store, refused};
use crate::face::Face;
use crate::facts::{RequestFacts, Said};
use crate::front::Door;
use crate::rules::Rules;
use crate::{acl, owner};

const EVERYBODY: Grantee = Grantee::Group(Group::AllUsers);

impl Face {
    /// Leave for `action`, which every verb asks for first.
    pub fn may(&self, asker: &Asker, action: Action, resource: Resource<'_>) -> S3Result<Grant> {
        self.may_saying(asker, action, resource, Said::default())
    }

    /// Leave for `action` on the current version of a key.
    pub fn may_on(&self, asker: &Asker, action: Action, bucket: &str, key: &str) -> S3Result<Grant> {
        self.may(asker, action, Resource::Object { bucket, key })
    }

    /// Leave for `action` on the version of a key that is named, or the current one.
    pub fn may_on_version(
        &self,
        asker: &Asker,
        action: Action,
        (bucket, key): (&str, &str),
        version: Option<VersionId>,
    ) -> S3Result<Grant> {
        let said = Said { version, ..Said::default() };
        self.may_saying(asker, action, Resource::Object { bucket, key }, said)
    }

    /// Leave for `action`, in which policies see what else is `said`.
    pub fn may_saying(&self, asker: &Asker, action: Action, resource: Resource<'_>, said: Said<'_>) -> S3Result<Grant> {
        let bucket = match resource {
            Resource::Bucket(bucket) | Resource::Object { bucket, .. } => self.store.bucket_state(bucket),
            Resource::Node | Resource::Identity(_) => None,
        };
        let rules = bucket.as_deref().map(Rules::of);
        let bound = rules.as_ref().is_some_and(|rules| rules.policy.is_some());
        if asker.bearer.is_root() && !bound {
            return authorise(&Actor::Root, action, resource).map_err(from_denied);
        }
        match rules {
            Some(rules) => self.may_in(asker, action, resource, said, &rules),
            None if action == Action::CreateBucket || matches!(resource, Resource::Node | Resource::Identity(_)) => {
                Self::judged(asker, action, resource, Scope::default(), &Self::facts(asker, said))
            }
            None => Err(S3Error::new(S3ErrorCode::NoSuchBucket)),
        }
    }

    /// Leave for what comes with a bucket that is to be made.
    pub fn may_make_with(&self, asker: &Asker, action: Action, bucket: &str) -> S3Result<()> {
        if asker.bearer.is_root() {
            return Ok(());
        }
        let facts = Self::facts(asker, Said::default());
        Self::judged(asker, action, Resource::Bucket(bucket), Scope::default(), &facts).map(drop)
    }

    fn may_in(
        &self,
        asker: &Asker,
        action: Action,
        resource: Resource<'_>,
        said: Said<'_>,
        rules: &Rules,
    ) -> S3Result<Grant> {
        if rules.broken && !asker.bearer.is_root() {
            return Err(access_denied());
        }
        let facts = Self::facts(asker, said);
        // Nobody knows who didn't sign, but what they write is theirs until it is made, and its ACL theirs to say.
        let writers = said.brings_acl && asker.bearer.is_anonymous();
        let own = Acl { grants: vec![AclGrant { grantee: EVERYBODY, permission: Permission::WriteAcp }] };
        self.within(action, resource, said.version, rules, facts, |scope, facts| {
            let scope = if writers { Scope { object_acl: Some(&own), ..scope } } else { scope };
            Self::judged(asker, action, resource, scope, facts)
        })?
    }

    /// Has `decide` what stands on the resource's side: the bucket's rules, and of the object its ACL and tags.
    ///
    /// # Errors
    /// When what is said of the object can't be read: a decision without it could be the wrong one.
    pub fn within<T>(
        &self,
        action: Action,
        resource: Resource<'_>,
        version: Option<VersionId>,
        rules: &Rules,
        facts: RequestFacts<'_>,
        decide: impl FnOnce(Scope<'_>, &RequestFacts<'_>) -> T,
    ) -> S3Result<T> {
        let object_acl = if rules.has_acls() { self.object_acl(action, resource, version)? } else { None };
        let private = Acl { grants: Vec::new() };
        let scope = Scope { object_acl: object_acl.as_ref().or(Some(&private)), ..scope_of(rules) };
        let unread = OnceCell::new();
        let tags = || match self.described(resource, version) {
            Ok(found) => found.map_or_else(Vec::new, |version| version.attributes.tags),
            Err(error) => {
                let _ = unread.set(error);
                Vec::new()
            }
        };
        let decided = match resource {
            Resource::Object { .. } => decide(scope, &facts.with_tags(&tags)),
            Resource::Bucket(_) | Resource::Node | Resource::Identity(_) => decide(scope, &facts),
        };
        unread.into_inner().map_or(Ok(decided), Err)
    }

    pub fn facts<'a>(asker: &'a Asker, said: Said<'a>) -> RequestFacts<'a> {
        let issued = asker.bearer.session.map(|(issued, _)| issued);
        let facts = RequestFacts::new(asker.arrival.as_deref(), issued);
        facts.vouched(asker.bearer.claims.as_ref()).saying(said)
    }

    fn judged(
        asker: &Asker,
        action: Action,
        resource: Resource<'_>,
        scope: Scope<'_>,
        facts: &RequestFacts<'_>,
    ) -> S3Result<Grant> {
        let bearer = &asker.bearer;
        let request = Request { identity: &bearer.identity, action, resource, facts, scope };
        if !bearer.is_root() {
            return request.grant().map_err(|refusal| denied(asker, action, resource, &refusal));
        }
        // Root needs no leave in its own account, but a statement that denies holds for it too.
        match request.grant() {
            Err(refusal @ Refusal::Explicit(_)) => Err(denied(asker, action, resource, &refusal)),
            _ => authorise(&Actor::Root, action, resource).map_err(from_denied),
        }
    }

    /// That no policy denies `action`, where nobody needs leave for it.
    pub fn not_denied(&self, asker: &Asker, action: Action, resource: Resource<'_>) -> S3Result<()> {
        let facts = Self::facts(asker, Said::default());
        let request =
            Request { identity: &asker.bearer.identity, action, resource, facts: &facts, scope: Scope::default() };
        match request.grant() {
            Err(refusal @ Refusal::Explicit(_)) => Err(denied(asker, action, resource, &refusal)),
            _ => Ok(()),
        }
    }

    /// The ACL of an object as it is, where it may count.
    fn object_acl(&self, action: Action, resource: Resource<'_>, version: Option<VersionId>) -> S3Result<Option<Acl>> {
        let counts = matches!(
            action,
            Action::GetObject
                | Action::GetObjectVersion
                | Action::GetObjectAcl
                | Action::GetObjectVersionAcl
                | Action::PutObjectAcl
                | Action::PutObjectVersionAcl
        );
        let version = if counts { self.described(resource, version)? } else { None };
        Ok(version.and_then(|version| version.attributes.acl.as_deref().and_then(acl::decode)))
    }

    /// What is said of the object that is asked for, if there is one, for the decision alone.
    fn described(&self, resource: Resource<'_>, version: Option<VersionId>) -> S3Result<Option<Version>> {
        let grant = authorise(&Actor::Worker("access".into()), Action::GetObject, resource).map_err(from_denied)?;
        found(self.store.describe(&grant, version))
    }

    /// What a reader is told of a key that isn't there: who may not list it doesn't learn that.
    pub fn missing(&self, asker: &Asker, (bucket, key): (&str, &str), error: S3Error) -> S3Error {
        if !matches!(error.code(), S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchVersion) {
            return error;
        }
        self.may_list(asker, bucket, key).err().unwrap_or(error)
    }

    /// Leave to learn that a key isn't there. Policies see it as the prefix of a list.
    fn may_list(&self, asker: &Asker, bucket: &str, key: &str) -> S3Result<()> {
        let said = Said { named: &[(Name::Prefix, key.to_owned())], ..Said::default() };
        self.may_saying(asker, Action::ListBucket, Resource::Bucket(bucket), said).map(drop)
    }

    /// Leave to read the version of a key that is named, or the current one.
    ///
    /// # Errors
    /// That it isn't there, to whoever may list it: no ACL could let them read it.
    pub fn may_read(
        &self,
        asker: &Asker,
        action: Action,
        (bucket, key): (&str, &str),
        version: Option<VersionId>,
    ) -> S3Result<Grant> {
        let denied = match self.may_on_version(asker, action, (bucket, key), version) {
            Err(denied) if *denied.code() == S3ErrorCode::AccessDenied => denied,
            decided => return decided,
        };
        let is_there = self.described(Resource::Object { bucket, key }, version)?.is_some();
        if is_there || self.may_list(asker, bucket, key).is_err() {
            return Err(denied);
        }
        Err(S3Error::new(if version.is_some() { S3ErrorCode::NoSuchVersion } else { S3ErrorCode::NoSuchKey }))
    }

    /// A bucket that must be there.
    pub fn state(&self, name: &str) -> S3Result<Arc<BucketState>> {
        self.store.bucket_state(name).ok_or_else(|| crate::error::from_store(Error::NoSuchBucket))
    }
}

/// That there is no such object is no error.
fn found(described: Result<Version, Error>) -> S3Result<Option<Version>> {
    match described {
        Ok(version) => Ok(Some(version)),
        Err(Error::NoSuchBucket | Error::NoSuchKey | Error::NoSuchVersion | Error::DeleteMarker { .. }) => Ok(None),
        Err(error) => Err(from_store(error)),
    }
}

#[async_trait::async_trait]
impl Door for Face {
    fn may_be_open(&self, bucket: &str) -> bool {
        let rules = self.store.bucket_state(bucket).map(|state| Rules::of(&state));
        rules.is_some_and(|rules| !rules.broken && (rules.policy.is_some() || rules.has_acls()))
    }

    fn are_arrivals(&self) -> bool {
        self.store.are_arrivals()
    }

    async fn await_arrivals(&self, bucket: Option<&str>, key: Option<&str>) {
        self.store.await_arrivals(bucket, key).await;
    }
}

/// What stands on a bucket's side.
pub(crate) fn scope_of(rules: &Rules) -> Scope<'_> {
    Scope {
        owner: Some(owner::account()),
        object_owner: None,
        policy: rules.policy.as_deref(),
        bucket_acl: rules.acl.as_ref(),
        object_acl: None,
        ownership: rules.ownership,
        block: rules.block,
    }
}

/// `AccessDenied`, with the reason as AWS words it for those who signed.
fn denied(asker: &Asker, action: Action, resource: Resource<'_>, refusal: &Refusal<'_>) -> S3Error {
    if asker.bearer.is_anonymous() {
        return access_denied();
    }
    refused(S3ErrorCode::AccessDenied, reason(asker, action, &resource.arn(), refusal))
}

/// Why somebody may not do that.
pub(crate) fn reason(asker: &Asker, action: Action, arn: &str, refusal: &Refusal<'_>) -> String {
    let (name, who) = (action.name(), &asker.bearer.identity.principal);
    format!(
        "User: {} is not authorized to perform: {name} on resource: \"{arn}\" {}",
        who.acting_arn(),
        refusal.because(name)
    )
}
