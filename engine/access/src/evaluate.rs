//! How a request is decided: AWS's order of evaluation.
//!
//! 1. A deny that applies ends it, wherever it stands.
//! 2. Within an account it is enough that the resource's side allows it to the asker by name, or that the asker's own
//!    side does. Across accounts both must. Whoever has no account has the resource's side only.
//! 3. The asker's own side is an identity policy, within the permissions boundary and the session's policies.

use std::sync::Arc;

use crate::acl::{self, Acl, Asked, ObjectOwnership};
use crate::action::{Action, Level};
use crate::context::Facts;
use crate::decision::{Basis, Decision, Place, Refusal, Source};
use crate::document::PolicyKind;
use crate::grant::Resource;
use crate::inquiry::Inquiry;
use crate::policy::{Naming, Policy, Verdict};
use crate::principal::{Identity, Kind, Owner, Principal};
use crate::public_access::PublicAccessBlock;

/// Who asks for what.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub identity: &'a Arc<Identity>,
    pub action: Action,
    pub resource: Resource<'a>,
    pub facts: &'a dyn Facts,
    pub scope: Scope<'a>,
}

/// What stands on the resource's side. The default is for what has no policy of its own: users, groups, the list of
/// buckets, a bucket that isn't there yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// The bucket's owner, or the role's; None where the asker's own account is meant.
    pub owner: Option<&'a Owner>,
    /// The owner of the object as it is; None if there is none, and where it is the bucket's.
    pub object_owner: Option<&'a Owner>,
    /// The bucket's policy, or the role's trust policy.
    pub policy: Option<&'a Policy>,
    pub bucket_acl: Option<&'a Acl>,
    pub object_acl: Option<&'a Acl>,
    pub ownership: ObjectOwnership,
    /// The bucket's and the account's together.
    pub block: PublicAccessBlock,
}

/// An allow of the resource's side.
type Allow<'a> = Option<(Basis<'a>, Naming)>;

