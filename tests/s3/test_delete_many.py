"""DeleteObjects: a thousand keys, quietly, with errors, and documents that are none."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.refusal import refused
from tests.signing import Answer, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def send(raw: Raw, bucket: str, document: bytes) -> Answer:
    digest = base64.b64encode(hashlib.md5(document, usedforsecurity=False).digest()).decode()
    return raw.send("POST", f"/{bucket}?delete", {"content-md5": digest}, document)


def test_a_thousand_at_once(s3: "S3Client", bucket: str) -> None:
    keys = [f"key/{number:04}" for number in range(1001)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b"1"), keys))
    with refused("MalformedXML", 400):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    answer: Any = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys[:1000]]})
    assert sorted(entry["Key"] for entry in answer["Deleted"]) == keys[:1000]
    assert "Errors" not in answer
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == keys[1000:]


def test_quietly(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    answer: Any = s3.delete_objects(Bucket=bucket, Delete={"Quiet": True, "Objects": [{"Key": "k"}, {"Key": "absent"}]})
    assert "Deleted" not in answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_odd_keys_and_twice_the_same(s3: "S3Client", bucket: str) -> None:
    keys = ["ü/ß", "a b", "x&y<z>", "\x01", "new\nline", "🚀"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    for named in (["x&y<z>", "x&y<z>"], ["ü/ß", "a b", "🚀"]):
        assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in named]})
    left = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == ["\x01", "new\nline"]


def test_errors_stand_beside_what_went_well(s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="good", Body=b"1")
    answer: Any = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "good"}, {"Key": "k" * 1025}, {"Key": "v", "VersionId": "made-up"}]}
    )
    assert [entry["Key"] for entry in answer["Deleted"]] == ["good"]
    assert {entry["Key"] for entry in answer["Errors"]} == {"k" * 1025, "v"}
    assert all(entry["Code"] and entry["Message"] for entry in answer["Errors"])


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"no xml",
        b"<Delete></Delete>",
        b"<Delete><Object></Object></Delete>",
        b"<Delete><Object><Key>k</Key>",
        b"<Other><Object><Key>k</Key></Object></Other>",
        b"\xff\xfe",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "'
        + b"x" * 100
        + b'">]><Delete><Object><Key>&b;</Key></Object></Delete>',
        b"<Delete>" * 10_000,
    ],
)
def test_a_document_that_is_none(raw: Raw, bucket: str, document: bytes) -> None:
    answer = send(raw, bucket, document)
    assert answer.status == 400
    assert answer.code in {"MalformedXML", "MissingRequestBodyError"}


def test_a_wrong_digest(raw: Raw, bucket: str, s3: "S3Client") -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    answer = raw.send("POST", f"/{bucket}?delete", {"content-md5": base64.b64encode(b"0" * 16).decode()}, document)
    assert (answer.status, answer.code) == (400, "BadDigest")
    answer = raw.send("POST", f"/{bucket}?delete", {}, document)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    s3.head_object(Bucket=bucket, Key="k")
