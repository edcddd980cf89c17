//! Session tokens: all that is known of a session, sealed and handed to who asked for it. The node remembers none.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::master_key::{MasterKey, Purpose, Unusable};

/// The form of tokens, to which they are bound.
const FORM: &str = "1";
/// The longest token that is looked at.
const LONGEST: usize = 16 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `ASIA…`
    pub access_key: String,
    pub subject: Subject,
    /// Unix seconds.
    pub issued: i64,
    pub expires: i64,
    /// Texts of session policies.
    pub policies: Vec<String>,
    pub tags: BTreeMap<String, String>,
    /// What an identity provider vouched for, of a session that came about by its word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claims>,
}

/// What an identity provider says of somebody, as condition keys ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Its ARN.
    pub provider: String,
    /// By the whole key in lower case, such as `idp.example/desk:sub`.
    pub values: BTreeMap<String, Vec<String>>,
}

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The fingerprint of the credentials that root had.
    Root(String),
    /// By id.
    User(String),
    Role {
        id: String,
        session: String,
    },
}

impl Session {
    pub fn seal(&self, master: &MasterKey) -> Result<String, Unusable> {
        let plain = serde_json::to_vec(self).map_err(|_| Unusable)?;
        Ok(URL_SAFE_NO_PAD.encode(master.seal(Purpose::Token, FORM, &plain)?))
    }

    /// None for what this node didn't make.
    pub fn open(master: &MasterKey, token: &str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        serde_json::from_slice(&master.open(Purpose::Token, FORM, &sealed)?).ok()
    }
}
