//! Sessions.

use std::collections::BTreeMap;

use packstone_access::{Action, Kind, Name, Policy, PolicyKind, Scope};

use super::entity::LONGEST;
use super::fault::Fault;
use super::form::check_name;
use super::xml::Xml;
use super::{Ask, Iam};
use crate::facts::{Said, iso};
use crate::identity::{Claims, Class, Own, Prefix, Session, Subject, mint, now};
use crate::owner;

/// The shortest session, in seconds.
const SHORTEST: u32 = 900;
/// How long GetSessionToken's session is unless it is said, and the longest.
const TOKEN_DEFAULT: u32 = 43_200;
const TOKEN_LONGEST: u32 = 129_600;
/// The longest token, in bytes: with it, a request's headers must stay within what the front takes.
const LONGEST_TOKEN: usize = 10 << 10;
/// The most managed policies that bound one session.
const MOST_POLICIES: usize = 10;

/// What a session is held to, and what it brings.
#[derive(Default)]
pub(super) struct Terms {
    /// Texts of session policies.
    pub policies: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub claims: Option<Claims>,
}

impl Iam {
    pub(super) fn caller_identity(ask: &Ask) -> Xml {
        let who = &ask.asker.bearer.identity.principal;
        let mut xml = Xml::default();
        xml.leaf("Arn", who.acting_arn()).leaf("UserId", who.user_id()).leaf("Account", owner::ACCOUNT);
        xml
    }

    /// A session with the rights of who asks, who must come with a key of their own.
    pub(super) fn session_token(&self, ask: &Ask) -> Result<Xml, Fault> {
        let bearer = &ask.asker.bearer;
        if bearer.session.is_some() {
            return Err(Fault::denied("Cannot call GetSessionToken with session credentials"));
        }
        let (subject, longest) = match bearer.identity.principal.kind() {
            Kind::Root => {
                // Its credentials may have been replaced since they were verified.
                let fingerprint = self.directory.ring().root_fingerprint(&bearer.access_key);
                let gone = || Fault::denied("Cannot call GetSessionToken with these credentials");
                (Subject::Root(fingerprint.ok_or_else(gone)?), LONGEST)
            }
            Kind::User { id, .. } => (Subject::User(id.to_string()), TOKEN_LONGEST),
            _ => return Err(Fault::denied("Cannot call GetSessionToken with these credentials")),
        };
        let life = life(ask, TOKEN_DEFAULT.min(longest), longest)?;
        let mut xml = Xml::default();
        self.open(&mut xml, subject, life, Terms::default())?;
        Ok(xml)
    }

    /// A session of a role, by leave of its trust policy.
    pub(super) fn assume_role(&self, ask: &Ask) -> Result<Xml, Fault> {
        let form = &ask.form;
        let arn = form.need("RoleArn")?;
        let name = form.need("RoleSessionName")?;
        check_name("RoleSessionName", name, 64)?;
        let records = self.records();
        let bearer = &ask.asker.bearer;
        let refused = || {
            let who = bearer.identity.principal.acting_arn();
            Fault::denied(format_args!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"))
        };
        if *bearer.identity.principal.kind() == Kind::Root {
            return Err(Fault::denied("Roles may not be assumed by root accounts."));
        }
        // Whether a role exists is for those who may assume it.
        let role = records.of_arn(Class::Role, arn).ok_or_else(refused)?;
        let trust = role.policy.as_deref().ok_or_else(refused)?;
        let mut named = vec![(Name::RoleSessionName, name.to_owned())];
        named.extend(form.get("ExternalId").map(|id| (Name::ExternalId, id.to_owned())));
        let scope = Scope { owner: Some(owner::account()), policy: Some(trust), ..Scope::default() };
        let tags = form.tags()?;
        let asked: Vec<_> = tags.clone().into_iter().collect();
        let said = Said { tags: &asked, held: Some(&role.record.tags), named: &named, ..Said::default() };
        ask.may_act(ask.action, arn, scope, said)?;
        if !tags.is_empty() {
            ask.may_act(Action::TagSession, arn, scope, said)?;
        }

        let Own::Role { longest, .. } = role.record.own else { return Err(refused()) };
        // A session made by a session is short.
        let longest = if bearer.session.is_some() { LONGEST } else { longest };
        let life = life(ask, LONGEST, longest)?;
        let terms = Terms { policies: self.session_policies(ask)?, tags, claims: None };
        let subject = Subject::Role { id: role.record.id.clone(), session: name.to_owned() };
        let mut xml = Xml::default();
        self.open(&mut xml, subject, life, terms)?;
        let session = records.role_session(role, name, &BTreeMap::new());
        xml.node("AssumedRoleUser", |xml| {
            xml.leaf("AssumedRoleId", session.principal.user_id()).leaf("Arn", session.principal.acting_arn());
        });
        Ok(xml)
    }

    /// Texts of the policies that a call bounds its session by.
    pub(super) fn session_policies(&self, ask: &Ask) -> Result<Vec<String>, Fault> {
        let mut texts = Vec::new();
        if let Some(text) = ask.form.get("Policy") {
            Policy::parse(PolicyKind::Session, "session", text)?;
            texts.push(text.to_owned());
        }
        let records = self.records();
        for number in 1.. {
            let Some(arn) = ask.form.get(&format!("PolicyArns.member.{number}.arn")) else { break };
            if number > MOST_POLICIES {
                return Err(too_many_policies());
            }
            let policy = records.policy_of_arn(arn).ok_or_else(|| Fault::no_such(Class::Policy, arn))?;
            texts.extend(policy.record.text().map(str::to_owned));
        }
        if texts.len() > MOST_POLICIES {
            return Err(too_many_policies());
        }
        Ok(texts)
    }

    /// Tells of a session that begins, and returns its access key.
    pub(super) fn open(&self, xml: &mut Xml, subject: Subject, life: u32, terms: Terms) -> Result<String, Fault> {
        let Terms { policies, tags, claims } = terms;
        let (issued, access_key) = (now(), mint(Prefix::SessionKey)?);
        let master = self.directory.ring().master();
        let secret = master.session_secret(&access_key);
        let expires = issued + i64::from(life);
        let session = Session { access_key, subject, issued, expires, policies, tags, claims };
        let token = session.seal(master)?;
        if token.len() > LONGEST_TOKEN {
            return Err(Fault::packed_too_large());
        }
        xml.node("Credentials", |xml| {
            xml.leaf("AccessKeyId", &session.access_key).leaf("SecretAccessKey", &secret);
            xml.leaf("SessionToken", &token).leaf("Expiration", &iso(expires).unwrap_or_default());
        });
        Ok(session.access_key)
    }
}

fn too_many_policies() -> Fault {
    Fault::limit(format_args!("Cannot exceed quota for PolicyArns: {MOST_POLICIES}"))
}

/// How long a session is to be.
pub(super) fn life(ask: &Ask, default: u32, longest: u32) -> Result<u32, Fault> {
    match ask.form.number("DurationSeconds")? {
        None => Ok(default.min(longest)),
        Some(seconds) if (SHORTEST..=longest).contains(&seconds) => Ok(seconds),
        Some(_) => Err(Fault::validation(format_args!("DurationSeconds must be between {SHORTEST} and {longest}"))),
    }
}
