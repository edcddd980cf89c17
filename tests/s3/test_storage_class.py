"""Storage classes: taken, kept and told as on AWS. Where they are stored, tests of pools say."""

from typing import TYPE_CHECKING, Any

import pytest

from tests.refusal import refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import StorageClassType

CLASSES: list["StorageClassType"] = ["STANDARD_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]


def told(s3: "S3Client", bucket: str, key: str) -> set[str | None]:
    """What every verb that tells it says."""
    place: Any = {"Bucket": bucket, "Key": key}
    listed: Any = s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"][0]
    version: Any = s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"][0]
    attributes = s3.get_object_attributes(**place, ObjectAttributes=["StorageClass"])
    return {
        s3.head_object(**place).get("StorageClass", "STANDARD"),
        s3.get_object(**place).get("StorageClass", "STANDARD"),
        listed["StorageClass"],
        version["StorageClass"],
        attributes["StorageClass"],
    }


@pytest.mark.parametrize("storage_class", CLASSES)
@pytest.mark.parametrize("size", [10, 2 << 20])
def test_an_object_keeps_its_class(s3: "S3Client", bucket: str, storage_class: "StorageClassType", size: int) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=bytes(size), StorageClass=storage_class)
    assert told(s3, bucket, "k") == {storage_class}
    assert len(s3.get_object(Bucket=bucket, Key="k")["Body"].read()) == size


def test_standard_has_no_header(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD")
    headers = s3.head_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]
    assert "x-amz-storage-class" not in headers
    assert told(s3, bucket, "k") == {"STANDARD"}


@pytest.mark.parametrize("storage_class", ["INTELLIGENT_TIERING", "standard", "COLD"])
def test_others_are_refused(s3: "S3Client", bucket: str, storage_class: Any) -> None:
    with refused("InvalidStorageClass", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass=storage_class)
    with refused("InvalidStorageClass", 400):
        s3.create_multipart_upload(Bucket=bucket, Key="k", StorageClass=storage_class)


def test_an_upload_has_the_class_it_was_opened_with(s3: "S3Client", bucket: str) -> None:
    opened = s3.create_multipart_upload(Bucket=bucket, Key="k", StorageClass="GLACIER")
    named: Any = {"Bucket": bucket, "Key": "k", "UploadId": opened["UploadId"]}
    part = s3.upload_part(**named, PartNumber=1, Body=b"one")
    assert s3.list_parts(**named)["StorageClass"] == "GLACIER"
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["StorageClass"] == "GLACIER"
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert told(s3, bucket, "k") == {"GLACIER"}


def test_a_copy_has_the_class_of_its_request(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="cold", Body=b"x", StorageClass="GLACIER", Metadata={"desk": "fx"})
    source: Any = {"Bucket": bucket, "Key": "cold"}
    s3.copy_object(Bucket=bucket, Key="warm", CopySource=source)
    assert told(s3, bucket, "warm") == {"STANDARD"}
    s3.copy_object(Bucket=bucket, Key="ia", CopySource=source, StorageClass="STANDARD_IA")
    assert told(s3, bucket, "ia") == {"STANDARD_IA"}
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="cold", CopySource=source, StorageClass="GLACIER")
    s3.copy_object(Bucket=bucket, Key="cold", CopySource=source, StorageClass="STANDARD")
    assert told(s3, bucket, "cold") == {"STANDARD"}
    assert s3.head_object(Bucket=bucket, Key="cold")["Metadata"] == {"desk": "fx"}


def test_an_object_that_grows_keeps_its_class(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="log", Body=b"one", StorageClass="GLACIER_IR", WriteOffsetBytes=0)
    s3.put_object(Bucket=bucket, Key="log", Body=b"two", WriteOffsetBytes=3)
    assert told(s3, bucket, "log") == {"GLACIER_IR"}
    s3.rename_object(Bucket=bucket, Key="old", RenameSource=f"/{bucket}/log")
    assert told(s3, bucket, "old") == {"GLACIER_IR"}
