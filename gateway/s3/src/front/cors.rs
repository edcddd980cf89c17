//! Requests from web pages of other origins: what a bucket's CORS rules allow, and the headers that tell browsers.
//!
//! A preflight comes without a signature, and is answered from the bucket's rules alone. To any other request the same
//! headers are added, to errors too, or a page could not read why it was refused. CORS decides nothing: it only says
//! to browsers what their pages may see.

use std::sync::Arc;

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN, VARY,
};
use hyper::{HeaderMap, Method, StatusCode};
use s3s::dto::{CORSConfiguration, CORSRule};

use super::refusal::Refusal;
use super::route::Target;
use super::signature;
use crate::detail::Element;

/// What the answer to a request depends on, for caches: whether or not it came from another origin.
const DEPENDS_ON: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
/// The methods that rules can name.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// What a bucket says of other origins.
#[derive(Clone, Debug)]
pub(crate) enum Sharing {
    NoBucket,
    Off,
    By(Arc<Rules>),
}

/// Text with one wildcard at most.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Whole(Box<str>),
    Around(Box<str>, Box<str>),
}

impl Pattern {
    fn new(text: &str) -> Self {
        match text.split_once('*') {
            None => Self::Whole(text.into()),
            Some((before, after)) => Self::Around(before.into(), after.into()),
        }
    }

    fn is_anything(&self) -> bool {
        matches!(self, Self::Around(before, after) if before.is_empty() && after.is_empty())
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Whole(whole) => **whole == *text,
            Self::Around(before, after) => text.strip_prefix(&**before).is_some_and(|rest| rest.ends_with(&**after)),
        }
    }
}

#[derive(Debug)]
struct Rule {
    origins: Vec<Pattern>,
    methods: Vec<Box<str>>,
    /// In lower case.
    headers: Vec<Pattern>,
    /// What is told of the rule, ready to be sent.
    told: Vec<(HeaderName, HeaderValue)>,
}

impl Rule {
    fn new(rule: &CORSRule) -> Self {
        let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect();
        let headers: Vec<String> =
            rule.allowed_headers.iter().flatten().map(|name| name.to_ascii_lowercase()).collect();
        let told = [
            (ACCESS_CONTROL_ALLOW_METHODS, Some(rule.allowed_methods.join(", "))),
            (ACCESS_CONTROL_EXPOSE_HEADERS, rule.expose_headers.as_ref().map(|names| names.join(", "))),
            (ACCESS_CONTROL_MAX_AGE, rule.max_age_seconds.map(|seconds| seconds.to_string())),
        ];
        let told = told.into_iter().filter_map(|(name, text)| Some((name, HeaderValue::from_str(&text?).ok()?)));
        Self {
            origins: patterns(&rule.allowed_origins),
            methods: rule.allowed_methods.iter().map(|method| method.as_str().into()).collect(),
            headers: patterns(&headers),
            told: told.collect(),
        }
    }
}

/// A bucket's CORS configuration, compiled.
#[derive(Debug)]
pub(crate) struct Rules(Vec<Rule>);

impl Rules {
    pub fn new(configuration: &CORSConfiguration) -> Self {
        Self(configuration.cors_rules.iter().map(Rule::new).collect())
    }

    /// The headers by which the first rule that fits allows the request; `None` when none does.
    fn allow(&self, asked: &Asked<'_>) -> Option<HeaderMap> {
        let (rule, origin) = self.0.iter().find_map(|rule| {
            let origin = rule.origins.iter().find(|pattern| pattern.fits(asked.origin))?;
            let fits = rule.methods.iter().any(|method| **method == *asked.method)
                && asked.headers.iter().all(|name| rule.headers.iter().any(|pattern| pattern.fits(name)));
            fits.then_some((rule, origin))
        })?;
        let mut told: HeaderMap = rule.told.iter().cloned().collect();
        if origin.is_anything() {
            told.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            told.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_str(asked.origin).ok()?);
            told.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if !asked.headers.is_empty() {
            told.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_str(&asked.headers.join(", ")).ok()?);
        }
        Some(told)
    }
}

/// What a page wants to do.
struct Asked<'r> {
    origin: &'r str,
    method: &'r str,
    /// Headers that it would send, in lower case.
    headers: Vec<String>,
}

impl<'r> Asked<'r> {
    /// Reads a request with an origin. What it says of a method to come counts before its own, as on AWS.
    fn parse(method: &'r Method, headers: &'r HeaderMap) -> Option<Self> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let names = text(&ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default().split(',').map(str::trim);
        Some(Self {
            origin: text(&ORIGIN)?,
            method: text(&ACCESS_CONTROL_REQUEST_METHOD).unwrap_or(method.as_str()),
            headers: names.filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect(),
        })
    }
}

/// The headers of the answer to a preflight.
///
/// # Errors
/// `BadRequest` for what is no preflight, `AccessForbidden` for what no rule allows; that one names the method and what
/// it was for, an object or a bucket.
pub(super) fn preflight(headers: &HeaderMap, target: Target<'_>, sharing: &Sharing) -> Result<HeaderMap, Refusal> {
    signature::check_size(headers)?;
    let bad = |message| Refusal::with(StatusCode::BAD_REQUEST, "BadRequest", message);
    let asked = Asked::parse(&Method::OPTIONS, headers)
        .ok_or_else(|| bad("Insufficient information. Origin request header needed.".to_owned()))?;
    if !METHODS.contains(&asked.method) {
        let named = headers.get(ACCESS_CONTROL_REQUEST_METHOD).and_then(|method| method.to_str().ok());
        return Err(bad(format!("Invalid Access-Control-Request-Method: {}", named.unwrap_or("null"))));
    }
    let resource = if target.key().is_some() { "OBJECT" } else { "BUCKET" };
    let forbidden = |message: &'static str| {
        Refusal::with(StatusCode::FORBIDDEN, "AccessForbidden", message)
            .saying(Element::Method, asked.method)
            .saying(Element::ResourceType, resource)
    };
    let rules = match sharing {
        Sharing::NoBucket => return Err(forbidden("CORSResponse: Bucket not found")),
        Sharing::Off => return Err(forbidden("CORSResponse: CORS is not enabled for this bucket.")),
        Sharing::By(rules) => rules,
    };
    let mut told = rules.allow(&asked).ok_or_else(|| {
        forbidden(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
             method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
             resource's CORS spec.",
        )
    })?;
    told.insert(VARY, DEPENDS_ON);
    Ok(told)
}

/// What is added to the answer to any other request, whatever comes of it.
pub(super) fn shared(method: &Method, headers: &HeaderMap, sharing: &Sharing) -> HeaderMap {
    let Sharing::By(rules) = sharing else { return HeaderMap::new() };
    let allowed = Asked::parse(method, headers).and_then(|asked| rules.allow(&asked));
    let mut told = allowed.unwrap_or_default();
    told.insert(VARY, DEPENDS_ON);
    told
}

#[cfg(test)]
mod tests;
