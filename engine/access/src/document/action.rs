//! `Action`: names, and whether they fit the resources beside them.

use std::sync::LazyLock;

use super::PolicyKind;
use super::fault::Fault;
use super::resource::{self, Reach};
use super::statement::Listed;
use crate::action::{Action, Level, UNSERVED};
use crate::glob::{Glob, Token};

/// What policies can name, in lower case, in the order of [`Action::ALL`].
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let of_policies = Action::ALL.iter().filter(|action| action.level() != Level::Node);
    of_policies.map(|action| action.name().to_ascii_lowercase()).collect()
});

/// Actions are named without regard to case, and know no variables.
pub(crate) struct ActionPattern(Glob);

impl ActionPattern {
    pub fn new(text: &str) -> Self {
        Self(Glob::new(text.chars().map(|letter| match letter {
            '*' => Token::Many,
            '?' => Token::One,
            _ => Token::Char(letter.to_ascii_lowercase()),
        })))
    }

    /// The actions of this crate that it stands for; none of them is the node's own.
    pub fn actions(&self) -> impl Iterator<Item = Action> {
        let of_policies = |action: &Action| action.level() != Level::Node;
        let named = Action::ALL.iter().copied().filter(of_policies).zip(&*NAMES);
        named.filter(|(_, name)| self.0.matches(name)).map(|(action, _)| action)
    }

    fn names_unserved(&self) -> bool {
        UNSERVED.iter().any(|name| self.0.matches(&name.to_ascii_lowercase()))
    }
}

pub(super) fn check(kind: &PolicyKind, name: &str) -> Result<(), Fault> {
    let invalid = || Fault::Action(name.into());
    if name == "*" {
        return Ok(());
    }
    let (service, rest) = name.split_once(':').ok_or_else(invalid)?;
    let vendor = !service.is_empty() && service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !vendor || rest.is_empty() {
        return Err(invalid());
    }
    if !matches!(kind, PolicyKind::Bucket(_)) {
        return Ok(());
    }
    // A bucket's policy speaks of S3 alone, and a name that matches no action is a slip of the pen.
    let pattern = ActionPattern::new(name);
    let known = pattern.actions().any(Action::is_s3) || pattern.names_unserved();
    if known && service.eq_ignore_ascii_case("s3") { Ok(()) } else { Err(invalid()) }
}

/// Every action must apply to some resource: an action on objects to a name with a key, one on buckets to one without.
pub(super) fn check_applies(actions: &Listed<String>, resources: &Listed<String>) -> Result<(), Fault> {
    if actions.negated || resources.negated {
        return Ok(());
    }
    let reach: Vec<Reach> = resources.items.iter().map(|name| resource::reach(name)).collect();
    let applies = |action: Action| match action.level() {
        Level::Object => reach.iter().any(|reach| *reach != Reach::Buckets),
        Level::Bucket => reach.iter().any(|reach| *reach != Reach::Objects),
        Level::Account | Level::Identity | Level::Node => false,
    };
    for name in &actions.items {
        let pattern = ActionPattern::new(name);
        let mut known = pattern.actions().peekable();
        if known.peek().is_some() && !known.any(applies) {
            return Err(Fault::ActionWithoutResource);
        }
    }
    Ok(())
}
