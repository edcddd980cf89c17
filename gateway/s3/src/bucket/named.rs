//! Configurations of which a bucket may have many, told apart by an id: analytics, intelligent tiering, inventory and
//! metrics.

use hyper::{HeaderMap, StatusCode};
use packstone_access::Action;
use s3s::dto::{AnalyticsConfiguration, IntelligentTieringConfiguration, InventoryConfiguration, MetricsConfiguration};
use s3s::{S3Error, S3Result};

use super::configuration::{Configuration, Site, malformed};
use crate::error::{custom, invalid_argument};
use crate::face::Face;
use crate::object::list::Token;
use crate::owner;

/// The longest id.
const LONGEST_ID: usize = 64;
/// The most configurations of a kind on a page, and the most that a bucket has of it.
const PAGE: usize = 100;
const MOST: usize = 1000;

/// The four verbs of one kind.
macro_rules! verbs {
    (
        $kind:ident, $kind_text:literal, $get_action:ident $put_action:ident, $field:ident, $list:ident,
        put $put:ident $put_input:ident $put_output:ident,
        get $get:ident $get_input:ident $get_output:ident,
        delete $delete:ident $delete_input:ident $delete_output:ident,
        list $list_verb:ident $list_input:ident $list_output:ident
    ) => {
        impl Face {
            pub(crate) async fn $put(
                &self,
                request: s3s::S3Request<s3s::dto::$put_input>,
            ) -> S3Result<s3s::S3Response<s3s::dto::$put_output>> {
                let asker = crate::asker::Asker::of(&request);
                crate::body::verify_document(&request.headers, &request.extensions, false)?;
                expect_owner(&request.headers)?;
                let input = request.input;
                if input.id != input.$field.id {
                    return Err(malformed());
                }
                let held: Vec<(String, $kind)> = self.configurations(&asker, &input.bucket, "")?;
                if held.len() >= MOST && held.iter().all(|(name, _)| *name != input.id) {
                    return Err(too_many());
                }
                self.configure(&asker, (&input.bucket, &input.id), input.$field).await?;
                Ok(s3s::S3Response::new(s3s::dto::$put_output::default()))
            }

            pub(crate) fn $get(
                &self,
                request: s3s::S3Request<s3s::dto::$get_input>,
            ) -> S3Result<s3s::S3Response<s3s::dto::$get_output>> {
                let asker = crate::asker::Asker::of(&request);
                expect_owner(&request.headers)?;
                let input = request.input;
                let found = self.configuration(&asker, (&input.bucket, &input.id))?;
                Ok(s3s::S3Response::new(s3s::dto::$get_output { $field: Some(found) }))
            }

            pub(crate) async fn $delete(
                &self,
                request: s3s::S3Request<s3s::dto::$delete_input>,
            ) -> S3Result<s3s::S3Response<s3s::dto::$delete_output>> {
                let asker = crate::asker::Asker::of(&request);
                expect_owner(&request.headers)?;
                let input = request.input;
                // One that isn't there can't be taken away.
                self.configuration::<$kind>(&asker, (&input.bucket, &input.id))?;
                self.deconfigure::<$kind>(&asker, (&input.bucket, &input.id)).await?;
                Ok(s3s::S3Response::new(s3s::dto::$delete_output::default()))
            }

            pub(crate) fn $list_verb(
                &self,
                request: s3s::S3Request<s3s::dto::$list_input>,
            ) -> S3Result<s3s::S3Response<s3s::dto::$list_output>> {
                let asker = crate::asker::Asker::of(&request);
                expect_owner(&request.headers)?;
                let input = request.input;
                let after = input.continuation_token.as_deref().map(Token::read).transpose()?.unwrap_or_default();
                let mut found: Vec<(String, $kind)> = self.configurations(&asker, &input.bucket, &after)?;
                let truncated = found.len() > PAGE;
                found.truncate(PAGE);
                let next = found.last().filter(|_| truncated).map(|(name, _)| Token::write(name));
                Ok(s3s::S3Response::new(s3s::dto::$list_output {
                    continuation_token: input.continuation_token,
                    is_truncated: Some(truncated),
                    next_continuation_token: next,
                    $list: Some(found.into_iter().map(|(_, held)| held).collect()),
                }))
            }
        }

        impl Configuration for $kind {
            const KIND: &'static str = $kind_text;
            const READS: Action = Action::$get_action;
            const CHANGES: Action = Action::$put_action;

            fn missing() -> S3Result<Self> {
                Err(none())
            }

            fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
                check_id(&self.id)
            }
        }
    };
}

