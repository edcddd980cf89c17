//! The keys of issuers, as long as they may be believed.
//!
//! Concurrency: what an issuer's keys are is read without waiting. One task at a time asks an issuer (`asking`); some
//! requests that need the answer wait for it (`waiting`), and no lock is held but that one. An issuer is asked again no
//! sooner than [`PAUSE`] after the last time, whatever tokens come, so that who sends nonsense makes no more than that of
//! it. Keys that are [`AGEING`] are asked for again beside the request that uses them, which doesn't wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::fetch::Fetch;
use super::issuer::Issuer;

/// How long keys are believed that an issuer gave.
const BELIEVED: Duration = Duration::from_secs(3600);
/// How old keys are that are asked for again ahead: an issuer that is away for less than what is left isn't missed.
const AGEING: Duration = Duration::from_secs(1800);
/// How long an issuer isn't asked again.
const PAUSE: Duration = Duration::from_secs(10);
/// The most keys of one issuer that are looked at.
const MOST: usize = 64;
/// The most requests that wait for one issuer; what comes beyond goes away with nothing.
const WAITING: usize = 32;

/// An issuer has given no keys, or none that can be believed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreachable;

/// One key of an issuer.
pub(crate) struct Key {
    pub id: Option<String>,
    /// What alone it may be used with, if the issuer says so.
    pub algorithm: Option<String>,
    pub key: DecodingKey,
}

struct Keys {
    keys: Vec<Key>,
    given: Instant,
}

struct Known {
    keys: ArcSwapOption<Keys>,
    waiting: Semaphore,
    /// When it was asked last.
    asking: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { keys: ArcSwapOption::empty(), waiting: Semaphore::new(WAITING), asking: Arc::default() }
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// How often an issuer is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub pause: Duration,
    pub ageing: Duration,
}

/// The keys of every issuer that was asked.
pub(crate) struct Keyring {
    fetch: Arc<Fetch>,
    known: Mutex<HashMap<String, Arc<Known>>>,
    pace: Pace,
}

impl Keyring {
    pub fn new(fetch: Fetch) -> Self {
        Self::paced(fetch, Pace { pause: PAUSE, ageing: AGEING })
    }

    pub(super) fn paced(fetch: Fetch, pace: Pace) -> Self {
        Self { fetch: Arc::new(fetch), known: Mutex::default(), pace }
    }

    /// Has `choose` look for a key among an issuer's, and, if it finds none, among what the issuer says then.
    ///
    /// # Errors
    /// [`Unreachable`].
    pub async fn find<T>(
        &self,
        issuer: &Issuer,
        choose: impl Fn(&[Key]) -> Option<T>,
    ) -> Result<Option<T>, Unreachable> {
        let known = Arc::clone(self.known.lock().entry(issuer.url().to_owned()).or_default());
        let believed = known.believed().and_then(|keys| Some((choose(&keys.keys)?, keys.given)));
        if let Some((found, given)) = believed {
            if given.elapsed() >= self.pace.ageing {
                self.renew_beside(issuer, &known);
            }
            return Ok(Some(found));
        }
        let _place = known.waiting.try_acquire().map_err(|_| Unreachable)?;
        let mut asked = known.asking.lock().await;
        known.renew(&mut asked, self.pace.pause, &self.fetch, issuer).await;
        known.believed().ok_or(Unreachable).map(|keys| choose(&keys.keys))
    }

    /// Asks an issuer again, unless somebody does.
    fn renew_beside(&self, issuer: &Issuer, known: &Arc<Known>) {
        let Ok(mut asked) = Arc::clone(&known.asking).try_lock_owned() else { return };
        let (known, fetch, issuer, pause) = (known.clone(), self.fetch.clone(), issuer.clone(), self.pace.pause);
        tokio::spawn(async move { known.renew(&mut asked, pause, &fetch, &issuer).await });
    }
}

impl Known {
    fn believed(&self) -> Option<Arc<Keys>> {
        self.keys.load_full().filter(|keys| keys.given.elapsed() < BELIEVED)
    }

    /// Asks the issuer, unless it was asked a moment ago. Keys that it gave stay when it gives none.
    async fn renew(&self, asked: &mut Option<Instant>, pause: Duration, fetch: &Fetch, issuer: &Issuer) {
        if asked.is_some_and(|asked| asked.elapsed() < pause) {
            return;
        }
        let given = ask(fetch, issuer).await;
        *asked = Some(Instant::now());
        match given {
            Ok(keys) => self.keys.store(Some(Arc::new(Keys { keys, given: Instant::now() }))),
            Err(reason) => tracing::warn!(issuer = issuer.url(), reason, "an issuer gave no keys"),
        }
    }
}

async fn ask(fetch: &Fetch, issuer: &Issuer) -> Result<Vec<Key>, String> {
    let discovery = fetch.get(&issuer.discovery()).await?;
    let discovery: Discovery = serde_json::from_slice(&discovery).map_err(|error| error.to_string())?;
    if !issuer.is(&discovery.issuer) {
        return Err(format!("it says that it is {}", discovery.issuer));
    }
    if !issuer.may_point_at(&discovery.jwks_uri) {
        return Err(format!("its keys are at {}, where it may not send anybody", discovery.jwks_uri));
    }
    let set = fetch.get(&discovery.jwks_uri).await?;
    let set: Set = serde_json::from_slice(&set).map_err(|error| error.to_string())?;
    let keys: Vec<Key> = set.keys.into_iter().take(MOST).filter_map(key).collect();
    if keys.is_empty() { Err("none of its keys can be used".into()) } else { Ok(keys) }
}

/// A key that signatures are verified with; None for one of another kind, which an issuer may have as well.
fn key(value: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm: jwk.common.key_algorithm.map(|held| held.to_string()), key })
}

impl Key {
    /// Whether it may have signed a token that says so.
    pub fn fits(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        let name = format!("{algorithm:?}");
        self.algorithm.as_ref().is_none_or(|held| *held == name) && id.is_none_or(|id| self.id.as_deref() == Some(id))
    }
}
