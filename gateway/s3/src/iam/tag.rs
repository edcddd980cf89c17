//! Tags of users, roles and policies. Two of them say whose files a user's are on the mount: `packstone:uid`, a number,
//! and `packstone:gids`, numbers with spaces between them.

use std::collections::BTreeMap;

use super::entity::{arn_or, is_untag, own_policy_of, paged};
use super::fault::Fault;
use super::form::{MOST_TAGS, too_many_tags};
use super::provider::provider_of;
use super::xml::Xml;
use super::{Ask, Iam, named};
use crate::identity::{Class, GIDS, Record, Records, UID, uid};

impl Iam {
    pub(super) async fn tag(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let tags = ask.form.tags()?;
        check_numbers(&tags)?;
        let gone = ask.form.tag_keys()?;
        let name = self.tagged(ask, class)?;
        self.alter(ask, class, &name, |records, record| {
            if is_untag(ask.action) {
                record.tags.retain(|key, _| !gone.contains(&key.as_str()));
            } else {
                record.tags.extend(tags);
            }
            if record.tags.len() > MOST_TAGS {
                return Err(too_many_tags());
            }
            check_unique(records, record)
        })
        .await
        .map(|()| Xml::default())
    }

    pub(super) fn list_tags(&self, ask: &Ask, class: Class) -> Result<Xml, Fault> {
        let records = self.records();
        let name = self.tagged(ask, class)?;
        ask.may(&records, &arn_or(&records, class, &name))?;
        let known = named(&records, class, &name)?;
        let tags = known.record.tags.iter().map(|tag| (tag.0.clone(), tag)).collect();
        paged(&ask.form, "Tags", tags, |xml, (key, value)| {
            xml.leaf("Key", key).leaf("Value", value);
        })
    }

    /// The name of what a call is on: policies and identity providers are named by their ARN.
    fn tagged(&self, ask: &Ask, class: Class) -> Result<String, Fault> {
        let records = self.records();
        match class {
            Class::Policy => Ok(own_policy_of(&records, &ask.form)?.record.name.clone()),
            Class::Provider => Ok(provider_of(&records, &ask.form)?.record.name.clone()),
            Class::User | Class::Group | Class::Role => ask.form.name(class).map(str::to_owned),
        }
    }
}

/// Refuses ids that the mount could not use.
pub(super) fn check_numbers(tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    tags.iter().try_for_each(|(key, value)| check_number(key, value))
}

/// Refuses a uid that is another user's. 0 is nobody's on mounts.
pub(super) fn check_unique(records: &Records, record: &Record) -> Result<(), Fault> {
    let Some(wanted) = uid(&record.tags).filter(|uid| *uid != 0 && record.class() == Class::User) else {
        return Ok(());
    };
    let is_others = |id: &str, tags| *id != *record.id && uid(tags) == Some(wanted);
    match records.all(Class::User).find(|other| is_others(&other.record.id, &other.record.tags)) {
        None => Ok(()),
        Some(other) => Err(Fault::taken(format_args!("{UID} {wanted} is the user {}'s already", other.record.name))),
    }
}

fn check_number(key: &str, value: &str) -> Result<(), Fault> {
    let fits = match key {
        UID => value.parse::<u32>().is_ok(),
        GIDS => value.split_whitespace().all(|gid| gid.parse::<u32>().is_ok()),
        _ => true,
    };
    if fits { Ok(()) } else { Err(Fault::validation(format_args!("{key} takes numbers from 0 to 4294967295"))) }
}
