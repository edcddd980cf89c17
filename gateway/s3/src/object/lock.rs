//! Retention and legal hold of objects: the verbs, and what comes with an object.

use packstone_access::{Action, Grant, Resource};
use packstone_store::object::{AttributeChange, Retention, Version, VersionId};
use s3s::dto::{
    GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectRetentionInput, GetObjectRetentionOutput,
    ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode,
    PutObjectLegalHoldInput, PutObjectLegalHoldOutput, PutObjectRetentionInput, PutObjectRetentionOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::version;
use crate::asker::Asker;
use crate::body::verify_document;
use crate::condition::until;
use crate::face::Face;
use crate::facts::Said;
use crate::lock::{self, Asked};
use crate::owner;

impl Face {
    pub(crate) fn get_object_retention_verb(
        &self,
        request: S3Request<GetObjectRetentionInput>,
    ) -> S3Result<S3Response<GetObjectRetentionOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let place = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let held = self.locked(&asker, place, Action::GetObjectRetention)?;
        let retention = held.attributes.retention.ok_or_else(lock::none)?;
        Ok(S3Response::new(GetObjectRetentionOutput {
            retention: Some(ObjectLockRetention {
                mode: Some(ObjectLockRetentionMode::from_static(lock::mode_text(retention.mode))),
                retain_until_date: Some(lock::end_of(retention)),
            }),
        }))
    }

    pub(crate) async fn put_object_retention_verb(
        &self,
        request: S3Request<PutObjectRetentionInput>,
    ) -> S3Result<S3Response<PutObjectRetentionOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let change = AttributeChange::Retention(retention(input.retention)?);
        let bypass = input.bypass_governance_retention.unwrap_or_default();
        let place = (&*input.bucket, &*input.key, input.version_id.as_deref());
        self.relock(&asker, place, (Action::PutObjectRetention, change), bypass).await?;
        Ok(S3Response::new(PutObjectRetentionOutput::default()))
    }

    pub(crate) fn get_object_legal_hold_verb(
        &self,
        request: S3Request<GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
        let asker = Asker::of(&request);
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let place = (&*input.bucket, &*input.key, input.version_id.as_deref());
        let held = self.locked(&asker, place, Action::GetObjectLegalHold)?;
        Ok(S3Response::new(GetObjectLegalHoldOutput {
            legal_hold: Some(ObjectLockLegalHold { status: Some(status(held.attributes.legal_hold)) }),
        }))
    }

    pub(crate) async fn put_object_legal_hold_verb(
        &self,
        request: S3Request<PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
        let asker = Asker::of(&request);
        verify_document(&request.headers, &request.extensions, false)?;
        let input = request.input;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let status = input.legal_hold.and_then(|hold| hold.status);
        let on = match status.as_ref().map(ObjectLockLegalHoldStatus::as_str) {
            Some(ObjectLockLegalHoldStatus::ON) => true,
            Some(ObjectLockLegalHoldStatus::OFF) => false,
            _ => return Err(S3Error::new(S3ErrorCode::MalformedXML)),
        };
        let change = (Action::PutObjectLegalHold, AttributeChange::LegalHold(on));
        let place = (&*input.bucket, &*input.key, input.version_id.as_deref());
        self.relock(&asker, place, change, false).await?;
        Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
    }

    /// A version whose lock is asked for.
    fn locked(
        &self,
        asker: &Asker,
        (bucket, key, version_id): (&str, &str, Option<&str>),
        action: Action,
    ) -> S3Result<Version> {
        let named = version::named(version_id)?;
        let grant = self.may_on_version(asker, action, (bucket, key), named)?;
        self.expect_lockable(bucket)?;
        let held = self.store.describe(&grant, named);
        held.map_err(|error| self.missing(asker, (bucket, key), version::unread(error, named.is_some())))
    }

    async fn relock(
        &self,
        asker: &Asker,
        (bucket, key, version_id): (&str, &str, Option<&str>),
        (action, change): (Action, AttributeChange),
        bypass: bool,
    ) -> S3Result<()> {
        let named = version::named(version_id)?;
        let said = Said { version: named, named: &lock::facts(&change), ..Said::default() };
        let grant = self.may_saying(asker, action, Resource::Object { bucket, key }, said)?;
        self.expect_lockable(bucket)?;
        let bypass = self.bypass(asker, (bucket, key), named, bypass);
        let amended = self.store.amend(&grant, named, change, bypass.as_ref()).await;
        amended.map(drop).map_err(|error| self.missing(asker, (bucket, key), version::unread(error, named.is_some())))
    }

    /// Leave to bypass GOVERNANCE, if the client asks for it and has it. Without it what is held is refused.
    pub(crate) fn bypass(
        &self,
        asker: &Asker,
        place: (&str, &str),
        named: Option<VersionId>,
        asked: bool,
    ) -> Option<Grant> {
        let may = || self.may_on_version(asker, Action::BypassGovernanceRetention, place, named).ok();
        asked.then(may).flatten()
    }

    /// Refuses what only a bucket with object lock has. A bucket that does not exist is left to the store.
    fn expect_lockable(&self, bucket: &str) -> S3Result<()> {
        match self.store.bucket_state(bucket) {
            Some(state) if !state.is_lockable() => Err(lock::no_lock_in_bucket()),
            _ => Ok(()),
        }
    }

    /// Leave to write an object with these tags and this lock, each of which needs leave of its own.
    pub(crate) fn may_write(
        &self,
        asker: &Asker,
        (bucket, key): (&str, &str),
        tags: &[(String, String)],
        lock: Asked,
    ) -> S3Result<Grant> {
        let said = Said { tags, named: &lock.facts(), ..Said::default() };
        let grant = self.may_saying(asker, Action::PutObject, Resource::Object { bucket, key }, said)?;
        self.expect_leave_to_lock(asker, bucket, key, lock)?;
        if !tags.is_empty() {
            self.may_put_tags(asker, bucket, key, tags)?;
        }
        Ok(grant)
    }

    /// Whether the asker may lock what it brings: known before a byte of it is taken.
    fn expect_leave_to_lock(&self, asker: &Asker, bucket: &str, key: &str, asked: Asked) -> S3Result<()> {
        let may = |action, change| {
            let said = Said { named: &lock::facts(&change), ..Said::default() };
            self.may_saying(asker, action, Resource::Object { bucket, key }, said)
        };
        if asked.retention.is_some() {
            may(Action::PutObjectRetention, AttributeChange::Retention(asked.retention))?;
        }
        if asked.legal_hold {
            may(Action::PutObjectLegalHold, AttributeChange::LegalHold(true))?;
        }
        if asked.is_set() { self.expect_lockable(bucket) } else { Ok(()) }
    }
}

/// Both parts of a retention, or neither, which takes it off.
pub(crate) fn retention(asked: Option<ObjectLockRetention>) -> S3Result<Option<Retention>> {
    let malformed = || S3Error::new(S3ErrorCode::MalformedXML);
    let asked = asked.ok_or_else(malformed)?;
    match (asked.mode, asked.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode), Some(time)) => {
            let mode = lock::mode_of(mode.as_str()).ok_or_else(malformed)?;
            Ok(Some(Retention { mode, until: until(time) }))
        }
        (Some(_), None) | (None, Some(_)) => Err(malformed()),
    }
}

fn status(on: bool) -> ObjectLockLegalHoldStatus {
    ObjectLockLegalHoldStatus::from_static(if on {
        ObjectLockLegalHoldStatus::ON
    } else {
        ObjectLockLegalHoldStatus::OFF
    })
}
