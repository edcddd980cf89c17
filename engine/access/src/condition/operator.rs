//! The names of condition operators.

use std::cmp::Ordering;

/// `[ForAllValues:|ForAnyValue:]Name[IfExists]`
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    pub quantifier: Quantifier,
    pub operand: Operand,
    pub negated: bool,
    pub if_exists: bool,
}

/// How the values of a key of many values count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    None,
    AllValues,
    AnyValue,
}

/// How values are read and held against each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand {
    Text,
    Wildcard,
    Caseless,
    Number(Order),
    Date(Order),
    Bool,
    Bytes,
    Network,
    Arn,
    Null,
}

/// How a fact stands to a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub fn holds<T: PartialOrd>(self, fact: &T, value: &T) -> bool {
        let order = fact.partial_cmp(value);
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl Operator {
    pub fn parse(text: &str) -> Option<Self> {
        let (quantifier, rest) = match text.split_once(':') {
            None => (Quantifier::None, text),
            Some(("ForAllValues", rest)) => (Quantifier::AllValues, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::AnyValue, rest),
            Some(_) => return None,
        };
        let (name, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |name| (name, true));
        let (operand, negated) = operand(name)?;
        // Null asks whether the key exists: nothing is left to say for one that doesn't.
        if matches!(operand, Operand::Null) && (if_exists || quantifier != Quantifier::None) {
            return None;
        }
        Some(Self { quantifier, operand, negated, if_exists })
    }
}

/// What a name compares, and whether it is negated.
fn operand(name: &str) -> Option<(Operand, bool)> {
    Some(match name {
        "StringEquals" => (Operand::Text, false),
        "StringNotEquals" => (Operand::Text, true),
        "StringEqualsIgnoreCase" => (Operand::Caseless, false),
        "StringNotEqualsIgnoreCase" => (Operand::Caseless, true),
        "StringLike" => (Operand::Wildcard, false),
        "StringNotLike" => (Operand::Wildcard, true),
        "NumericEquals" => (Operand::Number(Order::Equal), false),
        "NumericNotEquals" => (Operand::Number(Order::Equal), true),
        "NumericLessThan" => (Operand::Number(Order::Less), false),
        "NumericLessThanEquals" => (Operand::Number(Order::LessOrEqual), false),
        "NumericGreaterThan" => (Operand::Number(Order::Greater), false),
        "NumericGreaterThanEquals" => (Operand::Number(Order::GreaterOrEqual), false),
        "DateEquals" => (Operand::Date(Order::Equal), false),
        "DateNotEquals" => (Operand::Date(Order::Equal), true),
        "DateLessThan" => (Operand::Date(Order::Less), false),
        "DateLessThanEquals" => (Operand::Date(Order::LessOrEqual), false),
        "DateGreaterThan" => (Operand::Date(Order::Greater), false),
        "DateGreaterThanEquals" => (Operand::Date(Order::GreaterOrEqual), false),
        "Bool" => (Operand::Bool, false),
        "BinaryEquals" => (Operand::Bytes, false),
        "IpAddress" => (Operand::Network, false),
        "NotIpAddress" => (Operand::Network, true),
        "ArnEquals" | "ArnLike" => (Operand::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Operand::Arn, true),
        "Null" => (Operand::Null, false),
        _ => return None,
    })
}
