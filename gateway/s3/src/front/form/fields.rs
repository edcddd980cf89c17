//! The fields of a form that stand in front of its file.

use hyper::StatusCode;
use percent_encoding::percent_decode_str;

use crate::front::refusal::Refusal;

/// What stands for the name of the file, in any field.
const FILENAME: &str = "${filename}";
/// Fields that are taken word for word: they vouch for the others.
const LITERAL: [&str; 2] = ["policy", "x-amz-signature"];

/// Names, in lower case, and values, in the order that they came.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a field.
    ///
    /// # Errors
    /// `InvalidArgument` for one that is there already, or isn't text.
    pub fn add(&mut self, name: String, value: Vec<u8>) -> Result<(), Refusal> {
        let refused = |message| Refusal::with(StatusCode::BAD_REQUEST, "InvalidArgument", message);
        if self.get(&name).is_some() {
            return Err(refused(format!("Bucket POST must contain no more than one field named '{name}'.")));
        }
        let value = String::from_utf8(value).map_err(|_| refused(format!("The field '{name}' is not UTF-8.")))?;
        self.0.push((name, value));
        Ok(())
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(held, _)| *held == name).map(|(_, value)| value)
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// `InvalidArgument`, in which AWS writes the name so.
    pub fn expect(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(&name.to_ascii_lowercase()).ok_or_else(|| {
            Refusal::with(
                StatusCode::BAD_REQUEST,
                "InvalidArgument",
                format!(
                    "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of \
                     the fields."
                ),
            )
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Puts the file's name, of which only what follows the last slash counts, where it is stood for.
    pub fn name_file(&mut self, filename: Option<&str>) {
        let filename = filename.unwrap_or_default();
        let base = filename.rsplit(['/', '\\']).next().unwrap_or_default();
        for (name, value) in &mut self.0 {
            if !LITERAL.contains(&&**name) && value.contains(FILENAME) {
                *value = value.replace(FILENAME, base);
            }
        }
    }
}

/// The bucket as the path or the host names it.
pub fn bucket_name(encoded: &str) -> String {
    percent_decode_str(encoded).decode_utf8_lossy().into_owned()
}
