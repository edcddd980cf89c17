//! What is changed of roles.

use packstone_access::{Policy, PolicyKind};

use super::entity::longest;
use super::fault::Fault;
use super::xml::Xml;
use super::{Ask, Iam};
use crate::bound_policy;
use crate::identity::{Class, Own};

impl Iam {
    pub(super) async fn update_trust(&self, ask: &Ask) -> Result<Xml, Fault> {
        let (name, text) = (ask.form.name(Class::Role)?, ask.form.need("PolicyDocument")?);
        let policy = Policy::parse(PolicyKind::Trust, name, text)?;
        self.alter(ask, Class::Role, name, |records, record| {
            if let Own::Role { trust, trusted, .. } = &mut record.own {
                *trusted = bound_policy::ids(&policy, records)?;
                text.clone_into(trust);
            }
            Ok(())
        })
        .await
        .map(|()| Xml::default())
    }

    pub(super) async fn update_role(&self, ask: &Ask) -> Result<Xml, Fault> {
        let asked = longest(&ask.form)?;
        self.alter(ask, Class::Role, ask.form.name(Class::Role)?, |_, record| {
            if let Own::Role { description, longest, .. } = &mut record.own {
                if let Some(text) = ask.form.get("Description") {
                    text.clone_into(description);
                }
                *longest = asked.unwrap_or(*longest);
            }
            Ok(())
        })
        .await
        .map(|()| Xml::default())
    }
}
