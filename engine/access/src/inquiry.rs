//! One question as statements see it.

use crate::action::Action;
use crate::context::{Fact, Facts, Key, Name};
use crate::principal::Principal;

/// Who asks for what on what, and what is known beside it.
pub(crate) struct Inquiry<'a> {
    pub principal: &'a Principal,
    pub action: Action,
    /// The resource's ARN.
    pub target: &'a str,
    /// The account that the resource belongs to.
    pub account: Option<&'a str>,
    pub facts: &'a dyn Facts,
}

impl Inquiry<'_> {
    /// The value of a condition key.
    pub fn fact(&self, key: &Key) -> Fact<'_> {
        let who = self.principal;
        let of_account = |text| Some(text).filter(|_| who.has_account());
        match key.name {
            Name::Username => who.username().into(),
            Name::UserId => Some(who.user_id()).filter(|id| !id.is_empty()).into(),
            Name::PrincipalArn => of_account(who.arn()).into(),
            Name::PrincipalAccount => of_account(who.account()).into(),
            Name::PrincipalType => who.kind_name().into(),
            Name::PrincipalTag => who.tag(&key.tag).into(),
            Name::AwsResourceAccount | Name::ResourceAccount => self.account.into(),
            _ => match self.facts.fact(key) {
                Fact::Many(values) if values.is_empty() => Fact::Absent,
                fact => fact,
            },
        }
    }
}
