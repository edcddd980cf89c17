//! OpenID Connect providers: whose tokens are believed, and for which clients.

use std::sync::Arc;

use super::entity::{element, tagging, tell_tags};
use super::fault::Fault;
use super::form::Form;
use super::xml::Xml;
use super::{Ask, Iam, named};
use crate::facts::iso;
use crate::identity::{Change, Class, Known, Own, Record, Records, arn, mint, now};
use crate::oidc::Issuer;

/// The most providers, the most clients of one, and the most thumbprints of one.
pub(super) const MOST: usize = 100;
const MOST_CLIENTS: usize = 100;
const MOST_THUMBPRINTS: usize = 5;

impl Iam {
    pub(super) async fn create_provider(&self, ask: &Ask) -> Result<Xml, Fault> {
        let issuer = Issuer::parse(ask.form.need("Url")?)?;
        let (name, own) = (issuer.name(), new_own(&ask.form)?);
        let (records, new) = (self.records(), arn(Class::Provider, "/", name));
        ask.may(&records, &new)?;
        let tags = ask.form.tags()?;
        if !tags.is_empty() {
            ask.may_do(tagging(Class::Provider), &records, &new)?;
        }
        let record = self
            .directory
            .change(|records| {
                // Condition keys are named after it, whatever its case.
                let same = |held: &str| key_name(held) == key_name(name);
                if records.all(Class::Provider).any(|known| same(&known.record.name)) {
                    return Err(Fault::taken(format_args!("Provider with url {} already exists.", issuer.url())));
                }
                if records.all(Class::Provider).count() >= MOST {
                    return Err(Fault::limit(format_args!(
                        "Cannot exceed quota for OpenIdConnectProvidersPerAccount: {MOST}"
                    )));
                }
                let record = Record {
                    id: mint(Class::Provider.prefix())?,
                    path: "/".to_owned(),
                    name: name.to_owned(),
                    created: now(),
                    tags,
                    inline: std::collections::BTreeMap::new(),
                    attached: std::collections::BTreeSet::new(),
                    boundary: None,
                    own,
                };
                Ok((Change::Put(Box::new(record.clone())), record))
            })
            .await?;
        let mut xml = Xml::default();
        xml.leaf(&format!("{}Arn", element(Class::Provider)), &record.arn());
        tell_tags(&mut xml, &record.tags);
        Ok(xml)
    }

    pub(super) fn get_provider(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        ask.may(&records, ask.form.name(Class::Provider)?)?;
        let Record { name, created, tags, own, .. } = &provider_of(&records, &ask.form)?.record;
        let mut xml = Xml::default();
        xml.leaf("Url", name).leaf("CreateDate", &iso(*created).unwrap_or_default());
        if let Own::Provider { clients, thumbprints, .. } = own {
            for (list, items) in [("ClientIDList", clients), ("ThumbprintList", thumbprints)] {
                xml.list(list, items, |xml, item| crate::front::refusal::escape(item, &mut xml.0));
            }
        }
        tell_tags(&mut xml, tags);
        Ok(xml)
    }

    pub(super) fn list_providers(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        ask.may(&records, &arn(Class::Provider, "/", "*"))?;
        let mut xml = Xml::default();
        xml.list("OpenIDConnectProviderList", records.all(Class::Provider), |xml, known| {
            xml.leaf("Arn", &known.record.arn());
        });
        Ok(xml)
    }

    pub(super) async fn delete_provider(&self, ask: &Ask) -> Result<Xml, Fault> {
        let arn = ask.form.name(Class::Provider)?;
        self.directory
            .change(|records| {
                ask.may(records, arn)?;
                Ok::<_, Fault>((Change::Remove(provider_of(records, &ask.form)?.record.id.clone()), ()))
            })
            .await
            .map(|()| Xml::default())
    }

    /// Adds a client or takes one away; that it is so already is no error.
    pub(super) async fn change_client(&self, ask: &Ask, adds: bool) -> Result<Xml, Fault> {
        let client = ask.form.need("ClientID")?;
        check_client(client)?;
        self.alter_provider(ask, |clients, _| {
            clients.retain(|held| held != client);
            if adds {
                clients.push(client.to_owned());
            }
            if clients.len() > MOST_CLIENTS { Err(too_many_clients()) } else { Ok(()) }
        })
        .await
    }

    pub(super) async fn update_thumbprints(&self, ask: &Ask) -> Result<Xml, Fault> {
        let new = thumbprints(&ask.form)?;
        self.alter_provider(ask, |_, thumbprints| {
            *thumbprints = new;
            Ok(())
        })
        .await
    }

    async fn alter_provider(
        &self,
        ask: &Ask,
        change: impl FnOnce(&mut Vec<String>, &mut Vec<String>) -> Result<(), Fault>,
    ) -> Result<Xml, Fault> {
        let records = self.records();
        ask.may(&records, ask.form.name(Class::Provider)?)?;
        let name = provider_of(&records, &ask.form)?.record.name.clone();
        self.alter(ask, Class::Provider, &name, |records, record| match &mut record.own {
            Own::Provider { clients, thumbprints, .. } => change(clients, thumbprints),
            _ => named(records, Class::Provider, &name).map(drop),
        })
        .await
        .map(|()| Xml::default())
    }
}

/// What condition keys call a provider, by its name.
pub(super) fn key_name(name: &str) -> String {
    name.trim_end_matches('/').to_lowercase()
}

/// The provider that a call names by its ARN.
pub(super) fn provider_of<'r>(records: &'r Records, form: &Form) -> Result<&'r Arc<Known>, Fault> {
    let arn = form.name(Class::Provider)?;
    records.of_arn(Class::Provider, arn).ok_or_else(|| Fault::no_such(Class::Provider, arn))
}

pub(super) fn new_own(form: &Form) -> Result<Own, Fault> {
    let clients = form.members("ClientIDList", MOST_CLIENTS).ok_or_else(too_many_clients)?;
    clients.iter().try_for_each(|client| check_client(client))?;
    Ok(Own::Provider { url: form.need("Url")?.to_owned(), clients, thumbprints: thumbprints(form)? })
}

fn thumbprints(form: &Form) -> Result<Vec<String>, Fault> {
    let given = form.members("ThumbprintList", MOST_THUMBPRINTS);
    let given = given.ok_or_else(|| {
        Fault::invalid_input(format_args!("Thumbprint list must contain fewer than {MOST_THUMBPRINTS} entries."))
    })?;
    match given.iter().find(|text| text.len() != 40 || !text.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        Some(_) => Err(Fault::validation("A thumbprint has 40 hexadecimal digits.")),
        None => Ok(given),
    }
}

fn check_client(client: &str) -> Result<(), Fault> {
    if client.is_empty() || client.len() > 255 {
        return Err(Fault::validation("A client ID has 1 to 255 characters."));
    }
    Ok(())
}

fn too_many_clients() -> Fault {
    Fault::limit(format_args!("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MOST_CLIENTS}"))
}
