//! Condition keys and their values, taken from the request when a policy asks for them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use hyper::header::{IF_MATCH, IF_NONE_MATCH, REFERER, USER_AGENT};
use packstone_access::{Fact, Facts, Key, Name};
use packstone_store::object::VersionId;
use percent_encoding::percent_decode_str;
use time::{Date, Month, OffsetDateTime};

use crate::asker::Arrival;
use crate::identity::{Claims, now};

/// Tags of the object as it is, fetched once and only if a policy asks.
pub(crate) type Tags<'a> = &'a dyn Fn() -> Vec<(String, String)>;

/// What a request says where neither its headers nor its query hold it as policies want it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Said<'a> {
    /// The version that is acted on. The query may name one that has nothing to do with what is asked for, as that of
    /// a copy does.
    pub version: Option<VersionId>,
    /// The tags to be put on. A header that the verb doesn't act on puts none.
    pub tags: &'a [(String, String)],
    /// Keys of the tags to be taken off.
    pub untags: &'a [&'a str],
    /// The tags of the user, role or policy that is acted on.
    pub held: Option<&'a BTreeMap<String, String>>,
    /// Whether the ACL that is put comes with the object that it is for.
    pub brings_acl: bool,
    /// Values of keys that a document or a form holds, and those of the lock to be put on.
    pub named: &'a [(Name, String)],
}

/// What one request says of itself.
pub(crate) struct RequestFacts<'a> {
    arrival: Option<&'a Arrival>,
    /// When its session was issued.
    issued: Option<i64>,
    claims: Option<&'a Claims>,
    fetch: Option<Tags<'a>>,
    fetched: OnceLock<Vec<(String, String)>>,
    said: Said<'a>,
}

impl<'a> RequestFacts<'a> {
    pub fn new(arrival: Option<&'a Arrival>, issued: Option<i64>) -> Self {
        Self { arrival, issued, claims: None, fetch: None, fetched: OnceLock::new(), said: Said::default() }
    }

    pub fn with_tags(mut self, tags: Tags<'a>) -> Self {
        self.fetch = Some(tags);
        self
    }

    /// With what an identity provider says of who asks.
    pub fn vouched(mut self, claims: Option<&'a Claims>) -> Self {
        self.claims = claims;
        self
    }

    pub fn saying(mut self, said: Said<'a>) -> Self {
        self.said = said;
        self
    }

    fn header(&self, name: &str) -> Fact<'_> {
        self.arrival.and_then(|arrival| arrival.headers.get(name)).and_then(|value| value.to_str().ok()).into()
    }

    fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let query = self.arrival?.uri.query()?;
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.filter(|(held, _)| decoded(held) == name).map(|(_, value)| decoded(value)).next()
    }

    /// When it was signed, in Unix seconds.
    fn signed_at(&self) -> Option<i64> {
        let arrival = self.arrival?;
        let header = arrival.headers.get("x-amz-date").and_then(|value| value.to_str().ok()).map(Cow::Borrowed);
        compact(&self.parameter("X-Amz-Date").or(header)?)
    }

    fn request_tag(&self, is_meant: impl Fn(&str) -> bool) -> Fact<'_> {
        let found = self.said.tags.iter().find(|(held, _)| is_meant(held));
        found.map(|(_, value)| value.as_str()).into()
    }

    /// The value of a tag of the user, role or policy that is acted on.
    fn held_tag(&self, key: &str) -> Fact<'_> {
        let mut held = self.said.held.into_iter().flatten();
        held.find(|(held, _)| held.eq_ignore_ascii_case(key)).map(|(_, value)| value.as_str()).into()
    }

    fn claim(&self, key: &str) -> Fact<'_> {
        match self.claims.and_then(|claims| claims.values.get(key)).map(Vec::as_slice) {
            None => Fact::Absent,
            Some([value]) => Fact::One(Cow::Borrowed(value)),
            Some(values) => Fact::Many(values.iter().map(|value| Cow::Borrowed(value.as_str())).collect()),
        }
    }

    fn tag(&self, key: &str) -> Fact<'_> {
        let Some(fetch) = self.fetch else { return Fact::Absent };
        let tags = self.fetched.get_or_init(fetch);
        tags.iter().find(|(held, _)| held == key).map(|(_, value)| value.as_str()).into()
    }
}

