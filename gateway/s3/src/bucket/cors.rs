//! CORS configurations: taken and given back, and what the front makes of them.

use std::sync::Arc;

use packstone_access::Action;
use packstone_store::object::BucketState;
use s3s::dto::CORSConfiguration;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::configuration::{Configuration, Site, deletes, gets, malformed, puts, read};
use crate::error::{invalid_argument, invalid_request};
use crate::face::Face;
use crate::front::cors::Rules;

const MOST_RULES: usize = 100;
const LONGEST_ID: usize = 255;
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

impl Face {
    puts!(put_bucket_cors_verb, PutBucketCorsInput => PutBucketCorsOutput, |input| input.cors_configuration);
    gets!(get_bucket_cors_verb, GetBucketCorsInput => GetBucketCorsOutput, |found: CORSConfiguration| {
        cors_rules: Some(found.cors_rules)
    });
    deletes!(delete_bucket_cors_verb, DeleteBucketCorsInput => DeleteBucketCorsOutput, CORSConfiguration);
}

impl Configuration for CORSConfiguration {
    const KIND: &'static str = "cors";
    const READS: Action = Action::GetBucketCORS;
    const CHANGES: Action = Action::PutBucketCORS;

    fn missing() -> S3Result<Self> {
        Err(S3Error::with_message(S3ErrorCode::NoSuchCORSConfiguration, "The CORS configuration does not exist"))
    }

    fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
        if self.cors_rules.is_empty() || self.cors_rules.len() > MOST_RULES {
            return Err(malformed());
        }
        for rule in &self.cors_rules {
            if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
                return Err(malformed());
            }
            if rule.id.as_ref().is_some_and(|id| id.len() > LONGEST_ID) {
                return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
            }
            if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
                return Err(invalid_request(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )));
            }
            let headers = rule.allowed_headers.iter().flatten();
            one_wildcard("AllowedOrigin", rule.allowed_origins.iter())?;
            one_wildcard("AllowedHeader", headers)?;
            if let Some(header) = rule.expose_headers.iter().flatten().find(|header| header.contains('*')) {
                return Err(invalid_request(format!(
                    "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
                )));
            }
        }
        Ok(())
    }
}

/// The rules of a bucket that has any; those that can't be read allow nothing, and `read` has said so.
pub(crate) fn rules(state: &BucketState) -> Option<Arc<Rules>> {
    let document = state.document(CORSConfiguration::KIND, "")?;
    let configuration = read::<CORSConfiguration>(&document.value).ok()?;
    Some(Arc::new(Rules::new(&configuration)))
}
fn one_wildcard<'t>(element: &str, mut texts: impl Iterator<Item = &'t String>) -> S3Result<()> {
    match texts.find(|text| text.matches('*').count() > 1) {
        None => Ok(()),
        Some(text) => Err(invalid_request(format!("{element} \"{text}\" can not have more than one wildcard."))),
    }
}
