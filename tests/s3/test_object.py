"""Objects: put, read, described, removed."""

import datetime as dt
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.refusal import refused
from tests.signing import UNSIGNED, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KIB = 1024
MIB = KIB * KIB


@pytest.mark.parametrize(
    "size",
    [
        0,
        1,
        255,
        256,
        257,
        4095,
        4096,
        4097,
        64 * KIB,
        MIB - 1,
        MIB,
        MIB + 1,
        3 * MIB - 1,
        3 * MIB,
        3 * MIB + 1,
        20 * MIB + 7,
    ],
)
def test_every_size_comes_back(s3: "S3Client", bucket: str, size: int) -> None:
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body)
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert answer["Body"].read() == body
    assert answer["ContentLength"] == size
    assert answer["ETag"] == put["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ETag"], head["LastModified"]) == (size, put["ETag"], answer["LastModified"])
    (entry,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert (entry["Size"], entry["ETag"], entry["LastModified"]) == (size, put["ETag"], answer["LastModified"])


@pytest.mark.parametrize("sizes", [(10, 3 * MIB), (3 * MIB, 10), (MIB, MIB), (0, 1), (1, 0)])
def test_an_overwrite_wins(s3: "S3Client", bucket: str, sizes: tuple[int, int]) -> None:
    for size in sizes:
        body = os.urandom(size)
        s3.put_object(Bucket=bucket, Key="k", Body=body, Metadata={"size": str(size)})
        answer = s3.get_object(Bucket=bucket, Key="k")
        assert answer["Body"].read() == body
        assert answer["Metadata"] == {"size": str(size)}
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


@pytest.mark.parametrize("size", [5, 2 * MIB])
def test_removed_it_is_gone(s3: "S3Client", bucket: str, size: int) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=bytes(size))
    assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="k")
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key="k")
    assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    "key",
    [
        "a b+c",
        "ü/ß",
        "日本/東京",
        "🚀",
        "a%b",
        "a%2Fb",
        "x&y<z>",
        "q'uote\"",
        "dir/",
        "dir//file",
        "//",
        "/lead",
        "a/../b",
        "./a",
        "a/.",
        "..",
        "tab\there",
        "new\nline",
        "\x01\x7f",
        "a\\b",
        "?#[]@!$&()*,;=:",
        "k" * 1024,
        "é" * 512,
        "~-_.",
        "e\u0301",
        "\ufeff",
        "\uffff",
    ],
)
def test_every_key_comes_back(s3: "S3Client", bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})["CopyObjectResult"]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy"}]})
    s3.delete_object(Bucket=bucket, Key=key)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize("key", ["k" * 1025, "é" * 513])
def test_a_key_too_long_is_refused(s3: "S3Client", bucket: str, key: str) -> None:
    with refused("KeyTooLongError", 400):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    with refused("KeyTooLongError", 400):
        s3.create_multipart_upload(Bucket=bucket, Key=key)


def test_a_key_that_is_no_text_is_refused(raw: Raw, bucket: str) -> None:
    answer = raw.send("PUT", f"/{bucket}/a%ffb", body=b"")
    assert answer.status == 400
    assert answer.code == "InvalidURI"


def test_system_and_user_metadata(s3: "S3Client", bucket: str) -> None:
    expires = dt.datetime(2031, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"x",
        CacheControl="max-age=5",
        ContentDisposition='attachment; filename="ä.csv"'.replace("ä", "a"),
        ContentEncoding="deflate, gzip",
        ContentLanguage="de-AT",
        ContentType="text/csv; charset=utf-8",
        Expires=expires,
        Metadata={"desk": "fx", "trader": "  padded  inside ".strip()},
        WebsiteRedirectLocation="/elsewhere",
        StorageClass="STANDARD",
    )
    for answer in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert answer["CacheControl"] == "max-age=5"
        assert answer["ContentDisposition"] == 'attachment; filename="a.csv"'
        assert answer["ContentEncoding"] == "deflate, gzip"
        assert answer["ContentLanguage"] == "de-AT"
        assert answer["ContentType"] == "text/csv; charset=utf-8"
        assert answer["Expires"] == expires
        assert answer["Metadata"] == {"desk": "fx", "trader": "padded  inside"}
        assert answer["WebsiteRedirectLocation"] == "/elsewhere"
        assert answer["AcceptRanges"] == "bytes"