verbs! {
    AnalyticsConfiguration, "analytics", GetAnalyticsConfiguration PutAnalyticsConfiguration,
    analytics_configuration, analytics_configuration_list,
    put put_bucket_analytics_configuration_verb
        PutBucketAnalyticsConfigurationInput PutBucketAnalyticsConfigurationOutput,
    get get_bucket_analytics_configuration_verb
        GetBucketAnalyticsConfigurationInput GetBucketAnalyticsConfigurationOutput,
    delete delete_bucket_analytics_configuration_verb
        DeleteBucketAnalyticsConfigurationInput DeleteBucketAnalyticsConfigurationOutput,
    list list_bucket_analytics_configurations_verb
        ListBucketAnalyticsConfigurationsInput ListBucketAnalyticsConfigurationsOutput
}

verbs! {
    IntelligentTieringConfiguration, "intelligent-tiering", GetIntelligentTieringConfiguration
    PutIntelligentTieringConfiguration, intelligent_tiering_configuration,
    intelligent_tiering_configuration_list,
    put put_bucket_intelligent_tiering_configuration_verb
        PutBucketIntelligentTieringConfigurationInput PutBucketIntelligentTieringConfigurationOutput,
    get get_bucket_intelligent_tiering_configuration_verb
        GetBucketIntelligentTieringConfigurationInput GetBucketIntelligentTieringConfigurationOutput,
    delete delete_bucket_intelligent_tiering_configuration_verb
        DeleteBucketIntelligentTieringConfigurationInput DeleteBucketIntelligentTieringConfigurationOutput,
    list list_bucket_intelligent_tiering_configurations_verb
        ListBucketIntelligentTieringConfigurationsInput ListBucketIntelligentTieringConfigurationsOutput
}

verbs! {
    InventoryConfiguration, "inventory", GetInventoryConfiguration PutInventoryConfiguration,
    inventory_configuration, inventory_configuration_list,
    put put_bucket_inventory_configuration_verb
        PutBucketInventoryConfigurationInput PutBucketInventoryConfigurationOutput,
    get get_bucket_inventory_configuration_verb
        GetBucketInventoryConfigurationInput GetBucketInventoryConfigurationOutput,
    delete delete_bucket_inventory_configuration_verb
        DeleteBucketInventoryConfigurationInput DeleteBucketInventoryConfigurationOutput,
    list list_bucket_inventory_configurations_verb
        ListBucketInventoryConfigurationsInput ListBucketInventoryConfigurationsOutput
}

verbs! {
    MetricsConfiguration, "metrics", GetMetricsConfiguration PutMetricsConfiguration, metrics_configuration, metrics_configuration_list,
    put put_bucket_metrics_configuration_verb
        PutBucketMetricsConfigurationInput PutBucketMetricsConfigurationOutput,
    get get_bucket_metrics_configuration_verb
        GetBucketMetricsConfigurationInput GetBucketMetricsConfigurationOutput,
    delete delete_bucket_metrics_configuration_verb
        DeleteBucketMetricsConfigurationInput DeleteBucketMetricsConfigurationOutput,
    list list_bucket_metrics_configurations_verb
        ListBucketMetricsConfigurationsInput ListBucketMetricsConfigurationsOutput
}

/// Not all of these verbs have a field for it.
fn expect_owner(headers: &HeaderMap) -> S3Result<()> {
    let owner = headers.get("x-amz-expected-bucket-owner").map(|value| value.to_str().unwrap_or_default());
    owner::expect(owner)
}

fn check_id(id: &str) -> S3Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(allowed) {
        return Err(invalid_argument("Invalid configuration id specified."));
    }
    Ok(())
}

fn none() -> S3Error {
    custom("NoSuchConfiguration", StatusCode::NOT_FOUND, "The specified configuration does not exist.")
}

fn too_many() -> S3Error {
    custom(
        "TooManyConfigurations",
        StatusCode::BAD_REQUEST,
        "You are attempting to create a new configuration but have already reached the 1,000-configuration limit.",
    )
}
