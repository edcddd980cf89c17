"""Routes that delete a locked version, or all that names it, through S3."""

from typing import TYPE_CHECKING, Any

from tests.signing import Raw
from tests.worm.clauses import Clause, protects
from tests.worm.record import DENIED, Record, attempt, code, later

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@protects(Clause.WORM, Clause.MEDIA, Clause.DURATION)
def test_delete_the_version(s3: "S3Client", record: Record) -> None:
    """DELETE of the version, as root."""
    assert code(s3.delete_object, **record.named) == DENIED


@protects(Clause.WORM, Clause.DURATION)
def test_delete_with_a_bypass_of_governance(s3: "S3Client", record: Record) -> None:
    """DELETE of the version with the header that bypasses GOVERNANCE."""
    assert code(s3.delete_object, **record.named, BypassGovernanceRetention=True) == DENIED


@protects(Clause.WORM)
def test_delete_many(s3: "S3Client", record: Record) -> None:
    """DeleteObjects that names the version, with the bypass, twice, and beside versions that may go."""
    loose = s3.put_object(Bucket=record.bucket, Key="loose", Body=b"")["VersionId"]
    locked: Any = {"Key": record.key, "VersionId": record.version}
    objects: Any = [locked, {"Key": "loose", "VersionId": loose}, locked]
    answer = s3.delete_objects(Bucket=record.bucket, Delete={"Objects": objects}, BypassGovernanceRetention=True)
    assert {fault.get("Code") for fault in answer["Errors"]} == {DENIED}
    assert [gone.get("Key") for gone in answer["Deleted"]] == ["loose"]


@protects(Clause.WORM)
def test_delete_quietly(s3: "S3Client", record: Record) -> None:
    """DeleteObjects in quiet mode, which tells of errors only."""
    objects: Any = [{"Key": record.key, "VersionId": record.version}]
    answer = s3.delete_objects(Bucket=record.bucket, Delete={"Objects": objects, "Quiet": True})
    assert answer["Errors"][0].get("Code") == DENIED


@protects(Clause.WORM, Clause.DOWNLOAD)
def test_delete_without_a_version(s3: "S3Client", record: Record) -> None:
    """DELETE of the key: a marker hides it from plain GETs and ends nothing."""
    assert s3.delete_object(**record.here)["DeleteMarker"] is True
    assert code(s3.get_object, **record.here) == "NoSuchKey"
    record.assert_kept(s3)


@protects(Clause.WORM)
def test_delete_the_null_version(s3: "S3Client", record: Record) -> None:
    """DELETE of the null version, which this key never had."""
    attempt(s3.delete_object, **record.here, VersionId="null")


@protects(Clause.WORM)
def test_delete_by_a_condition(s3: "S3Client", record: Record) -> None:
    """DELETE of the version under a condition that holds."""
    etag = s3.head_object(**record.named)["ETag"]
    assert code(s3.delete_object, **record.named, IfMatch=etag) == DENIED


@protects(Clause.WORM)
def test_delete_by_other_spellings(raw: Raw, record: Record) -> None:
    """DELETE with the version in spellings that a lax server may read: none of them ends it."""
    for query in (f"versionID={record.version}", f"VersionId={record.version}", f"versionId={record.version.upper()}"):
        raw.send("DELETE", f"/{record.bucket}/{record.key}?{query}")
    doubled = f"versionId={record.version}&versionId={record.version}"
    assert raw.send("DELETE", f"/{record.bucket}/{record.key}?{doubled}").status >= 400


@protects(Clause.WORM)
def test_delete_presigned_with_an_unsigned_bypass(s3: "S3Client", raw: Raw, record: Record) -> None:
    """A presigned DELETE to which the bypass header is added, unsigned."""
    url = s3.generate_presigned_url("delete_object", Params=record.named)
    target = url.removeprefix(s3.meta.endpoint_url)
    assert raw.plain("DELETE", target, {"x-amz-bypass-governance-retention": "true"}).status == 403
    assert raw.plain("DELETE", target).code == DENIED


@protects(Clause.WORM)
def test_delete_the_bucket(s3: "S3Client", record: Record) -> None:
    """DeleteBucket, with the record current and hidden below a delete marker."""
    assert code(s3.delete_bucket, Bucket=record.bucket) == "BucketNotEmpty"
    marker = s3.delete_object(**record.here)["VersionId"]
    assert code(s3.delete_bucket, Bucket=record.bucket) == "BucketNotEmpty"
    s3.delete_object(**record.here, VersionId=marker)


@protects(Clause.WORM)
def test_delete_by_a_bucket_subresource(raw: Raw, record: Record) -> None:
    """DELETE of the bucket with a sub-resource that nobody serves, which must not fall through to DeleteBucket."""
    for name in ("metadataConfiguration", "object-lock", "versioning", "retention", "legal-hold", "uploads"):
        assert raw.send("DELETE", f"/{record.bucket}?{name}").status >= 400
    for name in ("retention", "legal-hold"):
        raw.send("DELETE", f"/{record.bucket}/{record.key}?{name}&versionId={record.version}")


@protects(Clause.WORM, Clause.DURATION)
def test_expire_by_lifecycle(s3: "S3Client", record: Record) -> None:
    """A lifecycle configuration that expires everything after a day; keeping it changes no version."""
    rule: Any = {
        "ID": "all",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    attempt(s3.put_bucket_lifecycle_configuration, Bucket=record.bucket, LifecycleConfiguration={"Rules": [rule]})


@protects(Clause.WORM, Clause.DURATION)
def test_delete_what_is_held(s3: "S3Client", held: Record) -> None:
    """DELETE of a version under legal hold, with and without the bypass."""
    assert code(s3.delete_object, **held.named) == DENIED
    assert code(s3.delete_object, **held.named, BypassGovernanceRetention=True) == DENIED


@protects(Clause.DURATION)
def test_a_hold_outlasts_retention(s3: "S3Client", bucket: str) -> None:
    """DELETE after retention has ended, under a legal hold that has not."""
    until = later(seconds=2)
    lock: Any = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until, "ObjectLockLegalHoldStatus": "ON"}
    version = s3.put_object(Bucket=bucket, Key="both", Body=b"kept", **lock)["VersionId"]
    kept = Record(bucket, "both", version, until, held=True, body=b"kept")
    while later() <= until:
        assert code(s3.delete_object, **kept.named) == DENIED
    assert code(s3.delete_object, **kept.named) == DENIED
    kept.assert_kept(s3)
    # The lock is what held it: with both gone, the version may go.
    s3.put_object_legal_hold(**kept.named, LegalHold={"Status": "OFF"})
    s3.delete_object(**kept.named)