impl<'a> Request<'a> {
    /// Decides, and says by what.
    #[must_use]
    pub fn decide(&self) -> Decision<'a> {
        match self.weigh() {
            Ok(basis) => Decision::Allowed(basis),
            Err(refusal) => Decision::Denied(refusal),
        }
    }

    fn weigh(&self) -> Result<Basis<'a>, Refusal<'a>> {
        let principal = &self.identity.principal;
        if self.action.level() == Level::Node {
            return Err(Refusal::Node);
        }
        let owner = self.owner();
        let own = principal.has_account() && owner.is_none_or(|owner| *owner.account == *principal.account());
        // Else a bucket's policy could lock out the one who has to mend it.
        if own && principal.is_root() && is_on_bucket_policy(self.action) {
            return Ok(Basis::Root);
        }
        let target = self.resource.arn();
        let account = owner.map_or(principal.account(), |owner| &owner.account);
        let account = Some(account).filter(|account| !account.is_empty());
        let inquiry = Inquiry { principal, action: self.action, target: &target, account, facts: self.facts };

        let resource = self.resource_side(&inquiry)?;
        let identity = self.identity_side(&inquiry)?;
        let bounds = self.bounds(&inquiry)?;
        if !own && !principal.is_service() && self.is_closed_to_others() {
            return Err(Refusal::PublicAccessBlock);
        }
        let identity = identity.ok_or(Refusal::Unallowed(Source::Identity));
        let bounded = |basis| bounds.map_or(Ok(basis), |missing| Err(Refusal::Unallowed(missing)));
        match resource {
            // A session is somebody's: nobody assumes a role unnamed, whomever its policy lets.
            Some(_) if self.is_for_trust() && *principal.kind() == Kind::Anonymous => {
                Err(Refusal::Unallowed(Source::Resource))
            }
            Some((basis, Naming::Direct)) if own || !principal.has_account() => Ok(basis),
            Some((basis, Naming::Role)) if own && self.is_open_to_all(&inquiry) => Ok(basis),
            Some((basis, Naming::Role)) if own => bounded(basis),
            Some(_) => bounded(identity?),
            None if own && !self.is_for_trust() => bounded(identity?),
            None => Err(Refusal::Unallowed(Source::Resource)),
        }
    }

    /// Who owns what is asked for.
    fn owner(&self) -> Option<&'a Owner> {
        self.foreign_object_owner().or(self.scope.owner)
    }

    /// The owner of an object that isn't the bucket owner's, if the action is up to it.
    fn foreign_object_owner(&self) -> Option<&'a Owner> {
        let enforced = self.scope.ownership == ObjectOwnership::BucketOwnerEnforced;
        let object_owner = self.scope.object_owner.filter(|owner| Some(*owner) != self.scope.owner);
        object_owner.filter(|_| !enforced && acl::is_up_to_object_owner(self.action))
    }

    fn is_closed_to_others(&self) -> bool {
        self.scope.block.restrict_public_buckets && self.scope.policy.is_some_and(Policy::is_public)
    }

    /// Whether the resource's policy would let in somebody who didn't sign: what anybody may, a session may.
    fn is_open_to_all(&self, inquiry: &Inquiry<'_>) -> bool {
        let nobody = Principal::anonymous();
        let inquiry = Inquiry { principal: &nobody, ..*inquiry };
        let is_open = |policy: &Policy| matches!(policy.judge(&inquiry), Verdict::Allow(..));
        !self.scope.block.restrict_public_buckets && !self.is_for_trust() && self.scope.policy.is_some_and(is_open)
    }

    /// A role is assumed by leave of its trust policy, never by an identity's policies alone.
    fn is_for_trust(&self) -> bool {
        self.scope.policy.is_some_and(|policy| *policy.kind() == PolicyKind::Trust)
    }

    fn resource_side(&self, inquiry: &Inquiry<'_>) -> Result<Allow<'a>, Refusal<'a>> {
        let by_policy = match self.scope.policy {
            Some(policy) => judge(Source::Resource, policy, inquiry)?,
            None => None,
        };
        // The bucket's owner can deny what others own, and can't give it away.
        let by_policy = by_policy.filter(|_| self.foreign_object_owner().is_none());
        Ok(by_policy.into_iter().chain(self.by_acl(inquiry)).max_by_key(|(_, naming)| *naming))
    }

    fn by_acl(&self, inquiry: &Inquiry<'_>) -> Allow<'a> {
        if self.scope.ownership == ObjectOwnership::BucketOwnerEnforced {
            return None;
        }
        let (acl, permission) = match Asked::of(self.action)? {
            Asked::Bucket(permission) => (self.scope.bucket_acl?, permission),
            Asked::Object(permission) => (self.scope.object_acl?, permission),
        };
        let public_counts = !self.scope.block.ignore_public_acls;
        let (grant, naming) = acl.judge(inquiry.principal, permission, public_counts)?;
        Some((Basis::Acl(grant), naming))
    }

    fn identity_side(&self, inquiry: &Inquiry<'_>) -> Result<Option<Basis<'a>>, Refusal<'a>> {
        if inquiry.principal.is_root() {
            return Ok(Some(Basis::Root));
        }
        let mut allowed = None;
        for policy in &self.identity.policies {
            let basis = judge(Source::Identity, policy, inquiry)?.map(|(basis, _)| basis);
            allowed = allowed.or(basis);
        }
        Ok(allowed)
    }

    /// Which bound does not allow it, if any.
    fn bounds(&self, inquiry: &Inquiry<'_>) -> Result<Option<Source>, Refusal<'a>> {
        if inquiry.principal.is_root() {
            return Ok(None);
        }
        let mut missing = None;
        if let Some(boundary) = &self.identity.boundary
            && judge(Source::Boundary, boundary, inquiry)?.is_none()
        {
            missing = Some(Source::Boundary);
        }
        let mut allowed = self.identity.session.is_empty();
        for policy in &self.identity.session {
            allowed |= judge(Source::Session, policy, inquiry)?.is_some();
        }
        Ok(missing.or((!allowed).then_some(Source::Session)))
    }
}

/// What a policy allows; its deny is an error.
fn judge<'a>(source: Source, policy: &'a Policy, inquiry: &Inquiry<'_>) -> Result<Allow<'a>, Refusal<'a>> {
    let place = |statement| Place { source, policy, statement };
    match policy.judge(inquiry) {
        Verdict::Silent => Ok(None),
        Verdict::Allow(statement, naming) => Ok(Some((Basis::Statement(place(statement)), naming))),
        Verdict::Deny(statement) => Err(Refusal::Explicit(place(statement))),
    }
}

fn is_on_bucket_policy(action: Action) -> bool {
    matches!(action, Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy)
}
