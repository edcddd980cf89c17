//! GetAccountSummary: how many there are of each, and how many there may be.

use super::fault::Fault;
use super::xml::Xml;
use super::{Ask, Iam, access_key, attachment, group, managed, provider};
use crate::identity::{Class, Own, Records};

/// What AWS limits and the node doesn't.
const UNLIMITED: usize = i32::MAX as usize;

impl Iam {
    pub(super) fn account_summary(&self, ask: &Ask) -> Result<Xml, Fault> {
        let records = self.records();
        ask.may(&records, "*")?;
        let mut xml = Xml::default();
        xml.node("SummaryMap", |xml| {
            for (key, value) in entries(&records) {
                xml.node("entry", |xml| {
                    xml.leaf("key", key).leaf("value", &value.to_string());
                });
            }
        });
        Ok(xml)
    }
}

fn entries(records: &Records) -> [(&'static str, usize); 22] {
    let count = |class| records.all(class).count();
    let versions = records.all(Class::Policy).map(|known| match &known.record.own {
        Own::Policy { versions, .. } => versions.len(),
        _ => 0,
    });
    [
        ("Users", count(Class::User)),
        ("UsersQuota", UNLIMITED),
        ("Groups", count(Class::Group)),
        ("GroupsQuota", UNLIMITED),
        ("Roles", count(Class::Role)),
        ("RolesQuota", UNLIMITED),
        ("Policies", count(Class::Policy)),
        ("PoliciesQuota", UNLIMITED),
        ("PolicyVersionsInUse", versions.sum()),
        ("PolicyVersionsInUseQuota", UNLIMITED),
        ("Providers", count(Class::Provider)),
        ("OpenIDConnectProvidersPerAccountQuota", provider::MOST),
        ("AccessKeysPerUserQuota", access_key::MOST),
        ("GroupsPerUserQuota", group::MOST),
        ("AttachedPoliciesPerUserQuota", attachment::MOST),
        ("AttachedPoliciesPerGroupQuota", attachment::MOST),
        ("AttachedPoliciesPerRoleQuota", attachment::MOST),
        ("UserPolicySizeQuota", attachment::room(Class::User)),
        ("GroupPolicySizeQuota", attachment::room(Class::Group)),
        ("RolePolicySizeQuota", attachment::room(Class::Role)),
        ("VersionsPerPolicyQuota", managed::MOST),
        ("AccountMFAEnabled", 0),
    ]
}
