//! Settings of a bucket that have a value even where nobody set them: acceleration, request payment.

use packstone_access::Action;
use s3s::S3Result;
use s3s::dto::{AccelerateConfiguration, BucketAccelerateStatus, Payer, RequestPaymentConfiguration};

use super::configuration::{Configuration, Site, gets, malformed, puts};
use crate::error::invalid_request;
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
