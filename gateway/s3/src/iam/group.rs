//! Who is in which group.

use super::entity::{arn_or, paged};
use super::fault::Fault;
use super::xml::Xml;
use super::{Ask, Iam, named};
use crate::identity::{Change, Class, Own};

/// The most groups of one user.
pub(super) const MOST: usize = 10;

impl Iam {
    pub(super) async fn join(&self, ask: &Ask, joins: bool) -> Result<Xml, Fault> {
        let (group, user) = (ask.form.name(Class::Group)?, ask.form.name(Class::User)?);
        self.directory
            .change(|records| {
                // It is the group that leave is asked for.
                ask.may(records, &arn_or(records, Class::Group, group))?;
                let group = named(records, Class::Group, group)?;
                let mut record = named(records, Class::User, user)?.record.clone();
                let Own::User { groups, .. } = &mut record.own else { return Err(Fault::no_such(Class::User, user)) };
                if joins {
                    groups.insert(group.record.id.clone());
                } else {
                    groups.remove(&group.record.id);
                }
                if groups.len() > MOST {
                    return Err(Fault::limit("Cannot exceed quota for GroupsPerUser: 10"));
                }
                Ok((Change::Put(Box::new(record)), Xml::default()))
            })
            .await
    }

    pub(super) fn get_group(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        let name = ask.form.name(Class::Group)?;
        ask.may(&records, &arn_or(&records, Class::Group, name))?;
        let group = named(&records, Class::Group, name)?;
        let members = records.members(&group.record.id).map(|user| (user.record.name.to_lowercase(), user)).collect();
        let mut xml = paged(&ask.form, "Users", members, |xml, user| self.tell(xml, &user.record))?;
        xml.node("Group", |xml| self.tell(xml, &group.record));
        Ok(xml)
    }

    pub(super) fn groups_of(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        let name = ask.form.name(Class::User)?;
        ask.may(&records, &arn_or(&records, Class::User, name))?;
        let user = named(&records, Class::User, name)?;
        let groups = records.all(Class::Group).filter(|group| user.record.is_member_of(&group.record.id));
        let groups = groups.map(|group| (group.record.name.to_lowercase(), group)).collect();
        paged(&ask.form, "Groups", groups, |xml, group| self.tell(xml, &group.record))
    }
}
