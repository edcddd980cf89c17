//! Policies of users, groups and roles: inline ones, managed ones that are attached, and the permissions boundary.

use packstone_access::{Policy, PolicyKind};

use super::entity::{arn_or, boundary, encoded, paged, policy_of, sorted};
use super::fault::Fault;
use super::form::{check_name, field};
use super::xml::Xml;
use super::{Ask, Iam, named};
use crate::identity::Class;

/// The most managed policies of one user, group or role.
pub(super) const MOST: usize = 20;

/// Characters without white space that all inline policies may have together.
pub(super) const fn room(class: Class) -> usize {
    match class {
        Class::User | Class::Policy | Class::Provider => 2_048,
        Class::Group => 5_120,
        Class::Role => 10_240,
    }
}

impl Iam {
    pub(super) async fn put_inline(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let (policy, text) = (ask.form.need("PolicyName")?, ask.form.need("PolicyDocument")?);
        check_name("PolicyName", policy, 128)?;
        Policy::parse(PolicyKind::Inline, policy, text)?;
        self.alter(ask, class, ask.form.name(class)?, |_, record| {
            record.inline.insert(policy.to_owned(), text.to_owned());
            let length = |text: &String| text.chars().filter(|character| !character.is_whitespace()).count();
            if record.inline.values().map(length).sum::<usize>() > room(class) {
                let message = format!(
                    "Maximum policy size of {} bytes exceeded for {} {}",
                    room(class),
                    class.word(),
                    record.name
                );
                return Err(Fault::limit(message));
            }
            Ok(())
        })
        .await
        .map(|()| Xml::default())
    }

    pub(super) fn get_inline(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let records = self.records();
        let name = ask.form.name(class)?;
        ask.may(&records, &arn_or(&records, class, name))?;
        let policy = ask.form.need("PolicyName")?;
        let text = named(&records, class, name)?.record.inline.get(policy).ok_or_else(|| no_inline(class, policy))?;
        let mut xml = Xml::default();
        xml.leaf(field(class), name).leaf("PolicyName", policy).leaf("PolicyDocument", &encoded(text));
        Ok(xml)
    }

    pub(super) async fn delete_inline(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let policy = ask.form.need("PolicyName")?;
        self.alter(ask, class, ask.form.name(class)?, |_, record| {
            record.inline.remove(policy).map(drop).ok_or_else(|| no_inline(class, policy))
        })
        .await
        .map(|()| Xml::default())
    }

    pub(super) fn list_inline(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let records = self.records();
        let name = ask.form.name(class)?;
        ask.may(&records, &arn_or(&records, class, name))?;
        let known = named(&records, class, name)?;
        let names = known.record.inline.keys().map(|name| (name.clone(), name)).collect();
        paged(&ask.form, "PolicyNames", names, |xml, name: &String| {
            crate::front::refusal::escape(name, &mut xml.0);
        })
    }

    pub(super) async fn attach(&self, ask: &Ask, class: Class, attaches: bool) -> Result<Xml, Fault> {
        self.alter(ask, class, ask.form.name(class)?, |records, record| {
            let policy = policy_of(records, &ask.form)?;
            if attaches {
                record.attached.insert(policy.record.id.clone());
            } else if !record.attached.remove(&policy.record.id) {
                return Err(Fault::no_entity(format_args!("Policy {} was not found.", policy.record.arn())));
            }
            if record.attached.len() > MOST {
                return Err(Fault::limit(format_args!("Cannot exceed quota for PoliciesPerEntity: {MOST}")));
            }
            Ok(())
        })
        .await
        .map(|()| Xml::default())
    }

    pub(super) fn list_attached(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let records = self.records();
        let name = ask.form.name(class)?;
        ask.may(&records, &arn_or(&records, class, name))?;
        let known = named(&records, class, name)?;
        let attached = known.record.attached.iter().filter_map(|id| records.by_id(id));
        paged(&ask.form, "AttachedPolicies", sorted(attached), |xml, policy| {
            xml.leaf("PolicyName", &policy.record.name).leaf("PolicyArn", &policy.record.arn());
        })
    }

    pub(super) async fn bound(&self, ask: &Ask, class: Class, bounds: bool) -> Result<Xml, Fault> {
        self.alter(ask, class, ask.form.name(class)?, |records, record| {
            record.boundary = match bounds {
                true => Some(boundary(records, ask.form.need("PermissionsBoundary")?)?),
                false => None,
            };
            Ok(())
        })
        .await
        .map(|()| Xml::default())
    }

    pub(super) fn entities_of_policy(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        ask.may(&records, ask.form.need("PolicyArn")?)?;
        let policy = &policy_of(&records, &ask.form)?.record.id;
        let mut xml = Xml::default();
        for (class, list) in
            [(Class::Group, "PolicyGroups"), (Class::User, "PolicyUsers"), (Class::Role, "PolicyRoles")]
        {
            let found = records.all(class).filter(|known| known.record.attached.contains(policy));
            xml.list(list, found, |xml, known| {
                xml.leaf(field(class), &known.record.name);
                xml.leaf(&format!("{}Id", super::entity::element(class)), &known.record.id);
            });
        }
        xml.leaf("IsTruncated", "false");
        Ok(xml)
    }
}

fn no_inline(class: Class, policy: &str) -> Fault {
    Fault::no_entity(format_args!("The {} policy with name {policy} cannot be found.", class.word()))
}
