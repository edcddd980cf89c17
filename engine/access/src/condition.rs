//! `Condition`: operators over the facts of a request.
//!
//! A statement applies if all its conditions hold. A condition holds if the key's value meets one of the values beside
//! it, for a negated operator (`StringNotEquals` and the like) if it meets none. A key that the request doesn't have
//! meets nothing: that fails a condition, unless its operator is negated, ends in `IfExists` or begins with
//! `ForAllValues:`.

mod arn;
mod network;
mod operator;
mod scalar;

use std::borrow::Cow;

use crate::context::{Fact, Key, Name};
use crate::document::Fault;
use crate::inquiry::Inquiry;
use crate::pattern::{Pattern, Syntax};
use arn::ArnPattern;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use network::Network;
use operator::{Operand, Operator, Order, Quantifier};

#[derive(Debug)]
pub(crate) struct Condition {
    key: Key,
    operator: Operator,
    test: Test,
}

/// The values that a fact is held against, read as the operator reads them.
#[derive(Debug)]
enum Test {
    Text(Box<[Pattern]>),
    Caseless(Box<[Pattern]>),
    Number(Order, Box<[f64]>),
    /// Nanoseconds since 1970.
    Date(Order, Box<[i128]>),
    Bool(Box<[bool]>),
    Bytes(Box<[Vec<u8>]>),
    Network(Box<[Network]>),
    Arn(Box<[ArnPattern]>),
    /// Whether the key is missing.
    Null(Box<[bool]>),
}

impl Condition {
    pub fn new(operator: &str, key: &str, values: &[String], variables: bool) -> Result<Self, Fault> {
        let read = Operator::parse(operator).ok_or_else(|| Fault::Operator(operator.into()))?;
        let text = key;
        let key = Key::parse(text).ok_or_else(|| Fault::Key(text.into()))?;
        if !key.is_answered() {
            return Err(Fault::UnservedKey(text.into()));
        }
        if values.is_empty() {
            return Err(Fault::Shape);
        }
        Ok(Self { key, test: test(read.operand, values, variables)?, operator: read })
    }

    pub fn is_of_buckets(&self) -> bool {
        self.key.is_of_buckets()
    }

    pub fn holds(&self, inquiry: &Inquiry<'_>) -> bool {
        let fact = inquiry.fact(&self.key);
        if let Test::Null(values) = &self.test {
            return values.contains(&(fact == Fact::Absent));
        }
        let meets = |value: &Cow<'_, str>| self.test.meets(value, inquiry);
        let negated = self.operator.negated;
        let quantifier = self.operator.quantifier;
        match &fact {
            Fact::Absent => match quantifier {
                Quantifier::AllValues => true,
                Quantifier::AnyValue => self.operator.if_exists,
                Quantifier::None => negated || self.operator.if_exists,
            },
            Fact::One(value) => meets(value) != negated,
            Fact::Many(values) => match quantifier {
                Quantifier::AllValues => values.iter().all(|value| meets(value) != negated),
                Quantifier::AnyValue => values.iter().any(|value| meets(value) != negated),
                Quantifier::None => values.iter().any(meets) != negated,
            },
        }
    }

    /// Whether it holds only for networks, accounts, principals or keys of encryption that it names: by no wildcard,
    /// by no variable, and not for a request without the key.
    pub fn excludes_the_public(&self) -> bool {
        let operator = &self.operator;
        let demands = !operator.negated && !operator.if_exists && operator.quantifier != Quantifier::AllValues;
        let fixed = match &self.test {
            Test::Text(patterns) | Test::Caseless(patterns) => patterns.iter().all(|pattern| self.pins(pattern)),
            Test::Arn(patterns) => patterns.iter().all(ArnPattern::is_fixed),
            Test::Network(networks) => network::are_narrow(networks),
            Test::Number(..) | Test::Date(..) | Test::Bool(_) | Test::Bytes(_) | Test::Null(_) => false,
        };
        demands && fixed && PINNING.contains(&self.key.name)
    }

