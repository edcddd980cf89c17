"""Routes that shorten or weaken a lock, or the rules of its bucket, through S3."""

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from tests.signing import Raw
from tests.worm.clauses import Clause, protects
from tests.worm.record import DENIED, Record, attempt, code, later

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@protects(Clause.TIME, Clause.PERIOD, Clause.DURATION)
@pytest.mark.parametrize("bypass", [False, True])
def test_shorten_by_a_second(s3: "S3Client", record: Record, bypass: bool) -> None:
    """PutObjectRetention with a date one second earlier, with and without the bypass."""
    assert record.until is not None
    shorter: Any = {"Mode": "COMPLIANCE", "RetainUntilDate": record.until - dt.timedelta(seconds=1)}
    refused = code(s3.put_object_retention, **record.named, Retention=shorter, BypassGovernanceRetention=bypass)
    assert refused == DENIED


@protects(Clause.TIME, Clause.DURATION)
@pytest.mark.parametrize("bypass", [False, True])
def test_remove_retention(s3: "S3Client", record: Record, bypass: bool) -> None:
    """PutObjectRetention with an empty document, which removes GOVERNANCE."""
    empty: Any = {}
    refused = code(s3.put_object_retention, **record.named, Retention=empty, BypassGovernanceRetention=bypass)
    assert refused == DENIED


@protects(Clause.WORM, Clause.DURATION)
def test_weaken_to_governance(s3: "S3Client", record: Record) -> None:
    """PutObjectRetention that keeps the date and turns COMPLIANCE into GOVERNANCE, which could be bypassed then."""
    weaker: Any = {"Mode": "GOVERNANCE", "RetainUntilDate": later(days=60)}
    assert code(s3.put_object_retention, **record.named, Retention=weaker, BypassGovernanceRetention=True) == DENIED


@protects(Clause.TIME)
def test_retain_until_the_past(s3: "S3Client", record: Record) -> None:
    """PutObjectRetention with a date in the past."""
    past: Any = {"Mode": "COMPLIANCE", "RetainUntilDate": later(days=-1)}
    assert code(s3.put_object_retention, **record.named, Retention=past) in {DENIED, "InvalidArgument"}


@protects(Clause.TIME)
def test_store_with_a_lock_in_the_past(s3: "S3Client", bucket: str) -> None:
    """PutObject with a retention that is over before it begins: a lock in name only."""
    past: Any = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": later(seconds=-1)}
    assert code(s3.put_object, Bucket=bucket, Key="lie", Body=b"", **past) == "InvalidArgument"


@protects(Clause.DURATION)
def test_extending_can_not_be_taken_back(s3: "S3Client", bucket: str, record: Record) -> None:
    """Retention extended, then set back to the date that it had first."""
    assert record.until is not None
    extended = record.extended(s3, record.until + dt.timedelta(days=365))
    before: Any = {"Mode": "COMPLIANCE", "RetainUntilDate": record.until}
    assert code(s3.put_object_retention, **record.named, Retention=before) == DENIED
    extended.assert_locked(s3)


@protects(Clause.PERIOD)
def test_shorten_the_default(s3: "S3Client", bucket: str) -> None:
    """The bucket's default retention shortened and removed after records were stored under it."""

    def set_default(rule: Any) -> None:
        document: Any = {"ObjectLockEnabled": "Enabled"} | rule
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=document)

    set_default({"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 6}}})
    version = s3.put_object(Bucket=bucket, Key="six years", Body=b"kept")["VersionId"]
    kept = Record(bucket, "six years", version, later(days=6 * 365 - 1), body=b"kept")
    set_default({"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}})
    set_default({})
    kept.assert_locked(s3)


@protects(Clause.WORM)
def test_take_object_lock_off(s3: "S3Client", raw: Raw, record: Record) -> None:
    """The bucket's object lock disabled, by a document and by its removal."""
    disabled = b"<ObjectLockConfiguration><ObjectLockEnabled>Disabled</ObjectLockEnabled></ObjectLockConfiguration>"
    assert raw.send("PUT", f"/{record.bucket}?object-lock", {}, disabled).status == 400
    assert raw.send("DELETE", f"/{record.bucket}?object-lock").status >= 400


@protects(Clause.WORM)
def test_suspend_versioning(s3: "S3Client", record: Record) -> None:
    """Versioning suspended, so that a PUT would overwrite the null version."""
    suspended: Any = {"Status": "Suspended"}
    refused = code(s3.put_bucket_versioning, Bucket=record.bucket, VersioningConfiguration=suspended)
    assert refused == "InvalidBucketState"


@protects(Clause.AUTHENTIC)
def test_change_who_owns_and_who_may(s3: "S3Client", record: Record) -> None:
    """Ownership controls, ACLs and a policy that allows everything to everybody: none of them is asked about a lock."""
    ownership: Any = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    attempt(s3.put_bucket_ownership_controls, Bucket=record.bucket, OwnershipControls=ownership)
    attempt(s3.put_object_acl, **record.named, ACL="public-read-write")
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}'
    attempt(s3.put_bucket_policy, Bucket=record.bucket, Policy=policy)
    assert code(s3.delete_object, **record.named, BypassGovernanceRetention=True) == DENIED


@protects(Clause.DURATION)
def test_lift_a_hold_by_retention(s3: "S3Client", held: Record) -> None:
    """A legal hold lifted by setting a retention that ends soon, and waiting for that."""
    until = later(seconds=2)
    short: Any = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
    s3.put_object_retention(**held.named, Retention=short)
    while later() <= until:
        pass
    assert code(s3.delete_object, **held.named) == DENIED


@protects(Clause.TIME)
def test_shorten_presigned_with_unsigned_headers(s3: "S3Client", raw: Raw, record: Record) -> None:
    """A presigned PUT of the key to which lock headers are added, unsigned."""
    url = s3.generate_presigned_url("put_object", Params=record.here)
    headers = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": f"{later(seconds=5):%Y-%m-%dT%H:%M:%SZ}",
    }
    assert raw.plain("PUT", url.removeprefix(s3.meta.endpoint_url), headers, b"forged").status == 403
