#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use packstone_access::{Action, Actor, Resource, authorise};
use packstone_store::Store;
use packstone_store::object::{NewDocument, ObjectLock};
use s3s::dto::{
    BucketLoggingStatus, LoggingEnabled, PartitionDateSource, PartitionedPrefix, SimplePrefix, TargetObjectKeyFormat,
};
use time::OffsetDateTime;

use super::*;
use crate::trial_store::store;

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
    "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*",
    "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::ticks"}, "StringEquals": {"aws:SourceAccount": "000000000000"}}}}"#;

fn destination(source: &str, format: Option<TargetObjectKeyFormat>) -> Destination {
    let logging = LoggingEnabled {
        target_bucket: "logs".into(),
        target_grants: None,
        target_object_key_format: format,
        target_prefix: "of-ticks/".into(),
    };
    Destination::new(source, BucketLoggingStatus { logging_enabled: Some(logging) }).unwrap()
}

fn partitioned(source: &'static str) -> Option<TargetObjectKeyFormat> {
    let partition_date_source = Some(PartitionDateSource::from_static(source));
    Some(TargetObjectKeyFormat {
        partitioned_prefix: Some(PartitionedPrefix { partition_date_source }),
        simple_prefix: None,
    })
}

#[test]
fn keys_say_when_and_of_what() {
    let now = OffsetDateTime::from_unix_timestamp(1_767_225_599).unwrap();
    let event = now - Duration::from_secs(86_400);
    let key = |format| {
        let destination = destination("ticks", format);
        destination.key("eu-central-1", destination.day(event), now, "0123")
    };
    assert_eq!(key(None), "of-ticks/2025-12-31-23-59-59-0123");
    let simple = TargetObjectKeyFormat { partitioned_prefix: None, simple_prefix: Some(SimplePrefix {}) };
    assert_eq!(key(Some(simple)), "of-ticks/2025-12-31-23-59-59-0123");
    let folder = "of-ticks/000000000000/eu-central-1/ticks";
    assert_eq!(key(partitioned("EventTime")), format!("{folder}/2025/12/30/2025-12-30-00-00-00-0123"));
    assert_eq!(key(partitioned("DeliveryTime")), format!("{folder}/2025/12/31/2025-12-31-23-59-59-0123"));
}

async fn bucket(store: &Store, name: &str, documents: &[(&str, &[u8])]) {
    let document = |(kind, value): &(&str, &[u8])| NewDocument {
        kind: (*kind).into(),
        name: String::new(),
        value: value.to_vec().into(),
    };
    let grant = authorise(&Actor::Root, Action::CreateBucket, Resource::Bucket(name)).unwrap();
    store.create_bucket(&grant, documents.iter().map(document).collect()).await.unwrap();
}

#[tokio::test]
async fn who_delivers_needs_leave() {
    let scratch = tempfile::tempdir().unwrap();
    let store = store(&scratch);
    let default = ObjectLock {
        default: Some(packstone_store::object::DefaultRetention {
            mode: packstone_store::object::Mode::Governance,
            period: packstone_store::object::Period::Days(1),
        }),
    };
    let lock = default.encode();
    let group = "1\nWRITE uri http://acs.amazonaws.com/groups/s3/LogDelivery".as_bytes();
    let owner = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    let deny = POLICY.replace("Allow", "Deny");
    let others = POLICY.replace("logging.s3", "delivery.logs");
    for (documents, source, may) in [
        (vec![], "ticks", false),
        (vec![("policy", POLICY.as_bytes())], "ticks", true),
        (vec![("policy", POLICY.as_bytes())], "quotes", false),
        (vec![("policy", others.as_bytes())], "ticks", false),
        (vec![("policy", b"nonsense".as_slice())], "ticks", false),
        (vec![("acl", group)], "ticks", false),
        (vec![("acl", group), ("ownership-controls", owner.as_bytes())], "ticks", true),
        (vec![("acl", group), ("ownership-controls", owner.as_bytes()), ("policy", deny.as_bytes())], "ticks", false),
        (vec![("policy", POLICY.as_bytes()), ("versioning", &[1]), ("object-lock", &lock)], "ticks", false),
    ] {
        bucket(&store, "logs", &documents).await;
        let state = store.bucket_state("logs").unwrap();
        let destination = destination(source, None);
        let granted = leave(&state, &destination, "of-ticks/key");
        assert_eq!(granted.is_ok(), may, "{documents:?} {:?}", granted.err());
        let grant = authorise(&Actor::Root, Action::DeleteBucket, Resource::Bucket("logs")).unwrap();
        store.delete_bucket(&grant).await.unwrap();
    }
}