def test_content_type_has_a_default(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_metadata_has_a_limit(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "b" * 2047})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"a": "b" * 2047}
    with refused("MetadataTooLarge", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "b" * 2048})


def test_the_same_metadata_twice_is_joined(raw: Raw, bucket: str, s3: "S3Client") -> None:
    raw.send("PUT", f"/{bucket}/k", {"x-amz-meta-a": "1,2"}, b"x")
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"a": "1,2"}


def test_overrides_of_the_answers_headers(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain")
    answer = s3.get_object(
        Bucket=bucket,
        Key="k",
        ResponseCacheControl="no-store",
        ResponseContentDisposition="inline",
        ResponseContentEncoding="br",
        ResponseContentLanguage="fr",
        ResponseContentType="a/b",
        ResponseExpires=dt.datetime(2031, 2, 3, tzinfo=dt.UTC),
    )
    assert answer["CacheControl"] == "no-store"
    assert answer["ContentDisposition"] == "inline"
    assert answer["ContentEncoding"] == "br"
    assert answer["ContentLanguage"] == "fr"
    assert answer["ContentType"] == "a/b"
    assert answer["Expires"] == dt.datetime(2031, 2, 3, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x-amz-storage-class": "GLASS"}, 400, "InvalidStorageClass"),
        ({"x-amz-acl": "public-read"}, 400, "AccessControlListNotSupported"),
        ({"x-amz-object-lock-mode": "COMPLIANCE"}, 400, "InvalidArgument"),
        ({"x-amz-object-lock-legal-hold": "ON", "content-md5": "ndTkYSaMgDT1yFZOFVxnpg=="}, 400, "InvalidRequest"),
        ({"x-amz-write-offset-bytes": "5"}, 400, "InvalidWriteOffset"),
    ],
)
def test_what_a_put_cant_promise_is_refused(
    raw: Raw, bucket: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = raw.send("PUT", f"/{bucket}/k", headers, b"x")
    assert (answer.status, answer.code) == (status, code)
    assert raw.send("HEAD", f"/{bucket}/k").status == 404


def test_a_private_acl_and_a_sent_length_are_no_promise(raw: Raw, bucket: str) -> None:
    assert raw.send("PUT", f"/{bucket}/k", {"x-amz-acl": "private"}, b"x").status == 200
    assert raw.send("PUT", f"/{bucket}/k?x-id=PutObject&unknown=1", {}, b"x").status == 200


def test_versions_are_not_there(s3: "S3Client", bucket: str, raw: Raw) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"x"
    assert raw.send("GET", f"/{bucket}/k?versionId=made-up").status in {400, 404}
    assert raw.send("DELETE", f"/{bucket}/k?versionId=made-up").status in {204, 400, 404}
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_no_body_is_an_empty_object(raw: Raw, bucket: str) -> None:
    assert raw.send("PUT", f"/{bucket}/k", {"content-length": "0"}, digest=UNSIGNED).status == 200
    answer = raw.send("GET", f"/{bucket}/k")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "0", b"")


def test_who_waits_to_send_nothing_gets_a_connection_of_its_own(raw: Raw, bucket: str) -> None:
    """The aws command line loses its place on a connection on which an empty body was awaited and no 100 came."""
    for expect, body, connection in (("100-continue", b"", "close"), ("100-continue", b"x", None), (None, b"", None)):
        headers = {} if expect is None else {"expect": expect}
        answer = raw.send("PUT", f"/{bucket}/awaited", headers, body)
        assert (answer.status, answer.headers.get("connection")) == (200, connection)
