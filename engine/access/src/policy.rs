//! Policies compiled: what a statement asks is prepared once, and statements are found by action.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::action::Action;
use crate::condition::Condition;
use crate::document::{
    ActionPattern, Document, Effect, Listed, Malformed, PolicyKind, PrincipalName, Principals, Statement as Written,
};
use crate::inquiry::Inquiry;
use crate::pattern::Pattern;
use crate::principal::{Kind, Principal};

/// A policy that was checked and compiled. Immutable; share it by `Arc`.
#[derive(Debug)]
pub struct Policy {
    name: Box<str>,
    kind: PolicyKind,
    statements: Box<[Statement]>,
    by_action: ByAction,
    public: bool,
}

/// One statement of a policy.
#[derive(Debug)]
pub struct Statement {
    /// From 0, in the order of the document.
    number: usize,
    sid: Option<Box<str>>,
    effect: Effect,
    principals: Option<Principals>,
    resources: Option<Listed<Pattern>>,
    conditions: Box<[Condition]>,
}

/// For each action the numbers of the statements that speak of it, in the order of the document.
#[derive(Debug)]
struct ByAction(Box<[Box<[u32]>]>);

/// How directly a statement of a resource's policy names who asks. What it allows counts accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Naming {
    /// The account, which leaves it to policies of its own whom of it this is for.
    Account,
    /// The role whose session asks, or everybody and so it too: within the session's bounds.
    Role,
    /// The user, the session, or everybody.
    Direct,
}

/// What one policy says to an inquiry.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict<'a> {
    Silent,
    Allow(&'a Statement, Naming),
    Deny(&'a Statement),
}

impl Policy {
    /// Checks and compiles a document. `name` is what decisions call it by.
    ///
    /// # Errors
    /// [`Malformed`], as AWS words it.
    pub fn parse(kind: PolicyKind, name: &str, text: &str) -> Result<Arc<Self>, Malformed> {
        Self::parse_bound(kind, name, text, &BTreeMap::new())
    }

    /// As [`Self::parse`], of a document that names users, roles and sessions by ARNs that were theirs once: each ARN in
    /// `ids` stands for the user or role with that id, and for nobody else.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_bound(
        kind: PolicyKind,
        name: &str,
        text: &str,
        ids: &BTreeMap<String, String>,
    ) -> Result<Arc<Self>, Malformed> {
        let mut document = Document::parse(&kind, text)?;
        for named in document.statements.iter_mut().filter_map(|statement| statement.principals.as_mut()) {
            named.items.iter_mut().for_each(|name| name.bind(ids));
        }
        let by_action = ByAction::new(&document.statements);
        let statements: Box<[Statement]> = document.statements.into_iter().enumerate().map(Statement::new).collect();
        let public = statements.iter().any(Statement::is_public);
        Ok(Arc::new(Self { name: name.into(), kind, statements, by_action, public }))
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ARNs of users, roles and sessions that its statements name.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let listed = self.statements.iter().filter_map(|statement| statement.principals.as_ref());
        listed.flat_map(|listed| &listed.items).filter_map(|name| match name {
            PrincipalName::Arn { arn, .. } => Some(&**arn),
            _ => None,
        })
    }

    #[must_use]
    pub fn kind(&self) -> &PolicyKind {
        &self.kind
    }

    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// Whether it allows anything to everybody, as AWS defines it for a bucket's policy: some statement allows, its
    /// principal is anyone, and no condition pins the request to fixed networks, accounts, principals or keys.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.public
    }

    /// A deny that applies, else the allow that names the asker most directly.
    pub(crate) fn judge(&self, inquiry: &Inquiry<'_>) -> Verdict<'_> {
        let mut allow: Option<(&Statement, Naming)> = None;
        for statement in self.by_action.numbers(inquiry.action).iter().filter_map(|at| self.statement(*at)) {
            let Some(naming) = statement.naming(inquiry.principal) else { continue };
            let outdone = allow.is_some_and(|(_, best)| best >= naming);
            if (statement.effect == Effect::Allow && outdone) || !statement.applies(inquiry) {
                continue;
            }
            match statement.effect {
                Effect::Deny => return Verdict::Deny(statement),
                Effect::Allow => allow = Some((statement, naming)),
            }
        }
        allow.map_or(Verdict::Silent, |(statement, naming)| Verdict::Allow(statement, naming))
    }

    fn statement(&self, number: u32) -> Option<&Statement> {
        self.statements.get(usize::try_from(number).ok()?)
    }
}

