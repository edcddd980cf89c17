"""Which bytes of an object a read asks for."""

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from tests.refusal import refused
from tests.signing import Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB: Final = 1 << 20
SMALL: Final = 10_000
LARGE: Final = 7 * MIB + 13


@pytest.fixture(scope="module")
def objects(s3: "S3Client") -> dict[str, bytes]:
    s3.create_bucket(Bucket="ranges")
    bodies = {"small": os.urandom(SMALL), "squeezed": b"tick;" * 2000, "large": os.urandom(LARGE), "empty": b""}
    for key, body in bodies.items():
        s3.put_object(Bucket="ranges", Key=key, Body=body)
    return bodies


@pytest.mark.parametrize("key", ["small", "squeezed", "large"])
@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("0-0", 0, 0),
        ("1-", 1, None),
        ("-1", -1, None),
        ("-500", -500, None),
        ("0-99999999", 0, None),
        ("-99999999", 0, None),
        ("9990-9999999999", 9990, None),
        ("4095-4097", 4095, 4097),
    ],
)
def test_one_range(raw: Raw, objects: dict[str, bytes], key: str, asked: str, first: int, last: int | None) -> None:
    body = objects[key]
    answer = raw.send("GET", f"/ranges/{key}", {"range": f"bytes={asked}"})
    expected = body[first : None if last is None else last + 1]
    start = first if first >= 0 else len(body) + first
    assert answer.status == 206
    assert answer.body == expected
    assert answer.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(body)}"
    head = raw.send("HEAD", f"/ranges/{key}", {"range": f"bytes={asked}"})
    assert (head.status, head.headers["content-length"]) == (206, str(len(expected)))


@pytest.mark.parametrize("first", [0, 1, MIB - 1, MIB, 3 * MIB - 1, 3 * MIB, 6 * MIB, LARGE - 1])
@pytest.mark.parametrize("length", [1, 2, 4096, MIB, 4 * MIB])
def test_across_stripes(s3: "S3Client", objects: dict[str, bytes], first: int, length: int) -> None:
    answer = s3.get_object(Bucket="ranges", Key="large", Range=f"bytes={first}-{first + length - 1}")
    assert answer["Body"].read() == objects["large"][first : first + length]


@pytest.mark.parametrize("asked", [f"{SMALL}-", f"{SMALL}-{SMALL}", "99999999999999999-", "-0"])
def test_no_byte_in_it(raw: Raw, objects: dict[str, bytes], asked: str) -> None:
    answer = raw.send("GET", "/ranges/small", {"range": f"bytes={asked}"})
    assert (answer.status, answer.code) == (416, "InvalidRange")
    assert answer.headers["content-range"] == f"bytes */{SMALL}"


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=-5", "bytes=0-0"])
def test_nothing_of_an_empty_object(raw: Raw, objects: dict[str, bytes], asked: str) -> None:
    assert raw.send("GET", "/ranges/empty", {"range": asked}).status == 416


@pytest.mark.parametrize(
    "asked", ["bytes=9-2", "bytes=a-b", "bytes=", "chars=0-1", "0-1", "bytes=--1", "bytes=0-1,3-4"]
)
def test_what_is_no_range_is_passed_over(s3: "S3Client", raw: Raw, objects: dict[str, bytes], asked: str) -> None:
    url = urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": "ranges", "Key": "small"}))
    answer = raw.plain("GET", f"{url.path}?{url.query}", {"range": asked})
    assert (answer.status, answer.body) == (200, objects["small"])
    # What is signed can't be passed over: docs/s3.md.
    assert raw.send("GET", "/ranges/small", {"range": asked}).status == 400


def test_a_part_of_an_object_without_parts(s3: "S3Client", objects: dict[str, bytes]) -> None:
    answer = s3.get_object(Bucket="ranges", Key="small", PartNumber=1)
    assert answer["Body"].read() == objects["small"]
    assert answer["ContentRange"] == f"bytes 0-{SMALL - 1}/{SMALL}"
    with refused("InvalidPartNumber", 416):
        s3.get_object(Bucket="ranges", Key="small", PartNumber=2)
    with refused("InvalidArgument", 400):
        s3.get_object(Bucket="ranges", Key="small", PartNumber=0)
    with refused("InvalidArgument", 400):
        s3.get_object(Bucket="ranges", Key="small", PartNumber=10_001)
    with refused("InvalidRequest", 400):
        s3.get_object(Bucket="ranges", Key="small", PartNumber=1, Range="bytes=0-1")
