//! The query APIs of IAM and STS, as AWS's clients call them, and in their form what Packstone alone has.
//!
//! Every action is asked for with the policies of who calls before anything else; the account's root needs no leave.

mod access_key;
mod attachment;
mod clock;
mod entity;
mod fault;
mod form;
mod group;
mod managed;
mod provider;
mod role;
mod sts;
mod summary;
mod tag;
mod web_identity;
mod xml;

use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use packstone_access::{Action, Grant, Kind, Name, Request, Resource, Scope};
use s3s::Body;

use crate::asker::Asker;
use crate::facts::{RequestFacts, Said};
use crate::front::query_api::{Api, Call, QueryApi, Unheard};
use crate::identity::{Change, Class, Directory, Known, Record, Records};
use crate::oidc::Keyring;
use crate::permission::reason;
use entity::{arn_or, is_untag};
use fault::Fault;
use form::Form;
pub(crate) use form::{MOST_TAGS, is_tag};
use xml::Xml;

const XML: HeaderValue = HeaderValue::from_static("text/xml");

/// What answers the calls.
pub(crate) struct Iam {
    directory: Directory,
    /// Keys of identity providers.
    keyring: Keyring,
}

/// One call.
struct Ask {
    action: Action,
    asker: Asker,
    form: Form,
}