impl ByAction {
    fn new(statements: &[Written]) -> Self {
        let mut lists = vec![Vec::new(); Action::ALL.len()];
        for (number, statement) in (0_u32..).zip(statements) {
            let patterns: Vec<ActionPattern> =
                statement.actions.items.iter().map(|text| ActionPattern::new(text)).collect();
            let named: HashSet<Action> = patterns.iter().flat_map(ActionPattern::actions).collect();
            for (list, action) in lists.iter_mut().zip(Action::ALL) {
                if named.contains(action) != statement.actions.negated {
                    list.push(number);
                }
            }
        }
        Self(lists.into_iter().map(Vec::into_boxed_slice).collect())
    }

    fn numbers(&self, action: Action) -> &[u32] {
        self.0.get(action as usize).map_or(&[], |numbers| numbers)
    }
}

impl Statement {
    fn new((number, written): (usize, Written)) -> Self {
        Self {
            number,
            sid: written.sid,
            effect: written.effect,
            principals: written.principals,
            resources: written.resources,
            conditions: written.conditions.into(),
        }
    }

    /// Its place in the document, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    #[must_use]
    pub fn is_allow(&self) -> bool {
        self.effect == Effect::Allow
    }

    fn is_public(&self) -> bool {
        let anyone = self.principals.as_ref().is_some_and(|listed| listed.items.contains(&PrincipalName::Anyone));
        self.is_allow() && anyone && !self.conditions.iter().any(Condition::excludes_the_public)
    }

    /// How it names who asks; None if it doesn't.
    fn naming(&self, principal: &Principal) -> Option<Naming> {
        let Some(listed) = &self.principals else { return Some(Naming::Direct) };
        let naming = listed.items.iter().filter_map(|name| name.naming(principal)).max();
        // To except an account excepts its root, and none of its users.
        if listed.negated { (naming < Some(Naming::Role)).then_some(Naming::Direct) } else { naming }
    }

    /// Whether resource and conditions are met.
    fn applies(&self, inquiry: &Inquiry<'_>) -> bool {
        let resource = self.resources.as_ref().is_none_or(|resources| {
            resources.items.iter().any(|pattern| pattern.matches(inquiry.target, inquiry)) != resources.negated
        });
        resource && self.conditions.iter().all(|condition| condition.holds(inquiry))
    }
}

impl PrincipalName {
    fn bind(&mut self, ids: &BTreeMap<String, String>) {
        if let Self::Arn { arn, id } = self {
            *id = ids.get(&**arn).map(|id| id.as_str().into());
        }
    }

    fn naming(&self, principal: &Principal) -> Option<Naming> {
        match self {
            // A session can't be let out of its bounds by a statement that doesn't name it.
            Self::Anyone if matches!(principal.kind(), Kind::Role { .. }) => Some(Naming::Role),
            // Nor is anybody whom some provider vouches for meant by a role that names no provider.
            Self::Anyone if matches!(principal.kind(), Kind::Federated { .. }) => None,
            Self::Anyone => Some(Naming::Direct),
            Self::Account(account) if principal.has_account() && **account == *principal.account() => {
                Some(if principal.is_root() { Naming::Direct } else { Naming::Account })
            }
            Self::CanonicalUser(id) if principal.has_account() && **id == *principal.canonical_id() => {
                Some(if principal.is_root() { Naming::Direct } else { Naming::Account })
            }
            Self::Arn { id: Some(id), .. } if principal.entity_id() != Some(id) => None,
            // Whatever the user is called by then.
            Self::Arn { id: Some(_), .. } if matches!(principal.kind(), Kind::User { .. }) => Some(Naming::Direct),
            Self::Arn { arn, .. } if **arn == *principal.acting_arn() => Some(Naming::Direct),
            Self::Arn { arn, .. } if **arn == *principal.arn() && !principal.arn().is_empty() => Some(Naming::Role),
            Self::Federated(name) => match principal.kind() {
                Kind::Federated { provider } if provider == name => Some(Naming::Direct),
                _ => None,
            },
            Self::Service(name) => match principal.kind() {
                Kind::Service { name: held } if held == name => Some(Naming::Direct),
                _ => None,
            },
            Self::Account(_) | Self::CanonicalUser(_) | Self::Arn { .. } => None,
        }
    }
}
