"""Checksums and Content-MD5: given in a header or a trailer, right or wrong, stored and told."""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from tests.signing import Answer, Raw

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BODY: Final = b"229.87;100;AAPL\n" * 1000
LARGE: Final = BODY * 200
LEAST: Final = 5 << 20


def reflected(body: bytes, polynomial: int, bits: int) -> bytes:
    """A reflected CRC with all ones before and after, bit by bit made into a table."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    full = (1 << bits) - 1
    crc = full
    for byte in body:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return (crc ^ full).to_bytes(bits // 8, "big")


SUMS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "CRC32C": lambda body: reflected(body, 0x82F63B78, 32),
    "CRC64NVME": lambda body: reflected(body, 0x9A6C9329AC4BC9B5, 64),
    "SHA1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}


def text(algorithm: str, body: bytes) -> str:
    return base64.b64encode(SUMS[algorithm](body)).decode()


def trailed(
    raw: Raw, target: str, body: bytes, algorithm: str, value: str, query: str = "", anonymous: bool = False
) -> Answer:
    """Put a body in unsigned chunks with its checksum behind it."""
    name = f"x-amz-checksum-{algorithm.lower()}"
    pieces = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    headers = {
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": name,
        "content-encoding": "aws-chunked",
        "x-amz-sdk-checksum-algorithm": algorithm,
    }
    whole = chunked + f"0\r\n{name}:{value}\r\n\r\n".encode()
    digest = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    if anonymous:
        return raw.plain("PUT", target + query, {**headers, "x-amz-content-sha256": digest}, whole)
    return raw.send("PUT", target + query, headers, whole, digest)


@pytest.mark.parametrize("body", [b"", BODY, LARGE], ids=["empty", "small", "large"])
def test_in_a_trailer_of_who_did_not_sign(s3: "S3Client", raw: Raw, bucket: str, body: bytes) -> None:
    """As boto3 sends it over TLS without credentials."""
    assert trailed(raw, f"/{bucket}/key", body, "CRC32", text("CRC32", body), anonymous=True).code == "AccessDenied"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    answer = trailed(raw, f"/{bucket}/key", body, "CRC32", text("CRC32", body), anonymous=True)
    assert (answer.status, answer.headers["x-amz-checksum-crc32"]) == (200, text("CRC32", body))
    found = raw.send("GET", f"/{bucket}/key")
    assert found.body == body
    assert "content-encoding" not in found.headers
    wrong = trailed(raw, f"/{bucket}/key", body, "CRC32", text("CRC32", body + b"."), anonymous=True)
    assert (wrong.status, wrong.code) == (400, "BadDigest")


def test_the_tables_are_right() -> None:
    # The check values of the CRC catalogue.
    assert reflected(b"123456789", 0x82F63B78, 32).hex() == "e3069283"
    assert reflected(b"123456789", 0x9A6C9329AC4BC9B5, 64).hex() == "ae8b14860a799888"


@pytest.mark.parametrize("body", [b"", BODY, LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("algorithm", SUMS)
def test_in_a_header_and_in_a_trailer(raw: Raw, bucket: str, algorithm: str, body: bytes) -> None:
    name, value = f"x-amz-checksum-{algorithm.lower()}", text(algorithm, body)
    by_header = raw.send("PUT", f"/{bucket}/header", {name: value}, body)
    assert (by_header.status, by_header.headers.get(name)) == (200, value)
    by_trailer = trailed(raw, f"/{bucket}/trailer", body, algorithm, value)
    assert (by_trailer.status, by_trailer.headers.get(name)) == (200, value)
    for key in ("header", "trailer"):
        for method in ("GET", "HEAD"):
            told = raw.send(method, f"/{bucket}/{key}", {"x-amz-checksum-mode": "ENABLED"})
            assert told.headers[name] == value
            assert told.headers["x-amz-checksum-type"] == "FULL_OBJECT"
            assert told.headers.get("content-encoding") is None
        assert raw.send("GET", f"/{bucket}/{key}").body == body
        assert name not in raw.send("HEAD", f"/{bucket}/{key}").headers
        attributes = raw.send("GET", f"/{bucket}/{key}?attributes", {"x-amz-object-attributes": "Checksum,ObjectSize"})
        assert attributes.element(f"Checksum{algorithm}") == value
        assert attributes.element("ObjectSize") == str(len(body))


@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("algorithm", SUMS)
def test_wrong_ones_leave_nothing(raw: Raw, bucket: str, algorithm: str, body: bytes) -> None:
    name, wrong = f"x-amz-checksum-{algorithm.lower()}", text(algorithm, b"another")
    answer = raw.send("PUT", f"/{bucket}/k", {name: wrong}, body)
    assert (answer.status, answer.code) == (400, "BadDigest")
    answer = trailed(raw, f"/{bucket}/k", body, algorithm, wrong)
    assert (answer.status, answer.code) == (400, "BadDigest")
    for broken in ("AAAA", "not base64!", ""):
        answer = raw.send("PUT", f"/{bucket}/k", {name: broken}, body)
        assert (answer.status, answer.code) == (400, "InvalidRequest"), broken
    assert raw.send("HEAD", f"/{bucket}/k").status == 404


def test_two_checksums_are_refused(raw: Raw, bucket: str) -> None:
    headers = {"x-amz-checksum-crc32": text("CRC32", BODY), "x-amz-checksum-sha1": text("SHA1", BODY)}
    answer = raw.send("PUT", f"/{bucket}/k", headers, BODY)
    assert (answer.status, answer.code) == (400, "InvalidRequest")


@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
def test_content_md5(raw: Raw, bucket: str, body: bytes) -> None:
    right = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    wrong = base64.b64encode(b"0" * 16).decode()
    for value, code in (
        (wrong, "BadDigest"),
        ("zz", "InvalidDigest"),
        ("AAAA", "InvalidDigest"),
        ("", "InvalidDigest"),
    ):
        answer = raw.send("PUT", f"/{bucket}/k", {"content-md5": value}, body)
        assert (answer.status, answer.code) == (400, code)
    assert raw.send("HEAD", f"/{bucket}/k").status == 404
    assert raw.send("PUT", f"/{bucket}/k", {"content-md5": right}, body).status == 200


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("CRC32", "COMPOSITE"),
        ("CRC32C", "COMPOSITE"),
        ("SHA1", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
    ],
)
def test_of_parts(raw: Raw, bucket: str, algorithm: str, kind: str) -> None:
    name = f"x-amz-checksum-{algorithm.lower()}"
    started = raw.send(
        "POST",
        f"/{bucket}/k?uploads",
        {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind},
    )
    upload = started.element("UploadId")
    bodies = [(BODY * 400)[:LEAST], BODY[:77]]
    listed = ""
    for number, body in enumerate(bodies, 1):
        value = text(algorithm, body)
        query = f"?partNumber={number}&uploadId={upload}"
        wrong = raw.send("PUT", f"/{bucket}/k{query}", {name: text(algorithm, b"x")}, body)
        assert (wrong.status, wrong.code) == (400, "BadDigest")
        answer = trailed(raw, f"/{bucket}/k", body, algorithm, value, query)
        assert (answer.status, answer.headers[name]) == (200, value)
        sums = f"<Checksum{algorithm}>{value}</Checksum{algorithm}>"
        listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{answer.headers['etag']}</ETag>{sums}</Part>"
    document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    if kind == "COMPOSITE":
        joined = b"".join(SUMS[algorithm](body) for body in bodies)
        expected = text(algorithm, joined) + "-2"
    else:
        expected = text(algorithm, b"".join(bodies))
    answer = raw.send("POST", f"/{bucket}/k?uploadId={upload}", {}, document)
    assert (answer.status, answer.element(f"Checksum{algorithm}")) == (200, expected)
    assert answer.element("ChecksumType") == kind
    head = raw.send("HEAD", f"/{bucket}/k", {"x-amz-checksum-mode": "ENABLED"})
    assert (head.headers[name], head.headers["x-amz-checksum-type"]) == (expected, kind)
    for number, body in enumerate(bodies, 1):
        part = raw.send("HEAD", f"/{bucket}/k?partNumber={number}", {"x-amz-checksum-mode": "ENABLED"})
        assert part.headers["content-length"] == str(len(body))
        assert (part.headers[name], part.headers["x-amz-checksum-type"]) == (text(algorithm, body), kind)
    described = raw.send("GET", f"/{bucket}/k?attributes", {"x-amz-object-attributes": "ObjectParts"}).body.decode()
    for number, body in enumerate(bodies, 1):
        told = f"<Checksum{algorithm}>{text(algorithm, body)}</Checksum{algorithm}>"
        assert f"<PartNumber>{number}</PartNumber>" in described
        assert told in described


@pytest.mark.parametrize(("algorithm", "kind"), [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")])
def test_a_kind_that_an_algorithm_hasnt(raw: Raw, bucket: str, algorithm: str, kind: str) -> None:
    headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    answer = raw.send("POST", f"/{bucket}/k?uploads", headers)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
