//! Names that AWS gives to what it makes: ids of users and roles, access keys, secrets.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What an id begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    User,
    Group,
    Role,
    Policy,
    Provider,
    AccessKey,
    SessionKey,
}

impl Prefix {
    pub const fn text(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::Policy => "ANPA",
            Self::Provider => "OIDC",
            Self::AccessKey => "AKIA",
            Self::SessionKey => "ASIA",
        }
    }

    const fn random_letters(self) -> usize {
        match self {
            Self::AccessKey | Self::SessionKey => 16,
            Self::User | Self::Group | Self::Role | Self::Policy | Self::Provider => 17,
        }
    }
}

/// The system has no random numbers to give.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(crate) struct NoRandomness;

/// An id that was never given before, but for one chance in 2⁸⁰.
pub(crate) fn mint(prefix: Prefix) -> Result<String, NoRandomness> {
    let mut bytes = [0; 17];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    let letters = bytes.iter().take(prefix.random_letters());
    let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(byte % 32)).copied()).map(char::from);
    Ok(prefix.text().chars().chain(letters).collect())
}

/// A secret key: 240 random bits in 40 characters.
pub(crate) fn secret() -> Result<String, NoRandomness> {
    let mut bytes = [0; 30];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(STANDARD.encode(bytes))
}
