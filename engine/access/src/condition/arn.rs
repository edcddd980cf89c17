//! `ArnEquals` and `ArnLike`, which are the same: each of an ARN's six parts against its own pattern.

use crate::inquiry::Inquiry;
use crate::pattern::{BadVariable, Pattern, Syntax, arn_parts};

/// Six patterns, or none for `*`, which any ARN matches.
#[derive(Debug)]
pub(super) struct ArnPattern(Box<[Pattern]>);

impl ArnPattern {
    pub fn new(text: &str, variables: bool) -> Result<Self, BadVariable> {
        let syntax = Syntax { variables, wildcards: true };
        let parts = if text == "*" { Vec::new() } else { arn_parts(text) };
        Ok(Self(parts.into_iter().map(|part| Pattern::new(part, syntax)).collect::<Result<_, _>>()?))
    }

    pub fn matches(&self, text: &str, inquiry: &Inquiry<'_>) -> bool {
        let mut parts = text.splitn(6, ':');
        if self.0.is_empty() {
            return parts.next() == Some("arn") && parts.count() == 5;
        }
        self.0.iter().all(|pattern| parts.next().is_some_and(|part| pattern.matches(part, inquiry)))
            && parts.next().is_none()
    }

    pub fn is_fixed(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(Pattern::is_fixed)
    }
}
