//! Policy documents of forms: until when a form may be sent, and what its fields may say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use s3s::dto::{Timestamp, TimestampFormat};
use serde::Deserialize;
use serde_json::Value;
use std::ops::RangeInclusive;

use super::fields::Fields;
use crate::front::refusal::Refusal;

/// Fields that no condition has to name: the file, and what vouches for the others.
const EXEMPT: [&str; 3] = ["file", "policy", "x-amz-signature"];
/// Fields that begin so are nobody's business.
const IGNORED: &str = "x-ignore-";

/// A policy document, read but not yet compared with a form.
#[derive(Debug)]
pub struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Is { field: String, value: String },
    BeginsWith { field: String, value: String },
    Length(u64, u64),
}

/// The document as JSON; names that it doesn't know are passed over.
#[derive(Deserialize)]
struct Document {
    expiration: Option<String>,
    conditions: Option<Vec<Value>>,
}

impl Policy {
    /// Reads the field `policy`.
    ///
    /// # Errors
    /// `InvalidPolicyDocument`.
    pub fn parse(encoded: &str) -> Result<Self, Refusal> {
        // Long ones are broken into lines.
        let joined: String = encoded.split_ascii_whitespace().collect();
        let json = STANDARD.decode(joined).map_err(|_| invalid("Invalid Policy: Invalid Base64 Encoding."))?;
        let document: Document = serde_json::from_slice(&json).map_err(|_| invalid("Invalid Policy: Invalid JSON."))?;
        let expiration = document.expiration.ok_or_else(|| invalid("Invalid Policy: Policy missing expiration."))?;
        let conditions = document.conditions.ok_or_else(|| invalid("Invalid Policy: Policy missing conditions."))?;
        Ok(Self {
            expiration: time(&expiration)
                .ok_or_else(|| invalid(format!("Invalid Policy: Invalid 'expiration' value: '{expiration}'")))?,
            conditions: conditions.iter().map(Condition::parse).collect::<Result<_, _>>()?,
        })
    }

    /// Compares a form for `bucket` with the policy. Answers how long its file may be.
    ///
    /// # Errors
    /// `AccessDenied`, with the reason.
    pub fn check(&self, fields: &Fields, bucket: &str, now: &Timestamp) -> Result<RangeInclusive<u64>, Refusal> {
        if *now >= self.expiration {
            return Err(denied("Policy expired."));
        }
        let value = |field: &str| if field == "bucket" { Some(bucket) } else { fields.get(field) };
        let (mut least, mut most) = (0, u64::MAX);
        for condition in &self.conditions {
            if let Condition::Length(from, to) = condition {
                (least, most) = (least.max(*from), most.min(*to));
            } else if !condition.holds(&value) {
                return Err(denied(&format!("Policy Condition failed: {}", condition.text())));
            }
        }
        let extra: Vec<&str> = fields.names().filter(|name| !self.covers(name)).collect();
        if extra.is_empty() {
            Ok(least..=most)
        } else {
            Err(denied(&format!("Extra input fields: {}", extra.join(","))))
        }
    }

    fn covers(&self, name: &str) -> bool {
        EXEMPT.contains(&name) || name.starts_with(IGNORED) || self.conditions.iter().any(|held| held.field() == name)
    }
}

impl Condition {
    fn parse(value: &Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(pairs) => {
                let mut pairs = pairs.iter();
                let (Some((field, value)), None) = (pairs.next(), pairs.next()) else {
                    return Err(invalid(
                        "Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property \
                         specified.",
                    ));
                };
                let value = value
                    .as_str()
                    .ok_or_else(|| invalid("Invalid Policy: Invalid Simple-Condition: value must be a string."))?;
                Ok(Self::Is { field: field.to_lowercase(), value: value.to_owned() })
            }
            Value::Array(items) => Self::parse_operation(items),
            _ => Err(invalid("Invalid Policy: Invalid Condition: neither a list nor an object.")),
        }
    }

    fn parse_operation(items: &[Value]) -> Result<Self, Refusal> {
        let [Value::String(operation), one, other] = items else {
            return Err(invalid("Invalid Policy: Invalid Condition: wrong number of arguments."));
        };
        let operation = operation.to_lowercase();
        if operation == "content-length-range" {
            let bounds = length(one).zip(length(other));
            let (least, most) = bounds.ok_or_else(|| invalid("Invalid Policy: Invalid content-length-range."))?;
            return Ok(Self::Length(least, most));
        }
        let field = one.as_str().and_then(|field| field.strip_prefix('$')).map(str::to_lowercase);
        let (Some(field), Some(value)) = (field, other.as_str()) else {
            return Err(invalid("Invalid Policy: Invalid Condition: arguments must be a field and a string."));
        };
        match &*operation {
            "eq" => Ok(Self::Is { field, value: value.to_owned() }),
            "starts-with" => Ok(Self::BeginsWith { field, value: value.to_owned() }),
            _ => Err(invalid(format!("Invalid Policy: Invalid Condition: unknown operation '{operation}'."))),
        }
    }

    /// The field that it is about; a length is about none.
    fn field(&self) -> &str {
        match self {
            Self::Is { field, .. } | Self::BeginsWith { field, .. } => field,
            Self::Length(..) => "",
        }
    }

    fn holds<'f>(&self, of: &impl Fn(&str) -> Option<&'f str>) -> bool {
        match self {
            Self::Is { field, value } => of(field) == Some(value),
            // A list of types, each of which must begin so.
            Self::BeginsWith { field, value } if field == "content-type" => {
                of(field).unwrap_or_default().split(',').all(|one| one.trim_start().starts_with(&**value))
            }
            // A field that isn't there begins with nothing.
            Self::BeginsWith { field, value } => of(field).unwrap_or_default().starts_with(&**value),
            Self::Length(..) => true,
        }
    }

    /// As AWS repeats it.
    fn text(&self) -> String {
        let (operation, field, value) = match self {
            Self::Is { field, value } => ("eq", field, value),
            Self::BeginsWith { field, value } => ("starts-with", field, value),
            Self::Length(least, most) => return format!("[\"content-length-range\", {least}, {most}]"),
        };
        format!("[\"{operation}\", \"${field}\", \"{value}\"]")
    }
}

/// A bound, which may be written as text.
fn length(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| crate::number::decimal(value.as_str().filter(|text| !text.is_empty())?))
}

/// A time in UTC.
fn time(text: &str) -> Option<Timestamp> {
    let is_utc = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    Timestamp::parse(TimestampFormat::DateTime, text).ok().filter(|_| is_utc)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::with(StatusCode::BAD_REQUEST, "InvalidPolicyDocument", message)
}

fn denied(reason: &str) -> Refusal {
    Refusal::with(StatusCode::FORBIDDEN, "AccessDenied", format!("Invalid according to Policy: {reason}"))
}

#[cfg(test)]
mod tests;