impl Ask {
    /// The user that a call means which names none.
    fn own_name(&self) -> Option<&str> {
        match self.asker.bearer.identity.principal.kind() {
            Kind::User { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The user that a call names, or else the caller.
    fn user(&self) -> Result<&str, Fault> {
        let named = self.form.get("UserName").filter(|name| !name.is_empty()).or_else(|| self.own_name());
        named.ok_or_else(|| Fault::validation("Must specify userName when calling with non-User credentials"))
    }

    /// Refuses what the caller's policies don't allow.
    fn may(&self, records: &Records, arn: &str) -> Result<(), Fault> {
        self.may_do(self.action, records, arn)
    }

    /// As [`Self::may`], for an action that is a part of this one.
    fn may_do(&self, action: Action, records: &Records, arn: &str) -> Result<(), Fault> {
        let target = records.at(arn).map(|known| &known.record);
        let tags: Vec<_> = if self.puts_tags() { self.form.tags()?.into_iter().collect() } else { Vec::new() };
        let untags = if is_untag(self.action) { self.form.tag_keys()? } else { Vec::new() };
        let mut named = Vec::new();
        if self.hangs_policies() {
            named.extend(self.form.get("PolicyArn").map(|arn| (Name::IamPolicyArn, arn.to_owned())));
        }
        let boundary = match self.form.get("PermissionsBoundary").filter(|_| self.brings_boundary()) {
            Some(arn) => Some(arn.to_owned()),
            None if self.brings_boundary() => None,
            None => target.and_then(|record| Some(records.by_id(record.boundary.as_deref()?)?.record.arn())),
        };
        named.extend(boundary.map(|arn| (Name::IamPermissionsBoundary, arn)));
        let held = target.map(|record| &record.tags);
        let said = Said { tags: &tags, untags: &untags, held, named: &named, ..Said::default() };
        self.may_act(action, arn, Scope::default(), said)
    }

    fn puts_tags(&self) -> bool {
        use Action::{CreateOpenIDConnectProvider, CreatePolicy, CreateRole, CreateUser};
        use Action::{TagOpenIDConnectProvider, TagPolicy, TagRole, TagUser};
        matches!(self.action, CreateUser | CreateRole | CreatePolicy | CreateOpenIDConnectProvider)
            || matches!(self.action, TagUser | TagRole | TagPolicy | TagOpenIDConnectProvider)
    }

    fn brings_boundary(&self) -> bool {
        use Action::{CreateRole, CreateUser, PutRolePermissionsBoundary, PutUserPermissionsBoundary};
        matches!(self.action, CreateUser | CreateRole | PutUserPermissionsBoundary | PutRolePermissionsBoundary)
    }

    /// Whether it attaches a managed policy or detaches it.
    fn hangs_policies(&self) -> bool {
        matches!(
            self.action,
            Action::AttachUserPolicy
                | Action::AttachGroupPolicy
                | Action::AttachRolePolicy
                | Action::DetachUserPolicy
                | Action::DetachGroupPolicy
                | Action::DetachRolePolicy
        )
    }

    fn may_act(&self, action: Action, arn: &str, scope: Scope<'_>, said: Said<'_>) -> Result<(), Fault> {
        if self.asker.bearer.is_root() {
            return Ok(());
        }
        self.leave(action, arn, scope, said).map(drop)
    }

    /// Leave as the caller's policies give it, and no other.
    fn leave(&self, action: Action, arn: &str, scope: Scope<'_>, said: Said<'_>) -> Result<Grant, Fault> {
        let bearer = &self.asker.bearer;
        let issued = bearer.session.map(|(issued, _)| issued);
        let facts = RequestFacts::new(self.asker.arrival.as_deref(), issued);
        let facts = facts.vouched(bearer.claims.as_ref()).saying(said);
        let resource = Resource::Identity(arn);
        let request = Request { identity: &bearer.identity, action, resource, facts: &facts, scope };
        request.grant().map_err(|refusal| Fault::denied(reason(&self.asker, action, arn, &refusal)))
    }
}

impl Iam {
    pub fn new(directory: Directory, keyring: Keyring) -> Self {
        Self { directory, keyring }
    }

    fn records(&self) -> Arc<Records> {
        self.directory.ring().records()
    }

    /// Changes what has that name, if the caller may.
    async fn alter<T>(
        &self,
        ask: &Ask,
        class: Class,
        name: &str,
        change: impl FnOnce(&Records, &mut Record) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.directory
            .change(|records| {
                ask.may(records, &arn_or(records, class, name))?;
                let mut record = named(records, class, name)?.record.clone();
                let before = record.clone();
                let answer = change(records, &mut record)?;
                let change = if record == before { Change::Nothing } else { Change::Put(Box::new(record)) };
                Ok((change, answer))
            })
            .await
    }

    async fn perform(&self, ask: &Ask) -> Result<Xml, Fault> {
        match ask.action {
            Action::CreateUser => self.create(ask, Class::User).await,
            Action::CreateGroup => self.create(ask, Class::Group).await,
            Action::CreateRole => self.create(ask, Class::Role).await,
            Action::CreatePolicy => self.create(ask, Class::Policy).await,
            Action::GetUser => self.get_user(ask),
            Action::GetRole => self.get_role(ask),
            Action::GetGroup => self.get_group(ask),
            Action::GetPolicy => self.get_policy(ask),
            Action::ListUsers => self.list(ask, Class::User),
            Action::ListGroups => self.list(ask, Class::Group),
            Action::ListRoles => self.list(ask, Class::Role),
            Action::ListPolicies => self.list(ask, Class::Policy),
            Action::UpdateUser => self.rename(ask, Class::User).await,
            Action::UpdateGroup => self.rename(ask, Class::Group).await,
            Action::DeleteUser => self.delete(ask, Class::User).await,
            Action::DeleteGroup => self.delete(ask, Class::Group).await,
            Action::DeleteRole => self.delete(ask, Class::Role).await,
            Action::DeletePolicy => self.delete(ask, Class::Policy).await,
            Action::CreateAccessKey => self.create_access_key(ask).await,
            Action::ListAccessKeys => self.list_access_keys(ask),
            Action::UpdateAccessKey => self.update_access_key(ask).await,
            Action::DeleteAccessKey => self.delete_access_key(ask).await,
            Action::GetAccessKeyLastUsed => self.access_key_last_used(ask),
            Action::AddUserToGroup => self.join(ask, true).await,
            Action::RemoveUserFromGroup => self.join(ask, false).await,
            Action::ListGroupsForUser => self.groups_of(ask),
            Action::GetAccountSummary => self.account_summary(ask),
            _ => self.perform_on_policies(ask).await,
        }
    }

    async fn perform_on_policies(&self, ask: &Ask) -> Result<Xml, Fault> {
        match ask.action {
            Action::PutUserPolicy => self.put_inline(ask, Class::User).await,
            Action::PutGroupPolicy => self.put_inline(ask, Class::Group).await,
            Action::PutRolePolicy => self.put_inline(ask, Class::Role).await,
            Action::GetUserPolicy => self.get_inline(ask, Class::User),
            Action::GetGroupPolicy => self.get_inline(ask, Class::Group),
            Action::GetRolePolicy => self.get_inline(ask, Class::Role),
            Action::DeleteUserPolicy => self.delete_inline(ask, Class::User).await,
            Action::DeleteGroupPolicy => self.delete_inline(ask, Class::Group).await,
            Action::DeleteRolePolicy => self.delete_inline(ask, Class::Role).await,
            Action::ListUserPolicies => self.list_inline(ask, Class::User),
            Action::ListGroupPolicies => self.list_inline(ask, Class::Group),
            Action::ListRolePolicies => self.list_inline(ask, Class::Role),
            Action::AttachUserPolicy => self.attach(ask, Class::User, true).await,
            Action::AttachGroupPolicy => self.attach(ask, Class::Group, true).await,
            Action::AttachRolePolicy => self.attach(ask, Class::Role, true).await,
            Action::DetachUserPolicy => self.attach(ask, Class::User, false).await,
            Action::DetachGroupPolicy => self.attach(ask, Class::Group, false).await,
            Action::DetachRolePolicy => self.attach(ask, Class::Role, false).await,
            Action::ListAttachedUserPolicies => self.list_attached(ask, Class::User),
            Action::ListAttachedGroupPolicies => self.list_attached(ask, Class::Group),
            Action::ListAttachedRolePolicies => self.list_attached(ask, Class::Role),
            Action::PutUserPermissionsBoundary => self.bound(ask, Class::User, true).await,
            Action::PutRolePermissionsBoundary => self.bound(ask, Class::Role, true).await,
            Action::DeleteUserPermissionsBoundary => self.bound(ask, Class::User, false).await,
            Action::DeleteRolePermissionsBoundary => self.bound(ask, Class::Role, false).await,
            Action::ListEntitiesForPolicy => self.entities_of_policy(ask),
            Action::CreatePolicyVersion => self.create_policy_version(ask).await,
            Action::GetPolicyVersion => self.get_policy_version(ask),
            Action::ListPolicyVersions => self.list_policy_versions(ask),
            Action::SetDefaultPolicyVersion => self.set_default_policy_version(ask).await,
            Action::DeletePolicyVersion => self.delete_policy_version(ask).await,
            Action::UpdateAssumeRolePolicy => self.update_trust(ask).await,
            Action::UpdateRole | Action::UpdateRoleDescription => self.update_role(ask).await,
            Action::TagUser | Action::UntagUser => self.tag(ask, Class::User).await,
            Action::TagRole | Action::UntagRole => self.tag(ask, Class::Role).await,
            Action::TagPolicy | Action::UntagPolicy => self.tag(ask, Class::Policy).await,
            Action::ListUserTags => self.list_tags(ask, Class::User),
            Action::ListRoleTags => self.list_tags(ask, Class::Role),
            Action::ListPolicyTags => self.list_tags(ask, Class::Policy),
            _ => self.perform_on_providers(ask).await,
        }
    }

    async fn perform_on_providers(&self, ask: &Ask) -> Result<Xml, Fault> {
        match ask.action {
            Action::CreateOpenIDConnectProvider => self.create_provider(ask).await,
            Action::GetOpenIDConnectProvider => self.get_provider(ask),
            Action::ListOpenIDConnectProviders => self.list_providers(ask),
            Action::DeleteOpenIDConnectProvider => self.delete_provider(ask).await,
            Action::AddClientIDToOpenIDConnectProvider => self.change_client(ask, true).await,
            Action::RemoveClientIDFromOpenIDConnectProvider => self.change_client(ask, false).await,
            Action::UpdateOpenIDConnectProviderThumbprint => self.update_thumbprints(ask).await,
            Action::TagOpenIDConnectProvider | Action::UntagOpenIDConnectProvider => {
                self.tag(ask, Class::Provider).await
            }
            Action::ListOpenIDConnectProviderTags => self.list_tags(ask, Class::Provider),
            _ => self.open_session(ask).await,
        }
    }

    async fn open_session(&self, ask: &Ask) -> Result<Xml, Fault> {
        match ask.action {
            Action::GetCallerIdentity => Ok(Self::caller_identity(ask)),
            Action::GetSessionToken => self.session_token(ask),
            Action::AssumeRole => self.assume_role(ask),
            Action::AssumeRoleWithWebIdentity => self.assume_role_with_web_identity(ask).await,
            Action::ApproveComplianceTime => self.approve_compliance_time(ask).await,
            _ => Err(Fault::invalid_action(ask.action.name())),
        }
    }

    async fn answered(&self, call: Call) -> Result<Xml, Fault> {
        let form = Form::new(call.parameters);
        let name = form.get("Action").unwrap_or_default();
        let service = match call.api {
            Api::Iam => "iam:",
            Api::Sts => "sts:",
            Api::Packstone => "packstone:",
        };
        let action = Action::from_name(&[service, name].concat()).ok_or_else(|| Fault::invalid_action(name))?;
        let ask = Ask { action, asker: call.asker, form };
        let result = self.perform(&ask).await?;
        let name = ask.form.get("Action").unwrap_or_default();
        let mut xml = Xml::default();
        xml.node(&format!("{name}Result"), |xml| xml.0.push_str(&result.0));
        Ok(xml)
    }
}

/// What has that name, or `NoSuchEntity`.
fn named<'r>(records: &'r Records, class: Class, name: &str) -> Result<&'r Arc<Known>, Fault> {
    records.named(class, name).ok_or_else(|| Fault::no_such(class, name))
}

impl QueryApi for Iam {
    fn answer(&self, call: Call) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async move {
            let (api, id) = (call.api, call.request_id.clone());
            let name = call.parameters.iter().find(|(name, _)| name == "Action").map(|(_, value)| value.clone());
            match self.answered(call).await {
                Ok(result) => {
                    let outer = format!("{}Response", name.unwrap_or_default());
                    let text = format!(
                        "<{outer} xmlns=\"{}\">{}<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{outer}>",
                        namespace(api),
                        result.0
                    );
                    document(text)
                }
                Err(fault) => refused(api, &fault, &id),
            }
        })
    }

    fn refuse(&self, api: Api, unheard: Unheard, request_id: &str) -> Response<Body> {
        refused(api, &unheard.into(), request_id)
    }
}

const fn namespace(api: Api) -> &'static str {
    match api {
        Api::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
        Api::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        Api::Packstone => "urn:packstone:api:1",
    }
}

fn refused(api: Api, fault: &Fault, request_id: &str) -> Response<Body> {
    let mut error = Xml::default();
    error.node("Error", |xml| {
        let kind = if fault.status.is_server_error() { "Receiver" } else { "Sender" };
        xml.leaf("Type", kind).leaf("Code", fault.code).leaf("Message", &fault.message);
    });
    error.leaf("RequestId", request_id);
    let text = format!("<ErrorResponse xmlns=\"{}\">{}</ErrorResponse>", namespace(api), error.0);
    let mut response = document(text);
    *response.status_mut() = fault.status;
    response
}

fn document(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, XML);
    response
}