impl Facts for RequestFacts<'_> {
    fn fact(&self, key: &Key) -> Fact<'_> {
        if let Some((_, value)) = self.said.named.iter().find(|(name, _)| *name == key.name) {
            return Fact::One(Cow::Borrowed(value));
        }
        match key.name {
            Name::FederatedProvider => return self.claims.map(|claims| claims.provider.as_str()).into(),
            Name::Other => return self.claim(&key.tag),
            _ => {}
        }
        let text = |text: String| Fact::One(Cow::Owned(text));
        let arrival = match (key.name, self.arrival) {
            (Name::VersionId, _) => return self.said.version.map_or(Fact::Absent, |version| text(version.to_string())),
            (Name::ExistingObjectTag, _) => return self.tag(&key.tag),
            (Name::RequestObjectTag, _) => return self.request_tag(|held| *held == *key.tag),
            (Name::RequestTag, _) => return self.request_tag(|held| held.eq_ignore_ascii_case(&key.tag)),
            (Name::RequestObjectTagKeys | Name::TagKeys, _) => {
                let keys = self.said.tags.iter().map(|(key, _)| key.as_str());
                return Fact::Many(keys.chain(self.said.untags.iter().copied()).map(Cow::Borrowed).collect());
            }
            (name, None) => return of_the_clock(name),
            (_, Some(arrival)) => arrival,
        };
        match key.name {
            Name::SourceIp => text(arrival.remote.to_canonical().to_string()),
            Name::SecureTransport => Fact::One(Cow::Borrowed(if arrival.secure { "true" } else { "false" })),
            Name::UserAgent => self.header(USER_AGENT.as_str()),
            Name::Referer => self.header(REFERER.as_str()),
            Name::IfMatch => self.header(IF_MATCH.as_str()),
            Name::IfNoneMatch => self.header(IF_NONE_MATCH.as_str()),
            // Nobody has a second factor, which is told of sessions alone, and no service asks for others.
            Name::MultiFactorAuthPresent if self.issued.is_some() => Fact::One(Cow::Borrowed("false")),
            Name::ViaAwsService => Fact::One(Cow::Borrowed("false")),
            Name::TokenIssueTime => self.issued.and_then(iso).map_or(Fact::Absent, text),
            Name::Prefix | Name::Delimiter | Name::MaxKeys => {
                let name = key.name.text().strip_prefix("s3:").unwrap_or_default();
                self.parameter(name).map_or(Fact::Absent, Fact::One)
            }
            Name::RequestedRegion => Fact::One(Cow::Borrowed(&arrival.region)),
            Name::AuthType if arrival.bearer.is_anonymous() => Fact::Absent,
            Name::AuthType => Fact::One(Cow::Borrowed(arrival.signed.name())),
            Name::SignatureVersion if arrival.bearer.is_anonymous() => Fact::Absent,
            Name::SignatureVersion => Fact::One(Cow::Borrowed("AWS4-HMAC-SHA256")),
            Name::SignatureAge => {
                self.signed_at().map_or(Fact::Absent, |at| text((now() - at).max(0).saturating_mul(1000).to_string()))
            }
            Name::ResourceTag | Name::IamResourceTag => self.held_tag(&key.tag),
            Name::CurrentTime | Name::EpochTime => of_the_clock(key.name),
            name => match name.text().strip_prefix("s3:") {
                Some(header) if header.starts_with("x-amz-") => self.header(header),
                _ => Fact::Absent,
            },
        }
    }
}

fn of_the_clock(name: Name) -> Fact<'static> {
    match name {
        Name::CurrentTime => iso(now()).map_or(Fact::Absent, |text| Fact::One(Cow::Owned(text))),
        Name::EpochTime => Fact::One(Cow::Owned(now().to_string())),
        _ => Fact::Absent,
    }
}

/// `2026-01-31T23:59:59Z`
pub(crate) fn iso(seconds: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    let (date, month) = (at.date(), u8::from(at.month()));
    let (year, day) = (date.year(), date.day());
    Some(format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", at.hour(), at.minute(), at.second()))
}

/// Unix seconds of `20260131T235959Z`.
pub(crate) fn compact(text: &str) -> Option<i64> {
    let digits =
        |from: usize, to: usize| text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if text.len() != 16 || text.get(8..9) != Some("T") || text.get(15..) != Some("Z") {
        return None;
    }
    let two = |from: usize| digits(from, from + 2)?.parse::<u8>().ok();
    let month = Month::try_from(two(4)?).ok()?;
    let date = Date::from_calendar_date(digits(0, 4)?.parse().ok()?, month, two(6)?).ok()?;
    Some(date.with_hms(two(9)?, two(11)?, two(13)?).ok()?.assume_utc().unix_timestamp())
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests;