    /// Whether a text stands for somebody: who signs nothing has a user id too.
    fn pins(&self, pattern: &Pattern) -> bool {
        match pattern {
            Pattern::Text(text) => self.key.name != Name::UserId || !text.eq_ignore_ascii_case("anonymous"),
            Pattern::Glob(_) | Pattern::Template(_) => false,
        }
    }
}

/// Keys whose fixed values say who may come.
const PINNING: &[Name] = &[
    Name::DataAccessPointAccount,
    Name::DataAccessPointArn,
    Name::PrincipalAccount,
    Name::PrincipalArn,
    Name::PrincipalOrgId,
    Name::ServerSideEncryptionKmsKeyId,
    Name::SourceAccount,
    Name::SourceArn,
    Name::SourceIp,
    Name::SourceOwner,
    Name::SourceVpc,
    Name::SourceVpce,
    Name::UserId,
    Name::VpcSourceIp,
];

fn test(operand: Operand, values: &[String], variables: bool) -> Result<Test, Fault> {
    let patterns = |wildcards| {
        let syntax = Syntax { variables, wildcards };
        read(values, |text| Pattern::new(text, syntax).map_err(|_| Fault::Variable(text.into())))
    };
    Ok(match operand {
        Operand::Text => Test::Text(patterns(false)?),
        Operand::Wildcard => Test::Text(patterns(true)?),
        Operand::Caseless => Test::Caseless(patterns(false)?),
        Operand::Arn => {
            Test::Arn(read(values, |text| ArnPattern::new(text, variables).map_err(|_| Fault::Variable(text.into())))?)
        }
        Operand::Number(order) => Test::Number(order, read(values, |text| or_fault(text, scalar::number(text)))?),
        Operand::Date(order) => Test::Date(order, read(values, |text| or_fault(text, scalar::date(text)))?),
        Operand::Bool => Test::Bool(read(values, |text| or_fault(text, scalar::truth(text)))?),
        Operand::Null => Test::Null(read(values, |text| or_fault(text, scalar::truth(text)))?),
        Operand::Bytes => Test::Bytes(read(values, |text| or_fault(text, STANDARD.decode(text).ok()))?),
        Operand::Network => Test::Network(read(values, |text| or_fault(text, Network::parse(text)))?),
    })
}

fn read<T>(values: &[String], one: impl Fn(&str) -> Result<T, Fault>) -> Result<Box<[T]>, Fault> {
    values.iter().map(|value| one(value)).collect()
}

fn or_fault<T>(text: &str, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::Value(text.into()))
}

impl Test {
    /// Whether `fact` meets one of the values; one that can't be read meets none.
    fn meets(&self, fact: &str, inquiry: &Inquiry<'_>) -> bool {
        match self {
            Self::Text(patterns) => patterns.iter().any(|pattern| pattern.matches(fact, inquiry)),
            Self::Caseless(patterns) => patterns
                .iter()
                .any(|pattern| pattern.text(inquiry).is_some_and(|text| scalar::equal_but_for_case(&text, fact))),
            Self::Arn(patterns) => patterns.iter().any(|pattern| pattern.matches(fact, inquiry)),
            Self::Number(order, values) => {
                scalar::number(fact).is_some_and(|fact| values.iter().any(|value| order.holds(&fact, value)))
            }
            Self::Date(order, values) => {
                scalar::date(fact).is_some_and(|fact| values.iter().any(|value| order.holds(&fact, value)))
            }
            Self::Bool(values) => scalar::truth(fact).is_some_and(|fact| values.contains(&fact)),
            Self::Bytes(values) => STANDARD.decode(fact).is_ok_and(|fact| values.contains(&fact)),
            Self::Network(networks) => {
                network::address(fact).is_some_and(|address| networks.iter().any(|network| network.holds(address)))
            }
            Self::Null(_) => false,
        }
    }
}
