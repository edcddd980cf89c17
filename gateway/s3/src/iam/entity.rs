//! Making, finding, renaming and deleting users, groups, roles and policies.

use std::collections::{BTreeMap, BTreeSet};

use packstone_access::{Action, Policy, PolicyKind};

use super::fault::Fault;
use super::form::{Form, field};
use super::tag::{check_numbers, check_unique};
use super::xml::Xml;
use super::{Ask, Iam, named};
use crate::bound_policy;
use crate::facts::iso;
use crate::identity::{
    Change, Class, Known, Own, PolicyVersion, Record, Records, arn, is_provided, mint, now, provided_policies,
};
use crate::owner;

/// How long a session of a role may be unless it says otherwise, in seconds.
pub(super) const LONGEST: u32 = 3600;

impl Iam {
    pub(super) async fn create(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let form = &ask.form;
        let name = form.new_name(field(class), class)?;
        let path = form.path("Path")?;
        let (records, new) = (self.records(), arn(class, path, name));
        ask.may(&records, &new)?;
        let own = new_own(form, &records, class, name)?;
        let tags = if class == Class::Group { BTreeMap::new() } else { form.tags()? };
        check_numbers(&tags)?;
        if !tags.is_empty() {
            ask.may_do(tagging(class), &records, &new)?;
        }
        let record = self
            .directory
            .change(|records| {
                if records.named(class, name).is_some() {
                    return Err(Fault::exists(class, name));
                }
                let boundary = form.get("PermissionsBoundary").map(|arn| boundary(records, arn)).transpose()?;
                let record = Record {
                    id: mint(class.prefix())?,
                    path: path.to_owned(),
                    name: name.to_owned(),
                    created: now(),
                    tags,
                    inline: BTreeMap::new(),
                    attached: BTreeSet::new(),
                    boundary,
                    own,
                };
                check_unique(records, &record)?;
                Ok((Change::Put(Box::new(record.clone())), record))
            })
            .await?;
        let mut xml = Xml::default();
        xml.node(element(class), |xml| self.tell(xml, &record));
        Ok(xml)
    }

    pub(super) fn get_user(&self, ask: &Ask) -> Result<Xml, Fault> {
        let mut xml = Xml::default();
        if ask.form.get("UserName").is_none() && ask.asker.bearer.is_root() {
            xml.node("User", |xml| {
                xml.leaf("Path", "/").leaf("UserId", owner::ACCOUNT).leaf("CreateDate", "1970-01-01T00:00:00Z");
                xml.leaf("Arn", ask.asker.bearer.identity.principal.arn());
            });
            return Ok(xml);
        }
        let records = self.records();
        let name = ask.user()?;
        ask.may(&records, &arn_or(&records, Class::User, name))?;
        let user = named(&records, Class::User, name)?;
        xml.node("User", |xml| self.tell(xml, &user.record));
        Ok(xml)
    }

    pub(super) fn get_role(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        let name = ask.form.name(Class::Role)?;
        ask.may(&records, &arn_or(&records, Class::Role, name))?;
        let role = named(&records, Class::Role, name)?;
        let mut xml = Xml::default();
        xml.node("Role", |xml| self.tell(xml, &role.record));
        Ok(xml)
    }

    pub(super) fn list(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let prefix = ask.form.get("PathPrefix").unwrap_or("/");
        let records = self.records();
        ask.may(&records, &arn(class, prefix, "*"))?;
        let scope = ask.form.get("Scope").unwrap_or("All");
        let of_node = if class == Class::Policy && scope != "Local" { provided_policies() } else { &[] };
        let own = records.all(class).filter(|_| class != Class::Policy || scope != "AWS");
        let found = own.chain(of_node).filter(|known| known.record.path.starts_with(prefix));
        let attached = ask.form.get("OnlyAttached") == Some("true");
        let found = found.filter(|known| !attached || !records.users_of(&known.record.id).is_empty());
        let items = sorted(found);
        let plural = if class == Class::Policy { "Policies".to_owned() } else { format!("{}s", element(class)) };
        paged(&ask.form, &plural, items, |xml, known| self.tell(xml, &known.record))
    }

    pub(super) async fn rename(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let new = format!("New{}", field(class));
        let name = ask.form.get(&new).map(|_| ask.form.new_name(&new, class)).transpose()?;
        let path = ask.form.get("NewPath").map(|_| ask.form.path("NewPath")).transpose()?;
        self.alter(ask, class, ask.form.name(class)?, |records, record| {
            if let Some(name) = name {
                if records.named(class, name).is_some_and(|other| other.record.id != record.id) {
                    return Err(Fault::exists(class, name));
                }
                name.clone_into(&mut record.name);
            }
            if let Some(path) = path {
                path.clone_into(&mut record.path);
            }
            ask.may(records, &record.arn())
        })
        .await?;
        Ok(Xml::default())
    }

