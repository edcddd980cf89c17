//! XML documents as clients send them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use packstone_store::configuration::VERSIONING;
use packstone_store::object::{Bucket, BucketState, Document, Etag, ObjectLock, Part, Versioning};
use s3s::dto;
use s3s::xml::{Deserialize, Deserializer};

use crate::bucket::configuration::{Configuration, Site, read, write};
use crate::bucket::{access, object_lock};
use crate::encryption::Method;
use crate::front::cors;
use crate::object::{complete, lock, version};
use crate::tags::{self, Tagged};
use crate::{acl, condition, etag};

/// The bucket that documents are for; another one is named by what they say.
const BUCKET: &str = "bucket";

/// Reads a document as each of those that S3 has. What is taken is given back as it was taken, and read again by whoever
/// acts on it.
pub fn document(xml: &[u8]) {
    let _ = is_kept(xml);
    if let Some(held) = parse::<dto::Delete>(xml) {
        for named in &held.objects {
            let _ = version::named(named.version_id.as_deref());
            let _ = named.last_modified_time.clone().map(condition::unix_seconds);
        }
    }
    if let Some(held) = parse::<dto::CompletedMultipartUpload>(xml) {
        chosen(&held.parts.unwrap_or_default());
    }
    if let Some(held) = parse::<dto::AccessControlPolicy>(xml)
        && let Ok(asked) = acl::of_document(held)
    {
        assert_eq!(acl::decode(&acl::encode(&asked)), Some(asked));
    }
    if let Some(held) = parse::<dto::Tagging>(xml)
        && let Ok(tags) = tags::of_document(held.tag_set, Tagged::Object)
    {
        assert!(tags.len() <= 10 && tags.is_sorted_by(|one, other| one.0 < other.0));
        assert_eq!(tags::of_document(tags::to_document(&tags), Tagged::Object).unwrap(), tags);
    }
    if let Some(held) = parse::<dto::ObjectLockConfiguration>(xml)
        && let Ok(asked) = object_lock::engine_lock(held)
    {
        assert_eq!(ObjectLock::decode(&asked.encode()).unwrap(), asked);
        assert_eq!(object_lock::engine_lock(object_lock::told(asked)).unwrap(), asked);
    }
    if let Some(held) = parse::<dto::ObjectLockRetention>(xml) {
        let _ = lock::retention(Some(held));
    }
    let _ = parse::<dto::ObjectLockLegalHold>(xml);
    let _ = parse::<dto::VersioningConfiguration>(xml);
    let _ = parse::<dto::CreateBucketConfiguration>(xml);
}

fn parse<T: for<'xml> Deserialize<'xml>>(xml: &[u8]) -> Option<T> {
    T::deserialize(&mut Deserializer::new(xml)).ok()
}

/// Whether it is a bucket's configuration, and one that is kept.
#[must_use]
pub fn is_kept(xml: &[u8]) -> bool {
    let cors = kept::<dto::CORSConfiguration>(xml).map(|(held, _)| cors::Rules::new(&held));
    let encryption = kept::<dto::ServerSideEncryptionConfiguration>(xml);
    let encryption = encryption.map(|(held, _)| Method::of_configuration(&held).unwrap());
    let ownership = kept::<dto::OwnershipControls>(xml).map(|(_, written)| access::ownership(&written).unwrap());
    let block = kept::<dto::PublicAccessBlockConfiguration>(xml).map(|(_, written)| access::block(&written).unwrap());
    let others = [
        kept::<dto::AccelerateConfiguration>(xml).is_some(),
        kept::<dto::AnalyticsConfiguration>(xml).is_some(),
        kept::<dto::BucketLifecycleConfiguration>(xml).is_some(),
        kept::<dto::BucketLoggingStatus>(xml).is_some(),
        kept::<dto::IntelligentTieringConfiguration>(xml).is_some(),
        kept::<dto::InventoryConfiguration>(xml).is_some(),
        kept::<dto::MetricsConfiguration>(xml).is_some(),
        kept::<dto::NotificationConfiguration>(xml).is_some(),
        kept::<dto::ReplicationConfiguration>(xml).is_some(),
        kept::<dto::RequestPaymentConfiguration>(xml).is_some(),
        kept::<dto::Tagging>(xml).is_some(),
    ];
    cors.is_some() || encryption.is_some() || ownership.is_some() || block.is_some() || others.contains(&true)
}

/// The configuration and its document, if it is one that is kept.
fn kept<C: Configuration>(xml: &[u8]) -> Option<(C, Vec<u8>)> {
    let mut configuration = parse::<C>(xml)?;
    let _ = configuration.tags();
    configuration.check(&Site { buckets: &standing, bucket: BUCKET }).ok()?;
    let written = write(&configuration).unwrap();
    // One that couldn't be read again is refused.
    let again = parse::<C>(&written)?;
    assert_eq!(write(&again).unwrap(), written, "what is read isn't what was kept");
    Some((read(&written).unwrap(), written))
}

/// Every bucket is there, and keeps versions.
#[allow(clippy::unnecessary_wraps, reason = "stands for the store's look-up")]
fn standing(name: &str) -> Option<Arc<BucketState>> {
    let state = BucketState::new(Bucket { id: 1, name: name.into(), created: SystemTime::UNIX_EPOCH });
    let enabled = Document { lsn: 1, value: Versioning::Enabled.encode().unwrap().into() };
    Some(Arc::new(state.with(VERSIONING, "", Some(enabled)).unwrap()))
}

/// Parts are taken in the order of their numbers, each as it was uploaded.
fn chosen(named: &[dto::CompletedPart]) {
    let part = |number: u16| {
        let etag = Etag { md5: [0xab; 16], parts: 0 };
        (number, Part { number, size: 1, modified: SystemTime::UNIX_EPOCH, etag, checksum: None })
    };
    let uploaded: BTreeMap<u16, Part> = (1..=3).map(part).collect();
    let Ok(parts) = complete::chosen(named, &uploaded) else { return };
    assert!(!parts.is_empty() && parts.is_sorted_by(|one, other| one.number < other.number));
    assert!(named.iter().all(|entry| etag::parse(entry.e_tag.as_ref().unwrap().value()).is_some()));
}
