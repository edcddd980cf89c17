//! JSON as a policy must be written: in an object, no key twice, since readers differ on which of two they take.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::fault::Fault;

pub(super) enum Json {
    /// Numbers and truth values are kept as they would be written: a condition takes them for strings.
    Text(String),
    Null,
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// The depth is bounded by `serde_json`: 128.
pub(super) fn parse(text: &str) -> Result<Json, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::NotJson)
}

impl Json {
    /// A string or a list of strings.
    pub fn strings(self) -> Result<Vec<String>, Fault> {
        match self {
            Self::Text(text) => Ok(vec![text]),
            Self::List(items) => items.into_iter().map(Self::string).collect(),
            Self::Null | Self::Object(_) => Err(Fault::Shape),
        }
    }

    pub fn string(self) -> Result<String, Fault> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Null | Self::List(_) | Self::Object(_) => Err(Fault::Shape),
        }
    }

    pub fn object(self) -> Result<Vec<(String, Self)>, Fault> {
        match self {
            Self::Object(fields) => Ok(fields),
            Self::Null | Self::Text(_) | Self::List(_) => Err(Fault::Shape),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Text(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        let mut names = HashSet::new();
        while let Some((name, value)) = fields.next_entry::<String, Json>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("a name stands twice"));
            }
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}
