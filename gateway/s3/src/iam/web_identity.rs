//! Sessions of roles for whoever an OpenID Connect provider vouches for.
//!
//! The call isn't signed. Nothing is asked of anybody outside but for a provider that was registered here, and that no
//! oftener than [`crate::oidc`] allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use packstone_access::{Action, Identity, Kind, Name, Owner, Principal, Request, Resource, Scope};

use super::entity::LONGEST;
use super::fault::Fault;
use super::form::check_name;
use super::provider::key_name;
use super::sts::{Terms, life};
use super::xml::Xml;
use super::{Ask, Iam};
use crate::facts::{RequestFacts, Said};
use crate::identity::{Claims, Class, Known, Own, Subject};
use crate::oidc::{Issuer, Token, Verified};
use crate::owner;

const DENIED: &str = "Not authorized to perform sts:AssumeRoleWithWebIdentity";

/// A token that holds, and who vouches for it.
struct Vouched {
    verified: Verified,
    claims: Claims,
    issuer: Issuer,
}

impl Iam {
    pub(super) async fn assume_role_with_web_identity(&self, ask: &Ask) -> Result<Xml, Fault> {
        let form = &ask.form;
        let (arn, name) = (form.need("RoleArn")?, form.need("RoleSessionName")?);
        check_name("RoleSessionName", name, 64)?;
        let vouched = self.vouched(form.need("WebIdentityToken")?).await?;
        let records = self.records();
        // Whether a role exists is for those who may assume it.
        let role = records.of_arn(Class::Role, arn).ok_or_else(|| Fault::denied(DENIED))?;
        check_trust(ask, role, name, &vouched)?;
        let Own::Role { longest, .. } = role.record.own else { return Err(Fault::denied(DENIED)) };
        let life = life(ask, LONGEST, longest)?;
        let policies = self.session_policies(ask)?;
        let Vouched { verified, claims, issuer } = vouched;
        let terms = Terms { policies, tags: verified.tags, claims: Some(claims) };
        let subject = Subject::Role { id: role.record.id.clone(), session: name.to_owned() };
        let mut xml = Xml::default();
        let access_key = self.open(&mut xml, subject, life, terms)?;
        // Nobody signed the call: the lines of the session's requests lead here, and from here to who it was.
        tracing::info!(
            issuer = issuer.url(),
            subject = verified.subject,
            audience = verified.audience,
            role = arn,
            session = name,
            access_key,
            "a session was opened for a web identity"
        );
        let session = records.role_session(role, name, &BTreeMap::new());
        xml.leaf("SubjectFromWebIdentityToken", &verified.subject);
        xml.node("AssumedRoleUser", |xml| {
            xml.leaf("AssumedRoleId", session.principal.user_id()).leaf("Arn", session.principal.acting_arn());
        });
        xml.leaf("Provider", issuer.url()).leaf("Audience", &verified.audience);
        Ok(xml)
    }

    /// What a token says, if a provider that is registered here signed it for one of its clients.
    async fn vouched(&self, text: &str) -> Result<Vouched, Fault> {
        let token = Token::parse(text)?;
        let records = self.records();
        for known in records.all(Class::Provider) {
            let Own::Provider { url, clients, .. } = &known.record.own else { continue };
            let Ok(issuer) = Issuer::parse(url) else { continue };
            if !issuer.is(&token.issuer) {
                continue;
            }
            let verified = token.verify(&issuer, clients, &self.keyring).await?;
            let key = |claim: &str| format!("{}:{claim}", key_name(issuer.name()));
            let values = verified.claims.iter().map(|(claim, values)| (key(claim), values.clone())).collect();
            let claims = Claims { provider: known.record.arn(), values };
            return Ok(Vouched { verified, claims, issuer });
        }
        Err(Fault::no_provider())
    }
}

/// Refuses what the role's trust policy doesn't let the provider's word do.
fn check_trust(ask: &Ask, role: &Arc<Known>, session: &str, vouched: &Vouched) -> Result<(), Fault> {
    let trust = role.policy.as_deref().ok_or_else(|| Fault::denied(DENIED))?;
    let nobody = Owner { account: Box::from(""), canonical_id: Box::from("") };
    let provider = vouched.claims.provider.as_str().into();
    let identity = Arc::new(Identity::new(Principal::new(Kind::Federated { provider }, nobody)));
    let named = [(Name::RoleSessionName, session.to_owned())];
    let tags: Vec<_> = vouched.verified.tags.clone().into_iter().collect();
    let said = Said { tags: &tags, held: Some(&role.record.tags), named: &named, ..Said::default() };
    let facts = RequestFacts::new(ask.asker.arrival.as_deref(), None).vouched(Some(&vouched.claims)).saying(said);
    let arn = role.record.arn();
    let scope = Scope { owner: Some(owner::account()), policy: Some(trust), ..Scope::default() };
    let tagging = (!tags.is_empty()).then_some(Action::TagSession);
    for action in [Action::AssumeRoleWithWebIdentity].into_iter().chain(tagging) {
        let request = Request { identity: &identity, action, resource: Resource::Identity(&arn), facts: &facts, scope };
        request.authorise().map_err(|_| Fault::denied(DENIED))?;
    }
    Ok(())
}
