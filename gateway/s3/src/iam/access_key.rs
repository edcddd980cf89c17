//! Access keys. A secret is told once, when its key is made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::entity::{arn_or, paged};
use super::fault::Fault;
use super::xml::Xml;
use super::{Ask, Iam, named};
use crate::facts::iso;
use crate::identity::{AccessKey, Class, Own, Prefix, Purpose, Record, mint, now, secret};

/// The most access keys of one user: an old one and a new one while it is replaced.
pub(super) const MOST: usize = 2;

impl Iam {
    pub(super) async fn create_access_key(&self, ask: &Ask) -> Result<Xml, Fault> {
        let (name, id, secret) = (ask.user()?, mint(Prefix::AccessKey)?, secret()?);
        let sealed = self.directory.ring().master().seal(Purpose::Secret, &id, secret.as_bytes())?;
        let made = Some(self.directory.store().compliance_time());
        let key = AccessKey { id: id.clone(), secret: STANDARD.encode(sealed), active: true, created: now(), made };
        self.alter(ask, Class::User, name, |_, record| {
            let keys = keys_of(record)?;
            if keys.len() >= MOST {
                return Err(Fault::limit("Cannot exceed quota for AccessKeysPerUser: 2"));
            }
            keys.push(key.clone());
            Ok(())
        })
        .await?;
        let mut xml = Xml::default();
        xml.node("AccessKey", |xml| {
            tell(xml, name, &key);
            xml.leaf("SecretAccessKey", &secret);
        });
        Ok(xml)
    }

    pub(super) fn list_access_keys(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        let name = ask.user()?;
        ask.may(&records, &arn_or(&records, Class::User, name))?;
        let user = named(&records, Class::User, name)?;
        let mut keys: Vec<_> = user.record.keys().iter().map(|key| (key.id.clone(), key)).collect();
        keys.sort_by(|one, other| one.0.cmp(&other.0));
        paged(&ask.form, "AccessKeyMetadata", keys, |xml, key| tell(xml, &user.record.name, key))
    }

    pub(super) async fn update_access_key(&self, ask: &Ask) -> Result<Xml, Fault> {
        let id = ask.form.need("AccessKeyId")?;
        let active = match ask.form.need("Status")? {
            "Active" => true,
            "Inactive" => false,
            _ => return Err(Fault::validation("Status must be Active or Inactive")),
        };
        self.alter(ask, Class::User, &self.holder(ask, id)?, |_, record| {
            let key = keys_of(record)?.iter_mut().find(|key| key.id == id).ok_or_else(|| no_key(id))?;
            key.active = active;
            Ok(())
        })
        .await
        .map(|()| Xml::default())
    }

    pub(super) async fn delete_access_key(&self, ask: &Ask) -> Result<Xml, Fault> {
        let id = ask.form.need("AccessKeyId")?;
        self.alter(ask, Class::User, &self.holder(ask, id)?, |_, record| {
            let keys = keys_of(record)?;
            let before = keys.len();
            keys.retain(|key| key.id != id);
            if keys.len() == before { Err(no_key(id)) } else { Ok(()) }
        })
        .await
        .map(|()| Xml::default())
    }

    /// When a key was used last isn't kept.
    pub(super) fn access_key_last_used(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        let id = ask.form.need("AccessKeyId")?;
        ask.may(&records, "*")?;
        let user = records.holder(id).ok_or_else(|| no_key(id))?;
        let mut xml = Xml::default();
        xml.leaf("UserName", &user.record.name).node("AccessKeyLastUsed", |xml| {
            xml.leaf("ServiceName", "N/A").leaf("Region", "N/A");
        });
        Ok(xml)
    }

    /// Whose key a call means: the user's that it names, or the caller's own.
    fn holder(&self, ask: &Ask, id: &str) -> Result<String, Fault> {
        match (ask.user(), self.records().holder(id)) {
            (Ok(name), _) => Ok(name.to_owned()),
            (Err(_), Some(user)) => Ok(user.record.name.clone()),
            (Err(fault), None) => Err(fault),
        }
    }
}

fn keys_of(record: &mut Record) -> Result<&mut Vec<AccessKey>, Fault> {
    match &mut record.own {
        Own::User { keys, .. } => Ok(keys),
        _ => Err(Fault::no_such(Class::User, &record.name)),
    }
}

fn no_key(id: &str) -> Fault {
    Fault::no_entity(format_args!("The Access Key with id {id} cannot be found."))
}

fn tell(xml: &mut Xml, user: &str, key: &AccessKey) {
    xml.leaf("UserName", user).leaf("AccessKeyId", &key.id);
    xml.leaf("Status", if key.active { "Active" } else { "Inactive" });
    xml.leaf("CreateDate", &iso(key.created).unwrap_or_default());
}
