"""Conditions on reads and writes, with the precedence that AWS gives them."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.refusal import refused
from tests.served import Node
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedMultipartUploadTypeDef

BAD: Final = '"00000000000000000000000000000000"'
PAST: Final = "Sat, 01 Jan 2000 00:00:00 GMT"
FUTURE: Final = "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-match": "ETAG"}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": BAD}, 412),
        ({"if-none-match": "ETAG"}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": BAD}, 200),
        ({"if-none-match": "W/ETAG"}, 304),
        ({"if-modified-since": PAST}, 200),
        ({"if-modified-since": "MODIFIED"}, 304),
        ({"if-unmodified-since": PAST}, 412),
        ({"if-unmodified-since": FUTURE}, 200),
        ({"if-unmodified-since": "MODIFIED"}, 200),
        # If-Match holds and If-Unmodified-Since doesn't: 200. If-None-Match fails and If-Modified-Since holds: 304.
        ({"if-match": "ETAG", "if-unmodified-since": PAST}, 200),
        ({"if-match": BAD, "if-unmodified-since": FUTURE}, 412),
        ({"if-none-match": "ETAG", "if-modified-since": PAST}, 304),
        ({"if-none-match": BAD, "if-modified-since": "MODIFIED"}, 200),
        ({"if-match": "ETAG", "if-none-match": "ETAG"}, 304),
        ({"if-match": BAD, "if-none-match": "ETAG"}, 412),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads(s3: "S3Client", raw: Raw, bucket: str, method: str, headers: dict[str, str], status: int) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    modified = raw.send("HEAD", f"/{bucket}/k").headers["last-modified"]
    asked = {name: text.replace("ETAG", put["ETag"]).replace("MODIFIED", modified) for name, text in headers.items()}
    answer = raw.send(method, f"/{bucket}/k", asked)
    assert answer.status == status
    if status == 304:
        assert answer.body == b""
        assert answer.headers["etag"] == put["ETag"]
        assert answer.headers["last-modified"] == modified


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
def test_a_date_that_is_none_is_passed_over(s3: "S3Client", raw: Raw, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"body")
    url = urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}))
    assert raw.plain("GET", f"{url.path}?{url.query}", {name: "yesterday"}).status == 200
    # What is signed can't be passed over: docs/s3.md.
    assert raw.send("GET", f"/{bucket}/k", {name: "yesterday"}).status == 400


def test_a_condition_without_an_object(raw: Raw, bucket: str) -> None:
    for headers in ({"if-match": "*"}, {"if-none-match": "*"}, {"if-match": BAD}):
        assert raw.send("GET", f"/{bucket}/none", headers).status == 404


@pytest.mark.parametrize("size", [3, 2 << 20])
def test_writes(s3: "S3Client", bucket: str, size: int) -> None:
    first = s3.put_object(Bucket=bucket, Key="k", Body=bytes(size), IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"again", IfNoneMatch="*")
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"again", IfMatch=BAD)
    for tag in (first, "never", "*"):
        with refused("NoSuchKey", 404):
            s3.put_object(Bucket=bucket, Key="absent", Body=b"again", IfMatch=tag)
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"again", IfMatch="never")
    assert s3.get_object(Bucket=bucket, Key="k")["ContentLength"] == size
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"1" * size, IfMatch=first)["ETag"]
    assert second != first
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2" * size, IfMatch=first)


def test_writes_unless_it_is_the_same(s3: "S3Client", bucket: str) -> None:
    """HTTP's meaning of `If-None-Match` with a tag, where AWS has none."""
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch=BAD)["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch=first)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"2")["ETag"]
    parts: CompletedMultipartUploadTypeDef = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    with refused("PreconditionFailed", 412):
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts, IfNoneMatch=first)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts, IfNoneMatch=part)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfNoneMatch="never")
    with refused("NotImplemented", 501):
        s3.put_object(Bucket=bucket, Key="k", Body=b"4", IfNoneMatch="*", IfMatch=first)


def test_completion_of_an_upload(s3: "S3Client", bucket: str) -> None:
    def upload() -> str:
        return s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]

    first, second = upload(), upload()
    tag = s3.upload_part(Bucket=bucket, Key="k", UploadId=first, PartNumber=1, Body=b"1")["ETag"]
    s3.upload_part(Bucket=bucket, Key="k", UploadId=second, PartNumber=1, Body=b"1")
    parts: CompletedMultipartUploadTypeDef = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=first,
        MultipartUpload=parts,
        IfNoneMatch="*",
    )
    with refused("PreconditionFailed", 412):
        s3.complete_multipart_upload(
            Bucket=bucket,
            Key="k",
            UploadId=second,
            MultipartUpload=parts,
            IfNoneMatch="*",
        )


def test_removal(s3: "S3Client", bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    with refused("PreconditionFailed", 412):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=BAD)
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=tag)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("size", [100, 2 << 20])
def test_of_many_creators_one_wins(s3_node: Node, bucket: str, size: int) -> None:
    client = s3_node.client()

    def create(number: int) -> int | None:
        try:
            client.put_object(Bucket=bucket, Key="k", Body=bytes([number]) * size, IfNoneMatch="*")
        except ClientError as error:
            # AWS answers 409 where it finds two at once; every answer but these is a fault.
            assert error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}
            return None
        return number

    for _ in range(5):
        with ThreadPoolExecutor(32) as pool:
            winners = [number for number in pool.map(create, range(32)) if number is not None]
        assert len(winners) == 1
        assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == bytes(winners) * size
        client.delete_object(Bucket=bucket, Key="k")


def test_compare_and_swap_counts_right(s3_node: Node, bucket: str) -> None:
    client = s3_node.client()
    client.put_object(Bucket=bucket, Key="counter", Body=b"0")

    def increment(_: int) -> None:
        while True:
            answer = client.get_object(Bucket=bucket, Key="counter")
            value = int(answer["Body"].read())
            try:
                client.put_object(Bucket=bucket, Key="counter", Body=str(value + 1).encode(), IfMatch=answer["ETag"])
            except ClientError as error:
                assert error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}
            else:
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(64)))
    assert client.get_object(Bucket=bucket, Key="counter")["Body"].read() == b"64"


def test_dates_in_whole_seconds(s3: "S3Client", bucket: str) -> None:
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    assert before <= modified <= dt.datetime.now(dt.UTC)
