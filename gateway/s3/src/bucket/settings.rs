//! Settings of a bucket that have a value even where nobody set them: acceleration, request payment, logging.

use hyper::StatusCode;
use packstone_access::Action;
use s3s::S3Result;
use s3s::dto::{
    AccelerateConfiguration, BucketAccelerateStatus, BucketLoggingStatus, Payer, RequestPaymentConfiguration,
};

use super::configuration::{Configuration, Site, gets, malformed, puts};
use crate::error::{custom, invalid_request};
use crate::face::Face;

impl Face {
    puts!(
        put_bucket_accelerate_configuration_verb,
        PutBucketAccelerateConfigurationInput => PutBucketAccelerateConfigurationOutput,
        |input| input.accelerate_configuration
    );
    gets!(
        get_bucket_accelerate_configuration_verb,
        GetBucketAccelerateConfigurationInput => GetBucketAccelerateConfigurationOutput,
        |found: AccelerateConfiguration| { status: found.status }
    );

    puts!(put_bucket_request_payment_verb, PutBucketRequestPaymentInput => PutBucketRequestPaymentOutput, |input| {
        input.request_payment_configuration
    });
    gets!(
        get_bucket_request_payment_verb,
        GetBucketRequestPaymentInput => GetBucketRequestPaymentOutput,
        |found: RequestPaymentConfiguration| { payer: Some(found.payer) }
    );

    puts!(put_bucket_logging_verb, PutBucketLoggingInput => PutBucketLoggingOutput, |input| {
        input.bucket_logging_status
    });
    gets!(get_bucket_logging_verb, GetBucketLoggingInput => GetBucketLoggingOutput, |found: BucketLoggingStatus| {
        logging_enabled: found.logging_enabled
    });
}

impl Configuration for AccelerateConfiguration {
    const KIND: &'static str = "accelerate";
    const READS: Action = Action::GetAccelerateConfiguration;
    const CHANGES: Action = Action::PutAccelerateConfiguration;

    fn missing() -> S3Result<Self> {
        Ok(Self::default())
    }

    fn check(&mut self, site: &Site<'_>) -> S3Result<()> {
        match self.status.as_ref().map(BucketAccelerateStatus::as_str) {
            Some(BucketAccelerateStatus::ENABLED | BucketAccelerateStatus::SUSPENDED) => {}
            _ => return Err(malformed()),
        }
        if site.bucket.contains('.') {
            return Err(invalid_request(
                "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names",
            ));
        }
        Ok(())
    }
}

impl Configuration for RequestPaymentConfiguration {
    const KIND: &'static str = "request-payment";
    const READS: Action = Action::GetBucketRequestPayment;
    const CHANGES: Action = Action::PutBucketRequestPayment;

    fn missing() -> S3Result<Self> {
        Ok(Self { payer: Payer::from_static(Payer::BUCKET_OWNER) })
    }

    fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
        match self.payer.as_str() {
            Payer::BUCKET_OWNER | Payer::REQUESTER => Ok(()),
            _ => Err(malformed()),
        }
    }
}

impl Configuration for BucketLoggingStatus {
    const KIND: &'static str = "logging";
    const READS: Action = Action::GetBucketLogging;
    const CHANGES: Action = Action::PutBucketLogging;

    fn missing() -> S3Result<Self> {
        Ok(Self::default())
    }

    fn check(&mut self, site: &Site<'_>) -> S3Result<()> {
        let Some(logging) = &self.logging_enabled else { return Ok(()) };
        if site.store.bucket_state(&logging.target_bucket).is_none() {
            return Err(custom(
                "InvalidTargetBucketForLogging",
                StatusCode::BAD_REQUEST,
                "The target bucket for logging does not exist",
            ));
        }
        Ok(())
    }
}
