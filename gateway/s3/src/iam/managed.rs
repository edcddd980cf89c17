//! Managed policies and their versions.

use packstone_access::{Policy, PolicyKind};

use super::entity::{encoded, own_policy_of, paged, policy_of};
use super::fault::Fault;
use super::form::Form;
use super::xml::Xml;
use super::{Ask, Iam};
use crate::facts::iso;
use crate::identity::{Class, Own, PolicyVersion, Record, Records, now};

/// The most versions of one policy.
pub(super) const MOST: usize = 5;

impl Iam {
    pub(super) fn get_policy(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        ask.may(&records, ask.form.need("PolicyArn")?)?;
        let policy = policy_of(&records, &ask.form)?;
        let mut xml = Xml::default();
        xml.node("Policy", |xml| self.tell(xml, &policy.record));
        Ok(xml)
    }

    pub(super) async fn create_policy_version(&self, ask: &Ask) -> Result<Xml, Fault> {
        let text = ask.form.need("PolicyDocument")?;
        let in_force = ask.form.get("SetAsDefault") == Some("true");
        let version = self
            .alter_policy(ask, |record| {
                Policy::parse(PolicyKind::Managed, &record.name, text)?;
                let Own::Policy { versions, default, next, .. } = &mut record.own else { return Err(no_version("")) };
                if versions.len() >= MOST {
                    return Err(Fault::limit(
                        "A managed policy can have up to 5 versions. Before you create a new version, you must delete \
                         an existing version.",
                    ));
                }
                let version = PolicyVersion { number: *next, text: text.to_owned(), created: now() };
                *next += 1;
                if in_force {
                    *default = version.number;
                }
                versions.push(version.clone());
                Ok(version)
            })
            .await?;
        let mut xml = Xml::default();
        xml.node("PolicyVersion", |xml| tell(xml, &version, in_force));
        Ok(xml)
    }

    pub(super) fn get_policy_version(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        ask.may(&records, ask.form.need("PolicyArn")?)?;
        let (versions, default) = versions_of(&records, &ask.form)?;
        let number = number(&ask.form)?;
        let version = versions.iter().find(|version| version.number == number).ok_or_else(|| no_version(""))?;
        let mut xml = Xml::default();
        xml.node("PolicyVersion", |xml| {
            xml.leaf("Document", &encoded(&version.text));
            tell(xml, version, version.number == default);
        });
        Ok(xml)
    }

    pub(super) fn list_policy_versions(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        ask.may(&records, ask.form.need("PolicyArn")?)?;
        let (versions, default) = versions_of(&records, &ask.form)?;
        let items = versions.iter().map(|version| (format!("{:010}", version.number), version)).collect();
        paged(&ask.form, "Versions", items, |xml, version: &PolicyVersion| {
            tell(xml, version, version.number == default);
        })
    }

    pub(super) async fn set_default_policy_version(&self, ask: &Ask) -> Result<Xml, Fault> {
        let number = number(&ask.form)?;
        self.alter_policy(ask, |record| match &mut record.own {
            Own::Policy { versions, default, .. } if versions.iter().any(|version| version.number == number) => {
                *default = number;
                Ok(())
            }
            _ => Err(no_version(&record.name)),
        })
        .await
        .map(|()| Xml::default())
    }

    pub(super) async fn delete_policy_version(&self, ask: &Ask) -> Result<Xml, Fault> {
        let number = number(&ask.form)?;
        self.alter_policy(ask, |record| match &mut record.own {
            Own::Policy { default, .. } if *default == number => {
                Err(Fault::conflict("Cannot delete the default version of a policy."))
            }
            Own::Policy { versions, .. } if versions.iter().any(|version| version.number == number) => {
                versions.retain(|version| version.number != number);
                Ok(())
            }
            _ => Err(no_version(&record.name)),
        })
        .await
        .map(|()| Xml::default())
    }

    /// Changes the policy that a call names by its ARN.
    async fn alter_policy<T>(
        &self,
        ask: &Ask,
        change: impl FnOnce(&mut Record) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let records = self.records();
        ask.may(&records, ask.form.need("PolicyArn")?)?;
        let name = own_policy_of(&records, &ask.form)?.record.name.clone();
        self.alter(ask, Class::Policy, &name, |_, record| change(record)).await
    }
}

/// The versions of the policy that a call names, and which is in force.
fn versions_of<'r>(records: &'r Records, form: &Form) -> Result<(&'r [PolicyVersion], u32), Fault> {
    match &policy_of(records, form)?.record.own {
        Own::Policy { versions, default, .. } => Ok((versions, *default)),
        _ => Err(no_version("")),
    }
}

fn number(form: &Form) -> Result<u32, Fault> {
    let id = form.need("VersionId")?;
    let number = id.strip_prefix('v').and_then(|number| number.parse().ok());
    number.ok_or_else(|| Fault::validation("VersionId must be of the form v1"))
}

fn no_version(name: &str) -> Fault {
    Fault::no_entity(format_args!("Policy {name} version does not exist or is not attachable."))
}

fn tell(xml: &mut Xml, version: &PolicyVersion, in_force: bool) {
    xml.leaf("VersionId", &format!("v{}", version.number));
    xml.leaf("IsDefaultVersion", if in_force { "true" } else { "false" });
    xml.leaf("CreateDate", &iso(version.created).unwrap_or_default());
}
