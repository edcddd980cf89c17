"""Buckets: made, found, listed, removed, and refused."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.refusal import refused
from tests.served import Node
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import OwnershipControlsTypeDef


def test_made_listed_and_removed(s3: "S3Client") -> None:
    s3.create_bucket(Bucket="made")
    assert "made" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket="made")["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.delete_bucket(Bucket="made")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("404", 404):
        s3.head_bucket(Bucket="made")
    assert "made" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    s3.create_bucket(Bucket="made")
    s3.delete_bucket(Bucket="made")


def test_creation_tells_where(s3: "S3Client") -> None:
    assert s3.create_bucket(Bucket="where")["Location"] == "/where"


def test_a_bucket_of_ones_own_is_made_again(s3: "S3Client", bucket: str) -> None:
    """As in the first region of AWS: what it holds stays, and its ACL is that of a new one."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    assert s3.create_bucket(Bucket=bucket)["Location"] == f"/{bucket}"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"
    controls: OwnershipControlsTypeDef = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    s3.create_bucket(Bucket=bucket)
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 1
    # What a request asks for that isn't made again is refused.
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=bucket, ObjectOwnership="BucketOwnerEnforced")


def test_elsewhere_a_bucket_of_ones_own_exists(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", {"PACKSTONE_S3__REGION": "eu-central-1"})
    node.start()
    try:
        raw = Raw(node, region="eu-central-1")
        assert raw.send("PUT", "/made").status == 200
        answer = raw.send("PUT", "/made")
        assert (answer.status, answer.code) == (409, "BucketAlreadyOwnedByYou")
    finally:
        node.close()


def test_location_of_the_first_region_is_empty(s3: "S3Client", bucket: str, raw: Raw) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    assert b"LocationConstraint" in raw.send("GET", f"/{bucket}?location").body


def test_another_region_is_refused(s3: "S3Client") -> None:
    with refused("IllegalLocationConstraintException", 400):
        s3.create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})


def test_a_full_bucket_stays(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)


def test_a_bucket_of_old_content_comes_back_empty(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    s3.delete_object(Bucket=bucket, Key="k")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    s3.abort_multipart_upload(Bucket=bucket, Key="u", UploadId=upload)
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Upper",
        "under_score",
        "-start",
        "end-",
        "a..b",
        "192.168.5.4",
        ".dot",
        "dot.",
        "xn--a",
        "a-s3alias",
    ],
)
def test_a_bad_name_is_refused(raw: Raw, name: str) -> None:
    answer = raw.send("PUT", f"/{name}")
    assert (answer.status, answer.code) == (400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b.c", "0-9", "192.168.5"])
def test_a_good_name_is_taken(s3: "S3Client", name: str) -> None:
    s3.create_bucket(Bucket=name)
    s3.delete_bucket(Bucket=name)


def test_what_is_absent(s3: "S3Client") -> None:
    with refused("NoSuchBucket", 404):
        s3.list_objects_v2(Bucket="absent")
    with refused("NoSuchBucket", 404):
        s3.list_objects(Bucket="absent")
    with refused("NoSuchBucket", 404):
        s3.delete_bucket(Bucket="absent")
    with refused("NoSuchBucket", 404):
        s3.put_object(Bucket="absent", Key="k", Body=b"small")
    with refused("NoSuchBucket", 404):
        s3.put_object(Bucket="absent", Key="k", Body=bytes(3 << 20))
    with refused("NoSuchBucket", 404):
        s3.get_object(Bucket="absent", Key="k")
    with refused("NoSuchBucket", 404):
        s3.delete_object(Bucket="absent", Key="k")
    with refused("NoSuchBucket", 404):
        s3.create_multipart_upload(Bucket="absent", Key="k")
    with refused("NoSuchBucket", 404):
        s3.list_multipart_uploads(Bucket="absent")
    with refused("NoSuchBucket", 404):
        s3.get_bucket_location(Bucket="absent")
    with refused("NoSuchBucket", 404):
        s3.delete_objects(Bucket="absent", Delete={"Objects": [{"Key": "k"}]})


def test_buckets_are_listed_in_order_and_by_pages(s3: "S3Client") -> None:
    names = [f"paged-{number:02}" for number in range(12)]
    for name in reversed(names):
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 5})
    assert [[bucket["Name"] for bucket in page["Buckets"]] for page in pages] == [names[:5], names[5:10], names[10:]]
