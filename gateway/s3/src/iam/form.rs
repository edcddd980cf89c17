//! The parameters of a call.

use std::collections::{BTreeMap, HashMap};

use super::fault::Fault;
use crate::identity::Class;

/// The most items on a page unless a caller asks for fewer.
const PAGE: usize = 100;

/// The most tags of one user, role or policy.
pub(crate) const MOST_TAGS: usize = 50;

/// By name. Of parameters that come more than once the first counts.
pub(super) struct Form(HashMap<String, String>);

impl Form {
    pub fn new(parameters: Vec<(String, String)>) -> Self {
        let mut fields = HashMap::with_capacity(parameters.len());
        for (name, value) in parameters {
            fields.entry(name).or_insert(value);
        }
        Self(fields)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn need(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| Fault::missing(name))
    }

    /// The name of a user, group, role or policy.
    pub fn name(&self, class: Class) -> Result<&str, Fault> {
        self.need(field(class))
    }

    /// A name for something new.
    pub fn new_name(&self, parameter: &str, class: Class) -> Result<&str, Fault> {
        let name = self.need(parameter)?;
        let longest = if matches!(class, Class::Group | Class::Policy) { 128 } else { 64 };
        check_name(parameter, name, longest).map(|()| name)
    }

    pub fn path(&self, parameter: &str) -> Result<&str, Fault> {
        let path = self.get(parameter).unwrap_or("/");
        let framed = path == "/" || (path.len() > 2 && path.starts_with('/') && path.ends_with('/'));
        if !framed || path.len() > 512 || !path.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
            return Err(Fault::validation(format_args!(
                "The specified value for {parameter} is invalid. It must begin and end with / and contain only \
                 alphanumeric characters and/or / characters."
            )));
        }
        Ok(path)
    }

    pub fn number(&self, name: &str) -> Result<Option<u32>, Fault> {
        self.get(name).map(str::parse).transpose().map_err(|_| Fault::validation(format_args!("{name} is no number")))
    }

    /// Keys of the tags to be taken off: values of `TagKeys.member.1`, `TagKeys.member.2` and on.
    pub fn tag_keys(&self) -> Result<Vec<&str>, Fault> {
        let keys = (1..).map_while(|number| self.get(&format!("TagKeys.member.{number}")));
        let keys: Vec<_> = keys.take(MOST_TAGS + 1).collect();
        if keys.len() > MOST_TAGS { Err(too_many_tags()) } else { Ok(keys) }
    }

    pub fn tags(&self) -> Result<BTreeMap<String, String>, Fault> {
        let mut tags = BTreeMap::new();
        for number in 1.. {
            let Some(key) = self.get(&format!("Tags.member.{number}.Key")) else { break };
            if tags.len() == MOST_TAGS {
                return Err(too_many_tags());
            }
            let value = self.get(&format!("Tags.member.{number}.Value")).unwrap_or_default();
            if !is_tag(key, value) {
                return Err(Fault::validation("A tag's key has 1 to 128 characters and its value 256 at most."));
            }
            let doubled = tags.keys().any(|held: &String| held.to_lowercase() == key.to_lowercase());
            if doubled || tags.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(Fault::validation(
                    "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
                ));
            }
        }
        Ok(tags)
    }

    /// Values of `NAME.member.1`, `NAME.member.2` and on; None for more than `most`.
    pub fn members(&self, name: &str, most: usize) -> Option<Vec<String>> {
        let values = (1..).map_while(|number| self.get(&format!("{name}.member.{number}")));
        let values: Vec<_> = values.take(most + 1).map(str::to_owned).collect();
        (values.len() <= most).then_some(values)
    }

    /// Where a page begins (behind this item), and how many items it has.
    pub fn page(&self) -> Result<(&str, usize), Fault> {
        let most = self.number("MaxItems")?.map_or(PAGE, |most| usize::try_from(most).unwrap_or(PAGE));
        if !(1..=1000).contains(&most) {
            return Err(Fault::validation("MaxItems must be between 1 and 1000"));
        }
        Ok((self.get("Marker").unwrap_or_default(), most))
    }
}

/// Whether a key and a value can be a tag's.
pub(crate) fn is_tag(key: &str, value: &str) -> bool {
    (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256
}

pub(super) fn too_many_tags() -> Fault {
    Fault::limit(format_args!("Cannot exceed quota for TagsPerResource: {MOST_TAGS}"))
}

/// How calls name what is of that class.
pub(super) const fn field(class: Class) -> &'static str {
    match class {
        Class::User => "UserName",
        Class::Group => "GroupName",
        Class::Role => "RoleName",
        Class::Policy => "PolicyName",
        Class::Provider => "OpenIDConnectProviderArn",
    }
}

pub(super) fn check_name(parameter: &str, name: &str, longest: usize) -> Result<(), Fault> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
    if fits && !name.is_empty() && name.len() <= longest {
        return Ok(());
    }
    Err(Fault::validation(format_args!(
        "The specified value for {parameter} is invalid. It must contain only alphanumeric characters and/or the \
         following: +=,.@_- and have {longest} characters at most."
    )))
}
