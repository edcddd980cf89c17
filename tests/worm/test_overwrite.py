"""Routes that write over a locked version, or move it away, through S3."""

from typing import TYPE_CHECKING, Any

from tests.signing import Raw
from tests.worm.clauses import Clause, protects
from tests.worm.record import Record, attempt

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1 << 20


@protects(Clause.WORM, Clause.MEDIA, Clause.AUTHENTIC)
def test_put_over_it(s3: "S3Client", record: Record) -> None:
    """PUT of other bytes under its key: a version of its own beside it."""
    assert s3.put_object(**record.here, Body=b"forged")["VersionId"] != record.version
    record.assert_kept(s3)


@protects(Clause.WORM)
def test_put_into_the_version(raw: Raw, record: Record) -> None:
    """PUT that names the version."""
    raw.send("PUT", f"/{record.bucket}/{record.key}?versionId={record.version}", {}, b"forged")


@protects(Clause.WORM, Clause.AUTHENTIC)
def test_copy_onto_itself(s3: "S3Client", record: Record) -> None:
    """CopyObject from the version onto its own key with metadata replaced: a new version, the old as it was."""
    copy: Any = s3.copy_object(
        **record.here, CopySource=record.named, MetadataDirective="REPLACE", Metadata={"desk": "another"}
    )
    assert copy["VersionId"] != record.version
    assert s3.head_object(**record.named)["Metadata"] == {}


@protects(Clause.WORM)
def test_copy_another_over_it(s3: "S3Client", record: Record) -> None:
    """CopyObject of another object over its key."""
    s3.put_object(Bucket=record.bucket, Key="other", Body=b"forged")
    s3.copy_object(**record.here, CopySource={"Bucket": record.bucket, "Key": "other"})


@protects(Clause.WORM)
def test_upload_in_parts_over_it(s3: "S3Client", record: Record) -> None:
    """A multipart upload completed under its key, and one aborted."""
    upload = s3.create_multipart_upload(**record.here)["UploadId"]
    part = s3.upload_part(**record.here, UploadId=upload, PartNumber=1, Body=b"forged" * MIB)
    parts: Any = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**record.here, UploadId=upload, MultipartUpload={"Parts": parts})
    aborted = s3.create_multipart_upload(**record.here)["UploadId"]
    s3.abort_multipart_upload(**record.here, UploadId=aborted)


@protects(Clause.WORM)
def test_append_to_it(raw: Raw, record: Record) -> None:
    """PUT with a write offset, which would append to it."""
    headers = {"x-amz-write-offset-bytes": str(len(record.body))}
    answer = raw.send("PUT", f"/{record.bucket}/{record.key}", headers, b"forged")
    assert (answer.status, answer.code) == (403, "AccessDenied")


@protects(Clause.WORM)
def test_rename_it(raw: Raw, record: Record) -> None:
    """RenameObject of its key to another one."""
    headers = {"x-amz-rename-source": f"/{record.bucket}/{record.key}"}
    answer = raw.send("PUT", f"/{record.bucket}/elsewhere?renameObject", headers)
    assert (answer.status, answer.code) == (403, "AccessDenied")


@protects(Clause.WORM)
def test_rename_over_it(s3: "S3Client", raw: Raw, record: Record) -> None:
    """RenameObject of another key to its own."""
    s3.put_object(Bucket=record.bucket, Key="other", Body=b"forged")
    headers = {"x-amz-rename-source": f"/{record.bucket}/other"}
    answer = raw.send("PUT", f"/{record.bucket}/{record.key}?renameObject", headers)
    assert (answer.status, answer.code) == (403, "AccessDenied")


@protects(Clause.WORM)
def test_restore_over_it(raw: Raw, record: Record) -> None:
    """RestoreObject, which writes a copy back where archives are served."""
    body = b"<RestoreRequest><Days>1</Days></RestoreRequest>"
    assert raw.send("POST", f"/{record.bucket}/{record.key}?restore&versionId={record.version}", {}, body).status >= 400


@protects(Clause.AUTHENTIC)
def test_change_its_tags(s3: "S3Client", record: Record) -> None:
    """Tags of the version set and removed, as AWS allows: they are no part of what is locked, and loosen nothing."""
    tags: Any = {"TagSet": [{"Key": "retention", "Value": "none"}]}
    attempt(s3.put_object_tagging, **record.named, Tagging=tags)
    attempt(s3.delete_object_tagging, **record.named)


@protects(Clause.WORM)
def test_make_the_bucket_again(s3: "S3Client", record: Record) -> None:
    """CreateBucket with the bucket's name, without object lock."""
    attempt(s3.create_bucket, Bucket=record.bucket)