    pub(super) async fn delete(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        self.directory
            .change(|records| {
                let known = match class {
                    Class::Policy => own_policy_of(records, &ask.form)?,
                    _ => {
                        let name = ask.form.name(class)?;
                        ask.may(records, &arn_or(records, class, name))?;
                        named(records, class, name)?
                    }
                };
                ask.may(records, &known.record.arn())?;
                check_unused(records, &known.record)?;
                Ok((Change::Remove(known.record.id.clone()), ()))
            })
            .await
            .map(|()| Xml::default())
    }

    /// What answers say of a record.
    pub(super) fn tell(&self, xml: &mut Xml, record: &Record) {
        let class = record.class();
        let created = iso(record.created).unwrap_or_default();
        xml.leaf("Path", &record.path).leaf(field(class), &record.name);
        xml.leaf(&format!("{}Id", element(class)), &record.id);
        xml.leaf("Arn", &record.arn()).leaf("CreateDate", &created);
        let records = self.records();
        match &record.own {
            Own::User { .. } | Own::Group | Own::Provider { .. } => {}
            Own::Role { trust, trusted, description, longest } => {
                let trust = bound_policy::told(trust, trusted, &records);
                xml.leaf("AssumeRolePolicyDocument", &encoded(&trust)).leaf("Description", description);
                xml.leaf("MaxSessionDuration", &longest.to_string());
            }
            Own::Policy { description, versions, default, .. } => {
                let changed = versions.iter().map(|version| version.created).max().unwrap_or(record.created);
                let count = |bounds: bool| {
                    let users = records.users_of(&record.id);
                    let found = users.iter().filter_map(|id| records.by_id(id));
                    let of = |known: &&std::sync::Arc<Known>| {
                        if bounds {
                            known.record.boundary.as_deref() == Some(&record.id)
                        } else {
                            known.record.attached.contains(&record.id)
                        }
                    };
                    found.filter(of).count().to_string()
                };
                xml.leaf("DefaultVersionId", &format!("v{default}")).leaf("AttachmentCount", &count(false));
                xml.leaf("PermissionsBoundaryUsageCount", &count(true)).leaf("IsAttachable", "true");
                xml.leaf("Description", description).leaf("UpdateDate", &iso(changed).unwrap_or_default());
            }
        }
        if let Some(policy) = record.boundary.as_deref().and_then(|id| records.by_id(id)) {
            xml.node("PermissionsBoundary", |xml| {
                xml.leaf("PermissionsBoundaryType", "Policy").leaf("PermissionsBoundaryArn", &policy.record.arn());
            });
        }
        if !record.tags.is_empty() {
            tell_tags(xml, &record.tags);
        }
    }
}

/// What puts tags on one of the class.
pub(super) const fn tagging(class: Class) -> Action {
    match class {
        Class::User | Class::Group => Action::TagUser,
        Class::Role => Action::TagRole,
        Class::Policy => Action::TagPolicy,
        Class::Provider => Action::TagOpenIDConnectProvider,
    }
}

fn new_own(form: &Form, records: &Records, class: Class, name: &str) -> Result<Own, Fault> {
    let description = || form.get("Description").unwrap_or_default().to_owned();
    Ok(match class {
        Class::User => Own::User { keys: Vec::new(), groups: BTreeSet::new() },
        Class::Group => Own::Group,
        Class::Role => {
            let trust = form.need("AssumeRolePolicyDocument")?;
            let policy = Policy::parse(PolicyKind::Trust, name, trust)?;
            Own::Role {
                trust: trust.to_owned(),
                trusted: bound_policy::ids(&policy, records)?,
                description: description(),
                longest: longest(form)?.unwrap_or(LONGEST),
            }
        }
        Class::Policy => {
            let text = form.need("PolicyDocument")?;
            Policy::parse(PolicyKind::Managed, name, text)?;
            let first = PolicyVersion { number: 1, text: text.to_owned(), created: now() };
            Own::Policy { description: description(), versions: vec![first], default: 1, next: 2 }
        }
        Class::Provider => super::provider::new_own(form)?,
    })
}

/// How long sessions of a role may be.
pub(super) fn longest(form: &Form) -> Result<Option<u32>, Fault> {
    match form.number("MaxSessionDuration")? {
        Some(seconds) if !(3600..=43_200).contains(&seconds) => {
            Err(Fault::validation("MaxSessionDuration must be between 3600 and 43200 seconds"))
        }
        asked => Ok(asked),
    }
}

