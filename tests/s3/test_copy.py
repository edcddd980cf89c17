"""CopyObject: of small, large and multipart objects, with conditions, and onto itself."""

import datetime as dt
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.refusal import refused
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BAD = '"00000000000000000000000000000000"'


def md5(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


@pytest.mark.parametrize("size", [0, 100, 1 << 20, (5 << 20) + 3])
def test_a_copy_is_the_same(s3: "S3Client", bucket: str, size: int) -> None:
    body = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="from", Body=body, ContentType="a/b", Metadata={"m": "1"}, CacheControl="no-store")
    result = s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/from")["CopyObjectResult"]
    assert result["ETag"] == md5(body)
    s3.delete_object(Bucket=bucket, Key="from")
    answer = s3.get_object(Bucket=bucket, Key="to")
    assert answer["Body"].read() == body
    assert (answer["ContentType"], answer["Metadata"], answer["CacheControl"]) == ("a/b", {"m": "1"}, "no-store")
    assert answer["LastModified"] == result["LastModified"]


def test_across_buckets_and_odd_keys(s3: "S3Client", bucket: str) -> None:
    s3.create_bucket(Bucket=bucket + "-other")
    s3.put_object(Bucket=bucket, Key="a b+ü/%41?x", Body=b"1")
    s3.copy_object(Bucket=bucket + "-other", Key="to", CopySource={"Bucket": bucket, "Key": "a b+ü/%41?x"})
    assert s3.get_object(Bucket=bucket + "-other", Key="to")["Body"].read() == b"1"


def test_replaced_metadata(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"1", ContentType="a/b", Metadata={"m": "1"})
    s3.copy_object(
        Bucket=bucket, Key="to", CopySource=f"{bucket}/from", MetadataDirective="REPLACE", Metadata={"n": "2"}
    )
    head = s3.head_object(Bucket=bucket, Key="to")
    assert head["Metadata"] == {"n": "2"}
    assert head["ContentType"] == "binary/octet-stream"
    # Without the directive the request's own metadata is passed over.
    s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/from", Metadata={"n": "2"})
    assert s3.head_object(Bucket=bucket, Key="to")["Metadata"] == {"m": "1"}


def test_onto_itself(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Metadata={"m": "1"})
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k")
    s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", MetadataDirective="REPLACE", Metadata={"n": "2"})
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"1", {"n": "2"})


def test_large_onto_itself(s3: "S3Client", bucket: str) -> None:
    body = os.urandom(9 << 20)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", MetadataDirective="REPLACE", Metadata={"n": "2"})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_of_a_multipart_object(s3: "S3Client", bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="from", Metadata={"m": "1"})["UploadId"]
    bodies = [os.urandom(5 << 20), os.urandom(17)]
    parts = [
        s3.upload_part(Bucket=bucket, Key="from", UploadId=upload, PartNumber=number, Body=body)["ETag"]
        for number, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="from",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(parts, 1)]},
    )
    result = s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/from")["CopyObjectResult"]
    answer = s3.get_object(Bucket=bucket, Key="to")
    assert answer["Body"].read() == b"".join(bodies)
    assert answer["Metadata"] == {"m": "1"}
    assert answer["ETag"] == result["ETag"] == md5(b"".join(bodies))


def test_conditions(s3: "S3Client", bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="from", Body=b"1")["ETag"]
    source = f"{bucket}/from"
    past, future = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2000, 2100))
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfMatch=tag)
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfNoneMatch=BAD)
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfMatch=tag, CopySourceIfUnmodifiedSince=past)
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfModifiedSince=past)
    with refused("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch=BAD)
    with refused("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="x", CopySource=source, CopySourceIfNoneMatch=tag)
    with refused("PreconditionFailed", 412):
        s3.copy_object(Bucket=bucket, Key="x", CopySource=source, CopySourceIfUnmodifiedSince=past)
    with refused("PreconditionFailed", 412):
        s3.copy_object(
            Bucket=bucket, Key="x", CopySource=source, CopySourceIfNoneMatch=tag, CopySourceIfModifiedSince=past
        )
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfUnmodifiedSince=future)
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key="x")


def test_what_is_absent(s3: "S3Client", bucket: str) -> None:
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/none")
    with refused("NoSuchBucket", 404):
        s3.copy_object(Bucket=bucket, Key="to", CopySource="absent/none")
    s3.put_object(Bucket=bucket, Key="from", Body=b"1")
    with refused("NoSuchBucket", 404):
        s3.copy_object(Bucket="absent", Key="to", CopySource=f"{bucket}/from")


def test_a_copy_of_nothing_is_refused(raw: Raw, bucket: str) -> None:
    for source in ("", "/", "no-slash", "%ff/x"):
        answer = raw.send("PUT", f"/{bucket}/to", {"x-amz-copy-source": source})
        assert (answer.status, answer.code) == (400, "InvalidArgument"), source


def test_a_leading_slash_is_the_same_source(raw: Raw, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"1")
    answer = raw.send("PUT", f"/{bucket}/to", {"x-amz-copy-source": f"/{bucket}/from"})
    assert (answer.status, answer.element("ETag").replace("&quot;", '"')) == (200, md5(b"1"))


def test_an_unknown_directive_is_refused(raw: Raw, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"1")
    headers = {"x-amz-copy-source": f"/{bucket}/from", "x-amz-metadata-directive": "KEEP"}
    answer = raw.send("PUT", f"/{bucket}/to", headers)
    assert (answer.status, answer.code) == (400, "InvalidArgument")
