//! What is wrong with a document, in AWS's words.

use std::fmt;

use super::PolicyKind;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    NotAnObject,
    /// No JSON, nested too deeply, or a name twice in one object.
    NotJson,
    /// In bytes without white space.
    TooLarge {
        limit: usize,
    },
    UnknownField(Box<str>),
    /// A string where an object belongs, an empty list, an element together with its negation.
    Shape,
    Version,
    MissingStatement,
    EmptyStatement,
    MissingEffect,
    Effect(Box<str>),
    Sid(Box<str>),
    DuplicateSid,
    MissingPrincipal,
    Principal(Box<str>),
    /// In a policy of an identity, which is the principal itself.
    ProhibitedPrincipal,
    /// It would allow everybody else in the world.
    AllowNotPrincipal,
    MissingAction,
    Action(Box<str>),
    MissingResource,
    Resource(Box<str>),
    /// In a role's trust policy, where the role is the resource.
    ProhibitedResource,
    /// Actions on objects where only the bucket is named, or the other way round.
    ActionWithoutResource,
    Operator(Box<str>),
    Key(Box<str>),
    /// A key of a service that is here, for which no request has a value.
    UnservedKey(Box<str>),
    /// A value that its operator can't read.
    Value(Box<str>),
    /// A variable that isn't closed, or names nothing.
    Variable(Box<str>),
}

/// A document that isn't a policy. Its text is the message that S3 or IAM gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub fault: Fault,
    of_bucket: bool,
    managed: bool,
}

impl Malformed {
    pub(super) fn new(kind: &PolicyKind, fault: Fault) -> Self {
        Self { fault, of_bucket: matches!(kind, PolicyKind::Bucket(_)), managed: *kind == PolicyKind::Managed }
    }

    /// The error code that AWS gives.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match (self.of_bucket, &self.fault) {
            (true, _) => "MalformedPolicy",
            (false, Fault::TooLarge { .. }) => "LimitExceeded",
            (false, _) => "MalformedPolicyDocument",
        }
    }

    fn for_bucket(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.fault {
            Fault::NotAnObject => "Policies must be valid JSON and the first byte must be '{'",
            Fault::NotJson => "This policy contains invalid Json",
            Fault::TooLarge { limit } => {
                return write!(f, "Normalized policy document exceeds the maximum allowed size of {limit} bytes.");
            }
            Fault::UnknownField(name) => return write!(f, "Unknown field {name}"),
            Fault::Shape | Fault::Variable(_) | Fault::Value(_) => "Invalid policy syntax.",
            Fault::Version => "The policy must contain a valid version string",
            Fault::MissingStatement => "Missing required field Statement",
            Fault::EmptyStatement => "Could not parse the policy: Statement is empty!",
            Fault::MissingEffect => "Missing required field Effect",
            Fault::Effect(value) => return write!(f, "Invalid effect: {value}"),
            Fault::Sid(_) => "Invalid policy syntax.",
            Fault::DuplicateSid => "Statement IDs (SID) in a single policy must be unique.",
            Fault::MissingPrincipal => "Missing required field Principal",
            Fault::Principal(_) | Fault::ProhibitedPrincipal => "Invalid principal in policy",
            Fault::AllowNotPrincipal => "Allow with NotPrincipal is not allowed",
            Fault::MissingAction => "Missing required field Action",
            Fault::Action(_) => "Policy has invalid action",
            Fault::MissingResource => "Missing required field Resource",
            Fault::Resource(_) | Fault::ProhibitedResource => "Policy has invalid resource",
            Fault::ActionWithoutResource => "Action does not apply to any resource(s) in statement",
            Fault::Operator(name) => return write!(f, "Invalid Condition type : {name}"),
            Fault::Key(_) | Fault::UnservedKey(_) => "Policy has an invalid condition key",
        })
    }

    fn for_identity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.fault {
            Fault::TooLarge { limit } => return write!(f, "Cannot exceed quota for PolicySize: {limit}"),
            Fault::Version if self.managed => "Policy document must be version 2012-10-17 or greater.",
            Fault::Sid(_) => {
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
                 [0-9A-Za-z]*"
            }
            Fault::DuplicateSid => "Statement IDs (SID) in a single policy must be unique.",
            Fault::MissingPrincipal => "Missing required field Principal",
            Fault::Principal(name) => return write!(f, "Invalid principal in policy: {name}"),
            Fault::ProhibitedPrincipal => "Policy document should not specify a principal.",
            Fault::AllowNotPrincipal => "Allow with NotPrincipal is not allowed.",
            Fault::MissingAction => "Policy statement must contain actions.",
            Fault::Action(_) | Fault::Key(_) => {
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            }
            Fault::UnservedKey(name) => return write!(f, "The condition key {name} is not supported."),
            Fault::MissingResource => "Policy statement must contain resources.",
            Fault::Resource(name) => return write!(f, "Resource {name} must be in ARN format or \"*\"."),
            Fault::ProhibitedResource => "Has prohibited field Resource.",
            Fault::NotAnObject
            | Fault::NotJson
            | Fault::UnknownField(_)
            | Fault::Shape
            | Fault::Version
            | Fault::MissingStatement
            | Fault::EmptyStatement
            | Fault::MissingEffect
            | Fault::Effect(_)
            | Fault::ActionWithoutResource
            | Fault::Operator(_)
            | Fault::Value(_)
            | Fault::Variable(_) => "Syntax errors in policy.",
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of_bucket { self.for_bucket(f) } else { self.for_identity(f) }
    }
}

impl std::error::Error for Malformed {}
