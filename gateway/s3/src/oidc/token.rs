//! A token: what it says before anybody believes it, and what it says once its signature holds.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::issuer::Issuer;
use super::keys::{Key, Keyring, Unreachable};
use crate::iam::{MOST_TAGS, is_tag};
use crate::identity::now;

/// The longest token, in bytes, as AWS has it.
const LONGEST: usize = 20_000;
/// By how much clocks may differ, in seconds.
const SKEW: u64 = 60;
/// Signatures with a public key, and none that a secret could make: a public key must not be taken for one.
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];

/// Why a token is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    Malformed,
    /// Nobody vouches for it here.
    Algorithm,
    Signature,
    Audience,
    Subject,
    NotYet,
    Expired,
    Unreachable,
}

impl From<Unreachable> for Invalid {
    fn from(_: Unreachable) -> Self {
        Self::Unreachable
    }
}

/// A token as it came.
pub(crate) struct Token<'a> {
    text: &'a str,
    algorithm: Algorithm,
    key: Option<String>,
    /// Who says to have signed it.
    pub issuer: String,
}

#[derive(Deserialize)]
struct Header {
    kid: Option<String>,
    /// What a reader must understand; nothing is understood here.
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Issued {
    iss: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    aud: Option<OneOrMany>,
    azp: Option<String>,
    iat: Option<f64>,
    amr: Option<OneOrMany>,
    email: Option<String>,
    /// Tags for the session.
    #[serde(rename = "https://aws.amazon.com/tags")]
    tags: Option<Tags>,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    principal_tags: BTreeMap<String, OneOrMany>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// What a token says that its issuer signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub subject: String,
    pub audience: String,
    /// Tags that the session gets.
    pub tags: BTreeMap<String, String>,
    /// Values of the condition keys `NAME:claim`, by claim.
    pub claims: BTreeMap<&'static str, Vec<String>>,
}

impl<'a> Token<'a> {
    /// # Errors
    /// [`Invalid::Malformed`] for what is no token, [`Invalid::Algorithm`] for one that can't be verified here.
    pub fn parse(text: &'a str) -> Result<Self, Invalid> {
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(_), None, true) =
            (parts.next(), parts.next(), parts.next(), parts.next(), text.len() <= LONGEST)
        else {
            return Err(Invalid::Malformed);
        };
        let Header { kid, crit } = decoded(header)?;
        let Issued { iss } = decoded(claims)?;
        // An algorithm that isn't known at all fails to be read.
        let algorithm = jsonwebtoken::decode_header(text).map_err(|_| Invalid::Algorithm)?.alg;
        if crit.is_some() || !ALGORITHMS.contains(&algorithm) {
            return Err(Invalid::Algorithm);
        }
        Ok(Self { text, algorithm, key: kid, issuer: iss })
    }

    /// What it says, if one of the issuer's keys signed it, for one of `audiences`, and its time has come and not gone.
    ///
    /// # Errors
    /// [`Invalid`].
    pub async fn verify(&self, issuer: &Issuer, audiences: &[String], keyring: &Keyring) -> Result<Verified, Invalid> {
        let key = keyring.find(issuer, |keys| self.key_among(keys)).await?.ok_or(Invalid::Signature)?;
        let mut validation = Validation::new(self.algorithm);
        validation.leeway = SKEW;
        validation.validate_nbf = true;
        // Which audience counts depends on another claim.
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp"]);
        let claims =
            jsonwebtoken::decode::<Claims>(self.text, &key, &validation).map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Invalid::Expired,
                ErrorKind::ImmatureSignature => Invalid::NotYet,
                ErrorKind::InvalidAlgorithm => Invalid::Algorithm,
                ErrorKind::InvalidSignature => Invalid::Signature,
                _ => Invalid::Malformed,
            })?;
        accepted(claims.claims, audiences)
    }

    /// The key that the token names, or the only one that fits if it names none.
    fn key_among(&self, keys: &[Key]) -> Option<DecodingKey> {
        let mut fitting = keys.iter().filter(|key| key.fits(self.key.as_deref(), self.algorithm));
        let first = fitting.next()?;
        (self.key.is_some() || fitting.next().is_none()).then(|| first.key.clone())
    }
}

fn accepted(claims: Claims, audiences: &[String]) -> Result<Verified, Invalid> {
    #[allow(clippy::cast_precision_loss, reason = "seconds of this age are exact")]
    let latest = (now() + i64::try_from(SKEW).unwrap_or(0)) as f64;
    match claims.iat {
        Some(issued) if issued <= latest => {}
        Some(_) => return Err(Invalid::NotYet),
        None => return Err(Invalid::Malformed),
    }
    let subject = claims.sub.filter(|sub| !sub.is_empty() && sub.len() <= 255).ok_or(Invalid::Subject)?;
    let named = claims.aud.ok_or(Invalid::Audience)?.into_vec();
    // Where an authorised party is named, it is who the token was made for.
    let meant = claims.azp.clone().map_or_else(|| named.clone(), |party| vec![party]);
    let audience = meant.into_iter().find(|audience| audiences.contains(audience)).ok_or(Invalid::Audience)?;
    let mut values = BTreeMap::from([("sub", vec![subject.clone()]), ("aud", vec![audience.clone()])]);
    if claims.azp.is_some() {
        values.insert("oaud", named);
    }
    values.extend(claims.amr.map(|amr| ("amr", amr.into_vec())));
    values.extend(claims.email.map(|email| ("email", vec![email])));
    let tags = claims.tags.map(|tags| tags.principal_tags).unwrap_or_default();
    let mut held = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for (key, value) in tags {
        let [value] = <[String; 1]>::try_from(value.into_vec()).map_err(|_| Invalid::Malformed)?;
        // Policies find a tag whatever its case, so there must be one.
        if held.len() == MOST_TAGS || !is_tag(&key, &value) || !keys.insert(key.to_lowercase()) {
            return Err(Invalid::Malformed);
        }
        held.insert(key, value);
    }
    Ok(Verified { subject, audience, tags: held, claims: values })
}

fn decoded<T: DeserializeOwned>(part: &str) -> Result<T, Invalid> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Invalid::Malformed)
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod trial;