/// The id of the policy that is to be a boundary.
pub(super) fn boundary(records: &Records, arn: &str) -> Result<String, Fault> {
    let policy = records.policy_of_arn(arn).ok_or_else(|| Fault::no_such(Class::Policy, arn))?;
    Ok(policy.record.id.clone())
}

/// The managed policy that a call names by its ARN.
pub(super) fn policy_of<'r>(records: &'r Records, form: &Form) -> Result<&'r std::sync::Arc<Known>, Fault> {
    let arn = form.need("PolicyArn")?;
    records.policy_of_arn(arn).ok_or_else(|| Fault::no_such(Class::Policy, arn))
}

/// As [`policy_of`], to be changed: what comes with the node can't be.
pub(super) fn own_policy_of<'r>(records: &'r Records, form: &Form) -> Result<&'r std::sync::Arc<Known>, Fault> {
    let policy = policy_of(records, form)?;
    if is_provided(&policy.record) {
        return Err(Fault::denied(format_args!("{} comes with the node and can't be changed.", policy.record.arn())));
    }
    Ok(policy)
}

/// The ARN of what has that name, or would have it: who may not ask doesn't learn whether it is there.
pub(super) fn arn_or(records: &Records, class: Class, name: &str) -> String {
    records.named(class, name).map_or_else(|| arn(class, "/", name), |known| known.record.arn())
}

/// Refuses to delete what something still hangs on.
fn check_unused(records: &Records, record: &Record) -> Result<(), Fault> {
    if !record.inline.is_empty() {
        return Err(Fault::conflict("Cannot delete entity, must delete policies first."));
    }
    if !record.attached.is_empty() {
        return Err(Fault::conflict("Cannot delete entity, must detach all policies first."));
    }
    match &record.own {
        Own::User { keys, .. } if !keys.is_empty() => {
            Err(Fault::conflict("Cannot delete entity, must delete access keys first."))
        }
        Own::User { groups, .. } if !groups.is_empty() => {
            Err(Fault::conflict("Cannot delete entity, must remove users from group first."))
        }
        Own::Group if records.members(&record.id).next().is_some() => {
            Err(Fault::conflict("Cannot delete entity, must remove users from group first."))
        }
        Own::Policy { versions, .. } if versions.len() > 1 => Err(Fault::conflict(
            "This policy has more than one version. Before you delete a policy, you must delete \
                                 the policy's versions. The default version is deleted with the policy.",
        )),
        Own::Policy { .. } if !records.users_of(&record.id).is_empty() => {
            Err(Fault::conflict("Cannot delete a policy attached to entities."))
        }
        _ => Ok(()),
    }
}

/// The element that holds one of the class.
pub(super) const fn element(class: Class) -> &'static str {
    match class {
        Class::User => "User",
        Class::Group => "Group",
        Class::Role => "Role",
        Class::Policy => "Policy",
        Class::Provider => "OpenIDConnectProvider",
    }
}

pub(super) fn tell_tags(xml: &mut Xml, tags: &BTreeMap<String, String>) {
    xml.list("Tags", tags, |xml, (key, value)| {
        xml.leaf("Key", key).leaf("Value", value);
    });
}

/// By name; what comes with the node may have the same one as what was made here.
pub(super) fn sorted<'r>(
    found: impl Iterator<Item = &'r std::sync::Arc<Known>>,
) -> Vec<(String, &'r std::sync::Arc<Known>)> {
    // No name has a space, which sorts before whatever one has.
    let key = |known: &Known| format!("{} {}", known.record.name.to_lowercase(), known.record.id);
    let mut items: Vec<_> = found.map(|known| (key(known), known)).collect();
    items.sort_by(|one, other| one.0.cmp(&other.0));
    items
}

/// A page of a list whose items are sorted by the key that markers are made of.
pub(super) fn paged<T>(
    form: &Form,
    name: &str,
    items: Vec<(String, T)>,
    tell: impl Fn(&mut Xml, T),
) -> Result<Xml, Fault> {
    let (after, most) = form.page()?;
    let mut rest = items.into_iter().filter(|(key, _)| after.is_empty() || key.as_str() > after);
    let page: Vec<_> = rest.by_ref().take(most).collect();
    let marker = page.last().map(|(key, _)| key.clone()).filter(|_| rest.next().is_some());
    let mut xml = Xml::default();
    xml.leaf("IsTruncated", if marker.is_some() { "true" } else { "false" });
    xml.maybe("Marker", marker.as_deref());
    xml.list(name, page, |xml, (_, item)| tell(xml, item));
    Ok(xml)
}

/// A policy's text as answers carry it.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Whether an action adds, where another of the same form takes away.
pub(super) fn is_untag(action: Action) -> bool {
    matches!(action, Action::UntagUser | Action::UntagRole | Action::UntagPolicy | Action::UntagOpenIDConnectProvider)
}
